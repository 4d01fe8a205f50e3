//! Whose packet is it? By our verification tag, or by the peer's address.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::event::AssociationId;

/// A peer's UDP address and SCTP port: several peers may share a host, and a NAT.
pub(crate) type Peer = (SocketAddr, u16);

/// Tags are ours and random, peers only those with an association: strangers cannot fill this.
#[derive(Default)]
pub(crate) struct Demultiplexer {
    tags: BTreeMap<u32, AssociationId>,
    peers: BTreeMap<Peer, AssociationId>,
}

impl Demultiplexer {
    pub(crate) fn by_tag(&self, local_tag: u32) -> Option<AssociationId> {
        self.tags.get(&local_tag).copied()
    }

    pub(crate) fn by_peer(&self, peer: Peer) -> Option<AssociationId> {
        self.peers.get(&peer).copied()
    }

    pub(crate) fn add_tag(&mut self, local_tag: u32, association: AssociationId) {
        self.tags.insert(local_tag, association);
    }

    pub(crate) fn remove_tag(&mut self, local_tag: u32, association: AssociationId) {
        if self.by_tag(local_tag) == Some(association) {
            self.tags.remove(&local_tag);
        }
    }

    /// `false`, and nothing done, when the peer has another association.
    pub(crate) fn add_peer(&mut self, peer: Peer, association: AssociationId) -> bool {
        *self.peers.entry(peer).or_insert(association) == association
    }

    pub(crate) fn remove_peer(&mut self, peer: Peer, association: AssociationId) {
        if self.by_peer(peer) == Some(association) {
            self.peers.remove(&peer);
        }
    }
}
