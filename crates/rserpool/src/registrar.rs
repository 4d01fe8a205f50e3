//! A registrar, from an application.

use crate::Timers;
use crate::options::{node_options, port_or_any};
use rserpool_core::registrar::{Config, Event, Limits, Snapshot};
use rserpool_core::{Compatibility, RegistrarAddress};
use rserpool_handlespace::Policies;
use rserpool_net::{
    EventReceiver, Multicast, NetError, NetworkStatistics, Port, RegistrarConfig,
    RegistrarEndpoints, RegistrarNode, SctpMode, random_u32,
};
use rserpool_wire::RegistrarId;
use std::net::IpAddr;

/// A registrar (the RFCs' "ENRP server"): keeps the pools, answers pool users, and watches pool
/// elements. It runs in a thread of its own; dropping it shuts it down there.
#[derive(Debug)]
pub struct Registrar {
    node: RegistrarNode,
}

impl Registrar {
    /// A registrar with the defaults: all local addresses, the registered ports where they are
    /// free, multicast announces.
    pub fn builder() -> RegistrarBuilder {
        RegistrarBuilder {
            id: None,
            addresses: Vec::new(),
            sctp_port: rserpool_core::ASAP_PORT,
            enrp_port: rserpool_core::ENRP_PORT,
            peers: Vec::new(),
            enrp_multicast: None,
            sctp_mode: SctpMode::default(),
            udp_port: Port::WellKnownIfFree,
            tcp_port: Some(Port::WellKnownIfFree),
            multicast: Multicast::default(),
            timers: Timers::default(),
            limits: Limits::default(),
            policies: Policies::standard(),
            items_default: None,
            compatibility: Compatibility::default(),
            seed: None,
        }
    }

    /// Its identifier.
    pub fn id(&self) -> RegistrarId {
        self.node.id()
    }

    /// Where it can be reached.
    pub fn endpoints(&self) -> &RegistrarEndpoints {
        self.node.endpoints()
    }

    /// Its pools, pool elements and counters; `None` if it has ended.
    pub async fn snapshot(&self) -> Option<Snapshot> {
        self.node.snapshot().await
    }

    /// Counters of its transport; `None` if it has ended.
    pub async fn statistics(&self) -> Option<NetworkStatistics> {
        self.node.statistics().await
    }

    /// What happens at it, from now on; the first receiver has it from the start.
    pub fn events(&self) -> EventReceiver<Event> {
        self.node.events()
    }

    /// Ends it in good order and waits for that: its clients are told and look for another.
    pub async fn shutdown(&self) {
        self.node.shutdown().await;
    }
}

/// How a registrar is set up.
#[derive(Clone)]
#[must_use = "call start"]
pub struct RegistrarBuilder {
    id: Option<RegistrarId>,
    addresses: Vec<IpAddr>,
    sctp_port: u16,
    enrp_port: u16,
    peers: Vec<RegistrarAddress>,
    enrp_multicast: Option<Multicast>,
    sctp_mode: SctpMode,
    udp_port: Port,
    tcp_port: Option<Port>,
    multicast: Multicast,
    timers: Timers,
    limits: Limits,
    policies: Policies,
    items_default: Option<usize>,
    compatibility: Compatibility,
    seed: Option<u64>,
}

impl RegistrarBuilder {
    node_options!();

    /// Its identifier; otherwise a random one, as the RFC asks for.
    pub fn id(mut self, id: RegistrarId) -> Self {
        self.id = Some(id);
        self
    }

    /// SCTP port; otherwise 3863.
    pub fn sctp_port(mut self, port: u16) -> Self {
        self.sctp_port = port;
        self
    }

    /// SCTP port of ENRP, by which registrars speak to each other; otherwise 9901.
    pub fn enrp_port(mut self, port: u16) -> Self {
        self.enrp_port = port;
        self
    }

    /// Another registrar of the same operational scope, see [`RegistrarAddress::parse_peer`]; to
    /// be repeated for each. All registrars of a scope share one set of pools. It need not name
    /// all of them: who knows one learns of the others.
    pub fn peer(mut self, address: RegistrarAddress) -> Self {
        self.peers.push(address);
        self
    }

    /// Where registrars find each other; otherwise at the same interfaces as their clients find
    /// them, and not at all with [`Multicast::off`].
    pub fn enrp_multicast(mut self, multicast: Multicast) -> Self {
        self.enrp_multicast = Some(multicast);
        self
    }

    /// TCP port for pool users; 0: any. Otherwise 3863, or any if that is taken.
    pub fn tcp_port(mut self, port: u16) -> Self {
        self.tcp_port = Some(port_or_any(port));
        self
    }

    /// No pool users by TCP.
    pub fn without_tcp(mut self) -> Self {
        self.tcp_port = None;
        self
    }

    /// What strangers may use up.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The pool policies it knows, the standard ones and one's own.
    pub fn policies(mut self, policies: Policies) -> Self {
        self.policies = policies;
        self
    }

    /// How many pool elements answer a resolution that does not say how many; otherwise as many
    /// as fit into a message.
    pub fn items_default(mut self, items: usize) -> Self {
        self.items_default = Some(items);
        self
    }

    /// Binds its ports and starts it.
    ///
    /// # Errors
    /// A port that cannot be had. Multicast or IPv6 that cannot is an event.
    pub async fn start(self) -> Result<Registrar, NetError> {
        let id = match self.id {
            Some(id) => id,
            // Zero, which is no identifier, is drawn once in 2^32 times.
            None => RegistrarId::new(random_u32()?.max(1)).expect("the number is not zero"),
        };
        let mut machine = Config::new(id);
        machine.timers = self.timers.asap;
        machine.limits = self.limits;
        machine.peers = self.peers;
        machine.policies = self.policies;
        machine.compatibility = self.compatibility;
        machine.items_default = self.items_default.unwrap_or(machine.items_default);
        let config = RegistrarConfig {
            machine,
            addresses: self.addresses,
            sctp_port: self.sctp_port,
            enrp_port: self.enrp_port,
            udp_port: self.udp_port,
            tcp_port: self.tcp_port,
            enrp_multicast: self.enrp_multicast.unwrap_or_else(|| self.multicast.enrp()),
            multicast: self.multicast,
            sctp_mode: self.sctp_mode,
            sctp_timers: self.timers.sctp,
            seed: self.seed,
        };
        Ok(Registrar {
            node: RegistrarNode::start(config).await?,
        })
    }
}
