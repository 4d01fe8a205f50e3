//! Messages that pool users send to a pool each by itself (RFC 5352 §6.5): to whom the policy
//! selects for it, to one pool element, to the one before, or to all.
//!
//! | file | what |
//! |---|---|
//! | `sender` | what a pool user's application has under way |
//! | `record` | what has become of each message, which only the simulator knows |
//! | `statistics` | how messages fared |
//!
//! Must not know how pool elements are found or associations set up.

mod record;
mod sender;
mod statistics;

pub(crate) use record::Records;
pub(crate) use sender::{Doing, Kind, Member, Order, PoolSender, SenderId, number_of};
pub use statistics::SendingStatistics;

use crate::network::EndId;
use crate::node::NodeId;
use rserpool_core::pool_user::RequestId;
use std::collections::BTreeMap;

/// All who send, with who finds them by what.
#[derive(Debug, Default)]
pub(crate) struct Sending {
    latest_sender: u32,
    latest_message: u64,
    pub(crate) senders: BTreeMap<SenderId, PoolSender>,
    /// By the pool user's end of an association.
    pub(crate) by_end: BTreeMap<EndId, SenderId>,
    /// By the request for a pool element, or for all of them.
    pub(crate) by_request: BTreeMap<(NodeId, RequestId), SenderId>,
    pub(crate) records: Records,
}

impl Sending {
    pub(crate) fn next_sender(&mut self) -> SenderId {
        self.latest_sender += 1;
        SenderId(self.latest_sender)
    }

    pub(crate) fn next_message(&mut self) -> u64 {
        self.latest_message += 1;
        self.latest_message
    }

    /// The process of a pool user ends.
    pub(crate) fn end_of(&mut self, node: NodeId) {
        self.senders.retain(|_, sender| sender.node != node);
        let senders = &self.senders;
        self.by_end.retain(|_, id| senders.contains_key(id));
        self.by_request.retain(|_, id| senders.contains_key(id));
    }
}
