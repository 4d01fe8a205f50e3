//! `rsp demo`: a registrar, elements and users on this machine, and failures among them.

mod children;
mod model;
mod registrars;
pub(crate) mod report;
mod schedule;
mod view;

use crate::exit::{Exit, Failure, Outcome};
use crate::management::schema::Status;
use crate::option::sctp::SctpOptions;
use crate::option::timers::Preset;
use crate::output;
use crate::signals::Signals;
use anyhow::{Context, anyhow};
use children::{Children, Role, Said};
use model::{Condition, Element, Model, Session};
use nix::sys::signal::Signal;
use registrars::Registrar;
use report::Report;
use rserpool::SctpMode;
use rserpool_core::{RegistrarAddress, SCTP_UDP_PORT};
use schedule::{ALPHA, BETA, Step};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use view::{Shown, View};

/// Watch pools, servers, clients and failures on this machine
///
/// Starts three registrars, elements of two pools and users at work, as processes of their own on
/// loopback with ports of their own. Kills one element, stops one in order, lets one hang, starts
/// new ones; kills the registrar that is the home of most elements, and starts it again. Shows
/// who serves whom, who owns whom, and what each failure cost. The exit code is 0 only if every
/// user kept its session and the registrars agree in the end.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// How long it lasts
    #[arg(long, default_value_t = 24, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(8..=600))]
    seconds: u32,
    /// Lines of JSON, the last one with the summary
    #[arg(long)]
    json: bool,
    /// The timers of all processes
    #[arg(long, value_enum, default_value = "default", value_name = "PRESET")]
    timers: Preset,
    #[command(flatten)]
    whose: SctpOptions,
}

const EXAMPLES: &str = "\
Examples:
  rsp demo
  rsp demo --seconds 12 --timers fast
  rsp demo --sctp kernel
  rsp demo --json | tail -1";

/// The pools, with the policy of each.
const POOLS: [(&str, &str); 2] = [(ALPHA, "rr"), (BETA, "lud:0.0:0.1")];
const REGISTRARS: usize = 3;
/// The first SCTP ports of ASAP and of ENRP of the kernel's SCTP, which has no UDP ports to tell
/// registrars of one address apart. The kernel chooses none of these by itself.
const KERNEL_PORTS: (usize, usize) = (23_863, 29_901);
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
/// Registrars that do not agree after so many heartbeat cycles in which nothing happens never do.
const HEARTBEATS_MAX: u32 = 4;
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
    timers: Preset,
    sctp: SctpMode,
    children: Children,
    heard: mpsc::Receiver<(Role, Said)>,
    model: Model,
    shown: Shown,
    began: Instant,
    /// The element that hangs.
    hanging: Option<usize>,
    /// The registrar that was killed.
    killed: Option<usize>,
}

