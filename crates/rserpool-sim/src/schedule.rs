//! What is going to happen, in order of time.
//!
//! Must not know what any of it means.

use crate::network::{DatagramId, EndId};
use crate::node::NodeId;
use crate::octets::OctetsId;
use rserpool_core::Timestamp;
use std::cmp::{Ordering, Reverse};
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
    /// Who holds a session does what comes next, if the session is still as it was.
    Session { session: u32, epoch: u32 },
    /// Who sends messages to a pool sends the next one.
    Sender { sender: u32 },
    /// Something about a pool element that is drained is due.
    Draining { node: NodeId },
    /// A fault of the plan begins.
    Fault { index: u32 },
    /// A fault of the plan ends.
    FaultEnds { index: u32 },
    /// A check that was put off is due.
    Check { index: u32 },
}

/// How long a slot of the wheel is, as a power of two of nanoseconds: about a millisecond.
const SLOT_BITS: u32 = 20;

/// Slots of the wheel: what is due within the next second, messages and most timers.
const SLOTS: u64 = 1_024;

/// The occurrences to come; those of one time in the order in which they were added.
///
/// A wheel of slots, each a short list that is put in order when its time has come; what is due
/// after the wheel's last slot waits in a heap.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// The slot that is being emptied, with its entries, the earliest last.
    slot: u64,
    current: Vec<Entry>,
    wheel: Vec<Vec<Entry>>,
    /// A bit for each slot of the wheel that has entries.
    filled: Vec<u64>,
    later: BinaryHeap<Entry>,
    sequence: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    nanoseconds: u64,
    sequence: u64,
    occurrence: Occurrence,
}

impl Default for Schedule {
    fn default() -> Self {
        let slots = usize::try_from(SLOTS).expect("a few thousand");
        Self {
            slot: 0,
            current: Vec::new(),
            wheel: vec![Vec::new(); slots],
            filled: vec![0; slots / 64],
            later: BinaryHeap::new(),
            sequence: 0,
        }
    }
}

impl Schedule {
    pub(crate) fn add(&mut self, at: Timestamp, occurrence: Occurrence) {
        self.sequence += 1;
        self.insert(Entry {
            nanoseconds: u64::try_from(at.0.as_nanos()).unwrap_or(u64::MAX),
            sequence: self.sequence,
            occurrence,
        });
    }

    /// When the next occurrence is due.
    pub(crate) fn next_at(&mut self) -> Option<Timestamp> {
        self.turn();
        self.current.last().map(Entry::at)
    }

    /// Takes the next occurrence.
    pub(crate) fn pop(&mut self) -> Option<(Timestamp, Occurrence)> {
        self.turn();
        let entry = self.current.pop()?;
        Some((entry.at(), entry.occurrence))
    }

    fn insert(&mut self, entry: Entry) {
        let slot = entry.slot();
        if slot <= self.slot {
            let earlier = |other: &Entry| other.key() > entry.key();
            let index = self.current.partition_point(earlier);
            self.current.insert(index, entry);
        } else if slot - self.slot < SLOTS {
            let index = index(slot);
            self.wheel[index].push(entry);
            self.filled[index / 64] |= 1 << (index % 64);
        } else {
            self.later.push(entry);
        }
    }

    /// Turns the wheel to the next slot that has entries, if the current one has none.
    fn turn(&mut self) {
        if !self.current.is_empty() {
            return;
        }
        let later = self.later.peek().map(Entry::slot);
        let Some(next) = self.next_filled().into_iter().chain(later).min() else {
            return;
        };
        self.slot = next;
        let index = index(next);
        std::mem::swap(&mut self.current, &mut self.wheel[index]);
        self.filled[index / 64] &= !(1 << (index % 64));
        self.current
            .sort_unstable_by_key(|entry| Reverse(entry.key()));
        // What was later comes within reach.
        while let Some(entry) = self.later.peek().copied() {
            if entry.slot() >= next + SLOTS {
                break;
            }
            self.later.pop();
            self.insert(entry);
        }
    }

    /// The first slot after the current one that has entries.
    fn next_filled(&self) -> Option<u64> {
        let start = index(self.slot);
        let words = self.filled.len();
        for step in 0..=words {
            let word = (start / 64 + step) % words;
            let mut bits = self.filled[word];
            // Of the first word, the slots after the current one; at last, those before it.
            let after = u64::MAX << (start % 64);
            if step == 0 {
                bits &= after;
            } else if step == words {
                bits &= !after;
            }
            if bits != 0 {
                let found = word * 64 + bits.trailing_zeros() as usize;
                let distance = (found + self.wheel.len() - start) % self.wheel.len();
                return Some(self.slot + distance as u64);
            }
        }
        None
    }
}

fn index(slot: u64) -> usize {
    usize::try_from(slot % SLOTS).unwrap_or(0)
}

impl Entry {
    fn at(&self) -> Timestamp {
        Timestamp(Duration::from_nanos(self.nanoseconds))
    }

    fn slot(&self) -> u64 {
        self.nanoseconds >> SLOT_BITS
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

    #[test]
    fn the_wheel_turns_in_the_same_order_as_a_sorted_list() {
        let mut random = crate::random::Random::new(1);
        let mut schedule = Schedule::default();
        let mut expected = Vec::new();
        let mut now = Duration::ZERO;
        for number in 0..20_000_u32 {
            let longest = [1, 300_000, 5_000_000, 3_000_000_000, 90_000_000_000][random.index(5)];
            let at = now + random.between(Duration::ZERO, Duration::from_nanos(longest));
            schedule.add(
                Timestamp(at),
                Occurrence::Start {
                    node: NodeId(number),
                },
            );
            expected.push((Timestamp(at), number));
            while random.percent(45) {
                expected.sort_unstable();
                let next = schedule.next_at();
                let popped = schedule.pop();
                assert_eq!(next, popped.map(|(at, _)| at));
                let Some((at, Occurrence::Start { node })) = popped else {
                    assert_eq!(expected, []);
                    break;
                };
                assert_eq!((at, node.0), expected.remove(0));
                now = at.0;
            }
        }
    }
}
