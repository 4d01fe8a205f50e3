//! How a registrar is reached, and who is at the other end of an association.
//!
//! Must not know sockets, only their addresses.

use rserpool_wire::asap::AnnouncedTransport;
use rserpool_wire::parameter::{EncapsulationPorts, ServerInformation};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU64};
use std::str::FromStr;

/// The port registered for ASAP, over SCTP and over TCP (RFC 5352 §8.2).
pub const ASAP_PORT: u16 = 3863;

/// The SCTP port registered for ENRP (RFC 5353 §5.3).
pub const ENRP_PORT: u16 = 9901;

/// The UDP port registered for SCTP encapsulation (RFC 6951).
pub const SCTP_UDP_PORT: u16 = 9899;

/// An association of any transport, as the driver numbers them; a number is never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AssociationId(pub u64);

/// An association's number in 8 octets, also if optional: there is one for each pool element.
/// Drivers number associations from 0, so the very last number does not come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CompactAssociationId(NonZeroU64);

impl From<AssociationId> for CompactAssociationId {
    fn from(id: AssociationId) -> Self {
        Self(NonZeroU64::MIN.saturating_add(id.0))
    }
}

impl From<CompactAssociationId> for AssociationId {
    fn from(compact: CompactAssociationId) -> Self {
        Self(compact.0.get() - 1)
    }
}

impl fmt::Display for AssociationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "association {}", self.0)
    }
}

/// What ASAP runs over between a registrar and its clients (RFC 5352 §2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transport {
    /// SCTP: pool elements and pool users.
    Sctp,
    /// TCP: pool users only.
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sctp => "sctp",
            Self::Tcp => "tcp",
        })
    }
}

/// How a registrar is reached.
///
/// As text: `10.0.0.1`, `10.0.0.1:3863`, `10.0.0.1:3863/udp=9900`, `[::1]:3863`,
/// `10.0.0.1,10.1.0.1:3863`, `tcp:10.0.0.1:3863`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RegistrarAddress {
    /// SCTP or TCP.
    pub transport: Transport,
    /// At least one; all belong to the one registrar.
    pub addresses: Vec<IpAddr>,
    /// SCTP or TCP port.
    pub port: u16,
    /// The UDP port at which SCTP is encapsulated; `None`: 9899.
    pub udp_port: Option<u16>,
}

impl RegistrarAddress {
    /// The registrar at this address and the registered port.
    pub fn new(transport: Transport, address: IpAddr) -> Self {
        Self {
            transport,
            addresses: vec![address],
            port: ASAP_PORT,
            udp_port: None,
        }
    }

    /// The registrar that an announce names by one of its transports (RFC 5352 §2.2.10).
    pub fn announced(transport: &AnnouncedTransport, ports: EncapsulationPorts) -> Self {
        match transport {
            AnnouncedTransport::Sctp(sctp) => Self {
                transport: Transport::Sctp,
                addresses: sctp.addresses.clone(),
                port: sctp.port,
                udp_port: ports.user.map(NonZeroU16::get),
            },
            AnnouncedTransport::Tcp(tcp) => Self {
                transport: Transport::Tcp,
                addresses: vec![tcp.address],
                port: tcp.port,
                udp_port: None,
            },
        }
    }

    /// Whether it is what [`announced`](Self::announced) would give.
    pub(crate) fn is_announced(
        &self,
        transport: &AnnouncedTransport,
        ports: EncapsulationPorts,
    ) -> bool {
        match transport {
            AnnouncedTransport::Sctp(sctp) => {
                self.transport == Transport::Sctp
                    && self.port == sctp.port
                    && self.udp_port == ports.user.map(NonZeroU16::get)
                    && self.addresses == sctp.addresses
            }
            AnnouncedTransport::Tcp(tcp) => {
                self.transport == Transport::Tcp
                    && self.port == tcp.port
                    && self.udp_port.is_none()
                    && self.addresses == [tcp.address]
            }
        }
    }

    /// The registrar that a peer or a list names (RFC 5354 §3.11).
    pub fn of_peer(information: &ServerInformation) -> Self {
        Self {
            transport: Transport::Sctp,
            addresses: information.transport.addresses.clone(),
            port: information.transport.port,
            udp_port: information.encapsulation_ports.user.map(NonZeroU16::get),
        }
    }

    /// Reads the address of a peer: as [`FromStr`], but the port left out is [`ENRP_PORT`], and
    /// TCP is refused.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse_peer(text: &str) -> Result<Self, InvalidRegistrarAddress> {
        match Self::parse(text, ENRP_PORT)? {
            Self {
                transport: Transport::Tcp,
                ..
            } => Err(InvalidRegistrarAddress::PeerOverTcp),
            peer => Ok(peer),
        }
    }

    /// Whether anybody can be there: a port, and addresses of single hosts.
    pub fn is_usable(&self) -> bool {
        self.port != 0 && !self.addresses.is_empty() && self.addresses.iter().all(is_host)
    }
}

impl fmt::Display for RegistrarAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.transport == Transport::Tcp {
            f.write_str("tcp:")?;
        }
        write_addresses(f, &self.addresses, self.port, self.udp_port)
    }
}

impl FromStr for RegistrarAddress {
    type Err = InvalidRegistrarAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, ASAP_PORT)
    }
}

