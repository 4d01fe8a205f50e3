//! A limit on how often something may happen.
//!
//! Must not know what.

use crate::Timestamp;
use std::time::Duration;

/// So many per second, and as many in a burst.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct RateLimit {
    /// When all that was admitted is paid for.
    paid_at: Timestamp,
}

impl RateLimit {
    /// Whether one more is within the rate; if so, it counts.
    pub(crate) fn admit(&mut self, now: Timestamp, per_second: u32) -> bool {
        let second = Duration::from_secs(1);
        let Some(price) = second.checked_div(per_second) else {
            return false;
        };
        let paid_at = self.paid_at.max(now) + price;
        let is_within = paid_at.since(now) <= second;
        if is_within {
            self.paid_at = paid_at;
        }
        is_within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(limit: &mut RateLimit, milliseconds: u64) -> usize {
        let now = Timestamp(Duration::from_millis(milliseconds));
        (0..100).filter(|_| limit.admit(now, 10)).count()
    }

    #[test]
    fn a_burst_is_a_second_worth_and_then_the_rate_holds() {
        let mut limit = RateLimit::default();
        assert_eq!(admitted(&mut limit, 0), 10);
        assert_eq!(admitted(&mut limit, 0), 0);
        assert_eq!(admitted(&mut limit, 500), 5);
        assert_eq!(admitted(&mut limit, 100_000), 10);
        assert!(!limit.admit(Timestamp::ZERO, 0));
    }
}
