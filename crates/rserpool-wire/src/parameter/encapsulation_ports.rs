//! UDP encapsulation ports, a private-use parameter of type 0x9899.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │         Type = 0x9899         │           Length = 8          │
//! ├───────────────────────────────┼───────────────────────────────┤
//! │      User Transport Port      │      ASAP Transport Port      │
//! └───────────────────────────────┴───────────────────────────────┘
//! ```
//!
//! It comes last: in a Pool Element, in a Server Information, in ASAP_SERVER_ANNOUNCE. With any
//! other length it is somebody else's private parameter, and skipped as its action bits demand.

use super::ParameterType;
use crate::error::Fault;
use crate::reader::Parameter;
use crate::writer::{Sink, Writer};
use core::fmt;
use core::num::NonZeroU16;

/// The UDP ports at which SCTP transports are reached by encapsulation (RFC 6951), where they are
/// not the well-known 9899. An SCTP transport parameter has no room for them. The type's highest
/// bits are 10, so that a receiver that does not know it skips it silently (RFC 5354 §3).
/// Zero on the wire is `None`: use 9899. Not sent when both are `None`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EncapsulationPorts {
    /// For the user transport of a pool element, or for the registrar's own transport.
    pub user: Option<NonZeroU16>,
    /// For the ASAP transport of a pool element; `None` elsewhere.
    pub asap: Option<NonZeroU16>,
}

impl EncapsulationPorts {
    const VALUE_OCTETS: usize = 4;

    /// Whether there is nothing to tell: 9899 holds.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What is told after a transport, if there is anything to tell.
    pub(crate) fn fmt_after_transport(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_default() {
            Ok(())
        } else {
            write!(f, " {self}")
        }
    }

    pub(crate) fn read<'a>(parameter: &Parameter<'a>) -> Result<Option<Self>, Fault<'a>> {
        let mut value = parameter.value();
        if value.len() != Self::VALUE_OCTETS {
            return Ok(None);
        }
        Ok(Some(Self {
            user: NonZeroU16::new(value.u16()?),
            asap: NonZeroU16::new(value.u16()?),
        }))
    }

    pub(crate) fn write<S: Sink>(self, writer: &mut Writer<'_, S>) {
        if self.is_default() {
            return;
        }
        writer.parameter(ParameterType::ENCAPSULATION_PORTS, |w| {
            w.u16(self.user.map_or(0, NonZeroU16::get));
            w.u16(self.asap.map_or(0, NonZeroU16::get));
        });
    }
}

impl fmt::Display for EncapsulationPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.user, self.asap) {
            (None, None) => f.write_str("udp 9899"),
            (Some(user), None) => write!(f, "udp {user}"),
            (None, Some(asap)) => write!(f, "asap-udp {asap}"),
            (Some(user), Some(asap)) => write!(f, "udp {user} asap-udp {asap}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::*;
    use alloc::string::ToString;

    fn read(digits: &str) -> Option<EncapsulationPorts> {
        read_parameter(digits, |parameter, _| {
            EncapsulationPorts::read(parameter).map_err(|fault| fault.error.kind)
        })
        .unwrap()
    }

    #[test]
    fn octets_and_value() {
        let ports = EncapsulationPorts {
            user: NonZeroU16::new(9900),
            asap: NonZeroU16::new(9901),
        };
        assert_eq!(written(|w| ports.write(w)), hex("98990008 26ac26ad"));
        assert_eq!(read("98990008 26ac26ad"), Some(ports));
        assert_eq!(ports.to_string(), "udp 9900 asap-udp 9901");
        assert_eq!(
            read("98990008 00000000"),
            Some(EncapsulationPorts::default())
        );
    }

    #[test]
    fn nothing_to_tell() {
        let none = EncapsulationPorts::default();
        assert_eq!(written(|w| none.write(w)), []);
        assert_eq!(none.to_string(), "udp 9899");
    }

    #[test]
    fn another_length_is_not_ours() {
        assert_eq!(read("98990004"), None);
        assert_eq!(read("9899000c 26ac26ad 00000000"), None);
    }
}
