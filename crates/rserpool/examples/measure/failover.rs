//! `cargo xtask failover`: the home registrar of pool elements is killed, or hangs.

use crate::child::Child;
use crate::options::{Options, Preset};
use crate::registrar::{Registrar, Site, all_of};
use crate::scope::{self, PATIENCE, lives, report, views, wait};
use crate::table::{Goal, Table};
use crate::view::{Element, View, all_agree, doubled};
use crate::{Failure, milliseconds, now};
use nix::sys::signal::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::Duration;

/// How often survivors are asked what they know.
const LOOK: Duration = Duration::from_millis(25);
/// How long users resolve before anything happens.
const BASELINE: Duration = Duration::from_secs(2);

struct Plan {
    registrars: usize,
    preset: Preset,
    elements: u32,
    spread: bool,
    users: String,
    rate: String,
    hang: Option<Duration>,
}

pub(crate) fn run(arguments: &[String]) -> Result<bool, Failure> {
    let values = [
        "registrars",
        "preset",
        "elements",
        "homes",
        "rounds",
        "users",
        "rate",
        "seconds",
    ];
    let options = Options::parse(arguments, &values, &["hang", "strict", "json"])?;
    let seconds = Duration::from_secs(options.number("seconds", 30)?.into());
    let plan = Plan {
        registrars: usize::try_from(options.number("registrars", 3)?)?.clamp(2, 9),
        preset: options.preset()?,
        elements: options.number("elements", 1_000)?.max(1),
        spread: options.text("homes", "one") == "spread",
        users: options.number("users", 32)?.to_string(),
        rate: options.number("rate", 1_000)?.to_string(),
        hang: options.has("hang").then_some(seconds),
    };
    let is_long = plan.preset == Preset::Rfc || plan.hang.is_some();
    let rounds = options.number("rounds", if is_long { 1 } else { 5 })?;
    let mut table = Table::default();
    for number in 1..=rounds.max(1) {
        eprintln!("round {number} of {rounds}");
        Round::begin(&plan)?.measure(&mut table)?;
    }
    let title = plan.title(rounds);
    if options.has("json") {
        table.print_json(&title);
    } else {
        table.print(&title);
    }
    Ok(table.passes(options.has("strict")))
}

impl Plan {
    fn title(&self, rounds: u32) -> String {
        let fault = if self.hang.is_some() {
            "stopped"
        } else {
            "killed"
        };
        let homes = if self.spread { "spread" } else { "at one home" };
        format!(
            "The home registrar is {fault}: {} registrars, {} pool elements {homes}, preset {}, \
             rounds: {rounds}",
            self.registrars,
            self.elements,
            self.preset.name()
        )
    }
}

/// One scope, from its begin to its end.
struct Round<'a> {
    plan: &'a Plan,
    sites: Vec<Site>,
    registrars: Vec<Registrar>,
    elements: Child,
    users: Child,
    truth: BTreeSet<Element>,
}

impl<'a> Round<'a> {
    fn begin(plan: &'a Plan) -> Result<Self, Failure> {
        let sites = (0..plan.registrars).map(|_| Site::on_loopback());
        let sites = sites.collect::<Result<Vec<_>, _>>()?;
        let (known, count) = (all_of(&sites), plan.elements.to_string());
        let mut registrars = Vec::new();
        let at_first = if plan.spread { plan.registrars } else { 1 };
        let start = |own| Registrar::start(&sites, own, plan.preset, &[]);
        for own in 0..at_first {
            registrars.push(start(own)?);
        }
        for registrar in &registrars {
            registrar.initialized(PATIENCE)?;
        }
        let preset = plan.preset.name();
        let pools = ("pools", "10");
        let common = [("registrars", known.as_str()), ("preset", preset), pools];
        let told = [&common[..], &[("count", &count)]].concat();
        let elements = Child::role("elements", &told, None)?;
        elements.answer("ready", PATIENCE)?;
        for own in at_first..plan.registrars {
            registrars.push(start(own)?);
        }
        let truth: BTreeSet<Element> = lives(&elements).into_keys().collect();
        scope::wait_for_agreement(&registrars, truth.len())?;
        let told = [&common[..], &[("count", &plan.users), ("rate", &plan.rate)]].concat();
        let users = Child::role("users", &told, None)?;
        users.answer("ready", PATIENCE)?;
        sleep(BASELINE);
        Ok(Self {
            plan,
            sites,
            registrars,
            elements,
            users,
            truth,
        })
    }

