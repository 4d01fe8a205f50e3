//! `cargo xtask partition`: the network is cut between two registrars and a third, and healed.

use crate::child::Child;
use crate::namespace::Namespace;
use crate::options::{Options, Preset};
use crate::registrar::{Registrar, Site, all_of};
use crate::scope::{Life, PATIENCE, lives, report, views, wait};
use crate::table::{Goal, Table};
use crate::view::{Element, View, all_agree, doubled};
use crate::{Failure, milliseconds, now};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// On which side each registrar is.
const SIDES: [usize; 3] = [0, 0, 1];
/// In which namespace the pool elements and the pool users of each side are.
const PLACES: [usize; 2] = [0, 2];
/// How long things change before the cut.
const BEFORE: Duration = Duration::from_secs(3);
/// How often the registrars are asked what they know.
const LOOK: Duration = Duration::from_millis(200);
/// How long a registration may take to be known at all registrars of its side, in microseconds.
const GRACE: u64 = 1_000_000;
/// How often some are killed, and how many.
const KILL_EVERY: Duration = Duration::from_secs(2);
const KILLED_AT_ONCE: &str = "3";

pub(crate) fn run(arguments: &[String]) -> Result<bool, Failure> {
    let values = ["seconds", "preset", "elements", "churn"];
    let options = Options::parse(arguments, &values, &["require", "strict", "json"])?;
    let network = match Network::new() {
        Ok(network) => network,
        Err(failure) => {
            println!("SKIPPED: no network namespaces here (root and `ip` are needed): {failure}");
            return Ok(!options.has("require"));
        }
    };
    let preset = options.preset()?;
    let seconds = options.number("seconds", 60)?;
    let mut table = Table::default();
    let scope = Scope::begin(network, preset, &options)?;
    scope.measure(Duration::from_secs(seconds.into()), &mut table)?;
    let title = format!(
        "Partition 2 | 1 for {seconds} s by link down, preset {}",
        preset.name()
    );
    if options.has("json") {
        table.print_json(&title);
    } else {
        table.print(&title);
    }
    Ok(table.passes(options.has("strict")))
}

/// A bridge, and a namespace for each registrar.
struct Network {
    bridge: Namespace,
    nodes: Vec<Arc<Namespace>>,
}

impl Network {
    fn new() -> Result<Self, Failure> {
        let bridge = Namespace::new()?;
        bridge.ip("link add bridge type bridge")?;
        bridge.ip("link set bridge up")?;
        let mut nodes = Vec::new();
        for number in 0..SIDES.len() {
            let node = Namespace::new()?;
            let (path, address) = (node.path(), address(number)?);
            bridge.ip(&format!(
                "link add port{number} type veth peer name eth0 netns {path}"
            ))?;
            bridge.ip(&format!("link set port{number} master bridge up"))?;
            node.ip(&format!("address add {address}/24 dev eth0"))?;
            node.ip("link set eth0 up")?;
            nodes.push(Arc::new(node));
        }
        Ok(Self { bridge, nodes })
    }

    /// The link to side B.
    fn set_link(&self, state: &str) -> Result<(), Failure> {
        self.bridge.ip(&format!("link set port2 {state}"))
    }
}

fn address(number: usize) -> Result<IpAddr, Failure> {
    let last = u8::try_from(number + 1)?;
    Ok(Ipv4Addr::new(10, 99, 0, last).into())
}

/// Registrars, pool elements and pool users on both sides.
struct Scope {
    network: Network,
    preset: Preset,
    known: String,
    registrars: Vec<Registrar>,
    /// One for each side, as all of these.
    elements: Vec<Child>,
    users: Vec<Child>,
    mortals: Vec<Child>,
    /// Those that were killed, of each side.
    killed: Vec<BTreeMap<Element, Life>>,
    last_killed: Instant,
}

