//! The two-call way of applications that keep their own sockets (RFC 5351 §4.1): which servers of
//! a pool have failed them lately.
//!
//! Must not know how servers are found, nor how an application talks to them.

use crate::Timestamp;
use rserpool_wire::PoolElementId;
use rserpool_wire::parameter::EncodedPoolElement;
use std::collections::VecDeque;
use std::time::Duration;

/// Servers that are remembered; the oldest is forgotten. Who has tried so many one after the other
/// has come to the end of its patience, or starts over.
pub const TRIED_MAX: usize = 64;

/// How long a server that has failed is not named again: long enough for a registrar to find out
/// (RFC 5352 §3.5), and short enough for one that has come back.
pub const TRIED_FOR: Duration = Duration::from_secs(30);

/// The servers of one pool that have failed an application, each since when.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TriedServers {
    tried: VecDeque<(PoolElementId, Timestamp)>,
}

impl TriedServers {
    /// A server has failed.
    pub fn add(&mut self, now: Timestamp, server: PoolElementId) {
        self.forget(now, server);
        if self.tried.len() >= TRIED_MAX {
            self.tried.pop_front();
        }
        self.tried.push_back((server, now));
    }

    /// Whether a server has failed less than [`TRIED_FOR`] ago.
    pub fn contains(&self, now: Timestamp, server: PoolElementId) -> bool {
        let mut tried = self.tried.iter();
        tried.any(|&(id, at)| id == server && now.since(at) < TRIED_FOR)
    }

    /// The first of these, which are in the order of the pool's policy, that has not failed.
    pub fn first_untried<'a>(
        &self,
        now: Timestamp,
        servers: &'a [EncodedPoolElement],
    ) -> Option<&'a EncodedPoolElement> {
        let mut servers = servers.iter();
        servers.find(|server| !self.contains(now, server.id()))
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.tried.len()
    }

    /// Whether none has failed.
    pub fn is_empty(&self) -> bool {
        self.tried.is_empty()
    }

    fn forget(&mut self, now: Timestamp, server: PoolElementId) {
        self.tried
            .retain(|&(id, at)| id != server && now.since(at) < TRIED_FOR);
    }
}