    fn measure(mut self, table: &mut Table) -> Result<(), Failure> {
        let victim = self.take_the_busiest()?;
        match self.plan.hang {
            None => self.kill(victim, table),
            Some(duration) => self.hang(victim, duration, table),
        }
    }

    /// The registrar that is home of most pool elements; the others stay in the list.
    fn take_the_busiest(&mut self) -> Result<Registrar, Failure> {
        let mut owned = Vec::new();
        for registrar in &self.registrars {
            let view = registrar.view()?;
            let own = |home: &&String| **home == view.registrar;
            owned.push(view.elements.values().filter(own).count());
        }
        let most = (0..owned.len()).max_by_key(|index| owned[*index]);
        Ok(self.registrars.remove(most.unwrap_or_default()))
    }

    fn kill(mut self, mut victim: Registrar, table: &mut Table) -> Result<(), Failure> {
        let port = victim.site.udp_port;
        let before = self.homes_at(port, now());
        let killed_at = now();
        victim.child.kill()?;
        drop(victim);
        self.elements.tell("new")?;
        let lost = self.watch_survivors(killed_at, table)?;
        self.tell_registrations(&before, killed_at, table)?;
        sleep(Duration::from_secs(1));
        self.tell_users(killed_at, port, table)?;
        self.start_again(port, table)?;
        let views = scope::wait_for_agreement(&self.registrars, self.truth.len());
        self.tell_losses(&lost, views.is_err(), table)
    }

    fn hang(
        mut self,
        victim: Registrar,
        duration: Duration,
        table: &mut Table,
    ) -> Result<(), Failure> {
        let port = victim.site.udp_port;
        let before = self.homes_at(port, now());
        let won_by_victim = victim.view()?.takeovers_won;
        let stopped_at = now();
        victim.child.signal(Signal::SIGSTOP)?;
        self.elements.tell("new")?;
        let lost = self.watch_survivors(stopped_at, table)?;
        self.tell_registrations(&before, stopped_at, table)?;
        let so_far = Duration::from_micros(now() - stopped_at);
        sleep(duration.saturating_sub(so_far));
        let won_before = takeovers(&views(&self.registrars)?) + won_by_victim;
        victim.child.signal(Signal::SIGCONT)?;
        let continued_at = now();
        self.registrars.push(victim);
        let views = scope::wait_for_agreement(&self.registrars, self.truth.len());
        let cycle = self.plan.preset.heartbeat_cycle();
        table.time(
            "goes on: all agree again after",
            Goal::None,
            milliseconds(continued_at, now()),
        );
        // A war would go on.
        sleep(cycle * 3 + self.plan.preset.detection());
        self.tell_users(stopped_at, port, table)?;
        let after = scope::views(&self.registrars)?;
        let won = takeovers(&after).saturating_sub(won_before);
        if won > 0 {
            after.iter().for_each(|view| eprintln!("{view}"));
        }
        table.never("takeovers after it goes on", usize::try_from(won)?);
        table.never(
            "registrars that disagree at the end",
            usize::from(!all_agree(&after)),
        );
        self.tell_losses(&lost, views.is_err(), table)
    }

