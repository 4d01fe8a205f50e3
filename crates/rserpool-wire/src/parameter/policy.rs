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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::*;
    use alloc::string::ToString;

    fn read(digits: &str) -> Result<Policy, DecodeErrorKind> {
        read_parameter(digits, |parameter, _| {
            Policy::read(parameter).map_err(|fault| fault.error.kind)
        })
    }

    fn both_ways(digits: &str, policy: &Policy, shown: &str) {
        assert_eq!(written(|w| policy.write(w)), hex(digits));
        assert_eq!(read(digits).as_ref(), Ok(policy));
        assert_eq!(policy.to_string(), shown);
    }

    #[test]
    fn non_adaptive_policies() {
        both_ways("00080008 00000001", &Policy::RoundRobin, "round-robin");
        both_ways(
            "0008000c 00000002 00000007",
            &Policy::WeightedRoundRobin { weight: 7 },
            "weighted-round-robin weight 7",
        );
        both_ways("00080008 00000003", &Policy::Random, "random");
        both_ways(
            "0008000c 00000004 00000000",
            &Policy::WeightedRandom { weight: 0 },
            "weighted-random weight 0",
        );
        both_ways(
            "0008000c 00000005 ffffffff",
            &Policy::Priority { priority: u32::MAX },
            "priority 4294967295",
        );
    }

    #[test]
    fn adaptive_policies() {
        both_ways(
            "0008000c 40000001 80000000",
            &Policy::LeastUsed { load: 0x8000_0000 },
            "least-used load 50.00%",
        );
        both_ways(
            "00080010 40000002 ffffffff 028f5c28",
            &Policy::LeastUsedWithDegradation {
                load: u32::MAX,
                degradation: 0x028f_5c28,
            },
            "least-used-with-degradation load 100.00% degradation 0.99%",
        );
        both_ways(
            "00080010 40000003 00000000 028f5c29",
            &Policy::PriorityLeastUsed {
                load: 0,
                degradation: 0x028f_5c29,
            },
            "priority-least-used load 0.00% degradation 1.00%",
        );
        both_ways(
            "0008000c 40000004 00000001",
            &Policy::RandomizedLeastUsed { load: 1 },
            "randomized-least-used load 0.00%",
        );
    }

    /// Among them rsplib's own, 0xb0001001 and its neighbours.
    #[test]
    fn other_policies_are_carried() {
        let other = |number, data: &[u8]| Policy::Other {
            policy_type: PolicyType(number),
            data: data.into(),
        };
        both_ways(
            "00080010 b0001001 00000001 00000002",
            &other(0xb000_1001, &[0, 0, 0, 1, 0, 0, 0, 2]),
            "policy 0xb0001001 0000000100000002",
        );
        both_ways(
            "00080009 00000006 ff000000",
            &other(6, &[0xff]),
            "policy 0x00000006 ff",
        );
        both_ways(
            "00080008 80000000",
            &other(0x8000_0000, &[]),
            "policy 0x80000000 -",
        );
    }

    #[test]
    fn lengths_are_those_of_rfc_5356() {
        assert_eq!(read("00080006 00000000"), Err(DecodeErrorKind::Incomplete));
        assert_eq!(read("00080008 00000002"), Err(DecodeErrorKind::Incomplete));
        assert_eq!(
            read("0008000c 40000002 00000000"),
            Err(DecodeErrorKind::Incomplete)
        );
        let round_robin_with_more = read("0008000c 00000001 00000000");
        assert_eq!(round_robin_with_more, Err(DecodeErrorKind::ValueTooLong));
    }

    #[test]
    fn reserved_types_are_invalid() {
        assert_eq!(
            read("00080008 00000000"),
            Err(DecodeErrorKind::InvalidPolicyType)
        );
        assert_eq!(
            read("00080008 40000000"),
            Err(DecodeErrorKind::InvalidPolicyType)
        );
    }

    /// Such values could not be read again.
    #[test]
    fn other_with_a_known_or_an_invalid_type_is_sent_as_round_robin() {
        for number in [0, 1, 2, 5, 0x4000_0000, 0x4000_0002] {
            let policy = Policy::Other {
                policy_type: PolicyType(number),
                data: [1, 2, 3].into(),
            };
            assert_eq!(written(|w| policy.write(w)), hex("00080008 00000001"));
        }
    }

    #[test]
    fn policy_data_is_bounded() {
        let other = |octets: usize| Policy::Other {
            policy_type: PolicyType(0x8000_0001),
            data: alloc::vec![1; octets].into(),
        };
        let longest = written(|w| other(POLICY_DATA_OCTETS_MAX).write(w));
        assert_eq!(written(|w| other(2000).write(w)), longest);
        let digits = alloc::format!("00080409 80000001 {} 000000", "01".repeat(1025));
        let exceeded = DecodeErrorKind::LimitExceeded(ParameterType::POLICY);
        assert_eq!(read(&digits), Err(exceeded));
    }
}
