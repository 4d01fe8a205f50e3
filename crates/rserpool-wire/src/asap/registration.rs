//! ASAP_REGISTRATION (RFC 5352 §2.2.1).

use crate::PoolHandle;
use crate::parameter::PoolElement;

/// A pool element registers, or renews its registration (RFC 5352 §2.2.1, §3.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    /// The pool to join or to create.
    pub pool_handle: PoolHandle,
    /// The pool element itself.
    pub pool_element: PoolElement,
}
