//! Sending to a transport address (RFC 5352 §6.5.4): past all pools and registrars.

use rserpool_wire::parameter::{
    DatagramTransport, EncapsulationPorts, Policy, PoolElement, SctpTransport, TcpTransport,
    TransportUse, UserTransport,
};
use rserpool_wire::{PoolElementId, RegistrationLife};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

/// Where somebody is reached, whether or not in a pool; see
/// [`PoolUser::connect_to`](crate::PoolUser::connect_to).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransportAddress {
    transport: UserTransport,
    udp_port: Option<NonZeroU16>,
}

impl TransportAddress {
    /// By SCTP, at any of these addresses. Over UDP at port 9899, if not
    /// [otherwise](TransportAddress::udp_port).
    pub fn sctp(addresses: impl Into<Vec<IpAddr>>, port: u16) -> Self {
        let transport = UserTransport::Sctp(SctpTransport {
            port,
            transport_use: TransportUse::DATA_PLUS_CONTROL,
            addresses: addresses.into(),
        });
        transport.into()
    }

    /// The UDP port that carries SCTP there (RFC 6951).
    #[must_use]
    pub fn udp_port(mut self, port: u16) -> Self {
        self.udp_port = NonZeroU16::new(port);
        self
    }

    /// By TCP.
    pub fn tcp(at: SocketAddr) -> Self {
        let (port, address) = (at.port(), at.ip());
        UserTransport::Tcp(TcpTransport { port, address }).into()
    }

    /// By UDP.
    pub fn udp(at: SocketAddr) -> Self {
        let (port, address) = (at.port(), at.ip());
        UserTransport::Udp(DatagramTransport { port, address }).into()
    }

    /// As who is there would be in a pool.
    pub(crate) fn into_pool_element(self) -> PoolElement {
        PoolElement {
            id: PoolElementId(0),
            home_registrar: None,
            registration_life: RegistrationLife::Seconds(0),
            user_transport: self.transport,
            policy: Policy::RoundRobin,
            asap_transport: None,
            encapsulation_ports: EncapsulationPorts {
                user: self.udp_port,
                asap: None,
            },
        }
    }
}

/// As a registrar names it.
impl From<UserTransport> for TransportAddress {
    fn from(transport: UserTransport) -> Self {
        Self {
            transport,
            udp_port: None,
        }
    }
}
