//! A pool element on its network: its registration, and the associations of its pool users.

mod config;
mod drain;
mod register_failed;

pub use config::{PoolElementConfig, PoolElementEndpoints, ServeAt};
pub use drain::Drained;
pub use register_failed::RegisterFailed;

use crate::connection::{Connection, inlet};
use crate::control::ControlEnd;
use crate::data::DataConnections;
use crate::driver::{Down, FromPeer, InputOf, OutputOf, Role, Shared, Up};
use crate::error::NetError;
use crate::event::{NetworkEvent, NetworkStatistics};
use crate::network::{Network, NetworkConfig};
use crate::node::{DataReceiver, EventReceiver, Events, Node, NodeEvent};
use crate::random::random_u64;
use crate::registrar_associations::{Ended, RegistrarAssociations};
use crate::threads::Place;
use crate::user_transport::{DataTransport, data_transport};
use rserpool_core::pool_element::{Command, Event, Input, Output};
use rserpool_core::session::PoolElementSession;
use rserpool_core::{
    AssociationId, Machine, PeerAddress, PoolElement, RegistrarAddress, Timestamp,
};
use rserpool_sctp::DownReason;
use rserpool_wire::PoolElementId;
use rserpool_wire::asap::Message;
use rserpool_wire::parameter::Policy;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Pool users that the application has not accepted yet. Beyond, they are refused.
const ACCEPT_QUEUE_MAX: usize = 1024;

/// Associations with pool users at one time; each costs some thousand octets when idle.
const ASSOCIATIONS_MAX: usize = 16_384;

/// Peers of one that takes no pool users, which have not yet shown that they are registrars. Those
/// do at once; strangers fill this and no more, the oldest makes room.
const STRANGERS_MAX: usize = 16;

/// How the registration is.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Registration {
    /// The identifier under which the pool element was last registered.
    pub id: Option<PoolElementId>,
    /// The home registrar, while there is one.
    pub home: Option<RegistrarAddress>,
    /// Whether it is registered, as far as it knows.
    pub is_registered: bool,
}

/// A running pool element. Dropping it deregisters it in the background, which goes on until
/// the last connection is closed.
#[derive(Debug)]
pub struct PoolElementNode {
    node: Node<ElementCommand, Event>,
    endpoints: PoolElementEndpoints,
    registration: watch::Receiver<Registration>,
    accepted: mpsc::Receiver<Connection>,
}

/// What the node hands out when it has started.
type Handed = (
    PoolElementEndpoints,
    watch::Receiver<Registration>,
    mpsc::Receiver<Connection>,
    oneshot::Receiver<Result<(), RegisterFailed>>,
);

impl PoolElementNode {
    /// Binds its ports, registers, and waits until it is registered. Dropping the future ends it.
    ///
    /// # Errors
    /// See [`RegisterFailed`].
    pub async fn register(config: PoolElementConfig) -> Result<Self, RegisterFailed> {
        let build = move |events| build(config, events);
        let started = Node::start(Place::Shared, build)
            .await
            .map_err(RegisterFailed::Network)?;
        let (node, (endpoints, registration, accepted, registered)) = started;
        registered.await.map_err(|_| RegisterFailed::Ended)??;
        Ok(Self {
            node,
            endpoints,
            registration,
            accepted,
        })
    }

    /// How its registration is now.
    pub fn registration(&self) -> Registration {
        self.registration.borrow().clone()
    }

    /// Where pool users can reach it.
    pub fn endpoints(&self) -> &PoolElementEndpoints {
        &self.endpoints
    }

    /// The next association that a pool user began; `None` when the pool element has ended.
    /// Cancelling loses nothing.
    pub async fn accept(&mut self) -> Option<Connection> {
        self.accepted.recv().await
    }

    /// Registers another policy value. What was asked for is registered soon; a registrar that
    /// rejects it is an event.
    pub async fn set_policy(&self, policy: Policy) {
        // If it has ended there is nothing to set.
        let _ = self
            .node
            .commands()
            .send(ElementCommand::SetPolicy(policy))
            .await;
    }

    /// Counters of the transport; `None` if it has ended.
    pub async fn statistics(&self) -> Option<NetworkStatistics> {
        self.node.ask(ElementCommand::Statistics).await
    }

