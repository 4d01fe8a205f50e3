//! The registrar on its network.

use crate::connecting::Connecting;
use crate::data::DataConnections;
use crate::driver::{Down, EnrpFromPeer, FromPeer, InputOf, OutputOf, Role, Shared, Up};
use crate::error::{NetError, Operation};
use crate::event::NetworkStatistics;
use crate::interfaces::{Interface, reachable_addresses, told_to_peers};
use crate::kernel_sctp::SctpMode;
use crate::multicast::{Channel, Multicast};
use crate::network::{Network, NetworkConfig, PeerAddresses};
use crate::node::{EventReceiver, Events, Node, NodeEvent};
use crate::open_files::raise_open_files_limit;
use crate::random::random_u64;
use crate::threads::Place;
use crate::udp::{Port, UDP_ENCAPSULATION_PORT};
use crate::unread::UNREAD_OCTETS_MAX;
use rserpool_core::registrar::{
    Command, Config, Destination, Event, Input, Output, Remote, Snapshot,
};
use rserpool_core::{AssociationId, Machine, Registrar, RegistrarAddress, Timestamp, Transport};
use rserpool_wire::asap::{AnnouncedTransport, Message};
use rserpool_wire::parameter::{EncapsulationPorts, SctpTransport, TcpTransport, TransportUse};
use rserpool_wire::{RegistrarId, enrp};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use tokio::sync::oneshot;

/// What may wait for another registrar before the association with it ends, in octets: some ten
/// thousand updates, as when all pool elements of a registrar register at once.
const PEER_SEND_QUEUE_OCTETS_MAX: usize = 4 << 20;

/// How a registrar is put on the network.
#[derive(Clone, Debug)]
pub struct RegistrarConfig {
    /// The protocol's part. Where it announces itself and speaks ENRP, and by which UDP port, is
    /// filled in.
    pub machine: Config,
    /// Local addresses; none: all.
    pub addresses: Vec<IpAddr>,
    /// Whose SCTP.
    pub sctp_mode: SctpMode,
    /// SCTP port of ASAP: 3863.
    pub sctp_port: u16,
    /// SCTP port of ENRP, at the same UDP port: 9901.
    pub enrp_port: u16,
    /// UDP port that carries SCTP.
    pub udp_port: Port,
    /// TCP port for pool users, if they may come by TCP.
    pub tcp_port: Option<Port>,
    /// Where announces are sent and heard.
    pub multicast: Multicast,
    /// Where registrars find each other; see [`Multicast::enrp`].
    pub enrp_multicast: Multicast,
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
    /// SCTP port of ASAP.
    pub sctp_port: u16,
    /// SCTP port of ENRP.
    pub enrp_port: u16,
    /// UDP port that carries SCTP; 0: none does.
    pub udp_port: u16,
    /// Where pool users can come by TCP; the address is unspecified if it is all.
    pub tcp: Option<SocketAddr>,
    /// Whether it announces itself by multicast.
    pub multicast: bool,
    /// Whether it looks for other registrars by multicast.
    pub enrp_multicast: bool,
}

impl RegistrarEndpoints {
    /// How other registrars reach it: not by loopback, unless it has nothing else.
    pub fn as_peer(&self) -> RegistrarAddress {
        RegistrarAddress {
            transport: Transport::Sctp,
            addresses: told_to_peers(&self.addresses),
            port: self.enrp_port,
            udp_port: encapsulation_port(self.udp_port).map(NonZeroU16::get),
        }
    }
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
        let (node, endpoints) = Node::start(Place::Alone(name), build).await?;
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
    connecting: Connecting<Remote>,
    events: Events<Event>,
    is_done: bool,
}

type Built = (
    RegistrarRole,
    (Shared, crate::node::DataReceiver),
    RegistrarEndpoints,
);

fn build(mut config: RegistrarConfig, events: Events<Event>) -> Result<Built, NetError> {
    make_compatible(&mut config);
    let network = start_network(&config)?;
    let endpoints = endpoints(&config, &network);
    tell_machine_where(&mut config.machine, &endpoints);
    let seed = config.seed.map_or_else(random_u64, Ok)?;
    let machine = Registrar::new(config.machine, seed, Timestamp::ZERO);
    let (data, commands) = DataConnections::new(UNREAD_OCTETS_MAX);
    let role = RegistrarRole {
        machine,
        connecting: Connecting::default(),
        events,
        is_done: false,
    };
    Ok((role, (Shared { network, data }, commands), endpoints))
}

/// Where announces are, and from which port they come: rsplib's clients take the UDP port for the
/// SCTP port.
fn make_compatible(config: &mut RegistrarConfig) {
    let compatibility = config.machine.compatibility;
    config.multicast = config.multicast.clone().compatible(compatibility);
    config.enrp_multicast = config.enrp_multicast.clone().compatible(compatibility);
    if compatibility.is_rsplib() {
        config.multicast.source_port.get_or_insert(config.sctp_port);
    }
}

fn start_network(config: &RegistrarConfig) -> Result<Network, NetError> {
    if config.enrp_port == config.sctp_port {
        let source = std::io::ErrorKind::AddrInUse.into();
        return Err(NetError::new(Operation::UseEnrpPort, None, source));
    }
    let sctp = rserpool_sctp::Config {
        listen: true,
        timers: config.sctp_timers,
        associations_max: config.machine.limits.associations_max,
        ..rserpool_sctp::Config::new(config.sctp_port)
    };
    let enrp = rserpool_sctp::Config {
        sctp_port: config.enrp_port,
        send_queue_octets_max: PEER_SEND_QUEUE_OCTETS_MAX,
        ..sctp.clone()
    };
    Network::start(NetworkConfig {
        mode: config.sctp_mode,
        addresses: config.addresses.clone(),
        udp_port: config.udp_port,
        sctp,
        enrp: Some(enrp),
        lifelines: true,
        tcp_port: config.tcp_port,
        await_users: None,
        hear: Some(config.multicast.clone()),
        announce: Some(config.multicast.clone()),
        enrp_multicast: Some(config.enrp_multicast.clone()),
    })
}

