//! What applications have not taken, of all associations of a node, those that have ended too.
//!
//! Must not know what an association is: it counts queues.

use crate::connection::{Queue, Sink, lock};
use rserpool_core::AssociationId;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, Weak};

/// Default of what may wait for an application over all associations, in octets: sixteen of them
/// that do not read at all, and still a fraction of what a server has.
pub const UNREAD_OCTETS_MAX: usize = 256 << 20;

/// Queues that are gone are looked for when there are twice as many as at the last time, and this.
const PRUNE_AFTER: usize = 64;

pub(crate) struct Unread {
    octets_max: usize,
    /// By the address of the queue, which several associations of a session share one after the
    /// other.
    queues: BTreeMap<usize, Watched>,
    /// At least what waits. Counted upward only, until it would be too much.
    upper_bound: usize,
    prune_at: usize,
}

struct Watched {
    association: AssociationId,
    peer: SocketAddr,
    queue: Weak<Mutex<Queue>>,
}

/// Messages that were thrown away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Discarded {
    pub(crate) association: AssociationId,
    pub(crate) peer: SocketAddr,
    pub(crate) octets: usize,
}

impl Unread {
    pub(crate) fn new(octets_max: usize) -> Self {
        Self {
            octets_max,
            queues: BTreeMap::new(),
            upper_bound: 0,
            prune_at: PRUNE_AFTER,
        }
    }

    /// An association brings its messages to this queue from now on.
    pub(crate) fn watch(&mut self, association: AssociationId, peer: SocketAddr, sink: &Sink) {
        if self.queues.len() >= self.prune_at {
            self.queues
                .retain(|_, watched| watched.queue.strong_count() > 0);
            self.prune_at = 2 * self.queues.len() + PRUNE_AFTER;
        }
        let queue = sink.queue();
        let address = queue.as_ptr().addr();
        let watched = Watched {
            association,
            peer,
            queue,
        };
        self.queues.insert(address, watched);
    }

    /// A message waits.
    pub(crate) fn add(&mut self, octets: usize) {
        self.upper_bound = self.upper_bound.saturating_add(octets);
    }

    /// If there is too much: throws away what waits in one queue, the one that holds most. To be
    /// repeated. An eighth is made free, so that the queues are not counted for every message.
    pub(crate) fn shed(&mut self) -> Option<Discarded> {
        if self.upper_bound <= self.octets_max {
            return None;
        }
        let mut sum = 0;
        let mut greatest: Option<(usize, _, _)> = None;
        for watched in self.queues.values() {
            let Some(queue) = watched.queue.upgrade() else {
                continue;
            };
            let octets = lock(&queue).octets();
            sum += octets;
            if greatest.as_ref().is_none_or(|(most, ..)| octets > *most) {
                greatest = Some((octets, watched, queue));
            }
        }
        if sum <= self.octets_max / 8 * 7 {
            self.upper_bound = sum;
            return None;
        }
        let (octets, watched, queue) = greatest?;
        lock(&queue).discard();
        Some(Discarded {
            association: watched.association,
            peer: watched.peer,
            octets,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Incoming, Inlet, Received, inlet};

    const MIB: usize = 1 << 20;

    fn fill(unread: &mut Unread, sink: &Sink, octets: usize) {
        let data = vec![0; octets];
        let (stream, ppid) = (0, 0);
        assert!(sink.put(Incoming::Message(Received { data, stream, ppid })));
        unread.add(octets);
    }

    fn watched(unread: &mut Unread, number: u64) -> (Sink, Inlet) {
        let (sink, inlet) = inlet();
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        unread.watch(AssociationId(number), peer, &sink);
        (sink, inlet)
    }

    #[tokio::test]
    async fn the_fullest_queue_is_emptied_and_those_that_are_read_never() {
        let mut unread = Unread::new(8 * MIB);
        let (full, mut full_inlet) = watched(&mut unread, 1);
        let (half, mut half_inlet) = watched(&mut unread, 2);
        let (read, mut read_inlet) = watched(&mut unread, 3);
        fill(&mut unread, &half, 2 * MIB);
        for _ in 0..4 {
            fill(&mut unread, &full, MIB);
            for _ in 0..100 {
                fill(&mut unread, &read, MIB);
                assert!(read_inlet.recv().await.is_some());
                assert_eq!(unread.shed(), None);
            }
        }
        fill(&mut unread, &full, 2 * MIB);
        let discarded = unread.shed().unwrap();
        assert_eq!(discarded.association, AssociationId(1));
        assert!(discarded.octets > 6 * MIB);
        assert_eq!(unread.shed(), None);
        drop(full);
        assert!(full_inlet.recv().await.is_none());
        assert!(half_inlet.recv().await.is_some());
    }

    #[test]
    fn queues_of_ended_associations_count_until_they_are_dropped() {
        let mut unread = Unread::new(MIB);
        let (ended, ended_inlet) = watched(&mut unread, 1);
        fill(&mut unread, &ended, MIB - 4096);
        drop(ended);
        let (sink, _inlet) = watched(&mut unread, 2);
        fill(&mut unread, &sink, 8192);
        assert_eq!(unread.shed().unwrap().association, AssociationId(1));
        drop(ended_inlet);
        for number in 3..1000 {
            watched(&mut unread, number);
        }
        assert!(
            unread.queues.len() <= 2 * PRUNE_AFTER,
            "{}",
            unread.queues.len()
        );
    }
}
