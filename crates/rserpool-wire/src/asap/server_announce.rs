//! ASAP_SERVER_ANNOUNCE
//! ([RFC 5352 §2.2.10](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.10)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────────┬───────────────────────────────┐
//! │  Type = 0x0a  │       0       │         Message Length        │
//! ├───────────────┴───────────────┴───────────────────────────────┤
//! │                       Server Identifier                       │
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                  Transport #1 … #n (optional)                 ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                 Encapsulation Ports (optional)                ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```
//!
//! TCP transports are written before SCTP transports: rsplib reads them in no other order. So are
//! they listed, in whatever order they came.

use crate::RegistrarId;
use crate::error::Fault;
use crate::message::Header;
use crate::parameter::{EncapsulationPorts, ParameterType, SctpTransport, TcpTransport};
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use alloc::vec::Vec;
use core::fmt;

/// The most transports in an announce: a host has one or two, and an announce is one datagram.
pub const ANNOUNCED_TRANSPORTS_MAX: usize = 16;

/// A registrar says where it is (RFC 5352 §2.2.10).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerAnnounce {
    /// The registrar.
    pub registrar: RegistrarId,
    /// Where it speaks ASAP; none means SCTP at the sender's address and port 3863 (§3.6). The
    /// first [`ANNOUNCED_TRANSPORTS_MAX`] are sent and read, TCP before SCTP.
    pub transports: Vec<AnnouncedTransport>,
    /// The UDP port of the SCTP transports (`user`) where it is not 9899.
    pub encapsulation_ports: EncapsulationPorts,
}

/// The transports allowed in an announce (RFC 5352 §2.2.10).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum AnnouncedTransport {
    /// SCTP.
    Sctp(SctpTransport),
    /// TCP.
    Tcp(TcpTransport),
}

impl ServerAnnounce {
    /// The name in the RFC.
    pub const NAME: &str = "ASAP_SERVER_ANNOUNCE";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x0a;

    pub(crate) fn read<'a>(
        _header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let registrar = RegistrarId::read(reader)?;
        let mut transports = Vec::new();
        let mut encapsulation_ports = None;
        while let Some(parameter) = reader.parameter()? {
            let room = transports.len() < ANNOUNCED_TRANSPORTS_MAX;
            match parameter.kind {
                ParameterType::SCTP_TRANSPORT if room => transports.push(AnnouncedTransport::Sctp(
                    SctpTransport::read(&parameter, unrecognized)?,
                )),
                ParameterType::TCP_TRANSPORT if room => transports.push(AnnouncedTransport::Tcp(
                    TcpTransport::read(&parameter, unrecognized)?,
                )),
                ParameterType::ENCAPSULATION_PORTS if encapsulation_ports.is_none() => {
                    encapsulation_ports = EncapsulationPorts::read(&parameter)?;
                }
                _ => unrecognized.parameter(&parameter)?,
            }
        }
        transports.sort_by_key(|transport| matches!(transport, AnnouncedTransport::Sctp(_)));
        Ok(Self {
            registrar,
            transports,
            encapsulation_ports: encapsulation_ports.unwrap_or_default(),
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        let sent = || self.transports.iter().take(ANNOUNCED_TRANSPORTS_MAX);
        writer.message(Self::TYPE, 0, |w| {
            RegistrarId::write(Some(self.registrar), w);
            for transport in sent() {
                if let AnnouncedTransport::Tcp(transport) = transport {
                    transport.write(w);
                }
            }
            for transport in sent() {
                if let AnnouncedTransport::Sctp(transport) = transport {
                    transport.write(w);
                }
            }
            self.encapsulation_ports.write(w);
        });
    }
}

impl fmt::Display for ServerAnnounce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAME;
        write!(f, "{name} registrar {}", self.registrar)?;
        for transport in &self.transports {
            write!(f, " {transport}")?;
        }
        self.encapsulation_ports.fmt_after_transport(f)
    }
}

impl fmt::Display for AnnouncedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sctp(transport) => transport.fmt(f),
            Self::Tcp(transport) => transport.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asap;
    use crate::parameter::TransportUse;
    use crate::test_support::*;
    use alloc::string::ToString;
    use alloc::vec;
    use core::num::NonZeroU16;

    fn message(transports: Vec<AnnouncedTransport>, udp: u16) -> ServerAnnounce {
        ServerAnnounce {
            registrar: registrar(0x98d3_fe06),
            transports,
            encapsulation_ports: EncapsulationPorts {
                user: NonZeroU16::new(udp),
                asap: None,
            },
        }
    }

    fn sctp_transport() -> AnnouncedTransport {
        let addresses = &["10.1.0.1", "2001:db8::1"];
        AnnouncedTransport::Sctp(sctp(3863, TransportUse::DATA_ONLY, addresses))
    }

    fn tcp_transport() -> AnnouncedTransport {
        AnnouncedTransport::Tcp(TcpTransport {
            port: 3863,
            address: address("2001:db8::1"),
        })
    }

    const SCTP: &str = "00040024 0f170000 00010008 0a010001
        00020014 20010db8 00000000 00000000 00000001";
    const TCP: &str = "0005001c 0f170000 00020014 20010db8 00000000 00000000 00000001";

    /// rsplib's announces name no transport.
    #[test]
    fn without_transports() {
        asap_both_ways("0a000008 98d3fe06", message(vec![], 0));
    }

    #[test]
    fn with_transports_and_udp_port() {
        let announce = message(vec![tcp_transport(), sctp_transport()], 9900);
        assert_eq!(
            announce.to_string(),
            "ASAP_SERVER_ANNOUNCE registrar 0x98d3fe06 tcp [2001:db8::1]:3863 \
             sctp 3863 10.1.0.1,2001:db8::1 udp 9900"
        );
        let digits = ["0a000050 98d3fe06", TCP, SCTP, "98990008 26ac0000"].concat();
        asap_both_ways(&digits, announce);
    }

    /// Read in any order, listed and written with TCP first.
    #[test]
    fn tcp_comes_first() {
        let tcp_first = message(vec![tcp_transport(), sctp_transport()], 0);
        asap_reads(&["0a000048 98d3fe06", SCTP, TCP].concat(), tcp_first);
        let announce = message(vec![sctp_transport(), tcp_transport()], 0);
        let octets = hex(&["0a000048 98d3fe06", TCP, SCTP].concat());
        assert_eq!(asap::Message::from(announce).encode(), octets);
    }

    /// RFC 5352 §2.2.10: only SCTP and TCP are allowed.
    #[test]
    fn other_transports_are_skipped() {
        let digits = "0a000018 98d3fe06 00060010 0f170000 00010008 0a010001";
        asap_reads(digits, message(vec![], 0));
    }

    #[test]
    fn transports_are_bounded() {
        let announce = message(vec![sctp_transport(); 20], 0);
        let octets = asap::Message::from(announce).encode();
        let sixteen = message(vec![sctp_transport(); ANNOUNCED_TRANSPORTS_MAX], 0);
        assert_eq!(
            asap::Message::decode(&octets).unwrap().message,
            sixteen.into()
        );
    }

    /// Port zero means 9899, and a parameter of another length is not ours.
    #[test]
    fn encapsulation_ports_that_tell_nothing() {
        asap_reads("0a000010 98d3fe06 98990008 00000000", message(vec![], 0));
        asap_reads("0a00000e 98d3fe06 98990006 26ac0000", message(vec![], 0));
    }
}
