//! Dynamic updates (RFC 5352 §2.2.5, §2.2.6): who asked with the S bit gets a new response
//! whenever the pool changes.
//!
//! The first change is sent at once. While changes go on, a pool's subscribers get one update per
//! `update_coalescing`; the last state is always sent. Nobody gets an update who did not ask.
//! Must not know what changes a pool.

use super::event::{Event, SubscriptionEnd};
use super::resolution::negative_answer;
use super::{Limit, Registrar};
use crate::{AssociationId, Timestamp};
use rserpool_handlespace::ResolveError;
use rserpool_wire::PoolHandle;
use rserpool_wire::asap::{HandleResolutionResponse, Resolution};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// Updates sent in one call: outputs are taken in between, so that they stay few however many
/// subscribers a pool has.
const UPDATES_PER_CALL_MAX: usize = 256;

/// All subscriptions.
#[derive(Clone, Debug, Default)]
pub(super) struct Subscriptions {
    pools: BTreeMap<PoolHandle, SubscribedPool>,
    /// When which pool's subscribers are to be told.
    due: BTreeSet<(Timestamp, PoolHandle)>,
    count: usize,
}

#[derive(Clone, Debug, Default)]
struct SubscribedPool {
    /// How many pool elements each wants.
    subscribers: BTreeMap<AssociationId, usize>,
    /// The entry in `due`, if there is one.
    due_at: Option<Timestamp>,
    /// Before this time, the next update waits.
    quiet_until: Timestamp,
    /// An update is being sent in portions; this subscriber was the last one told.
    told: Option<AssociationId>,
    /// The pool changed while an update was being sent.
    changed_meanwhile: bool,
}

impl Subscriptions {
    /// A pool has changed.
    pub(super) fn on_change(&mut self, now: Timestamp, pool_handle: &PoolHandle) {
        if self.pools.is_empty() {
            return;
        }
        let Some(pool) = self.pools.get_mut(pool_handle) else {
            return;
        };
        if pool.told.is_some() {
            pool.changed_meanwhile = true;
        } else if pool.due_at.is_none() {
            let due_at = pool.quiet_until.max(now);
            pool.due_at = Some(due_at);
            self.due.insert((due_at, pool_handle.clone()));
        }
    }

    /// When the next update is to be sent.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(due_at, _)| *due_at)
    }

    /// How many subscriptions there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// How many subscriptions of a pool there are.
    pub(super) fn len_of(&self, pool_handle: &PoolHandle) -> usize {
        let pool = self.pools.get(pool_handle);
        pool.map_or(0, |pool| pool.subscribers.len())
    }

    fn set_due(&mut self, pool_handle: &PoolHandle, due_at: Option<Timestamp>) {
        let Some(pool) = self.pools.get_mut(pool_handle) else {
            return;
        };
        if let Some(old) = std::mem::replace(&mut pool.due_at, due_at) {
            self.due.remove(&(old, pool_handle.clone()));
        }
        if let Some(due_at) = due_at {
            self.due.insert((due_at, pool_handle.clone()));
        }
    }

    /// Ends a subscription.
    pub(super) fn remove(&mut self, association: AssociationId, pool_handle: &PoolHandle) {
        let Some(pool) = self.pools.get_mut(pool_handle) else {
            return;
        };
        if pool.subscribers.remove(&association).is_some() {
            self.count -= 1;
        }
        if pool.subscribers.is_empty() {
            self.set_due(pool_handle, None);
            self.pools.remove(pool_handle);
        }
    }
}