    /// Watches the survivors until they own all pool elements. How many were ever missing.
    fn watch_survivors(&self, from: u64, table: &mut Table) -> Result<BTreeSet<Element>, Failure> {
        let survivors: Vec<&str> = self.registrars.iter().map(|r| r.id.as_str()).collect();
        let (mut detected, mut missing) = (None, BTreeSet::new());
        let within = self.plan.preset.detection() + PATIENCE;
        let owned = wait("the survivors own all pool elements", within, LOOK, || {
            let views = views(&self.registrars)?;
            let at = now();
            let strangers = |view: &View| {
                let others = view.peers.iter().filter(|peer| peer.status == "active");
                let mut others = others.filter_map(|peer| peer.registrar.as_deref());
                others.any(|other| !survivors.contains(&other))
            };
            if detected.is_none() && !views.iter().any(strangers) {
                detected = Some(at);
            }
            for view in &views {
                let gone = self
                    .truth
                    .iter()
                    .filter(|e| !view.elements.contains_key(*e));
                if missing.is_empty() && view.missing(&self.truth) > 0 {
                    let after = milliseconds(from, at);
                    eprintln!("after {after:.0} ms pool elements are missing; {view}");
                }
                missing.extend(gone.cloned());
            }
            let is_owned = |view: &View| {
                let mut known = self.truth.iter().map(|e| view.elements.get(e));
                known.all(|home| home.is_some_and(|home| survivors.contains(&home.as_str())))
            };
            Ok((detected.is_some() && views.iter().all(is_owned)).then_some(at))
        })?;
        if !missing.is_empty() {
            views(&self.registrars)?
                .iter()
                .for_each(|view| eprintln!("{view}"));
        }
        let detected = detected.unwrap_or(owned);
        table.time(
            "a survivor knows that it is gone",
            Goal::None,
            milliseconds(from, detected),
        );
        table.time(
            "all pool elements have a survivor as home",
            Goal::None,
            milliseconds(from, owned),
        );
        let (what, goal) = ("... after it was known", self.goal(1_000, 200));
        table.time(what, goal, milliseconds(detected, owned));
        Ok(missing)
    }

    /// The registrations of those whose home the lost one was, and of a new pool element.
    fn tell_registrations(
        &self,
        before: &BTreeSet<Element>,
        from: u64,
        table: &mut Table,
    ) -> Result<(), Failure> {
        let goal = self.goal_if_killed();
        let what = "all of them have registered again";
        let within = self.plan.preset.detection() + PATIENCE;
        let again = wait(what, within, LOOK, || {
            let homes = self.homes_since(from);
            Ok(before
                .iter()
                .all(|e| homes.contains_key(e))
                .then_some(homes))
        })?;
        let mut times: Vec<u64> = before
            .iter()
            .filter_map(|e| again.get(e))
            .copied()
            .collect();
        times.sort_unstable();
        let at = |index: usize| {
            times
                .get(index)
                .map_or(0.0, |time| milliseconds(from, *time))
        };
        table.time("re-registered: the first", Goal::None, at(0));
        table.time("re-registered: the median", Goal::None, at(times.len() / 2));
        table.time(
            "re-registered: the last",
            goal,
            at(times.len().saturating_sub(1)),
        );
        let line = self.elements.answer("new ", PATIENCE)?;
        let ended = line.split(' ').nth(2).and_then(|time| time.parse().ok());
        let ended = ended.ok_or_else(|| line.clone())?;
        table.time(
            "a new pool element has registered",
            goal,
            milliseconds(from, ended),
        );
        Ok(())
    }

    fn tell_users(&mut self, from: u64, port: u16, table: &mut Table) -> Result<(), Failure> {
        let seen = report(&mut self.users, (from, now()), port)?;
        let goal = self.goal_if_killed();
        let affected = u32::try_from(seen.affected)?;
        table.add(
            "users whose home it was",
            "",
            Goal::None,
            f64::from(affected),
        );
        table.time(
            "served again: the first of them",
            Goal::None,
            seen.first_again_ms,
        );
        table.time("served again: the last of them", goal, seen.last_again_ms);
        table.time("the longest resolution of any user", goal, seen.worst_ms);
        table.time("the median resolution", Goal::None, seen.p50_ms);
        let count = u32::try_from(seen.count)?;
        table.add("resolutions", "", Goal::None, f64::from(count));
        table.never("resolutions that failed", seen.failed);
        Ok(())
    }

