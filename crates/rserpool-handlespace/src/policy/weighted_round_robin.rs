//! Weighted Round Robin (RFC 5356 §4.2): each in turn, as often as its weight says; weight 0
//! never.
//!
//! The circular list of §4.2.2 is as long as the sum of weights (up to 2^63 entries), so that it
//! is computed, not stored. Think of one round of it as the time from 0 to 1. The pool elements
//! of one weight take turns in one *stream*; a stream of m pool elements of weight w has
//! M = m × w entries in each round, at (2i + 1) / 2M for i from 0 to M - 1: spread evenly, and
//! each pool element exactly w times. The list is all streams in the order of time; where two
//! coincide, the heavier pool element comes first.
//!
//! In a pool of s streams, a pool element is therefore never ahead of or behind its share by more
//! than 1 + share × s / 2 entries. All of it is exact: times are fractions that are compared by
//! cross multiplication, and start afresh with every round.

use super::ring::{Ring, Rings};
use super::{MemberSelection, UserRule};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, BinaryHeap};
use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};
use rand_core::Rng;
use rserpool_wire::parameter::Policy;

/// §4.2.3: the same rules as Round Robin; but the registrar tells each of the circular list once.
pub(super) const USER_RULE: UserRule = UserRule::InWeightedTurn;

pub(super) fn new() -> Box<dyn MemberSelection> {
    Box::new(WeightedRoundRobin::default())
}

#[derive(Default)]
struct WeightedRoundRobin {
    rings: Rings,
    /// By slot; 0 for those in no stream.
    weights: Vec<u32>,
    /// By weight.
    streams: BTreeMap<u32, Stream>,
    /// When which stream has its next entry; the first one is the head.
    turns: BTreeSet<Turn>,
    /// The entry before the head; it may be one of a stream that is gone.
    last: Option<Turn>,
}

/// The pool elements of one weight.
struct Stream {
    ring: Ring,
    /// How many there are.
    members: u32,
    next: Time,
}

/// An entry of the circular list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    time: Time,
    weight: Reverse<u32>,
}

/// A time in the circular list: `round` + `halves` / (2 × `entries`).
#[derive(Clone, Copy, Debug)]
struct Time {
    /// 64 bits cannot be used up, a round takes one selection at least.
    round: u64,
    /// Below 2 × `entries`.
    halves: u64,
    /// Below 2^63: fewer than 2^31 pool elements, weights below 2^32. So products with `halves`
    /// fit into 127 bits.
    entries: u64,
}

impl MemberSelection for WeightedRoundRobin {
    fn insert(&mut self, slot: u32, policy: &Policy) {
        let index = slot as usize;
        if index >= self.weights.len() {
            self.weights.resize(index + 1, 0);
        }
        self.weights[index] = weight(policy);
        self.join(slot);
    }

    fn update(&mut self, slot: u32, policy: &Policy) {
        let weight = weight(policy);
        if weight != self.weights[slot as usize] {
            self.leave(slot);
            self.weights[slot as usize] = weight;
            self.join(slot);
        }
    }

    fn remove(&mut self, slot: u32) {
        self.leave(slot);
        self.weights[slot as usize] = 0;
    }

    fn select(&mut self, items: usize, random: &mut dyn Rng, selected: &mut Vec<u32>) {
        self.peek(items, random, selected);
        // The head is advanced by one entry (§4.1.2).
        let Some(turn) = self.turns.pop_first() else {
            return;
        };
        let weight = turn.weight.0;
        let stream = self
            .streams
            .get_mut(&weight)
            .expect("each turn is that of a stream");
        stream.ring = self.rings.advance(stream.ring);
        stream.next = turn.following(weight, stream.members);
        self.last = Some(turn);
        self.turns.insert(stream.turn(weight));
    }

    fn peek(&self, items: usize, _: &mut dyn Rng, selected: &mut Vec<u32>) {
        let Some(first) = self.turns.first() else {
            return;
        };
        let stream = &self.streams[&first.weight.0];
        if items == 1 || self.turns.len() == 1 {
            selected.extend(self.rings.iter(stream.ring).take(items));
            return;
        }
        // Each of the first streams adds one pool element at least, so later ones cannot matter.
        let mut heads: BinaryHeap<Reverse<(Turn, Upcoming)>> = self
            .turns
            .iter()
            .take(items)
            .map(|turn| {
                let Stream { ring, members, .. } = self.streams[&turn.weight.0];
                Reverse((*turn, Upcoming { ring, members }))
            })
            .collect();
        while let Some(Reverse((mut turn, mut upcoming))) = heads.pop() {
            selected.push(upcoming.ring.head);
            if selected.len() == items {
                return;
            }
            // A stream whose members are all listed has nothing new to add.
            upcoming.members -= 1;
            if upcoming.members > 0 {
                let weight = turn.weight.0;
                turn.time = turn.following(weight, self.streams[&weight].members);
                upcoming.ring = self.rings.advance(upcoming.ring);
                heads.push(Reverse((turn, upcoming)));
            }
        }
    }