    /// Its events, from now on; the first call has them from the start.
    pub fn events(&self) -> EventReceiver<Event> {
        self.node.events()
    }

    /// Leaves the pool and waits for that. No more pool users are accepted; connections that the
    /// application still has go on until they are closed, and the thread ends with the last.
    pub async fn deregister(self) {
        let Self { node, accepted, .. } = self;
        // Those that were never taken are closed.
        drop(accepted);
        // If it has ended already, that is what was wanted.
        let connections = node.ask(ElementCommand::Deregister).await.unwrap_or(0);
        if connections == 0 {
            node.finished().await;
        }
    }
}

/// What an application asks of a pool element.
#[derive(Debug)]
pub(crate) enum ElementCommand {
    SetPolicy(Policy),
    Statistics(oneshot::Sender<NetworkStatistics>),
    /// Answered with the number of connections that are left.
    Deregister(oneshot::Sender<usize>),
    /// No more pool users. Answered with the number of connections.
    Refuse(oneshot::Sender<usize>),
    /// The applications of the connections that are left are told, and the registrar is not waited
    /// for any more. Answered with their number.
    TellMoving(oneshot::Sender<usize>),
    /// Those that are still left are closed in good order.
    MoveUsers,
    /// Those that are still left are aborted.
    AbortUsers,
}

type FirstAnswer = Rc<RefCell<Option<oneshot::Sender<Result<(), RegisterFailed>>>>>;

struct ElementRole {
    machine: PoolElement,
    registrars: RegistrarAssociations,
    /// Who began the associations that were accepted.
    peers: std::collections::BTreeMap<AssociationId, PeerAddress>,
    accept: mpsc::Sender<Connection>,
    registration: watch::Sender<Registration>,
    /// Waits for the outcome of the first registration.
    first_answer: FirstAnswer,
    events: Events<Event>,
    is_ending: bool,
    /// Waits until the pool is left.
    left: Option<oneshot::Sender<usize>>,
    has_left: bool,
    connections: usize,
    is_refusing: bool,
    /// By what pool users come here; by nothing, if they go to another socket of this process.
    takes_users: Option<DataTransport>,
    /// Whether they have no control channel.
    data_only: bool,
}

type Built = (ElementRole, Shared, DataReceiver, Handed);

fn build(config: PoolElementConfig, events: Events<Event>) -> Result<Built, NetError> {
    let network = Network::start(NetworkConfig {
        mode: config.sctp_mode,
        addresses: config.addresses.clone(),
        udp_port: config.udp_port,
        sctp: rserpool_sctp::Config {
            listen: true,
            timers: config.sctp_timers,
            associations_max: ASSOCIATIONS_MAX,
            ..rserpool_sctp::Config::new(config.sctp_port.unwrap_or(0))
        },
        enrp: None,
        lifelines: true,
        tcp_port: None,
        await_users: config.await_users(),
        hear: Some(config.multicast.clone().compatible(config.compatibility)),
        announce: None,
        enrp_multicast: None,
    })?;
    let endpoints = PoolElementEndpoints {
        addresses: network.udp_addresses(),
        sctp_port: network.sctp_port(),
        udp_port: network.udp_port(),
        serve_by: config.serve_by,
        data_only: config.data_only || config.serve_by != DataTransport::Sctp,
        user_port: network.user_port().unwrap_or(0),
    };
    let takes_users = config.serve_at.is_none().then_some(config.serve_by);
    let (unread_octets_max, register_timeout) = (config.unread_octets_max, config.register_timeout);
    let seed = config.seed.map_or_else(random_u64, Ok)?;
    let mut machine = PoolElement::new(config.of_machine(&endpoints), seed, Timestamp::ZERO);
    machine.handle_input(Timestamp::ZERO, Input::Command(Command::Register));
    let (data, commands) = DataConnections::new(unread_octets_max);
    let (accept, accepted) = mpsc::channel(ACCEPT_QUEUE_MAX);
    let (registration, registration_seen) = watch::channel(Registration::default());
    let (first, first_answer) = oneshot::channel();
    let role = ElementRole {
        machine,
        registrars: RegistrarAssociations::default(),
        peers: std::collections::BTreeMap::new(),
        accept,
        registration,
        first_answer: Rc::new(RefCell::new(Some(first))),
        events,
        is_ending: false,
        left: None,
        has_left: false,
        connections: 0,
        is_refusing: false,
        takes_users,
        data_only: endpoints.data_only,
    };
    role.give_up_after(register_timeout);
    let handed = (endpoints, registration_seen, accepted, first_answer);
    Ok((role, Shared { network, data }, commands, handed))
}

