//! ASAP_ENDPOINT_KEEP_ALIVE (RFC 5352 §2.2.7).

use crate::{PoolElementId, PoolHandle, RegistrarId};

/// A registrar asks a pool element whether it is there (RFC 5352 §2.2.7).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointKeepAlive {
    /// The registrar that asks.
    pub registrar: RegistrarId,
    /// H flag: the sender wants to be the receiver's home registrar.
    pub home: bool,
    /// The pool.
    pub pool_handle: PoolHandle,
    /// The pool element; not in the RFC, sent by rsplib and by us, accepted with and without.
    pub pool_element: Option<PoolElementId>,
}
