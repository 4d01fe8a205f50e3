//! ASAP_ENDPOINT_UNREACHABLE ([RFC 5352 §2.2.9](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.9)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────────┬───────────────────────────────┐
//! │  Type = 0x09  │       0       │         Message Length        │
//! ├───────────────┴───────────────┴───────────────────────────────┤
//! ┊                          Pool Handle                          ┊
//! ├───────────────────────────────────────────────────────────────┤
//! │                  PE Identifier (type 0x000e)                  │
//! ├───────────────────────────────────────────────────────────────┤
//! │                                                               │
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::element_name::ElementName;
use crate::error::Fault;
use crate::message::Header;
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use crate::{PoolElementId, PoolHandle};
use core::fmt;

/// A report that a pool element cannot be reached (RFC 5352 §2.2.9).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointUnreachable {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// The pool element that could not be reached.
    pub pool_element: PoolElementId,
}

impl EndpointUnreachable {
    /// The name in the RFC.
    pub const NAME: &str = "ASAP_ENDPOINT_UNREACHABLE";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x09;

    pub(crate) fn read<'a>(
        _header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let name = ElementName::read(reader, unrecognized)?;
        Ok(Self {
            pool_handle: name.pool_handle,
            pool_element: name.pool_element,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.message(Self::TYPE, 0, |w| {
            self.pool_handle.write(w);
            self.pool_element.write(w);
        });
    }
}

impl fmt::Display for EndpointUnreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAME;
        write!(
            f,
            "{name} pool {} pe {}",
            self.pool_handle, self.pool_element
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::*;
    use alloc::string::ToString;

    #[test]
    fn octets_and_value() {
        let message = EndpointUnreachable {
            pool_handle: echo_pool(),
            pool_element: PE,
        };
        assert_eq!(
            message.to_string(),
            "ASAP_ENDPOINT_UNREACHABLE pool EchoPool pe 0x56c3491e"
        );
        asap_both_ways(
            "09000018 0009000c 4563686f 506f6f6c 000e0008 56c3491e",
            message,
        );
    }
}
