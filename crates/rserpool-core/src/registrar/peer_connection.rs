//! How peers are connected, and which association is whose.
//!
//! An association is the peer's that its first ENRP message names. Of two associations with one
//! peer, both keep the one that the registrar with the greater identifier began; the other one
//! stays open a little for what is under way.
//! Must not know what is said over it.

use super::contact::{ContactId, address_of, is_same_endpoint, is_same_remote};
use super::event::Event;
use super::peer::{Peer, Peers, Status};
use super::{CloseReason, Registrar, Remote, Timer, TimerId};
use crate::{AssociationId, PeerAddress, RegistrarAddress, Timestamp};
use rserpool_wire::RegistrarId;
use std::net::IpAddr;

/// An association over which ENRP is spoken, or will be.
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    /// This registrar began it, to be connected to whoever is there.
    contact: Option<ContactId>,
    /// Whose it is, once that was said.
    pub(super) peer: Option<RegistrarId>,
    /// It is closed unless something is said, or because there is a better one.
    timer: TimerId,
    /// Updates came over it while there was a better one: they may be older than what came there.
    has_late_updates: bool,
}

/// Who was told to use an identifier that is not its own, and when it last did.
#[derive(Clone, Debug)]
pub(super) struct Conflict {
    address: PeerAddress,
    latest: Timestamp,
}

/// Conflicts that are remembered, so that each is told once; more are forgotten together.
const CONFLICTS_MAX: usize = 64;

/// After so many heartbeat cycles without it, a conflict is a new one. Longer than an address is
/// left alone at which there is one.
const CONFLICT_FORGOTTEN: u32 = 100;

impl Registrar {
    pub(super) fn on_connected(
        &mut self,
        association: AssociationId,
        to: Remote,
        peer: PeerAddress,
    ) {
        match to {
            Remote::Peer(address) => self.on_peer_connected(association, &address, peer),
            Remote::PoolElement(address) => {
                self.on_pool_element_connected(association, &address, peer);
            }
        }
    }

    pub(super) fn on_connect_failed(&mut self, to: Remote) {
        match to {
            Remote::Peer(address) => self.on_peer_not_connected(&address),
            Remote::PoolElement(address) => self.on_pool_element_not_connected(&address),
        }
    }

    /// "This will force the new peer to reply with its own ENRP_PRESENCE" (RFC 5353 §3.4.1).
    fn on_peer_connected(
        &mut self,
        association: AssociationId,
        address: &RegistrarAddress,
        peer: PeerAddress,
    ) {
        let contact = self.on_contact_up(address, association);
        if !self.on_association_up(association, peer) {
            if let Some(contact) = contact {
                self.on_contact_failed(contact);
            }
            return;
        }
        let Some(contact) = contact else {
            return self.close_association(association, CloseReason::NotNeeded);
        };
        let link = Link {
            contact: Some(contact),
            ..Link::default()
        };
        self.peers.links.insert(association, link);
        self.start_link_timer(association);
        self.send_presence(association, None, true);
    }

    /// Refused, so nobody is there any more; unless there is an association already that has not
    /// said whose it is.
    fn on_peer_not_connected(&mut self, address: &RegistrarAddress) {
        let Some(registrar) = self.on_contact_refused(address) else {
            return;
        };
        let is_connected = self.association_at(address).is_some();
        let is_lost = self.peers.by_id.get(&registrar).is_some_and(|peer| {
            peer.association.is_none() && matches!(peer.status, Status::Suspected { .. })
        });
        if is_lost && !is_connected {
            self.give_up_peer(registrar);
        }
    }

    /// Whose the association is, by its first message. False: the message is dropped, and the
    /// association closed.
    pub(super) fn bind(&mut self, from: AssociationId, sender: RegistrarId) -> bool {
        let Some(remote) = self.associations.get(&from).map(|up| up.peer.clone()) else {
            return false;
        };
        if self.is_conflict(from, sender, &remote) {
            self.on_identifier_conflict(from, sender, remote);
            return false;
        }
        let is_known = self.peers.by_id.contains_key(&sender);
        let is_static = self.is_static_peer(from, &remote);
        if !is_known && !self.add_peer(sender, Status::Unheard, is_static) {
            self.close_association(from, CloseReason::TooManyAssociations);
            return false;
        }
        let link = self.peers.links.entry(from).or_default();
        link.peer = Some(sender);
        self.timers
            .stop(&mut link.timer, Timer::PeerLink(from.into()));
        let contact = link.contact;
        if let Some(contact) = contact {
            self.on_contact_identified(contact, sender);
        }
        if let Some(peer) = self.peers.by_id.get_mut(&sender) {
            let addresses = remote.addresses.iter();
            peer.heard_at = addresses.map(IpAddr::to_canonical).collect();
        }
        self.replace_registrar_at(sender, contact, &remote);
        self.choose_association(from, sender, contact);
        true
    }

