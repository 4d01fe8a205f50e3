//! IPv4 and IPv6 Address parameters ([RFC 5354 §3.1](https://www.rfc-editor.org/rfc/rfc5354#section-3.1),
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
