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

pub(crate) use held::{HeldSession, Interruption, Stage};
pub(crate) use packet::{Data, Packet};
pub(crate) use served::{Progress, ServedSession};
pub use statistics::SessionStatistics;

use crate::network::EndId;
use crate::node::NodeId;
use rserpool_core::pool_user::RequestId;
use std::collections::BTreeMap;

/// Numbers a session; never used twice in a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct SessionId(pub(crate) u32);

/// All sessions, with who finds them by what.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    latest: u32,
    pub(crate) held: BTreeMap<SessionId, HeldSession>,
    /// By the pool user's end of their association.
    pub(crate) by_end: BTreeMap<EndId, SessionId>,
    /// By the request for a pool element.
    pub(crate) by_request: BTreeMap<(NodeId, RequestId), SessionId>,
    /// By the pool element's end of their association.
    pub(crate) served: BTreeMap<EndId, ServedSession>,
}

impl Sessions {
    pub(crate) fn next_id(&mut self) -> SessionId {
        self.latest += 1;
        SessionId(self.latest)
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
