//! INIT and COOKIE ECHO (RFC 9260 §5.1, §5.2). An INIT leaves nothing behind.

use std::net::SocketAddr;

use dcsctp::api::{DcSctpSocket as _, Socket, SocketEvent};

use crate::addresses;
use crate::association::{InitSource, Phase};
use crate::cookie::{Binding, Opened, initiate_tag};
use crate::demultiplexer::Peer;
use crate::event::{AssociationId, DownReason};
use crate::out_of_the_blue::{abort, staleness};
use crate::packet::{Header, Packet, Writer, chunk_type, error_cause, type_length_value};
use crate::route::Route;

use super::Endpoint;
use super::receive::{is_init_good, refusal};

impl Endpoint {
    pub(super) fn on_init(&mut self, source: Route, packet: &Packet<'_>) {
        let (true, Some(peer_tag)) = (is_init_good(packet), initiate_tag(packet.octets())) else {
            self.outputs.statistics.malformed += 1;
            return;
        };
        let header = packet.header;
        let reply = Header {
            verification_tag: peer_tag,
            ..header.reversed()
        };
        let listed = addresses::listed(packet, source.remote.ip());
        let from = InitSource {
            route: source,
            listed: &listed,
        };
        if header.destination_port != self.config.sctp_port {
            self.refuse(source, reply);
        } else if addresses::has_host_name(packet) {
            self.outputs.statistics.malformed += 1;
            self.respond(source, abort(reply, error_cause::UNRESOLVABLE_ADDRESS, &[]));
        } else if let Some(id) = self.identify_init(from, header.source_port) {
            self.on_init_again(id, from, packet, reply);
        } else if !self.config.listen {
            self.refuse(source, reply);
        } else if self.associations.len() >= self.config.associations_max {
            self.outputs.statistics.out_of_resource += 1;
            self.respond(source, abort(reply, error_cause::OUT_OF_RESOURCE, &[]));
        } else if self.init_limit.allows(self.now, source.remote.ip()) {
            self.answer_init(from, packet);
        } else {
            self.outputs.statistics.responses_suppressed += 1;
        }
    }

    /// RFC 9260 §5.1.2 D: by the address that it came from, or by one that it lists. Only
    /// confirmed addresses are found: nobody can keep others away by claiming their addresses.
    fn identify_init(&self, from: InitSource<'_>, sctp_port: u16) -> Option<AssociationId> {
        let source = from.route.remote;
        let listed = from.listed.iter();
        let listed = listed.map(|address| SocketAddr::new(*address, source.port()));
        std::iter::once(source)
            .chain(listed)
            .find_map(|address| self.demultiplexer.by_peer((address, sctp_port)))
    }

    /// RFC 9260 §5.1 B.
    fn answer_init(&mut self, from: InitSource<'_>, packet: &Packet<'_>) {
        while let Some(init_ack) = self.draw_init_ack(packet) {
            if initiate_tag(&init_ack).is_none_or(|tag| self.is_tag_free(tag)) {
                let to = binding(from.route, packet.header);
                let local = &self.config.local_addresses;
                let sealed = self.jar.seal(self.now, &init_ack, to, from.listed, local);
                if let Some(sealed) = sealed {
                    self.respond_init_ack(from.route, sealed);
                }
                return;
            }
        }
    }

    /// An INIT ACK as dcsctp makes it, with a new tag.
    fn draw_init_ack(&mut self, init: &Packet<'_>) -> Option<Vec<u8>> {
        self.reseed();
        self.listener.handle_input(init.octets());
        let mut init_ack = None;
        while let Some(event) = self.listener.poll_event() {
            if let SocketEvent::SendPacket(packet) = event {
                init_ack = Some(packet);
            }
        }
        init_ack
    }

    /// RFC 9260 §5.2.1 and §5.2.2: both ends began at once, or the peer has restarted. The
    /// answer is made of the existing association, which does not change by it.
    fn on_init_again(
        &mut self,
        id: AssociationId,
        from: InitSource<'_>,
        packet: &Packet<'_>,
        reply: Header,
    ) {
        let source = from.route.remote;
        if self.adds_addresses(id, from) {
            self.refuse_restart(id, from, reply);
            return;
        }
        self.reseed();
        self.with(id, |association, around| {
            if matches!(association.phase, Phase::Connecting { .. })
                && association.local_tag == reply.verification_tag
            {
                // Our own INIT: this candidate is ourselves.
                return refusal(association, source).then_some(DownReason::Refused { cause: None });
            }
            association.feed(around.now, packet.octets());
            association.collect(around, Some(from))
        });
    }

