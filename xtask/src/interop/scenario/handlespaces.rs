//! Two registrars tell each other of their elements; a third one joins late and knows all.

use super::{Run, Scenario, every};
use crate::interop::Failure;
use crate::interop::network::Node;
use crate::interop::side::{Element, Listing, Part, Registrar, Side};
use std::time::{Duration, Instant};

pub(super) const SCENARIO: Scenario = Scenario {
    id: "3",
    name: "handlespaces: two registrars agree, a third joins late",
    roles: &["first", "second", "late"],
    casts: || every(3),
    judge: None,
    paths: 1,
    play,
};

const POOLS: [&str; 2] = ["EchoPool", "OtherPool"];
/// How long registrars may take until they agree: rsplib's compare every 2.4 s.
const PATIENCE: Duration = Duration::from_secs(20);

fn play(run: &Run) -> Result<String, Failure> {
    let [first, second, late] = run.cast()?;
    let asker = run.node("asker", run.stage.asker())?;
    let nodes = [
        run.node("r1", first)?,
        run.node("r2", second)?,
        run.node("r3", late)?,
    ];
    let (one, two, three) = (&nodes[0], &nodes[1], &nodes[2]);
    let first = Registrar::start(first, one, &[two, three], &[], &run.stage)?;
    let second = Registrar::start(second, two, &[one, three], &[], &run.stage)?;
    first.ready()?;
    second.ready()?;
    let mut elements = Elements {
        run,
        all: Vec::new(),
    };
    elements.join(&first)?;
    elements.join(&second)?;
    let pair = agree(&[&first, &second], &asker, elements.all.len())?;
    let third = Registrar::start(late, three, &[one, two], &[], &run.stage)?;
    third.ready()?;
    let download = agree(&[&first, &second, &third], &asker, elements.all.len())?;
    elements.join(&third)?;
    let end = agree(&[&first, &second, &third], &asker, elements.all.len())?;
    Ok(format!(
        "two agree after {} ms, a third {} ms after it is ready, all on {} elements {} ms later",
        pair.as_millis(),
        download.as_millis(),
        elements.all.len(),
        end.as_millis()
    ))
}

/// Elements of every side that plays.
struct Elements<'a> {
    run: &'a Run,
    all: Vec<Element>,
}

impl Elements<'_> {
    /// An element of each side joins each pool at `registrar`.
    fn join(&mut self, registrar: &Registrar) -> Result<(), Failure> {
        let mut sides: Vec<Side> = self.run.sides.clone();
        sides.sort_unstable();
        sides.dedup();
        let before = self.all.len();
        for side in sides {
            for pool in POOLS {
                let number = u32::try_from(self.all.len()).expect("there are few") + 1;
                let node = self.run.node(&format!("e{number}"), side)?;
                let part = Part::echo(pool, number);
                let stage = &self.run.stage;
                self.all
                    .push(Element::start(side, &node, &part, &[registrar], stage)?);
            }
        }
        self.all[before..].iter().try_for_each(Element::ready)
    }
}

/// Waits until all list the same elements, this many: how long it took.
fn agree(registrars: &[&Registrar], asker: &Node, count: usize) -> Result<Duration, Failure> {
    let start = Instant::now();
    loop {
        let listings: Vec<Listing> = (registrars.iter())
            .map(|registrar| registrar.listing(asker, &POOLS))
            .collect::<Result<_, _>>()?;
        let whole = listings.iter().all(|listing| listing.len() == count);
        if whole && listings.windows(2).all(|pair| pair[0] == pair[1]) {
            return Ok(start.elapsed());
        }
        if start.elapsed() > PATIENCE {
            let sizes: Vec<usize> = listings.iter().map(Listing::len).collect();
            return Err(Failure::Check(format!(
                "they disagree: of {count} elements they know {sizes:?}"
            )));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
