//! From a datagram to the association it is for.

use std::net::{IpAddr, SocketAddr};

use crate::addresses;
use crate::association::{Association, Phase, abort_cause};
use crate::cookie::initiate_tag;
use crate::demultiplexer::Peer;
use crate::event::{AssociationId, DownReason};
use crate::out_of_the_blue::{abort, answer, is_unicast};
use crate::packet::{Header, Packet, chunk_type, error_cause, read_u16};
use crate::route::Route;
use crate::time::Timestamp;

use super::Endpoint;

/// Answers to strangers that may wait to be fetched: a driver fetches after every datagram.
const RESPONSES_WAITING_MAX: usize = 4_096;

impl Endpoint {
    /// A packet arrived from `from`, as [`crate::Transmit::to`] has it: UDP port 0 is for a packet
    /// that came not encapsulated. `to` is the local address it was sent to, where that is known.
    /// Never fails: what is not taken is counted.
    pub fn handle_datagram(
        &mut self,
        now: Timestamp,
        from: SocketAddr,
        to: Option<IpAddr>,
        datagram: &[u8],
    ) {
        self.set_time(now);
        self.outputs.statistics.packets_in += 1;
        let Some(packet) = Packet::parse(datagram) else {
            self.outputs.statistics.malformed += 1;
            return;
        };
        if !packet.checksum_is_right() {
            self.outputs.statistics.bad_checksum += 1;
            return;
        }
        if !is_unicast(from) || packet.header.source_port == 0 || !is_well_formed(&packet) {
            self.outputs.statistics.malformed += 1;
            return;
        }
        let source = Route {
            local: to,
            remote: from,
        };
        match packet.first().kind {
            chunk_type::INIT => self.on_init(source, &packet),
            chunk_type::COOKIE_ECHO => self.on_cookie_echo(source, &packet),
            _ => self.on_other(source, &packet),
        }
    }

    fn on_other(&mut self, source: Route, packet: &Packet<'_>) {
        let from = source.remote;
        let peer = (from, packet.header.source_port);
        let Some(id) = self.identify(peer, packet) else {
            self.outputs.statistics.out_of_the_blue += 1;
            if let Some(payload) = answer(packet) {
                self.respond(source, payload);
            }
            return;
        };
        if packet.find(chunk_type::ABORT).is_some() {
            self.on_abort(id, from, packet);
            return;
        }
        if packet.first().kind == chunk_type::INIT_ACK {
            self.on_init_ack(id, source, packet);
            return;
        }
        self.follow_address(id, source, peer);
        self.with(id, |association, around| {
            association.on_packet(packet, source, around)
        });
    }

    /// RFC 9260 §8.5 and §8.5.1: by our tag or, if it is reflected, by address and peer's tag.
    fn identify(&self, peer: Peer, packet: &Packet<'_>) -> Option<AssociationId> {
        let header = packet.header;
        if header.destination_port != self.config.sctp_port {
            return None;
        }
        let is_reflected = packet
            .find(chunk_type::ABORT)
            .or_else(|| packet.find(chunk_type::SHUTDOWN_COMPLETE))
            .is_some_and(|chunk| chunk.tag_is_reflected());
        let id = if is_reflected {
            self.demultiplexer.by_peer(peer)?
        } else {
            self.demultiplexer
                .by_tag_and_peer(header.verification_tag, peer)?
        };
        let association = self.associations.get(&id)?;
        let tag_is_right = !is_reflected || association.peer_tag == Some(header.verification_tag);
        (tag_is_right && association.peer_port == header.source_port).then_some(id)
    }

    /// The ABORT never gets to dcsctp, which passes it over before it has a peer's tag.
    fn on_abort(&mut self, id: AssociationId, from: SocketAddr, packet: &Packet<'_>) {
        let (cause, reason) = abort_cause(packet);
        self.with(id, |association, _| match association.phase {
            Phase::Up | Phase::Accepting => Some(DownReason::PeerAborted { cause, reason }),
            Phase::Connecting { .. } => {
                refusal(association, from).then_some(DownReason::Refused { cause })
            }
        });
    }

    /// RFC 9260 §5.1 C and §5.2.3: the first candidate that answers wins.
    fn on_init_ack(&mut self, id: AssociationId, source: Route, packet: &Packet<'_>) {
        // A longer cookie would not fit into the COOKIE ECHO.
        if !is_init_good(packet) || packet.octets().len() > self.config.mtu {
            self.outputs.statistics.malformed += 1;
            return;
        }
        if addresses::has_host_name(packet) {
            self.refuse_host_name(id, source, packet);
            return;
        }
        self.reseed();
        self.with(id, |association, around| {
            if association.is_up() || association.peer_tag.is_some() {
                return None;
            }
            let listed = addresses::listed(packet, source.remote.ip());
            association.learn_addresses(source, &listed, around);
            association.feed(around.now, packet.octets());
            association.collect(around, None)
        });
    }

