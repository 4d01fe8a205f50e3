//! Sessions between pool users and pool elements, with a state that must survive the pool element
//! (RFC 5352 §3.8).
//!
//! The work: a pool user sends numbered requests; a pool element counts them, and each answer
//! depends on all requests before. Now and then it gives the state away as a cookie.
//!
//! | file | what |
//! |---|---|
//! | `held` | the pool user's end: what was sent, answered and given as a cookie |
//! | `served` | the pool element's end: the state, as long as the process lives |
//! | `packet` | what goes between them, as octets |
//! | `statistics` | how sessions fared |
//!
//! Must not know how pool elements are found or associations set up.

mod held;
mod packet;
mod served;
mod statistics;

pub(crate) use held::{FailedOver, HeldSession, Interruption, Stage};
pub(crate) use packet::{Data, Packet};
pub(crate) use served::{Progress, ServedSession};
pub use statistics::SessionStatistics;

use crate::network::EndId;
use crate::node::NodeId;
use rserpool_core::Timestamp;
use rserpool_core::pool_user::RequestId;
use rserpool_core::two_call::TriedServers;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The most requests of a session, unless something else is wanted.
const REQUESTS_MAX: u64 = 400;

/// The most requests of a session that wait for their answer.
pub(crate) const WINDOW_MAX: u64 = 8;

/// Numbers a session; never used twice in a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct SessionId(pub(crate) u32);

/// A pool element is drained.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Draining {
    /// Which process.
    pub(crate) incarnation: u32,
    /// When it refuses new sessions.
    pub(crate) leave_by: Timestamp,
    /// When sessions that are left are closed.
    pub(crate) deadline: Timestamp,
    /// How many sessions it had when it began to refuse others.
    pub(crate) begun: Option<usize>,
    /// How many of them were closed.
    pub(crate) moved: usize,
}

/// Which messages of an association have arrived, as its transport learns it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrived {
    known: u64,
    /// When the next ones will be known to have.
    acknowledged_at: VecDeque<Timestamp>,
}

impl Arrived {
    pub(crate) fn acknowledge(&mut self, at: Timestamp) {
        self.acknowledged_at.push_back(at);
    }

    /// How many are known to have arrived by then.
    pub(crate) fn by(&mut self, now: Timestamp) -> u64 {
        while self.acknowledged_at.front().is_some_and(|at| *at <= now) {
            self.acknowledged_at.pop_front();
            self.known += 1;
        }
        self.known
    }
}

/// All sessions, with who finds them by what.
#[derive(Debug)]
pub(crate) struct Sessions {
    latest: u32,
    /// The most requests of a session.
    pub(crate) requests_max: u64,
    pub(crate) held: BTreeMap<SessionId, HeldSession>,
    /// By the pool user's end of their association.
    pub(crate) by_end: BTreeMap<EndId, SessionId>,
    /// By the request for a pool element.
    pub(crate) by_request: BTreeMap<(NodeId, RequestId), SessionId>,
    /// By the pool user's end of their association: what has arrived at the other end.
    pub(crate) arrived: BTreeMap<EndId, Arrived>,
    /// Pool users' ends whose other end has died: until when what it sent before still arrives.
    pub(crate) silenced: BTreeMap<EndId, Timestamp>,
    /// By the pool element's end of their association.
    pub(crate) served: BTreeMap<EndId, ServedSession>,
    /// The pool elements that are drained now.
    pub(crate) draining: BTreeMap<NodeId, Draining>,
    /// Whom each pool user's sessions have found failed.
    pub(crate) tried: BTreeMap<NodeId, TriedServers>,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self {
            latest: 0,
            requests_max: REQUESTS_MAX,
            held: BTreeMap::new(),
            by_end: BTreeMap::new(),
            by_request: BTreeMap::new(),
            arrived: BTreeMap::new(),
            silenced: BTreeMap::new(),
            served: BTreeMap::new(),
            draining: BTreeMap::new(),
            tried: BTreeMap::new(),
        }
    }

    pub(crate) fn next_id(&mut self) -> SessionId {
        self.latest += 1;
        SessionId(self.latest)
    }

    /// Of these ends, those at which a session is served.
    pub(crate) fn served_by(&self, ends: &BTreeSet<EndId>) -> Vec<EndId> {
        let ends = ends.iter().copied();
        ends.filter(|end| self.served.contains_key(end)).collect()
    }

    /// Those that a pool user holds.
    pub(crate) fn held_by(&self, node: NodeId) -> Vec<SessionId> {
        let held = self.held.iter().filter(|(_, held)| held.node == node);
        held.map(|(id, _)| *id).collect()
    }
}

/// The state after a request, which depends on all before. What everybody computes, and nobody
/// can guess.
pub(crate) fn state_after(before: u64, number: u64) -> u64 {
    let mixed = (before ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// The state of a session in which nothing was requested yet.
pub(crate) fn first_state(session: SessionId) -> u64 {
    state_after(u64::from(session.0), u64::MAX)
}

/// After how many requests a pool element gives a cookie.
pub(crate) fn cookie_interval(session: SessionId) -> u64 {
    1 + u64::from(session.0 % 10)
}
