//! How a pool element registers.

use crate::{Compatibility, RegistrarAddress, Timers};
use rserpool_wire::parameter::{EncapsulationPorts, Policy, TransportUse};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::net::IpAddr;
use std::time::Duration;

/// How a pool element registers. One machine keeps one registration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The pool to join or to create.
    pub pool_handle: PoolHandle,
    /// Its identifier; `None`: a random one (RFC 5352 §3.1, R2.2).
    pub id: Option<PoolElementId>,
    /// Where it serves pool users.
    pub user_transport: UserTransportTemplate,
    /// Its addresses; `None`: those its association with the registrar has at this end.
    pub addresses: Option<Vec<IpAddr>>,
    /// UDP ports of SCTP encapsulation where they are not 9899; the registrar fills in `asap`.
    pub encapsulation_ports: EncapsulationPorts,
    /// Its policy and values.
    pub policy: Policy,
    /// How long its registration holds unless renewed; `None`: for ever.
    pub registration_life: Option<Duration>,
    /// Registrars that are known without announces.
    pub registrars: Vec<RegistrarAddress>,
    /// Its timers.
    pub timers: Timers,
    /// What all of the scope agree on.
    pub compatibility: Compatibility,
}

/// A user transport (RFC 5354 §3.3-§3.7, §3.16) without its addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserTransportTemplate {
    /// The transport protocol.
    pub protocol: UserProtocol,
    /// Its port.
    pub port: u16,
    /// Data only, or data and a control channel; for SCTP only.
    pub transport_use: TransportUse,
}

/// The transport protocol between pool users and a pool element.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UserProtocol {
    /// SCTP, with all addresses.
    Sctp,
    /// TCP, with the first address.
    Tcp,
    /// UDP, with the first address.
    Udp,
    /// UDP-Lite, with the first address.
    UdpLite,
    /// DCCP, with the first address.
    Dccp {
        /// Its service code.
        service_code: u32,
    },
    /// Octets that its pool users understand; port and addresses are not used.
    Opaque(Vec<u8>),
}