    /// RFC 9260 §5.1.2 B.
    fn refuse_host_name(&mut self, id: AssociationId, source: Route, packet: &Packet<'_>) {
        self.outputs.statistics.malformed += 1;
        let reply = Header {
            verification_tag: initiate_tag(packet.octets()).unwrap_or_default(),
            ..packet.header.reversed()
        };
        let cause = error_cause::UNRESOLVABLE_ADDRESS;
        self.respond(source, abort(reply, cause, &[]));
        self.with(id, |association, _| {
            let is_over = association.peer_tag.is_none() && refusal(association, source.remote);
            is_over.then_some(DownReason::LocalAbort)
        });
    }

    /// RFC 6951 §5.4: answers go to where the peer was heard last; the tag and the checksum
    /// have been checked. A NAT may give the peer another address at any time.
    fn follow_address(&mut self, id: AssociationId, source: Route, peer: Peer) {
        let is_new = self
            .associations
            .get(&id)
            .is_some_and(|association| association.is_up() && association.has_moved(peer.0));
        // Where another association is, this one cannot be.
        if is_new
            && self
                .demultiplexer
                .by_peer(peer)
                .is_none_or(|other| other == id)
        {
            self.outputs.statistics.address_changes += 1;
            self.with(id, |association, _| {
                association.on_moved(source);
                None
            });
        }
    }

    /// An answer to somebody who has no association: limited in rate and in number.
    pub(super) fn respond(&mut self, to: Route, payload: Vec<u8>) {
        let has_room = self.outputs.transmits.len() < RESPONSES_WAITING_MAX;
        if has_room && self.response_limit.allows(self.now) {
            self.outputs.transmits.push_back(to.carry(payload));
        } else {
            self.outputs.statistics.responses_suppressed += 1;
        }
    }

    /// As [`Endpoint::respond`], for INIT ACK, which has a rate of its own.
    pub(super) fn respond_init_ack(&mut self, to: Route, payload: Vec<u8>) {
        if self.outputs.transmits.len() < RESPONSES_WAITING_MAX {
            self.outputs.statistics.inits_answered += 1;
            self.outputs.transmits.push_back(to.carry(payload));
        } else {
            self.outputs.statistics.responses_suppressed += 1;
        }
    }
}

/// An ABORT in answer to INIT or COOKIE ECHO. Says whether it ends the set-up.
pub(super) fn refusal(association: &mut Association, from: SocketAddr) -> bool {
    if association.peer_tag.is_some() {
        return association.remote == from;
    }
    let Phase::Connecting { candidates } = &association.phase else {
        return false;
    };
    // Behind a NAT the answer may come from elsewhere; with one candidate it is clear whose.
    let candidate = match candidates.as_slice() {
        [only] => *only,
        _ => from,
    };
    association.on_candidate_failed(candidate)
}

/// RFC 9260 §6.10: INIT, INIT ACK and SHUTDOWN COMPLETE come alone, COOKIE ECHO first, and the
/// tag is 0 with INIT only.
fn is_well_formed(packet: &Packet<'_>) -> bool {
    let is_alone = packet.is_alone();
    let has_tag_zero = packet.header.verification_tag == 0;
    packet
        .chunks()
        .enumerate()
        .all(|(at, chunk)| match chunk.kind {
            chunk_type::INIT => is_alone && has_tag_zero,
            chunk_type::INIT_ACK | chunk_type::SHUTDOWN_COMPLETE => is_alone && !has_tag_zero,
            chunk_type::COOKIE_ECHO => at == 0 && !has_tag_zero,
            _ => !has_tag_zero,
        })
}

/// RFC 9260 §3.3.2 and §3.3.3: a tag, and at least one stream each way.
pub(super) fn is_init_good(packet: &Packet<'_>) -> bool {
    let value = packet.first().value;
    let has_tag = initiate_tag(packet.octets()).is_some_and(|tag| tag != 0);
    let streams = (read_u16(value, 8), read_u16(value, 10));
    has_tag
        && value.len() >= 16
        && matches!(streams, (Some(outbound), Some(inbound)) if outbound > 0 && inbound > 0)
}
