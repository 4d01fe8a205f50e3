//! The one place where the handlespace changes, and where everybody who must know is told:
//! the element's timers, its association, subscribers, peers, the operator.
//!
//! Must not know why it changes: each procedure decides that in its own file.

use super::event::{Event, RemovalReason};
use super::unreachable::Reports;
use super::{Registrar, Timer, TimerId};
use crate::AssociationId;
use crate::address::CompactAssociationId;
use crate::timestamp::CompactTimestamp;
use rserpool_handlespace::{Change, ElementKey, RegisterError, Removed};
use rserpool_wire::parameter::{EncodedPoolElement, PoolElement};
use rserpool_wire::{PoolHandle, RegistrarId, RegistrationLife};

/// What the registrar keeps with each pool element.
#[derive(Clone, Debug)]
pub(super) struct ElementState {
    /// Over which it is registered; none if its home is a peer, or it has not been adopted yet.
    association: Option<CompactAssociationId>,
    /// Its latest sign of life, or when its home told of it last.
    pub(super) heard_at: CompactTimestamp,
    /// When the latest keep-alive was sent.
    pub(super) asked_at: Option<CompactTimestamp>,
    pub(super) keep_alive_timer: TimerId,
    pub(super) life_timer: TimerId,
    /// How many seconds the registrar had slept when the life timer was started.
    pub(super) slept: u32,
    /// The latest [table session](super::Registrar::table_session) that had begun when this was
    /// learnt from a peer.
    pub(super) learnt_in: u32,
    /// A keep-alive waits for its answer.
    pub(super) outstanding: bool,
    /// What few pool elements have; none most of the time.
    pub(super) rare: Option<Box<Rare>>,
}

/// What few pool elements have.
#[derive(Clone, Debug, Default)]
pub(super) struct Rare {
    /// Who says that it is unreachable.
    pub(super) reports: Reports,
    /// It as a registrar has it that is not its home, but says that it is.
    pub(super) claim: Option<EncodedPoolElement>,
    /// How often it has answered to this registrar what a peer claimed.
    pub(super) rebuttals: u32,
    /// It has registered here while a live peer was its home, perhaps before it went there, and
    /// given no sign of life since.
    pub(super) is_doubtful: bool,
}

impl ElementState {
    fn new(heard_at: CompactTimestamp) -> Self {
        Self {
            association: None,
            heard_at,
            asked_at: None,
            keep_alive_timer: TimerId::default(),
            life_timer: TimerId::default(),
            slept: 0,
            learnt_in: 0,
            outstanding: false,
            rare: None,
        }
    }

    /// Over which association it is registered.
    pub(super) fn association(&self) -> Option<AssociationId> {
        self.association.map(AssociationId::from)
    }

    pub(super) fn set_association(&mut self, association: AssociationId) {
        self.association = Some(association.into());
    }

    pub(super) fn take_association(&mut self) -> Option<AssociationId> {
        self.association.take().map(AssociationId::from)
    }
}

impl Registrar {
    /// Adds a pool element of this registrar's own, or replaces what is known of it.
    pub(super) fn add(
        &mut self,
        association: AssociationId,
        pool_handle: &PoolHandle,
        pool_element: &PoolElement,
        known: Option<ElementKey>,
    ) -> Result<(), RegisterError> {
        let mut state = self.known_state(known);
        let previous = state.association();
        state.set_association(association);
        let registered = self
            .handlespace
            .register(pool_handle, pool_element, state)?;
        let key = registered.key;
        if previous != Some(association) {
            self.move_between_associations(key, previous, association);
        }
        self.start_registration_life(key, pool_element.registration_life);
        if previous.is_none() {
            self.start_keep_alives(key);
        }
        let moved_from = previous.filter(|previous| *previous != association);
        match registered.change {
            Change::PoolCreated | Change::Added => {
                self.counters.registrations += 1;
                self.emit(Event::PoolElementRegistered {
                    pool_handle: pool_handle.clone(),
                    pool_element: pool_element.id,
                    association,
                    pool_created: registered.change == Change::PoolCreated,
                });
            }
            Change::Unchanged if previous == Some(association) => {
                self.on_sign_of_life(key);
                self.counters.reregistrations_unchanged += 1;
                // Peers that count what it was given begin anew too (RFC 5356 §5.2.2).
                if self.handlespace.counts_selections(key) {
                    self.announce_addition(key);
                }
                return Ok(());
            }
            Change::Updated { .. } | Change::Unchanged => {
                if registered.change != Change::Unchanged {
                    // Peers are told anyway.
                    self.take_claim(key);
                }
                self.on_sign_of_life(key);
                self.counters.reregistrations_changed += 1;
                self.emit(Event::PoolElementReregistered {
                    pool_handle: pool_handle.clone(),
                    pool_element: pool_element.id,
                    association,
                    moved_from,
                });
            }
        }
        self.note_move(key, association, registered.change);
        if registered.change != Change::Unchanged {
            self.subscriptions.on_change(self.now, pool_handle);
            self.announce_addition(key);
        }
        Ok(())
    }

