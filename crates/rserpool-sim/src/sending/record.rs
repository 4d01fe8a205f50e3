//! What has become of each message, which only the simulator knows.
//!
//! Must not know how it was sent.

use crate::network::EndId;
use crate::node::NodeId;
use rserpool_core::session::OnFailover;
use rserpool_wire::PoolElementId;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of messages.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// What becomes of each message that may not have arrived, as its sender wanted it.
    pub(crate) fates: BTreeMap<u64, OnFailover>,
    /// By the pool user's end of an association.
    pub(crate) passages: BTreeMap<EndId, Passage>,
    /// What each process has read, as which pool element.
    read: BTreeMap<(NodeId, u32), BTreeSet<Read>>,
}

/// A message, and as which pool element it was read.
type Read = (u64, Option<PoolElementId>);

/// What went over an association.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Passage {
    /// Whom they were meant for.
    pub(crate) to: Option<PoolElementId>,
    /// The messages, in their order.
    pub(crate) handed: Vec<u64>,
    /// How many of them were read.
    pub(crate) read: usize,
    /// How many of them are known to have been.
    pub(crate) known: u64,
    /// The pool user has no association any more: what else is read comes late.
    pub(crate) is_over: bool,
}

impl Records {
    /// A process reads a message; false if it has read it before. It may be known under another
    /// identifier, too, since it was restarted or because strangers say so.
    pub(crate) fn note_read(
        &mut self,
        process: (NodeId, u32),
        message: u64,
        of: Option<PoolElementId>,
    ) -> bool {
        self.read.entry(process).or_default().insert((message, of))
    }

    /// Whether a process has read a message.
    pub(crate) fn has_read(&self, process: (NodeId, u32), message: u64) -> bool {
        let read = self.read.get(&process);
        let of_any = (message, None)..(message + 1, None);
        read.is_some_and(|read| read.range(of_any).next().is_some())
    }

    /// What becomes of a message if it may not have arrived.
    pub(crate) fn on_failover(&self, message: u64) -> OnFailover {
        self.fates.get(&message).copied().unwrap_or_default()
    }

    /// How much of what went over an association is known to have arrived.
    pub(crate) fn known(&self, end: EndId) -> u64 {
        self.passages.get(&end).map_or(0, |passage| passage.known)
    }

    /// Of what went over an association, what is not to be forgotten and not known to have arrived.
    pub(crate) fn unknown(&self, end: EndId, known: u64) -> Vec<u64> {
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let handed = self.passages.get(&end).map(|own| own.handed.as_slice());
        let messages = handed.unwrap_or_default().iter().copied().skip(known);
        messages
            .filter(|message| self.on_failover(*message) != OnFailover::Forget)
            .collect()
    }
}
