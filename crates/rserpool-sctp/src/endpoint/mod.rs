//! The endpoint: its entry points, and the life of associations.
//!
//! - `receive`: what a datagram is and whose.
//! - `listen`: INIT and COOKIE ECHO, without state before the cookie comes back.
//! - `unreachable`: ICMP.

mod listen;
mod receive;
mod unreachable;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use dcsctp::api::Socket;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::association::{Association, Outputs, Phase, Surroundings};
use crate::config::{CANDIDATES_MAX, Config, LOCAL_ADDRESSES_MAX};
use crate::cookie::CookieJar;
use crate::demultiplexer::{Demultiplexer, Peer};
use crate::event::{
    AssociationId, ConnectError, DownReason, Event, Outgoing, PathStatus, Remote, SendError,
    SetPrimaryError, Transmit,
};
use crate::heartbeat::Heartbeat;
use crate::out_of_the_blue::RESPONSES_PER_SECOND;
use crate::packet::error_cause;
use crate::rate_limit::{InitLimit, RateLimit, VERIFICATIONS_PER_SECOND};
use crate::replay_guard::ReplayGuard;
use crate::route::Route;
use crate::statistics::Statistics;
use crate::time::Timestamp;
use crate::timer_queue::TimerQueue;

/// An SCTP endpoint with any number of associations.
///
/// Call a `handle_*` method or a command, then fetch everything with [`Endpoint::poll_event`]
/// and [`Endpoint::poll_transmit`], and call [`Endpoint::handle_timeout`] no later than
/// [`Endpoint::poll_timeout`] says. Not `Send`: it lives on the thread that made it.
pub struct Endpoint {
    config: Config,
    random: ChaCha20Rng,
    jar: CookieJar,
    /// Answers every INIT that begins an association. It keeps nothing between two of them.
    listener: Socket,
    /// Boxed: a map's nodes are half empty, and an association is large.
    associations: BTreeMap<AssociationId, Box<Association>>,
    demultiplexer: Demultiplexer,
    timers: TimerQueue,
    replay_guard: ReplayGuard,
    response_limit: RateLimit,
    init_limit: InitLimit,
    verification_limit: RateLimit,
    outputs: Outputs,
    /// Memory that incomplete messages take, of all associations.
    reassembly_octets: usize,
    last_id: u64,
    now: Timestamp,
}

