//! Who and how long: the identifiers and the registration life (RFC 5352 §2, RFC 5354 §3.9-§3.11).

use alloc::sync::Arc;
use core::num::NonZeroU32;

/// A pool handle: the octets that name a pool (RFC 5354 §3.9). Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PoolHandle(Arc<[u8]>);

impl PoolHandle {
    /// A pool handle of these octets.
    pub fn new(octets: &[u8]) -> Self {
        Self(Arc::from(octets))
    }

    /// The octets, without padding.
    pub fn as_octets(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for PoolHandle {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

/// A pool element's identifier, unique within its pool (RFC 5354 §3.14).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PoolElementId(pub u32);

/// A registrar's identifier: random, not zero, kept until it restarts (RFC 5353 §2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RegistrarId(pub NonZeroU32);

impl RegistrarId {
    /// The identifier with this number; zero means "none" on the wire.
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The number on the wire.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

/// How long a registration holds unless it is renewed (RFC 5354 §3.10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegistrationLife {
    /// This many seconds; at most 2^31 - 1.
    Seconds(u32),
    /// For ever (-1 on the wire).
    Infinite,
}