impl Scope {
    fn begin(network: Network, preset: Preset, options: &Options) -> Result<Self, Failure> {
        let sites = network.nodes.iter().enumerate().map(|(number, node)| {
            Ok(Site {
                address: address(number)?,
                udp_port: 9_899,
                namespace: Some(Arc::clone(node)),
            })
        });
        let sites = sites.collect::<Result<Vec<_>, Failure>>()?;
        let registrars = (0..sites.len()).map(|own| Registrar::start(&sites, own, preset, &[]));
        let registrars = registrars.collect::<Result<Vec<_>, _>>()?;
        for registrar in &registrars {
            registrar.initialized(PATIENCE)?;
        }
        let mut scope = Self {
            network,
            preset,
            known: all_of(&sites),
            registrars,
            elements: Vec::new(),
            users: Vec::new(),
            mortals: Vec::new(),
            killed: vec![BTreeMap::new(); PLACES.len()],
            last_killed: Instant::now(),
        };
        let count = options.number("elements", 30)?.max(1).to_string();
        let churn = options.number("churn", 5)?.to_string();
        for side in 0..PLACES.len() {
            let told = [("count", count.as_str()), ("churn", &churn), ("pools", "2")];
            scope.elements.push(scope.role("elements", side, &told)?);
            scope.mortals.push(scope.mortal(side)?);
        }
        for side in 0..PLACES.len() {
            let told = [("count", "8"), ("rate", "100"), ("pools", "2")];
            scope.users.push(scope.role("users", side, &told)?);
        }
        Ok(scope)
    }

    fn role(&self, role: &str, side: usize, further: &[(&str, &str)]) -> Result<Child, Failure> {
        let place = PLACES[side];
        let address = address(place)?.to_string();
        let common = [
            ("registrars", self.known.as_str()),
            ("address", &address),
            ("preset", self.preset.name()),
        ];
        let told = [&common[..], further].concat();
        let child = Child::role(role, &told, Some(&self.network.nodes[place]))?;
        child.answer("ready", PATIENCE)?;
        Ok(child)
    }

    fn mortal(&self, side: usize) -> Result<Child, Failure> {
        self.role(
            "elements",
            side,
            &[("count", KILLED_AT_ONCE), ("pool", "mortal")],
        )
    }

    fn measure(mut self, duration: Duration, table: &mut Table) -> Result<(), Failure> {
        let mut missing = BTreeSet::new();
        let begin = now();
        self.change_for(BEFORE, &mut missing)?;
        let cut_at = now();
        self.network.set_link("down")?;
        self.change_for(duration, &mut missing)?;
        for elements in &mut self.elements {
            elements.tell("calm")?;
        }
        for elements in &self.elements {
            elements.answer("calm", PATIENCE)?;
        }
        let dead = self.killed.iter().map(BTreeMap::len).sum::<usize>();
        let (changed, living) = (self.changes(), self.living(now()));
        self.network.set_link("up")?;
        let healed_at = now();
        self.watch_healing(healed_at, &mut missing, table)?;
        for (users, side) in self.users.iter_mut().zip(["A", "B"]) {
            let name = format!("resolutions on side {side}");
            let seen = report(users, (begin, now()), 0)?;
            let during = report(users, (cut_at, healed_at), 0)?;
            let count = u32::try_from(seen.count)?;
            table.add(&name, "", Goal::None, f64::from(count));
            table.time(&format!("{name}: the longest"), Goal::None, seen.worst_ms);
            table.time(
                &format!("{name}: the median while cut"),
                Goal::None,
                during.p50_ms,
            );
            table.never(&format!("{name}: failed"), seen.failed);
        }
        for (what, count) in [
            ("pool elements that live at the end", living.concat().len()),
            ("registrations and deregistrations on the way", changed),
            ("pool elements killed on the way", dead),
        ] {
            table.add(what, "", Goal::None, f64::from(u32::try_from(count)?));
        }
        table.never(
            "live ones ever missing at a registrar of their side",
            missing.len(),
        );
        Ok(())
    }

