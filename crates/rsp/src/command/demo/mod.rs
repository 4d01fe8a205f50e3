//! `rsp demo`: a registrar, elements and users on this machine, and failures among them.

mod children;
mod model;
pub(crate) mod report;
mod schedule;
mod view;

use crate::exit::{Exit, Failure, Outcome};
use crate::option::timers::Preset;
use crate::output;
use crate::signals::Signals;
use anyhow::{Context, anyhow};
use children::{Children, Role, Said};
use clap::ValueEnum;
use model::{Condition, Element, Model, Session};
use nix::sys::signal::Signal;
use report::Report;
use schedule::{ALPHA, BETA, Step};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use view::{Shown, View};

/// Watch pools, servers, clients and failures on this machine
///
/// Starts a registrar, elements of two pools and users at work, as processes of their own on
/// loopback with ports of their own. Kills one element, stops one in order, lets one hang, starts
/// new ones; shows who serves whom, and what each failure cost. The exit code is 0 only if every
/// user kept its session.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// How long it lasts
    #[arg(long, default_value_t = 15, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(4..=600))]
    seconds: u32,
    /// Lines of JSON, the last one with the summary
    #[arg(long)]
    json: bool,
    /// The timers of all processes
    #[arg(long, value_enum, default_value = "default", value_name = "PRESET")]
    timers: Preset,
}

const EXAMPLES: &str = "\
Examples:
  rsp demo
  rsp demo --seconds 8 --timers fast
  rsp demo --json | tail -1";

/// The pools, with the policy of each.
const POOLS: [(&str, &str); 2] = [(ALPHA, "rr"), (BETA, "lud:0.0:0.1")];
const ELEMENTS_PER_POOL: usize = 2;
const USERS_PER_POOL: usize = 3;
/// The time between a user's answer and its next request.
const EVERY_MS: &str = "5";
/// How long a stopped element still serves its users, who go to another one after that.
const DRAIN_MS: &str = "100";
/// How long everything may take to start, on a busy machine.
const START_MAX: Duration = Duration::from_secs(20);
/// A session that was not answered for this long at the end is lost.
const SILENCE_MAX: Duration = Duration::from_secs(1);
/// How often the picture is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);

pub(crate) async fn run(arguments: &Arguments) -> Outcome {
    let mut signals = Signals::listen()?;
    let (children, heard) = Children::new();
    let mut demo = Demo::new(arguments, children, heard);
    let outcome = tokio::select! {
        outcome = demo.run() => outcome,
        () = signals.recv() => Err(Failure::new(Exit::Interrupted, anyhow!("interrupted"))),
    };
    demo.children.end().await;
    outcome
}

/// The demo at work.
struct Demo {
    length: Duration,
    timers: String,
    children: Children,
    heard: mpsc::Receiver<(Role, Said)>,
    model: Model,
    shown: Shown,
    began: Instant,
    /// Where the registrar is, once it serves.
    registrar: Option<String>,
    /// The element that hangs.
    hanging: Option<usize>,
}

impl Demo {
    fn new(arguments: &Arguments, children: Children, heard: mpsc::Receiver<(Role, Said)>) -> Self {
        let view = match (arguments.json, output::is_terminal()) {
            (true, _) => View::Json,
            (false, true) => View::Screen,
            (false, false) => View::Lines,
        };
        let timers = arguments.timers.to_possible_value();
        Self {
            length: Duration::from_secs(arguments.seconds.into()),
            timers: timers
                .map(|value| value.get_name().to_owned())
                .unwrap_or_default(),
            children,
            heard,
            model: Model::default(),
            shown: Shown::new(view),
            began: Instant::now(),
            registrar: None,
            hanging: None,
        }
    }

