//! How much strangers may put into a handlespace.

/// The bounds of a handlespace. What exceeds one is refused with the error named after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Pools.
    pub pools_max: usize,
    /// Pool elements in all pools together.
    pub elements_max: usize,
    /// Pool elements in one pool.
    pub elements_per_pool_max: usize,
    /// Octets of a pool handle.
    pub pool_handle_octets_max: usize,
    /// Octets of one encoded pool element.
    pub element_octets_max: usize,
}

impl Limits {
    /// Slots are 32-bit numbers, and the exact arithmetic of Weighted Round Robin needs one bit
    /// to spare. No setting goes beyond this.
    pub(crate) const SLOTS_MAX: usize = (u32::MAX / 2) as usize;
}

impl Default for Limits {
    /// At most some 100 MB with ordinary pool elements (below 400 octets each), at most 0.6 GB
    /// with the longest that are admitted.
    fn default() -> Self {
        Self {
            // A pool costs about as much as two pool elements.
            pools_max: 65_536,
            // Two and a half times the largest scope that is measured (100,000).
            elements_max: 262_144,
            // One pool may be all of the handlespace.
            elements_per_pool_max: 262_144,
            // The longest domain name, the longest natural handle.
            pool_handle_octets_max: 255,
            // Two transports with 48 IPv6 addresses each.
            element_octets_max: 2_048,
        }
    }
}
