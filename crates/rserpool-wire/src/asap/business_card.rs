//! ASAP_BUSINESS_CARD (RFC 5352 §2.2.13).

use crate::PoolHandle;
use crate::parameter::EncodedPoolElement;
use alloc::vec::Vec;

/// Tells the other end of a session the pool and the preferred order of failover
/// (RFC 5352 §2.2.13, §3.9).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BusinessCard {
    /// The sender's pool.
    pub pool_handle: PoolHandle,
    /// Its pool elements, the preferred one first.
    pub pool_elements: Vec<EncodedPoolElement>,
}
