//! Registrars of both sides.

use super::{Side, Stage, rsplib, values};
use crate::interop::Failure;
use crate::interop::network::Node;
use crate::interop::program::Program;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a registrar may take until it serves: rsplib's waits 5 s for a mentor.
const START: Duration = Duration::from_secs(20);

/// Where every registrar listens, by ASAP and by ENRP.
pub(super) const ASAP_PORT: u16 = 3863;
const ENRP_PORT: u16 = 9901;

/// A running registrar.
pub(in crate::interop) struct Registrar {
    pub(in crate::interop) side: Side,
    pub(in crate::interop) node: Node,
    pub(in crate::interop) program: Program,
    stage: Stage,
}

/// What a registrar knows: the home of each (pool, element).
pub(in crate::interop) type Listing = BTreeMap<(String, String), String>;

impl Registrar {
    /// Starts one that knows the registrars at `peers`.
    pub(in crate::interop) fn start(
        side: Side,
        node: &Node,
        peers: &[&Node],
        more: &[&str],
        stage: &Stage,
    ) -> Result<Self, Failure> {
        stage.prepare_kernel(side, node)?;
        let words = match side {
            Side::Ours | Side::Udp => ours(side, node, peers, more, stage),
            Side::Rsplib => theirs(node, peers, more),
        };
        Ok(Self {
            side,
            node: node.clone(),
            program: Program::start(node, &node.name, &words, &stage.folder)?,
            stage: stage.clone(),
        })
    }

    /// Waits until it serves.
    pub(in crate::interop) fn ready(&self) -> Result<(), Failure> {
        let sign = match self.side {
            Side::Ours | Side::Udp => "\"event\":\"initialized\"",
            Side::Rsplib => "The registrar is ready!",
        };
        self.program.wait_for(sign, START).map(drop)
    }

    /// How an element or a user of `side` is told of it.
    pub(in crate::interop) fn option(&self, side: Side) -> Vec<String> {
        let addresses = self.node.addresses();
        match side {
            Side::Ours | Side::Udp => vec!["--registrar".to_owned(), addresses.join(",")],
            Side::Rsplib => vec![format!("-registrar={}:{ASAP_PORT}", addresses[0])],
        }
    }

    /// What it answers about these pools, asked from outside.
    pub(in crate::interop) fn listing(
        &self,
        asker: &Node,
        pools: &[&str],
    ) -> Result<Listing, Failure> {
        let mut listing = Listing::new();
        for pool in pools {
            let answer = self.resolve(asker, pool, &[])?;
            let elements = values(&answer, "id");
            let homes = values(&answer, "home");
            for (element, home) in elements.into_iter().zip(homes) {
                listing.insert(((*pool).to_owned(), element.to_owned()), home.to_owned());
            }
        }
        Ok(listing)
    }

    /// Asks `times` for one element of a pool: how often each was selected.
    pub(in crate::interop) fn select(
        &self,
        asker: &Node,
        pool: &str,
        times: u32,
    ) -> Result<BTreeMap<String, u32>, Failure> {
        let times = times.to_string();
        // A cache would answer for the registrar.
        let more = [
            "--items",
            "1",
            "--times",
            &times,
            "--stale-cache-value-ms",
            "0",
        ];
        let answer = self.resolve(asker, pool, &more)?;
        let counts = answer.split("\"first\":").skip(1).filter_map(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        });
        let elements = values(&answer, "id").into_iter().map(str::to_owned);
        Ok(elements.zip(counts).collect())
    }

    /// One resolution by our pool user: a line of JSON, empty if there is no such pool.
    fn resolve(&self, asker: &Node, pool: &str, more: &[&str]) -> Result<String, Failure> {
        let mut words = vec!["resolve", pool, "--json", "--no-multicast"];
        words.extend_from_slice(more);
        let mut words = self.stage.ours(self.stage.asker(), &words);
        words.extend(self.option(Side::Ours));
        let (program, arguments) = words.split_first().expect("a command has a program");
        let mut command = asker.program(program);
        let output = command
            .args(arguments)
            .output()
            .map_err(|error| crate::process::start_failure(&command, error))?;
        // 3: no such pool, or nobody in it.
        if !matches!(output.status.code(), Some(0 | 3)) {
            return Err(Failure::Check(format!(
                "resolving {pool} at {}: {}",
                self.node.name,
                String::from_utf8_lossy(&output.stderr).trim()
            )));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn ours(side: Side, node: &Node, peers: &[&Node], more: &[&str], stage: &Stage) -> Vec<String> {
    let mut words = stage.ours(side, &["registrar", "--json", "--no-multicast"]);
    words.extend(super::addresses(node));
    for peer in peers {
        words.extend(["--peer".to_owned(), peer.address(1)]);
    }
    words.extend(more.iter().map(|&word| word.to_owned()));
    words
}

fn theirs(node: &Node, peers: &[&Node], more: &[&str]) -> Vec<String> {
    // The port stands behind the first address only.
    let at = |port: u16| {
        let mut addresses = node.addresses();
        addresses[0].push_str(&format!(":{port}"));
        addresses.join(",")
    };
    let mut arguments = vec![
        format!("-asap={}", at(ASAP_PORT)),
        format!("-enrp={}", at(ENRP_PORT)),
        format!("-asapannounce=239.0.0.50:{ASAP_PORT}"),
        format!("-enrpannounce=239.0.0.51:{ENRP_PORT}"),
        "-maxhresitems=100".to_owned(),
        "-loglevel=4".to_owned(),
    ];
    for peer in peers {
        arguments.push(format!("-peer={}:{ENRP_PORT}", peer.address(1)));
    }
    arguments.extend(more.iter().map(|&word| word.to_owned()));
    rsplib("rspregistrar", &arguments)
}

impl Stage {
    /// Who asks registrars from outside: whoever reaches all of them.
    pub(in crate::interop) fn asker(&self) -> Side {
        if self.encapsulated {
            Side::Udp
        } else {
            Side::Ours
        }
    }
}
