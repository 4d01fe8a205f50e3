//! The registrar on its network.

use crate::data::DataConnections;
use crate::driver::{Down, FromPeer, InputOf, OutputOf, Role, Shared, Up};
use crate::error::NetError;
use crate::event::NetworkStatistics;
use crate::interfaces::{Interface, reachable_addresses};
use crate::multicast::Multicast;
use crate::network::{Network, NetworkConfig};
use crate::node::{EventReceiver, Events, Node, NodeEvent};
use crate::open_files::raise_open_files_limit;
use crate::random::random_u64;
use crate::udp::{Port, UDP_ENCAPSULATION_PORT};
use crate::unread::UNREAD_OCTETS_MAX;
use rserpool_core::registrar::{Command, Config, Destination, Event, Input, Output, Snapshot};
use rserpool_core::{AssociationId, Machine, Registrar, Timestamp};
use rserpool_wire::RegistrarId;
use rserpool_wire::asap::{AnnouncedTransport, Message};
use rserpool_wire::parameter::{EncapsulationPorts, SctpTransport, TcpTransport, TransportUse};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use tokio::sync::oneshot;

/// How a registrar is put on the network.
#[derive(Clone, Debug)]
pub struct RegistrarConfig {
    /// The protocol's part. Where it announces itself and by which UDP port is filled in.
    pub machine: Config,
    /// Local addresses; none: all.
    pub addresses: Vec<IpAddr>,
    /// SCTP port: 3863.
    pub sctp_port: u16,
    /// UDP port that carries SCTP.
    pub udp_port: Port,
    /// TCP port for pool users, if they may come by TCP.
    pub tcp_port: Option<Port>,
    /// Where announces are sent and heard.
    pub multicast: Multicast,
    /// The timers of its associations.
    pub sctp_timers: rserpool_sctp::Timers,
    /// Decides everything random in the machine; `None`: the system's randomness.
    pub seed: Option<u64>,
}

/// Where a registrar can be reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistrarEndpoints {
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// SCTP port.
    pub sctp_port: u16,
    /// UDP port that carries SCTP.
    pub udp_port: u16,
    /// Where pool users can come by TCP; the address is unspecified if it is all.
    pub tcp: Option<SocketAddr>,
    /// Whether it announces itself by multicast.
    pub multicast: bool,
}

/// A running registrar. Dropping it shuts it down in its own thread.
#[derive(Debug)]
pub struct RegistrarNode {
    node: Node<RegistrarCommand, Event>,
    id: RegistrarId,
    endpoints: RegistrarEndpoints,
}

impl RegistrarNode {
    /// Binds the ports and starts.
    ///
    /// # Errors
    /// A port that cannot be had.
    pub async fn start(config: RegistrarConfig) -> Result<Self, NetError> {
        raise_open_files_limit();
        let id = config.machine.id;
        let name = format!("registrar-{:08x}", id.get());
        let build = move |events| {
            let (role, node, endpoints) = build(config, events)?;
            let (shared, data) = node;
            Ok((role, shared, data, endpoints))
        };
        let (node, endpoints) = Node::start(name, build).await?;
        Ok(Self {
            node,
            id,
            endpoints,
        })
    }

    /// Its identifier.
    pub fn id(&self) -> RegistrarId {
        self.id
    }

    /// Where it can be reached.
    pub fn endpoints(&self) -> &RegistrarEndpoints {
        &self.endpoints
    }

    /// The state of the protocol machine; `None` if it has ended.
    pub async fn snapshot(&self) -> Option<Snapshot> {
        self.node.ask(RegistrarCommand::Snapshot).await
    }

    /// Counters of the transport; `None` if it has ended.
    pub async fn statistics(&self) -> Option<NetworkStatistics> {
        self.node.ask(RegistrarCommand::Statistics).await
    }

    /// Its events, from now on; the first call has them from the start.
    pub fn events(&self) -> EventReceiver<Event> {
        self.node.events()
    }

    /// Ends it in good order and waits for that: associations are closed, so that clients look for
    /// another registrar at once.
    pub async fn shutdown(&self) {
        // If it has ended already, that is what was wanted.
        let _ = self.node.commands().send(RegistrarCommand::Shutdown).await;
        self.node.finished().await;
    }
}

/// What an application asks of a registrar.
#[derive(Debug)]
pub(crate) enum RegistrarCommand {
    Snapshot(oneshot::Sender<Snapshot>),
    Statistics(oneshot::Sender<NetworkStatistics>),
    Shutdown,
}

struct RegistrarRole {
    machine: Registrar,
    events: Events<Event>,
    is_done: bool,
}

type Built = (
    RegistrarRole,
    (Shared, crate::node::DataReceiver),
    RegistrarEndpoints,
);

