//! Who is a pool element's home: takeovers, adoptions, and what two registrars claim.
//!
//! Must not know why a home changes.

use super::Registrar;
use super::event::Event;
use super::handlespace_change::Rare;
use crate::AssociationId;
use rserpool_handlespace::{Change, ElementKey};
use rserpool_wire::RegistrarId;
use rserpool_wire::parameter::EncodedPoolElement;

/// A pool element that answers two registrars as often as this belongs to the one with the
/// greater identifier: they must not contradict each other for ever.
const REBUTTALS_MAX: u32 = 3;

impl Registrar {
    /// All pool elements of one registrar get another one as their home, in one step. If it is
    /// this one, they are its own without an association until they are [adopted](Self::adopt):
    /// neither their keep-alives nor their registration lives run.
    pub(super) fn rehome(&mut self, from: RegistrarId, to: RegistrarId) -> Vec<ElementKey> {
        let learnt_in = self.table_session;
        self.handlespace.rehome(from, to, |_, state| {
            state.learnt_in = learnt_in;
        })
    }

    /// A pool element that is this registrar's own without an association answers over this one:
    /// from now on it is watched like any other. False if it is not such a pool element.
    pub(super) fn adopt(&mut self, key: ElementKey, association: AssociationId) -> bool {
        if !self.is_to_be_adopted(key) || !self.associations.contains_key(&association) {
            return false;
        }
        let Some(element) = self.handlespace.element(key) else {
            return false;
        };
        let life = element.registration_life;
        if let Some(state) = self.handlespace.data_mut(key) {
            state.set_association(association);
        }
        self.move_between_associations(key, None, association);
        self.on_sign_of_life(key);
        self.start_registration_life(key, life);
        self.start_keep_alives(key);
        true
    }

    /// Whether a pool element is this registrar's own and has no association yet.
    pub(super) fn is_to_be_adopted(&self, key: ElementKey) -> bool {
        let element = self.handlespace.element(key);
        element.is_some_and(|element| {
            element.home == Some(self.config.id) && element.data.association().is_none()
        })
    }

    /// A peer says that it is the home of a pool element that another live registrar is known to
    /// be the home of. Nothing moves before that one gives up; if it is this one, it asks.
    pub(super) fn claim(
        &mut self,
        key: ElementKey,
        claimant: RegistrarId,
        pool_element: &EncodedPoolElement,
    ) {
        let is_own = self.is_own(key);
        let Some(state) = self.handlespace.data_mut(key) else {
            return;
        };
        let rare = state.rare.get_or_insert_default();
        let previous = rare.claim.replace(pool_element.clone());
        if !is_own {
            return;
        }
        if rare.rebuttals >= REBUTTALS_MAX && claimant > self.config.id {
            self.yield_to_claimant(key);
            return;
        }
        self.hasten_keep_alive(key);
        let is_new = previous.and_then(|claim| claim.home_registrar()) != Some(claimant);
        if is_new && let Some(element) = self.handlespace.element(key) {
            let event = Event::OwnershipContested {
                pool_handle: element.pool_handle.clone(),
                pool_element: element.id,
                claimant,
            };
            self.emit(event);
        }
    }

    /// A pool element has registered here while a peer was its home. If that is live, and the pool
    /// element had registered over this association before, the message may have been long on its
    /// way, and the peer contradict: who looks for another home has a new association with it.
    pub(super) fn note_move(&mut self, key: ElementKey, from: AssociationId, change: Change) {
        let Some(association) = self.associations.get_mut(&from) else {
            return;
        };
        let is_first = !std::mem::replace(&mut association.has_registered, true);
        let Change::Updated {
            previous_home: Some(previous),
        } = change
        else {
            return;
        };
        if !is_first
            && previous != self.config.id
            && self.is_live(previous)
            && let Some(state) = self.handlespace.data_mut(key)
        {
            state.rare.get_or_insert_default().is_doubtful = true;
        }
    }

    pub(super) fn is_doubtful(&self, key: ElementKey) -> bool {
        let element = self.handlespace.element(key);
        let rare = element.and_then(|element| element.data.rare.as_ref());
        rare.is_some_and(|rare| rare.is_doubtful)
    }

    /// A pool element of this registrar's own has given a sign of life: if a peer claimed it, all
    /// are told that it is here. Reports that it is unreachable are void.
    pub(super) fn rebut_claim(&mut self, key: ElementKey, rare: &Rare) {
        let rebuttals = match &rare.claim {
            Some(_) => rare.rebuttals.saturating_add(1),
            None => rare.rebuttals.saturating_sub(1),
        };
        if let Some(state) = self.handlespace.data_mut(key).filter(|_| rebuttals > 0) {
            let rare = Rare {
                rebuttals,
                ..Rare::default()
            };
            state.rare = Some(Box::new(rare));
        }
        if rare.claim.is_some() {
            self.announce_addition(key);
        }
    }

    /// The home of a pool element gives it up: if a live peer claims it, it is that one's.
    pub(super) fn yield_to_claimant(&mut self, key: ElementKey) -> bool {
        let Some(claim) = self.take_claim(key) else {
            return false;
        };
        let Some(claimant) = claim.home_registrar().filter(|home| self.is_live(*home)) else {
            return false;
        };
        let Some(element) = self.handlespace.element(key) else {
            return false;
        };
        let pool_handle = element.pool_handle.clone();
        self.add_foreign(claimant, &pool_handle, &claim, Some(key))
            .is_ok()
    }

    /// The home of a pool element, or a pool element itself, says where it belongs: what others
    /// claim is void. True if there was such a claim.
    pub(super) fn take_claim(&mut self, key: ElementKey) -> Option<EncodedPoolElement> {
        let state = self.handlespace.data_mut(key)?;
        state.rare.as_mut()?.claim.take()
    }
}
