//! Pool user: resolves pool handles at its home registrar (RFC 5352).
//!
//! | file | procedure |
//! |---|---|
//! | `resolution` | RFC 5352 §3.3, §3.7.2: requests and T1 |
//! | `cache` | §3.3, C1 to C4 |
//! | `subscription` | §2.2.5: dynamic updates |
//! | `unreachable` | §3.5: reports |
//! | `home_registrar` | §3.6, §3.7: finding, losing and changing it |
//! | `bad_message` | §2.2.14 |
//!
//! Must not know octets, sockets, clocks, or what is said to pool elements.

mod bad_message;
mod cache;
mod config;
mod event;
mod home_registrar;
mod resolution;
mod snapshot;
mod subscription;
mod unreachable;

pub use cache::{SUSPECTS_MAX, USED_MAX};
pub use config::{Config, Limits};
pub use event::{Event, ResolveFailure, Source};
pub use snapshot::{CachedPoolSnapshot, Snapshot};

use crate::client::{ClientOutput, Outbox};
use crate::keyed_timers::KeyedTimers;
use crate::server_hunt::ServerHunt;
use crate::{AssociationId, Machine, RegistrarAddress, Timestamp};
use cache::Cache;
use home_registrar::Home;
use rand_core::SeedableRng;
use rand_pcg::Pcg64;
use resolution::Query;
use rserpool_wire::asap::Message;
use rserpool_wire::{Decoded, PoolElementId, PoolHandle, Undecodable};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use subscription::Subscription;

/// A request, as its user numbers it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// What happens to a pool user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A message arrived over an association, or what should have been one.
    Received {
        /// Over which association.
        from: AssociationId,
        /// The message.
        message: Result<Decoded<Message>, Undecodable>,
    },
    /// An association or connection that was asked for came up.
    AssociationUp {
        /// Its number, never used before.
        association: AssociationId,
        /// The registrar, as in [`Output::Connect`].
        registrar: RegistrarAddress,
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

/// What the user of a pool user can want.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// The pool elements of a pool: answered by [`Event::Resolved`] or [`Event::ResolveFailed`].
    Resolve {
        /// The user's number for it.
        request: RequestId,
        /// The pool.
        pool_handle: PoolHandle,
        /// How many are wanted; `None`: as many as the registrar likes.
        items: Option<u32>,
        /// Updates are wanted from now on: [`Event::PoolUpdated`].
        subscribe: bool,
    },
    /// One pool element of a pool, by its policy: answered by [`Event::Selected`] or
    /// [`Event::ResolveFailed`].
    Select {
        /// The user's number for it.
        request: RequestId,
        /// The pool.
        pool_handle: PoolHandle,
    },
    /// No more updates are wanted.
    Unsubscribe {
        /// Of which pool.
        pool_handle: PoolHandle,
    },
    /// A pool element could not be reached (RFC 5352 §3.5).
    ReportUnreachable {
        /// The pool.
        pool_handle: PoolHandle,
        /// The pool element.
        pool_element: PoolElementId,
    },
    /// A pool element does not want this user any more, or the user not it. It is there, so that
    /// there is nothing to report; but for a while another one is better.
    Avoid {
        /// The pool.
        pool_handle: PoolHandle,
        /// The pool element.
        pool_element: PoolElementId,
    },
    /// What is known of a pool is forgotten (RFC 5352 §6.4): the next one who asks for it gets a
    /// registrar's answer.
    PurgeCache {
        /// The pool.
        pool_handle: PoolHandle,
    },
    /// The end: all requests fail, all associations are closed.
    Stop,
}

/// What a pool user wants done.
pub type Output = ClientOutput<Event>;

/// A pool user.
#[derive(Debug)]
pub struct PoolUser {
    config: Config,
    home: Option<Home>,
    hunt: ServerHunt,
    /// Handle resolutions that wait for their response, one per pool.
    queries: BTreeMap<PoolHandle, Query>,
    cache: Cache,
    subscriptions: BTreeMap<PoolHandle, Subscription>,
    /// Reports that wait for a registrar.
    reports: VecDeque<(PoolHandle, PoolElementId)>,
    timers: KeyedTimers<Timer>,
    is_stopped: bool,
    rng: Pcg64,
    now: Timestamp,
    outputs: Outbox<Event>,
    discarded: u64,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Timer {
    T1EnrpRequest(PoolHandle),
    /// Who waits for an answer may have an old one.
    StaleAnswer(PoolHandle),
    /// A subscription that the registrar does not keep is asked for again.
    Renewal(PoolHandle),
}

impl Machine for PoolUser {
    type Config = Config;
    type Input = Input;
    type Output = Output;
    type Snapshot = Snapshot;