    fn check_invariants(&self, members: &BTreeMap<u32, Policy>) {
        let mut slots = Vec::new();
        for (&weight, stream) in &self.streams {
            let ring = self.rings.check(stream.ring);
            assert_eq!(
                ring.len(),
                stream.members as usize,
                "the stream of weight {weight}"
            );
            assert!(
                self.turns.contains(&stream.turn(weight)),
                "weight {weight} has no turn"
            );
            let turn = stream.turn(weight);
            assert!(
                Some(turn) > self.last,
                "the stream of weight {weight} was passed over"
            );
            assert!(
                ring.iter()
                    .all(|&slot| self.weights[slot as usize] == weight)
            );
            slots.extend(ring);
        }
        assert_eq!(self.turns.len(), self.streams.len(), "turns of no stream");
        slots.sort_unstable();
        let expected = members.iter().filter(|(_, policy)| weight(policy) > 0);
        assert!(
            slots.iter().eq(expected.map(|(slot, _)| slot)),
            "streams are not the members"
        );
        for (&slot, policy) in members {
            assert_eq!(
                self.weights[slot as usize],
                weight(policy),
                "the weight of {slot}"
            );
        }
    }
}

impl WeightedRoundRobin {
    /// Adds a slot to the stream of its weight; its turn comes last.
    fn join(&mut self, slot: u32) {
        let weight = self.weights[slot as usize];
        if weight == 0 {
            return;
        }
        if let Some(mut stream) = self.take(weight) {
            self.rings.push(stream.ring, slot);
            stream.members += 1;
            self.put(weight, stream);
        } else {
            let ring = self.rings.start(slot);
            let (members, next) = (1, Time::default());
            self.put(
                weight,
                Stream {
                    ring,
                    members,
                    next,
                },
            );
        }
    }

    /// Takes a slot out of the stream of its weight.
    fn leave(&mut self, slot: u32) {
        let weight = self.weights[slot as usize];
        let Some(mut stream) = self.take(weight) else {
            return;
        };
        if let Some(rest) = self.rings.remove(stream.ring, slot) {
            stream.ring = rest;
            stream.members -= 1;
            self.put(weight, stream);
        }
    }

    fn take(&mut self, weight: u32) -> Option<Stream> {
        let stream = self.streams.remove(&weight)?;
        self.turns.remove(&stream.turn(weight));
        Some(stream)
    }

    /// Stores a stream whose members have changed, and with them the times of its entries.
    fn put(&mut self, weight: u32, mut stream: Stream) {
        let last = self.last.unwrap_or_default();
        stream.next = last.following(weight, stream.members);
        self.turns.insert(stream.turn(weight));
        self.streams.insert(weight, stream);
    }
}

impl Stream {
    fn turn(&self, weight: u32) -> Turn {
        Turn {
            time: self.next,
            weight: Reverse(weight),
        }
    }
}

/// Where a stream is while it is listed. Never decides an order: turns differ.
struct Upcoming {
    ring: Ring,
    members: u32,
}

impl PartialEq for Upcoming {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Upcoming {}

impl PartialOrd for Upcoming {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Upcoming {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

impl Turn {
    /// The time of the first entry after this one that a stream of so many members of this weight
    /// has.
    fn following(&self, weight: u32, members: u32) -> Time {
        let Time {
            round,
            halves,
            entries,
        } = self.time;
        let stream_entries = u64::from(members) * u64::from(weight);
        // The odd numbers of halves are the entries. Which is the first that is not before?
        let (passed, coincides) = if stream_entries == entries {
            (halves, true)
        } else {
            let (scaled, entries) = (
                u128::from(halves) * u128::from(stream_entries),
                u128::from(entries),
            );
            let passed = u64::try_from(scaled / entries).expect("a part of twice the entries");
            (passed, scaled % entries == 0)
        };
        // At the same time, the lighter stream comes after the heavier one.
        let halves = if coincides && passed % 2 == 1 && weight < self.weight.0 {
            passed
        } else {
            (passed + 1) | 1
        };
        if halves < 2 * stream_entries {
            return Time {
                round,
                halves,
                entries: stream_entries,
            };
        }
        Time {
            round: round + 1,
            halves: 1,
            entries: stream_entries,
        }
    }
}

impl Default for Turn {
    /// Before the first entry.
    fn default() -> Self {
        Self {
            time: Time::default(),
            weight: Reverse(0),
        }
    }
}

impl Default for Time {
    fn default() -> Self {
        Self {
            round: 0,
            halves: 0,
            entries: 1,
        }
    }
}

impl Ord for Time {
    fn cmp(&self, other: &Self) -> Ordering {
        let product = |one: &Self, other: &Self| u128::from(one.halves) * u128::from(other.entries);
        self.round
            .cmp(&other.round)
            .then_with(|| product(self, other).cmp(&product(other, self)))
    }
}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Time {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Time {}

fn weight(policy: &Policy) -> u32 {
    if let Policy::WeightedRoundRobin { weight } = policy {
        *weight
    } else {
        0
    }
}
