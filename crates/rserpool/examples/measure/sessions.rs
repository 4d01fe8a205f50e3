//! `cargo xtask sessions`: the pool elements of sessions are killed, or drained, one after the
//! other.

use crate::child::Child;
use crate::counting::Report;
use crate::options::{Options, Preset};
use crate::registrar::{Registrar, Site, all_of};
use crate::scope::PATIENCE;
use crate::table::{Goal, Table};
use crate::{Failure, milliseconds, now};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

/// How long sessions get on between two kills, at least; not in step with their requests.
const CALM: Duration = Duration::from_millis(30);
/// And how much longer at most.
const CALM_MORE_MS: u64 = 70;

/// What is done.
struct Plan {
    end: End,
    ends: u32,
    elements: u32,
    sessions: u32,
    interval: u32,
    pause: String,
    /// For so long sessions may go on.
    drain: String,
    preset: Preset,
}

/// How a pool element ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Kill,
    Drain,
}

pub(crate) fn run(arguments: &[String]) -> Result<bool, Failure> {
    let values = [
        "kills", "drains", "drain-ms", "elements", "sessions", "interval", "pause-ms", "preset",
    ];
    let options = Options::parse(arguments, &values, &["strict", "json"])?;
    let end = match options.number("drains", 0)? {
        0 => (End::Kill, options.number("kills", 500)?.max(1)),
        drains => (End::Drain, drains),
    };
    let plan = Plan {
        end: end.0,
        ends: end.1,
        drain: options.number("drain-ms", 50)?.to_string(),
        elements: options.number("elements", 3)?.max(1),
        sessions: options.number("sessions", 24)?.max(1),
        interval: options.number("interval", 10)?.max(1),
        pause: options.number("pause-ms", 20)?.to_string(),
        preset: options.preset()?,
    };
    let mut scope = Scope::begin(&plan)?;
    let mut ended = BTreeMap::new();
    for number in 1..=plan.ends {
        if number % 100 == 0 {
            eprintln!("{number} of {}", plan.ends);
        }
        let (id, at) = scope.end_the_busiest(plan.end)?;
        ended.insert(id, at);
    }
    let mut table = Table::default();
    scope.tell(&plan, &ended, &mut table)?;
    if options.has("json") {
        table.print_json(&plan.title());
    } else {
        table.print(&plan.title());
    }
    Ok(table.passes(options.has("strict")))
}

impl Plan {
    fn title(&self) -> String {
        let how = match self.end {
            End::Kill => "killed",
            End::Drain => "drained",
        };
        format!(
            "The pool element that serves most sessions is {how}, {} times: {} pool elements, \
             {} sessions, a cookie every {} requests, preset {}",
            self.ends,
            self.elements,
            self.sessions,
            self.interval,
            self.preset.name()
        )
    }
}

/// All processes.
struct Scope {
    /// What a pool element is told.
    told: Vec<(&'static str, String)>,
    elements: BTreeMap<String, Child>,
    users: Child,
    _registrar: Registrar,
}

impl Scope {
    fn begin(plan: &Plan) -> Result<Self, Failure> {
        let sites = [Site::on_loopback()?];
        let registrar = Registrar::start(&sites, 0, plan.preset, &[])?;
        registrar.initialized(PATIENCE)?;
        let common = vec![
            ("registrars", all_of(&sites)),
            ("preset", plan.preset.name().to_owned()),
        ];
        let mut told = common.clone();
        // Whoever can see it here is on this machine, where nothing is secret about it.
        let key = format!("{:016x}", now()).repeat(4);
        told.extend([("key", key), ("interval", plan.interval.to_string())]);
        told.push(("drain-ms", plan.drain.clone()));
        let mut elements = BTreeMap::new();
        for _ in 0..plan.elements {
            let (id, element) = start_element(&told)?;
            elements.insert(id, element);
        }
        let (count, pause) = (plan.sessions.to_string(), plan.pause.clone());
        let asked = [common, vec![("count", count), ("pause-ms", pause)]].concat();
        let users = Child::role("counting", &borrowed(&asked), None)?;
        users.answer("ready", PATIENCE)?;
        Ok(Self {
            told,
            elements,
            users,
            _registrar: registrar,
        })
    }

