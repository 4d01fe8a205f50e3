//! Registrar: keeps the handlespace, answers resolutions, watches its pool elements (RFC 5352).
//!
//! | file | procedure |
//! |---|---|
//! | `registration` | RFC 5352 §3.1 |
//! | `deregistration` | §3.2, and §2.2.4: the registration life runs out |
//! | `resolution` | §3.3 |
//! | `subscription` | §2.2.5: dynamic updates |
//! | `keep_alive` | §3.4 |
//! | `slow_element` | §3.5: who answers too late |
//! | `unreachable` | §3.5 |
//! | `announce` | §3.6 |
//! | `bad_message` | §2.2.14: what is no message, or none for a registrar |
//! | `association` | who is connected; shutting down |
//! | `peer_address` | RFC 9260 §5.4: which of its addresses are told to others |
//! | `enrp_message` | RFC 5353: every ENRP message takes this way |
//! | `initialization` | RFC 5353 §3.2.2: mentor, peer list |
//! | `list` | §3.2.2.2: asking for the peer list, and answering |
//! | `download` | §3.2.3, the registrar that starts |
//! | `table_session` | §3.2.3, §3.6.3: request and response |
//! | `handle_table` | §3.2.3, §3.6.3, the registrar that is asked |
//! | `handle_update` | §3.3 |
//! | `peer` | §3.4: the peer list |
//! | `peer_connection` | how peers are connected, and which association is whose |
//! | `contact` | addresses at which peers are or may be |
//! | `presence` | §3.4.1, §3.4.2 |
//! | `peer_failure` | §3.4.3 |
//! | `takeover_arbitration` | §3.5.1 |
//! | `takeover` | §3.5.2 |
//! | `adoption` | §3.5.2, step 2: pool elements that were taken over |
//! | `audit` | §3.6.1 |
//! | `resynchronization` | §3.6.3 |
//! | `ownership` | whose pool elements are whose: re-homing, claims |
//! | `handlespace_change` | the one place where the handlespace changes and others are told |
//!
//! Must not know octets, sockets or clocks.

mod adoption;
mod announce;
mod association;
mod audit;
mod bad_message;
mod config;
mod contact;
mod deregistration;
mod download;
mod enrp_message;
mod event;
mod handle_table;
mod handle_update;
mod handlespace_change;
mod initialization;
mod keep_alive;
mod limit;
mod list;
mod ownership;
mod peer;
mod peer_address;
mod peer_connection;
mod peer_failure;
mod presence;
mod registration;
mod resolution;
mod resynchronization;
mod slow_element;
mod snapshot;
mod subscription;
mod table_session;
mod takeover;
mod takeover_arbitration;
mod unreachable;

pub use config::{Config, Limits};
pub use event::{Event, RemovalReason, SubscriptionEnd, UpdateRefusal};
pub use limit::Limit;
pub use snapshot::{
    Counters, PeerSnapshot, PeerStatus, PoolElementSnapshot, PoolSnapshot, Snapshot,
};

use crate::timer_queue::TimerId;
use crate::{AssociationId, Machine, PeerAddress, RegistrarAddress, TimerQueue, Timestamp};
use adoption::{AdoptionId, Adoptions};
use announce::Announces;
use association::{Association, Endpoint};
use contact::ContactId;
use handlespace_change::ElementState;
use initialization::Initialization;
use peer::Peers;
use rand_core::SeedableRng;
use rand_pcg::Pcg64;
use rserpool_handlespace::{ElementKey, Handlespace};
use rserpool_wire::asap::{HandleResolution, Message};
use rserpool_wire::enrp;
use rserpool_wire::{Decoded, RegistrarId, Undecodable};
use slow_element::SlowElements;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use subscription::Subscriptions;

/// Timers that fire in one [`Machine::handle_timeout`]: outputs are taken in between, so that
/// they stay few however much is due.
const TIMERS_PER_CALL_MAX: usize = 256;

