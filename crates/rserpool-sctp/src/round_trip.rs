//! RTO as RFC 9260 §6.3.1 has it, measured by heartbeats.

use std::time::Duration;

use crate::config::Timers;

pub(crate) struct RoundTrip {
    /// SRTT and RTTVAR.
    smoothed: Option<(Duration, Duration)>,
    rto: Duration,
}

impl RoundTrip {
    pub(crate) fn new(timers: &Timers) -> Self {
        Self {
            smoothed: None,
            rto: timers.rto_initial,
        }
    }

    pub(crate) fn rto(&self) -> Duration {
        self.rto
    }

    pub(crate) fn observe(&mut self, measured: Duration, timers: &Timers) {
        let (smoothed, variation) = match self.smoothed {
            None => (measured, measured / 2),
            Some((smoothed, variation)) => (
                (smoothed * 7 + measured) / 8,
                (variation * 3 + smoothed.abs_diff(measured)) / 4,
            ),
        };
        self.smoothed = Some((smoothed, variation));
        self.rto = (smoothed + variation * 4).clamp(timers.rto_min, timers.rto_max);
    }
}