    async fn run(&mut self) -> Outcome {
        self.start_all().await?;
        let start = self.now();
        let mut steps: VecDeque<_> = schedule::steps(self.length).collect();
        let end = start + self.length;
        let mut draw = tokio::time::interval(DRAW_EVERY);
        while self.now() < end {
            let due = steps.front().map_or(end, |(after, _)| start + *after);
            tokio::select! {
                heard = self.heard.recv() => self.hear(heard)?,
                _ = draw.tick() => self.shown.draw(&self.model, self.began.elapsed())?,
                () = tokio::time::sleep(due.saturating_sub(self.began.elapsed())) => {
                    if let Some((_, step)) = steps.pop_front() {
                        self.step(step)?;
                    }
                }
            }
        }
        let now = self.now();
        let lost = self.model.lost_sessions(now, SILENCE_MAX);
        self.shown.summary(&self.model, now, lost)?;
        match lost {
            0 => Ok(()),
            lost => Err(anyhow!("{lost} sessions were lost").into()),
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn event(&mut self, what: &str) -> std::io::Result<()> {
        self.shown.event(self.began.elapsed(), what)
    }

    /// The registrar, then elements, then watchers and users: each finds what it needs.
    async fn start_all(&mut self) -> Outcome {
        let registrar = ["registrar", "--address", "127.0.0.1", "--udp-port", "0"];
        let private = [
            "--no-multicast",
            "--management",
            "off",
            "--timers",
            &self.timers,
        ];
        self.children
            .start(Role::Registrar, &[&registrar[..], &private[..]].concat())?;
        self.until("the registrar did not start", |demo| {
            demo.registrar.is_some()
        })
        .await?;
        for (pool, _) in POOLS {
            for _ in 0..ELEMENTS_PER_POOL {
                self.start_element(pool)?;
            }
        }
        let all_registered = |demo: &Self| {
            demo.model
                .elements
                .iter()
                .all(|element| element.id.is_some())
        };
        self.until("not all elements could register", all_registered)
            .await?;
        for (pool, _) in POOLS {
            self.start_client(Role::Watcher(pool), &["resolve", pool, "--watch"])?;
            for _ in 0..USERS_PER_POOL {
                let user = Role::User(self.model.sessions.len());
                self.model.sessions.push(Session::new(pool));
                self.start_client(user, &["connect", pool, "--every-ms", EVERY_MS])?;
            }
        }
        let all_answered = |demo: &Self| {
            demo.model
                .sessions
                .iter()
                .all(|session| session.answers > 0)
                && demo.model.elements.iter().all(|element| element.listed)
        };
        self.until("not all users were answered", all_answered)
            .await
    }

    /// Listens to the children until something holds.
    async fn until(&mut self, otherwise: &'static str, holds: impl Fn(&Self) -> bool) -> Outcome {
        let deadline = tokio::time::Instant::now() + START_MAX;
        while !holds(self) {
            let heard = tokio::time::timeout_at(deadline, self.heard.recv());
            let heard = heard.await.with_context(|| {
                format!("{otherwise}; run `rsp registrar --log debug` and see what it says")
            })?;
            self.hear(heard)?;
        }
        Ok(())
    }

    fn start_element(&mut self, pool: &'static str) -> Outcome {
        let index = self.model.elements.len();
        let (id, condition, listed) = (None, Condition::Running, false);
        self.model.elements.push(Element {
            pool,
            id,
            condition,
            listed,
        });
        let policy = POOLS
            .iter()
            .find(|(name, _)| *name == pool)
            .map_or("rr", |(_, policy)| policy);
        let arguments = [
            "serve",
            "echo",
            "--pool",
            pool,
            "--policy",
            policy,
            "--address",
            "127.0.0.1",
            "--drain-ms",
            DRAIN_MS,
        ];
        self.start_client(Role::Element(index), &arguments)
    }

    fn start_client(&mut self, role: Role, arguments: &[&str]) -> Outcome {
        let registrar = self.registrar.as_deref().unwrap_or_default();
        let common = [
            "--registrar",
            registrar,
            "--no-multicast",
            "--timers",
            &self.timers,
        ];
        self.children
            .start(role, &[arguments, &common[..]].concat())?;
        Ok(())
    }

    fn hear(&mut self, heard: Option<(Role, Said)>) -> Outcome {
        let (role, said) = heard.context("all children are gone")?;
        match said {
            Said::Report(report) => self.report(role, report),
            Said::Ended => self.ended(role),
        }
    }

    fn report(&mut self, role: Role, report: Report) -> Outcome {
        let now = self.now();
        match (role, report) {
            (
                Role::Registrar,
                Report::Serving {
                    registrar,
                    reached_at,
                    ..
                },
            ) => {
                self.registrar = reached_at.into_iter().next();
                let at = self.registrar.clone().unwrap_or_default();
                self.event(&format!("registrar {registrar} serves at {at}"))?;
            }
            (
                Role::Element(index),
                Report::Registered {
                    pool_handle,
                    pool_element,
                    ..
                },
            ) => {
                self.event(&format!(
                    "{pool_handle}: element {pool_element} is registered"
                ))?;
                self.model.elements[index].id = Some(pool_element);
            }
            (Role::Watcher(pool), Report::Pool { pool_elements, .. }) => {
                self.model.listed(pool, &pool_elements, now);
                let elements = pool_elements.join(" ");
                self.event(&format!("{pool}: in the pool are {elements}"))?;
            }
            (Role::User(user), Report::Connected { pool_element, .. }) => {
                let pool = self.model.sessions[user].pool;
                let text = format!("{pool}: user {} is served by {pool_element}", user + 1);
                self.event(&text)?;
                self.model.sessions[user].served_by = Some(pool_element);
            }
            (Role::User(user), Report::Answer { pool_element, .. }) => {
                self.model.answered(user, &pool_element, now);
            }
            (Role::User(user), Report::Failover { from, to, gap_ms }) => {
                self.model.failed_over(user, &from, &to, now);
                let pool = self.model.sessions[user].pool;
                let text = format!("{pool}: user {} went from {from} to {to}", user + 1);
                self.event(&format!("{text} in {gap_ms:.1} ms"))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn ended(&mut self, role: Role) -> Outcome {
        match role {
            Role::Registrar => Err(anyhow!("the registrar ended").into()),
            Role::Watcher(pool) => Err(anyhow!("the watcher of {pool} ended").into()),
            Role::User(user) => {
                self.model.sessions[user].lost = true;
                Ok(self.event(&format!("user {} LOST its session", user + 1))?)
            }
            Role::Element(index) => match self.model.elements[index].condition {
                Condition::Killed | Condition::Stopped => Ok(()),
                Condition::Running | Condition::Hanging => {
                    Err(anyhow!("element {index} ended").into())
                }
            },
        }
    }

    fn step(&mut self, step: Step) -> Outcome {
        match step {
            Step::Start(pool) => {
                self.event(&format!("{pool}: one more element is started"))?;
                self.start_element(pool)
            }
            Step::Fault(pool, what) => self.fault(pool, what),
            Step::Continue => {
                let Some(index) = self.hanging.take() else {
                    return Ok(());
                };
                self.children
                    .signal(Role::Element(index), Signal::SIGCONT)?;
                self.model.elements[index].condition = Condition::Running;
                let id = self.model.elements[index].id.clone().unwrap_or_default();
                Ok(self.event(&format!("element {id} goes on (SIGCONT)"))?)
            }
        }
    }

    fn fault(&mut self, pool: &'static str, what: Condition) -> Outcome {
        let index = self
            .model
            .busiest(pool)
            .with_context(|| format!("no element in {pool}"))?;
        let (signal, text) = match what {
            Condition::Killed => (Signal::SIGKILL, "is killed (SIGKILL)"),
            Condition::Stopped => (Signal::SIGTERM, "is told to stop (SIGTERM)"),
            Condition::Hanging => (Signal::SIGSTOP, "hangs (SIGSTOP)"),
            Condition::Running => return Ok(()),
        };
        let id = self.model.elements[index].id.clone().unwrap_or_default();
        let users = self.model.served_by(&id).len();
        self.event(&format!(
            "{pool}: element {id}, serving {users} users, {text}"
        ))?;
        self.model.fault(index, what, self.began.elapsed());
        if what == Condition::Hanging {
            self.hanging = Some(index);
        }
        self.children.signal(Role::Element(index), signal)?;
        Ok(())
    }
}