    /// Whether the administrator named who is at the other end.
    fn is_static_peer(&self, association: AssociationId, remote: &PeerAddress) -> bool {
        let link = self.peers.links.get(&association);
        let contact = link.and_then(|link| link.contact);
        let contact = contact.or_else(|| self.find_contact(&address_of(remote)));
        contact.is_some_and(|contact| self.is_static(contact))
    }

    /// Whether an identifier is this registrar's own, or that of a peer which is somewhere else
    /// (RFC 5353 §3.2.1: "very remote", but not impossible). Until a peer has been silent for so
    /// long that it counts as gone, nobody at another host speaks for it.
    fn is_conflict(&self, from: AssociationId, sender: RegistrarId, remote: &PeerAddress) -> bool {
        if sender == self.config.id {
            return true;
        }
        let Some(known) = self
            .peers
            .by_id
            .get(&sender)
            .filter(|peer| peer.was_heard())
        else {
            return false;
        };
        let timers = &self.config.timers;
        let patience = timers.max_time_last_heard + timers.max_time_no_response;
        let is_recent = self.now.since(known.last_heard) < patience;
        let is_known_host = |address: &IpAddr| known.heard_at.contains(&address.to_canonical());
        if is_recent && !remote.addresses.iter().any(is_known_host) {
            return true;
        }
        known
            .association
            .filter(|current| known.status == Status::Active && *current != from)
            .and_then(|current| self.associations.get(&current))
            .is_some_and(|current| !is_same_remote(&current.peer, remote))
    }

    /// Two registrars with one identifier: the one that was there first stays.
    fn on_identifier_conflict(
        &mut self,
        association: AssociationId,
        registrar: RegistrarId,
        address: PeerAddress,
    ) {
        self.counters.identifier_conflicts += 1;
        self.on_contact_conflict(&address);
        if self.is_new_conflict(registrar, &address) {
            self.emit(Event::IdentifierConflict {
                registrar,
                association,
                address,
            });
        }
        // If it is this registrar's own, the other one shall notice, too.
        if registrar == self.config.id {
            self.send_presence(association, None, false);
        }
        self.close_association(association, CloseReason::IdentifierConflict);
    }

    /// Both try again and again: that is told once, until somebody else does, or the other one has
    /// stopped for a while.
    fn is_new_conflict(&mut self, registrar: RegistrarId, address: &PeerAddress) -> bool {
        let cycle = self.config.timers.peer_heartbeat_cycle;
        let forgotten = cycle.saturating_mul(CONFLICT_FORGOTTEN);
        let conflicts = &mut self.peers.conflicts;
        if conflicts.len() >= CONFLICTS_MAX && !conflicts.contains_key(&registrar) {
            conflicts.clear();
        }
        let conflict = Conflict {
            address: address.clone(),
            latest: self.now,
        };
        conflicts.insert(registrar, conflict).is_none_or(|known| {
            !is_same_remote(&known.address, address) || self.now.since(known.latest) > forgotten
        })
    }

    /// Where one registrar answers, no other one is any more: identifiers change with each start
    /// (RFC 5353 §2.1).
    fn replace_registrar_at(
        &mut self,
        sender: RegistrarId,
        contact: Option<ContactId>,
        remote: &PeerAddress,
    ) {
        let is_replaced = |peer: &Peer| match peer.association {
            Some(association) => {
                let up = self.associations.get(&association);
                up.is_some_and(|up| is_same_remote(&up.peer, remote))
            }
            None => {
                let address = peer.address.as_ref();
                (contact.is_some() && peer.contact == contact)
                    || address.is_some_and(|known| is_same_endpoint(known, &address_of(remote)))
            }
        };
        let peers = self.peers.by_id.iter();
        let replaced: Vec<_> = peers
            .filter(|(id, peer)| **id != sender && is_replaced(peer))
            .map(|(id, _)| *id)
            .collect();
        for id in replaced {
            self.on_peer_replaced(id);
        }
    }

