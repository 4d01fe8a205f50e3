//! The cache of resolutions (RFC 5352 §3.3, C1 to C4).
//!
//! Must not know registrars: it is told what they say.

use crate::Timestamp;
use rand_core::Rng;
use rserpool_handlespace::UserPool;
use rserpool_wire::asap::Resolution;
use rserpool_wire::parameter::{EncodedPoolElement, Policy};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Pool elements of one pool that were selected and may be reported; the oldest is forgotten.
pub const USED_MAX: usize = 256;

/// Pool elements of one pool that were reported and are avoided; the oldest is forgotten.
pub const SUSPECTS_MAX: usize = 64;

/// The last resolution of each pool, as long as there is room, however old: when no registrar
/// answers, an old one is better than none.
#[derive(Debug)]
pub(super) struct Cache {
    pools: BTreeMap<PoolHandle, CachedPool>,
    pools_max: usize,
    uses: u64,
}

#[derive(Debug)]
pub(super) struct CachedPool {
    policy: Policy,
    pool: UserPool,
    received_at: Timestamp,
    /// How many pool elements were asked for; `None`: as many as the registrar liked.
    asked: Option<u32>,
    /// How many there were.
    received: usize,
    /// Selected, and not reported since.
    used: VecDeque<PoolElementId>,
    /// Reported or left, and until when they are avoided.
    suspects: VecDeque<(PoolElementId, Timestamp)>,
    last_use: u64,
}

impl Cache {
    pub(super) fn new(pools_max: usize) -> Self {
        Self {
            pools: BTreeMap::new(),
            pools_max,
            uses: 0,
        }
    }

    /// A registrar's answer takes the place of what was known.
    pub(super) fn insert(
        &mut self,
        now: Timestamp,
        pool_handle: &PoolHandle,
        resolution: &Resolution,
        asked: Option<u32>,
    ) {
        self.uses += 1;
        if let Some(cached) = self.pools.get_mut(pool_handle) {
            cached.replace(now, resolution, asked);
            cached.last_use = self.uses;
            return;
        }
        self.make_room();
        let mut cached = CachedPool {
            policy: resolution.policy.clone(),
            pool: UserPool::new(resolution),
            received_at: now,
            asked,
            received: resolution.pool_elements.len(),
            used: VecDeque::new(),
            suspects: VecDeque::new(),
            last_use: self.uses,
        };
        cached.pool.set_part(!cached.has_all());
        self.pools.insert(pool_handle.clone(), cached);
    }

    pub(super) fn get_mut(&mut self, pool_handle: &PoolHandle) -> Option<&mut CachedPool> {
        self.uses += 1;
        let cached = self.pools.get_mut(pool_handle)?;
        cached.last_use = self.uses;
        Some(cached)
    }

    /// Whether pool elements of it have been selected, so that who uses them may need others.
    pub(super) fn is_selected_from(&self, pool_handle: &PoolHandle) -> bool {
        let cached = self.pools.get(pool_handle);
        cached.is_some_and(|cached| !cached.used.is_empty() || !cached.suspects.is_empty())
    }

    /// The pool is no more, or its pool elements are not to be used.
    pub(super) fn remove(&mut self, pool_handle: &PoolHandle) {
        self.pools.remove(pool_handle);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&PoolHandle, &CachedPool)> {
        self.pools.iter()
    }

    /// Drops the pool that was used longest ago, if there is no room for one more.
    fn make_room(&mut self) {
        if self.pools.len() < self.pools_max.max(1) {
            return;
        }
        let oldest = self.pools.iter().min_by_key(|(_, cached)| cached.last_use);
        if let Some(oldest) = oldest.map(|(pool_handle, _)| pool_handle.clone()) {
            self.pools.remove(&oldest);
        }
    }
}

impl CachedPool {
    /// Whether it is not older than this (C2).
    pub(super) fn is_fresh(&self, now: Timestamp, stale_cache_value: Duration) -> bool {
        now.since(self.received_at) < stale_cache_value
    }

