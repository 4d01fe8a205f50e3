//! ASAP_DEREGISTRATION_RESPONSE
//! ([RFC 5352 §2.2.4](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.4)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────────┬───────────────────────────────┐
//! │  Type = 0x04  │       0       │         Message Length        │
//! ├───────────────┴───────────────┴───────────────────────────────┤
//! ┊                          Pool Handle                          ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                         PE Identifier                         ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                   Operation Error (optional)                  ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::element_name::ElementName;
use crate::error::Fault;
use crate::message::Header;
use crate::parameter::OperationError;
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use crate::{PoolElementId, PoolHandle};
use core::fmt;

/// The home registrar's answer to a deregistration, or word that the registration life ran out
/// (RFC 5352 §2.2.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeregistrationResponse {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// The pool element.
    pub pool_element: PoolElementId,
    /// Why the deregistration was rejected; `None`: it is done.
    pub error: Option<OperationError>,
}

impl DeregistrationResponse {
    /// The name in the RFC.
    pub const NAME: &str = "ASAP_DEREGISTRATION_RESPONSE";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x04;

    pub(crate) fn read<'a>(
        _header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let (name, error) = ElementName::read_with_error(reader, unrecognized)?;
        Ok(Self {
            pool_handle: name.pool_handle,
            pool_element: name.pool_element,
            error,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.message(Self::TYPE, 0, |w| {
            self.pool_handle.write(w);
            self.pool_element.write(w);
            self.error.iter().for_each(|error| error.write(w));
        });
    }
}

impl fmt::Display for DeregistrationResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (handle, id) = (&self.pool_handle, self.pool_element);
        let name = Self::NAME;
        write!(f, "{name} pool {handle} pe {id} ")?;
        match &self.error {
            None => f.write_str("done"),
            Some(error) => write!(f, "rejected: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::ErrorCause;
    use crate::test_support::*;
    use alloc::string::ToString;

    fn message(error: Option<OperationError>) -> DeregistrationResponse {
        DeregistrationResponse {
            pool_handle: echo_pool(),
            pool_element: PE,
            error,
        }
    }

    #[test]
    fn octets_and_value() {
        asap_both_ways(
            "04000018 0009000c 4563686f 506f6f6c 000e0008 56c3491e",
            message(None),
        );
        let rejected = message(Some(ErrorCause::RejectedDueToSecurity.into()));
        assert_eq!(
            rejected.to_string(),
            "ASAP_DEREGISTRATION_RESPONSE pool EchoPool pe 0x56c3491e rejected: \
             rejected due to security considerations"
        );
        asap_both_ways(
            "04000020 0009000c 4563686f 506f6f6c 000e0008 56c3491e 000c0008 000a0004",
            rejected,
        );
    }
}
