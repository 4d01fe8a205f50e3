//! ASAP_ERROR (RFC 5352 §2.2.14).

use crate::parameter::OperationError;

/// Reports what was wrong with a message (RFC 5352 §2.2.14).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// The causes.
    pub error: OperationError,
}