/// What happens to a registrar.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A message arrived over an association, or what should have been one.
    Received {
        /// Over which association.
        from: AssociationId,
        /// The message.
        message: Result<Decoded<Message>, Undecodable>,
    },
    /// An association came up that the other end began.
    AssociationUp {
        /// Its number, never used before.
        association: AssociationId,
        /// Who is at its other end.
        peer: PeerAddress,
    },
    /// The addresses of an association's peer, when they are others than when it came up: a
    /// registrar tells others only of those that are confirmed (RFC 9260 §5.4).
    PeerAddresses {
        /// Which.
        association: AssociationId,
        /// Those that the peer has shown to have, the one that it was heard at among them.
        confirmed: Vec<IpAddr>,
        /// Those that it listed.
        unconfirmed: Vec<IpAddr>,
    },
    /// An ENRP message arrived over an association, or what should have been one.
    EnrpReceived {
        /// Over which association.
        from: AssociationId,
        /// The message.
        message: Result<Decoded<enrp::Message>, Undecodable>,
    },
    /// An association that this registrar asked for came up.
    Connected {
        /// Its number, never used before.
        association: AssociationId,
        /// As it was asked for.
        to: Remote,
        /// Who is at its other end.
        peer: PeerAddress,
    },
    /// An association that this registrar asked for could not be set up, or there is one
    /// already.
    ConnectFailed {
        /// As it was asked for.
        to: Remote,
    },
    /// An association ended, in whatever way.
    AssociationLost {
        /// Which.
        association: AssociationId,
    },
    /// A message could not be sent (RFC 5352 §3.7.1).
    SendFailed {
        /// To whom.
        association: AssociationId,
        /// The message, if the transport still has it.
        message: Option<Message>,
    },
    /// A message was heard on the multicast channel.
    Announced {
        /// From where.
        from: SocketAddr,
        /// The message.
        message: Message,
    },
    /// An ENRP message was heard on the multicast channel.
    EnrpAnnounced {
        /// From where.
        from: SocketAddr,
        /// The message.
        message: enrp::Message,
    },
    /// The administrator wants something.
    Command(Command),
}

/// What an administrator can want.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Stop: no more announces, close all associations once what is queued has been sent.
    /// Clients then look for another registrar.
    Shutdown,
}

/// What a registrar wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send a message.
    Send {
        /// To whom.
        to: Destination,
        /// The message.
        message: Message,
    },
    /// Send an ENRP message.
    SendEnrp {
        /// To whom.
        to: Destination,
        /// The message.
        message: enrp::Message,
    },
    /// Set up an association; answered by [`Input::Connected`] or [`Input::ConnectFailed`].
    Connect {
        /// With whom. Never asked for twice at once.
        to: Remote,
    },
    /// Do not try to set up this association any longer; not answered.
    StopConnecting {
        /// With whom.
        to: Remote,
    },
    /// Close an association after everything before has been sent.
    Close {
        /// Which.
        association: AssociationId,
        /// Why.
        reason: CloseReason,
    },
    /// Tell whoever wants to know.
    Event(Event),
}

/// Where a message goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Destination {
    /// Over an association.
    Association(AssociationId),
    /// To the multicast channel of ASAP (RFC 5352 §3.6) or ENRP (RFC 5353 §3.1).
    Multicast,
}

/// Whom a registrar connects to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Remote {
    /// Another registrar, to speak ENRP.
    Peer(RegistrarAddress),
    /// A pool element whose home registrar was taken over, to speak ASAP (RFC 5353 §3.5.2).
    PoolElement(PeerAddress),
}

/// Why a registrar closes an association.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CloseReason {
    /// `associations_max` is reached.
    TooManyAssociations,
    /// The registrar shuts down.
    ShuttingDown,
    /// There is another association with this peer.
    Duplicate,
    /// The peer uses an identifier that is not its own.
    IdentifierConflict,
    /// The pool element does not need it any longer.
    NotNeeded,
}

