//! ASAP_REGISTRATION_RESPONSE (RFC 5352 §2.2.3).

use crate::parameter::OperationError;
use crate::{PoolElementId, PoolHandle};

/// The home registrar's answer to a registration (RFC 5352 §2.2.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistrationResponse {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// The pool element.
    pub pool_element: PoolElementId,
    /// Granted, perhaps with a warning; or rejected (R flag), perhaps with the causes.
    pub result: Result<Option<OperationError>, Option<OperationError>>,
}
