//! ASAP_ERROR ([RFC 5352 §2.2.14](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.14)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────────┬───────────────────────────────┐
//! │  Type = 0x0e  │       0       │         Message Length        │
//! ├───────────────┴───────────────┴───────────────────────────────┤
//! ┊                        Operation Error                        ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use crate::error::Fault;
use crate::message::Header;
use crate::parameter::{OperationError, ParameterType};
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use core::fmt;

/// Reports what was wrong with a message (RFC 5352 §2.2.14).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// The causes.
    pub error: OperationError,
}

impl Error {
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x0e;

    pub(crate) fn read<'a>(
        _header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let mut error = None;
        while let Some(parameter) = reader.parameter()? {
            match parameter.kind {
                ParameterType::OPERATION_ERROR if error.is_none() => {
                    error = Some(OperationError::read(&parameter)?);
                }
                _ => unrecognized.parameter(&parameter)?,
            }
        }
        Ok(Self {
            error: reader.required(error, ParameterType::OPERATION_ERROR)?,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.message(Self::TYPE, 0, |w| self.error.write(w));
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ASAP_ERROR {}", self.error)
    }
}
