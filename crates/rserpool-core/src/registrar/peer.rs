//! The peer list (RFC 5353 §3.4): what is known of each other registrar.
//!
//! Must not know what is done about it.

use super::contact::{Contact, ContactId};
use super::peer_connection::{Conflict, Link};
use super::snapshot::{PeerSnapshot, PeerStatus};
use super::table_session::TableSessions;
use super::{Destination, Output, Registrar, Timer, TimerId};
use crate::rate_limit::RateLimit;
use crate::{AssociationId, RegistrarAddress, Timestamp};
use rserpool_wire::RegistrarId;
use rserpool_wire::enrp;
use rserpool_wire::parameter::PeChecksum;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The peer list, and how peers are connected.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    pub(super) by_id: BTreeMap<RegistrarId, Peer>,
    /// Addresses at which a peer is, or may be.
    pub(super) contacts: BTreeMap<ContactId, Contact>,
    pub(super) last_contact: ContactId,
    /// Associations over which ENRP is spoken.
    pub(super) links: BTreeMap<AssociationId, Link>,
    /// Identifiers that are used twice.
    pub(super) conflicts: BTreeMap<RegistrarId, Conflict>,
    pub(super) heartbeat_timer: TimerId,
    /// Presences shown to all because somebody wants to take over this registrar.
    pub(super) objections: RateLimit,
    /// When this registrar itself did not run for a while, the last time.
    pub(super) stalled_at: Option<Timestamp>,
}

/// Another registrar that has been heard, or owns pool elements.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// Where it speaks ENRP, once it is known.
    pub(super) address: Option<RegistrarAddress>,
    /// Where it is connected to anew.
    pub(super) contact: Option<ContactId>,
    /// The association over which it is spoken to.
    pub(super) association: Option<AssociationId>,
    /// From where it spoke over its latest association.
    pub(super) heard_at: Vec<IpAddr>,
    pub(super) status: Status,
    /// "peer_last_heard"; since when it is expected, if it has never been heard.
    pub(super) last_heard: Timestamp,
    /// What is waited for depends on the status.
    pub(super) timer: TimerId,
    /// The checksum that it told last.
    pub(super) checksum_told: Option<PeChecksum>,
    /// Handle tables that are asked of it, and that it asks for.
    pub(super) tables: TableSessions,
}

/// How a peer is, and what its timer is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Status {
    /// The home of pool elements, never heard itself. Timer: MAX-TIME-LAST-HEARD.
    Unheard,
    /// Heard. Timer: MAX-TIME-LAST-HEARD.
    Active,
    /// Asked whether it is there. Timer: MAX-TIME-NO-RESPONSE.
    Suspected {
        /// Who wants to take it over, and is answered when it stays silent.
        initiators: BTreeSet<RegistrarId>,
        /// It has been heard before.
        was_heard: bool,
    },
    /// This registrar wants to take it over. Timer: ENRP_INIT_TAKEOVER is sent again.
    TakingOver {
        acknowledged: BTreeSet<RegistrarId>,
        attempts: u32,
    },
    /// Another registrar takes it over. Timer: that one has failed, too.
    NotActive {
        taker: RegistrarId,
        /// It has been asked which pool elements it owns.
        is_taker_asked: bool,
    },
}

impl Peer {
    pub(super) fn new(status: Status, now: Timestamp) -> Self {
        Self {
            address: None,
            contact: None,
            association: None,
            heard_at: Vec::new(),
            status,
            last_heard: now,
            timer: TimerId::default(),
            checksum_told: None,
            tables: TableSessions::default(),
        }
    }

    fn snapshot_status(&self) -> PeerStatus {
        match self.status {
            Status::Unheard => PeerStatus::Unknown,
            Status::Active => PeerStatus::Active,
            Status::Suspected { .. } => PeerStatus::Suspected,
            Status::TakingOver { .. } => PeerStatus::BeingTakenOver,
            Status::NotActive { .. } => PeerStatus::NotActive,
        }
    }

    pub(super) fn was_heard(&self) -> bool {
        match self.status {
            Status::Unheard => false,
            Status::Suspected { was_heard, .. } => was_heard,
            Status::Active | Status::TakingOver { .. } | Status::NotActive { .. } => true,
        }
    }
}

impl Registrar {
    /// Whether this registrar is active: it is this one, or a peer that is heard and not
    /// suspected.
    pub(super) fn is_live(&self, registrar: RegistrarId) -> bool {
        let peer = self.peers.by_id.get(&registrar);
        let is_live_peer =
            peer.is_some_and(|peer| peer.status == Status::Active && peer.association.is_some());
        registrar == self.config.id || is_live_peer
    }

