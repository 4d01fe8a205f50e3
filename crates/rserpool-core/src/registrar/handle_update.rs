//! Handle updates (RFC 5353 §3.3): what changes at one registrar changes at all.
//!
//! Must not know why it changed.

use super::Registrar;
use super::event::{Event, RemovalReason, UpdateRefusal};
use super::handlespace_change::ElementState;
use rserpool_handlespace::{ElementKey, RegisterError, Removed};
use rserpool_wire::enrp::{HandleUpdate, Message, UpdateAction};
use rserpool_wire::parameter::EncodedPoolElement;
use rserpool_wire::{PoolHandle, RegistrarId};

impl Registrar {
    /// RFC 5353 §3.3.1: "an ENRP server MUST announce this update to all its peers in a
    /// ENRP_HANDLE_UPDATE message with the Update Action field set to 'ADD_PE'".
    pub(super) fn announce_addition(&mut self, key: ElementKey) {
        if self.peers.by_id.is_empty() {
            return;
        }
        if let Some(element) = self.handlespace.element(key) {
            let pool_handle = element.pool_handle.clone();
            let pool_element = element.encoded.clone();
            self.announce_update(UpdateAction::Add, pool_handle, pool_element);
        }
    }

    /// RFC 5353 §3.3.2: "An ENRP server MUST announce the PE removal to all its peers".
    pub(super) fn announce_removal(&mut self, removed: &Removed<ElementState>) {
        if self.peers.by_id.is_empty() {
            return;
        }
        let pool_handle = removed.pool_handle.clone();
        let pool_element = removed.encoded.clone();
        self.announce_update(UpdateAction::Delete, pool_handle, pool_element);
    }

    fn announce_update(
        &mut self,
        action: UpdateAction,
        pool_handle: PoolHandle,
        pool_element: EncodedPoolElement,
    ) {
        let message = Message::from(HandleUpdate {
            sender: self.config.id,
            // "leave the Receiving Server's ID blank"
            receiver: None,
            action,
            pool_handle,
            pool_element,
        });
        let peers = self.send_to_peers(&message);
        self.counters.handle_updates += u64::try_from(peers).unwrap_or(u64::MAX);
    }

    /// A peer tells of a pool element.
    pub(super) fn on_handle_update(&mut self, from: RegistrarId, message: HandleUpdate) {
        let HandleUpdate {
            action,
            pool_handle,
            pool_element,
            ..
        } = message;
        let result = match action {
            UpdateAction::Add => self.on_addition(from, &pool_handle, &pool_element),
            UpdateAction::Delete => self.on_removal(from, &pool_handle, &pool_element),
        };
        match result {
            Ok(()) => self.counters.handle_updates_received += 1,
            Err(reason) => {
                self.counters.handle_updates_refused += 1;
                self.emit(Event::UpdateRefused {
                    peer: from,
                    pool_handle,
                    pool_element: pool_element.id(),
                    reason,
                });
            }
        }
    }

    /// ADD_PE. Only the home itself says who a pool element's home is.
    fn on_addition(
        &mut self,
        from: RegistrarId,
        pool_handle: &PoolHandle,
        pool_element: &EncodedPoolElement,
    ) -> Result<(), UpdateRefusal> {
        if pool_element.home_registrar() != Some(from) {
            return Err(UpdateRefusal::NotItsHome);
        }
        self.check_claim(pool_handle, pool_element)?;
        let known = self.handlespace.find(pool_handle, pool_element.id());
        if let Some(key) = known.filter(|key| self.is_in_touch(*key)) {
            self.claim(key, from, pool_element);
            return Ok(());
        }
        if let Some(key) = known.filter(|key| self.is_same(*key, pool_element)) {
            self.handlespace.reregister_unchanged(key);
        }
        // Rules 1 to 3 (RFC 5353 §3.3.1).
        self.add_foreign(from, pool_handle, pool_element, known)
            .map_err(|error| refusal(&error))
    }

    fn is_same(&self, key: ElementKey, pool_element: &EncodedPoolElement) -> bool {
        let element = self.handlespace.element(key);
        element.is_some_and(|element| element.encoded == pool_element)
    }

    /// DEL_PE. Only the present home is believed: what a former one says comes late.
    fn on_removal(
        &mut self,
        from: RegistrarId,
        pool_handle: &PoolHandle,
        pool_element: &EncodedPoolElement,
    ) -> Result<(), UpdateRefusal> {
        // "If the peer fails to find the PE or the pool in its handlespace, it SHOULD take no
        // further actions."
        let Some(key) = self.handlespace.find(pool_handle, pool_element.id()) else {
            return Ok(());
        };
        let Some(element) = self.handlespace.element(key) else {
            return Ok(());
        };
        if element.home == Some(from) {
            self.remove(key, RemovalReason::RemovedByHome);
            return Ok(());
        }
        let rare = element.data.rare.as_ref();
        let claim = rare.and_then(|rare| rare.claim.as_ref());
        if claim.is_some_and(|claim| claim.home_registrar() == Some(from)) {
            self.take_claim(key);
            // Its claim was believed by all others; they have nothing now.
            if self.is_own(key) {
                self.announce_addition(key);
            }
            return Ok(());
        }
        Err(UpdateRefusal::NotItsHome)
    }

    /// Claims are kept as they came, so they are as limited as registrations.
    pub(super) fn check_claim(
        &self,
        pool_handle: &PoolHandle,
        pool_element: &EncodedPoolElement,
    ) -> Result<(), UpdateRefusal> {
        let most = self.config.limits.handlespace.element_octets_max;
        if pool_element.as_octets().len() > most {
            return Err(UpdateRefusal::NoRoom);
        }
        self.check_compatible(pool_handle, pool_element)
    }

    /// Whatever all of the scope cannot read is kept by nobody.
    pub(super) fn check_compatible(
        &self,
        pool_handle: &PoolHandle,
        pool_element: &EncodedPoolElement,
    ) -> Result<(), UpdateRefusal> {
        let compatibility = self.config.compatibility;
        if compatibility.is_rsplib() {
            let pool_element = pool_element.decode();
            // rsplib reads no pool element in ENRP that does not say where it speaks ASAP.
            let is_readable = pool_element.asap_transport.is_some()
                && compatibility.check(pool_handle, &pool_element).is_ok();
            return is_readable.then_some(()).ok_or(UpdateRefusal::Incompatible);
        }
        Ok(())
    }

    /// Whether a pool element is this registrar's own and registered over an association that is
    /// up. Such a one is not given up because a peer says so.
    pub(super) fn is_in_touch(&self, key: ElementKey) -> bool {
        self.is_own(key) && !self.is_to_be_adopted(key)
    }
}

/// Why a peer's pool element is not taken.
pub(super) fn refusal(error: &RegisterError) -> UpdateRefusal {
    match error {
        RegisterError::InconsistentPolicy { .. }
        | RegisterError::InconsistentTransportType { .. }
        | RegisterError::InconsistentTransportUse => UpdateRefusal::Inconsistent,
        RegisterError::PoolHandleTooLong
        | RegisterError::ElementTooLong
        | RegisterError::TooManyPools
        | RegisterError::TooManyElements
        | RegisterError::TooManyElementsInPool => UpdateRefusal::NoRoom,
    }
}
