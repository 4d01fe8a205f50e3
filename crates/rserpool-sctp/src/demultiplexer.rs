//! Whose packet is it? By our verification tag, or by the peer's address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::association::Association;
use crate::event::AssociationId;

/// A peer's UDP address and SCTP port: several peers may share a host, and a NAT.
pub(crate) type Peer = (SocketAddr, u16);

/// Tags are ours and random, peers only those with an association: strangers cannot fill this.
#[derive(Default)]
pub(crate) struct Demultiplexer {
    /// More than one association may have a tag: it is drawn before there is an association, and
    /// RFC 9260 §5.3.1 has it unique only together with addresses and ports.
    tags: BTreeSet<(u32, AssociationId)>,
    peers: BTreeMap<Peer, AssociationId>,
}

impl Demultiplexer {
    pub(crate) fn by_tag(&self, local_tag: u32) -> impl Iterator<Item = AssociationId> {
        let first = (local_tag, AssociationId(0));
        let last = (local_tag, AssociationId(u64::MAX));
        self.tags
            .range(first..=last)
            .map(|(_, association)| *association)
    }

    /// The association with this tag; of several the one that was last at this address.
    pub(crate) fn by_tag_and_peer(&self, local_tag: u32, peer: Peer) -> Option<AssociationId> {
        let mut with_tag = self.by_tag(local_tag);
        let first = with_tag.next()?;
        if with_tag.next().is_none() {
            return Some(first);
        }
        self.by_peer(peer)
            .filter(|at_peer| self.tags.contains(&(local_tag, *at_peer)))
    }

    pub(crate) fn by_peer(&self, peer: Peer) -> Option<AssociationId> {
        self.peers.get(&peer).copied()
    }

    pub(crate) fn add_tag(&mut self, local_tag: u32, association: AssociationId) {
        self.tags.insert((local_tag, association));
    }

    pub(crate) fn remove_tag(&mut self, local_tag: u32, association: AssociationId) {
        self.tags.remove(&(local_tag, association));
    }

    /// Finds `association` from now on where it is. Where another one is, it is not found.
    pub(crate) fn register(&mut self, association: &mut Association) {
        self.unregister(association);
        association.registered = association.addresses().to_vec();
        for address in &association.registered {
            self.peers
                .entry((*address, association.peer_port))
                .or_insert(association.id);
        }
    }

    pub(crate) fn unregister(&mut self, association: &Association) {
        for address in &association.registered {
            let peer = (*address, association.peer_port);
            if self.by_peer(peer) == Some(association.id) {
                self.peers.remove(&peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_drawn_twice_is_told_apart_by_the_peer() {
        let peer = |port| (SocketAddr::from(([192, 0, 2, 1], port)), 5000);
        let (one, two) = (AssociationId(1), AssociationId(2));
        let mut demultiplexer = Demultiplexer::default();
        demultiplexer.add_tag(7, one);
        demultiplexer.peers.insert(peer(1), one);
        assert_eq!(
            demultiplexer.by_tag_and_peer(7, peer(9)),
            Some(one),
            "moved"
        );
        demultiplexer.add_tag(7, two);
        demultiplexer.peers.insert(peer(2), two);
        demultiplexer.peers.insert(peer(3), AssociationId(3));
        assert_eq!(demultiplexer.by_tag_and_peer(7, peer(1)), Some(one));
        assert_eq!(demultiplexer.by_tag_and_peer(7, peer(2)), Some(two));
        assert_eq!(demultiplexer.by_tag_and_peer(7, peer(3)), None);
        assert_eq!(demultiplexer.by_tag_and_peer(7, peer(9)), None);
        demultiplexer.remove_tag(7, one);
        assert_eq!(demultiplexer.by_tag_and_peer(7, peer(9)), Some(two));
    }
}