    /// Over which association a peer is spoken to from now on.
    fn choose_association(
        &mut self,
        from: AssociationId,
        sender: RegistrarId,
        contact: Option<ContactId>,
    ) {
        let Some(peer) = self.peers.by_id.get_mut(&sender) else {
            return;
        };
        let is_new = peer.status == Status::Unheard;
        peer.contact = peer.contact.or(contact);
        let Some(current) = peer.association else {
            peer.association = Some(from);
            if !is_new {
                self.force_resynchronization(sender);
            }
            return;
        };
        let is_own_id_greater = self.config.id > sender;
        match (self.peers.began(current), self.peers.began(from)) {
            // Both from here: one is enough.
            (true, true) => self.start_link_timer(from),
            // Both from there: the peer knows nothing of the first one any more.
            (false, false) => {
                self.set_association_of(sender, from);
                self.stop_table_sessions(sender);
                self.force_resynchronization(sender);
            }
            (_, is_newcomer_own) => {
                let (kept, other) = if is_newcomer_own == is_own_id_greater {
                    (from, current)
                } else {
                    (current, from)
                };
                self.set_association_of(sender, kept);
                if !is_own_id_greater {
                    self.start_link_timer(other);
                }
            }
        }
    }

    fn set_association_of(&mut self, peer: RegistrarId, association: AssociationId) {
        if let Some(peer) = self.peers.by_id.get_mut(&peer) {
            peer.association = Some(association);
        }
    }

    fn start_link_timer(&mut self, association: AssociationId) {
        let deadline = self.now + self.config.timers.max_time_no_response;
        if let Some(link) = self.peers.links.get_mut(&association) {
            let timer = Timer::PeerLink(association.into());
            self.timers.start(&mut link.timer, timer, deadline);
        }
    }

    /// Nobody has said anything, or there is a better association.
    pub(super) fn fire_peer_link(&mut self, association: AssociationId) {
        let Some(link) = self.peers.links.get(&association) else {
            return;
        };
        let reason = match link.peer {
            Some(_) => CloseReason::Duplicate,
            None => CloseReason::NotNeeded,
        };
        self.close_association(association, reason);
    }

    /// An association over which ENRP was spoken is gone.
    pub(super) fn on_link_lost(&mut self, association: AssociationId) {
        let Some(mut link) = self.peers.links.remove(&association) else {
            return;
        };
        let timer = Timer::PeerLink(association.into());
        self.timers.stop(&mut link.timer, timer);
        if let Some(contact) = link.contact {
            self.on_contact_lost(contact, link.peer);
        }
        let Some(id) = link.peer else {
            return;
        };
        let links = self.peers.links.iter();
        let other = links
            .filter(|(_, link)| link.peer == Some(id))
            .map(|(association, _)| *association)
            .next();
        let Some(peer) = self.peers.by_id.get_mut(&id) else {
            return;
        };
        if peer.association != Some(association) {
            // What came late is put right by what the peer has now.
            if link.has_late_updates {
                self.force_resynchronization(id);
            }
            return;
        }
        peer.association = other;
        self.stop_table_sessions(id);
        match other {
            Some(other) => {
                if let Some(link) = self.peers.links.get_mut(&other) {
                    self.timers
                        .stop(&mut link.timer, Timer::PeerLink(other.into()));
                }
                self.force_resynchronization(id);
            }
            None => self.on_peer_disconnected(id),
        }
    }

    fn on_contact_lost(&mut self, id: ContactId, peer: Option<RegistrarId>) {
        self.rest_contact(id);
        match peer {
            None => self.on_contact_failed(id),
            Some(peer) if !self.peers.by_id.contains_key(&peer) => self.retry_contact(id),
            Some(_) => {}
        }
    }

    /// An update came over this association: if it is not the one that was chosen, it may have been
    /// overtaken by another one.
    pub(super) fn note_update_over(&mut self, from: AssociationId, peer: RegistrarId) {
        let chosen = self
            .peers
            .by_id
            .get(&peer)
            .and_then(|peer| peer.association);
        if chosen != Some(from)
            && let Some(link) = self.peers.links.get_mut(&from)
        {
            link.has_late_updates = true;
        }
    }

    pub(super) fn close_links_of(&mut self, id: RegistrarId) {
        let links = self.peers.links.iter();
        let own: Vec<_> = links
            .filter(|(_, link)| link.peer == Some(id))
            .map(|(association, _)| *association)
            .collect();
        for association in own {
            self.close_association(association, CloseReason::NotNeeded);
        }
    }
}

impl Peers {
    /// Whether this registrar began the association.
    pub(super) fn began(&self, association: AssociationId) -> bool {
        let link = self.links.get(&association);
        link.is_some_and(|link| link.contact.is_some())
    }
}
