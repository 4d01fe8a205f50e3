//! One association: a dcsctp socket and what this layer adds to it.
//!
//! Knows its peer and its messages, no other association. Packets that reach it have passed the
//! checks of ports, tag and checksum.

mod liveness;
mod multihoming;
mod output;
mod shutdown;
mod window;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use dcsctp::api::{DcSctpSocket, ErrorKind, Socket, SocketEvent, SocketTime};
use rand_chacha::ChaCha20Rng;

use crate::config::Config;
use crate::cookie::CookieJar;
use crate::demultiplexer::Peer;
use crate::event::{AssociationId, DownReason, Event, Transmit};
use crate::heartbeat::Heartbeat;
use crate::outbox::Outbox;
use crate::packet::{Packet, chunk_type, error_cause, read_u16};
use crate::paths::Paths;
use crate::rate_limit::RateLimit;
use crate::reassembly::Reassembly;
use crate::route::Route;
use crate::statistics::Statistics;
use crate::time::Timestamp;

use shutdown::Closing;
use window::Window;

/// Of the words in a peer's ABORT, and of ours: enough for a sentence.
const REASON_OCTETS_MAX: usize = 256;

pub(crate) struct Association {
    pub(crate) id: AssociationId,
    socket: Socket,
    /// The socket's time zero.
    started: Timestamp,
    pub(crate) phase: Phase,
    /// Where the peer is; with several paths, on the one in use.
    pub(crate) remote: SocketAddr,
    /// Our address, of an association that was accepted: the peer expects answers from there.
    local: Option<IpAddr>,
    /// `None` as long as there is but one.
    paths: Option<Box<Paths>>,
    /// What dcsctp sends now, a timer has it send.
    is_on_timer: bool,
    /// The addresses under which the endpoint finds this association.
    pub(crate) registered: Vec<SocketAddr>,
    pub(crate) peer_port: u16,
    pub(crate) local_tag: u32,
    pub(crate) peer_tag: Option<u32>,
    outgoing_streams: u16,
    accepted: bool,
    pub(crate) heartbeat: Heartbeat,
    outbox: Outbox,
    closing: Closing,
    window: Window,
    /// Octets of messages that the owner of the endpoint has not fetched.
    undelivered_octets: usize,
    pub(crate) reassembly: Reassembly,
    /// What of it is in the endpoint's sum.
    pub(crate) reassembly_counted: usize,
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

/// What an association writes to and reads from in its endpoint.
pub(crate) struct Surroundings<'a> {
    pub(crate) now: Timestamp,
    pub(crate) config: &'a Config,
    pub(crate) jar: &'a CookieJar,
    pub(crate) random: &'a mut ChaCha20Rng,
    /// HEARTBEATs to addresses that may be anybody's.
    pub(crate) verification_limit: &'a mut RateLimit,
    pub(crate) outputs: &'a mut Outputs,
}