    /// RFC 9260 §5.2.1, §5.2.2. In COOKIE-WAIT nobody knows what addresses the peer has.
    fn adds_addresses(&self, id: AssociationId, from: InitSource<'_>) -> bool {
        let association = self.associations.get(&id);
        association.is_some_and(|association| {
            association.peer_tag.is_some() && !association.unknown_addresses(from).is_empty()
        })
    }

    /// RFC 9260 §5.2.2: who could restart an association from an address that it does not have
    /// could take it over. The peer is asked at once whether it still has the association, so
    /// that one which did come back with other addresses is not kept out for long.
    fn refuse_restart(&mut self, id: AssociationId, from: InitSource<'_>, reply: Header) {
        self.outputs.statistics.restarts_refused += 1;
        let association = self.associations.get(&id);
        let added = association.map_or_else(Vec::new, |known| known.unknown_addresses(from));
        let cause = error_cause::RESTART_WITH_NEW_ADDRESSES;
        let refusal = abort(reply, cause, &addresses::write(added.iter()));
        self.respond(from.route, refusal);
        self.probe(self.now, id);
    }

    fn refuse(&mut self, to: Route, reply: Header) {
        self.outputs.statistics.inits_refused += 1;
        let refusal = Writer::new(reply).chunk(chunk_type::ABORT, 0, &[]).finish();
        self.respond(to, refusal);
    }

    /// RFC 9260 §5.1.5 and §5.2.4.
    pub(super) fn on_cookie_echo(&mut self, source: Route, packet: &Packet<'_>) {
        let peer = (source.remote, packet.header.source_port);
        let opened = self
            .jar
            .open(self.now, packet, binding(source, packet.header));
        let Opened::Authentic {
            packet: stripped,
            local_tag,
            peer_tag,
            listed,
            stale_by,
        } = opened
        else {
            self.outputs.statistics.bad_cookie += 1;
            return;
        };
        let reply = Header {
            verification_tag: peer_tag,
            ..packet.header.reversed()
        };
        let from = InitSource {
            route: source,
            listed: &listed,
        };
        let at_peer = self.demultiplexer.by_peer(peer);
        let is_known = self
            .demultiplexer
            .by_tag(local_tag)
            .any(|id| Some(id) == at_peer);
        if let (true, Some(id)) = (is_known, at_peer) {
            self.on_cookie_again(id, from, &stripped);
        } else if let Some(by) = stale_by {
            self.outputs.statistics.stale_cookie += 1;
            let cause = type_length_value(error_cause::STALE_COOKIE, &staleness(by));
            let error = Writer::new(reply)
                .chunk(chunk_type::ERROR, 0, &cause)
                .finish();
            self.respond(source, error);
        } else if self.replay_guard.has_ended(local_tag) {
            self.outputs.statistics.replayed_cookie += 1;
        } else if let Some(id) = at_peer {
            self.on_cookie_again(id, from, &stripped);
        } else if !self.config.listen {
            // It listened when it gave the cookie.
            self.refuse(source, reply);
        } else if self.associations.len() >= self.config.associations_max {
            self.outputs.statistics.out_of_resource += 1;
            self.respond(source, abort(reply, error_cause::OUT_OF_RESOURCE, &[]));
        } else {
            self.accept(peer, from, &stripped);
        }
    }

    /// The cookie of an association that exists: repeated, in collision, or after a restart.
    fn on_cookie_again(&mut self, id: AssociationId, from: InitSource<'_>, stripped: &[u8]) {
        self.reseed();
        self.with(id, |association, around| {
            if !association.is_up() && association.peer_tag.is_none() {
                association.learn_addresses(from.route, from.listed, around);
            }
            association.on_cookie_echo(stripped, from, around)
        });
    }

    fn accept(&mut self, peer: Peer, from: InitSource<'_>, stripped: &[u8]) {
        self.reseed();
        let socket = Socket::new("", &self.config.options(peer.1));
        let id = self.add(socket, peer, Phase::Accepting);
        let mut is_up = false;
        self.with(id, |association, around| {
            association.learn_addresses(from.route, from.listed, around);
            let down = association.on_cookie_echo(stripped, from, around);
            is_up = association.is_up();
            down
        });
        if !is_up {
            // dcsctp would not have it: as if it had never come.
            self.remove(id);
        }
    }
}

/// Whose a packet is. One to a port that is not ours is bound to that port, and fits no cookie.
fn binding(from: Route, header: Header) -> Binding {
    Binding {
        peer: from.remote,
        local_port: header.destination_port,
        peer_port: header.source_port,
    }
}