    /// Makes sure that a home of pool elements is watched: one that is not known becomes a peer
    /// without an address. False if there is no room for it.
    pub(super) fn watch_home(&mut self, home: RegistrarId) -> bool {
        if home == self.config.id || self.peers.by_id.contains_key(&home) {
            return true;
        }
        if !self.add_peer(home, Status::Unheard, false) {
            return false;
        }
        self.start_last_heard_timer(home);
        true
    }

    /// A new entry of the peer list; false if it is full. Strangers that fill it do not keep out
    /// those that the administrator named.
    pub(super) fn add_peer(&mut self, id: RegistrarId, status: Status, is_static: bool) -> bool {
        if !is_static && self.peers.by_id.len() >= self.config.limits.peers_max {
            self.count_limit(super::Limit::Peers, None);
            return false;
        }
        self.peers.by_id.insert(id, Peer::new(status, self.now));
        true
    }

    /// Takes a peer off the list and closes what associations it has. Its address is not
    /// forgotten yet.
    pub(super) fn drop_peer(&mut self, id: RegistrarId) {
        self.stop_table_sessions(id);
        let Some(mut peer) = self.peers.by_id.remove(&id) else {
            return;
        };
        self.timers.stop(&mut peer.timer, Timer::Peer(id));
        self.close_links_of(id);
        if let Some(contact) = peer.contact {
            self.retry_contact(contact);
        }
    }

    pub(super) fn start_peer_timer(&mut self, id: RegistrarId, delay: std::time::Duration) {
        let deadline = self.now + delay;
        if let Some(peer) = self.peers.by_id.get_mut(&id) {
            self.timers
                .start(&mut peer.timer, Timer::Peer(id), deadline);
        }
    }

    /// Sends a message to a peer, if it is connected.
    pub(super) fn send_to_peer(&mut self, peer: RegistrarId, message: enrp::Message) -> bool {
        let peer = self.peers.by_id.get(&peer);
        let Some(association) = peer.and_then(|peer| peer.association) else {
            return false;
        };
        self.send_enrp(association, message);
        true
    }

    /// "Announces" a message (RFC 5353 §3.1): sends it to every peer that is connected. Returns
    /// to how many.
    pub(super) fn send_to_peers(&mut self, message: &enrp::Message) -> usize {
        let peers = self.peers.by_id.values();
        let associations: Vec<_> = peers.filter_map(|peer| peer.association).collect();
        for association in &associations {
            self.send_enrp(*association, message.clone());
        }
        associations.len()
    }

    pub(super) fn send_enrp(&mut self, to: AssociationId, message: impl Into<enrp::Message>) {
        self.outputs.push_back(Output::SendEnrp {
            to: Destination::Association(to),
            message: message.into(),
        });
    }

    pub(super) fn peer_snapshots(&self) -> Vec<PeerSnapshot> {
        let peers = self.peers.by_id.iter();
        let known = peers.map(|(id, peer)| {
            let contact = peer.contact.and_then(|id| self.peers.contacts.get(&id));
            PeerSnapshot {
                registrar: Some(*id),
                address: peer.address.clone(),
                is_static: contact.is_some_and(|contact| contact.is_static),
                status: peer.snapshot_status(),
                association: peer.association,
                last_heard: peer.was_heard().then(|| self.now.since(peer.last_heard)),
                owned: self.handlespace.owned(*id),
                checksum: self.checksum(*id),
                checksum_told: peer.checksum_told,
                synchronizing: peer.tables.is_synchronizing(),
            }
        });
        let contacts = self.peers.contacts.values();
        let others = contacts.filter_map(|contact| self.contact_snapshot(contact));
        known.chain(others).collect()
    }

    /// An address at which nobody is who is on the peer list.
    fn contact_snapshot(&self, contact: &Contact) -> Option<PeerSnapshot> {
        let registrar = contact.registrar;
        if registrar.is_some_and(|id| self.peers.by_id.contains_key(&id)) {
            return None;
        }
        let status = match registrar {
            Some(_) => PeerStatus::Dead,
            None => PeerStatus::Unknown,
        };
        Some(PeerSnapshot {
            registrar,
            address: Some(contact.address.clone()),
            is_static: contact.is_static,
            status,
            association: None,
            last_heard: None,
            owned: 0,
            checksum: PeChecksum(0xffff),
            checksum_told: None,
            synchronizing: false,
        })
    }
}
