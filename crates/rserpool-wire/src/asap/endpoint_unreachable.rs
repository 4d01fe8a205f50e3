//! ASAP_ENDPOINT_UNREACHABLE (RFC 5352 §2.2.9).

use crate::{PoolElementId, PoolHandle};

/// A report that a pool element cannot be reached (RFC 5352 §2.2.9).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointUnreachable {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// The pool element that could not be reached.
    pub pool_element: PoolElementId,
}
