//! Why a registration or a resolution is refused.

use core::fmt;
use rserpool_wire::parameter::{Policy, UserTransport};

/// Why a registration is refused (RFC 5352 §3.1, rules 2, 3 and 5). Nothing has changed then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RegisterError {
    /// The pool has another policy type.
    InconsistentPolicy {
        /// The pool's overall policy.
        pool: Policy,
    },
    /// The pool has another transport type.
    InconsistentTransportType {
        /// A transport of the pool's type: that of its pool element with the lowest identifier.
        pool: UserTransport,
    },
    /// The pool has another data/control channel configuration.
    InconsistentTransportUse,
    /// Longer than [`Limits::pool_handle_octets_max`](crate::Limits::pool_handle_octets_max).
    PoolHandleTooLong,
    /// Longer than [`Limits::element_octets_max`](crate::Limits::element_octets_max).
    ElementTooLong,
    /// [`Limits::pools_max`](crate::Limits::pools_max) is reached.
    TooManyPools,
    /// [`Limits::elements_max`](crate::Limits::elements_max) is reached.
    TooManyElements,
    /// [`Limits::elements_per_pool_max`](crate::Limits::elements_per_pool_max) is reached.
    TooManyElementsInPool,
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InconsistentPolicy { .. } => {
                "the pool has another policy: register with the policy of the pool"
            }
            Self::InconsistentTransportType { .. } => {
                "the pool has another transport type: register with the transport of the pool"
            }
            Self::InconsistentTransportUse => {
                "the pool has another transport use: register with the use of the pool"
            }
            Self::PoolHandleTooLong => "the pool handle is too long: choose a shorter one",
            Self::ElementTooLong => "the pool element is too long: register fewer addresses",
            Self::TooManyPools => "too many pools: raise pools_max or remove pools",
            Self::TooManyElements => {
                "too many pool elements: raise elements_max or remove pool elements"
            }
            Self::TooManyElementsInPool => {
                "too many pool elements in the pool: raise elements_per_pool_max or use more pools"
            }
        })
    }
}

impl core::error::Error for RegisterError {}

/// Why a pool handle resolves to nothing (RFC 5352 §3.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResolveError {
    /// There is no pool of this handle.
    UnknownPool,
    /// There is, but the policy selects none of its pool elements: all have weight 0
    /// (RFC 5356 §3.2) or, under Randomized Least Used, are fully utilised.
    NothingSelectable,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownPool => "no such pool: register a pool element with this handle first",
            Self::NothingSelectable => {
                "no pool element can be selected: give one a weight above 0 or free capacity"
            }
        })
    }
}

impl core::error::Error for ResolveError {}
