//! Pool Member Selection Policy parameter
//! ([RFC 5354 §3.8](https://www.rfc-editor.org/rfc/rfc5354#section-3.8),
//! [RFC 5356 §4, §5](https://www.rfc-editor.org/rfc/rfc5356#section-4)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │         Type = 0x0008         │             Length            │
//! ├───────────────────────────────┴───────────────────────────────┤
//! │                          Policy Type                          │
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                      Policy-specific Data                     ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```
//!
//! What a policy does with its values is not this crate's business.

use super::ParameterType;
use crate::error::{DecodeErrorKind, Fault};
use crate::hex::Hex;
use crate::reader::Parameter;
use crate::writer::{Sink, Writer};
use alloc::boxed::Box;
use core::fmt;

/// The most octets of policy-specific data: the known policies have eight, private ones up to
/// twenty, and many pool elements must fit one message.
pub const POLICY_DATA_OCTETS_MAX: usize = 1024;

/// A policy type (RFC 5356 §7.1): a number of which some are named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PolicyType(pub u32);

impl PolicyType {
    /// Reserved as invalid (RFC 5356 §7.1).
    pub const INVALID: Self = Self(0x0000_0000);
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
    /// Reserved as invalid (RFC 5356 §7.1).
    pub const INVALID_ADAPTIVE: Self = Self(0x4000_0000);
    /// Least Used (RFC 5356 §5.1).
    pub const LEAST_USED: Self = Self(0x4000_0001);
    /// Least Used with Degradation (RFC 5356 §5.2).
    pub const LEAST_USED_WITH_DEGRADATION: Self = Self(0x4000_0002);
    /// Priority Least Used (RFC 5356 §5.3).
    pub const PRIORITY_LEAST_USED: Self = Self(0x4000_0003);
    /// Randomized Least Used (RFC 5356 §5.4).
    pub const RANDOMIZED_LEAST_USED: Self = Self(0x4000_0004);

    /// Whether this is a valid type of a policy that this crate does not know.
    fn is_other(self) -> bool {
        !matches!(
            self,
            Self::INVALID
                | Self::ROUND_ROBIN
                | Self::WEIGHTED_ROUND_ROBIN
                | Self::RANDOM
                | Self::WEIGHTED_RANDOM
                | Self::PRIORITY
                | Self::INVALID_ADAPTIVE
                | Self::LEAST_USED
                | Self::LEAST_USED_WITH_DEGRADATION
                | Self::PRIORITY_LEAST_USED
                | Self::RANDOMIZED_LEAST_USED
        )
    }
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
    /// A policy this crate does not know, carried unchanged (private use: 0x80000000 and up). With
    /// a type that this crate does know, or an invalid one, it is sent as Round Robin.
    Other {
        /// Its type.
        policy_type: PolicyType,
        /// The policy-specific octets; the first [`POLICY_DATA_OCTETS_MAX`] are sent.
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

    pub(crate) fn read<'a>(parameter: &Parameter<'a>) -> Result<Self, Fault<'a>> {
        let mut value = parameter.value();
        let policy = match PolicyType(value.u32()?) {
            PolicyType::ROUND_ROBIN => Self::RoundRobin,
            PolicyType::WEIGHTED_ROUND_ROBIN => Self::WeightedRoundRobin {
                weight: value.u32()?,
            },
            PolicyType::RANDOM => Self::Random,
            PolicyType::WEIGHTED_RANDOM => Self::WeightedRandom {
                weight: value.u32()?,
            },
            PolicyType::PRIORITY => Self::Priority {
                priority: value.u32()?,
            },
            PolicyType::LEAST_USED => Self::LeastUsed { load: value.u32()? },
            PolicyType::LEAST_USED_WITH_DEGRADATION => Self::LeastUsedWithDegradation {
                load: value.u32()?,
                degradation: value.u32()?,
            },
            PolicyType::PRIORITY_LEAST_USED => Self::PriorityLeastUsed {
                load: value.u32()?,
                degradation: value.u32()?,
            },
            PolicyType::RANDOMIZED_LEAST_USED => Self::RandomizedLeastUsed { load: value.u32()? },
            PolicyType::INVALID | PolicyType::INVALID_ADAPTIVE => {
                return Err(parameter.fault(DecodeErrorKind::InvalidPolicyType));
            }
            policy_type => Self::Other {
                policy_type,
                data: value
                    .rest_within(POLICY_DATA_OCTETS_MAX, parameter.kind)?
                    .into(),
            },
        };
        value.end()?;
        Ok(policy)
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.parameter(ParameterType::POLICY, |w| {
            let policy_type = if let Self::Other { policy_type, .. } = self
                && !policy_type.is_other()
            {
                PolicyType::ROUND_ROBIN
            } else {
                self.policy_type()
            };
            w.u32(policy_type.0);
            match self {
                Self::RoundRobin | Self::Random => {}
                Self::WeightedRoundRobin { weight } | Self::WeightedRandom { weight } => {
                    w.u32(*weight);
                }
                Self::Priority { priority } => w.u32(*priority),
                Self::LeastUsed { load } | Self::RandomizedLeastUsed { load } => w.u32(*load),
                Self::LeastUsedWithDegradation { load, degradation }
                | Self::PriorityLeastUsed { load, degradation } => {
                    w.u32(*load);
                    w.u32(*degradation);
                }
                Self::Other { policy_type, data } if policy_type.is_other() => {
                    w.octets(&data[..data.len().min(POLICY_DATA_OCTETS_MAX)]);
                }
                Self::Other { .. } => {}
            }
        });
    }
}

impl fmt::Display for PolicyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::ROUND_ROBIN => "round-robin",
            Self::WEIGHTED_ROUND_ROBIN => "weighted-round-robin",
            Self::RANDOM => "random",
            Self::WEIGHTED_RANDOM => "weighted-random",
            Self::PRIORITY => "priority",
            Self::LEAST_USED => "least-used",
            Self::LEAST_USED_WITH_DEGRADATION => "least-used-with-degradation",
            Self::PRIORITY_LEAST_USED => "priority-least-used",
            Self::RANDOMIZED_LEAST_USED => "randomized-least-used",
            Self(other) => return write!(f, "policy {other:#010x}"),
        })
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.policy_type().fmt(f)?;
        match self {
            Self::RoundRobin | Self::Random => Ok(()),
            Self::WeightedRoundRobin { weight } | Self::WeightedRandom { weight } => {
                write!(f, " weight {weight}")
            }
            Self::Priority { priority } => write!(f, " {priority}"),
            Self::LeastUsed { load } | Self::RandomizedLeastUsed { load } => {
                write!(f, " load {}", Percent(*load))
            }
            Self::LeastUsedWithDegradation { load, degradation }
            | Self::PriorityLeastUsed { load, degradation } => {
                let (load, degradation) = (Percent(*load), Percent(*degradation));
                write!(f, " load {load} degradation {degradation}")
            }
            Self::Other { data, .. } => write!(f, " {}", Hex::line(data)),
        }
    }
}

/// A load: a fraction of 0xffffffff (RFC 5356 §3.1).
struct Percent(u32);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = u64::from(self.0) * 10_000 / u64::from(u32::MAX);
        write!(f, "{}.{:02}%", hundredths / 100, hundredths % 100)
    }
}
