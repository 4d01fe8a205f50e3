//! The one place where the handlespace changes, and where everybody who must know is told:
//! the element's timers, its association, subscribers, the operator.
//!
//! Must not know why it changes: each procedure decides that in its own file.

use super::event::{Event, RemovalReason};
use super::unreachable::Reports;
use super::{Registrar, Timer, TimerId};
use crate::AssociationId;
use crate::timestamp::CompactTimestamp;
use rserpool_handlespace::{Change, ElementKey, RegisterError, Removed};
use rserpool_wire::parameter::PoolElement;
use rserpool_wire::{PoolHandle, RegistrationLife};
use std::time::Duration;

/// What the registrar keeps with each pool element.
#[derive(Clone, Debug)]
pub(super) struct ElementState {
    /// Over which it is registered.
    pub(super) association: AssociationId,
    /// Its latest sign of life.
    pub(super) heard_at: CompactTimestamp,
    /// When the latest keep-alive was sent.
    pub(super) asked_at: Option<CompactTimestamp>,
    pub(super) keep_alive_timer: TimerId,
    pub(super) life_timer: TimerId,
    /// How many seconds the registrar had slept when the life timer was started.
    pub(super) slept: u32,
    /// A keep-alive waits for its answer.
    pub(super) outstanding: bool,
    /// Who says that it is unreachable; none most of the time.
    pub(super) reports: Option<Box<Reports>>,
}

impl Registrar {
    /// Adds a pool element or replaces what is known of it.
    pub(super) fn add(
        &mut self,
        association: AssociationId,
        pool_handle: &PoolHandle,
        pool_element: &PoolElement,
        known: Option<ElementKey>,
    ) -> Result<(), RegisterError> {
        let state = self.state_for(association, known);
        let moved_from = known
            .and_then(|key| self.handlespace.element(key))
            .map(|element| element.data.association)
            .filter(|old| *old != association);
        let registered = self
            .handlespace
            .register(pool_handle, pool_element, state)?;
        let key = registered.key;
        if let Some(old) = moved_from.and_then(|old| self.associations.get_mut(&old)) {
            old.pool_elements.remove(&key);
        }
        let is_new_here = known.is_none() || moved_from.is_some();
        if let Some(owner) = self
            .associations
            .get_mut(&association)
            .filter(|_| is_new_here)
        {
            owner.pool_elements.insert(key);
        }
        self.start_registration_life(key, pool_element.registration_life);
        match registered.change {
            Change::PoolCreated | Change::Added => {
                self.start_keep_alives(key);
                self.counters.registrations += 1;
                self.subscriptions.on_change(self.now, pool_handle);
                self.emit(Event::PoolElementRegistered {
                    pool_handle: pool_handle.clone(),
                    pool_element: pool_element.id,
                    association,
                    pool_created: registered.change == Change::PoolCreated,
                });
            }
            Change::Unchanged if moved_from.is_none() => {
                self.on_sign_of_life(key);
                self.counters.reregistrations_unchanged += 1;
            }
            Change::Updated { .. } | Change::Unchanged => {
                self.on_sign_of_life(key);
                self.counters.reregistrations_changed += 1;
                if registered.change != Change::Unchanged {
                    self.subscriptions.on_change(self.now, pool_handle);
                }
                self.emit(Event::PoolElementReregistered {
                    pool_handle: pool_handle.clone(),
                    pool_element: pool_element.id,
                    association,
                    moved_from,
                });
            }
        }
        Ok(())
    }

    /// Removes a pool element, and its pool with the last one.
    pub(super) fn remove(
        &mut self,
        key: ElementKey,
        reason: RemovalReason,
    ) -> Option<Removed<ElementState>> {
        let mut removed = self.handlespace.deregister(key)?;
        let state = &mut removed.data;
        self.timers
            .stop(&mut state.keep_alive_timer, Timer::KeepAlive(key));
        self.timers
            .stop(&mut state.life_timer, Timer::RegistrationLife(key));
        if let Some(owner) = self.associations.get_mut(&state.association) {
            owner.pool_elements.remove(&key);
        }
        *self.counters.removals.entry(reason).or_default() += 1;
        self.subscriptions.on_change(self.now, &removed.pool_handle);
        self.emit(Event::PoolElementRemoved {
            pool_handle: removed.pool_handle.clone(),
            pool_element: removed.encoded.id(),
            reason,
            pool_removed: removed.pool_removed,
        });
        Some(removed)
    }

    fn state_for(&self, association: AssociationId, known: Option<ElementKey>) -> ElementState {
        let known = known.and_then(|key| self.handlespace.element(key));
        match known {
            Some(element) => ElementState {
                association,
                ..element.data.clone()
            },
            None => ElementState {
                association,
                heard_at: self.now.into(),
                asked_at: None,
                keep_alive_timer: TimerId::default(),
                life_timer: TimerId::default(),
                slept: 0,
                outstanding: false,
                reports: None,
            },
        }
    }

    fn start_registration_life(&mut self, key: ElementKey, life: RegistrationLife) {
        let now = self.now;
        let timer = Timer::RegistrationLife(key);
        let Some(state) = self.handlespace.data_mut(key) else {
            return;
        };
        state.slept = self.slept;
        match life {
            RegistrationLife::Seconds(seconds) => {
                let life = Duration::from_secs(u64::from(seconds));
                self.timers.start(&mut state.life_timer, timer, now + life);
            }
            RegistrationLife::Infinite => self.timers.stop(&mut state.life_timer, timer),
        }
    }
}
