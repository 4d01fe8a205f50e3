//! ASAP_DEREGISTRATION (RFC 5352 §2.2.2).

use crate::{PoolElementId, PoolHandle};

/// A pool element leaves its pool (RFC 5352 §2.2.2, §3.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deregistration {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// The pool element that sends this.
    pub pool_element: PoolElementId,
}
