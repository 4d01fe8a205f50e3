//! Which addresses of an association its peer has shown to have (RFC 9260 §5.4).
//!
//! What an INIT lists is a claim. Only an address that has answered a HEARTBEAT is told to others:
//! else a pool element could make all users of its pool send INITs to somebody else.
//!
//! Must not know how an address is confirmed.

use super::Registrar;
use super::association::{Association, endpoints};
use super::contact::address_of;
use super::registration::record_sender;
use crate::AssociationId;
use rserpool_handlespace::ElementKey;
use rserpool_wire::parameter::{PoolElement, UserTransport};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Addresses that a peer listed and has not confirmed.
#[derive(Clone, Default, Debug)]
pub(super) struct Unconfirmed {
    addresses: Vec<IpAddr>,
    /// Those of them that its pool elements registered.
    stated: BTreeMap<ElementKey, Vec<IpAddr>>,
}

impl Association {
    pub(super) fn forget_stated(&mut self, key: ElementKey) -> Vec<IpAddr> {
        let unconfirmed = self.unconfirmed.as_mut();
        let stated = unconfirmed.and_then(|unconfirmed| unconfirmed.stated.remove(&key));
        stated.unwrap_or_default()
    }
}

impl Registrar {
    /// The peer's addresses, all of them: those that it has confirmed, and those that it may.
    pub(super) fn on_peer_addresses(
        &mut self,
        association: AssociationId,
        confirmed: Vec<IpAddr>,
        unconfirmed: Vec<IpAddr>,
    ) {
        let Some(of) = self.associations.get_mut(&association) else {
            return;
        };
        if of.unconfirmed.is_some() || !unconfirmed.is_empty() {
            of.unconfirmed.get_or_insert_default().addresses = unconfirmed;
        }
        if of.peer.addresses == confirmed {
            return;
        }
        let before = address_of(&of.peer);
        of.peer.addresses = confirmed;
        let now = address_of(&of.peer);
        let pool_elements = of.pool_elements.clone();
        for endpoint in endpoints(&before) {
            if self.endpoints.get(&endpoint) == Some(&association) {
                self.endpoints.remove(&endpoint);
            }
        }
        for endpoint in endpoints(&now) {
            self.endpoints.insert(endpoint, association);
        }
        for key in pool_elements {
            self.add_confirmed(association, key);
        }
    }

    /// What a pool element registered and could not be told yet is told, as if it had registered
    /// again (RFC 5352 §3.1 rule 3).
    fn add_confirmed(&mut self, association: AssociationId, key: ElementKey) {
        let Some(element) = self.handlespace.element(key).filter(|_| self.is_own(key)) else {
            return;
        };
        let pool_handle = element.pool_handle.clone();
        let mut pool_element = element.encoded.decode();
        let Some(of) = self.associations.get_mut(&association) else {
            return;
        };
        let stated = of.forget_stated(key);
        let (shown, open): (Vec<_>, Vec<_>) = stated.into_iter().partition(|at| of.peer.has(*at));
        if !open.is_empty() {
            of.unconfirmed
                .get_or_insert_default()
                .stated
                .insert(key, open);
        }
        if let UserTransport::Sctp(sctp) = &mut pool_element.user_transport {
            // Loopback stood in for them, as nobody elsewhere reaches it.
            if shown.iter().any(|at| !at.is_loopback()) {
                sctp.addresses.retain(|at| !at.is_loopback());
            }
            sctp.addresses.extend(shown);
        }
        record_sender(&mut pool_element, &of.peer);
        if let Err(error) = self.add(association, &pool_handle, &pool_element, Some(key)) {
            // It stays as it is; the limit is told as for a registration.
            let _ = self.cause_of(association, error);
        }
    }

    /// Of the addresses that a pool element states, those that the peer has not confirmed yet.
    pub(super) fn unconfirmed_of(
        &self,
        association: AssociationId,
        pool_element: &PoolElement,
    ) -> Vec<IpAddr> {
        let UserTransport::Sctp(sctp) = &pool_element.user_transport else {
            return Vec::new();
        };
        let unconfirmed = self.associations[&association].unconfirmed.iter();
        let listed = unconfirmed.flat_map(|unconfirmed| unconfirmed.addresses.iter().copied());
        listed.filter(|at| sctp.addresses.contains(at)).collect()
    }

    /// Keeps for later what a registered pool element stated and could not be told.
    pub(super) fn keep_stated(
        &mut self,
        association: AssociationId,
        key: ElementKey,
        stated: Vec<IpAddr>,
    ) {
        let Some(of) = self.associations.get_mut(&association) else {
            return;
        };
        if stated.is_empty() {
            of.forget_stated(key);
        } else {
            of.unconfirmed
                .get_or_insert_default()
                .stated
                .insert(key, stated);
        }
    }
}
