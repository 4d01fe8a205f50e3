//! Dynamic updates (RFC 5352 §2.2.5) at the pool user's end.
//!
//! A registrar ends a subscription when the pool is gone, and may not accept it at all; the pool
//! user's own subscription stays: it is asked for again until it is accepted.
//! Must not know what else is asked of the registrar.

use super::cache::is_at_most;
use super::{Event, PoolUser, Timer};
use crate::random::around;
use rserpool_wire::PoolHandle;
use rserpool_wire::asap::{HandleResolution, Resolution};
use std::time::Duration;

/// The least mean time between two attempts to get a subscription accepted.
const RENEWAL_MIN: Duration = Duration::from_millis(500);

/// Updates of a pool are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Subscription {
    /// How many pool elements are wanted.
    pub(super) items: Option<u32>,
    /// The home registrar sends updates.
    is_accepted: bool,
    /// What the user was last told.
    told: Option<Option<Resolution>>,
}

impl PoolUser {
    /// Wants updates from now on; false if there are too many subscriptions.
    pub(super) fn start_subscription(
        &mut self,
        pool_handle: &PoolHandle,
        items: Option<u32>,
    ) -> bool {
        if let Some(subscription) = self.subscriptions.get_mut(pool_handle) {
            subscription.items = items;
            return true;
        }
        if self.subscriptions.len() >= self.config.limits.subscriptions_max {
            return false;
        }
        let subscription = Subscription {
            items,
            is_accepted: false,
            told: None,
        };
        self.subscriptions.insert(pool_handle.clone(), subscription);
        self.start_renewal(pool_handle.clone());
        true
    }

    /// A subscription that is there already, and for which as many pool elements are wanted now.
    pub(super) fn widen_subscription(&mut self, pool_handle: &PoolHandle, items: Option<u32>) {
        if let Some(subscription) = self.subscriptions.get_mut(pool_handle)
            && is_at_most(subscription.items, items)
        {
            subscription.items = items;
        }
    }

    /// A request without the S bit ends it at the registrar.
    pub(super) fn unsubscribe(&mut self, pool_handle: &PoolHandle) {
        let ended = self.subscriptions.remove(pool_handle);
        let timer = Timer::Renewal(pool_handle.clone());
        self.timers.stop(&timer);
        let was_accepted = ended.is_some_and(|subscription| subscription.is_accepted);
        if let Some(home) = self.home.as_ref().filter(|_| was_accepted) {
            let to = home.association;
            let message = HandleResolution {
                pool_handle: pool_handle.clone(),
                subscribe: false,
                items: Some(1),
            };
            self.outputs.send(to, message);
        }
    }

    /// Whether the cache is kept up to date by a registrar that is not in doubt.
    pub(super) fn gets_updates(&self, pool_handle: &PoolHandle) -> bool {
        let subscription = self.subscriptions.get(pool_handle);
        subscription.is_some_and(|subscription| subscription.is_accepted)
            && self.home.is_some()
            && !self.hunt.is_running()
    }

    /// The A bit of a response.
    pub(super) fn on_updates_accepted(&mut self, pool_handle: &PoolHandle, is_accepted: bool) {
        let Some(subscription) = self.subscriptions.get_mut(pool_handle) else {
            return;
        };
        subscription.is_accepted = is_accepted;
        if is_accepted {
            let timer = Timer::Renewal(pool_handle.clone());
            self.timers.stop(&timer);
        } else {
            self.start_renewal(pool_handle.clone());
        }
    }

    /// Tells the user how the pool is, if it is not as the user knows it.
    pub(super) fn tell_subscriber(
        &mut self,
        pool_handle: &PoolHandle,
        resolution: Option<Resolution>,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(pool_handle) else {
            return;
        };
        // A selection may have asked for more, and updates have as many since then.
        let wanted = subscription.items.map_or(usize::MAX, |items| {
            usize::try_from(items).unwrap_or(usize::MAX)
        });
        let resolution = resolution.map(|mut resolution| {
            resolution.pool_elements.truncate(wanted);
            resolution
        });
        if subscription.told.as_ref() == Some(&resolution) {
            return;
        }
        subscription.told = Some(resolution.clone());
        self.outputs.emit(Event::PoolUpdated {
            pool_handle: pool_handle.clone(),
            resolution,
        });
    }

    /// The home registrar is gone, and its updates with it.
    pub(super) fn on_updates_lost(&mut self) {
        for subscription in self.subscriptions.values_mut() {
            subscription.is_accepted = false;
        }
    }

    /// "upon change of Home ENRP server, the PU will need to re-send an ASAP_HANDLE_RESOLUTION
    /// message with the 'S' bit set to '1'" (RFC 5352 §2.2.5).
    pub(super) fn renew_subscriptions(&mut self) {
        self.on_updates_lost();
        let subscriptions = self.subscriptions.keys();
        let subscriptions: Vec<_> = subscriptions.cloned().collect();
        for pool_handle in subscriptions {
            self.fire_renewal(&pool_handle);
        }
    }

    /// Asks for updates again. A query that is under way asks for them too.
    pub(super) fn fire_renewal(&mut self, pool_handle: &PoolHandle) {
        let Some(subscription) = self.subscriptions.get(pool_handle) else {
            return;
        };
        let items = subscription.items;
        if !self.queries.contains_key(pool_handle) {
            self.send_handle_resolution(pool_handle, items);
        }
        self.start_renewal(pool_handle.clone());
    }

    fn start_renewal(&mut self, pool_handle: PoolHandle) {
        let timers = &self.config.timers;
        let mean = timers.stale_cache_value.max(timers.t1_enrp_request);
        let wait = around(&mut self.rng, mean.max(RENEWAL_MIN));
        self.timers
            .start(Timer::Renewal(pool_handle), self.now + wait);
    }
}
