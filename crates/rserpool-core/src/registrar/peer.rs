//! The peer list (RFC 5353 §3.4): what is known of each other registrar.
//!
//! Must not know what is done about it.

use super::Registrar;
use super::snapshot::PeerSnapshot;
use super::table_session::TableSessions;
use crate::{AssociationId, RegistrarAddress, Timestamp};
use rserpool_wire::RegistrarId;
use rserpool_wire::enrp;
use rserpool_wire::parameter::PeChecksum;
use std::collections::BTreeMap;

/// The peer list.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    pub(super) by_id: BTreeMap<RegistrarId, Peer>,
}

/// Another registrar that has been heard, or owns pool elements.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// Where it speaks ENRP, once it is known.
    pub(super) address: Option<RegistrarAddress>,
    /// The association over which it is spoken to.
    pub(super) association: Option<AssociationId>,
    /// "peer_last_heard"
    pub(super) last_heard: Timestamp,
    /// The checksum that it told last.
    pub(super) checksum_told: Option<PeChecksum>,
    /// Handle tables that are asked of it, and that it asks for.
    pub(super) tables: TableSessions,
}

impl Registrar {
    /// Whether this registrar is active: it is this one, or a peer that is heard and not
    /// suspected.
    pub(super) fn is_live(&self, registrar: RegistrarId) -> bool {
        registrar == self.config.id
            || self
                .peers
                .by_id
                .get(&registrar)
                .is_some_and(|peer| peer.association.is_some())
    }

    /// Makes sure that a home of pool elements is watched: one that is not known becomes a peer
    /// without an address. False if there is no room for it.
    pub(super) fn watch_home(&mut self, home: RegistrarId) -> bool {
        let _ = home;
        true
    }

    /// Sends a message to a peer, if it is connected.
    pub(super) fn send_to_peer(&mut self, peer: RegistrarId, message: enrp::Message) -> bool {
        let _ = (peer, message);
        false
    }

    /// "Announces" a message (RFC 5353 §3.1): sends it to every peer that is connected. Returns
    /// to how many.
    pub(super) fn send_to_peers(&mut self, message: &enrp::Message) -> usize {
        let _ = message;
        0
    }

    pub(super) fn peer_snapshots(&self) -> Vec<PeerSnapshot> {
        Vec::new()
    }
}
