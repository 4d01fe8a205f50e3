//! Operation Error parameter (RFC 5354 §3.12) and its causes.

use super::{Policy, UserTransport};
use alloc::vec::Vec;

/// One or more error causes (RFC 5354 §3.12).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OperationError {
    /// The causes in the order of the wire; at least one when we send.
    pub causes: Vec<ErrorCause>,
}

impl From<ErrorCause> for OperationError {
    fn from(cause: ErrorCause) -> Self {
        Self {
            causes: alloc::vec![cause],
        }
    }
}

/// An error cause (RFC 5354 §3.12.1-§3.12.11).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ErrorCause {
    /// 0x0: unspecified.
    Unspecified,
    /// 0x1: the complete parameter that was not recognised.
    UnrecognizedParameter(Vec<u8>),
    /// 0x2: the complete message that was not recognised.
    UnrecognizedMessage(Vec<u8>),
    /// 0x3: the complete parameter with the invalid value.
    InvalidValues(Vec<u8>),
    /// 0x4: the pool element identifier is used by another pool element of the pool.
    NonUniquePoolElementIdentifier,
    /// 0x5: the pool has another policy, given here (rsplib leaves it out).
    InconsistentPoolPolicy(Option<Policy>),
    /// 0x6: lack of resources.
    LackOfResources,
    /// 0x7: the pool has another transport type, given here.
    InconsistentTransportType(Option<UserTransport>),
    /// 0x8: the pool has another data/control configuration.
    InconsistentDataControlConfiguration,
    /// 0x9: no such pool.
    UnknownPoolHandle,
    /// 0xa: rejected due to security considerations.
    RejectedDueToSecurity,
    /// Any other code, carried unchanged.
    Other {
        /// The cause code.
        code: u16,
        /// The cause-specific information.
        information: Vec<u8>,
    },
}
