//! The home of all elements is killed, or its link is cut and mended: they stay resolvable.

use super::{Run, Scenario, every};
use crate::interop::Failure;
use crate::interop::network::Node;
use crate::interop::side::{Element, Listing, Part, Registrar};
use std::time::{Duration, Instant};

pub(super) const KILLED: Scenario = Scenario {
    id: "4-kill",
    name: "takeover: the home registrar is killed",
    roles: &["home", "others", "elements"],
    casts: || every(3),
    judge: Some(1),
    paths: 1,
    play: |run| play(run, Accident::Kill),
};

pub(super) const CUT: Scenario = Scenario {
    id: "4-cut",
    name: "partition: the home registrar's link is cut and mended",
    roles: &["home", "others", "elements"],
    casts: || every(3),
    judge: Some(1),
    paths: 1,
    play: |run| play(run, Accident::Cut),
};

const POOL: &str = "EchoPool";
/// How long an adoption may take: rsplib's takes 9 s, and its elements renew every 5 s here.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a link that was cut is watched once it is whole: what was queued arrives then.
const WATCH: Duration = Duration::from_secs(8);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Accident {
    Kill,
    Cut,
}

fn play(run: &Run, accident: Accident) -> Result<String, Failure> {
    let [home, others, side] = run.cast()?;
    let asker = run.node("asker", run.stage.asker())?;
    let nodes = [
        run.node("r1", home)?,
        run.node("r2", others)?,
        run.node("r3", others)?,
    ];
    let (one, two, three) = (&nodes[0], &nodes[1], &nodes[2]);
    let stage = &run.stage;
    let mut home = Registrar::start(home, one, &[two, three], &[], stage)?;
    let second = Registrar::start(others, two, &[one, three], &[], stage)?;
    let third = Registrar::start(others, three, &[one, two], &[], stage)?;
    [&home, &second, &third]
        .iter()
        .try_for_each(|registrar| registrar.ready())?;
    let mut elements = Vec::new();
    for id in [1_u32, 2] {
        let node = run.node(&format!("e{id}"), side)?;
        let part = Part::echo(POOL, id);
        // They find the others by what these send when they adopt them.
        elements.push(Element::start(side, &node, &part, &[&home], stage)?);
    }
    elements.iter().try_for_each(Element::ready)?;
    let watcher = Watcher {
        asker: &asker,
        survivors: [&second, &third],
        count: elements.len(),
    };
    let old = watcher.until_known()?;
    match accident {
        Accident::Kill => home.program.kill(),
        Accident::Cut => one.cut(1)?,
    }
    let adoption = watcher.until_adopted(&old)?;
    let mut said = format!(
        "adopted after {:.1} s, always resolvable",
        adoption.as_secs_f64()
    );
    if accident == Accident::Cut {
        one.heal(1)?;
        let start = Instant::now();
        while start.elapsed() < WATCH {
            watcher.listing()?;
            std::thread::sleep(Duration::from_millis(200));
        }
        said.push_str(&format!(
            ", also for {} s once the link is whole",
            WATCH.as_secs()
        ));
    }
    Ok(said)
}

/// Asks those registrars that stay.
struct Watcher<'a> {
    asker: &'a Node,
    survivors: [&'a Registrar; 2],
    count: usize,
}

impl Watcher<'_> {
    /// What both know; an error if that is not all elements.
    fn listing(&self) -> Result<[Listing; 2], Failure> {
        let listings = self.listings()?;
        if listings.iter().all(|listing| listing.len() == self.count) {
            return Ok(listings);
        }
        let sizes = listings.map(|listing| listing.len());
        Err(Failure::Check(format!(
            "of {} live elements they know {sizes:?}",
            self.count
        )))
    }

    fn listings(&self) -> Result<[Listing; 2], Failure> {
        let [second, third] = self.survivors;
        Ok([
            second.listing(self.asker, &[POOL])?,
            third.listing(self.asker, &[POOL])?,
        ])
    }

    /// Waits until both know all: the home of all.
    fn until_known(&self) -> Result<String, Failure> {
        let start = Instant::now();
        loop {
            match self.listing() {
                Ok([listing, _]) => {
                    let home = listing.values().next();
                    return Ok(home.cloned().unwrap_or_default());
                }
                Err(failure) if start.elapsed() > PATIENCE => return Err(failure),
                Err(_) => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }

    /// Waits until nobody's home is `old`, while all stay known.
    fn until_adopted(&self, old: &str) -> Result<Duration, Failure> {
        let start = Instant::now();
        loop {
            let listings = self.listing()?;
            let adopted = |listing: &Listing| listing.values().all(|home| home != old);
            if listings.iter().all(adopted) {
                return Ok(start.elapsed());
            }
            if start.elapsed() > PATIENCE {
                return Err(Failure::Check(format!(
                    "nobody has taken over within {} s",
                    PATIENCE.as_secs()
                )));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}