    /// The registrar that was killed comes back at the same address, as another.
    fn start_again(&mut self, port: u16, table: &mut Table) -> Result<(), Failure> {
        let own = self.sites.iter().position(|site| site.udp_port == port);
        let own = own.ok_or("no such site")?;
        let again = Registrar::start(&self.sites, own, self.plan.preset, &[])?;
        let initialized = again.initialized(PATIENCE)?;
        let from = again.started_at;
        let what = "started again: says that it has all";
        table.time(what, Goal::None, milliseconds(from, initialized));
        let complete = wait("it knows all", PATIENCE, LOOK, || {
            let view = again.view()?;
            Ok((view.missing(&self.truth) == 0).then(now))
        })?;
        table.time(
            "started again: has all",
            Goal::None,
            milliseconds(from, complete),
        );
        self.registrars.push(again);
        Ok(())
    }

    fn tell_losses(
        &self,
        ever_missing: &BTreeSet<Element>,
        disagree: bool,
        table: &mut Table,
    ) -> Result<(), Failure> {
        let views = views(&self.registrars)?;
        let lost = views.iter().map(|view| view.missing(&self.truth)).max();
        let known: BTreeMap<_, _> = views.iter().flat_map(|view| &view.elements).collect();
        let strange = known.keys().filter(|e| !self.truth.contains(**e)).count();
        table.never(
            "pool elements ever missing at a survivor",
            ever_missing.len(),
        );
        table.never("pool elements lost", lost.unwrap_or_default());
        table.never(
            "pool elements doubled, or dead and still there",
            doubled(&views) + strange,
        );
        table.never(
            "rounds that did not end in agreement",
            usize::from(disagree),
        );
        Ok(())
    }

    /// Pool elements that are registered at the registrar of this UDP port.
    fn homes_at(&self, port: u16, until: u64) -> BTreeSet<Element> {
        let mut homes = BTreeMap::new();
        for (element, home, at) in self.homes() {
            if at <= until {
                homes.insert(element, home);
            }
        }
        homes.retain(|_, home| *home == port);
        homes.into_keys().collect()
    }

    /// When pool elements first were registered again after this time.
    fn homes_since(&self, from: u64) -> BTreeMap<Element, u64> {
        let mut since = BTreeMap::new();
        for (element, _, at) in self.homes() {
            if at > from {
                since.entry(element).or_insert(at);
            }
        }
        since
    }

    fn homes(&self) -> Vec<(Element, u16, u64)> {
        let lines = self.elements.journal();
        let homes = lines.iter().filter_map(|line| {
            let mut words = line.strip_prefix("h ")?.split(' ');
            let element = (words.next()?.to_owned(), words.next()?.to_owned());
            Some((
                element,
                words.next()?.parse().ok()?,
                words.next()?.parse().ok()?,
            ))
        });
        homes.collect()
    }

    /// goals.md of `default` and `fast`; the RFC's own timers have none.
    fn goal(&self, default: u32, fast: u32) -> Goal {
        match self.plan.preset {
            Preset::Default => Goal::AtMost(default),
            Preset::Fast => Goal::AtMost(fast),
            Preset::Rfc => Goal::None,
        }
    }

    /// A registrar that hangs must first be noticed; one that is killed is noticed at once.
    fn goal_if_killed(&self) -> Goal {
        if self.plan.hang.is_some() {
            return Goal::None;
        }
        self.goal(1_500, 300)
    }
}

fn takeovers(views: &[View]) -> u64 {
    views.iter().map(|view| view.takeovers_won).sum()
}
