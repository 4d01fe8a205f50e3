//! Pool element: keeps one registration alive (RFC 5352).
//!
//! | file | procedure |
//! |---|---|
//! | `registration` | RFC 5352 §3.1: T2 and T4 |
//! | `deregistration` | §3.2: T3 |
//! | `keep_alive` | §3.4 |
//! | `home_registrar` | §3.6, §3.7: finding, losing and changing it |
//! | `bad_message` | §2.2.14 |
//!
//! Must not know octets, sockets, clocks, or what is said to pool users.

mod bad_message;
mod config;
mod deregistration;
mod event;
mod home_registrar;
mod keep_alive;
mod registration;
mod snapshot;

pub use config::{Config, UserProtocol, UserTransportTemplate};
pub use event::Event;
pub use snapshot::{Snapshot, Status};

use crate::client::{ClientOutput, Outbox};
use crate::keyed_timers::KeyedTimers;
use crate::rate_limit::RateLimit;
use crate::server_hunt::ServerHunt;
use crate::{AssociationId, Machine, RegistrarAddress, Timestamp};
use home_registrar::Home;
use rand_core::SeedableRng;
use rand_pcg::Pcg64;
use registration::{Outstanding, random_id};
use rserpool_wire::asap::Message;
use rserpool_wire::parameter::Policy;
use rserpool_wire::{Decoded, PoolElementId, Undecodable};
use std::net::{IpAddr, SocketAddr};

/// What happens to a pool element.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A message arrived over an association, or what should have been one.
    Received {
        /// Over which association.
        from: AssociationId,
        /// The message.
        message: Result<Decoded<Message>, Undecodable>,
    },
    /// An association came up: one that was asked for, or one that a registrar established to
    /// take this pool element over (RFC 5353 §3.5).
    AssociationUp {
        /// Its number, never used before.
        association: AssociationId,
        /// The registrar, as in [`Output::Connect`] if it was asked for.
        registrar: RegistrarAddress,
        /// The addresses of this end.
        local: Vec<IpAddr>,
    },
    /// One that was asked for could not be established.
    ConnectFailed {
        /// The registrar, as in [`Output::Connect`].
        registrar: RegistrarAddress,
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
    },
    /// A message was heard on the multicast channel.
    Announced {
        /// From where.
        from: SocketAddr,
        /// The message.
        message: Message,
    },
    /// The user wants something.
    Command(Command),
}

/// What the user of a pool element can want.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Register, and stay registered.
    Register,
    /// Another policy value; a registered pool element registers it at once.
    SetPolicy(Policy),
    /// Leave the pool.
    Deregister,
    /// The end: all associations are closed. Does not deregister.
    Stop,
}

/// What a pool element wants done.
pub type Output = ClientOutput<Event>;

/// A pool element.
#[derive(Debug)]
pub struct PoolElement {
    config: Config,
    id: PoolElementId,
    goal: Goal,
    home: Option<Home>,
    /// Associations that registrars have established; one of them may become the home registrar.
    visitors: Vec<Home>,
    hunt: ServerHunt,
    /// The request that waits for its response.
    outstanding: Option<Outstanding>,
    is_registered: bool,
    /// The registration is to be sent again as soon as it can be.
    is_due: bool,
    /// The last registration was rejected, and nothing has been corrected since.
    is_refused: bool,
    /// The policy of the last registration that was granted.
    granted: Option<Policy>,
    granted_at: Option<Timestamp>,
    /// Failed attempts in a row.
    attempts: u32,
    /// Rounds of the server hunt that were counted as attempts.
    rounds_counted: u32,
    timers: KeyedTimers<Timer>,
    acks: RateLimit,
    rng: Pcg64,
    now: Timestamp,
    outputs: Outbox<Event>,
    discarded: u64,
}

/// What the user wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Goal {
    /// Nothing; or what was wanted cannot be had without a change.
    Nothing,
    Registered,
    Deregistered,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Timer {
    T2Registration,
    T3Deregistration,
    T4Reregistration,
    /// A registration that was rejected for a reason that may pass is tried again.
    Retry,
}

impl Machine for PoolElement {
    type Config = Config;
    type Input = Input;
    type Output = Output;
    type Snapshot = Snapshot;

