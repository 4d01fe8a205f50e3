//! ASAP_DEREGISTRATION_RESPONSE (RFC 5352 §2.2.4).

use crate::parameter::OperationError;
use crate::{PoolElementId, PoolHandle};

/// The home registrar's answer to a deregistration, or word that the registration life ran out
/// (RFC 5352 §2.2.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeregistrationResponse {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// The pool element.
    pub pool_element: PoolElementId,
    /// Why the deregistration was rejected; `None`: it is done.
    pub error: Option<OperationError>,
}
