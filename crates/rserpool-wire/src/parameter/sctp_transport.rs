//! SCTP Transport parameter ([RFC 5354 §3.4](https://www.rfc-editor.org/rfc/rfc5354#section-3.4)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │         Type = 0x0004         │             Length            │
//! ├───────────────────────────────┼───────────────────────────────┤
//! │           SCTP Port           │         Transport Use         │
//! ├───────────────────────────────┴───────────────────────────────┤
//! ┊                  IPv4 or IPv6 Address #1 … #n                 ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::{ADDRESSES_MAX, ParameterType, address};
use crate::error::Fault;
use crate::reader::Parameter;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

/// SCTP transport (RFC 5354 §3.4).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SctpTransport {
    /// SCTP port.
    pub port: u16,
    /// Data only, or data plus control.
    pub transport_use: TransportUse,
    /// At least one, IPv4 and IPv6 mixed; the first [`ADDRESSES_MAX`] are sent.
    pub addresses: Vec<IpAddr>,
}

/// What a pool element's user transport carries (RFC 5354 §3.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TransportUse(pub u16);

impl TransportUse {
    /// Only the users' data.
    pub const DATA_ONLY: Self = Self(0x0000);
    /// Data, and ASAP as a control channel beside it.
    pub const DATA_PLUS_CONTROL: Self = Self(0x0001);
}

impl SctpTransport {
    /// The longest parameter that is written: all addresses are IPv6.
    pub(crate) const OCTETS_MAX: usize = 8 + 20 * ADDRESSES_MAX;

    pub(crate) fn read<'a>(
        parameter: &Parameter<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let mut value = parameter.value();
        Ok(Self {
            port: value.u16()?,
            transport_use: TransportUse(value.u16()?),
            addresses: address::read_all(&mut value, unrecognized)?,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.parameter(ParameterType::SCTP_TRANSPORT, |w| {
            w.u16(self.port);
            w.u16(self.transport_use.0);
            address::write_all(&self.addresses, w);
        });
    }
}

impl fmt::Display for SctpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sctp {} ", self.port)?;
        for (index, address) in self.addresses.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{address}")?;
        }
        match self.transport_use {
            TransportUse::DATA_ONLY => Ok(()),
            other => write!(f, " {other}"),
        }
    }
}

impl fmt::Display for TransportUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::DATA_ONLY => f.write_str("data"),
            Self::DATA_PLUS_CONTROL => f.write_str("data+control"),
            Self(other) => write!(f, "use {other:#06x}"),
        }
    }
}