    /// Lets things change for a while, and looks whether somebody is missing on its own side.
    fn change_for(
        &mut self,
        duration: Duration,
        missing: &mut BTreeSet<Element>,
    ) -> Result<(), Failure> {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            self.look(missing)?;
            if self.last_killed.elapsed() >= KILL_EVERY {
                self.last_killed = Instant::now();
                self.kill_some()?;
            }
            sleep(LOOK);
        }
        Ok(())
    }

    /// Kills some on each side; others come for them.
    fn kill_some(&mut self) -> Result<(), Failure> {
        for side in 0..PLACES.len() {
            let successor = self.mortal(side)?;
            let mut mortal = std::mem::replace(&mut self.mortals[side], successor);
            let at = now();
            mortal.kill()?;
            for (element, life) in lives(&mortal) {
                let life = Life {
                    to: Some(at),
                    ..life
                };
                self.killed[side].insert(element, life);
            }
        }
        Ok(())
    }

    /// Asks every registrar, and notes who of its side is alive and missing.
    fn look(&self, missing: &mut BTreeSet<Element>) -> Result<Vec<View>, Failure> {
        let before = now();
        let views = views(&self.registrars)?;
        let living = self.living(before);
        for (view, side) in views.iter().zip(SIDES) {
            for element in &living[side] {
                if !view.elements.contains_key(element) && missing.insert(element.clone()) {
                    let (pool, id) = element;
                    eprintln!(
                        "{pool} {id} of side {side} is missing at {}",
                        view.registrar
                    );
                }
            }
        }
        Ok(views)
    }

    /// Those of each side that were registered for a while before and have not left until now.
    fn living(&self, before: u64) -> Vec<Vec<Element>> {
        let sides = self.elements.iter().zip(&self.mortals);
        let sides = sides.map(|(elements, mortals)| {
            let all = lives(elements).into_iter().chain(lives(mortals));
            let alive = all.filter(|(_, life)| life.to.is_none() && life.from + GRACE <= before);
            alive.map(|(element, _)| element).collect()
        });
        sides.collect()
    }

    /// Registrations and deregistrations, those of the killed too.
    fn changes(&self) -> usize {
        let of = |child: &Child| {
            let lives = lives(child).into_values();
            lives
                .map(|life| 1 + usize::from(life.to.is_some()))
                .sum::<usize>()
        };
        let all = self.elements.iter().chain(&self.mortals).map(of);
        all.sum::<usize>() + self.killed.iter().map(BTreeMap::len).sum::<usize>()
    }

    fn watch_healing(
        &self,
        healed_at: u64,
        missing: &mut BTreeSet<Element>,
        table: &mut Table,
    ) -> Result<(), Failure> {
        let cycle = self.preset.heartbeat_cycle();
        let living = self.living(u64::MAX).concat();
        let within = self.preset.detection() * 3 + PATIENCE;
        let (mut known_at, mut missing_again) = (None, BTreeSet::new());
        let mut watch = |views: &[View]| {
            let gone = |e: &&Element| views.iter().any(|view| !view.elements.contains_key(*e));
            let gone: Vec<_> = living.iter().filter(gone).cloned().collect();
            match known_at {
                None if gone.is_empty() => known_at = Some(now()),
                None => {}
                Some(_) => missing_again.extend(gone),
            }
        };
        let agreed_at = wait("equal checksums", within, LOOK / 4, || {
            let views = self.look(missing)?;
            watch(&views);
            Ok(all_agree(&views).then(now))
        });
        let end = Instant::now() + cycle * 2 + self.preset.detection();
        while Instant::now() < end {
            watch(&self.look(missing)?);
            sleep(LOOK / 4);
        }
        let goal = Goal::AtMost(u32::try_from(cycle.as_millis() * 2)?);
        let known_at = known_at.unwrap_or_else(now);
        let what = "healed: every live pool element is known everywhere";
        table.time(what, goal, milliseconds(healed_at, known_at));
        let agreed = *agreed_at.as_ref().unwrap_or(&now());
        table.time(
            "healed: equal checksums",
            goal,
            milliseconds(healed_at, agreed),
        );
        let views = views(&self.registrars)?;
        if agreed_at.is_err() || !all_agree(&views) {
            views.iter().for_each(|view| eprintln!("{view}"));
        }
        table.never(
            "registrars that disagree at the end",
            usize::from(!all_agree(&views)),
        );
        table.never(
            "live pool elements known everywhere and missing again",
            missing_again.len(),
        );
        let lost = views.iter().map(|view| view.missing(&living)).max();
        table.never(
            "live pool elements missing at the end",
            lost.unwrap_or_default(),
        );
        let living: BTreeSet<_> = living.iter().collect();
        let known: BTreeSet<_> = views.iter().flat_map(|view| view.elements.keys()).collect();
        table.never(
            "dead pool elements still known at the end",
            known.difference(&living).count(),
        );
        table.never("pool elements doubled", doubled(&views));
        Ok(())
    }
}
