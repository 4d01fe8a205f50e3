//! ASAP_ENDPOINT_KEEP_ALIVE
//! ([RFC 5352 §2.2.7](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.7)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬─────────────┬─┬───────────────────────────────┐
//! │  Type = 0x07  │      0      │H│         Message Length        │
//! ├───────────────┴─────────────┴─┴───────────────────────────────┤
//! │                       Server Identifier                       │
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                          Pool Handle                          ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                 PE Identifier (not in the RFC)                ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use crate::error::Fault;
use crate::message::Header;
use crate::parameter::ParameterType;
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use crate::{PoolElementId, PoolHandle, RegistrarId};
use core::fmt;

/// A registrar asks a pool element whether it is there (RFC 5352 §2.2.7).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointKeepAlive {
    /// The registrar that asks.
    pub registrar: RegistrarId,
    /// H flag: the sender wants to be the receiver's home registrar.
    pub home: bool,
    /// The pool.
    pub pool_handle: PoolHandle,
    /// The pool element; not in the RFC, sent by rsplib and by us, accepted with and without.
    pub pool_element: Option<PoolElementId>,
}

impl EndpointKeepAlive {
    /// The name in the RFC.
    pub const NAME: &str = "ASAP_ENDPOINT_KEEP_ALIVE";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x07;
    /// H: the sender wants to be the home registrar.
    const HOME: u8 = 0x01;

    pub(crate) fn read<'a>(
        header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let registrar = RegistrarId::read(reader)?;
        let mut pool_handle = None;
        let mut pool_element = None;
        while let Some(parameter) = reader.parameter()? {
            match parameter.kind {
                ParameterType::POOL_HANDLE if pool_handle.is_none() => {
                    pool_handle = Some(PoolHandle::read(&parameter)?);
                }
                ParameterType::PE_IDENTIFIER if pool_element.is_none() => {
                    pool_element = Some(PoolElementId::read(&parameter)?);
                }
                _ => unrecognized.parameter(&parameter)?,
            }
        }
        Ok(Self {
            registrar,
            home: header.has(Self::HOME),
            pool_handle: reader.required(pool_handle, ParameterType::POOL_HANDLE)?,
            pool_element,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        let flags = if self.home { Self::HOME } else { 0 };
        writer.message(Self::TYPE, flags, |w| {
            RegistrarId::write(Some(self.registrar), w);
            self.pool_handle.write(w);
            self.pool_element.iter().for_each(|id| id.write(w));
        });
    }
}

impl fmt::Display for EndpointKeepAlive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (registrar, handle) = (self.registrar, &self.pool_handle);
        let name = Self::NAME;
        write!(f, "{name} registrar {registrar} pool {handle}")?;
        if let Some(id) = self.pool_element {
            write!(f, " pe {id}")?;
        }
        if self.home {
            f.write_str(" [H]")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecodeErrorKind;
    use crate::test_support::*;
    use alloc::string::ToString;

    fn message(home: bool, pool_element: Option<PoolElementId>) -> EndpointKeepAlive {
        EndpointKeepAlive {
            registrar: registrar(0x98d3_fe06),
            home,
            pool_handle: echo_pool(),
            pool_element,
        }
    }

    #[test]
    fn octets_and_value() {
        let digits = "0701001c 98d3fe06 0009000c 4563686f 506f6f6c 000e0008 56c3491e";
        asap_both_ways(digits, message(true, Some(PE)));
        asap_both_ways(&digits.replace("0701", "0700"), message(false, Some(PE)));
        assert_eq!(
            message(true, Some(PE)).to_string(),
            "ASAP_ENDPOINT_KEEP_ALIVE registrar 0x98d3fe06 pool EchoPool pe 0x56c3491e [H]"
        );
    }

    #[test]
    fn the_rfcs_form_has_no_pe_identifier() {
        asap_both_ways(
            "07000014 98d3fe06 0009000c 4563686f 506f6f6c",
            message(false, None),
        );
    }

    #[test]
    fn the_registrar_is_demanded() {
        let error = asap_error("07000014 00000000 0009000c 4563686f 506f6f6c");
        assert_eq!(
            (error.offset, error.kind),
            (4, DecodeErrorKind::ZeroRegistrarId)
        );
        let error = asap_error("07000006 98d30000");
        assert_eq!((error.offset, error.kind), (4, DecodeErrorKind::Incomplete));
    }
}