fn build(mut config: RegistrarConfig, events: Events<Event>) -> Result<Built, NetError> {
    let associations_max = config.machine.limits.associations_max;
    let network = Network::start(NetworkConfig {
        addresses: config.addresses.clone(),
        udp_port: config.udp_port,
        sctp: rserpool_sctp::Config {
            listen: true,
            timers: config.sctp_timers,
            associations_max,
            ..rserpool_sctp::Config::new(config.sctp_port)
        },
        lifelines: true,
        tcp_port: config.tcp_port,
        hear: Some(config.multicast.clone()),
        announce: Some(config.multicast.clone()),
    })?;
    let addresses = match &config.addresses[..] {
        [] => reachable_addresses(),
        given => given.to_vec(),
    };
    let endpoints = RegistrarEndpoints {
        addresses,
        sctp_port: config.sctp_port,
        udp_port: network.udp_port(),
        tcp: network.tcp_address(),
        multicast: config.multicast.is_on(),
    };
    config.machine.announce = announced(&endpoints);
    config.machine.encapsulation_ports = EncapsulationPorts {
        user: encapsulation_port(endpoints.udp_port),
        asap: None,
    };
    config.machine.multicast = endpoints.multicast;
    let seed = config.seed.map_or_else(random_u64, Ok)?;
    let machine = Registrar::new(config.machine, seed, Timestamp::ZERO);
    let (data, commands) = DataConnections::new(UNREAD_OCTETS_MAX);
    let role = RegistrarRole {
        machine,
        events,
        is_done: false,
    };
    Ok((role, (Shared { network, data }, commands), endpoints))
}

/// The UDP port as it is told to others: not at all where it is the registered one.
pub(crate) fn encapsulation_port(udp_port: u16) -> Option<NonZeroU16> {
    NonZeroU16::new(udp_port).filter(|port| port.get() != UDP_ENCAPSULATION_PORT)
}

fn announced(endpoints: &RegistrarEndpoints) -> Vec<AnnouncedTransport> {
    let sctp = AnnouncedTransport::Sctp(SctpTransport {
        port: endpoints.sctp_port,
        transport_use: TransportUse::DATA_ONLY,
        addresses: endpoints.addresses.clone(),
    });
    let port = endpoints.tcp.map(|at| at.port());
    let tcp = port.into_iter().flat_map(|port| {
        let addresses = endpoints.addresses.iter();
        addresses.map(move |&address| AnnouncedTransport::Tcp(TcpTransport { port, address }))
    });
    // rsplib takes them in this order only.
    tcp.chain(std::iter::once(sctp)).collect()
}

/// The message as it is sent by one interface: with the addresses that its neighbours can reach.
fn fitted_to(message: &Message, interface: &Interface) -> Message {
    let Message::ServerAnnounce(announce) = message else {
        return message.clone();
    };
    let mut fitted = announce.clone();
    fitted.transports.retain_mut(|transport| match transport {
        AnnouncedTransport::Sctp(sctp) => {
            sctp.addresses.retain(|address| interface.has(address));
            !sctp.addresses.is_empty()
        }
        AnnouncedTransport::Tcp(tcp) => interface.has(&tcp.address),
    });
    // An announce without addresses would mean the sender's own, and port 3863.
    Message::ServerAnnounce(if fitted.transports.is_empty() {
        announce.clone()
    } else {
        fitted
    })
}

fn count_subscription(node: &Shared, event: &Event) {
    if let Event::SubscriptionStarted { association, .. } = event {
        node.network.count_subscription(*association, true);
    } else if let Event::SubscriptionEnded { association, .. } = event {
        node.network.count_subscription(*association, false);
    }
}

impl Role for RegistrarRole {
    type Machine = Registrar;
    type Command = RegistrarCommand;

    fn machine(&mut self) -> &mut Registrar {
        &mut self.machine
    }

    fn on_up(&mut self, _: &mut Shared, up: Up) -> Option<Input> {
        Some(Input::AssociationUp {
            association: up.association,
            peer: up.peer,
        })
    }

    fn on_message(&mut self, _: &mut Shared, from: FromPeer) -> Option<Input> {
        Some(Input::Received {
            from: from.association,
            message: from.message,
        })
    }

    fn on_announce(&mut self, from: SocketAddr, message: Message) -> Option<Input> {
        Some(Input::Announced { from, message })
    }

    fn on_send_failed(&mut self, association: AssociationId, message: Message) -> Option<Input> {
        Some(Input::SendFailed {
            association,
            message: Some(message),
        })
    }

    fn on_down(&mut self, _: &mut Shared, down: Down) -> Option<Input> {
        Some(Input::AssociationLost {
            association: down.association,
        })
    }

    fn on_command(&mut self, node: &mut Shared, command: RegistrarCommand) -> Option<Input> {
        // Who asked may have stopped waiting.
        match command {
            RegistrarCommand::Snapshot(reply) => {
                let _ = reply.send(self.machine.snapshot());
                None
            }
            RegistrarCommand::Statistics(reply) => {
                let _ = reply.send(node.network.statistics());
                None
            }
            RegistrarCommand::Shutdown => Some(Input::Command(Command::Shutdown)),
        }
    }

    fn on_abandoned(&mut self) -> Option<InputOf<Self>> {
        Some(Input::Command(Command::Shutdown))
    }

    fn on_output(&mut self, node: &mut Shared, output: OutputOf<Self>) {
        match output {
            Output::Send {
                to: Destination::Association(to),
                message,
            } => node.send(to, &message),
            Output::Send {
                to: Destination::Multicast,
                message,
            } => {
                node.network
                    .announce(|interface| fitted_to(&message, interface).encode());
            }
            Output::SendEnrp { .. } | Output::Connect { .. } | Output::StopConnecting { .. } => {}
            Output::Close { association, .. } => node.network.close(association),
            Output::Event(event) => {
                self.is_done |= event == Event::ShutDown;
                count_subscription(node, &event);
                self.events.tell(NodeEvent::Machine(event));
            }
        }
    }

    fn is_done(&self) -> bool {
        self.is_done
    }

    /// It has closed everything itself.
    fn stop(&mut self) -> Option<InputOf<Self>> {
        None
    }
}
