//! What the network says through ICMP (RFC 9260 §10, RFC 6951 §5.5).

use std::net::SocketAddr;

use crate::association::Phase;
use crate::cookie::initiate_tag;
use crate::event::{AssociationId, DownReason};
use crate::packet::{HEADER_OCTETS, Header, chunk_type};
use crate::time::Timestamp;

use super::Endpoint;

impl Endpoint {
    /// ICMP reported that port, protocol or host of `to` cannot be reached. `original` is as
    /// much of our UDP payload as came back.
    ///
    /// Believed only if its ports and its tag are those of an association with `to`
    /// (RFC 9260 §10 ICMP5, ICMP6): anybody can send ICMP, and only who has seen our packets
    /// knows the tag. The association is then down at once, or, of several paths or
    /// candidates, this one has failed.
    pub fn handle_unreachable(&mut self, now: Timestamp, to: SocketAddr, original: &[u8]) {
        self.set_time(now);
        let Some(id) = self.identify_returned(to, original) else {
            self.outputs.statistics.icmp_ignored += 1;
            return;
        };
        self.with(id, |association, around| {
            let is_waiting_for_init_ack = matches!(association.phase, Phase::Connecting { .. })
                && association.peer_tag.is_none();
            let is_over = if is_waiting_for_init_ack {
                association.on_candidate_failed(to)
            } else {
                association.on_path_unreachable(to, around)
            };
            is_over.then_some(DownReason::Unreachable)
        });
    }

    fn identify_returned(&self, to: SocketAddr, original: &[u8]) -> Option<AssociationId> {
        let header = Header::read(original)?;
        if header.source_port != self.config.sctp_port {
            return None;
        }
        let id = self.demultiplexer.by_peer((to, header.destination_port))?;
        let association = self.associations.get(&id)?;
        let is_ours = if header.verification_tag == 0 {
            // ICMP6: an INIT has no tag yet but its Initiate Tag. It is of use only as long as
            // nobody has answered.
            association.peer_tag.is_none()
                && original.get(HEADER_OCTETS) == Some(&chunk_type::INIT)
                && initiate_tag(original) == Some(association.local_tag)
        } else {
            association.peer_tag == Some(header.verification_tag)
        };
        is_ours.then_some(id)
    }
}