impl Registrar {
    /// Starts dynamic updates; false if a limit forbids it (the A bit).
    pub(super) fn subscribe(
        &mut self,
        from: AssociationId,
        pool_handle: &PoolHandle,
        items: usize,
    ) -> bool {
        let limits = &self.config.limits;
        let Some(association) = self.associations.get_mut(&from) else {
            return false;
        };
        if !association.subscriptions.contains(pool_handle) {
            let limit = if self.subscriptions.count >= limits.subscriptions_max {
                Some(Limit::Subscriptions)
            } else if association.subscriptions.len() >= limits.subscriptions_per_association_max {
                Some(Limit::SubscriptionsOfAssociation)
            } else {
                None
            };
            if let Some(limit) = limit {
                self.count_limit(limit, Some(from));
                return false;
            }
            association.subscriptions.insert(pool_handle.clone());
            self.subscriptions.count += 1;
            self.emit(Event::SubscriptionStarted {
                association: from,
                pool_handle: pool_handle.clone(),
            });
        }
        let pools = &mut self.subscriptions.pools;
        let pool = pools.entry(pool_handle.clone()).or_default();
        pool.subscribers.insert(from, items);
        true
    }

    /// Ends dynamic updates, if there are any.
    pub(super) fn unsubscribe(
        &mut self,
        from: AssociationId,
        pool_handle: &PoolHandle,
        reason: SubscriptionEnd,
    ) {
        let association = self.associations.get_mut(&from);
        let subscribed =
            association.is_some_and(|association| association.subscriptions.remove(pool_handle));
        if !subscribed {
            return;
        }
        self.subscriptions.remove(from, pool_handle);
        self.emit(Event::SubscriptionEnded {
            association: from,
            pool_handle: pool_handle.clone(),
            reason,
        });
    }

    /// Sends the updates that are due, a portion of them if they are many.
    pub(super) fn send_due_updates(&mut self) {
        let mut budget = UPDATES_PER_CALL_MAX;
        while budget > 0 {
            let Some((due_at, pool_handle)) = self.subscriptions.due.first() else {
                return;
            };
            if *due_at > self.now {
                return;
            }
            let pool_handle = pool_handle.clone();
            budget -= self.send_updates(&pool_handle, budget);
        }
    }

    /// Tells at most `budget` subscribers of a pool how it is; how many it told, at least one.
    fn send_updates(&mut self, pool_handle: &PoolHandle, budget: usize) -> usize {
        let now = self.now;
        let coalescing = self.config.timers.update_coalescing;
        let Some(pool) = self.subscriptions.pools.get_mut(pool_handle) else {
            return 1;
        };
        let after = match pool.told {
            Some(told) => Bound::Excluded(told),
            None => {
                pool.quiet_until = now + coalescing;
                Bound::Unbounded
            }
        };
        let rest = pool.subscribers.range((after, Bound::Unbounded));
        let portion: Vec<_> = rest.take(budget).map(|(to, items)| (*to, *items)).collect();
        let is_last = portion.len() < budget;
        pool.told = portion.last().map(|(to, _)| *to).filter(|_| !is_last);
        let next = if !is_last {
            Some(now)
        } else if std::mem::take(&mut pool.changed_meanwhile) {
            Some(pool.quiet_until.max(now))
        } else {
            None
        };
        self.subscriptions.set_due(pool_handle, next);
        self.send_update_to(pool_handle, &portion);
        portion.len().max(1)
    }

    /// Equal requests get equal updates, which are made only once.
    fn send_update_to(&mut self, pool_handle: &PoolHandle, portion: &[(AssociationId, usize)]) {
        let mut made: Option<(usize, Result<Resolution, ResolveError>)> = None;
        for (to, items) in portion {
            let result = match &made {
                Some((made_for, result)) if made_for == items => result.clone(),
                Some(_) | None => {
                    let result = self.handlespace.peek(pool_handle, *items);
                    made = Some((*items, result.clone()));
                    result
                }
            };
            let pool_exists = result != Err(ResolveError::UnknownPool);
            self.counters.updates += 1;
            self.send(
                *to,
                HandleResolutionResponse {
                    pool_handle: pool_handle.clone(),
                    updates_accepted: pool_exists,
                    result: result.map_err(negative_answer),
                },
            );
            // RFC 5352 §2.2.5: no updates when the pool is created again.
            if !pool_exists {
                self.unsubscribe(*to, pool_handle, SubscriptionEnd::PoolRemoved);
            }
        }
    }
}
