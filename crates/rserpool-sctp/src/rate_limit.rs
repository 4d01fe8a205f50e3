//! How many answers to strangers there are in a second.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;

use crate::time::Timestamp;

/// INITs answered in a second, and in one burst. Each costs some seven microseconds, so that a
/// flood takes a third of a processor; 10,000 peers that come back at once are all answered.
const INITS_PER_SECOND: u32 = 40_000;

/// Of one host: a flood that bears its sender's address leaves the others half of it all.
const INITS_OF_ONE_HOST_PER_SECOND: u32 = 20_000;

/// HEARTBEATs in a second, and in one burst, to addresses that peers list and that have not
/// answered yet: they may be anybody's, who gets no more than this of us however many peers lie.
/// 2,000 honest peers with a second address are verified in a second.
pub(crate) const VERIFICATIONS_PER_SECOND: u32 = 2_000;

/// Hosts are told apart by this many counters; those that share one share its limit.
const HOSTS: usize = 256;

/// Allows so many in a second, in bursts of as many.
#[derive(Clone, Debug)]
pub(crate) struct RateLimit {
    per_second: u32,
    left: u32,
    refilled: Timestamp,
}

impl RateLimit {
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            left: per_second,
            refilled: Timestamp::ZERO,
        }
    }

    pub(crate) fn allows(&mut self, now: Timestamp) -> bool {
        let elapsed = now.saturating_duration_since(self.refilled);
        let earned = elapsed.as_micros() * u128::from(self.per_second) / 1_000_000;
        if let Ok(earned @ 1..) = u32::try_from(earned.min(u128::from(self.per_second))) {
            self.left = (self.left + earned).min(self.per_second);
            self.refilled = self.refilled.max(now);
        }
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}

/// How many INITs are answered.
pub(crate) struct InitLimit {
    all: RateLimit,
    by_host: Vec<RateLimit>,
    /// Nobody can choose an address that shares the counter of another.
    key: u64,
}

impl InitLimit {
    pub(crate) fn new(key: u64) -> Self {
        Self {
            all: RateLimit::new(INITS_PER_SECOND),
            by_host: vec![RateLimit::new(INITS_OF_ONE_HOST_PER_SECOND); HOSTS],
            key,
        }
    }

    pub(crate) fn allows(&mut self, now: Timestamp, from: IpAddr) -> bool {
        let mut hasher = DefaultHasher::new();
        self.key.hash(&mut hasher);
        // A host has as many IPv6 addresses as it likes, of one network.
        match from {
            IpAddr::V4(v4) => v4.hash(&mut hasher),
            IpAddr::V6(v6) => v6.segments()[..4].hash(&mut hasher),
        }
        let hosts = u64::try_from(HOSTS).expect("it is small");
        let host = usize::try_from(hasher.finish() % hosts).expect("it is below HOSTS");
        self.by_host[host].allows(now) && self.all.allows(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_allowed_is_limited_and_the_limit_refills() {
        let mut limit = RateLimit::new(2_000);
        let allowed = (0..6_000).filter(|_| limit.allows(Timestamp::ZERO));
        assert_eq!(allowed.count(), 2_000);
        let later = Timestamp(Duration::from_millis(5));
        let allowed = (0..2_000).filter(|_| limit.allows(later));
        assert_eq!(allowed.count(), 10);
    }

    #[test]
    fn a_flood_from_one_host_leaves_others_their_share() {
        let mut limit = InitLimit::new(7);
        let now = Timestamp::ZERO;
        let flood = IpAddr::from([10, 0, 0, 1]);
        let allowed = (0..100_000).filter(|_| limit.allows(now, flood));
        assert_eq!(allowed.count(), 20_000);
        let others = (0..30_000_u32).map(|host| IpAddr::from((0x0b00_0000 + host).to_be_bytes()));
        let allowed = others.filter(|from| limit.allows(now, *from)).count();
        // One of 256 shares the counter of the flood.
        assert_eq!(allowed, 20_000);
    }
}