impl ElementRole {
    /// Answers the first registration if nobody else does.
    fn give_up_after(&self, time: Duration) {
        let first_answer = Rc::clone(&self.first_answer);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(time).await;
            answer(&first_answer, Err(RegisterFailed::NoRegistrar));
        });
    }

    fn on_event(&mut self, event: &Event) {
        match event {
            Event::Registered { home, id, .. } => {
                let (id, home) = (Some(*id), Some(home.clone()));
                self.registration.send_replace(Registration {
                    id,
                    home,
                    is_registered: true,
                });
                answer(&self.first_answer, Ok(()));
            }
            Event::RegistrationRejected { error, .. } => {
                answer(
                    &self.first_answer,
                    Err(RegisterFailed::Rejected(error.clone())),
                );
            }
            Event::RegistrationFailed { .. } => {
                answer(&self.first_answer, Err(RegisterFailed::NoAnswer));
            }
            Event::ServerHuntStarted { .. } => {
                self.registration
                    .send_modify(|registration| registration.home = None);
            }
            Event::HomeRegistrarChanged { home, .. } => {
                let home = Some(home.clone());
                self.registration
                    .send_modify(|registration| registration.home = home);
            }
            Event::Expired => {
                self.registration
                    .send_modify(|registration| registration.is_registered = false);
            }
            // Rejected, it is not ours to remove any more; unanswered, its life ends it.
            Event::Deregistered
            | Event::DeregistrationRejected { .. }
            | Event::DeregistrationFailed { .. } => {
                self.registration
                    .send_modify(|registration| registration.is_registered = false);
                self.on_left();
            }
            Event::BadMessage { .. }
            | Event::UnexpectedMessage { .. }
            | Event::ErrorReceived { .. } => {}
        }
    }

    fn end(&mut self) -> Option<Input> {
        if std::mem::replace(&mut self.is_ending, true) {
            return None;
        }
        // Never registered: there is nothing to leave, and no answer to wait for.
        let was_registered = self.registration.borrow().id.is_some();
        if !was_registered {
            self.on_left();
        }
        Some(Input::Command(Command::Deregister))
    }

    fn on_left(&mut self) {
        if self.is_ending {
            self.has_left = true;
            if let Some(left) = self.left.take() {
                // Who asked may have stopped waiting.
                let _ = left.send(self.connections);
            }
        }
    }

    fn accept(&mut self, node: &mut Shared, up: Up) {
        let Up {
            association,
            peer,
            remote,
            ..
        } = up;
        let (sink, inlet) = inlet();
        let control = if self.data_only {
            ControlEnd::DataOnly
        } else {
            ControlEnd::PoolElement(PoolElementSession::new())
        };
        let outlet = node
            .data
            .open(&mut node.network, association, remote, 0, sink, control);
        self.connections = node.data.len();
        // A registrar comes by SCTP alone.
        if data_transport(association) == DataTransport::Sctp {
            self.peers.insert(association, peer);
        }
        let connection = Connection::new(outlet, inlet, remote);
        if self.is_refusing || self.accept.is_closed() {
            // It began before; nothing has been said yet.
            node.network.abort(association, "it leaves its pool");
        } else if self.accept.try_send(connection).is_err() {
            let limit = ACCEPT_QUEUE_MAX;
            node.network.tell(NetworkEvent::TooManyConnections {
                peer: remote,
                limit,
            });
            node.network
                .abort(association, "the application does not accept");
        }
    }
}

impl ElementRole {
    /// Nobody comes here but registrars, to take this pool element over.
    fn await_registrar(&mut self, node: &mut Shared, up: Up) {
        if self.peers.len() >= STRANGERS_MAX
            && let Some((oldest, _)) = self.peers.pop_first()
        {
            node.network.abort(oldest, "it said nothing");
        }
        self.peers.insert(up.association, up.peer);
    }
}