impl Demo {
    fn new(arguments: &Arguments, children: Children, heard: mpsc::Receiver<(Role, Said)>) -> Self {
        let view = match (arguments.json, output::is_terminal()) {
            (true, _) => View::Json,
            (false, true) => View::Screen,
            (false, false) => View::Lines,
        };
        Self {
            length: Duration::from_secs(arguments.seconds.into()),
            timers: arguments.timers,
            sctp: arguments.whose.sctp,
            children,
            heard,
            model: Model::default(),
            shown: Shown::new(view),
            began: Instant::now(),
            hanging: None,
            killed: None,
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
        self.wait_for_agreement().await?;
        let now = self.now();
        let lost = self.model.lost_sessions(now, SILENCE_MAX);
        self.shown.summary(&self.model, now, lost)?;
        if lost > 0 {
            return Err(anyhow!("{lost} sessions were lost").into());
        }
        if !self.model.registrars.agree() {
            return Err(anyhow!("the registrars do not agree").into());
        }
        Ok(())
    }

    /// What changed last may not have been in a heartbeat yet.
    async fn wait_for_agreement(&mut self) -> Outcome {
        let cycle = self.timers.timers().asap.peer_heartbeat_cycle;
        let deadline = tokio::time::Instant::now() + cycle * HEARTBEATS_MAX;
        while !self.model.registrars.agree() {
            let Ok(heard) = tokio::time::timeout_at(deadline, self.heard.recv()).await else {
                break;
            };
            self.hear(heard)?;
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn event(&mut self, what: &str) -> std::io::Result<()> {
        self.shown.event(self.began.elapsed(), what)
    }

    /// Registrars, then elements, then watchers and users: each finds what it needs.
    async fn start_all(&mut self) -> Outcome {
        for index in 0..REGISTRARS {
            self.start_registrar(index, "0")?;
            let serves = |demo: &Self| demo.model.registrars.all.len() > index;
            self.until("the registrars did not start", serves).await?;
        }
        self.until("the registrars did not find each other", |demo| {
            demo.model.registrars.agree()
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

    /// Starts a registrar that knows all others that have started so far.
    fn start_registrar(&mut self, index: usize, udp_port: &str) -> Outcome {
        let registrar = [
            "registrar",
            "--address",
            "127.0.0.1",
            "--udp-port",
            udp_port,
        ];
        let private = [
            "--no-multicast",
            "--management",
            "127.0.0.1:0",
            "--tcp-port",
            "0",
        ];
        let whose = self.sctp.to_string();
        let ports = [KERNEL_PORTS.0 + index, KERNEL_PORTS.1 + index].map(|port| port.to_string());
        let ports = ["--sctp-port", &ports[0], "--enrp-port", &ports[1]];
        let peers = self.model.registrars.peers_of(index);
        let mut arguments = [
            &registrar[..],
            &private[..],
            &["--timers", self.timers.name(), "--sctp", &whose],
            if self.sctp == SctpMode::Kernel {
                &ports
            } else {
                &[]
            },
        ]
        .concat();
        for peer in &peers {
            arguments.extend(["--peer", peer]);
        }
        Ok(self.children.start(Role::Registrar(index), &arguments)?)
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
        let registrars = self.model.registrars.reached_at();
        let mut arguments = arguments.to_vec();
        for registrar in &registrars {
            arguments.extend(["--registrar", registrar]);
        }
        let whose = self.sctp.to_string();
        arguments.extend(["--no-multicast", "--timers", self.timers.name()]);
        arguments.extend(["--sctp", &whose]);
        Ok(self.children.start(role, &arguments)?)
    }

    fn hear(&mut self, heard: Option<(Role, Said)>) -> Outcome {
        let (role, said) = heard.context("all children are gone")?;
        match said {
            Said::Report(report) => self.report(role, report),
            Said::Status(status) => self.status(role, *status),
            Said::Ended => self.ended(role),
        }
    }

    fn report(&mut self, role: Role, report: Report) -> Outcome {
        let now = self.now();
        match (role, report) {
            (
                Role::Registrar(index),
                Report::Serving {
                    registrar: id,
                    reached_at,
                    reached_by_peers_at: as_peer,
                    management,
                    ..
                },
            ) => {
                let registrar = Registrar {
                    id,
                    reached_at: reached_at.into_iter().next().unwrap_or_default(),
                    as_peer,
                    condition: Condition::Running,
                    status: None,
                };
                self.registrar_serves(index, registrar, management)?;
            }
            (
                Role::Registrar(index),
                Report::Initialized {
                    mentor,
                    pool_elements,
                },
            ) => self.registrar_initialized(index, mentor, pool_elements)?,
            (
                Role::Element(index),
                Report::Registered {
                    pool_handle,
                    pool_element,
                    ..
                },
            ) => {
                let text = format!("{pool_handle}: element {pool_element} is registered");
                self.event(&text)?;
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
            (
                Role::User(user),
                Report::Failover {
                    from, to, gap_ms, ..
                },
            ) => {
                self.model.failed_over(user, &from, &to, now);
                let pool = self.model.sessions[user].pool;
                let text = format!("{pool}: user {} went from {from} to {to}", user + 1);
                self.event(&format!("{text} in {gap_ms:.1} ms"))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn registrar_serves(
        &mut self,
        index: usize,
        registrar: Registrar,
        management: Option<String>,
    ) -> std::io::Result<()> {
        let (id, reached_at) = (&registrar.id, &registrar.reached_at);
        self.event(&format!("registrar {id} serves at {reached_at}"))?;
        if let Some(management) = management {
            self.children.watch(Role::Registrar(index), management);
        }
        let now = self.now();
        self.model.registrars.serves(index, registrar, now);
        Ok(())
    }

    fn registrar_initialized(
        &mut self,
        index: usize,
        mentor: Option<String>,
        pool_elements: usize,
    ) -> std::io::Result<()> {
        let now = self.now();
        self.model.registrars.initialized(index, now);
        let id = &self.model.registrars.all[index].id;
        let from = mentor.map_or_else(String::new, |mentor| format!(" from {mentor}"));
        self.event(&format!(
            "registrar {id} is initialised, with {pool_elements} elements{from}"
        ))
    }

    fn status(&mut self, role: Role, status: Status) -> Outcome {
        if let Role::Registrar(index) = role {
            let now = self.now();
            for what in self.model.registrars.says(index, status, now) {
                self.event(&what)?;
            }
        }
        Ok(())
    }

    fn ended(&mut self, role: Role) -> Outcome {
        match role {
            Role::Registrar(index) => match self.model.registrars.all.get(index) {
                Some(registrar) if registrar.condition == Condition::Killed => Ok(()),
                _ => Err(anyhow!("registrar {index} ended").into()),
            },
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
            Step::KillHome => self.kill_home(),
            Step::ReturnHome => self.return_home(),
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

    fn kill_home(&mut self) -> Outcome {
        let index = self.model.registrars.busiest();
        let index = index.context("no registrar is running")?;
        let registrar = &self.model.registrars.all[index];
        let (id, owned) = (&registrar.id, registrar.owned());
        self.event(&format!(
            "registrar {id}, the home of {owned} elements, is killed (SIGKILL)"
        ))?;
        self.killed = Some(index);
        self.model.registrars.killed(index, self.began.elapsed());
        Ok(self
            .children
            .signal(Role::Registrar(index), Signal::SIGKILL)?)
    }

    /// Where it was before, so that clients and peers find it again.
    fn return_home(&mut self) -> Outcome {
        let Some(index) = self.killed.take() else {
            return Ok(());
        };
        let address = &self.model.registrars.all[index].as_peer;
        let address = RegistrarAddress::parse_peer(address).context("it had no address")?;
        let udp_port = address.udp_port.unwrap_or(SCTP_UDP_PORT);
        self.event("the registrar is started again")?;
        self.start_registrar(index, &udp_port.to_string())
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
