//! A pool user on its network: resolutions, and associations with pool elements.

use crate::connection::{Outlet, Sink};
use crate::data::DataConnections;
use crate::driver::{Down, FromPeer, InputOf, OutputOf, Role, Shared, Up};
use crate::error::NetError;
use crate::event::NetworkStatistics;
use crate::multicast::Multicast;
use crate::network::{Network, NetworkConfig, random_sctp_port, random_u64};
use crate::node::{DataReceiver, EventReceiver, Events, Node, NodeEvent, ask};
use crate::registrar_associations::{Ended, RegistrarAssociations};
use crate::udp::{Port, UDP_ENCAPSULATION_PORT};
use rserpool_core::pool_user::{
    Command, Config, Event, Input, Limits, Output, RequestId, ResolveFailure, Source,
};
use rserpool_core::{AssociationId, Machine, PoolUser, RegistrarAddress, Timestamp};
use rserpool_sctp::{ConnectError, DownReason};
use rserpool_wire::asap::{Message, Resolution};
use rserpool_wire::parameter::{EncodedPoolElement, PoolElement, UserTransport};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use tokio::sync::{mpsc, oneshot, watch};

/// Associations with pool elements and registrars at one time.
const ASSOCIATIONS_MAX: usize = 4096;

/// How a pool user is put on the network.
#[derive(Clone, Debug)]
pub struct PoolUserConfig {
    /// Registrars that are known without announces.
    pub registrars: Vec<RegistrarAddress>,
    /// Local addresses; none: all.
    pub addresses: Vec<IpAddr>,
    /// SCTP port; `None`: a random one.
    pub sctp_port: Option<u16>,
    /// UDP port that carries SCTP.
    pub udp_port: Port,
    /// Where announces are heard.
    pub multicast: Multicast,
    /// The protocol's timers.
    pub timers: rserpool_core::Timers,
    /// What it may use up.
    pub limits: Limits,
    /// The timers of its associations.
    pub sctp_timers: rserpool_sctp::Timers,
    /// Decides everything random in the machine; `None`: the system's randomness.
    pub seed: Option<u64>,
}

/// A running pool user. Dropping it ends it in its own thread.
#[derive(Debug)]
pub struct PoolUserNode {
    node: Node<UserCommand, Event>,
    client: PoolUserClient,
}

impl PoolUserNode {
    /// Binds its ports and starts. It looks for a registrar when it first needs one.
    ///
    /// # Errors
    /// A port or thread that cannot be had.
    pub async fn start(config: PoolUserConfig) -> Result<Self, NetError> {
        let build = move |events| build(config, events);
        let (node, home) = Node::start("pool user".into(), build).await?;
        let client = PoolUserClient {
            commands: node.commands().clone(),
            home,
        };
        Ok(Self { node, client })
    }

    /// What can be asked of it.
    pub fn client(&self) -> &PoolUserClient {
        &self.client
    }

    /// Its events, from now on; the first call has them from the start.
    pub fn events(&self) -> EventReceiver<Event> {
        self.node.events()
    }

    /// Ends it in good order and waits for that.
    pub async fn stop(&self) {
        // If it has ended already, that is what was wanted.
        let _ = self.client.commands.send(UserCommand::Stop).await;
        self.node.finished().await;
    }
}

/// What can be asked of a pool user. Clones ask the same one; they do not keep it running.
#[derive(Clone, Debug)]
pub struct PoolUserClient {
    commands: mpsc::Sender<UserCommand>,
    home: watch::Receiver<Option<RegistrarAddress>>,
}

/// Why a pool element could not be reached.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OpenFailed {
    /// It serves its users by something else than SCTP.
    NoSctp,
    /// It could not be asked.
    Connect(ConnectError),
    /// It did not answer, or would not.
    Down(DownReason),
    /// The pool user has ended.
    Ended,
}

impl fmt::Display for OpenFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSctp => f.write_str("it does not serve by SCTP: use resolve and connect to it"),
            Self::Connect(error) => error.fmt(f),
            Self::Down(reason) => reason.fmt(f),
            Self::Ended => f.write_str("the pool user has ended"),
        }
    }
}

impl std::error::Error for OpenFailed {}

/// An association with a pool element that is up.
#[derive(Debug)]
pub struct Opened {
    /// Sends on it.
    pub outlet: Outlet,
    /// Tells its end.
    pub closed: oneshot::Receiver<DownReason>,
}

impl PoolUserClient {
    /// The pool elements of a pool, and where the answer comes from.
    ///
    /// # Errors
    /// See [`ResolveFailure`].
    pub async fn resolve(
        &self,
        pool_handle: PoolHandle,
        items: Option<u32>,
    ) -> Result<(Resolution, Source), ResolveFailure> {
        let resolve = |reply| UserCommand::Resolve {
            pool_handle,
            items,
            reply,
        };
        ask(&self.commands, resolve)
            .await
            .unwrap_or(Err(ResolveFailure::Stopped))
    }

