//! How a pool element is put on the network, and where it then is.

use crate::kernel_sctp::SctpMode;
use crate::multicast::Multicast;
use crate::registrar::encapsulation_port;
use crate::udp::Port;
use crate::user_transport::{AwaitUsers, DataTransport};
use rserpool_core::pool_element::{Config, UserProtocol, UserTransportTemplate};
use rserpool_core::{Compatibility, RegistrarAddress};
use rserpool_wire::parameter::{EncapsulationPorts, Policy, TransportUse};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::net::IpAddr;
use std::time::Duration;

/// How a pool element is put on the network.
#[derive(Clone, Debug)]
pub struct PoolElementConfig {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// Its identifier; `None`: a random one.
    pub id: Option<PoolElementId>,
    /// Its policy and values.
    pub policy: Policy,
    /// How long its registration holds unless renewed; `None`: for ever.
    pub registration_life: Option<Duration>,
    /// Registrars that are known without announces.
    pub registrars: Vec<RegistrarAddress>,
    /// Local addresses; none: all, and the one toward the registrar is registered.
    pub addresses: Vec<IpAddr>,
    /// Whose SCTP.
    pub sctp_mode: SctpMode,
    /// SCTP port; `None`: a random one.
    pub sctp_port: Option<u16>,
    /// UDP port that carries SCTP.
    pub udp_port: Port,
    /// By what it serves its pool users: SCTP at the socket that it registers from, or TCP or UDP.
    pub serve_by: DataTransport,
    /// The TCP or UDP port for that; not for SCTP.
    pub user_port: Port,
    /// A pool user over UDP that has said nothing for so long has gone; usually
    /// [`crate::UDP_IDLE_AFTER`].
    pub udp_idle_after: Duration,
    /// Whether SCTP is for data alone, without the control channel for cookies and business cards.
    pub data_only: bool,
    /// Where its pool users go, if they do not come here.
    pub serve_at: Option<ServeAt>,
    /// Where announces are heard.
    pub multicast: Multicast,
    /// The protocol's timers.
    pub timers: rserpool_core::Timers,
    /// The timers of its associations.
    pub sctp_timers: rserpool_sctp::Timers,
    /// What all of the operational scope agree on.
    pub compatibility: Compatibility,
    /// How long the first registration may take.
    pub register_timeout: Duration,
    /// What may wait for the application over all associations, in octets; usually
    /// [`crate::UNREAD_OCTETS_MAX`]. When more does, the association that most of it is of ends.
    pub unread_octets_max: usize,
    /// Decides everything random in the machine; `None`: the system's randomness.
    pub seed: Option<u64>,
}

/// Where pool users go: to a socket of the application, or to that of another registration of the
/// same process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServeAt {
    /// The transport protocol and its port.
    pub transport: UserTransportTemplate,
    /// UDP port that carries it, if it is SCTP; 0: none does.
    pub udp_port: u16,
}

/// Where pool users can reach a pool element.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoolElementEndpoints {
    /// The local addresses of its sockets; unspecified where they are all.
    pub addresses: Vec<IpAddr>,
    /// SCTP port.
    pub sctp_port: u16,
    /// UDP port that carries SCTP; 0: none does.
    pub udp_port: u16,
    /// By what pool users come here.
    pub serve_by: DataTransport,
    /// Whether there is no control channel beside the data channel.
    pub data_only: bool,
    /// The TCP or UDP port where they come; of SCTP see above.
    pub user_port: u16,
}

impl PoolElementConfig {
    /// Where pool users are awaited without SCTP.
    pub(super) fn await_users(&self) -> Option<AwaitUsers> {
        match self.serve_by {
            _ if self.serve_at.is_some() => None,
            DataTransport::Sctp => None,
            DataTransport::Tcp => Some(AwaitUsers::Tcp {
                port: self.user_port,
            }),
            DataTransport::Udp => Some(AwaitUsers::Udp {
                port: self.user_port,
                idle_after: self.udp_idle_after,
            }),
        }
    }

    /// What its machine needs of it, its own sockets being there.
    pub(super) fn of_machine(self, own: &PoolElementEndpoints) -> Config {
        let serve_at = self.serve_at.unwrap_or_else(|| own.into());
        Config {
            pool_handle: self.pool_handle,
            id: self.id,
            user_transport: serve_at.transport,
            addresses: (!self.addresses.is_empty()).then_some(self.addresses),
            encapsulation_ports: EncapsulationPorts {
                user: encapsulation_port(serve_at.udp_port),
                asap: None,
            },
            policy: self.policy,
            registration_life: self.registration_life,
            registrars: self.registrars,
            timers: self.timers,
            compatibility: self.compatibility,
        }
    }
}

/// By SCTP with data and control channel as a rule, by others with a data channel alone.
impl From<&PoolElementEndpoints> for ServeAt {
    fn from(endpoints: &PoolElementEndpoints) -> Self {
        let (protocol, port, transport_use, udp_port) = match endpoints.serve_by {
            DataTransport::Sctp => (
                UserProtocol::Sctp,
                endpoints.sctp_port,
                if endpoints.data_only {
                    TransportUse::DATA_ONLY
                } else {
                    TransportUse::DATA_PLUS_CONTROL
                },
                endpoints.udp_port,
            ),
            DataTransport::Tcp => (
                UserProtocol::Tcp,
                endpoints.user_port,
                TransportUse::DATA_ONLY,
                0,
            ),
            DataTransport::Udp => (
                UserProtocol::Udp,
                endpoints.user_port,
                TransportUse::DATA_ONLY,
                0,
            ),
        };
        Self {
            transport: UserTransportTemplate {
                protocol,
                port,
                transport_use,
            },
            udp_port,
        }
    }
}
