//! Time as a number that comes in from outside.
//!
//! Must not know any clock: whoever drives a machine says what time it is.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time: how long after a start that the driver chose. Never runs backwards.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(pub Duration);

impl Timestamp {
    /// The driver's start.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// How long this is after `earlier`; zero if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The point in nanoseconds, at most 584 years after the start.
    pub(crate) fn nanoseconds(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A timestamp in 8 octets instead of 16, also if optional: there is one for each pool element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CompactTimestamp(NonZeroU64);

impl From<Timestamp> for CompactTimestamp {
    fn from(timestamp: Timestamp) -> Self {
        Self(NonZeroU64::MIN.saturating_add(timestamp.nanoseconds()))
    }
}

impl From<CompactTimestamp> for Timestamp {
    fn from(compact: CompactTimestamp) -> Self {
        Self(Duration::from_nanos(compact.0.get() - 1))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// The end of time if it is beyond.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    /// The driver's start if it is before.
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06} s", self.0.as_secs(), self.0.subsec_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_saturates_at_both_ends() {
        let end = Timestamp(Duration::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
        assert_eq!(Timestamp::ZERO - Duration::from_secs(1), Timestamp::ZERO);
        assert_eq!(Timestamp::ZERO.since(end), Duration::ZERO);
        assert_eq!(end.nanoseconds(), u64::MAX);
    }

    #[test]
    fn a_compact_timestamp_is_the_same_time_in_8_octets() {
        assert_eq!(size_of::<Option<CompactTimestamp>>(), 8);
        for time in [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_secs(9_999_999),
        ] {
            let compact = CompactTimestamp::from(Timestamp(time));
            assert_eq!(Timestamp::from(compact), Timestamp(time));
        }
    }

    #[test]
    fn it_is_shown_in_seconds() {
        let time = Timestamp(Duration::from_micros(12_000_345));
        assert_eq!(time.to_string(), "12.000345 s");
    }
}