/// A registrar, called ENRP server in the RFCs.
#[derive(Debug)]
pub struct Registrar {
    config: Config,
    handlespace: Handlespace<ElementState>,
    associations: BTreeMap<AssociationId, Association>,
    /// Which association leads where.
    endpoints: BTreeMap<Endpoint, AssociationId>,
    subscriptions: Subscriptions,
    announces: Announces,
    initialization: Initialization,
    peers: Peers,
    adoptions: Adoptions,
    timers: TimerQueue<Timer>,
    rng: Pcg64,
    now: Timestamp,
    /// Until then nobody is removed for being silent: the registrar itself did not run.
    grace_until: Timestamp,
    /// Until then no handle table is sent: whoever died meanwhile has not been missed yet.
    tables_closed_until: Timestamp,
    /// How many sessions have begun in which this registrar asks for a handle table.
    table_session: u32,
    /// Resolutions that wait until the handlespace has been downloaded.
    deferred_resolutions: VecDeque<(AssociationId, HandleResolution)>,
    slow_elements: SlowElements,
    /// How many seconds this registrar did not run in all; registration lives stood still.
    slept: u32,
    shutting_down: bool,
    outputs: VecDeque<Output>,
    counters: Counters,
}

/// Which timer of whom. A keep-alive is either due or waits for its answer, so one timer does.
/// There are two timers for each pool element, so numbers of 64 bits are packed in here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Timer {
    KeepAlive(ElementKey),
    RegistrationLife(ElementKey),
    T6ServerAnnounce,
    T7EnrpOutdate(RegistrarId),
    Initialization,
    PeerHeartbeat,
    /// What a peer's timer is for depends on its status.
    Peer(RegistrarId),
    /// A peer's address is tried again, or an attempt takes too long.
    PeerContact(ContactId),
    /// An association with a peer is closed.
    PeerLink(LinkId),
    Adoption(AdoptionId),
    /// A peer is asked for a part of its handle table.
    TableResponse(RegistrarId),
    /// A peer asks for parts of the handle table.
    TableSession(RegistrarId),
}

/// An association over which ENRP is spoken, as a [`Timer`] names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(Rust, packed(4))]
struct LinkId {
    association: AssociationId,
}

impl From<AssociationId> for LinkId {
    fn from(association: AssociationId) -> Self {
        Self { association }
    }
}

impl Machine for Registrar {
    type Config = Config;
    type Input = Input;
    type Output = Output;
    type Snapshot = Snapshot;

    fn new(mut config: Config, seed: u64, now: Timestamp) -> Self {
        config.timers = config.compatibility.timers(config.timers);
        let limits = config.limits.handlespace;
        let mut registrar = Self {
            handlespace: Handlespace::new(limits, config.policies.clone(), seed),
            config,
            associations: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            subscriptions: Subscriptions::default(),
            announces: Announces::default(),
            initialization: Initialization::default(),
            peers: Peers::default(),
            adoptions: Adoptions::default(),
            timers: TimerQueue::default(),
            rng: Pcg64::seed_from_u64(seed),
            now,
            grace_until: Timestamp::ZERO,
            tables_closed_until: Timestamp::ZERO,
            table_session: 0,
            deferred_resolutions: VecDeque::new(),
            slow_elements: SlowElements::new(),
            slept: 0,
            shutting_down: false,
            outputs: VecDeque::new(),
            counters: Counters::default(),
        };
        registrar.start_initialization();
        registrar
    }

    fn handle_input(&mut self, now: Timestamp, input: Input) {
        let is_late = self.advance(now);
        match input {
            Input::Received { from, message } => self.on_received(from, message),
            Input::AssociationUp { association, peer } => {
                self.on_association_up(association, peer);
            }
            Input::AssociationLost { association } => self.on_association_lost(association),
            Input::PeerAddresses {
                association,
                confirmed,
                unconfirmed,
            } => self.on_peer_addresses(association, confirmed, unconfirmed),
            Input::SendFailed {
                association,
                message,
            } => self.on_send_failed(association, message.as_ref()),
            Input::EnrpReceived { from, message } => self.on_enrp_received(from, message),
            Input::Connected {
                association,
                to,
                peer,
            } => self.on_connected(association, to, peer),
            Input::ConnectFailed { to } => self.on_connect_failed(to),
            Input::EnrpAnnounced { from, message } => self.on_enrp_announced(from, message),
            Input::Announced { from: _, message } => self.on_announced(&message),
            Input::Command(Command::Shutdown) => self.shut_down(),
        }
        // After the input: it may tell that an association is gone over which peers are asked.
        if is_late {
            self.on_stall();
        }
        self.send_due_updates();
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        if self.advance(now) {
            self.on_stall();
        }
        for _ in 0..TIMERS_PER_CALL_MAX {
            let Some((deadline, timer)) = self.timers.pop(self.now) else {
                break;
            };
            match timer {
                Timer::KeepAlive(key) => self.fire_keep_alive(key),
                Timer::RegistrationLife(key) => self.fire_registration_life(key, deadline),
                Timer::T6ServerAnnounce => self.fire_server_announce(),
                Timer::T7EnrpOutdate(registrar) => self.fire_enrp_outdate(registrar),
                Timer::Initialization => self.fire_initialization(),
                Timer::PeerHeartbeat => self.fire_peer_heartbeat(),
                Timer::Peer(peer) => self.fire_peer(peer),
                Timer::PeerContact(contact) => self.fire_peer_contact(contact),
                Timer::PeerLink(link) => self.fire_peer_link(link.association),
                Timer::Adoption(adoption) => self.fire_adoption(adoption),
                Timer::TableResponse(peer) => self.fire_table_response(peer),
                Timer::TableSession(peer) => self.fire_table_session(peer),
            }
        }
        self.send_due_updates();
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        let timers = self.timers.next_deadline();
        timers
            .into_iter()
            .chain(self.subscriptions.next_due())
            .min()
    }

