//! ASAP_ENDPOINT_KEEP_ALIVE_ACK (RFC 5352 §2.2.8).

use crate::{PoolElementId, PoolHandle};

/// A pool element's answer to a keep-alive (RFC 5352 §2.2.8).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointKeepAliveAck {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// The pool element that answers.
    pub pool_element: PoolElementId,
}
