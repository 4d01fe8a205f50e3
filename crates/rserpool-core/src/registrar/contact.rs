//! Contacts: addresses at which a peer is or may be, and when they are connected to.
//!
//! Must not know who is there.

use super::association::Association;
use super::presence::SHORTEST;
use super::{Limit, Output, Registrar, Remote, Timer, TimerId};
use crate::random::duration_between;
use crate::{AssociationId, PeerAddress, RegistrarAddress, SCTP_UDP_PORT, Timestamp, Transport};
use rserpool_wire::RegistrarId;
use std::time::Duration;

/// Attempts in a row that fail before a mere hint is forgotten: hints cost nothing to spoof.
const HINT_ATTEMPTS_MAX: u32 = 3;

/// Contacts per peer that the list has room for: besides peers there are those that may become
/// some.
const CONTACTS_PER_PEER: usize = 2;

/// For so long a peer that is gone is looked for in every heartbeat cycle,
const SOUGHT_OFTEN: Duration = Duration::from_secs(600);
/// and for so long ever less.
const SOUGHT_AT_ALL: Duration = Duration::from_secs(3600);

/// The first wait is this fraction of MAX-TIME-NO-RESPONSE; it doubles.
const FIRST_WAIT: u32 = 8;

/// Heartbeat cycles until an address is tried again whose registrar uses an identifier that is
/// not its own: most likely it is this registrar itself. One that the administrator named, and that
/// is not its own, is tried in each cycle.
const CONFLICT_PAUSE: u32 = 64;

/// Numbers contacts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct ContactId(u32);

/// An address at which a peer is or may be.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    pub(super) address: RegistrarAddress,
    /// The administrator named it: it is never forgotten.
    pub(super) is_static: bool,
    /// Who was there, the last time.
    pub(super) registrar: Option<RegistrarId>,
    pub(super) phase: Phase,
    timer: TimerId,
    /// Attempts in a row that failed.
    failures: u32,
    /// Since when all fail.
    failing_since: Option<Timestamp>,
    has_conflict: bool,
}

/// What is done about a contact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Who is there is connected. Timer, if it is static: whether that is still so.
    Idle,
    /// Being connected. Timer: it takes too long.
    Connecting,
    /// Timer: it is tried again.
    Waiting { since: Timestamp },
    /// Connected.
    Up(AssociationId),
}

impl Registrar {
    /// The contact at this address, new or known; none if there is no room for it.
    pub(super) fn contact_at(
        &mut self,
        address: &RegistrarAddress,
        is_static: bool,
    ) -> Option<ContactId> {
        if let Some(known) = self.find_contact(address) {
            return Some(known);
        }
        let max = self.config.limits.peers_max * CONTACTS_PER_PEER;
        if !is_static && self.peers.contacts.len() >= max {
            self.count_limit(Limit::Peers, None);
            return None;
        }
        let id = ContactId(self.peers.last_contact.0.wrapping_add(1));
        self.peers.last_contact = id;
        let contact = Contact {
            address: address.clone(),
            is_static,
            registrar: None,
            phase: Phase::Idle,
            timer: TimerId::default(),
            failures: 0,
            failing_since: None,
            has_conflict: false,
        };
        self.peers.contacts.insert(id, contact);
        Some(id)
    }

    pub(super) fn find_contact(&self, address: &RegistrarAddress) -> Option<ContactId> {
        let contacts = self.peers.contacts.iter();
        contacts
            .filter(|(_, contact)| is_same_endpoint(&contact.address, address))
            .map(|(id, _)| *id)
            .next()
    }

    /// Somebody says that a registrar is at this address.
    pub(super) fn on_hint(&mut self, address: &RegistrarAddress) {
        if !address.is_usable() || address.transport != Transport::Sctp {
            return;
        }
        let Some(id) = self.contact_at(address, false) else {
            return;
        };
        let patience = self.config.timers.max_time_no_response;
        let Some(contact) = self.peers.contacts.get(&id) else {
            return;
        };
        let is_due = match contact.phase {
            Phase::Idle => true,
            // A hint shortens the wait, but hints do not make a flood of attempts.
            Phase::Waiting { since } => !contact.has_conflict && self.now.since(since) >= patience,
            Phase::Connecting | Phase::Up(_) => false,
        };
        if is_due {
            self.connect_contact(id);
        }
    }