/// To whom an INIT ACK goes, and what its INIT listed.
#[derive(Clone, Copy)]
pub(crate) struct InitSource<'a> {
    pub(crate) route: Route,
    pub(crate) listed: &'a [IpAddr],
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
            local: None,
            paths: None,
            is_on_timer: false,
            registered: Vec::new(),
            peer_port: peer.1,
            peer_tag: None,
            outgoing_streams: 0,
            heartbeat,
            outbox: Outbox::default(),
            closing: Closing::No,
            window: Window::default(),
            undelivered_octets: 0,
            reassembly: Reassembly::default(),
            reassembly_counted: 0,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// Where the peer is to be found: the candidates, until one of them has answered.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        match &self.phase {
            Phase::Connecting { candidates } if self.peer_tag.is_none() => candidates,
            Phase::Connecting { .. } | Phase::Accepting | Phase::Up => match &self.paths {
                Some(paths) => paths.confirmed(),
                None => std::slice::from_ref(&self.remote),
            },
        }
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
        let mut socket = self.timers_due();
        if socket <= now {
            // The driver was late, and dcsctp has more to make up for. Its count of unanswered
            // retransmissions must not run out before the peer had the time to answer one.
            socket = now + config.timers.rto_min;
        }
        if !self.is_up() {
            return socket;
        }
        let deadline = socket.min(self.heartbeat.deadline());
        match &self.paths {
            Some(paths) => deadline.min(paths.deadline()),
            None => deadline,
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
        source: Route,
        around: &mut Surroundings<'_>,
    ) -> Option<DownReason> {
        self.heartbeat.on_packet(around.now);
        if let (Some(paths), true) = (&mut self.paths, self.phase == Phase::Up) {
            paths.on_heard(around.now, source, &around.config.timers);
        }
        if let Some(stream) = invalid_stream(packet, around.config.streams) {
            around.outputs.statistics.invalid_streams += 1;
            let mut value = stream.to_be_bytes().to_vec();
            value.extend([0, 0]);
            self.send_abort(error_cause::INVALID_STREAM_IDENTIFIER, &value, around);
            return Some(DownReason::LocalAbort);
        }
        if self.on_heartbeat_chunks(packet, source, around) {
            self.apply_path_effects(around);
            return None;
        }
        if self.window.is_closed() {
            self.answer_probe(packet, source, around);
        } else {
            self.reassembly.on_packet(packet);
            self.window.on_data(packet);
        }
        self.before_window_opens(packet, around.now);
        match packet.find(chunk_type::SHUTDOWN) {
            // RFC 9260 §3.3.8: nothing but the Cumulative TSN Ack.
            Some(shutdown) if shutdown.value.len() != 4 => {
                around.outputs.statistics.malformed += 1;
                return None;
            }
            Some(_) if self.is_up() => self.on_shutdown(packet, around),
            Some(_) | None => self.feed(around.now, packet.octets()),
        }
        self.on_peer_window(packet, around);
        self.apply_path_effects(around);
        self.collect(around, None)
    }

    /// A COOKIE ECHO, stripped, for an association that exists (RFC 9260 §5.2.4).
    pub(crate) fn on_cookie_echo(
        &mut self,
        stripped: &[u8],
        source: InitSource<'_>,
        around: &mut Surroundings<'_>,
    ) -> Option<DownReason> {
        if let Some(packet) = Packet::parse(stripped) {
            self.reassembly.on_packet(&packet);
        }
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
            // RFC 9260 §5.4: the verification of addresses begins anew, too.
            self.learn_addresses(source.route, source.listed, around);
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

    /// Fetches what dcsctp has to say. To be called after every call on the socket.
    pub(crate) fn collect(
        &mut self,
        around: &mut Surroundings<'_>,
        init_ack_to: Option<InitSource<'_>>,
    ) -> Option<DownReason> {
        loop {
            let mut down = None;
            while let Some(event) = self.socket.poll_event() {
                down = self.on_socket_event(event, around, init_ack_to).or(down);
            }
            let window = around.config.receive_window_octets;
            self.fetch_messages(window, around.config, around.outputs);
            if down.is_some() {
                return down;
            }
            if !self.continue_closing() {
                return None;
            }
        }
    }

    /// Messages go out only as far as their owner fetches them: the rest stays in the receive
    /// window, and the window closes.
    pub(crate) fn fetch_messages(
        &mut self,
        octets_max: usize,
        config: &Config,
        outputs: &mut Outputs,
    ) {
        let mut has_fetched = false;
        while !self.window.is_held() && self.undelivered_octets < octets_max {
            let Some(message) = self.socket.get_next_message() else {
                break;
            };
            has_fetched = true;
            self.undelivered_octets += message.payload.len();
            self.reassembly.on_message(message.payload.len());
            outputs.events.push_back(Event::Message {
                association: self.id,
                stream: message.stream_id.0,
                ppid: message.ppid.0,
                data: message.payload,
            });
        }
        if has_fetched {
            self.tell_window_open(config, outputs);
        }
    }

    /// Brings the sum over all associations up to date.
    pub(crate) fn count_reassembly(&mut self, sum: &mut usize) {
        *sum -= self.reassembly_counted;
        self.reassembly_counted = self.reassembly.memory();
        *sum += self.reassembly_counted;
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
        init_ack_to: Option<InitSource<'_>>,
    ) -> Option<DownReason> {
        match event {
            SocketEvent::SendPacket(packet) => self.send_packet(packet, around, init_ack_to),
            SocketEvent::OnConnected() => self.on_connected(around),
            SocketEvent::OnClosed() => return Some(DownReason::Closed),
            SocketEvent::OnAborted(kind, _) => return Some(down_reason(kind)),
            SocketEvent::OnLifecycleMessageDelivered(id) => {
                self.outbox.on_acknowledged(id.value());
                if let Some(paths) = &mut self.paths {
                    paths.on_data_acknowledged(around.now, &around.config.timers);
                }
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
        if let Some(paths) = &mut self.paths {
            paths.start(around.now, &around.config.timers);
        }
        let outputs = &mut *around.outputs;
        if self.is_up() {
            outputs.statistics.restarts += 1;
            outputs.events.push_back(Event::Restarted {
                association: self.id,
                remote: self.remote,
                sctp_port: self.peer_port,
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
        self.deliver_all(around.config, around.outputs);
        self.socket = Socket::new("", &around.config.options(self.peer_port));
        self.started = around.now;
        self.reassembly = Reassembly::default();
        self.window = Window::default();
        self.fail_all(&mut around.outputs.events);
        self.reset_closing();
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
        .filter_map(|chunk| read_u16(chunk.value, 4))
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
