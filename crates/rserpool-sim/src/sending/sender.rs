//! What a pool user's application has under way: one message at a time, over associations that are
//! kept for later ones.
//!
//! Must not know what has arrived, but by what its transport tells.

use crate::network::{Channel, EndId};
use crate::node::NodeId;
use crate::session::{Data, Packet};
use rserpool_core::Timestamp;
use rserpool_core::session::{OnFailover, PoolUserSession, SessionMessage, Undelivered};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::collections::{BTreeMap, VecDeque};

/// Numbers a sender; never used twice in a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct SenderId(pub(crate) u32);

/// Sends messages to a pool.
#[derive(Debug)]
pub(crate) struct PoolSender {
    pub(crate) node: NodeId,
    pub(crate) pool_handle: PoolHandle,
    pub(crate) channel: Channel,
    /// The pool element that this process is, too.
    pub(crate) own: Option<NodeId>,
    pub(crate) members: BTreeMap<PoolElementId, Member>,
    pub(crate) last: Option<PoolElementId>,
    pub(crate) order: Option<Order>,
    /// What goes to another pool element than this, which may not have it; since when.
    pub(crate) again: VecDeque<(u64, Timestamp)>,
}

/// A pool element to which there is an association.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) end: EndId,
    pub(crate) control: PoolUserSession,
    pub(crate) undelivered: Undelivered,
    /// Messages handed to the association.
    pub(crate) handed: u64,
}

/// A message that is about to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Order {
    pub(crate) message: u64,
    pub(crate) kind: Kind,
    pub(crate) since: Timestamp,
    /// Pool elements that could not be reached.
    pub(crate) failed: Vec<PoolElementId>,
    pub(crate) doing: Doing,
}

/// To whom a message goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Whom the policy selects (RFC 5352 §6.5.1).
    Selected,
    /// This one (§6.5.3).
    To(PoolElementId),
    /// All, and perhaps oneself (ASAP_SEND_TO_ALL, ASAP_SEND_TO_SELF of §6.5.5).
    All { and_self: bool },
}

/// What an order waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Doing {
    /// A pool element, or all of them.
    Asking,
    /// Associations with those of the pool elements that it has none with yet.
    Connecting {
        targets: Vec<PoolElementId>,
        missing: BTreeMap<EndId, PoolElementId>,
    },
}

impl Member {
    pub(crate) fn new(end: EndId, pool_handle: PoolHandle) -> Self {
        Self {
            end,
            control: PoolUserSession::new(pool_handle),
            undelivered: Undelivered::default(),
            handed: 0,
        }
    }

    /// A message is handed to the association: its octets.
    pub(crate) fn hand_over(&mut self, number: u64, fate: OnFailover) -> Vec<u8> {
        let mut octets = Vec::new();
        Packet::encode_data(Data::Message { number }, &mut octets);
        self.handed += 1;
        if fate != OnFailover::Forget {
            let message = SessionMessage::new(octets.clone()).on_failover(fate);
            self.undelivered.add_sent(self.handed, message);
        }
        octets
    }
}

/// The number of a message.
pub(crate) fn number_of(message: &SessionMessage) -> Option<u64> {
    match Packet::decode(&message.data)? {
        Packet::Data(Data::Message { number }) => Some(number),
        Packet::Data(Data::Request { .. } | Data::Answer { .. }) | Packet::Control(_) => None,
    }
}