impl Endpoint {
    /// An endpoint without associations.
    ///
    /// `seed` is all its randomness: tags, the cookie key, jitter. Production takes it from the
    /// operating system. Same seed and same calls: same packets.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let config = config.corrected();
        let mut random = ChaCha20Rng::from_seed(seed);
        let mut key = [0; 32];
        random.fill_bytes(&mut key);
        let init_limit = InitLimit::new(random.next_u64());
        Self {
            jar: CookieJar::new(&key, config.timers.cookie_life),
            // The cookie jar writes the peer's port into what it answers.
            listener: Socket::new("", &config.options(0)),
            replay_guard: ReplayGuard::new(config.timers.cookie_life),
            config,
            random,
            associations: BTreeMap::new(),
            demultiplexer: Demultiplexer::default(),
            timers: TimerQueue::default(),
            response_limit: RateLimit::new(RESPONSES_PER_SECOND),
            init_limit,
            verification_limit: RateLimit::new(VERIFICATIONS_PER_SECOND),
            outputs: Outputs::default(),
            reassembly_octets: 0,
            last_id: 0,
            now: Timestamp::ZERO,
        }
    }

    /// The configuration in force, after correction.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Our addresses have changed: for associations that begin from now on
    /// ([`Config::local_addresses`]).
    pub fn set_local_addresses(&mut self, addresses: Vec<IpAddr>) {
        self.config.local_addresses = addresses;
        self.config.local_addresses.truncate(LOCAL_ADDRESSES_MAX);
    }

    /// No more associations are accepted; those that there are go on. Whoever asks for one is
    /// refused, also with a cookie that was given before: it need not wait to ask another.
    pub fn stop_listening(&mut self) {
        self.config.listen = false;
    }

    /// To be called at the time of [`Endpoint::poll_timeout`] or later.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.set_time(now);
        while let Some(id) = self.timers.pop_due(self.now) {
            let random = self.random.next_u32();
            self.with(id, |association, around| association.fire(random, around));
        }
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.outputs.transmits.pop_front()?;
        self.outputs.statistics.packets_out += 1;
        Some(transmit)
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.outputs.events.pop_front()?;
        if let Event::Message {
            association, data, ..
        } = &event
            && let Some(association) = self.associations.get_mut(association)
        {
            association.on_delivered(data.len());
            let window = self.config.receive_window_octets;
            association.fetch_messages(window, &self.config, &mut self.outputs);
            association.count_reassembly(&mut self.reassembly_octets);
        }
        Some(event)
    }

    /// When to call [`Endpoint::handle_timeout`]; may be sooner than there is something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// Begins to set up an association. [`Event::Up`] or [`Event::Down`] follows.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], and nothing was begun.
    pub fn connect(
        &mut self,
        now: Timestamp,
        remote: Remote,
    ) -> Result<AssociationId, ConnectError> {
        self.set_time(now);
        let Remote { mut udp, sctp_port } = remote;
        udp.dedup();
        if sctp_port == 0 {
            return Err(ConnectError::Port);
        }
        let (1..=CANDIDATES_MAX, Some(first)) = (udp.len(), udp.first().copied()) else {
            return Err(ConnectError::Candidates);
        };
        for candidate in &udp {
            if let Some(existing) = self.demultiplexer.by_peer((*candidate, sctp_port)) {
                return Err(ConnectError::AlreadyAssociated(existing));
            }
        }
        if self.associations.len() >= self.config.associations_max {
            return Err(ConnectError::TooManyAssociations);
        }
        let mut socket = Socket::new("", &self.config.options(sctp_port));
        self.connect_with_new_tag(&mut socket);
        let phase = Phase::Connecting { candidates: udp };
        let id = self.add(socket, (first, sctp_port), phase);
        self.with(id, |association, around| association.collect(around, None));
        Ok(id)
    }

    /// Hands a message over. It is sent as soon as the windows allow.
    ///
    /// # Errors
    ///
    /// [`SendError`], and the message was not taken.
    pub fn send(
        &mut self,
        now: Timestamp,
        association: AssociationId,
        outgoing: Outgoing,
    ) -> Result<(), SendError> {
        self.set_time(now);
        let mut result = Err(SendError::UnknownAssociation);
        self.with(association, |association, around| {
            result = association.send(outgoing, around);
            association.collect(around, None)
        });
        result
    }

    /// Closes in good order: what was handed over is delivered first. [`Event::Down`] follows.
    pub fn shutdown(&mut self, now: Timestamp, association: AssociationId) {
        self.set_time(now);
        self.with(association, |association, around| {
            if !association.is_up() {
                association.send_abort(error_cause::USER_INITIATED_ABORT, b"", around);
                return Some(DownReason::Closed);
            }
            association.start_shutdown(around.now);
            association.collect(around, None)
        });
    }

    /// Ends at once; the peer is told `reason`, cut to 256 octets. [`Event::Down`] follows.
    pub fn abort(&mut self, now: Timestamp, association: AssociationId, reason: &str) {
        self.set_time(now);
        self.with(association, |association, around| {
            let cause = error_cause::USER_INITIATED_ABORT;
            association.send_abort(cause, reason.as_bytes(), around);
            Some(DownReason::LocalAbort)
        });
    }

    /// Whoever is to have the messages of an association does not take any: those that come stay
    /// in its receive window until [`Endpoint::release`]. When the window is full, the peer has to
    /// wait, for as long as it likes (RFC 9260 §6.1). Those of [`Endpoint::poll_event`] until now
    /// still come, and all of them when the association ends in good order.
    pub fn hold(&mut self, association: AssociationId) {
        if let Some(association) = self.associations.get_mut(&association) {
            association.hold();
        }
    }

    /// Messages are taken again after [`Endpoint::hold`]. The peer is told at once.
    pub fn release(&mut self, now: Timestamp, association: AssociationId) {
        self.set_time(now);
        self.with(association, |association, around| {
            association.release(around)
        });
    }

    /// Asks the peer now whether it is there. Unanswered for three RTOs, the association is
    /// [`DownReason::Lost`]. For when a hint says that the peer is gone; at most once a second
    /// for each association, since such hints may come from anybody.
    pub fn probe(&mut self, now: Timestamp, association: AssociationId) {
        self.set_time(now);
        let random = self.random.next_u32();
        self.with(association, |association, around| {
            if association.is_up() && association.heartbeat.start_probe(around.now) {
                return association.fire(random, around);
            }
            None
        });
    }

    /// Octets handed over and not acknowledged, 0 for an association that is not.
    #[must_use]
    pub fn send_queue_octets(&self, association: AssociationId) -> usize {
        self.associations
            .get(&association)
            .map_or(0, |association| association.send_queue_octets())
    }

    /// The verification tag in packets of this association to us.
    #[must_use]
    pub fn local_tag(&self, association: AssociationId) -> Option<u32> {
        Some(self.associations.get(&association)?.local_tag)
    }

    /// The association whose packets to us bear this verification tag.
    #[must_use]
    pub fn association_by_local_tag(&self, tag: u32) -> Option<AssociationId> {
        self.demultiplexer.by_tag(tag).next()
    }

    /// The verification tag in our packets to the peer, once the peer has told it.
    #[must_use]
    pub fn peer_tag(&self, association: AssociationId) -> Option<u32> {
        self.associations.get(&association)?.peer_tag
    }

    /// The paths of an association, if there is more than one.
    #[must_use]
    pub fn paths(&self, association: AssociationId) -> Vec<PathStatus> {
        self.associations
            .get(&association)
            .map_or_else(Vec::new, |association| association.path_status())
    }

    /// Makes one of [`Endpoint::paths`] the primary path: data takes it whenever it is active
    /// (RFC 9260 §6.4). At first it is the one on which the association was set up.
    ///
    /// # Errors
    ///
    /// [`SetPrimaryError`], and the primary path is as before.
    pub fn set_primary(
        &mut self,
        now: Timestamp,
        association: AssociationId,
        local: Option<IpAddr>,
        remote: SocketAddr,
    ) -> Result<(), SetPrimaryError> {
        self.set_time(now);
        let mut result = Err(SetPrimaryError::UnknownAssociation);
        self.with(association, |association, around| {
            let is_set = association.set_primary(Route { local, remote }, around);
            result = if is_set == Some(true) {
                Ok(())
            } else {
                Err(SetPrimaryError::NoSuchPath)
            };
            None
        });
        result
    }

    /// The peer's address: the last it was heard from, or the first candidate; with several
    /// paths, that of the one in use.
    #[must_use]
    pub fn remote(&self, association: AssociationId) -> Option<SocketAddr> {
        Some(self.associations.get(&association)?.remote)
    }

    /// Associations in set-up or up.
    #[must_use]
    pub fn associations(&self) -> usize {
        self.associations.len()
    }

    /// Counters since [`Endpoint::new`].
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.outputs.statistics
    }

    fn set_time(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// dcsctp draws tags and sequence numbers from the thread's `fastrand`, which is not a
    /// cryptographic generator. Seeded from one just before each draw, its output cannot be
    /// told from what others saw (RFC 9260 §5.3.1).
    fn reseed(&mut self) {
        fastrand::seed(self.random.next_u64());
    }

    /// Tags tell associations apart, and a cookie from one that has ended.
    fn is_tag_free(&self, tag: u32) -> bool {
        self.demultiplexer.by_tag(tag).next().is_none() && !self.replay_guard.has_ended(tag)
    }

    fn connect_with_new_tag(&mut self, socket: &mut Socket) {
        use dcsctp::api::DcSctpSocket as _;
        loop {
            self.reseed();
            socket.connect();
            if self.is_tag_free(socket.verification_tag()) {
                return;
            }
            *socket = Socket::new("", &socket.options());
        }
    }

    fn add(&mut self, socket: Socket, peer: Peer, phase: Phase) -> AssociationId {
        self.last_id += 1;
        let id = AssociationId(self.last_id);
        let random = &mut self.random;
        let heartbeat = Heartbeat::new(self.now, &self.config.timers, || random.next_u32());
        let mut association = Association::new(id, socket, self.now, peer, phase, heartbeat);
        if association.local_tag != 0 {
            self.demultiplexer.add_tag(association.local_tag, id);
        }
        self.demultiplexer.register(&mut association);
        self.associations.insert(id, Box::new(association));
        id
    }

    /// Lets an association act, and then keeps the books about it. Everything that happens to
    /// an association goes through here.
    fn with(
        &mut self,
        id: AssociationId,
        act: impl FnOnce(&mut Association, &mut Surroundings<'_>) -> Option<DownReason>,
    ) {
        let Some(association) = self.associations.get_mut(&id) else {
            return;
        };
        let mut around = Surroundings {
            now: self.now,
            config: &self.config,
            jar: &self.jar,
            random: &mut self.random,
            verification_limit: &mut self.verification_limit,
            outputs: &mut self.outputs,
        };
        let down = act(association, &mut around);
        association.count_reassembly(&mut self.reassembly_octets);
        if association.addresses() != association.registered {
            self.demultiplexer.register(association);
        }
        if let Some(reason) = down {
            self.end(id, reason);
            return;
        }
        self.timers
            .set(id, association.deadline(self.now, &self.config));
        // RFC 9260 §5.2.4 case A gives the association another tag; accepting gives it its first.
        let tag = association.socket_tag();
        if tag != association.local_tag && tag != 0 {
            let former = std::mem::replace(&mut association.local_tag, tag);
            self.demultiplexer.add_tag(tag, id);
            self.forget_tag(former, id);
        }
        while self.reassembly_octets > self.config.reassembly_octets_max {
            self.end_greatest_reassembly();
        }
    }

    /// Who holds most is most likely to blame, and nobody else loses anything.
    fn end_greatest_reassembly(&mut self) {
        let greatest = self
            .associations
            .values()
            .max_by_key(|association| association.reassembly_counted);
        let Some(greatest) = greatest else {
            return;
        };
        let (id, remote, octets) = (greatest.id, greatest.remote, greatest.reassembly_counted);
        self.outputs.statistics.out_of_memory += 1;
        self.with(id, |association, around| {
            association.send_abort(error_cause::OUT_OF_RESOURCE, &[], around);
            Some(DownReason::OutOfResource { remote, octets })
        });
    }

    fn forget_tag(&mut self, tag: u32, association: AssociationId) {
        if tag != 0 {
            self.demultiplexer.remove_tag(tag, association);
            self.replay_guard.on_end(self.now, tag);
        }
    }

    /// Takes an association off the books.
    fn remove(&mut self, id: AssociationId) -> Option<Box<Association>> {
        let association = self.associations.remove(&id)?;
        self.reassembly_octets -= association.reassembly_counted;
        self.timers.remove(id);
        self.forget_tag(association.local_tag, id);
        self.demultiplexer.unregister(&association);
        Some(association)
    }

    fn end(&mut self, id: AssociationId, reason: DownReason) {
        let Some(mut association) = self.remove(id) else {
            return;
        };
        let outputs = &mut self.outputs;
        association.deliver_all(&self.config, outputs);
        association.fail_all(&mut outputs.events);
        if association.is_up() {
            outputs.statistics.associations_down += 1;
        }
        outputs.events.push_back(Event::Down {
            association: id,
            reason,
        });
    }
}
