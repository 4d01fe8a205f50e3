//! What five ASAP messages start with: a pool and one pool element of it.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────────────────────────────────────┐
//! ┊                          Pool Handle                          ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                         PE Identifier                         ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                Operation Error (in two of them)               ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use crate::error::Fault;
use crate::parameter::{OperationError, ParameterType};
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::{PoolElementId, PoolHandle};

pub(super) struct ElementName {
    pub(super) pool_handle: PoolHandle,
    pub(super) pool_element: PoolElementId,
}

impl ElementName {
    pub(super) fn read<'a>(
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        Self::read_with_error(reader, unrecognized).map(|(name, _)| name)
    }

    pub(super) fn read_with_error<'a>(
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<(Self, Option<OperationError>), Fault<'a>> {
        let mut pool_handle = None;
        let mut pool_element = None;
        let mut error = None;
        while let Some(parameter) = reader.parameter()? {
            match parameter.kind {
                ParameterType::POOL_HANDLE if pool_handle.is_none() => {
                    pool_handle = Some(PoolHandle::read(&parameter)?);
                }
                ParameterType::PE_IDENTIFIER if pool_element.is_none() => {
                    pool_element = Some(PoolElementId::read(&parameter)?);
                }
                ParameterType::OPERATION_ERROR if error.is_none() => {
                    error = Some(OperationError::read(&parameter)?);
                }
                _ => unrecognized.parameter(&parameter)?,
            }
        }
        let name = Self {
            pool_handle: reader.required(pool_handle, ParameterType::POOL_HANDLE)?,
            pool_element: reader.required(pool_element, ParameterType::PE_IDENTIFIER)?,
        };
        Ok((name, error))
    }
}

/// Reading, writing and showing a message of a pool and one pool element of it.
macro_rules! element_message {
    ($message:ident, $name:literal, $number:literal) => {
        impl $message {
            /// The name in the RFC.
            pub const NAME: &str = $name;
            /// The number in the Message Type field.
            pub const TYPE: u8 = $number;

            pub(crate) fn read<'a>(
                _header: crate::message::Header,
                reader: &mut crate::reader::Reader<'a>,
                unrecognized: &mut crate::unrecognized::Unrecognized,
            ) -> Result<Self, crate::error::Fault<'a>> {
                let name = super::element_name::ElementName::read(reader, unrecognized)?;
                Ok(Self {
                    pool_handle: name.pool_handle,
                    pool_element: name.pool_element,
                })
            }

            pub(crate) fn write<S: crate::writer::Sink>(
                &self,
                writer: &mut crate::writer::Writer<'_, S>,
            ) {
                writer.message(Self::TYPE, 0, |w| {
                    self.pool_handle.write(w);
                    self.pool_element.write(w);
                });
            }
        }

        impl core::fmt::Display for $message {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let (name, handle, id) = (Self::NAME, &self.pool_handle, self.pool_element);
                write!(f, "{name} pool {handle} pe {id}")
            }
        }
    };
}
pub(super) use element_message;

#[cfg(test)]
mod tests {
    use crate::asap::Deregistration;
    use crate::test_support::*;
    use crate::{DecodeErrorKind, parameter::ParameterType};

    fn message() -> Deregistration {
        Deregistration {
            pool_handle: echo_pool(),
            pool_element: PE,
        }
    }

    #[test]
    fn parameters_in_any_order() {
        asap_reads(
            "02000018 000e0008 56c3491e 0009000c 4563686f 506f6f6c",
            message(),
        );
    }

    /// An Operation Error has no place in a deregistration, and of two identifiers one is too many.
    #[test]
    fn the_first_one_counts_and_what_does_not_belong_is_skipped() {
        asap_reads(
            "02000028 0009000c 4563686f 506f6f6c 000e0008 56c3491e
             000c0008 00090004 000e0008 00000001",
            message(),
        );
    }

    #[test]
    fn an_identifier_of_another_length_is_wrong() {
        let error = asap_error("02000016 0009000c 4563686f 506f6f6c 000e0006 56c30000");
        assert_eq!(
            (error.offset, error.kind),
            (20, DecodeErrorKind::Incomplete)
        );
        let error = asap_error("0200001c 0009000c 4563686f 506f6f6c 000e000c 56c3491e 00000000");
        assert_eq!(
            (error.offset, error.kind),
            (24, DecodeErrorKind::ValueTooLong)
        );
    }

    #[test]
    fn both_parameters_are_demanded() {
        let missing = |kind| DecodeErrorKind::MissingParameter(kind);
        let error = asap_error("02000010 0009000c 4563686f 506f6f6c");
        assert_eq!(error.kind, missing(ParameterType::PE_IDENTIFIER));
        let error = asap_error("0200000c 000e0008 56c3491e");
        assert_eq!(error.kind, missing(ParameterType::POOL_HANDLE));
    }
}