    /// One pool element of a pool, by its policy.
    ///
    /// # Errors
    /// See [`ResolveFailure`].
    pub async fn select(
        &self,
        pool_handle: PoolHandle,
    ) -> Result<EncodedPoolElement, ResolveFailure> {
        let select = |reply| UserCommand::Select { pool_handle, reply };
        ask(&self.commands, select)
            .await
            .unwrap_or(Err(ResolveFailure::Stopped))
    }

    /// The pool elements of a pool, and every change of them from now on. What changes faster
    /// than it is read is seen in its latest state.
    ///
    /// # Errors
    /// See [`ResolveFailure`].
    pub async fn subscribe(
        &self,
        pool_handle: PoolHandle,
    ) -> Result<watch::Receiver<Option<Resolution>>, ResolveFailure> {
        let subscribe = |reply| UserCommand::Subscribe { pool_handle, reply };
        ask(&self.commands, subscribe)
            .await
            .unwrap_or(Err(ResolveFailure::Stopped))
    }

    /// Reports that a pool element cannot be reached (RFC 5352 §3.5).
    pub async fn report_unreachable(&self, pool_handle: PoolHandle, pool_element: PoolElementId) {
        let report = UserCommand::ReportUnreachable {
            pool_handle,
            pool_element,
        };
        // Nobody to report to any more.
        let _ = self.commands.send(report).await;
    }

    /// Begins an association with a pool element. What it brings goes to `sink`, with `label` in
    /// its [`crate::Incoming::Opened`]. Dropping the future stops it.
    ///
    /// # Errors
    /// See [`OpenFailed`].
    pub async fn open(
        &self,
        pool_element: PoolElement,
        label: u32,
        sink: Sink,
    ) -> Result<Opened, OpenFailed> {
        let open = |reply| {
            UserCommand::Open(Box::new(Open {
                pool_element,
                label,
                sink,
                reply,
            }))
        };
        ask(&self.commands, open)
            .await
            .unwrap_or(Err(OpenFailed::Ended))
    }

