//! The transports a pool element can serve its users by, among them Opaque Transport
//! ([RFC 5354 §3.16](https://www.rfc-editor.org/rfc/rfc5354#section-3.16)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │         Type = 0x0010         │             Length            │
//! ├───────────────────────────────┴───────────────────────────────┤
//! ┊                     Opaque Transport Data                     ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::{DatagramTransport, DccpTransport, ParameterType, SctpTransport, TcpTransport};
use crate::error::Fault;
use crate::hex::Hex;
use crate::reader::Parameter;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use alloc::vec::Vec;
use core::fmt;

/// The most octets of an opaque transport: room for any name or address, and for many pool
/// elements in one message.
pub const OPAQUE_TRANSPORT_OCTETS_MAX: usize = 1024;

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
    /// Opaque octets (§3.16); the first [`OPAQUE_TRANSPORT_OCTETS_MAX`] are sent.
    Opaque(Vec<u8>),
}

impl UserTransport {
    /// Reads a transport parameter; `None`: it is another kind of parameter.
    pub(crate) fn read<'a>(
        parameter: &Parameter<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Option<Self>, Fault<'a>> {
        Ok(Some(match parameter.kind {
            ParameterType::DCCP_TRANSPORT => {
                Self::Dccp(DccpTransport::read(parameter, unrecognized)?)
            }
            ParameterType::SCTP_TRANSPORT => {
                Self::Sctp(SctpTransport::read(parameter, unrecognized)?)
            }
            ParameterType::TCP_TRANSPORT => Self::Tcp(TcpTransport::read(parameter, unrecognized)?),
            ParameterType::UDP_TRANSPORT => {
                Self::Udp(DatagramTransport::read(parameter, unrecognized)?)
            }
            ParameterType::UDP_LITE_TRANSPORT => {
                Self::UdpLite(DatagramTransport::read(parameter, unrecognized)?)
            }
            ParameterType::OPAQUE_TRANSPORT => Self::Opaque(
                parameter
                    .value()
                    .rest_within(OPAQUE_TRANSPORT_OCTETS_MAX, parameter.kind)?
                    .to_vec(),
            ),
            _ => return Ok(None),
        }))
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        match self {
            Self::Dccp(transport) => transport.write(writer),
            Self::Sctp(transport) => transport.write(writer),
            Self::Tcp(transport) => transport.write(writer),
            Self::Udp(transport) => transport.write(ParameterType::UDP_TRANSPORT, writer),
            Self::UdpLite(transport) => {
                transport.write(ParameterType::UDP_LITE_TRANSPORT, writer);
            }
            Self::Opaque(octets) => {
                let octets = &octets[..octets.len().min(OPAQUE_TRANSPORT_OCTETS_MAX)];
                writer.parameter(ParameterType::OPAQUE_TRANSPORT, |w| w.octets(octets));
            }
        }
    }
}

impl fmt::Display for UserTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dccp(transport) => transport.fmt(f),
            Self::Sctp(transport) => transport.fmt(f),
            Self::Tcp(transport) => transport.fmt(f),
            Self::Udp(transport) => write!(f, "udp {transport}"),
            Self::UdpLite(transport) => write!(f, "udp-lite {transport}"),
            Self::Opaque(octets) => write!(f, "opaque {}", Hex::line(octets)),
        }
    }
}
