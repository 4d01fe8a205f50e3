//! One association: a dcsctp socket and what this layer adds to it.
//!
//! Knows its peer and its messages, no other association. Packets that reach it have passed the
//! checks of ports, tag and checksum.

use std::collections::VecDeque;
use std::net::SocketAddr;

use dcsctp::api::{
    DcSctpSocket, ErrorKind, LifecycleId, Message, PpId, SendOptions, Socket, SocketEvent,
    SocketTime, StreamId,
};

use crate::config::Config;
use crate::cookie::{Binding, CookieJar};
use crate::demultiplexer::Peer;
use crate::event::{AssociationId, DownReason, Event, Outgoing, SendError, Transmit};
use crate::heartbeat::{Due, Heartbeat};
use crate::outbox::Outbox;
use crate::packet::{Header, Packet, Writer, chunk_type, error_cause, type_length_value};
use crate::statistics::Statistics;
use crate::time::Timestamp;

/// Of the words in a peer's ABORT, and of ours: enough for a sentence.
const REASON_OCTETS_MAX: usize = 256;

pub(crate) struct Association {
    pub(crate) id: AssociationId,
    socket: Socket,
    /// The socket's time zero.
    started: Timestamp,
    pub(crate) phase: Phase,
    pub(crate) remote: SocketAddr,
    pub(crate) peer_port: u16,
    pub(crate) local_tag: u32,
    pub(crate) peer_tag: Option<u32>,
    outgoing_streams: u16,
    accepted: bool,
    pub(crate) heartbeat: Heartbeat,
    outbox: Outbox,
    closing: Closing,
    /// Octets of messages that the owner of the endpoint has not fetched.
    undelivered_octets: usize,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// We sent INIT to these and none has refused yet.
    Connecting {
        candidates: Vec<SocketAddr>,
    },
    /// A COOKIE ECHO is being taken.
    Accepting,
    Up,
}

enum Closing {
    No,
    /// We are to close as soon as everything is acknowledged. dcsctp alone would close over
    /// messages that wait in its queue.
    WhenAcknowledged,
    /// The peer's SHUTDOWN, held until everything is acknowledged, for the same reason.
    ByPeer(Vec<u8>),
    /// dcsctp is at it.
    Begun,
}

/// What an association writes to and reads from in its endpoint.
pub(crate) struct Surroundings<'a> {
    pub(crate) now: Timestamp,
    pub(crate) config: &'a Config,
    pub(crate) jar: &'a CookieJar,
    pub(crate) outputs: &'a mut Outputs,
}

/// What waits for the owner of the endpoint.
#[derive(Default)]
pub(crate) struct Outputs {
    pub(crate) transmits: VecDeque<Transmit>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) statistics: Statistics,
}

