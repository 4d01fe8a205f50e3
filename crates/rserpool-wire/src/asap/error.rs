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
    /// The name in the RFC.
    pub const NAME: &str = "ASAP_ERROR";
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
        let name = Self::NAME;
        write!(f, "{name} {}", self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asap;
    use crate::parameter::ErrorCause;
    use crate::test_support::*;
    use alloc::string::ToString;

    /// rsplib counts the padding of the cause in the length of the parameter.
    #[test]
    fn octets_and_value() {
        let message = Error {
            error: ErrorCause::UnrecognizedParameter(hex("40770006 aabb")).into(),
        };
        assert_eq!(
            message.to_string(),
            "ASAP_ERROR unrecognized parameter 40770006aabb"
        );
        asap_both_ways(
            "0e000012 000c000e 0001000a 40770006 aabb0000",
            message.clone(),
        );
        asap_reads(
            "0e000014 000c000e 0001000a 40770006 aabb0000",
            message.clone(),
        );
        asap_reads("0e000014 000c0010 0001000a 40770006 aabb0000", message);
    }

    /// Two peers would answer each other for ever.
    #[test]
    fn an_error_is_never_answered() {
        let skip_and_report = hex("0e000010 000c0008 00090004 c0770004");
        let decoded = asap::Message::decode(&skip_and_report).unwrap();
        assert_eq!(decoded.unrecognized, []);
        let discard_and_report = hex("0e000010 000c0008 00090004 40770004");
        assert_eq!(
            asap::Message::decode(&discard_and_report)
                .unwrap_err()
                .report,
            []
        );
    }
}
