//! What one registrar knows, as its management interface tells, and what several agree on.

use crate::Failure;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Pool and identifier.
pub(crate) type Element = (String, String);

/// What a registrar knows at one moment.
pub(crate) struct View {
    pub(crate) registrar: String,
    pub(crate) initialized: bool,
    /// Each pool element and its home registrar.
    pub(crate) elements: BTreeMap<Element, String>,
    /// Those that are there more than once.
    pub(crate) doubled: usize,
    pub(crate) peers: Vec<Peer>,
    pub(crate) takeovers_won: u64,
    /// Sent since it started.
    pub(crate) keep_alives: u64,
    counters: BTreeMap<String, u64>,
}

/// Another registrar, as it knows it.
#[derive(Deserialize)]
pub(crate) struct Peer {
    pub(crate) registrar: Option<String>,
    pub(crate) status: String,
    #[serde(default)]
    checksums_equal: bool,
}

/// What is read of a status.
#[derive(Deserialize)]
struct Status {
    registrar: String,
    initialized: bool,
    peers: Vec<Peer>,
    pools: Vec<Pool>,
    counters: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Pool {
    pool_handle: String,
    pool_elements: Vec<PoolElement>,
}

#[derive(Deserialize)]
struct PoolElement {
    id: String,
    home: Option<String>,
}

/// Counters that say why pool elements are where they are.
const SHOWN: [&str; 5] = [
    "removals",
    "limit",
    "takeovers",
    "synchronizations",
    "checksum",
];

impl View {
    pub(crate) fn fetch(management: SocketAddr) -> Result<Self, Failure> {
        let patience = Duration::from_secs(5);
        let mut stream = TcpStream::connect_timeout(&management, patience)?;
        stream.set_read_timeout(Some(patience))?;
        let request = format!("GET /api/v1/status HTTP/1.0\r\nHost: {management}\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP")?;
        Ok(Self::of(serde_json::from_str(body)?))
    }

    fn of(status: Status) -> Self {
        let mut elements = BTreeMap::new();
        let mut doubled = 0;
        for pool in status.pools {
            for element in pool.pool_elements {
                let key = (pool.pool_handle.clone(), element.id);
                if elements
                    .insert(key, element.home.unwrap_or_default())
                    .is_some()
                {
                    doubled += 1;
                }
            }
        }
        let mut counters = status.counters;
        let count_of = |name| counters.get(name).copied().unwrap_or_default();
        let (takeovers_won, keep_alives) = (count_of("takeovers_won"), count_of("keep_alives"));
        counters.retain(|name, count| *count > 0 && SHOWN.iter().any(|s| name.starts_with(s)));
        Self {
            registrar: status.registrar,
            initialized: status.initialized,
            elements,
            doubled,
            peers: status.peers,
            takeovers_won,
            keep_alives,
            counters,
        }
    }

    /// How many of these it does not know.
    pub(crate) fn missing<'a>(&self, of: impl IntoIterator<Item = &'a Element>) -> usize {
        of.into_iter()
            .filter(|element| !self.elements.contains_key(*element))
            .count()
    }

    /// Whether another registrar is alive to it, and both have the same checksum.
    pub(crate) fn agrees_with(&self, other: &str) -> bool {
        let peer = self
            .peers
            .iter()
            .find(|peer| peer.registrar.as_deref() == Some(other));
        peer.is_some_and(|peer| peer.status == "active" && peer.checksums_equal)
    }
}

/// Whether all know the same of all: checksums, and each pool element with its home.
pub(crate) fn all_agree(views: &[View]) -> bool {
    views.iter().all(|view| {
        view.initialized
            && view.elements == views[0].elements
            && views.iter().all(|other| {
                other.registrar == view.registrar || view.agrees_with(&other.registrar)
            })
    })
}

/// Pool elements that two registrars say are theirs, or that are twice in one pool.
pub(crate) fn doubled(views: &[View]) -> usize {
    let mut owned = BTreeSet::new();
    let mut doubled = 0;
    for view in views {
        doubled += view.doubled;
        for (element, home) in &view.elements {
            if *home == view.registrar && !owned.insert(element) {
                doubled += 1;
            }
        }
    }
    doubled
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (known, initialized) = (self.elements.len(), self.initialized);
        let own = self
            .elements
            .values()
            .filter(|home| **home == self.registrar)
            .count();
        write!(f, "{}: initialized {initialized}", self.registrar)?;
        write!(f, ", knows {known} pool elements, owns {own}; its peers:")?;
        for peer in &self.peers {
            let name = peer.registrar.as_deref().unwrap_or("?");
            write!(
                f,
                " {name} is {}, equal {};",
                peer.status, peer.checksums_equal
            )?;
        }
        write!(f, " {:?}", self.counters)
    }
}