    /// Runs a future on the pool user's thread, for as long as that runs.
    pub async fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // The thread being gone, the task has nothing to work with.
        let _ = self.commands.send(UserCommand::Spawn(Box::pin(task))).await;
    }

    /// The home registrar, while there is one.
    pub fn home_registrar(&self) -> Option<RegistrarAddress> {
        self.home.borrow().clone()
    }

    /// Counters of the transport; `None` if it has ended.
    pub async fn statistics(&self) -> Option<NetworkStatistics> {
        ask(&self.commands, UserCommand::Statistics).await
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What an application asks of a pool user.
pub(crate) enum UserCommand {
    Resolve {
        pool_handle: PoolHandle,
        items: Option<u32>,
        reply: oneshot::Sender<Result<(Resolution, Source), ResolveFailure>>,
    },
    Select {
        pool_handle: PoolHandle,
        reply: oneshot::Sender<Result<EncodedPoolElement, ResolveFailure>>,
    },
    Subscribe {
        pool_handle: PoolHandle,
        reply: oneshot::Sender<Result<watch::Receiver<Option<Resolution>>, ResolveFailure>>,
    },
    ReportUnreachable {
        pool_handle: PoolHandle,
        pool_element: PoolElementId,
    },
    Open(Box<Open>),
    Spawn(Task),
    Statistics(oneshot::Sender<NetworkStatistics>),
    Stop,
}

pub(crate) struct Open {
    pool_element: PoolElement,
    label: u32,
    sink: Sink,
    reply: oneshot::Sender<Result<Opened, OpenFailed>>,
}

/// Who waits for an answer of the machine.
enum Waiting {
    Resolve(oneshot::Sender<Result<(Resolution, Source), ResolveFailure>>),
    Select(oneshot::Sender<Result<EncodedPoolElement, ResolveFailure>>),
    Subscribe(oneshot::Sender<Result<watch::Receiver<Option<Resolution>>, ResolveFailure>>),
}

struct UserRole {
    machine: PoolUser,
    registrars: RegistrarAssociations,
    next_request: u64,
    waiting: BTreeMap<RequestId, Waiting>,
    subscriptions: BTreeMap<PoolHandle, watch::Sender<Option<Resolution>>>,
    opening: BTreeMap<AssociationId, Box<Open>>,
    home: watch::Sender<Option<RegistrarAddress>>,
    events: Events<Event>,
    is_done: bool,
}

type Built = (
    UserRole,
    Shared,
    DataReceiver,
    watch::Receiver<Option<RegistrarAddress>>,
);

fn build(config: PoolUserConfig, events: Events<Event>) -> Result<Built, NetError> {
    let sctp_port = config.sctp_port.map_or_else(random_sctp_port, Ok)?;
    let network = Network::start(NetworkConfig {
        addresses: config.addresses,
        udp_port: config.udp_port,
        sctp: rserpool_sctp::Config {
            listen: false,
            timers: config.sctp_timers,
            associations_max: ASSOCIATIONS_MAX,
            ..rserpool_sctp::Config::new(sctp_port)
        },
        lifelines: false,
        tcp_port: None,
        hear: Some(config.multicast),
        announce: None,
    })?;
    let machine = Config {
        registrars: config.registrars,
        timers: config.timers,
        limits: config.limits,
    };
    let seed = config.seed.map_or_else(random_u64, Ok)?;
    let (data, commands) = DataConnections::new();
    let (home, home_seen) = watch::channel(None);
    let role = UserRole {
        machine: PoolUser::new(machine, seed, Timestamp::ZERO),
        registrars: RegistrarAssociations::default(),
        next_request: 0,
        waiting: BTreeMap::new(),
        subscriptions: BTreeMap::new(),
        opening: BTreeMap::new(),
        home,
        events,
        is_done: false,
    };
    Ok((role, Shared { network, data }, commands, home_seen))
}

impl UserRole {
    fn request(&mut self, waiting: Waiting) -> RequestId {
        self.next_request += 1;
        let request = RequestId(self.next_request);
        self.waiting.insert(request, waiting);
        request
    }

    fn open(&mut self, node: &mut Shared, open: Box<Open>) {
        let ports = open.pool_element.encapsulation_ports;
        let udp_port = ports
            .user
            .map_or(UDP_ENCAPSULATION_PORT, std::num::NonZeroU16::get);
        let begun = match &open.pool_element.user_transport {
            UserTransport::Sctp(sctp) => {
                let begun = node
                    .network
                    .connect_sctp(&sctp.addresses, udp_port, sctp.port);
                begun.map_err(OpenFailed::Connect)
            }
            UserTransport::Dccp(_)
            | UserTransport::Tcp(_)
            | UserTransport::Udp(_)
            | UserTransport::UdpLite(_)
            | UserTransport::Opaque(_) => Err(OpenFailed::NoSctp),
        };
        match begun {
            Ok(association) => {
                self.opening.insert(association, open);
            }
            // Who asked may have stopped waiting, here and below.
            Err(error) => drop(open.reply.send(Err(error))),
        }
        self.stop_unwanted(node);
    }

    /// Associations in set-up for which nobody waits any more end.
    fn stop_unwanted(&mut self, node: &mut Shared) {
        self.opening.retain(|&association, open| {
            let is_wanted = !open.reply.is_closed();
            if !is_wanted {
                node.network
                    .abort(association, "another pool element answered first");
            }
            is_wanted
        });
    }

    fn on_open(&mut self, node: &mut Shared, up: &Up) {
        let Some(open) = self.opening.remove(&up.association) else {
            return;
        };
        if open.reply.is_closed() {
            node.network.abort(up.association, "no longer wanted");
            return;
        }
        let outlet = node
            .data
            .open(up.association, up.remote, open.label, open.sink);
        let closed = node.data.watch_end(up.association);
        if open.reply.send(Ok(Opened { outlet, closed })).is_err() {
            node.network.close(up.association);
        }
    }

    fn on_event(&mut self, event: &Event) -> Option<Input> {
        match event {
            Event::Resolved {
                request,
                pool_handle,
                resolution,
                source,
            } => {
                match self.waiting.remove(request)? {
                    Waiting::Resolve(reply) => {
                        drop(reply.send(Ok((resolution.clone(), *source))));
                    }
                    Waiting::Subscribe(reply) => {
                        let updates = self.subscriptions.entry(pool_handle.clone());
                        let updates = updates.or_insert_with(|| watch::channel(None).0);
                        updates.send_replace(Some(resolution.clone()));
                        drop(reply.send(Ok(updates.subscribe())));
                    }
                    // The machine answers a selection with one.
                    Waiting::Select(_) => {}
                }
                None
            }
            Event::Selected {
                request,
                pool_element,
                ..
            } => {
                if let Waiting::Select(reply) = self.waiting.remove(request)? {
                    drop(reply.send(Ok(pool_element.clone())));
                }
                None
            }
            Event::ResolveFailed { request, error, .. } => {
                match self.waiting.remove(request)? {
                    Waiting::Resolve(reply) => drop(reply.send(Err(error.clone()))),
                    Waiting::Select(reply) => drop(reply.send(Err(error.clone()))),
                    Waiting::Subscribe(reply) => drop(reply.send(Err(error.clone()))),
                }
                None
            }
            Event::PoolUpdated {
                pool_handle,
                resolution,
            } => {
                let updates = self.subscriptions.get(pool_handle)?;
                if !updates.is_closed() {
                    updates.send_replace(resolution.clone());
                    return None;
                }
                self.subscriptions.remove(pool_handle);
                let pool_handle = pool_handle.clone();
                Some(Input::Command(Command::Unsubscribe { pool_handle }))
            }
            Event::ServerHuntStarted { .. } => {
                self.home.send_replace(None);
                None
            }
            Event::HomeRegistrarChanged { home } => {
                self.home.send_replace(Some(home.clone()));
                None
            }
            Event::BadMessage { .. }
            | Event::UnexpectedMessage { .. }
            | Event::ErrorReceived { .. } => None,
        }
    }
}

impl Role for UserRole {
    type Machine = PoolUser;
    type Command = UserCommand;

    fn machine(&mut self) -> &mut PoolUser {
        &mut self.machine
    }

    fn on_up(&mut self, node: &mut Shared, up: Up) -> Option<Input> {
        self.on_open(node, &up);
        let association = up.association;
        let registrar = self.registrars.on_up(association)?;
        Some(Input::AssociationUp {
            association,
            registrar,
        })
    }

    fn on_message(&mut self, node: &mut Shared, from: FromPeer) -> Option<Input> {
        let FromPeer {
            association,
            message,
        } = from;
        // The control channel of a pool element: cookies and business cards (RFC 5352 §3.8).
        if !self.registrars.is_up(association) {
            node.network.on_control_dropped();
            return None;
        }
        Some(Input::Received {
            from: association,
            message,
        })
    }

    fn on_announce(&mut self, from: SocketAddr, message: Message) -> Option<Input> {
        Some(Input::Announced { from, message })
    }

    fn on_send_failed(&mut self, association: AssociationId, _: Message) -> Option<Input> {
        Some(Input::SendFailed { association })
    }

    fn on_down(&mut self, node: &mut Shared, down: Down) -> Option<Input> {
        let Down {
            association,
            reason,
        } = down;
        node.data.on_down(association, reason.clone());
        if let Some(open) = self.opening.remove(&association) {
            drop(open.reply.send(Err(OpenFailed::Down(reason))));
        }
        Some(match self.registrars.on_down(association)? {
            Ended::ConnectFailed(registrar) => Input::ConnectFailed { registrar },
            Ended::Lost => Input::AssociationLost { association },
        })
    }

    fn on_command(&mut self, node: &mut Shared, command: UserCommand) -> Option<Input> {
        Some(Input::Command(match command {
            UserCommand::Resolve {
                pool_handle,
                items,
                reply,
            } => {
                let request = self.request(Waiting::Resolve(reply));
                Command::Resolve {
                    request,
                    pool_handle,
                    items,
                    subscribe: false,
                }
            }
            UserCommand::Select { pool_handle, reply } => {
                let request = self.request(Waiting::Select(reply));
                Command::Select {
                    request,
                    pool_handle,
                }
            }
            UserCommand::Subscribe { pool_handle, reply } => {
                let request = self.request(Waiting::Subscribe(reply));
                Command::Resolve {
                    request,
                    pool_handle,
                    items: None,
                    subscribe: true,
                }
            }
            UserCommand::ReportUnreachable {
                pool_handle,
                pool_element,
            } => Command::ReportUnreachable {
                pool_handle,
                pool_element,
            },
            UserCommand::Open(open) => {
                self.open(node, open);
                return None;
            }
            UserCommand::Spawn(task) => {
                tokio::task::spawn_local(task);
                return None;
            }
            UserCommand::Statistics(reply) => {
                let _ = reply.send(node.network.statistics());
                return None;
            }
            UserCommand::Stop => {
                self.is_done = true;
                return None;
            }
        }))
    }

    fn on_abandoned(&mut self) -> Option<InputOf<Self>> {
        self.is_done = true;
        None
    }

    fn on_output(&mut self, node: &mut Shared, output: OutputOf<Self>) {
        match output {
            Output::Connect { registrar } => self.registrars.connect(&mut node.network, registrar),
            Output::StopConnecting { registrar } => {
                self.registrars
                    .stop_connecting(&mut node.network, &registrar);
            }
            Output::Send { to, message } => node.send(to, &message),
            Output::Close { association } => node.network.close(association),
            Output::Event(event) => {
                if let Some(input) = self.on_event(&event) {
                    self.machine.handle_input(node.network.now(), input);
                }
                self.events.tell(NodeEvent::Machine(event));
            }
        }
    }

    fn is_done(&self) -> bool {
        self.is_done
    }

    fn stop(&mut self) -> Option<InputOf<Self>> {
        Some(Input::Command(Command::Stop))
    }
}
