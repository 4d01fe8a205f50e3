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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::TransportUse;
    use crate::{DecodeErrorKind, test_support::*};
    use alloc::string::ToString;
    use alloc::vec;

    fn both_ways(digits: &str, transport: &UserTransport, shown: &str) {
        assert_eq!(written(|w| transport.write(w)), hex(digits));
        assert_eq!(read(digits).as_ref(), Ok(transport));
        assert_eq!(transport.to_string(), shown);
    }

    fn read(digits: &str) -> Result<UserTransport, DecodeErrorKind> {
        read_parameter(digits, |parameter, unrecognized| {
            UserTransport::read(parameter, unrecognized)
                .map(|transport| transport.expect("a transport"))
                .map_err(|fault| fault.error.kind)
        })
    }

    #[test]
    fn all_six() {
        let datagram = DatagramTransport {
            port: 7,
            address: address("10.1.0.1"),
        };
        both_ways(
            "00030014 00070000 52534552 00010008 0a010001",
            &UserTransport::Dccp(DccpTransport {
                port: 7,
                service_code: 0x5253_4552,
                address: address("10.1.0.1"),
            }),
            "dccp 10.1.0.1:7 service 0x52534552",
        );
        both_ways(
            "00040010 00070002 00010008 0a010001",
            &UserTransport::Sctp(sctp(7, TransportUse(2), &["10.1.0.1"])),
            "sctp 7 10.1.0.1 use 0x0002",
        );
        both_ways(
            "0005001c 00070000 00020014 20010db8 00000000 00000000 00000001",
            &UserTransport::Tcp(TcpTransport {
                port: 7,
                address: address("2001:db8::1"),
            }),
            "tcp [2001:db8::1]:7",
        );
        both_ways(
            "00060010 00070000 00010008 0a010001",
            &UserTransport::Udp(datagram.clone()),
            "udp 10.1.0.1:7",
        );
        both_ways(
            "00070010 00070000 00010008 0a010001",
            &UserTransport::UdpLite(datagram),
            "udp-lite 10.1.0.1:7",
        );
        both_ways(
            "00100007 aabbcc00",
            &UserTransport::Opaque(vec![0xaa, 0xbb, 0xcc]),
            "opaque aabbcc",
        );
    }

    #[test]
    fn reserved_bits_are_ignored() {
        let udp = "00060010 0007ffff 00010008 0a010001";
        assert_eq!(read(udp), read(&udp.replace("ffff", "0000")));
        let dccp = "00030014 0007ffff 00000000 00010008 0a010001";
        assert_eq!(read(dccp), read(&dccp.replace("ffff", "0000")));
    }

    #[test]
    fn opaque_octets_are_bounded() {
        let opaque = |octets| UserTransport::Opaque(vec![1; octets]);
        let longest = written(|w| opaque(OPAQUE_TRANSPORT_OCTETS_MAX).write(w));
        assert_eq!(written(|w| opaque(2000).write(w)), longest);
        let digits = alloc::format!("00100405 {} 000000", "01".repeat(1025));
        let exceeded = DecodeErrorKind::LimitExceeded(ParameterType::OPAQUE_TRANSPORT);
        assert_eq!(read(&digits), Err(exceeded));
    }
}
