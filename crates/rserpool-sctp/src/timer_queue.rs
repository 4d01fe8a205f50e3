//! When to look at which association next.
//!
//! One entry for each association, moved only when its deadline comes *earlier*. An association
//! whose deadline went to later is looked at once in vain and then queued anew. So a packet
//! that merely postpones a heartbeat costs nothing here.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::AssociationId;
use crate::time::Timestamp;

#[derive(Default)]
pub(crate) struct TimerQueue {
    by_time: BTreeSet<(Timestamp, AssociationId)>,
    by_association: BTreeMap<AssociationId, Timestamp>,
}

impl TimerQueue {
    /// Look at `association` at `deadline` at the latest.
    pub(crate) fn set(&mut self, association: AssociationId, deadline: Timestamp) {
        if let Some(queued) = self.by_association.get(&association) {
            if *queued <= deadline {
                return;
            }
            self.by_time.remove(&(*queued, association));
        }
        self.by_time.insert((deadline, association));
        self.by_association.insert(association, deadline);
    }

    pub(crate) fn remove(&mut self, association: AssociationId) {
        if let Some(queued) = self.by_association.remove(&association) {
            self.by_time.remove(&(queued, association));
        }
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(time, _)| *time)
    }

    /// Takes out one association whose time has come.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<AssociationId> {
        let (time, association) = *self.by_time.first()?;
        if time > now {
            return None;
        }
        self.remove(association);
        Some(association)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(millis: u64) -> Timestamp {
        Timestamp(Duration::from_millis(millis))
    }

    #[test]
    fn an_earlier_deadline_moves_the_entry_and_a_later_one_does_not() {
        let mut queue = TimerQueue::default();
        let one = AssociationId(1);
        queue.set(one, at(10));
        queue.set(one, at(20));
        assert_eq!(queue.next(), Some(at(10)));
        queue.set(one, at(5));
        assert_eq!(queue.next(), Some(at(5)));
        assert_eq!(queue.pop_due(at(4)), None);
        assert_eq!(queue.pop_due(at(5)), Some(one));
        assert_eq!((queue.next(), queue.by_association.len()), (None, 0));
    }
}
