//! IPv4 and IPv6 Address parameters
//! ([RFC 5354 §3.1](https://www.rfc-editor.org/rfc/rfc5354#section-3.1),
//! [§3.2](https://www.rfc-editor.org/rfc/rfc5354#section-3.2)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │         Type = 0x0001         │           Length = 8          │
//! ├───────────────────────────────┴───────────────────────────────┤
//! │                          IPv4 Address                         │
//! └───────────────────────────────────────────────────────────────┘
//! ```
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │         Type = 0x0002         │          Length = 20          │
//! ├───────────────────────────────┴───────────────────────────────┤
//! │                                                               │
//! ├───────────────────────────────────────────────────────────────┤
//! │                          IPv6 Address                         │
//! ├───────────────────────────────────────────────────────────────┤
//! │                                                               │
//! ├───────────────────────────────────────────────────────────────┤
//! │                                                               │
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::ParameterType;
use crate::error::{DecodeErrorKind, Fault};
use crate::reader::{Parameter, Reader};
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

/// The most addresses of one transport: far more than any host has, and a Pool Element parameter
/// with two such transports still fits a message many times.
pub const ADDRESSES_MAX: usize = 128;

/// The one address of a TCP, UDP, UDP-Lite or DCCP transport.
pub(super) fn read_one<'a>(
    reader: &mut Reader<'a>,
    unrecognized: &mut Unrecognized,
) -> Result<IpAddr, Fault<'a>> {
    let mut first = None;
    while let Some(parameter) = reader.parameter()? {
        match parameter.kind {
            ParameterType::IPV4_ADDRESS | ParameterType::IPV6_ADDRESS if first.is_none() => {
                first = Some(read(&parameter)?);
            }
            _ => unrecognized.parameter(&parameter)?,
        }
    }
    reader.required(first, ParameterType::IPV4_ADDRESS)
}

/// The addresses of an SCTP transport, at least one.
pub(super) fn read_all<'a>(
    reader: &mut Reader<'a>,
    unrecognized: &mut Unrecognized,
) -> Result<Vec<IpAddr>, Fault<'a>> {
    let mut addresses = Vec::new();
    while let Some(parameter) = reader.parameter()? {
        match parameter.kind {
            ParameterType::IPV4_ADDRESS | ParameterType::IPV6_ADDRESS => {
                if addresses.len() == ADDRESSES_MAX {
                    return Err(reader.fault(DecodeErrorKind::LimitExceeded(parameter.kind)));
                }
                addresses.push(read(&parameter)?);
            }
            _ => unrecognized.parameter(&parameter)?,
        }
    }
    let at_least_one = (!addresses.is_empty()).then_some(addresses);
    reader.required(at_least_one, ParameterType::IPV4_ADDRESS)
}

fn read<'a>(parameter: &Parameter<'a>) -> Result<IpAddr, Fault<'a>> {
    let mut value = parameter.value();
    let address = if parameter.kind == ParameterType::IPV4_ADDRESS {
        value.array::<4>()?.into()
    } else {
        value.array::<16>()?.into()
    };
    value.end()?;
    Ok(address)
}

/// The addresses of an SCTP transport. The format demands at least one, so that none at all is
/// written as the unspecified address.
pub(super) fn write_all<S: Sink>(addresses: &[IpAddr], writer: &mut Writer<'_, S>) {
    for address in addresses.iter().take(ADDRESSES_MAX) {
        write(address, writer);
    }
    if addresses.is_empty() {
        write(&Ipv4Addr::UNSPECIFIED.into(), writer);
    }
}

pub(super) fn write<S: Sink>(address: &IpAddr, writer: &mut Writer<'_, S>) {
    match address {
        IpAddr::V4(address) => {
            writer.parameter(ParameterType::IPV4_ADDRESS, |w| w.octets(&address.octets()));
        }
        IpAddr::V6(address) => {
            writer.parameter(ParameterType::IPV6_ADDRESS, |w| w.octets(&address.octets()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::{SctpTransport, TcpTransport, TransportUse};
    use crate::test_support::*;

    fn sctp_addresses(digits: &str) -> Result<Vec<IpAddr>, DecodeErrorKind> {
        read_parameter(digits, |parameter, unrecognized| {
            SctpTransport::read(parameter, unrecognized)
                .map(|transport| transport.addresses)
                .map_err(|fault| fault.error.kind)
        })
    }

    #[test]
    fn both_kinds() {
        let mixed = sctp_addresses(
            "00040024 0f170001 00020014 20010db8 00000000 00000000 00000001 00010008 0a010001",
        );
        assert_eq!(
            mixed,
            Ok([address("2001:db8::1"), address("10.1.0.1")].into())
        );
    }

    #[test]
    fn lengths_are_fixed() {
        let too_short = sctp_addresses("0004000f 0f170001 00010007 0a010000");
        assert_eq!(too_short, Err(DecodeErrorKind::Incomplete));
        let too_long = sctp_addresses("00040014 0f170001 0001000c 0a010001 0a010002");
        assert_eq!(too_long, Err(DecodeErrorKind::ValueTooLong));
        let not_ipv6 = sctp_addresses("00040010 0f170001 00020008 0a010001");
        assert_eq!(not_ipv6, Err(DecodeErrorKind::Incomplete));
    }

    #[test]
    fn at_least_one() {
        let missing = DecodeErrorKind::MissingParameter(ParameterType::IPV4_ADDRESS);
        assert_eq!(sctp_addresses("00040008 0f170001"), Err(missing));
        // None at all is written as the unspecified address.
        let transport = sctp(1, TransportUse::DATA_ONLY, &[]);
        let octets = written(|w| transport.write(w));
        assert_eq!(octets, hex("00040010 00010000 00010008 00000000"));
    }

    #[test]
    fn not_too_many() {
        let transport = |count| SctpTransport {
            addresses: alloc::vec![address("2001:db8::1"); count],
            ..sctp(1, TransportUse::DATA_ONLY, &[])
        };
        let octets = written(|w| transport(ADDRESSES_MAX + 1).write(w));
        assert_eq!(octets, written(|w| transport(ADDRESSES_MAX).write(w)));
        let one = "00010008 0a010001";
        let length = 8 + 8 * (ADDRESSES_MAX + 1);
        let digits = alloc::format!(
            "0004{length:04x} 0f170001 {}",
            one.repeat(ADDRESSES_MAX + 1)
        );
        let exceeded = DecodeErrorKind::LimitExceeded(ParameterType::IPV4_ADDRESS);
        assert_eq!(sctp_addresses(&digits), Err(exceeded));
    }

    /// rsplib reads a TCP transport with two addresses too.
    #[test]
    fn of_two_addresses_the_first_counts() {
        let transport = read_parameter(
            "00050018 00500000 00010008 0a010001 00010008 0a010002",
            |parameter, unrecognized| {
                TcpTransport::read(parameter, unrecognized).map_err(|fault| fault.error.kind)
            },
        );
        let first = TcpTransport {
            port: 80,
            address: address("10.1.0.1"),
        };
        assert_eq!(transport, Ok(first));
    }
}