    fn new(config: Config, seed: u64, now: Timestamp) -> Self {
        let mut rng = Pcg64::seed_from_u64(seed);
        let id = config.id.unwrap_or_else(|| random_id(&mut rng));
        Self {
            id,
            goal: Goal::Nothing,
            home: None,
            visitors: Vec::new(),
            // RFC 5352 §2.1: a pool element MUST use SCTP.
            hunt: ServerHunt::new(config.registrars.clone(), true, &config.timers, now),
            outstanding: None,
            is_registered: false,
            is_due: false,
            is_refused: false,
            granted: None,
            granted_at: None,
            attempts: 0,
            rounds_counted: 0,
            timers: KeyedTimers::default(),
            acks: RateLimit::default(),
            rng,
            now,
            outputs: Outbox::new(),
            discarded: 0,
            config,
        }
    }

    fn handle_input(&mut self, now: Timestamp, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Received { from, message } => self.on_received(from, message),
            Input::AssociationUp {
                association,
                registrar,
                local,
            } => self.on_association_up(Home::new(association, registrar, local)),
            Input::ConnectFailed { registrar } => self.on_connect_failed(&registrar),
            Input::AssociationLost { association } => self.on_association_lost(association),
            Input::SendFailed { association } => self.on_send_failed(association),
            Input::Announced { from, message } => self.on_announced(from, &message),
            Input::Command(command) => self.on_command(command),
        }
        self.pursue();
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some(timer) = self.timers.pop(self.now) {
            match timer {
                Timer::T2Registration => self.fire_registration(),
                Timer::T3Deregistration => self.fire_deregistration(),
                Timer::T4Reregistration => self.is_due = true,
                Timer::Retry => {}
            }
        }
        self.hunt.handle_timeout(self.now, &mut self.rng);
        self.pursue();
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        let timers = self.timers.next_deadline().into_iter();
        timers.chain(self.hunt.poll_timeout()).min()
    }

    fn snapshot(&self) -> Snapshot {
        self.take_snapshot()
    }
}

impl PoolElement {
    fn on_command(&mut self, command: Command) {
        match command {
            Command::Register => self.start_registering(),
            Command::SetPolicy(policy) => self.set_policy(policy),
            Command::Deregister => self.start_deregistering(),
            Command::Stop => {
                self.goal = Goal::Nothing;
                self.leave_registrars();
            }
        }
    }

    /// Every message takes this way.
    fn on_received(&mut self, from: AssociationId, message: Result<Decoded<Message>, Undecodable>) {
        if self.registrar_of(from).is_none() {
            self.discarded += 1;
            return;
        }
        let Decoded {
            message,
            unrecognized,
        } = match message {
            Ok(decoded) => decoded,
            Err(undecodable) => return self.on_undecodable(from, undecodable),
        };
        match message {
            Message::RegistrationResponse(response) => {
                self.on_registration_response(from, response);
            }
            Message::DeregistrationResponse(response) => {
                self.on_deregistration_response(from, response);
            }
            Message::EndpointKeepAlive(keep_alive) => {
                self.on_endpoint_keep_alive(from, &keep_alive);
            }
            Message::Error(error) => self
                .outputs
                .emit(Event::ErrorReceived { error: error.error }),
            Message::Registration(_)
            | Message::Deregistration(_)
            | Message::HandleResolution(_)
            | Message::HandleResolutionResponse(_)
            | Message::EndpointKeepAliveAck(_)
            | Message::EndpointUnreachable(_)
            | Message::ServerAnnounce(_)
            | Message::Cookie(_)
            | Message::CookieEcho(_)
            | Message::BusinessCard(_) => self.on_unexpected(&message),
        }
        self.outputs.send_error(self.now, from, unrecognized);
    }

    /// Does what the goal needs next, whatever happened.
    fn pursue(&mut self) {
        self.count_hunt_rounds();
        let wants_registrar = match self.goal {
            Goal::Nothing => false,
            Goal::Registered => true,
            Goal::Deregistered => self.outstanding.is_none(),
        };
        if !wants_registrar {
            return self.outputs.forward(&mut self.hunt);
        }
        if self.home.is_none() {
            self.start_hunt(None);
        } else if self.outstanding.is_none() {
            match self.goal {
                Goal::Registered => self.register_if_due(),
                Goal::Deregistered => self.send_deregistration(),
                Goal::Nothing => {}
            }
        }
        self.outputs.forward(&mut self.hunt);
    }
}
