//! Timers as data: a queue ordered by time, then by key.
//!
//! Must not know what any timer is for.

use crate::Timestamp;
use std::num::NonZeroU32;
use std::time::Duration;

/// Children per node of the heap: the four entries of a node's children share a cache line.
const ARITY: usize = 4;

/// Timers, each with a key that says which timer of whom it is. Starting a timer that runs
/// replaces its deadline, so that no stale timer ever fires.
///
/// An indexed heap: starting, restarting and stopping cost O(log n) and no search, because the
/// owner keeps each timer's [`TimerId`]. About 32 octets per timer.
#[derive(Clone, Debug)]
pub struct TimerQueue<K> {
    heap: Vec<Entry>,
    slots: Vec<Slot<K>>,
    free: Vec<u32>,
}

/// What an owner keeps of a timer, running or not; belongs to one key for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TimerId(Option<NonZeroU32>);

#[derive(Clone, Copy, Debug)]
struct Entry {
    nanoseconds: u64,
    slot: u32,
}

#[derive(Clone, Debug)]
struct Slot<K> {
    key: Option<K>,
    position: u32,
}

impl<K> Default for TimerQueue<K> {
    fn default() -> Self {
        Self {
            heap: Vec::new(),
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<K: Copy + Ord> TimerQueue<K> {
    /// Starts the timer of this key, or moves it if it runs.
    pub fn start(&mut self, id: &mut TimerId, key: K, deadline: Timestamp) {
        let nanoseconds = deadline.nanoseconds();
        if let Some(position) = self.position(*id, key) {
            self.heap[position].nanoseconds = nanoseconds;
            self.settle(position);
            return;
        }
        let slot = self.claim_slot(key);
        *id = TimerId::of_slot(slot);
        self.heap.push(Entry { nanoseconds, slot });
        self.sift_up(self.heap.len() - 1);
    }

    /// Stops the timer of this key, if it runs.
    pub fn stop(&mut self, id: &mut TimerId, key: K) {
        if let Some(position) = self.position(*id, key) {
            self.remove(position);
        }
        *id = TimerId::default();
    }

    /// When the timer of this key runs out, if it runs.
    pub fn deadline(&self, id: TimerId, key: K) -> Option<Timestamp> {
        self.position(id, key)
            .map(|position| timestamp(self.heap[position].nanoseconds))
    }

    /// When the first timer runs out.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.heap.first().map(|entry| timestamp(entry.nanoseconds))
    }

    /// Takes the first timer that has run out by `now`: its deadline and its key.
    pub fn pop(&mut self, now: Timestamp) -> Option<(Timestamp, K)> {
        let first = *self.heap.first()?;
        if first.nanoseconds > now.nanoseconds() {
            return None;
        }
        let key = self.remove(0)?;
        Some((timestamp(first.nanoseconds), key))
    }

    /// How many timers run.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether no timer runs.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Where in the heap the timer is. An id whose slot has gone to another key is not running.
    fn position(&self, id: TimerId, key: K) -> Option<usize> {
        let slot = self.slots.get(id.slot()?)?;
        (slot.key == Some(key)).then_some(slot.position as usize)
    }

    fn claim_slot(&mut self, key: K) -> u32 {
        let slot = Slot {
            key: Some(key),
            position: 0,
        };
        if let Some(free) = self.free.pop() {
            self.slots[free as usize] = slot;
            return free;
        }
        self.slots.push(slot);
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 timers fit into memory")
    }

    fn remove(&mut self, position: usize) -> Option<K> {
        let removed = self.heap.swap_remove(position);
        if position < self.heap.len() {
            self.settle(position);
        }
        self.free.push(removed.slot);
        self.slots[removed.slot as usize].key.take()
    }

    /// Moves the entry to where its deadline belongs.
    fn settle(&mut self, position: usize) {
        let position = self.sift_up(position);
        self.sift_down(position);
    }

    fn sift_up(&mut self, mut position: usize) -> usize {
        let entry = self.heap[position];
        while position > 0 {
            let parent = (position - 1) / ARITY;
            if !self.is_before(entry, self.heap[parent]) {
                break;
            }
            self.place(position, self.heap[parent]);
            position = parent;
        }
        self.place(position, entry);
        position
    }

    fn sift_down(&mut self, mut position: usize) {
        let entry = self.heap[position];
        loop {
            let first = position * ARITY + 1;
            let last = (first + ARITY).min(self.heap.len());
            let Some(child) = (first..last).reduce(|least, child| {
                if self.is_before(self.heap[child], self.heap[least]) {
                    child
                } else {
                    least
                }
            }) else {
                break;
            };
            if !self.is_before(self.heap[child], entry) {
                break;
            }
            self.place(position, self.heap[child]);
            position = child;
        }
        self.place(position, entry);
    }

    fn place(&mut self, position: usize, entry: Entry) {
        self.heap[position] = entry;
        self.slots[entry.slot as usize].position =
            u32::try_from(position).expect("fewer than 2^32 timers fit into memory");
    }

    /// By time; the key decides between equal times, so that the order never depends on history.
    fn is_before(&self, one: Entry, other: Entry) -> bool {
        if one.nanoseconds != other.nanoseconds {
            return one.nanoseconds < other.nanoseconds;
        }
        self.slots[one.slot as usize].key < self.slots[other.slot as usize].key
    }
}

impl TimerId {
    fn of_slot(slot: u32) -> Self {
        Self(NonZeroU32::new(slot.wrapping_add(1)))
    }

    fn slot(self) -> Option<usize> {
        self.0.map(|number| number.get() as usize - 1)
    }
}

fn timestamp(nanoseconds: u64) -> Timestamp {
    Timestamp(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp(Duration::from_millis(milliseconds))
    }

    #[test]
    fn timers_fire_by_time_and_then_by_key() {
        let mut queue = TimerQueue::default();
        let mut ids = [TimerId::default(); 4];
        for (key, deadline) in [(3, 5), (1, 5), (0, 9), (2, 1)] {
            queue.start(&mut ids[key], key, at(deadline));
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop(at(7))).collect();
        assert_eq!(order, [(at(1), 2), (at(5), 1), (at(5), 3)]);
        assert_eq!(queue.next_deadline(), Some(at(9)));
    }

    #[test]
    fn starting_a_running_timer_replaces_it() {
        let mut queue = TimerQueue::default();
        let mut id = TimerId::default();
        queue.start(&mut id, 'a', at(1));
        queue.start(&mut id, 'a', at(3));
        assert_eq!(queue.len(), 1);
        assert_eq!(queue.pop(at(2)), None);
        assert_eq!(queue.pop(at(3)), Some((at(3), 'a')));
        assert_eq!(queue.deadline(id, 'a'), None);
    }

    #[test]
    fn a_stale_id_touches_nobody_else() {
        let mut queue = TimerQueue::default();
        let mut old = TimerId::default();
        let mut new = TimerId::default();
        queue.start(&mut old, 'a', at(1));
        assert_eq!(queue.pop(at(1)), Some((at(1), 'a')));
        queue.start(&mut new, 'b', at(2));
        queue.stop(&mut old, 'a');
        assert_eq!(queue.deadline(new, 'b'), Some(at(2)));
    }

    #[test]
    fn it_does_what_an_ordered_map_does() {
        let mut queue = TimerQueue::default();
        let mut ids = [TimerId::default(); 64];
        let mut model = BTreeMap::new();
        let mut random = 1_u64;
        let mut now = 0;
        for _ in 0..100_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let key = usize::try_from(random >> 58).unwrap();
            let delay = (random >> 40) % 50;
            match (random >> 32) % 4 {
                0 => {
                    queue.stop(&mut ids[key], key);
                    model.retain(|(_, other), ()| *other != key);
                }
                1 => {
                    now += delay / 10;
                    let expected = model.first_key_value().map(|(first, ())| *first);
                    let expected = expected.filter(|(deadline, _)| *deadline <= at(now));
                    assert_eq!(queue.pop(at(now)), expected);
                    if let Some(first) = expected {
                        model.remove(&first);
                    }
                }
                _ => {
                    queue.start(&mut ids[key], key, at(now + delay));
                    model.retain(|(_, other), ()| *other != key);
                    model.insert((at(now + delay), key), ());
                }
            }
            assert_eq!(queue.len(), model.len());
            assert_eq!(
                queue.next_deadline(),
                model.first_key_value().map(|((deadline, _), ())| *deadline)
            );
        }
    }
}
