//! The rules for unrecognised messages and parameters (RFC 5354 §3, §4), in one place.
//!
//! ```text
//!        highest bits   parameter                        message
//!        00             discard the message              discard
//!        01             discard the message and report   discard and report
//!        10             skip the parameter               (reserved) discard
//!        11             skip the parameter and report    (reserved) discard
//! ```
//!
//! They hold at every level: an unknown parameter within a pool element within a message is
//! treated as one directly within the message.
//!
//! The action bits speak of types that a receiver does not recognise. A parameter of a known type
//! in a place where it has no meaning, or one more of which only one is allowed, is skipped
//! without a report and its content is not looked at: the first one counts. (rsplib puts a policy
//! into ASAP_BUSINESS_CARD and a second address into TCP transports.)

use crate::error::{DecodeErrorKind, Fault};
use crate::parameter::{ERROR_CAUSES_MAX, ErrorCause, ParameterType};
use crate::reader::{Parameter, Reader};
use alloc::vec::Vec;

/// What to do with an unrecognised message or parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    Discard,
    DiscardAndReport,
    Skip,
    SkipAndReport,
}

impl Action {
    /// The action for an unrecognised parameter (RFC 5354 §3).
    pub(crate) fn of_parameter(parameter: ParameterType) -> Self {
        match parameter.0 >> 14 {
            0b00 => Self::Discard,
            0b01 => Self::DiscardAndReport,
            0b10 => Self::Skip,
            _ => Self::SkipAndReport,
        }
    }

    /// The action for an unrecognised message (RFC 5354 §4).
    pub(crate) fn of_message(message_type: u8) -> Self {
        match message_type >> 6 {
            0b01 => Self::DiscardAndReport,
            _ => Self::Discard,
        }
    }

    /// Whether the sender is told.
    pub(crate) fn reports(self) -> bool {
        match self {
            Self::Discard | Self::Skip => false,
            Self::DiscardAndReport | Self::SkipAndReport => true,
        }
    }
}

/// The causes that have come up while a message is read.
#[derive(Default)]
pub(crate) struct Unrecognized {
    causes: Vec<ErrorCause>,
}

impl Unrecognized {
    /// Treats a parameter that the format at hand has no place for.
    pub(crate) fn parameter<'a>(&mut self, parameter: &Parameter<'a>) -> Result<(), Fault<'a>> {
        if parameter.kind.is_known() {
            return Ok(());
        }
        match Action::of_parameter(parameter.kind) {
            Action::Skip => Ok(()),
            Action::SkipAndReport => {
                self.report(ErrorCause::UnrecognizedParameter(ErrorCause::information(
                    parameter.octets(),
                )));
                Ok(())
            }
            Action::Discard | Action::DiscardAndReport => {
                Err(parameter.fault(DecodeErrorKind::UnrecognizedParameter(parameter.kind)))
            }
        }
    }

    /// Treats all that is left where the format has no (more) parameters.
    pub(crate) fn rest<'a>(&mut self, reader: &mut Reader<'a>) -> Result<(), Fault<'a>> {
        while let Some(parameter) = reader.parameter()? {
            self.parameter(&parameter)?;
        }
        Ok(())
    }

    /// All causes of a message that can be used.
    pub(crate) fn into_causes(self) -> Vec<ErrorCause> {
        self.causes
    }

    /// All causes of a message that cannot be used.
    pub(crate) fn into_causes_with(mut self, fault: &Fault<'_>) -> Vec<ErrorCause> {
        if let Some(cause) = fault.error.kind.cause(fault.offending) {
            self.causes.truncate(ERROR_CAUSES_MAX - 1);
            self.causes.push(cause);
        }
        self.causes
    }

    fn report(&mut self, cause: ErrorCause) {
        if self.causes.len() < ERROR_CAUSES_MAX {
            self.causes.push(cause);
        }
    }
}
