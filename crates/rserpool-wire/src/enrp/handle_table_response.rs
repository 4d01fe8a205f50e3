//! ENRP_HANDLE_TABLE_RESPONSE (RFC 5353 §2.3).

use crate::parameter::EncodedPoolElement;
use crate::{PoolHandle, RegistrarId};
use alloc::vec::Vec;

/// A part of a handlespace (RFC 5353 §2.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandleTableResponse {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
    /// The pool entries and whether more follow; `Err`: rejected (R flag).
    pub result: Result<HandleTable, Rejected>,
}

/// Pool entries of a handlespace (RFC 5353 §2.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandleTable {
    /// M flag: more pool entries follow in a later response.
    pub more_to_send: bool,
    /// The pool entries.
    pub pool_entries: Vec<PoolEntry>,
}

/// A pool and some of its pool elements (RFC 5353 §2.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoolEntry {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// At least one.
    pub pool_elements: Vec<EncodedPoolElement>,
}

/// The sender rejects the request: it is starting, or under high load (RFC 5353 §2.3, §2.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rejected;