impl RegistrarAddress {
    fn parse(text: &str, default_port: u16) -> Result<Self, InvalidRegistrarAddress> {
        let (transport, rest) = match text.split_once(':') {
            Some(("tcp", rest)) => (Transport::Tcp, rest),
            Some(("sctp", rest)) => (Transport::Sctp, rest),
            _ => (Transport::Sctp, text),
        };
        let (rest, udp_port) = match rest.split_once("/udp=") {
            Some((rest, port)) => (rest, Some(parse_port(port)?)),
            None => (rest, None),
        };
        if transport == Transport::Tcp && udp_port.is_some() {
            return Err(InvalidRegistrarAddress::UdpPortWithTcp);
        }
        let (addresses, port) = parse_addresses(rest, default_port)?;
        let address = Self {
            transport,
            addresses,
            port,
            udp_port: udp_port.filter(|port| *port != SCTP_UDP_PORT),
        };
        if address.is_usable() {
            Ok(address)
        } else {
            Err(InvalidRegistrarAddress::NoHost)
        }
    }
}

/// Why a text names no registrar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InvalidRegistrarAddress {
    /// Not an IP address, perhaps with a port.
    Address,
    /// Not a port from 1 to 65535.
    Port,
    /// A wildcard or multicast address.
    NoHost,
    /// TCP is not encapsulated in UDP.
    UdpPortWithTcp,
    /// Registrars speak to each other over SCTP only.
    PeerOverTcp,
}

impl fmt::Display for InvalidRegistrarAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => {
                "expected an IP address as in 10.0.0.1:3863, [::1]:3863 or tcp:10.0.0.1"
            }
            Self::Port => "expected a port from 1 to 65535",
            Self::NoHost => "expected the address of a host, not a wildcard or multicast address",
            Self::UdpPortWithTcp => "/udp= is for SCTP only: drop it or drop tcp:",
            Self::PeerOverTcp => "registrars speak to each other over SCTP only: drop tcp:",
        })
    }
}

impl std::error::Error for InvalidRegistrarAddress {}

/// The other end of an association, as the transport sees it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerAddress {
    /// SCTP or TCP.
    pub transport: Transport,
    /// All addresses that the peer has in this association.
    pub addresses: Vec<IpAddr>,
    /// SCTP or TCP port.
    pub port: u16,
    /// The UDP port from which SCTP is encapsulated; `None`: 9899, or not encapsulated.
    pub udp_port: Option<u16>,
}

impl PeerAddress {
    /// Whether the peer has this address.
    pub fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.addresses
            .iter()
            .any(|own| own.to_canonical() == address)
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.transport)?;
        write_addresses(f, &self.addresses, self.port, self.udp_port)
    }
}

fn is_host(address: &IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !broadcast
}

fn write_addresses(
    f: &mut fmt::Formatter<'_>,
    addresses: &[IpAddr],
    port: u16,
    udp_port: Option<u16>,
) -> fmt::Result {
    for (index, address) in addresses.iter().enumerate() {
        if index > 0 {
            f.write_str(",")?;
        }
        match address {
            IpAddr::V4(v4) => write!(f, "{v4}")?,
            IpAddr::V6(v6) => write!(f, "[{v6}]")?,
        }
    }
    write!(f, ":{port}")?;
    match udp_port {
        Some(udp_port) => write!(f, "/udp={udp_port}"),
        None => Ok(()),
    }
}

/// One or more addresses separated by commas, the last one perhaps with a port.
fn parse_addresses(
    text: &str,
    default_port: u16,
) -> Result<(Vec<IpAddr>, u16), InvalidRegistrarAddress> {
    let (others, last) = match text.rsplit_once(',') {
        Some((others, last)) => (Some(others), last),
        None => (None, text),
    };
    let mut addresses = Vec::new();
    for other in others.into_iter().flat_map(|others| others.split(',')) {
        addresses.push(parse_address(other)?);
    }
    if let Ok(address) = parse_address(last) {
        addresses.push(address);
        return Ok((addresses, default_port));
    }
    if let Ok(socket) = last.parse::<SocketAddr>() {
        addresses.push(socket.ip());
        return match socket.port() {
            0 => Err(InvalidRegistrarAddress::Port),
            port => Ok((addresses, port)),
        };
    }
    let (address, port) = last
        .rsplit_once(':')
        .ok_or(InvalidRegistrarAddress::Address)?;
    parse_address(address)?;
    parse_port(port)?;
    Err(InvalidRegistrarAddress::Address)
}

fn parse_address(text: &str) -> Result<IpAddr, InvalidRegistrarAddress> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    bare.parse().map_err(|_| InvalidRegistrarAddress::Address)
}

fn parse_port(text: &str) -> Result<u16, InvalidRegistrarAddress> {
    match text.parse() {
        Ok(0) | Err(_) => Err(InvalidRegistrarAddress::Port),
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> RegistrarAddress {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_shown_can_be_read() {
        for text in [
            "10.0.0.1:3863",
            "10.0.0.1:3863/udp=9900",
            "[::1]:3863",
            "10.0.0.1,[2001:db8::1]:4000",
            "tcp:10.0.0.1:3863",
        ] {
            assert_eq!(parse(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_left_out_is_the_registered_port() {
        assert_eq!(parse("10.0.0.1"), parse("sctp:10.0.0.1:3863/udp=9899"));
        assert_eq!(parse("::1"), parse("[::1]:3863"));
        assert_eq!(parse("tcp:::1"), parse("tcp:[::1]:3863"));
    }

    #[test]
    fn what_names_no_registrar_says_why() {
        use InvalidRegistrarAddress::{Address, NoHost, Port, UdpPortWithTcp};
        for (text, error) in [
            ("", Address),
            ("registrar.example", Address),
            ("10.0.0.1:", Port),
            ("10.0.0.1:0", Port),
            ("10.0.0.1:99999", Port),
            ("10.0.0.1/udp=x", Port),
            ("0.0.0.0", NoHost),
            ("224.0.1.185:3863", NoHost),
            ("tcp:10.0.0.1/udp=9900", UdpPortWithTcp),
        ] {
            assert_eq!(text.parse::<RegistrarAddress>(), Err(error), "{text}");
        }
    }
}
