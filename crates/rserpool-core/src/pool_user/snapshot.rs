//! What dashboards and `rsp status` read.

use super::PoolUser;
use super::resolution::Query;
use crate::{RegistrarAddress, Timestamp};
use rserpool_wire::PoolHandle;
use std::time::Duration;

/// A pool user's state at one time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// When: the latest call before.
    pub at: Timestamp,
    /// The home registrar.
    pub home: Option<RegistrarAddress>,
    /// A registrar is looked for, because there is none or because it does not answer.
    pub hunting: bool,
    /// The registrars that are known.
    pub registrars: Vec<RegistrarAddress>,
    /// Requests that wait for an answer.
    pub requests: usize,
    /// The pools in the cache, by pool handle.
    pub cache: Vec<CachedPoolSnapshot>,
    /// The pools subscribed to.
    pub subscriptions: Vec<PoolHandle>,
    /// Reports of unreachable pool elements that wait for a registrar.
    pub reports: usize,
    /// Timers that run.
    pub timers: usize,
    /// Messages that were discarded silently: from nobody in particular, or out of turn.
    pub discarded: u64,
    /// Announces that were not remembered because there were too many.
    pub announces_dropped: u64,
}

/// A pool in the cache.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CachedPoolSnapshot {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// How many pool elements are left of it.
    pub pool_elements: usize,
    /// How many are remembered because they were selected, or are avoided: of those that are gone,
    /// too.
    pub remembered: usize,
    /// How old it is.
    pub age: Duration,
}

impl PoolUser {
    pub(super) fn take_snapshot(&self) -> Snapshot {
        let cache = self.cache.iter().map(|(pool_handle, cached)| {
            let age = self.now.since(cached.received_at());
            CachedPoolSnapshot {
                pool_handle: pool_handle.clone(),
                pool_elements: cached.len(),
                remembered: cached.remembered(),
                age,
            }
        });
        Snapshot {
            at: self.now,
            home: self.home.as_ref().map(|home| home.address.clone()),
            hunting: self.hunt.is_running(),
            registrars: self.hunt.known().cloned().collect(),
            requests: self.queries.values().map(Query::waiting).sum(),
            cache: cache.collect(),
            subscriptions: self.subscriptions.keys().cloned().collect(),
            reports: self.reports.len(),
            timers: self.timers.len(),
            discarded: self.discarded,
            announces_dropped: self.hunt.announces_dropped(),
        }
    }
}
