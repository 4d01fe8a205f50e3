//! What an association sends: messages, its own ABORT, and the packets of dcsctp.

use std::net::SocketAddr;

use dcsctp::api::{DcSctpSocket as _, LifecycleId, Message, PpId, SendOptions, StreamId};

use super::shutdown::Closing;
use super::{Association, InitSource, Outputs, Phase, REASON_OCTETS_MAX, Surroundings};
use crate::addresses;
use crate::config::Config;
use crate::cookie::Binding;
use crate::event::{Outgoing, SendError};
use crate::packet::{Header, Packet, Writer, chunk_type, type_length_value};
use crate::route::Route;

impl Association {
    pub(crate) fn send(
        &mut self,
        message: Outgoing,
        around: &mut Surroundings<'_>,
    ) -> Result<(), SendError> {
        let config = around.config;
        if !self.is_up() || !matches!(self.closing, Closing::No) {
            return Err(SendError::NotConnected);
        }
        if message.data.is_empty() {
            return Err(SendError::Empty);
        }
        if message.data.len() > config.message_octets_max {
            return Err(SendError::TooLarge);
        }
        if message.stream >= self.outgoing_streams {
            return Err(SendError::InvalidStream);
        }
        if self.outbox.octets() + message.data.len() > config.send_queue_octets_max {
            return Err(SendError::QueueFull);
        }
        let handed_over = Message::new(
            StreamId(message.stream),
            PpId(message.ppid),
            message.data.clone(),
        );
        let unordered = message.unordered;
        let number = self.outbox.keep(message);
        let options = SendOptions {
            unordered,
            lifecycle_id: LifecycleId::new(number),
            ..SendOptions::default()
        };
        if around.now < self.socket_deadline() {
            self.advance(around.now);
        }
        self.socket.send(handed_over, &options).map_err(|_| {
            self.outbox.on_acknowledged(number);
            SendError::NotConnected
        })
    }

    /// ABORT to the peer, if we know its tag. The caller ends the association.
    pub(crate) fn send_abort(&self, cause: u16, value: &[u8], around: &mut Surroundings<'_>) {
        if self.peer_tag.is_none() {
            return;
        }
        let cause = type_length_value(cause, &value[..value.len().min(REASON_OCTETS_MAX)]);
        let abort = self
            .writer(around.config)
            .chunk(chunk_type::ABORT, 0, &cause);
        self.transmit(abort.finish(), around.outputs);
    }

    /// A packet of dcsctp. `init_ack_to` is where an INIT ACK goes.
    pub(super) fn send_packet(
        &mut self,
        payload: Vec<u8>,
        around: &mut Surroundings<'_>,
        init_ack_to: Option<InitSource<'_>>,
    ) {
        let Some(packet) = Packet::parse(&payload) else {
            return;
        };
        let kind = packet.first().kind;
        self.reassembly
            .on_sack(&packet, around.config.receive_window_octets);
        self.window.on_sack_sent(&packet);
        match (kind, &self.phase) {
            (chunk_type::INIT, Phase::Connecting { candidates }) => {
                send_init(&payload, candidates, around);
            }
            (chunk_type::INIT_ACK, _) => self.send_init_ack(&payload, around, init_ack_to),
            (_, Phase::Connecting { .. } | Phase::Accepting | Phase::Up) => {
                // Whatever else dcsctp sends bears the peer's tag of now, except the answers to
                // strangers that RFC 9260 §8.4 gives the T bit.
                if kind != chunk_type::SHUTDOWN_COMPLETE && kind != chunk_type::ABORT {
                    self.peer_tag = Some(packet.header.verification_tag);
                }
                let route = self.route_of(&packet, around);
                around.outputs.transmits.push_back(route.carry(payload));
            }
        }
    }

    fn send_init_ack(
        &self,
        init_ack: &[u8],
        around: &mut Surroundings<'_>,
        to: Option<InitSource<'_>>,
    ) {
        let to = to.unwrap_or(InitSource {
            route: self.route(),
            listed: &[],
        });
        let binding = Binding {
            peer: to.route.remote,
            local_port: around.config.sctp_port,
            peer_port: self.peer_port,
        };
        let local = &around.config.local_addresses;
        let sealed = around
            .jar
            .seal(around.now, init_ack, binding, to.listed, local);
        if let Some(payload) = sealed {
            around.outputs.statistics.inits_answered += 1;
            around.outputs.transmits.push_back(to.route.carry(payload));
        }
    }

    pub(super) fn transmit(&self, payload: Vec<u8>, outputs: &mut Outputs) {
        outputs.transmits.push_back(self.route().carry(payload));
    }

    pub(super) fn writer(&self, config: &Config) -> Writer {
        Writer::new(Header {
            source_port: config.sctp_port,
            destination_port: self.peer_port,
            verification_tag: self.peer_tag.unwrap_or_default(),
        })
    }
}

/// RFC 9260 §5.1.2: with our addresses, if there are any to tell.
fn send_init(init: &[u8], candidates: &[SocketAddr], around: &mut Surroundings<'_>) {
    let local = &around.config.local_addresses;
    for to in candidates {
        let listing = (!local.is_empty()).then(|| addresses::with_ours(init, local, to.ip()));
        let payload = listing.flatten().unwrap_or_else(|| init.to_vec());
        let route = Route {
            local: None,
            remote: *to,
        };
        around.outputs.transmits.push_back(route.carry(payload));
    }
}
