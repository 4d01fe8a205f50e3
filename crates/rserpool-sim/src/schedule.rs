//! What is going to happen, in order of time.
//!
//! Must not know what any of it means.

use crate::network::{DatagramId, EndId};
use crate::node::NodeId;
use crate::octets::OctetsId;
use rserpool_core::Timestamp;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Something that happens at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Occurrence {
    /// A message arrives at this end of its association.
    Arrival { end: EndId, octets: OctetsId },
    /// A copy of a datagram arrives.
    Datagram { to: NodeId, datagram: DatagramId },
    /// A node's machine wants to be called.
    Timer { node: NodeId },
    /// The request for an association gets to the registrar.
    SetUp { association: u32, attempt: u32 },
    /// The association is up at this end.
    Up { end: EndId },
    /// The attempt to set up an association has failed.
    ConnectFailed { association: u32 },
    /// This end learns that the association is gone: the other end said so.
    Lost { end: EndId },
    /// This end has heard nothing for so long that it gives up, if it is still the same trouble.
    Silence { end: EndId, epoch: u32 },
    /// A node starts, for the first time or again.
    Start { node: NodeId },
    /// A node's user or a stranger does what it does.
    Activity { node: NodeId, incarnation: u32 },
    /// A fault of the plan begins.
    Fault { index: u32 },
    /// A fault of the plan ends.
    FaultEnds { index: u32 },
    /// A check that was put off is due.
    Check { index: u32 },
}

/// What is not later than this from now is soon: messages on their way.
const SOON: Duration = Duration::from_millis(20);

/// The occurrences to come; those of one time in the order in which they were added.
///
/// Few are soon, and most that are added are: they have a heap of their own, which stays small
/// beside that of the many timers.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    soon: BinaryHeap<Entry>,
    later: BinaryHeap<Entry>,
    now: u64,
    sequence: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    nanoseconds: u64,
    sequence: u64,
    occurrence: Occurrence,
}

impl Schedule {
    pub(crate) fn add(&mut self, at: Timestamp, occurrence: Occurrence) {
        self.sequence += 1;
        let entry = Entry {
            nanoseconds: u64::try_from(at.0.as_nanos()).unwrap_or(u64::MAX),
            sequence: self.sequence,
            occurrence,
        };
        let soon = u64::try_from(SOON.as_nanos()).unwrap_or(u64::MAX);
        if entry.nanoseconds <= self.now.saturating_add(soon) {
            self.soon.push(entry);
        } else {
            self.later.push(entry);
        }
    }

    /// When the next occurrence is due.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.soon.peek().max(self.later.peek()).map(Entry::at)
    }

    /// Takes the next occurrence.
    pub(crate) fn pop(&mut self) -> Option<(Timestamp, Occurrence)> {
        let entry = if self.soon.peek() >= self.later.peek() {
            self.soon.pop()?
        } else {
            self.later.pop()?
        };
        self.now = entry.nanoseconds;
        Some((entry.at(), entry.occurrence))
    }
}

impl Entry {
    fn at(&self) -> Timestamp {
        Timestamp(Duration::from_nanos(self.nanoseconds))
    }

    fn key(&self) -> (u64, u64) {
        (self.nanoseconds, self.sequence)
    }
}

impl Ord for Entry {
    /// The greatest is the earliest: that is the one a heap gives first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_first_is_taken_first_and_equal_times_keep_their_order() {
        let mut schedule = Schedule::default();
        for (milliseconds, node) in [(5, 0), (1, 1), (5, 2), (3, 3)] {
            let at = Timestamp(Duration::from_millis(milliseconds));
            schedule.add(at, Occurrence::Start { node: NodeId(node) });
        }
        let order: Vec<_> = std::iter::from_fn(|| schedule.pop())
            .map(|(_, occurrence)| occurrence)
            .collect();
        let expected = [1, 3, 0, 2].map(|node| Occurrence::Start { node: NodeId(node) });
        assert_eq!(order, expected);
    }
}
