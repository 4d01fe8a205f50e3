//! Registration (RFC 5352 §3.1): who may register what, and the answer.
//!
//! Must not know how a pool is kept: rules 1 to 3 on consistency are the handlespace's.

use super::event::Event;
use super::{Limit, Registrar};
use crate::{AssociationId, PeerAddress, SCTP_UDP_PORT, Transport};
use rserpool_handlespace::{ElementKey, RegisterError};
use rserpool_wire::asap::{Registration, RegistrationResponse};
use rserpool_wire::parameter::{
    ErrorCause, OperationError, PoolElement, SctpTransport, TransportUse, UserTransport,
};
use rserpool_wire::{PoolHandle, RegistrationLife};
use std::net::IpAddr;
use std::num::NonZeroU16;

impl Registrar {
    /// RFC 5352 §3.1: "the ENRP server MUST reply to the requesting PE" in all cases.
    pub(super) fn on_registration(&mut self, from: AssociationId, message: Registration) {
        let Registration {
            pool_handle,
            pool_element,
        } = message;
        let id = pool_element.id;
        self.forget_slow_element(from, &pool_handle, id);
        let result = self.register(from, &pool_handle, pool_element);
        if let Err(cause) = &result {
            self.counters.registrations_rejected += 1;
            self.emit(Event::RegistrationRejected {
                association: from,
                pool_handle: pool_handle.clone(),
                pool_element: id,
                cause: cause.clone(),
            });
        }
        let response = RegistrationResponse {
            pool_handle,
            pool_element: id,
            result: result
                .map(|warning| warning.map(OperationError::from))
                .map_err(|cause| Some(OperationError::from(cause))),
        };
        self.send(from, response);
    }

    /// The warning, if values were modified; or why the registration is rejected.
    fn register(
        &mut self,
        from: AssociationId,
        pool_handle: &PoolHandle,
        mut pool_element: PoolElement,
    ) -> Result<Option<ErrorCause>, ErrorCause> {
        let peer = &self.associations[&from].peer;
        // RFC 5352 §2.1: a pool element MUST use SCTP to speak to a registrar.
        if peer.transport != Transport::Sctp {
            return Err(ErrorCause::RejectedDueToSecurity);
        }
        self.config
            .compatibility
            .check(pool_handle, &pool_element)?;
        let stated = self.unconfirmed_of(from, &pool_element);
        stand_in(&mut pool_element, peer, &stated);
        let warning = check_values(&mut pool_element, peer, &stated)?;
        record_sender(&mut pool_element, peer);
        // Rule 4 (RFC 5352 §3.1): this registrar assigns itself the owner, whoever it was before.
        pool_element.home_registrar = Some(self.config.id);
        let known = self.handlespace.find(pool_handle, pool_element.id);
        let owner = known
            .and_then(|key| self.handlespace.element(key))
            .and_then(|element| element.data.association());
        if owner != Some(from) {
            self.check_owner(from, known, owner)?;
            self.check_home(from, known)?;
            self.check_room(from)?;
        }
        // Rules 1 to 3.
        self.add(from, pool_handle, &pool_element, known)
            .map_err(|error| self.cause_of(from, error))?;
        if let Some(key) = self.handlespace.find(pool_handle, pool_element.id) {
            self.keep_stated(from, key, stated);
        }
        if warning.is_some() {
            self.emit(Event::AddressesRemoved {
                pool_handle: pool_handle.clone(),
                pool_element: pool_element.id,
            });
        }
        Ok(warning)
    }

    /// Rule 4 lets ownership move: a pool element that restarted or reconnected registers over a
    /// new association while the old one still seems to be up. It is recognised by an address
    /// that both associations have. Anybody else who uses the identifier is another pool element
    /// (RFC 5354 §3.12.5); but the known one is asked at once whether it is still there.
    fn check_owner(
        &mut self,
        from: AssociationId,
        known: Option<ElementKey>,
        owner: Option<AssociationId>,
    ) -> Result<(), ErrorCause> {
        let Some(old) = owner.and_then(|owner| self.associations.get(&owner)) else {
            return Ok(());
        };
        let sender = &self.associations[&from].peer;
        if old.peer.addresses.iter().any(|own| sender.has(*own)) {
            return Ok(());
        }
        if let Some(key) = known {
            self.hasten_keep_alive(key);
        }
        Err(ErrorCause::NonUniquePoolElementIdentifier)
    }

    /// The same where the home is a live peer, which watches the pool element and does not let a
    /// stale one stay: whoever says to be it must have one of the addresses that its home
    /// recorded. Is the home not live, nobody vouches for the one that was known.
    fn check_home(&self, from: AssociationId, known: Option<ElementKey>) -> Result<(), ErrorCause> {
        let Some(key) = known.filter(|key| !self.is_own(*key)) else {
            return Ok(());
        };
        let element = self.handlespace.element(key);
        let home = element.and_then(|element| element.home);
        if home.is_some_and(|home| self.is_live(home)) && !self.is_recorded_sender(from, key) {
            return Err(ErrorCause::NonUniquePoolElementIdentifier);
        }
        Ok(())
    }