    /// Connects, unless who was there is connected.
    pub(super) fn connect_contact(&mut self, id: ContactId) {
        let timers = &self.config.timers;
        let too_long = timers
            .max_time_no_response
            .max(timers.peer_heartbeat_cycle / 2);
        let Some(contact) = self.peers.contacts.get_mut(&id) else {
            return;
        };
        if matches!(contact.phase, Phase::Connecting | Phase::Up(_)) || self.shutting_down {
            return;
        }
        let peer = contact.registrar.and_then(|id| self.peers.by_id.get(&id));
        let association = peer.and_then(|peer| peer.association);
        let up = association.and_then(|association| self.associations.get(&association));
        // Who was there may be elsewhere now, or an impostor: an address that the administrator
        // named is only left alone while the association itself leads there.
        let is_connected = |up: &Association| {
            !contact.is_static || is_same_endpoint(&address_of(&up.peer), &contact.address)
        };
        if up.is_some_and(is_connected) {
            return self.rest_contact(id);
        }
        contact.phase = Phase::Connecting;
        let to = Remote::Peer(contact.address.clone());
        let deadline = self.now + too_long;
        self.timers
            .start(&mut contact.timer, Timer::PeerContact(id), deadline);
        self.outputs.push_back(Output::Connect { to });
    }

    /// Who is there is connected, or sought otherwise.
    pub(super) fn rest_contact(&mut self, id: ContactId) {
        let Some(contact) = self.peers.contacts.get_mut(&id) else {
            return;
        };
        contact.phase = Phase::Idle;
        if contact.is_static {
            let deadline = self.now + self.config.timers.peer_heartbeat_cycle.max(SHORTEST);
            self.timers
                .start(&mut contact.timer, Timer::PeerContact(id), deadline);
        }
    }

    /// The wait is over, or an attempt takes too long: it is stopped and begun anew.
    pub(super) fn fire_peer_contact(&mut self, id: ContactId) {
        let Some(contact) = self.peers.contacts.get(&id) else {
            return;
        };
        if contact.phase != Phase::Connecting {
            return self.connect_contact(id);
        }
        let to = Remote::Peer(contact.address.clone());
        self.outputs.push_back(Output::StopConnecting { to });
        self.on_contact_failed(id);
    }

    /// A contact has been connected; none if it was not asked for.
    pub(super) fn on_contact_up(
        &mut self,
        address: &RegistrarAddress,
        association: AssociationId,
    ) -> Option<ContactId> {
        let (id, contact) = self.connecting_to(address)?;
        contact.phase = Phase::Up(association);
        let mut timer = std::mem::take(&mut contact.timer);
        self.timers.stop(&mut timer, Timer::PeerContact(id));
        Some(id)
    }

    /// The contact that is being connected under this address.
    fn connecting_to(&mut self, address: &RegistrarAddress) -> Option<(ContactId, &mut Contact)> {
        let mut contacts = self.peers.contacts.iter_mut();
        contacts
            .find(|(_, contact)| contact.phase == Phase::Connecting && contact.address == *address)
            .map(|(id, contact)| (*id, contact))
    }

    /// A contact could not be connected: who was there, the last time?
    pub(super) fn on_contact_refused(&mut self, address: &RegistrarAddress) -> Option<RegistrarId> {
        let (id, contact) = self.connecting_to(address)?;
        let registrar = contact.registrar;
        self.on_contact_failed(id);
        registrar
    }

    /// An attempt led to nobody: waits, or forgets.
    pub(super) fn on_contact_failed(&mut self, id: ContactId) {
        let now = self.now;
        let Some(contact) = self.peers.contacts.get_mut(&id) else {
            return;
        };
        contact.failures = contact.failures.saturating_add(1);
        let since = *contact.failing_since.get_or_insert(now);
        contact.phase = Phase::Waiting { since: now };
        let is_hint = contact.registrar.is_none();
        let is_hopeless = if is_hint {
            contact.failures >= HINT_ATTEMPTS_MAX
        } else {
            now.since(since) > SOUGHT_AT_ALL
        };
        let is_awaited = self.is_contact_of_peer(id);
        if is_hopeless && !is_awaited && !self.is_static(id) {
            return self.forget_contact(id);
        }
        self.start_contact_wait(id);
    }

