//! ASAP_HANDLE_RESOLUTION ([RFC 5352 §2.2.5](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.5)).
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
        write!(f, "ASAP_HANDLE_RESOLUTION pool {}", self.pool_handle)?;
        if let Some(items) = self.items {
            write!(f, " items {items}")?;
        }
        if self.subscribe {
            f.write_str(" [S]")?;
        }
        Ok(())
    }
}
