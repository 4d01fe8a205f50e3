//! ENRP_ERROR (RFC 5353 §2.10).

use crate::RegistrarId;
use crate::parameter::OperationError;

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
