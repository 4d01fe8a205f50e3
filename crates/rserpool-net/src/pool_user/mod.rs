//! A pool user on its network: resolutions, and associations with pool elements.

mod client;

pub(crate) use client::UserCommand;
pub use client::{OpenFailed, Opened, PoolUserClient};

use client::Open;

use crate::control::{ControlEnd, SessionControl};
use crate::data::DataConnections;
use crate::driver::{Down, FromPeer, InputOf, OutputOf, Role, Shared, Up};
use crate::error::NetError;
use crate::kernel_sctp::SctpMode;
use crate::multicast::Multicast;
use crate::network::{Network, NetworkConfig};
use crate::node::{DataReceiver, EventReceiver, Events, Node, NodeEvent};
use crate::random::random_u64;
use crate::registrar_associations::{Ended, RegistrarAssociations};
use crate::threads::Place;
use crate::udp::Port;
use rserpool_core::pool_user::{
    Command, Config, Event, Input, Limits, Output, RequestId, ResolveFailure, Source,
};
use rserpool_core::{AssociationId, Compatibility, Machine, PoolUser, RegistrarAddress, Timestamp};
use rserpool_wire::PoolHandle;
use rserpool_wire::asap::{Message, Resolution};
use rserpool_wire::parameter::{EncodedPoolElement, PoolElement, TransportUse, UserTransport};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use tokio::sync::{oneshot, watch};

/// Associations with pool elements and registrars at one time.
const ASSOCIATIONS_MAX: usize = 4096;

/// How a pool user is put on the network.
#[derive(Clone, Debug)]
pub struct PoolUserConfig {
    /// Registrars that are known without announces.
    pub registrars: Vec<RegistrarAddress>,
    /// Local addresses; none: all.
    pub addresses: Vec<IpAddr>,
    /// Whose SCTP.
    pub sctp_mode: SctpMode,
    /// SCTP port; `None`: a random one.
    pub sctp_port: Option<u16>,
    /// UDP port that carries SCTP.
    pub udp_port: Port,
    /// Where announces are heard.
    pub multicast: Multicast,
    /// The protocol's timers.
    pub timers: rserpool_core::Timers,
    /// What all of the operational scope agree on.
    pub compatibility: Compatibility,
    /// What it may use up.
    pub limits: Limits,
    /// The timers of its associations.
    pub sctp_timers: rserpool_sctp::Timers,
    /// What may wait for the application over all associations, in octets; usually
    /// [`crate::UNREAD_OCTETS_MAX`]. When more does, the association that most of it is of ends.
    pub unread_octets_max: usize,
    /// Decides everything random in the machine; `None`: the system's randomness.
    pub seed: Option<u64>,
}

/// A running pool user. Dropping it ends it in the background.
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
        let (node, home) = Node::start(Place::Shared, build).await?;
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
    let network = Network::start(NetworkConfig {
        mode: config.sctp_mode,
        addresses: config.addresses,
        udp_port: config.udp_port,
        sctp: rserpool_sctp::Config {
            listen: false,
            timers: config.sctp_timers,
            associations_max: ASSOCIATIONS_MAX,
            ..rserpool_sctp::Config::new(config.sctp_port.unwrap_or(0))
        },
        enrp: None,
        lifelines: false,
        tcp_port: None,
        await_users: None,
        hear: Some(config.multicast.compatible(config.compatibility)),
        announce: None,
        enrp_multicast: None,
    })?;
    let machine = Config {
        registrars: config.registrars,
        timers: config.timers,
        limits: config.limits,
        compatibility: config.compatibility,
    };
    let seed = config.seed.map_or_else(random_u64, Ok)?;
    let (data, commands) = DataConnections::new(config.unread_octets_max);
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

/// Begins an association by the user transport of a pool element.
fn begin(network: &mut Network, element: &PoolElement) -> Result<AssociationId, OpenFailed> {
    match &element.user_transport {
        UserTransport::Sctp(sctp) => {
            let udp_port = element.encapsulation_ports.user.map(NonZeroU16::get);
            let begun = network.connect_sctp(&sctp.addresses, udp_port, sctp.port);
            begun.map_err(OpenFailed::Connect)
        }
        UserTransport::Tcp(tcp) => {
            Ok(network.connect_user_tcp(SocketAddr::new(tcp.address, tcp.port)))
        }
        UserTransport::Udp(udp) => {
            let begun = network.connect_user_udp(SocketAddr::new(udp.address, udp.port));
            begun.map_err(OpenFailed::Connect)
        }
        UserTransport::Dccp(_) | UserTransport::UdpLite(_) | UserTransport::Opaque(_) => {
            Err(OpenFailed::ForeignTransport)
        }
    }
}

/// This end of the control channel, if the pool element has one.
fn control_end(element: &PoolElement, control: SessionControl) -> ControlEnd {
    if let UserTransport::Sctp(sctp) = &element.user_transport
        && sctp.transport_use != TransportUse::DATA_ONLY
    {
        ControlEnd::PoolUser(control)
    } else {
        ControlEnd::DataOnly
    }
}

impl UserRole {
    fn request(&mut self, waiting: Waiting) -> RequestId {
        self.next_request += 1;
        let request = RequestId(self.next_request);
        self.waiting.insert(request, waiting);
        request
    }

    fn open(&mut self, node: &mut Shared, open: Box<Open>) {
        match begin(&mut node.network, &open.pool_element) {
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
        let outlet = node.data.open(
            &mut node.network,
            up.association,
            up.remote,
            open.label,
            open.sink,
            control_end(&open.pool_element, open.control),
        );
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
            } => self.on_pool_updated(pool_handle, resolution.as_ref()),
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

    /// Who listens is told what is new; when nobody does, the subscription ends.
    fn on_pool_updated(
        &mut self,
        pool_handle: &PoolHandle,
        resolution: Option<&Resolution>,
    ) -> Option<Input> {
        let updates = self.subscriptions.get(pool_handle)?;
        if !updates.is_closed() {
            updates.send_if_modified(|told| {
                let is_new = told.as_ref() != resolution;
                *told = resolution.cloned();
                is_new
            });
            return None;
        }
        self.subscriptions.remove(pool_handle);
        let pool_handle = pool_handle.clone();
        Some(Input::Command(Command::Unsubscribe { pool_handle }))
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
            node.data
                .on_control(&mut node.network, association, message);
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
            UserCommand::Avoid {
                pool_handle,
                pool_element,
            } => Command::Avoid {
                pool_handle,
                pool_element,
            },
            UserCommand::PurgeCache(pool_handle) => Command::PurgeCache { pool_handle },
            UserCommand::Notify(notification) => {
                self.events.tell(NodeEvent::Session(notification));
                return None;
            }
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
