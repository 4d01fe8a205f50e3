//! Pool Member Selection Policy parameter (RFC 5354 §3.8, RFC 5356).

use alloc::boxed::Box;

/// A policy type (RFC 5356 §7.1): a number of which some are named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PolicyType(pub u32);

impl PolicyType {
    /// Round Robin (RFC 5356 §4.1).
    pub const ROUND_ROBIN: Self = Self(0x0000_0001);
    /// Weighted Round Robin (RFC 5356 §4.2).
    pub const WEIGHTED_ROUND_ROBIN: Self = Self(0x0000_0002);
    /// Random (RFC 5356 §4.3).
    pub const RANDOM: Self = Self(0x0000_0003);
    /// Weighted Random (RFC 5356 §4.4).
    pub const WEIGHTED_RANDOM: Self = Self(0x0000_0004);
    /// Priority (RFC 5356 §4.5).
    pub const PRIORITY: Self = Self(0x0000_0005);
    /// Least Used (RFC 5356 §5.1).
    pub const LEAST_USED: Self = Self(0x4000_0001);
    /// Least Used with Degradation (RFC 5356 §5.2).
    pub const LEAST_USED_WITH_DEGRADATION: Self = Self(0x4000_0002);
    /// Priority Least Used (RFC 5356 §5.3).
    pub const PRIORITY_LEAST_USED: Self = Self(0x4000_0003);
    /// Randomized Least Used (RFC 5356 §5.4).
    pub const RANDOMIZED_LEAST_USED: Self = Self(0x4000_0004);
}

/// A pool member selection policy with the values of one pool element (RFC 5356 §4, §5).
/// Loads are fractions of 0xffffffff (RFC 5356 §3.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Policy {
    /// Each in turn.
    RoundRobin,
    /// Each in turn, as often as its weight says; weight 0 never.
    WeightedRoundRobin {
        /// Capacity relative to the others.
        weight: u32,
    },
    /// Any.
    Random,
    /// Any, as likely as its weight says; weight 0 never.
    WeightedRandom {
        /// Capacity relative to the others.
        weight: u32,
    },
    /// The highest priority first.
    Priority {
        /// Larger is preferred.
        priority: u32,
    },
    /// The lowest load first.
    LeastUsed {
        /// Current load.
        load: u32,
    },
    /// The lowest load first, counting what was handed out since the load was told.
    LeastUsedWithDegradation {
        /// Current load.
        load: u32,
        /// What one more selection adds.
        degradation: u32,
    },
    /// The lowest load after one more request.
    PriorityLeastUsed {
        /// Current load.
        load: u32,
        /// What one more request adds.
        degradation: u32,
    },
    /// Any, as likely as it is free.
    RandomizedLeastUsed {
        /// Current load.
        load: u32,
    },
    /// A policy this crate does not know, carried unchanged (private use: 0x80000000 and up).
    Other {
        /// Its type.
        policy_type: PolicyType,
        /// The policy-specific octets.
        data: Box<[u8]>,
    },
}

impl Policy {
    /// The policy's type, which all pool elements of a pool share.
    pub fn policy_type(&self) -> PolicyType {
        match self {
            Self::RoundRobin => PolicyType::ROUND_ROBIN,
            Self::WeightedRoundRobin { .. } => PolicyType::WEIGHTED_ROUND_ROBIN,
            Self::Random => PolicyType::RANDOM,
            Self::WeightedRandom { .. } => PolicyType::WEIGHTED_RANDOM,
            Self::Priority { .. } => PolicyType::PRIORITY,
            Self::LeastUsed { .. } => PolicyType::LEAST_USED,
            Self::LeastUsedWithDegradation { .. } => PolicyType::LEAST_USED_WITH_DEGRADATION,
            Self::PriorityLeastUsed { .. } => PolicyType::PRIORITY_LEAST_USED,
            Self::RandomizedLeastUsed { .. } => PolicyType::RANDOMIZED_LEAST_USED,
            Self::Other { policy_type, .. } => *policy_type,
        }
    }
}