    /// Doubles with each failure up to one heartbeat cycle, varied by a quarter; where nobody has
    /// been for long, it grows with that time.
    fn start_contact_wait(&mut self, id: ContactId) {
        let timers = &self.config.timers;
        let cycle = timers.peer_heartbeat_cycle;
        let first = timers.max_time_no_response / FIRST_WAIT;
        let own = RegistrarAddress::of_peer(&self.server_information());
        let Some(contact) = self.peers.contacts.get_mut(&id) else {
            return;
        };
        let doubled = 1_u32 << contact.failures.saturating_sub(1).min(16);
        let mut wait = first.saturating_mul(doubled).min(cycle);
        let gone = contact
            .failing_since
            .map_or(Duration::ZERO, |since| self.now.since(since));
        if gone > SOUGHT_OFTEN && !contact.is_static {
            wait = wait.max(gone / 8);
        }
        if contact.has_conflict {
            let is_sought = contact.is_static && !is_same_endpoint(&contact.address, &own);
            wait = cycle.saturating_mul(if is_sought { 1 } else { CONFLICT_PAUSE });
        }
        let wait = duration_between(&mut self.rng, wait * 3 / 4, wait.saturating_mul(5) / 4);
        let deadline = self.now + wait.max(Duration::from_millis(1));
        self.timers
            .start(&mut contact.timer, Timer::PeerContact(id), deadline);
    }

    /// Somebody has said who is there.
    pub(super) fn on_contact_identified(&mut self, id: ContactId, registrar: RegistrarId) {
        let Some(contact) = self.peers.contacts.get_mut(&id) else {
            return;
        };
        contact.registrar = Some(registrar);
        contact.failures = 0;
        contact.failing_since = None;
        contact.has_conflict = false;
    }

    /// A peer at this contact is gone: it may come back.
    pub(super) fn retry_contact(&mut self, id: ContactId) {
        let now = self.now;
        let Some(contact) = self.peers.contacts.get_mut(&id) else {
            return;
        };
        if contact.phase == Phase::Idle {
            contact.phase = Phase::Waiting { since: now };
            contact.failing_since.get_or_insert(now);
            self.start_contact_wait(id);
        }
    }

    /// Whoever is there uses an identifier that is not its own.
    pub(super) fn on_contact_conflict(&mut self, address: &PeerAddress) {
        let endpoint = address_of(address);
        if let Some(id) = self.find_contact(&endpoint)
            && let Some(contact) = self.peers.contacts.get_mut(&id)
        {
            contact.has_conflict = true;
        }
    }

    /// Whether a peer on the list is looked for there.
    fn is_contact_of_peer(&self, id: ContactId) -> bool {
        let registrar = self.peers.contacts.get(&id).and_then(|c| c.registrar);
        registrar.is_some_and(|registrar| self.peers.by_id.contains_key(&registrar))
    }

    pub(super) fn is_static(&self, id: ContactId) -> bool {
        let contact = self.peers.contacts.get(&id);
        contact.is_some_and(|contact| contact.is_static)
    }

    fn forget_contact(&mut self, id: ContactId) {
        if let Some(mut contact) = self.peers.contacts.remove(&id) {
            self.timers.stop(&mut contact.timer, Timer::PeerContact(id));
        }
    }

    /// Nobody is connected to any longer.
    pub(super) fn stop_contacts(&mut self) {
        for contact in std::mem::take(&mut self.peers.contacts).into_values() {
            if contact.phase == Phase::Connecting {
                let to = Remote::Peer(contact.address);
                self.outputs.push_back(Output::StopConnecting { to });
            }
        }
    }
}

/// Whether both name the same SCTP endpoint: a common address and the same ports.
pub(super) fn is_same_endpoint(one: &RegistrarAddress, other: &RegistrarAddress) -> bool {
    let ports = |address: &RegistrarAddress| {
        let udp_port = address.udp_port.unwrap_or(SCTP_UDP_PORT);
        (address.transport, address.port, udp_port)
    };
    ports(one) == ports(other)
        && one.addresses.iter().any(|address| {
            let address = address.to_canonical();
            other
                .addresses
                .iter()
                .any(|other| other.to_canonical() == address)
        })
}

/// Whether both are the same end of associations.
pub(super) fn is_same_remote(one: &PeerAddress, other: &PeerAddress) -> bool {
    is_same_endpoint(&address_of(one), &address_of(other))
}

/// Where the other end of an association is.
pub(super) fn address_of(peer: &PeerAddress) -> RegistrarAddress {
    RegistrarAddress {
        transport: peer.transport,
        addresses: peer.addresses.clone(),
        port: peer.port,
        udp_port: peer.udp_port,
    }
}
