//! ASAP_HANDLE_RESOLUTION (RFC 5352 §2.2.5).

use crate::PoolHandle;

/// Asks for the pool elements of a pool (RFC 5352 §2.2.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandleResolution {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// S bit: send a new response whenever the pool changes.
    pub subscribe: bool,
    /// How many pool elements are wanted (parameter 0x803f of
    /// draft-dreibholz-rserpool-asap-hropt); `None`: as many as the registrar likes.
    pub items: Option<u32>,
}
