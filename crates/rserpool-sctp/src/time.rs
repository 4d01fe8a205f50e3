//! The driver's time, without a clock.

use std::ops::Add;
use std::time::Duration;

/// A point in time: how long after an arbitrary start that the driver chooses once.
///
/// The endpoint never asks what time it is; every entry point takes `now`. Time that runs
/// backwards is taken as standing still.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Default)]
pub struct Timestamp(pub Duration);

impl Timestamp {
    /// The driver's start.
    pub const ZERO: Timestamp = Timestamp(Duration::ZERO);

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn saturating_duration_since(self, earlier: Timestamp) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, later: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(later))
    }
}
