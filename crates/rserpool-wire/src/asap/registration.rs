//! ASAP_REGISTRATION ([RFC 5352 §2.2.1](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.1)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────────┬───────────────────────────────┐
//! │  Type = 0x01  │       0       │         Message Length        │
//! ├───────────────┴───────────────┴───────────────────────────────┤
//! ┊                          Pool Handle                          ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                          Pool Element                         ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use crate::PoolHandle;
use crate::error::Fault;
use crate::message::Header;
use crate::parameter::{ParameterType, PoolElement};
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use core::fmt;

/// A pool element registers, or renews its registration (RFC 5352 §2.2.1, §3.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    /// The pool to join or to create.
    pub pool_handle: PoolHandle,
    /// The pool element itself.
    pub pool_element: PoolElement,
}

impl Registration {
    /// The name in the RFC.
    pub const NAME: &str = "ASAP_REGISTRATION";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x01;

    pub(crate) fn read<'a>(
        _header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let mut pool_handle = None;
        let mut pool_element = None;
        while let Some(parameter) = reader.parameter()? {
            match parameter.kind {
                ParameterType::POOL_HANDLE if pool_handle.is_none() => {
                    pool_handle = Some(PoolHandle::read(&parameter)?);
                }
                ParameterType::POOL_ELEMENT if pool_element.is_none() => {
                    pool_element = Some(PoolElement::read(&parameter, unrecognized)?);
                }
                _ => unrecognized.parameter(&parameter)?,
            }
        }
        Ok(Self {
            pool_handle: reader.required(pool_handle, ParameterType::POOL_HANDLE)?,
            pool_element: reader.required(pool_element, ParameterType::POOL_ELEMENT)?,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.message(Self::TYPE, 0, |w| {
            self.pool_handle.write(w);
            self.pool_element.write(w);
        });
    }
}

impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAME;
        write!(f, "{name} pool {} {}", self.pool_handle, self.pool_element)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::{Policy, TcpTransport, TransportUse, UserTransport};
    use crate::test_support::*;
    use crate::{DecodeErrorKind, PoolElementId};
    use alloc::string::ToString;

    fn message() -> Registration {
        Registration {
            pool_handle: echo_pool(),
            pool_element: element(),
        }
    }

    #[test]
    fn octets_and_value() {
        asap_both_ways(
            "01000050 0009000c 4563686f 506f6f6c
             000a0040 56c3491e 00000000 00015f90
             00040024 c3500001 00010008 0a010001
             00020014 20010db8 00000000 00000000 00000001
             0008000c 00000002 00000002",
            message(),
        );
        assert_eq!(
            message().to_string(),
            "ASAP_REGISTRATION pool EchoPool pe 0x56c3491e life 90000s \
             sctp 50000 10.1.0.1,2001:db8::1 data+control weighted-round-robin weight 2"
        );
    }

    /// rsplib writes the transport use into the reserved half of a TCP transport.
    #[test]
    fn a_tcp_transport_with_a_transport_use_is_read() {
        let pool_element = PoolElement {
            id: PoolElementId(1),
            user_transport: UserTransport::Tcp(TcpTransport {
                port: 80,
                address: address("10.1.0.1"),
            }),
            ..element()
        };
        asap_reads(
            "0100003c 0009000c 4563686f 506f6f6c 000a002c 00000001 00000000 00015f90
             00050010 00500001 00010008 0a010001 0008000c 00000002 00000002",
            Registration {
                pool_handle: echo_pool(),
                pool_element,
            },
        );
    }

    /// From a running rsplib pool element.
    #[test]
    fn captured() {
        let pool_element = PoolElement {
            id: PoolElementId(0x4444_4444),
            user_transport: UserTransport::Sctp(sctp(
                0x86ff,
                TransportUse::DATA_PLUS_CONTROL,
                &["10.1.0.4"],
            )),
            policy: Policy::RoundRobin,
            ..element()
        };
        asap_both_ways(
            "01000038 0009000c 4563686f 506f6f6c 000a0028 44444444 00000000 00015f90
             00040010 86ff0001 00010008 0a010004 00080008 00000001",
            Registration {
                pool_handle: echo_pool(),
                pool_element,
            },
        );
    }

    /// RFC 5354 fixes no order of the parameters.
    #[test]
    fn the_pool_element_may_come_first() {
        asap_reads(
            "01000050 000a0040 56c3491e 00000000 00015f90
             00040024 c3500001 00010008 0a010001
             00020014 20010db8 00000000 00000000 00000001
             0008000c 00000002 00000002
             0009000c 4563686f 506f6f6c",
            message(),
        );
    }

    #[test]
    fn both_parameters_are_demanded() {
        let missing = |kind| DecodeErrorKind::MissingParameter(kind);
        let error = asap_error("01000010 0009000c 4563686f 506f6f6c");
        assert_eq!(error.kind, missing(ParameterType::POOL_ELEMENT));
        assert_eq!(
            error.to_string(),
            "MissingParameter(Pool Element) at octet 16"
        );
        let error = asap_error("01000004");
        assert_eq!(error.kind, missing(ParameterType::POOL_HANDLE));
    }
}
