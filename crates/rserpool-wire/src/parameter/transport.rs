//! The transport parameters (RFC 5354 §3.3-§3.7, §3.16).

use alloc::vec::Vec;
use core::net::IpAddr;

/// What a pool element's user transport carries (RFC 5354 §3.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TransportUse(pub u16);

impl TransportUse {
    /// Only the users' data.
    pub const DATA_ONLY: Self = Self(0x0000);
    /// Data, and ASAP as a control channel beside it.
    pub const DATA_PLUS_CONTROL: Self = Self(0x0001);
}

/// SCTP transport (RFC 5354 §3.4).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SctpTransport {
    /// SCTP port.
    pub port: u16,
    /// Data only, or data plus control.
    pub transport_use: TransportUse,
    /// At least one, IPv4 and IPv6 mixed.
    pub addresses: Vec<IpAddr>,
}

/// TCP transport (RFC 5354 §3.5).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TcpTransport {
    /// TCP port.
    pub port: u16,
    /// Its one address.
    pub address: IpAddr,
}

/// UDP or UDP-Lite transport (RFC 5354 §3.6, §3.7).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DatagramTransport {
    /// UDP or UDP-Lite port.
    pub port: u16,
    /// Its one address.
    pub address: IpAddr,
}

/// DCCP transport (RFC 5354 §3.3).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DccpTransport {
    /// DCCP port.
    pub port: u16,
    /// DCCP service code.
    pub service_code: u32,
    /// Its one address.
    pub address: IpAddr,
}

/// Where a pool element serves its users (RFC 5354 §3.10).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum UserTransport {
    /// DCCP (§3.3).
    Dccp(DccpTransport),
    /// SCTP (§3.4).
    Sctp(SctpTransport),
    /// TCP (§3.5).
    Tcp(TcpTransport),
    /// UDP (§3.6).
    Udp(DatagramTransport),
    /// UDP-Lite (§3.7).
    UdpLite(DatagramTransport),
    /// Opaque octets (§3.16).
    Opaque(Vec<u8>),
}