fn answer(to: &FirstAnswer, outcome: Result<(), RegisterFailed>) {
    if let Some(first) = to.borrow_mut().take() {
        // Who asked may have stopped waiting; the end of its handle is told elsewhere.
        let _ = first.send(outcome);
    }
}

impl Role for ElementRole {
    type Machine = PoolElement;
    type Command = ElementCommand;

    fn machine(&mut self) -> &mut PoolElement {
        &mut self.machine
    }

    fn on_up(&mut self, node: &mut Shared, up: Up) -> Option<Input> {
        let Some(registrar) = self.registrars.on_up(up.association) else {
            if up.accepted && self.takes_users == Some(data_transport(up.association)) {
                self.accept(node, up);
            } else if up.accepted {
                self.await_registrar(node, up);
            } else {
                node.network.abort(up.association, "no longer wanted");
            }
            return None;
        };
        let local = node.network.local_addresses_of(up.association, up.remote);
        Some(Input::AssociationUp {
            association: up.association,
            registrar,
            local,
        })
    }

    fn on_message(&mut self, node: &mut Shared, from: FromPeer) -> Option<Input> {
        let FromPeer {
            association,
            message,
        } = from;
        let decoded = message.as_ref().ok().map(|decoded| &decoded.message);
        // A registrar that takes this pool element over begins an association itself
        // (RFC 5353 §3.5); that it is one shows in what it says first.
        if let Some(Message::EndpointKeepAlive(_)) = decoded
            && let Some(peer) = self.peers.remove(&association)
            && let Some(remote) = node.network.peer(association)
        {
            let registrar = RegistrarAddress {
                transport: peer.transport,
                addresses: peer.addresses,
                port: peer.port,
                udp_port: peer.udp_port,
            };
            self.registrars.add(association, registrar.clone());
            // The application's connection, which it took for a pool user's, is none.
            node.data.on_down(association, DownReason::Closed);
            self.connections = node.data.len();
            let local = node.network.local_addresses_of(association, remote);
            let up = Input::AssociationUp {
                association,
                registrar,
                local,
            };
            self.machine.handle_input(node.network.now(), up);
        }
        // All else that a pool user says belongs to its session.
        if self.peers.contains_key(&association) {
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
        let association = down.association;
        self.peers.remove(&association);
        node.data.on_down(association, down.reason);
        self.connections = node.data.len();
        Some(match self.registrars.on_down(association)? {
            Ended::ConnectFailed(registrar) => Input::ConnectFailed { registrar },
            Ended::Lost => Input::AssociationLost { association },
        })
    }

    fn on_command(&mut self, node: &mut Shared, command: ElementCommand) -> Option<Input> {
        match command {
            ElementCommand::SetPolicy(policy) => Some(Input::Command(Command::SetPolicy(policy))),
            ElementCommand::Statistics(reply) => {
                // Who asked may have stopped waiting.
                let _ = reply.send(node.network.statistics());
                None
            }
            ElementCommand::Deregister(left) => {
                self.left = Some(left);
                self.end()
            }
            ElementCommand::Refuse(reply) => {
                self.is_refusing = true;
                node.network.stop_listening();
                let _ = reply.send(self.connections);
                None
            }
            ElementCommand::TellMoving(reply) => {
                self.has_left = true;
                node.data.tell_moving();
                let _ = reply.send(self.connections);
                None
            }
            ElementCommand::MoveUsers => {
                node.data.close_all_in_turn();
                None
            }
            ElementCommand::AbortUsers => {
                node.data.abort_all(&mut node.network, "it does not end");
                None
            }
        }
    }

    fn on_abandoned(&mut self) -> Option<InputOf<Self>> {
        self.end()
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
                self.on_event(&event);
                self.events.tell(NodeEvent::Machine(event));
            }
        }
    }

    fn is_done(&self) -> bool {
        self.has_left && self.connections == 0
    }

    /// The registrar associations are closed too.
    fn stop(&mut self) -> Option<InputOf<Self>> {
        self.is_refusing = true;
        Some(Input::Command(Command::Stop))
    }
}
