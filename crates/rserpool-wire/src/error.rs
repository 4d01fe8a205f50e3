//! What can be wrong with octets, where, and which error cause tells the sender.
//!
//! Knows positions and causes; does not know whether anybody is told.

use crate::Action;
use crate::parameter::{ErrorCause, ParameterType};
use alloc::vec::Vec;
use core::fmt;

/// A message, and what must be told to its sender all the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decoded<M> {
    /// The message.
    pub message: M,
    /// Unrecognized Parameter causes (action bits 11, RFC 5354 §3) to send back in an ASAP_ERROR
    /// or ENRP_ERROR; mostly empty. At most [`ERROR_CAUSES_MAX`](crate::ERROR_CAUSES_MAX); always
    /// empty for an error message, which nobody may answer with another.
    pub unrecognized: Vec<ErrorCause>,
}

/// Octets that are no message of the protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Undecodable {
    /// What is wrong, and where.
    pub error: DecodeError,
    /// The causes to send back in an ASAP_ERROR or ENRP_ERROR; empty: discard silently. At most
    /// [`ERROR_CAUSES_MAX`](crate::ERROR_CAUSES_MAX) of at most
    /// [`CAUSE_INFORMATION_OCTETS_MAX`](crate::CAUSE_INFORMATION_OCTETS_MAX) octets each.
    pub report: Vec<ErrorCause>,
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl core::error::Error for Undecodable {}

/// What is wrong with octets, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecodeError {
    /// The octet at which it was noticed, counted from the start of the message.
    pub offset: usize,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octet {}", self.kind, self.offset)
    }
}

impl core::error::Error for DecodeError {}

/// What can be wrong with octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeErrorKind {
    /// Fewer than the four octets of a message, parameter or cause header.
    HeaderIncomplete,
    /// A Length field smaller than its own header.
    LengthTooSmall,
    /// A Length field that reaches beyond what encloses it.
    LengthTooLarge,
    /// Not all padding octets are there.
    PaddingMissing,
    /// Octets after the end of the message and its padding.
    TrailingOctets,
    /// A message type this protocol does not have.
    UnrecognizedMessage(u8),
    /// An unknown parameter whose action bits demand that the message is discarded.
    UnrecognizedParameter(ParameterType),
    /// The format demands this parameter.
    MissingParameter(ParameterType),
    /// The value ends within the fields of its format.
    Incomplete,
    /// The value is longer than its format.
    ValueTooLong,
    /// The value is longer than this crate's limit for this parameter.
    LimitExceeded(ParameterType),
    /// Registrar identifier zero where one is demanded.
    ZeroRegistrarId,
    /// A registration life below -1.
    InvalidRegistrationLife,
    /// A policy type that is reserved as invalid.
    InvalidPolicyType,
    /// An update action that is neither ADD_PE nor DEL_PE.
    InvalidUpdateAction,
    /// A pool element before any pool handle.
    PoolElementWithoutPoolHandle,
}

impl DecodeErrorKind {
    /// The error cause of RFC 5354 §3.12 that tells the sender, if it is told at all, with the
    /// innermost message or parameter that is wrong. Octets whose lengths do not add up are
    /// discarded silently: what they were meant to be cannot be known.
    pub(crate) fn cause(self, offending: &[u8]) -> Option<ErrorCause> {
        match self {
            Self::HeaderIncomplete
            | Self::LengthTooSmall
            | Self::LengthTooLarge
            | Self::PaddingMissing
            | Self::TrailingOctets => None,
            Self::UnrecognizedMessage(message_type) => Action::of_message(message_type)
                .reports()
                .then(|| ErrorCause::UnrecognizedMessage(ErrorCause::information(offending))),
            Self::UnrecognizedParameter(parameter) => Action::of_parameter(parameter)
                .reports()
                .then(|| ErrorCause::UnrecognizedParameter(ErrorCause::information(offending))),
            Self::MissingParameter(_)
            | Self::Incomplete
            | Self::ValueTooLong
            | Self::LimitExceeded(_)
            | Self::ZeroRegistrarId
            | Self::InvalidRegistrationLife
            | Self::InvalidPolicyType
            | Self::InvalidUpdateAction
            | Self::PoolElementWithoutPoolHandle => Some(ErrorCause::InvalidValues(
                ErrorCause::information(offending),
            )),
        }
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnrecognizedMessage(number) => write!(f, "UnrecognizedMessage({number:#04x})"),
            Self::UnrecognizedParameter(parameter) => {
                write!(f, "UnrecognizedParameter({parameter})")
            }
            Self::MissingParameter(parameter) => write!(f, "MissingParameter({parameter})"),
            Self::LimitExceeded(parameter) => write!(f, "LimitExceeded({parameter})"),
            Self::HeaderIncomplete
            | Self::LengthTooSmall
            | Self::LengthTooLarge
            | Self::PaddingMissing
            | Self::TrailingOctets
            | Self::Incomplete
            | Self::ValueTooLong
            | Self::ZeroRegistrarId
            | Self::InvalidRegistrationLife
            | Self::InvalidPolicyType
            | Self::InvalidUpdateAction
            | Self::PoolElementWithoutPoolHandle => write!(f, "{self:?}"),
        }
    }
}

/// A decode error with the innermost message or parameter in which it lies: what reading returns
/// until the error cause is made of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fault<'a> {
    pub(crate) error: DecodeError,
    pub(crate) offending: &'a [u8],
}
