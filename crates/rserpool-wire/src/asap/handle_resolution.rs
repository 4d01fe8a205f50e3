//! ASAP_HANDLE_RESOLUTION
//! ([RFC 5352 §2.2.5](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.5)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬─────────────┬─┬───────────────────────────────┐
//! │  Type = 0x05  │      0      │S│         Message Length        │
//! ├───────────────┴─────────────┴─┴───────────────────────────────┤
//! ┊                          Pool Handle                          ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                     Item Count (optional)                     ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use crate::PoolHandle;
use crate::error::Fault;
use crate::message::Header;
use crate::parameter::{ParameterType, item_count};
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use core::fmt;

/// Asks for the pool elements of a pool (RFC 5352 §2.2.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandleResolution {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// S bit: send a new response whenever the pool changes.
    pub subscribe: bool,
    /// How many pool elements are wanted (parameter 0x803f of
    /// draft-dreibholz-rserpool-asap-hropt); `None`: as many as the registrar likes, which zero
    /// means too.
    pub items: Option<u32>,
}

impl HandleResolution {
    /// The name in the RFC.
    pub const NAME: &str = "ASAP_HANDLE_RESOLUTION";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x05;
    /// S: subscribe.
    const SUBSCRIBE: u8 = 0x01;

    pub(crate) fn read<'a>(
        header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let mut pool_handle = None;
        let mut items = None;
        while let Some(parameter) = reader.parameter()? {
            match parameter.kind {
                ParameterType::POOL_HANDLE if pool_handle.is_none() => {
                    pool_handle = Some(PoolHandle::read(&parameter)?);
                }
                ParameterType::ITEM_COUNT if items.is_none() => {
                    items = item_count::read(&parameter)?;
                }
                _ => unrecognized.parameter(&parameter)?,
            }
        }
        Ok(Self {
            pool_handle: reader.required(pool_handle, ParameterType::POOL_HANDLE)?,
            subscribe: header.has(Self::SUBSCRIBE),
            items,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        let flags = if self.subscribe { Self::SUBSCRIBE } else { 0 };
        writer.message(Self::TYPE, flags, |w| {
            self.pool_handle.write(w);
            item_count::write(self.items, w);
        });
    }
}

impl fmt::Display for HandleResolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAME;
        write!(f, "{name} pool {}", self.pool_handle)?;
        if let Some(items) = self.items {
            write!(f, " items {items}")?;
        }
        if self.subscribe {
            f.write_str(" [S]")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asap;
    use crate::test_support::*;
    use crate::{DecodeErrorKind, parameter::ParameterType};
    use alloc::string::ToString;

    fn message(pool: &str, items: Option<u32>) -> HandleResolution {
        HandleResolution {
            pool_handle: pool.into(),
            subscribe: false,
            items,
        }
    }

    #[test]
    fn octets_and_value() {
        asap_both_ways(
            "05000010 0009000c 4563686f 506f6f6c",
            message("EchoPool", None),
        );
        let three = HandleResolution {
            subscribe: true,
            ..message("EchoPool", Some(3))
        };
        assert_eq!(
            three.to_string(),
            "ASAP_HANDLE_RESOLUTION pool EchoPool items 3 [S]"
        );
        asap_both_ways(
            "05010018 0009000c 4563686f 506f6f6c 803f0008 00000003",
            three,
        );
    }

    /// RFC 5354 §4: the length does not count the padding. rsplib counts it.
    #[test]
    fn the_length_with_and_without_final_padding() {
        let message = message("EchoPool1", None);
        asap_both_ways(
            "05000011 0009000d 4563686f 506f6f6c 31000000",
            message.clone(),
        );
        asap_reads("05000014 0009000d 4563686f 506f6f6c 31000000", message);
    }

    #[test]
    fn padding_may_hold_anything_and_must_be_there() {
        let message = message("EchoPool1", None);
        asap_reads(
            "05000011 0009000d 4563686f 506f6f6c 31aabbcc",
            message.clone(),
        );
        asap_reads("05000014 0009000d 4563686f 506f6f6c 31aabbcc", message);
        let error = asap_error("05000011 0009000d 4563686f 506f6f6c 31");
        assert_eq!(
            (error.offset, error.kind),
            (17, DecodeErrorKind::PaddingMissing)
        );
        // Counted by the message, but only half of it.
        let error = asap_error("05000012 0009000d 4563686f 506f6f6c 31000000");
        assert_eq!(
            (error.offset, error.kind),
            (17, DecodeErrorKind::PaddingMissing)
        );
    }

    #[test]
    fn zero_items_are_the_registrars_choice() {
        asap_reads(
            "05000018 0009000c 4563686f 506f6f6c 803f0008 00000000",
            message("EchoPool", None),
        );
        let zero = message("EchoPool", Some(0));
        assert_eq!(
            asap::Message::from(zero).encode(),
            hex("05000010 0009000c 4563686f 506f6f6c")
        );
    }

    #[test]
    fn a_handle_of_no_octets_is_a_handle() {
        asap_both_ways("05000008 00090004", message("", None));
    }

    #[test]
    fn the_pool_handle_is_demanded() {
        let error = asap_error("0500000c 803f0008 00000001");
        let missing = DecodeErrorKind::MissingParameter(ParameterType::POOL_HANDLE);
        assert_eq!((error.offset, error.kind), (12, missing));
    }
}
