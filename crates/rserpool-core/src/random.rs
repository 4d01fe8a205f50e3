//! What the machines draw from their generator.
//!
//! Must not know where the seed comes from.

use rand_core::Rng;
use std::time::Duration;

/// A duration between `low` and `high`, both included, evenly distributed.
pub(crate) fn duration_between(rng: &mut impl Rng, low: Duration, high: Duration) -> Duration {
    let span = u64::try_from(high.saturating_sub(low).as_nanos()).unwrap_or(u64::MAX - 1);
    low.saturating_add(Duration::from_nanos(below(rng, span.saturating_add(1))))
}

/// A number below `bound`, which is not zero. The bias is below 2^-32 for all durations in use.
pub(crate) fn below(rng: &mut impl Rng, bound: u64) -> u64 {
    let product = u128::from(rng.next_u64()) * u128::from(bound);
    u64::try_from(product >> 64).unwrap_or(0)
}

/// The duration, varied by plus or minus 50 % (RFC 5352 §3.5).
pub(crate) fn around(rng: &mut impl Rng, mean: Duration) -> Duration {
    duration_between(rng, mean / 2, mean.saturating_mul(3) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;

    #[test]
    fn fifty_percent_are_reached_and_not_exceeded() {
        let mut rng = Pcg64::seed_from_u64(1);
        let mean = Duration::from_millis(1000);
        let drawn: Vec<_> = (0..10_000).map(|_| around(&mut rng, mean)).collect();
        let least = drawn.iter().min().unwrap();
        let most = drawn.iter().max().unwrap();
        assert!(*least >= mean / 2 && *least < Duration::from_millis(502));
        assert!(*most <= mean * 3 / 2 && *most > Duration::from_millis(1498));
    }
}