    fn snapshot(&self) -> Snapshot {
        self.take_snapshot()
    }
}

impl Registrar {
    /// Every message takes this way.
    fn on_received(&mut self, from: AssociationId, message: Result<Decoded<Message>, Undecodable>) {
        if self.shutting_down || !self.associations.contains_key(&from) {
            self.counters.unexpected_messages += 1;
            return;
        }
        let Decoded {
            message,
            unrecognized,
        } = match message {
            Ok(decoded) => decoded,
            Err(undecodable) => return self.on_undecodable(from, undecodable),
        };
        self.answer_in_order(from, &message);
        match message {
            Message::Registration(registration) => self.on_registration(from, registration),
            Message::Deregistration(deregistration) => {
                self.on_deregistration(from, &deregistration);
            }
            Message::HandleResolution(resolution) => {
                self.on_handle_resolution(from, resolution);
            }
            Message::EndpointKeepAliveAck(ack) => self.on_endpoint_keep_alive_ack(from, &ack),
            Message::EndpointUnreachable(report) => {
                self.on_endpoint_unreachable(from, &report);
            }
            Message::Error(error) => self.on_error(from, error),
            Message::RegistrationResponse(_)
            | Message::DeregistrationResponse(_)
            | Message::HandleResolutionResponse(_)
            | Message::EndpointKeepAlive(_)
            | Message::ServerAnnounce(_)
            | Message::Cookie(_)
            | Message::CookieEcho(_)
            | Message::BusinessCard(_) => self.on_unexpected(from, &message),
        }
        self.report_unrecognized(from, unrecognized);
    }

    /// Time goes on. If a timer is long overdue, it was this process that slept: whoever seems
    /// silent has perhaps been heard and not yet been read, and gets one more timeout. True if it
    /// was so long that peers get one too.
    fn advance(&mut self, now: Timestamp) -> bool {
        let before = self.now;
        self.now = before.max(now);
        let Some(deadline) = self.poll_timeout() else {
            return false;
        };
        let late = self.now.since(deadline).min(self.now.since(before));
        let is_late_for_peers = late > self.config.timers.max_time_no_response / 2;
        let patience = self.config.timers.keep_alive_timeout;
        if late <= patience / 2 {
            return is_late_for_peers;
        }
        let seconds = u32::try_from(late.as_secs()).unwrap_or(u32::MAX);
        self.slept = self.slept.saturating_add(seconds.saturating_add(1));
        // Not one stall after another without a chance in between to remove anybody.
        if self.now >= self.grace_until + patience {
            self.grace_until = self.now + patience;
            self.emit(Event::Stalled { late });
            self.doubt_all_pool_elements();
        }
        is_late_for_peers
    }

    fn send(&mut self, to: AssociationId, message: impl Into<Message>) {
        self.outputs.push_back(Output::Send {
            to: Destination::Association(to),
            message: message.into(),
        });
    }

    fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn count_limit(&mut self, limit: Limit, association: Option<AssociationId>) {
        *self.counters.limits_reached.entry(limit).or_default() += 1;
        self.emit(Event::LimitReached { limit, association });
    }
}