impl Association {
    pub(crate) fn new(
        id: AssociationId,
        socket: Socket,
        now: Timestamp,
        peer: Peer,
        phase: Phase,
        heartbeat: Heartbeat,
    ) -> Self {
        Self {
            id,
            local_tag: socket.verification_tag(),
            socket,
            started: now,
            accepted: phase == Phase::Accepting,
            phase,
            remote: peer.0,
            peer_port: peer.1,
            peer_tag: None,
            outgoing_streams: 0,
            heartbeat,
            outbox: Outbox::default(),
            closing: Closing::No,
            undelivered_octets: 0,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// Addresses the peer may send from without having been heard there.
    pub(crate) fn peers(&self) -> Vec<Peer> {
        let addresses = match &self.phase {
            Phase::Connecting { candidates } if self.peer_tag.is_none() => candidates.clone(),
            Phase::Connecting { .. } | Phase::Accepting | Phase::Up => vec![self.remote],
        };
        addresses
            .into_iter()
            .map(|address| (address, self.peer_port))
            .collect()
    }

    /// dcsctp's tag of now; another one after a restart. 0 when it has closed.
    pub(crate) fn socket_tag(&self) -> u32 {
        self.socket.verification_tag()
    }

    pub(crate) fn send_queue_octets(&self) -> usize {
        self.outbox.octets()
    }

    /// When [`Association::fire`] is due.
    pub(crate) fn deadline(&self, now: Timestamp, config: &Config) -> Timestamp {
        let mut socket = self.socket_deadline();
        if socket <= now {
            // The driver was late, and dcsctp has more to make up for. Its count of unanswered
            // retransmissions must not run out before the peer had the time to answer one.
            socket = now + config.timers.rto_min;
        }
        if self.is_up() {
            socket.min(self.heartbeat.deadline())
        } else {
            socket
        }
    }

    /// A packet for dcsctp. Follow with [`Association::collect`].
    pub(crate) fn feed(&mut self, now: Timestamp, packet: &[u8]) {
        // What has arrived is read before timers fire: after a late wake-up the acknowledgement
        // in this packet would otherwise come after a retransmission that it makes needless.
        let due = self.socket_deadline();
        if now < due {
            self.advance(now);
        }
        self.socket.handle_input(packet);
    }

    /// A packet with our tag or, for ABORT and SHUTDOWN COMPLETE, the peer's.
    pub(crate) fn on_packet(
        &mut self,
        packet: &Packet<'_>,
        around: &mut Surroundings<'_>,
    ) -> Option<DownReason> {
        self.heartbeat.on_packet(around.now);
        if let Some(stream) = invalid_stream(packet, around.config.streams) {
            around.outputs.statistics.invalid_streams += 1;
            let mut value = stream.to_be_bytes().to_vec();
            value.extend([0, 0]);
            self.send_abort(error_cause::INVALID_STREAM_IDENTIFIER, &value, around);
            return Some(DownReason::LocalAbort);
        }
        let is_for_us_only = packet.is_alone() && packet.first().kind == chunk_type::HEARTBEAT_ACK;
        for ack in packet
            .chunks()
            .filter(|chunk| chunk.kind == chunk_type::HEARTBEAT_ACK)
        {
            if !self
                .heartbeat
                .on_ack(around.now, ack.value, &around.config.timers)
            {
                around.outputs.statistics.protocol_errors += 1;
            }
        }
        if is_for_us_only {
            return None;
        }
        if packet.find(chunk_type::SHUTDOWN).is_some() && self.is_up() {
            self.on_shutdown(packet, around);
        } else {
            self.feed(around.now, packet.octets());
        }
        self.collect(around, None)
    }

    /// A COOKIE ECHO, stripped, for an association that exists (RFC 9260 §5.2.4).
    pub(crate) fn on_cookie_echo(
        &mut self,
        stripped: &[u8],
        around: &mut Surroundings<'_>,
    ) -> Option<DownReason> {
        self.feed(around.now, stripped);
        let events: Vec<_> = std::iter::from_fn(|| self.socket.poll_event()).collect();
        let is_restart = self.is_up()
            && events
                .iter()
                .any(|event| matches!(event, SocketEvent::OnConnected()));
        if is_restart {
            // Case A. dcsctp would keep its send queue, but the message at its head with the
            // stream sequence number of before: a new socket takes the cookie instead.
            self.restart(around);
            self.socket.handle_input(stripped);
            return self.collect(around, None);
        }
        for event in events {
            if let Some(reason) = self.on_socket_event(event, around, None) {
                return Some(reason);
            }
        }
        self.collect(around, None)
    }

    /// The address has changed: where to send from now on.
    pub(crate) fn follow(&mut self, from: SocketAddr) {
        self.remote = from;
    }

    /// One candidate will not have us. Says whether it was the last.
    pub(crate) fn on_candidate_failed(&mut self, candidate: SocketAddr) -> bool {
        let Phase::Connecting { candidates } = &mut self.phase else {
            return false;
        };
        candidates.retain(|other| *other != candidate);
        candidates.is_empty()
    }

    /// The time set by [`Association::deadline`] has come.
    pub(crate) fn fire(
        &mut self,
        random: u32,
        around: &mut Surroundings<'_>,
    ) -> Option<DownReason> {
        if self.socket_deadline() <= around.now {
            self.advance(around.now);
        }
        if let Some(reason) = self.collect(around, None) {
            return Some(reason);
        }
        if !self.is_up() {
            return None;
        }
        match self
            .heartbeat
            .on_deadline(around.now, &around.config.timers, random)
        {
            Due::Nothing => None,
            Due::Ask(value) => {
                around.outputs.statistics.heartbeats_out += 1;
                let heartbeat = self
                    .writer(around.config)
                    .chunk(chunk_type::HEARTBEAT, 0, &value);
                self.transmit(heartbeat.finish(), around.outputs);
                None
            }
            Due::Lost => {
                self.send_abort(error_cause::USER_INITIATED_ABORT, b"no answer", around);
                Some(DownReason::Lost)
            }
        }
    }

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

    pub(crate) fn start_shutdown(&mut self) {
        if matches!(self.closing, Closing::No) {
            self.closing = Closing::WhenAcknowledged;
        }
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

    /// Fetches what dcsctp has to say. To be called after every call on the socket.
    pub(crate) fn collect(
        &mut self,
        around: &mut Surroundings<'_>,
        init_ack_to: Option<SocketAddr>,
    ) -> Option<DownReason> {
        loop {
            let mut down = None;
            while let Some(event) = self.socket.poll_event() {
                down = self.on_socket_event(event, around, init_ack_to).or(down);
            }
            self.fetch_messages(
                around.config.receive_window_octets,
                &mut around.outputs.events,
            );
            if down.is_some() {
                return down;
            }
            if !self.outbox.is_empty() || !self.is_up() {
                return None;
            }
            match std::mem::replace(&mut self.closing, Closing::Begun) {
                Closing::WhenAcknowledged => self.socket.shutdown(),
                Closing::ByPeer(shutdown) => self.socket.handle_input(&shutdown),
                unchanged @ (Closing::No | Closing::Begun) => {
                    self.closing = unchanged;
                    return None;
                }
            }
        }
    }

    /// Messages go out only as far as their owner fetches them: the rest stays in the receive
    /// window, and the window closes.
    pub(crate) fn fetch_messages(&mut self, octets_max: usize, events: &mut VecDeque<Event>) {
        while self.undelivered_octets < octets_max {
            let Some(message) = self.socket.get_next_message() else {
                return;
            };
            self.undelivered_octets += message.payload.len();
            events.push_back(Event::Message {
                association: self.id,
                stream: message.stream_id.0,
                ppid: message.ppid.0,
                data: message.payload,
            });
        }
    }

    pub(crate) fn on_delivered(&mut self, octets: usize) {
        self.undelivered_octets = self.undelivered_octets.saturating_sub(octets);
    }

    /// Hands back what was not acknowledged.
    pub(crate) fn fail_all(&mut self, events: &mut VecDeque<Event>) {
        let association = self.id;
        events.extend(
            self.outbox
                .take_all()
                .into_iter()
                .map(|message| Event::SendFailed {
                    association,
                    stream: message.stream,
                    ppid: message.ppid,
                    data: message.data,
                }),
        );
    }

    fn on_socket_event(
        &mut self,
        event: SocketEvent,
        around: &mut Surroundings<'_>,
        init_ack_to: Option<SocketAddr>,
    ) -> Option<DownReason> {
        match event {
            SocketEvent::SendPacket(packet) => self.send_packet(packet, around, init_ack_to),
            SocketEvent::OnConnected() => self.on_connected(around),
            SocketEvent::OnClosed() => return Some(DownReason::Closed),
            SocketEvent::OnAborted(kind, _) => return Some(down_reason(kind)),
            SocketEvent::OnLifecycleMessageDelivered(id) => {
                self.outbox.on_acknowledged(id.value());
            }
            SocketEvent::OnError(..) => around.outputs.statistics.protocol_errors += 1,
            SocketEvent::OnConnectionRestarted()
            | SocketEvent::OnLifecycleMessageFullySent(_)
            | SocketEvent::OnBufferedAmountLow(_)
            | SocketEvent::OnTotalBufferedAmountLow()
            | SocketEvent::OnStreamsResetFailed(_)
            | SocketEvent::OnStreamsResetPerformed(_)
            | SocketEvent::OnIncomingStreamReset(_)
            | SocketEvent::OnLifecycleMessageMaybeExpired(_)
            | SocketEvent::OnLifecycleMessageExpired(_)
            | SocketEvent::OnLifecycleEnd(_) => {}
        }
        None
    }

    fn on_connected(&mut self, around: &mut Surroundings<'_>) {
        let metrics = self.socket.get_metrics();
        self.outgoing_streams =
            metrics.map_or(0, |metrics| metrics.negotiated_maximum_outgoing_streams);
        self.heartbeat.on_packet(around.now);
        let outputs = &mut *around.outputs;
        if self.is_up() {
            if matches!(self.closing, Closing::Begun) {
                self.closing = Closing::WhenAcknowledged;
            } else if matches!(self.closing, Closing::ByPeer(_)) {
                self.closing = Closing::No;
            }
            outputs.statistics.restarts += 1;
            outputs.events.push_back(Event::Restarted {
                association: self.id,
            });
            return;
        }
        self.phase = Phase::Up;
        outputs.statistics.associations_up += 1;
        outputs.events.push_back(Event::Up {
            association: self.id,
            remote: self.remote,
            sctp_port: self.peer_port,
            accepted: self.accepted,
        });
    }

    fn restart(&mut self, around: &mut Surroundings<'_>) {
        self.socket = Socket::new("", &around.config.options(self.peer_port));
        self.started = around.now;
        self.fail_all(&mut around.outputs.events);
        self.closing = match std::mem::replace(&mut self.closing, Closing::No) {
            Closing::No | Closing::ByPeer(_) => Closing::No,
            Closing::WhenAcknowledged | Closing::Begun => Closing::WhenAcknowledged,
        };
    }

    /// RFC 9260 §9.2. A SHUTDOWN also acknowledges (Cumulative TSN Ack), which dcsctp passes
    /// over: it gets a SACK that says the same.
    fn on_shutdown(&mut self, packet: &Packet<'_>, around: &mut Surroundings<'_>) {
        if matches!(self.closing, Closing::No | Closing::WhenAcknowledged) {
            let association = self.id;
            around
                .outputs
                .events
                .push_back(Event::ShutdownByPeer { association });
        }
        if self.outbox.is_empty() || matches!(self.closing, Closing::Begun) {
            self.closing = Closing::Begun;
            self.feed(around.now, packet.octets());
            return;
        }
        let mut others = Writer::new(packet.header);
        for chunk in packet.chunks() {
            if chunk.kind == chunk_type::SHUTDOWN {
                let mut sack = chunk.value.get(..4).unwrap_or_default().to_vec();
                let window = u32::try_from(around.config.receive_window_octets);
                sack.extend(window.unwrap_or(u32::MAX).to_be_bytes());
                sack.extend([0; 4]);
                others = others.chunk(chunk_type::SACK, 0, &sack);
                let alone = Writer::new(packet.header).chunk(chunk.kind, 0, chunk.value);
                self.closing = Closing::ByPeer(alone.finish());
            } else {
                others = others.chunk(chunk.kind, chunk.flags, chunk.value);
            }
        }
        self.feed(around.now, &others.finish());
    }

    fn send_packet(
        &mut self,
        payload: Vec<u8>,
        around: &mut Surroundings<'_>,
        init_ack_to: Option<SocketAddr>,
    ) {
        let Some(packet) = Packet::parse(&payload) else {
            return;
        };
        let kind = packet.first().kind;
        match (kind, &self.phase) {
            (chunk_type::INIT, Phase::Connecting { candidates }) => {
                for to in candidates {
                    let transmit = Transmit {
                        to: *to,
                        payload: payload.clone(),
                    };
                    around.outputs.transmits.push_back(transmit);
                }
            }
            (chunk_type::INIT_ACK, _) => {
                let to = init_ack_to.unwrap_or(self.remote);
                let binding = Binding {
                    peer: to,
                    local_port: around.config.sctp_port,
                    peer_port: self.peer_port,
                };
                if let Some(payload) = around.jar.seal(around.now, &payload, binding) {
                    around.outputs.statistics.inits_answered += 1;
                    around.outputs.transmits.push_back(Transmit { to, payload });
                }
            }
            (_, Phase::Connecting { .. } | Phase::Accepting | Phase::Up) => {
                // Whatever else dcsctp sends bears the peer's tag of now, except the answers to
                // strangers that RFC 9260 §8.4 gives the T bit.
                if kind != chunk_type::SHUTDOWN_COMPLETE && kind != chunk_type::ABORT {
                    self.peer_tag = Some(packet.header.verification_tag);
                }
                self.transmit(payload, around.outputs);
            }
        }
    }

    fn transmit(&self, payload: Vec<u8>, outputs: &mut Outputs) {
        outputs.transmits.push_back(Transmit {
            to: self.remote,
            payload,
        });
    }

    fn writer(&self, config: &Config) -> Writer {
        Writer::new(Header {
            source_port: config.sctp_port,
            destination_port: self.peer_port,
            verification_tag: self.peer_tag.unwrap_or_default(),
        })
    }

    fn advance(&mut self, now: Timestamp) {
        let elapsed = now.saturating_duration_since(self.started);
        self.socket.advance_time(SocketTime::zero() + elapsed);
    }

    fn socket_deadline(&self) -> Timestamp {
        self.started + (self.socket.poll_timeout() - SocketTime::zero())
    }
}

/// The first error cause of an ABORT, and the peer's words.
pub(crate) fn abort_cause(packet: &Packet<'_>) -> (Option<u16>, String) {
    let abort = packet.find(chunk_type::ABORT);
    match abort.as_ref().and_then(|abort| abort.first_cause()) {
        Some((error_cause::USER_INITIATED_ABORT, words)) => {
            let words = &words[..words.len().min(REASON_OCTETS_MAX)];
            let reason = String::from_utf8_lossy(words).into_owned();
            (Some(error_cause::USER_INITIATED_ABORT), reason)
        }
        Some((cause, _)) => (Some(cause), String::new()),
        None => (None, String::new()),
    }
}

/// A stream that was never negotiated. dcsctp would take it and keep state for it.
fn invalid_stream(packet: &Packet<'_>, streams: u16) -> Option<u16> {
    packet
        .chunks()
        .filter(|chunk| chunk.kind == chunk_type::DATA)
        .filter_map(|chunk| crate::packet::read_u16(chunk.value, 4))
        .find(|stream| *stream >= streams)
}

fn down_reason(kind: ErrorKind) -> DownReason {
    match kind {
        ErrorKind::TooManyRetries => DownReason::Lost,
        // An ABORT of the peer never gets to dcsctp; the rest is for what the peer did wrong.
        ErrorKind::PeerReported
        | ErrorKind::NoError
        | ErrorKind::NotConnected
        | ErrorKind::ParseFailed
        | ErrorKind::WrongSequence
        | ErrorKind::ProtocolViolation
        | ErrorKind::ResourceExhaustion
        | ErrorKind::UnsupportedOperation => DownReason::LocalAbort,
    }
}
