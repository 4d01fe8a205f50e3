//! Time as a number that comes in from outside.
//!
//! Must not know any clock: whoever drives a machine says what time it is.

use std::fmt;
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
    fn it_is_shown_in_seconds() {
        let time = Timestamp(Duration::from_micros(12_000_345));
        assert_eq!(time.to_string(), "12.000345 s");
    }
}
