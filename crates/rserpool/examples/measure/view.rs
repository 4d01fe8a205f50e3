//! What one registrar knows, as its management interface tells, and what several agree on.

use crate::Failure;
use serde_json::Value;
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
}

/// Another registrar, as it knows it.
pub(crate) struct Peer {
    pub(crate) registrar: Option<String>,
    pub(crate) status: String,
    pub(crate) checksums_equal: bool,
}

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
        Ok(Self::of(&serde_json::from_str(body)?))
    }

    fn of(status: &Value) -> Self {
        let mut elements = BTreeMap::new();
        let mut doubled = 0;
        for pool in list(&status["pools"]) {
            for element in list(&pool["pool_elements"]) {
                let key = (text(&pool["pool_handle"]), text(&element["id"]));
                if elements.insert(key, text(&element["home"])).is_some() {
                    doubled += 1;
                }
            }
        }
        let peers = list(&status["peers"]).iter().map(|peer| Peer {
            registrar: peer["registrar"].as_str().map(str::to_owned),
            status: text(&peer["status"]),
            checksums_equal: peer["checksums_equal"] == Value::Bool(true),
        });
        Self {
            registrar: text(&status["registrar"]),
            initialized: status["initialized"] == Value::Bool(true),
            elements,
            doubled,
            peers: peers.collect(),
            takeovers_won: status["counters"]["takeovers_won"].as_u64().unwrap_or(0),
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

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
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
        Ok(())
    }
}