    /// Whether a pool element that was reported has been avoided long enough: if the registrar
    /// still has it, it is to be selected again.
    pub(super) fn has_pardoned(&self, now: Timestamp) -> bool {
        self.suspects.iter().any(|(_, until)| *until <= now)
    }

    /// Whether it can answer for so many pool elements.
    pub(super) fn suffices(&self, items: Option<u32>) -> bool {
        self.has_all() || is_at_most(items, self.asked)
    }

    /// Whether a registrar has told all pool elements, as far as its own limits let it.
    fn has_all(&self) -> bool {
        match self.asked {
            None => true,
            Some(asked) => self.received < usize::try_from(asked).unwrap_or(usize::MAX),
        }
    }

    /// Whether another answer should be had before the next selection; see
    /// [`UserPool::is_spent`].
    pub(super) fn is_spent(&self) -> bool {
        self.pool.is_spent()
    }

    /// The pool elements that are left.
    pub(super) fn resolution(&self, items: Option<u32>) -> Option<Resolution> {
        if self.pool.is_empty() {
            return None;
        }
        let items = items.map_or(usize::MAX, |items| {
            usize::try_from(items).unwrap_or(usize::MAX)
        });
        let pool_elements = self.pool.elements().iter().take(items.max(1));
        Some(Resolution {
            policy: self.policy.clone(),
            pool_elements: pool_elements.cloned().collect(),
        })
    }

    /// One pool element, as the pool user's side of the policy selects it.
    pub(super) fn select(&mut self, rng: &mut impl Rng) -> Option<EncodedPoolElement> {
        let id = self.pool.select(rng)?;
        if !self.used.contains(&id) {
            if self.used.len() >= USED_MAX {
                self.used.pop_front();
            }
            self.used.push_back(id);
        }
        self.pool.element(id).cloned()
    }

    /// A pool element does not work: it is not selected again until a later resolution has it,
    /// and for some time only if there is no other. False if it was never given to the user, or
    /// has been reported since (RFC 5352 §3.5: "no more than once each time").
    pub(super) fn report(&mut self, id: PoolElementId, avoided_until: Timestamp) -> bool {
        let was_used = self.used.contains(&id);
        self.used.retain(|used| *used != id);
        let was_listed = self.pool.remove(id);
        let is_news = was_used || was_listed;
        if is_news {
            self.suspect(id, avoided_until);
        }
        is_news
    }

    /// Another pool element is better for a while: as [`Self::report`], but it may still be
    /// reported.
    pub(super) fn avoid(&mut self, id: PoolElementId, avoided_until: Timestamp) {
        if self.pool.remove(id) {
            self.suspect(id, avoided_until);
        }
    }

    fn suspect(&mut self, id: PoolElementId, avoided_until: Timestamp) {
        self.suspects.retain(|(suspect, _)| *suspect != id);
        if self.suspects.len() >= SUSPECTS_MAX {
            self.suspects.pop_front();
        }
        self.suspects.push_back((id, avoided_until));
    }

    pub(super) fn len(&self) -> usize {
        self.pool.len()
    }

    /// Those that were selected, and those that are avoided.
    pub(super) fn remembered(&self) -> usize {
        self.used.len() + self.suspects.len()
    }

    pub(super) fn received_at(&self) -> Timestamp {
        self.received_at
    }

    fn replace(&mut self, now: Timestamp, resolution: &Resolution, asked: Option<u32>) {
        if self.policy.policy_type() == resolution.policy.policy_type() {
            self.pool.replace(resolution);
        } else {
            self.pool = UserPool::new(resolution);
        }
        self.policy = resolution.policy.clone();
        self.received_at = now;
        self.asked = asked;
        self.received = resolution.pool_elements.len();
        self.pool.set_part(!self.has_all());
        self.suspects.retain(|(_, until)| *until > now);
        for (suspect, _) in &self.suspects {
            if self.pool.len() > 1 {
                self.pool.remove(*suspect);
            }
        }
    }
}

/// Whether so many are no more than so many; `None` is as many as there are.
pub(super) fn is_at_most(items: Option<u32>, most: Option<u32>) -> bool {
    match (items, most) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(items), Some(most)) => items <= most,
    }
}
