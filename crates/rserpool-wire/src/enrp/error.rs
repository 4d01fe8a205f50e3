//! ENRP_ERROR ([RFC 5353 §2.10](https://www.rfc-editor.org/rfc/rfc5353#section-2.10)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────────┬───────────────────────────────┐
//! │  Type = 0x0a  │       0       │         Message Length        │
//! ├───────────────┴───────────────┴───────────────────────────────┤
//! │                      Sending Server's ID                      │
//! ├───────────────────────────────────────────────────────────────┤
//! │                     Receiving Server's ID                     │
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                        Operation Error                        ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::route::Route;
use crate::RegistrarId;
use crate::error::Fault;
use crate::message::Header;
use crate::parameter::{OperationError, ParameterType};
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use core::fmt;

/// Reports what was wrong with a message (RFC 5353 §2.10).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
    /// The causes.
    pub error: OperationError,
}

impl Error {
    /// The name in the RFC.
    pub const NAME: &str = "ENRP_ERROR";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x0a;

    pub(crate) fn read<'a>(
        _header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let route = Route::read(reader)?;
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
            sender: route.sender,
            receiver: route.receiver,
            error: reader.required(error, ParameterType::OPERATION_ERROR)?,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.message(Self::TYPE, 0, |w| {
            Route::new(self.sender, self.receiver).write(w);
            self.error.write(w);
        });
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAME;
        write!(
            f,
            "{name} {} {}",
            Route::new(self.sender, self.receiver),
            self.error
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrp;
    use crate::parameter::ErrorCause;
    use crate::test_support::*;
    use alloc::string::ToString;

    /// rsplib's own cause number.
    #[test]
    fn octets_and_value() {
        let cause = ErrorCause::Other {
            code: 0x0010,
            information: alloc::vec![],
        };
        let message = Error {
            sender: registrar(0x98d3_fe06),
            receiver: Some(registrar(0x1234_5678)),
            error: cause.into(),
        };
        assert_eq!(
            message.to_string(),
            "ENRP_ERROR 0x98d3fe06 > 0x12345678 cause 0x0010 -"
        );
        enrp_both_ways("0a000014 98d3fe06 12345678 000c0008 00100004", message);
    }

    /// Two peers would answer each other for ever.
    #[test]
    fn an_error_is_never_answered() {
        let no_sender = hex("0a000014 00000000 12345678 000c0008 00100004");
        assert_eq!(enrp::Message::decode(&no_sender).unwrap_err().report, []);
    }
}
