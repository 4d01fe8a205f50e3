//! Timers found by their key, for a machine that has few.
//!
//! Must not know what any timer is for.

use crate::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Timers by key, ordered by time and then by key. What [`TimerQueue`](crate::TimerQueue) does
/// for a hundred thousand, without identifiers to keep.
#[derive(Clone, Debug)]
pub(crate) struct KeyedTimers<K> {
    deadlines: BTreeMap<K, Timestamp>,
    order: BTreeSet<(Timestamp, K)>,
}

impl<K> Default for KeyedTimers<K> {
    fn default() -> Self {
        Self {
            deadlines: BTreeMap::new(),
            order: BTreeSet::new(),
        }
    }
}

impl<K: Clone + Ord> KeyedTimers<K> {
    /// Starts the timer, or moves it if it runs.
    pub(crate) fn start(&mut self, key: K, deadline: Timestamp) {
        self.stop(&key);
        self.deadlines.insert(key.clone(), deadline);
        self.order.insert((deadline, key));
    }

    /// Stops the timer, if it runs.
    pub(crate) fn stop(&mut self, key: &K) {
        if let Some(deadline) = self.deadlines.remove(key) {
            self.order.remove(&(deadline, key.clone()));
        }
    }

    /// Stops all timers.
    pub(crate) fn clear(&mut self) {
        self.deadlines.clear();
        self.order.clear();
    }

    /// How many run.
    pub(crate) fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// When this timer runs out, if it runs.
    pub(crate) fn deadline(&self, key: &K) -> Option<Timestamp> {
        self.deadlines.get(key).copied()
    }

    /// When the first timer runs out.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.order.first().map(|(deadline, _)| *deadline)
    }

    /// Takes the first timer that has run out by `now`.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<K> {
        let (_, key) = self
            .order
            .first()
            .filter(|(deadline, _)| *deadline <= now)?;
        let key = key.clone();
        self.stop(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_restarted_timer_fires_once_and_a_stopped_one_never() {
        let at = |seconds| Timestamp(Duration::from_secs(seconds));
        let mut timers = KeyedTimers::default();
        timers.start('b', at(1));
        timers.start('b', at(3));
        timers.start('a', at(3));
        timers.start('c', at(2));
        timers.stop(&'c');
        assert_eq!(timers.next_deadline(), Some(at(3)));
        assert_eq!(timers.pop(at(2)), None);
        let fired: Vec<_> = std::iter::from_fn(|| timers.pop(at(3))).collect();
        assert_eq!(fired, ['a', 'b']);
        assert_eq!(timers.deadline(&'a'), None);
    }
}