    /// Adds a peer's pool element, or replaces what is known of it. If it was this registrar's
    /// own, it is not any longer.
    pub(super) fn add_foreign(
        &mut self,
        home: RegistrarId,
        pool_handle: &PoolHandle,
        pool_element: &EncodedPoolElement,
        known: Option<ElementKey>,
    ) -> Result<(), RegisterError> {
        let mut state = ElementState::new(self.now.into());
        state.learnt_in = self.table_session;
        if let Some(state_of_equal) = self.state_of_equal(known, pool_element) {
            // The same again: nobody's turn or degradation counter starts anew.
            *state_of_equal = state;
            return Ok(());
        }
        let previous_state = known.map(|_| self.known_state(known));
        let registered = self
            .handlespace
            .register_encoded(pool_handle, pool_element, state)?;
        if let Some(previous) = previous_state {
            self.release(registered.key, previous);
        }
        self.subscriptions.on_change(self.now, pool_handle);
        let event = match registered.change {
            Change::PoolCreated | Change::Added => Event::PoolElementLearnt {
                pool_handle: pool_handle.clone(),
                pool_element: pool_element.id(),
                home,
                pool_created: registered.change == Change::PoolCreated,
            },
            Change::Updated { previous_home } => Event::PoolElementChanged {
                pool_handle: pool_handle.clone(),
                pool_element: pool_element.id(),
                home,
                previous_home,
            },
            Change::Unchanged => return Ok(()),
        };
        self.emit(event);
        Ok(())
    }

    /// Removes a pool element, and its pool with the last one; unless a live peer claims it,
    /// which is its home then. `None` if it is still there, or was not.
    pub(super) fn remove(
        &mut self,
        key: ElementKey,
        reason: RemovalReason,
    ) -> Option<Removed<ElementState>> {
        let is_lost = matches!(
            reason,
            RemovalReason::AssociationLost | RemovalReason::SendFailed
        );
        if self.yield_to_claimant(key) || (is_lost && self.put_off_removal(key)) {
            return None;
        }
        let removed = self.handlespace.deregister(key)?;
        self.release(key, removed.data.clone());
        *self.counters.removals.entry(reason).or_default() += 1;
        self.subscriptions.on_change(self.now, &removed.pool_handle);
        self.emit(Event::PoolElementRemoved {
            pool_handle: removed.pool_handle.clone(),
            pool_element: removed.encoded.id(),
            reason,
            pool_removed: removed.pool_removed,
        });
        if removed.home == Some(self.config.id) {
            self.announce_removal(&removed);
        }
        Some(removed)
    }

    /// Whether a pool element is this registrar's own.
    pub(super) fn is_own(&self, key: ElementKey) -> bool {
        let element = self.handlespace.element(key);
        element.is_some_and(|element| element.home == Some(self.config.id))
    }

    /// Nothing of this registrar stays with a pool element that is gone or a peer's.
    fn release(&mut self, key: ElementKey, mut state: ElementState) {
        self.timers
            .stop(&mut state.keep_alive_timer, Timer::KeepAlive(key));
        self.timers
            .stop(&mut state.life_timer, Timer::RegistrationLife(key));
        let association = state.association();
        if let Some(owner) = association.and_then(|of| self.associations.get_mut(&of)) {
            owner.pool_elements.remove(&key);
            owner.forget_stated(key);
        }
    }

    fn known_state(&self, known: Option<ElementKey>) -> ElementState {
        let known = known.and_then(|key| self.handlespace.element(key));
        match known {
            Some(element) => element.data.clone(),
            None => ElementState::new(self.now.into()),
        }
    }

    /// What is kept with a foreign pool element, if it is the very same.
    fn state_of_equal(
        &mut self,
        known: Option<ElementKey>,
        pool_element: &EncodedPoolElement,
    ) -> Option<&mut ElementState> {
        let key = known?;
        let element = self.handlespace.element(key)?;
        if element.encoded != pool_element {
            return None;
        }
        self.handlespace.data_mut(key)
    }

    pub(super) fn move_between_associations(
        &mut self,
        key: ElementKey,
        from: Option<AssociationId>,
        to: AssociationId,
    ) {
        if let Some(old) = from.and_then(|from| self.associations.get_mut(&from)) {
            old.pool_elements.remove(&key);
            old.forget_stated(key);
        }
        if let Some(owner) = self.associations.get_mut(&to) {
            owner.pool_elements.insert(key);
        }
    }

    pub(super) fn start_registration_life(&mut self, key: ElementKey, life: RegistrationLife) {
        let now = self.now;
        let timer = Timer::RegistrationLife(key);
        let Some(state) = self.handlespace.data_mut(key) else {
            return;
        };
        state.slept = self.slept;
        match self.config.compatibility.duration(life) {
            Some(life) => self.timers.start(&mut state.life_timer, timer, now + life),
            None => self.timers.stop(&mut state.life_timer, timer),
        }
    }
}
