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
        write!(
            f,
            "ASAP_REGISTRATION pool {} {}",
            self.pool_handle, self.pool_element
        )
    }
}
