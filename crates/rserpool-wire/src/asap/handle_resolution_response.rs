//! ASAP_HANDLE_RESOLUTION_RESPONSE (RFC 5352 §2.2.6).

use crate::PoolHandle;
use crate::parameter::{EncodedPoolElement, OperationError, Policy};
use alloc::vec::Vec;

/// The answer to a handle resolution, or an update of it (RFC 5352 §2.2.6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandleResolutionResponse {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// A bit: updates will follow.
    pub updates_accepted: bool,
    /// The pool elements, or why there are none.
    pub result: Result<Resolution, OperationError>,
}

/// What a pool handle resolves to (RFC 5352 §2.2.6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolution {
    /// The pool's overall policy; Round Robin where the response names none.
    pub policy: Policy,
    /// At least one, in the order in which they should be tried.
    pub pool_elements: Vec<EncodedPoolElement>,
}