    /// Whether an association shares an address with the ASAP transport that was recorded for a
    /// pool element (rule 4).
    pub(super) fn is_recorded_sender(&self, from: AssociationId, key: ElementKey) -> bool {
        let Some(element) = self.handlespace.element(key) else {
            return false;
        };
        let recorded = element.encoded.decode().asap_transport;
        let peer = &self.associations[&from].peer;
        recorded.is_none_or(|recorded| recorded.addresses.iter().any(|one| peer.has(*one)))
    }

    fn check_room(&mut self, from: AssociationId) -> Result<(), ErrorCause> {
        let most = self.config.limits.elements_per_association_max;
        if self.associations[&from].pool_elements.len() < most {
            return Ok(());
        }
        self.count_limit(Limit::PoolElementsOfAssociation, Some(from));
        Err(ErrorCause::LackOfResources)
    }

    pub(super) fn cause_of(&mut self, from: AssociationId, error: RegisterError) -> ErrorCause {
        let limit = match error {
            RegisterError::InconsistentPolicy { pool } => {
                return ErrorCause::InconsistentPoolPolicy(Some(pool));
            }
            RegisterError::InconsistentTransportType { pool } => {
                return ErrorCause::InconsistentTransportType(Some(pool));
            }
            RegisterError::InconsistentTransportUse => {
                return ErrorCause::InconsistentDataControlConfiguration;
            }
            RegisterError::PoolHandleTooLong => Limit::PoolHandleOctets,
            RegisterError::ElementTooLong => Limit::PoolElementOctets,
            RegisterError::TooManyPools => Limit::Pools,
            RegisterError::TooManyElements => Limit::PoolElements,
            RegisterError::TooManyElementsInPool => Limit::PoolElementsOfPool,
        };
        self.count_limit(limit, Some(from));
        ErrorCause::LackOfResources
    }
}

/// Whoever states no address but such as are not confirmed yet is known by those at which it is
/// heard until then: it is there, and must not be turned away for what takes a moment.
fn stand_in(pool_element: &mut PoolElement, peer: &PeerAddress, unconfirmed: &[IpAddr]) {
    if let UserTransport::Sctp(sctp) = &mut pool_element.user_transport
        && !unconfirmed.is_empty()
        && !sctp.addresses.iter().any(|own| peer.has(*own))
    {
        sctp.addresses.clone_from(&peer.addresses);
    }
}

/// RFC 5352 §2.2.1: the addresses "MUST be a subset of the IP address(es) used in the SCTP
/// association, regardless of the registered transport protocol". What is not is taken out, with
/// a warning (§2.2.3); if nothing is left, the registration is rejected (rule 5). What the peer has
/// not confirmed yet is taken out without a warning: it comes in when it is.
fn check_values(
    pool_element: &mut PoolElement,
    peer: &PeerAddress,
    unconfirmed: &[IpAddr],
) -> Result<Option<ErrorCause>, ErrorCause> {
    let invalid = |pool_element: &PoolElement| {
        let mut octets = Vec::new();
        pool_element.encode_into(&mut octets);
        ErrorCause::InvalidValues(octets)
    };
    let is_sound = pool_element.registration_life != RegistrationLife::Seconds(0)
        && match &pool_element.user_transport {
            UserTransport::Sctp(sctp) => {
                sctp.port != 0 && sctp.addresses.iter().any(|own| peer.has(*own))
            }
            UserTransport::Tcp(tcp) => tcp.port != 0 && peer.has(tcp.address),
            UserTransport::Udp(udp) | UserTransport::UdpLite(udp) => {
                udp.port != 0 && peer.has(udp.address)
            }
            UserTransport::Dccp(dccp) => dccp.port != 0 && peer.has(dccp.address),
            // Only its pool users can read it.
            UserTransport::Opaque(_) => true,
        };
    if !is_sound {
        return Err(invalid(pool_element));
    }
    let is_partly_foreign = matches!(
        &pool_element.user_transport,
        UserTransport::Sctp(sctp)
            if !sctp.addresses.iter().all(|own| peer.has(*own) || unconfirmed.contains(own))
    );
    let warning = is_partly_foreign.then(|| invalid(pool_element));
    if let UserTransport::Sctp(sctp) = &mut pool_element.user_transport {
        sctp.addresses.retain(|own| peer.has(*own));
    }
    Ok(warning)
}

/// Rule 4 (RFC 5352 §3.1): "record the SCTP transport address from which it received the
/// ASAP_REGISTRATION in the ASAP Transport parameter".
pub(super) fn record_sender(pool_element: &mut PoolElement, peer: &PeerAddress) {
    pool_element.asap_transport = Some(SctpTransport {
        port: peer.port,
        transport_use: TransportUse::DATA_ONLY,
        addresses: peer.addresses.clone(),
    });
    pool_element.encapsulation_ports.asap = peer
        .udp_port
        .filter(|port| *port != SCTP_UDP_PORT)
        .and_then(NonZeroU16::new);
}