    /// Ends the pool element that serves most sessions, and waits until they are with others. One
    /// that is drained is replaced first, as one would: a new release, say.
    fn end_the_busiest(&mut self, end: End) -> Result<(String, u64), Failure> {
        sleep(CALM + Duration::from_millis(now() / 7 % CALM_MORE_MS));
        self.users.tell("where")?;
        let line = self.users.answer("where ", PATIENCE)?;
        let places: BTreeMap<String, u32> =
            serde_json::from_str(line.trim_start_matches("where "))?;
        let busiest = places.into_iter().max_by_key(|(_, sessions)| *sessions);
        let (id, _) = busiest.ok_or("no session is left")?;
        let mut victim = self.elements.remove(&id).ok_or("an unknown pool element")?;
        let at = match end {
            End::Kill => {
                let at = now();
                victim.kill()?;
                self.start_element()?;
                at
            }
            End::Drain => {
                self.start_element()?;
                let at = now();
                victim.signal(Signal::SIGTERM)?;
                at
            }
        };
        self.users.tell(&format!("without {id}"))?;
        self.users.answer("without", 2 * PATIENCE)?;
        if end == End::Drain {
            victim.ended(PATIENCE)?;
        }
        Ok((id, at))
    }

    fn start_element(&mut self) -> Result<(), Failure> {
        let (id, element) = start_element(&self.told)?;
        self.elements.insert(id, element);
        Ok(())
    }

    fn tell(
        &mut self,
        plan: &Plan,
        ended: &BTreeMap<String, u64>,
        table: &mut Table,
    ) -> Result<(), Failure> {
        self.users.tell("report")?;
        let line = self.users.answer("report ", PATIENCE)?;
        let report: Report = serde_json::from_str(line.trim_start_matches("report "))?;
        let failovers = self.failovers()?;
        let interval = u64::from(plan.interval);
        let beyond = failovers.iter().filter(|one| one.repeated > interval);
        let what = match plan.end {
            End::Kill => "kills",
            End::Drain => "drained",
        };
        table.add(what, "", Goal::None, plan.ends.into());
        table.add("sessions", "", Goal::None, plan.sessions.into());
        table.never("sessions lost", report.lost);
        let answered = u32::try_from(report.answered)?;
        table.add("requests answered", "", Goal::None, answered.into());
        table.never("requests left out or counted twice", report.wrong);
        let count = u32::try_from(failovers.len())?;
        table.add("failovers", "", Goal::None, count.into());
        table.never("failovers that repeat more", beyond.count());
        for one in &failovers {
            let repeated = u32::try_from(one.repeated)?;
            let goal = Goal::AtMost(plan.interval);
            table.add("requests repeated in one", "", goal, repeated.into());
        }
        tell_gaps(&failovers, ended, table)
    }

    fn failovers(&self) -> Result<Vec<Failover>, Failure> {
        let journal = self.users.journal();
        let read = journal.iter().filter_map(|line| line.strip_prefix("f "));
        read.map(Failover::read).collect()
    }
}

fn start_element(told: &[(&'static str, String)]) -> Result<(String, Child), Failure> {
    let element = Child::role("counter", &borrowed(told), None)?;
    let line = element.answer("ready ", PATIENCE)?;
    Ok((line.trim_start_matches("ready ").to_owned(), element))
}

fn borrowed<'a>(told: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    let each = told.iter().map(|(name, value)| (*name, value.as_str()));
    each.collect()
}

/// What a session has told of a failover.
struct Failover {
    from: String,
    /// From noticing it to being with another pool element, as the session says.
    gap_ms: f64,
    /// When something new was answered.
    at: u64,
    repeated: u64,
}

impl Failover {
    fn read(line: &str) -> Result<Self, Failure> {
        let [from, gap, at, repeated] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("no failover: {line}").into());
        };
        Ok(Self {
            from: from.to_owned(),
            gap_ms: milliseconds(0, gap.parse()?),
            at: at.parse()?,
            repeated: repeated.parse()?,
        })
    }
}

fn tell_gaps(
    failovers: &[Failover],
    ended: &BTreeMap<String, u64>,
    table: &mut Table,
) -> Result<(), Failure> {
    let (mut whole, mut own) = (Vec::new(), Vec::new());
    for failover in failovers {
        let at = ended.get(&failover.from);
        let at = at.ok_or("a failover from a pool element that did not end")?;
        whole.push(milliseconds(*at, failover.at));
        own.push(failover.gap_ms);
    }
    let goal = Goal::AtMost(1_000);
    tell_times("gap, from the end to a new answer", goal, &whole, table);
    let what = "of it, from noticing to another element";
    tell_times(what, Goal::None, &own, table);
    Ok(())
}

fn tell_times(what: &str, goal: Goal, times: &[f64], table: &mut Table) {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    for time in times {
        table.time(what, goal, *time);
    }
    if let Some(p99) = sorted.get((sorted.len() * 99).div_ceil(100).saturating_sub(1)) {
        table.time(&format!("{what}, p99"), goal, *p99);
    }
}