fn endpoints(config: &RegistrarConfig, network: &Network) -> RegistrarEndpoints {
    let addresses = match &config.addresses[..] {
        [] => reachable_addresses(),
        given => given.to_vec(),
    };
    RegistrarEndpoints {
        addresses,
        sctp_port: config.sctp_port,
        enrp_port: config.enrp_port,
        udp_port: network.udp_port(),
        tcp: network.tcp_address(),
        multicast: config.multicast.is_on(),
        enrp_multicast: config.enrp_multicast.is_on(),
    }
}

fn tell_machine_where(machine: &mut Config, endpoints: &RegistrarEndpoints) {
    machine.announce = announced(endpoints);
    machine.encapsulation_ports = EncapsulationPorts {
        user: encapsulation_port(endpoints.udp_port),
        asap: None,
    };
    machine.multicast = endpoints.multicast;
    machine.enrp_transport = SctpTransport {
        port: endpoints.enrp_port,
        transport_use: TransportUse::DATA_ONLY,
        addresses: endpoints.as_peer().addresses,
    };
    machine.enrp_encapsulation_ports = machine.encapsulation_ports;
    machine.enrp_multicast = endpoints.enrp_multicast;
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

/// As [`fitted_to`], for what is multicast to other registrars.
fn enrp_fitted_to(message: &enrp::Message, interface: &Interface) -> enrp::Message {
    let mut fitted = message.clone();
    if let enrp::Message::Presence(presence) = &mut fitted
        && let Some(information) = &mut presence.server_information
    {
        let addresses = &mut information.transport.addresses;
        if addresses.iter().any(|address| interface.has(address)) {
            addresses.retain(|address| interface.has(address));
        }
    }
    fitted
}

fn count_subscription(node: &Shared, event: &Event) {
    if let Event::SubscriptionStarted { association, .. } = event {
        node.network.count_subscription(*association, true);
    } else if let Event::SubscriptionEnded { association, .. } = event {
        node.network.count_subscription(*association, false);
    }
}

impl RegistrarRole {
    fn connect(&mut self, network: &mut Network, to: Remote) {
        let association = match &to {
            Remote::Peer(peer) => network.connect_peer(peer),
            Remote::PoolElement(element) => network.connect_pool_element(element),
        };
        self.connecting.add(association, to);
    }

    fn stop_connecting(&mut self, network: &mut Network, to: &Remote) {
        if let Some(association) = self.connecting.stop(to) {
            network.abort(association, NO_LONGER_WANTED);
        }
    }
}

/// Why an association is aborted while it comes up.
const NO_LONGER_WANTED: &str = "no longer wanted";

impl Role for RegistrarRole {
    const SPEAKS_ENRP: bool = true;
    const EVENTS_MAX: usize = 1024;
    type Machine = Registrar;
    type Command = RegistrarCommand;

    fn machine(&mut self) -> &mut Registrar {
        &mut self.machine
    }

    fn on_up(&mut self, node: &mut Shared, up: Up) -> Option<Input> {
        let Up {
            association, peer, ..
        } = up;
        if let Some(to) = self.connecting.remove(association) {
            return Some(Input::Connected {
                association,
                to,
                peer,
            });
        }
        if !up.accepted {
            node.network.abort(association, NO_LONGER_WANTED);
            return None;
        }
        Some(Input::AssociationUp { association, peer })
    }

    fn on_peer_addresses(
        &mut self,
        association: AssociationId,
        addresses: PeerAddresses,
    ) -> Option<Input> {
        let PeerAddresses {
            confirmed,
            unconfirmed,
        } = addresses;
        Some(Input::PeerAddresses {
            association,
            confirmed,
            unconfirmed,
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

    fn on_enrp_message(&mut self, message: EnrpFromPeer) -> Option<Input> {
        Some(Input::EnrpReceived {
            from: message.association,
            message: message.message,
        })
    }

    fn on_enrp_announce(&mut self, from: SocketAddr, message: enrp::Message) -> Option<Input> {
        Some(Input::EnrpAnnounced { from, message })
    }

    fn on_send_failed(&mut self, association: AssociationId, message: Message) -> Option<Input> {
        Some(Input::SendFailed {
            association,
            message: Some(message),
        })
    }

    fn on_down(&mut self, _: &mut Shared, down: Down) -> Option<Input> {
        let association = down.association;
        Some(match self.connecting.remove(association) {
            Some(to) => Input::ConnectFailed { to },
            None => Input::AssociationLost { association },
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
                let octets = |interface: &_| fitted_to(&message, interface).encode();
                node.network.announce(Channel::Asap, octets);
            }
            Output::SendEnrp {
                to: Destination::Association(to),
                message,
            } => node.send_enrp(to, &message),
            Output::SendEnrp {
                to: Destination::Multicast,
                message,
            } => {
                let octets = |interface: &_| enrp_fitted_to(&message, interface).encode();
                node.network.announce(Channel::Enrp, octets);
            }
            Output::Connect { to } => self.connect(&mut node.network, to),
            Output::StopConnecting { to } => self.stop_connecting(&mut node.network, &to),
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