    fn new(config: Config, seed: u64, now: Timestamp) -> Self {
        let registrars = config.registrars.clone();
        let mut pool_user = Self {
            home: None,
            hunt: ServerHunt::new(registrars, false, &config.timers, now),
            queries: BTreeMap::new(),
            cache: Cache::new(config.limits.cached_pools_max),
            subscriptions: BTreeMap::new(),
            reports: VecDeque::new(),
            timers: KeyedTimers::default(),
            is_stopped: false,
            rng: Pcg64::seed_from_u64(seed),
            now,
            outputs: Outbox::new(),
            discarded: 0,
            config,
        };
        // RFC 5352 §3.6: "At its startup ... a PE or PU MUST establish a new Home ENRP server."
        pool_user.start_hunt(None);
        pool_user.outputs.forward(&mut pool_user.hunt);
        pool_user
    }

    fn handle_input(&mut self, now: Timestamp, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Received { from, message } => self.on_received(from, message),
            Input::AssociationUp {
                association,
                registrar,
            } => self.on_association_up(association, registrar),
            Input::ConnectFailed { registrar } => {
                self.hunt
                    .on_connect_failed(self.now, &mut self.rng, &registrar);
            }
            Input::AssociationLost { association } => self.on_association_lost(association),
            Input::SendFailed { association } => self.on_send_failed(association),
            Input::Announced { from, message } => self.on_announced(from, &message),
            Input::Command(command) => self.on_command(command),
        }
        self.outputs.forward(&mut self.hunt);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some(timer) = self.timers.pop(self.now) {
            match timer {
                Timer::T1EnrpRequest(pool_handle) => self.fire_enrp_request(&pool_handle),
                Timer::StaleAnswer(pool_handle) => self.fire_stale_answer(&pool_handle),
                Timer::Renewal(pool_handle) => self.fire_renewal(&pool_handle),
            }
        }
        self.hunt.handle_timeout(self.now, &mut self.rng);
        self.outputs.forward(&mut self.hunt);
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

impl PoolUser {
    fn on_command(&mut self, command: Command) {
        match command {
            Command::Resolve {
                request,
                pool_handle,
                items,
                subscribe,
            } => self.resolve(request, pool_handle, items, subscribe),
            Command::Select {
                request,
                pool_handle,
            } => self.select(request, pool_handle),
            Command::Unsubscribe { pool_handle } => self.unsubscribe(&pool_handle),
            Command::ReportUnreachable {
                pool_handle,
                pool_element,
            } => self.report_unreachable(pool_handle, pool_element),
            Command::Avoid {
                pool_handle,
                pool_element,
            } => self.avoid(&pool_handle, pool_element),
            Command::PurgeCache { pool_handle } => self.cache.remove(&pool_handle),
            Command::Stop => self.stop(),
        }
    }

    /// Every message takes this way.
    fn on_received(&mut self, from: AssociationId, message: Result<Decoded<Message>, Undecodable>) {
        if !self.is_home(from) {
            self.discarded += 1;
            return;
        }
        self.on_home_heard();
        let Decoded {
            message,
            unrecognized,
        } = match message {
            Ok(decoded) => decoded,
            Err(undecodable) => return self.on_undecodable(from, undecodable),
        };
        match message {
            Message::HandleResolutionResponse(response) => {
                self.on_handle_resolution_response(response);
            }
            Message::Error(error) => self
                .outputs
                .emit(Event::ErrorReceived { error: error.error }),
            Message::Registration(_)
            | Message::Deregistration(_)
            | Message::RegistrationResponse(_)
            | Message::DeregistrationResponse(_)
            | Message::HandleResolution(_)
            | Message::EndpointKeepAlive(_)
            | Message::EndpointKeepAliveAck(_)
            | Message::EndpointUnreachable(_)
            | Message::ServerAnnounce(_)
            | Message::Cookie(_)
            | Message::CookieEcho(_)
            | Message::BusinessCard(_) => self.on_unexpected(&message),
        }
        self.outputs.send_error(self.now, from, unrecognized);
    }

    fn stop(&mut self) {
        self.is_stopped = true;
        for (pool_handle, query) in std::mem::take(&mut self.queries) {
            self.fail(&pool_handle, query, &ResolveFailure::Stopped);
        }
        self.subscriptions.clear();
        self.reports.clear();
        self.timers.clear();
        self.leave_registrar();
    }
}
