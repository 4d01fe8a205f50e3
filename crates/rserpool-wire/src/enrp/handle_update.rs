//! ENRP_HANDLE_UPDATE (RFC 5353 §2.4).

use crate::parameter::EncodedPoolElement;
use crate::{PoolHandle, RegistrarId};

/// A home registrar tells its peers of one pool element (RFC 5353 §2.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandleUpdate {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
    /// Added or updated, or deleted.
    pub action: UpdateAction,
    /// The pool.
    pub pool_handle: PoolHandle,
    /// The pool element.
    pub pool_element: EncodedPoolElement,
}

/// What to do with the pool element (RFC 5353 §2.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateAction {
    /// ADD_PE: add or update it.
    Add,
    /// DEL_PE: delete it.
    Delete,
}
