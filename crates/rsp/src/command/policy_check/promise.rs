//! What share of the selections a policy promises to each pool element (RFC 5356).
//!
//! Must not know how selections are made: policies in, shares out.

use rserpool::Policy;

/// What a pool element is promised.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Promise {
    /// Its part of all selections.
    pub(super) share: f64,
    /// How far from it what is seen may lie.
    pub(super) bound: f64,
}

/// How a policy deals.
enum Deal {
    /// In parts of a whole, in turns: nothing is left to chance.
    InTurns(Vec<f64>),
    /// In parts of a whole, by lot.
    ByLot(Vec<f64>),
}

/// A lottery is farther from its shares once in 15,000 times (normal distribution).
const STANDARD_DEVIATIONS: f64 = 4.0;

/// What the policy promises each pool element in so many selections; `None` if all do not have
/// the same policy, or one that is not of RFC 5356.
pub(super) fn promises(policies: &[Policy], selections: u32) -> Option<Vec<Promise>> {
    let first = policies.first()?.policy_type();
    if policies.iter().any(|policy| policy.policy_type() != first) {
        return None;
    }
    let of = |value: fn(&Policy) -> Option<f64>| {
        let values = policies.iter().map(value);
        values.collect::<Option<Vec<f64>>>()
    };
    let deal = match policies.first()? {
        Policy::RoundRobin => Deal::InTurns(vec![1.0; policies.len()]),
        Policy::Random => Deal::ByLot(vec![1.0; policies.len()]),
        Policy::WeightedRoundRobin { .. } => Deal::InTurns(of(weight)?),
        Policy::WeightedRandom { .. } => Deal::ByLot(of(weight)?),
        Policy::RandomizedLeastUsed { .. } => Deal::ByLot(of(free)?),
        Policy::Priority { .. } => Deal::InTurns(only_lowest(&of(negative_priority)?)),
        Policy::LeastUsed { .. } | Policy::PriorityLeastUsed { .. } => {
            Deal::InTurns(only_lowest(&of(load)?))
        }
        Policy::LeastUsedWithDegradation { .. } => {
            Deal::InTurns(degraded(&of(load)?, &of(degradation)?, selections))
        }
        Policy::Other { .. } => return None,
    };
    Some(deal.promises(f64::from(selections)))
}

impl Deal {
    fn promises(self, selections: f64) -> Vec<Promise> {
        let (Self::InTurns(parts) | Self::ByLot(parts)) = &self;
        // Weights that are all 0 are all alike.
        let whole: f64 = parts.iter().sum();
        let equal = 1.0 / parts.iter().map(|_| 1.0).sum::<f64>();
        let promise = |part: &f64| {
            let share = if whole > 0.0 { part / whole } else { equal };
            let bound = match &self {
                // Where its turn begins is not known, nor who else selects in the meantime.
                Self::InTurns(parts) => {
                    let longest = parts.iter().copied().fold(1.0, f64::max);
                    (2.0 * longest + 1.0) / selections
                }
                Self::ByLot(_) => {
                    STANDARD_DEVIATIONS * (share * (1.0 - share) / selections).sqrt()
                        + 1.0 / selections
                }
            };
            Promise {
                share,
                bound: bound.min(1.0),
            }
        };
        parts.iter().map(promise).collect()
    }
}

fn weight(policy: &Policy) -> Option<f64> {
    match policy {
        Policy::WeightedRoundRobin { weight } | Policy::WeightedRandom { weight } => {
            Some(f64::from(*weight))
        }
        Policy::RoundRobin
        | Policy::Random
        | Policy::Priority { .. }
        | Policy::LeastUsed { .. }
        | Policy::LeastUsedWithDegradation { .. }
        | Policy::PriorityLeastUsed { .. }
        | Policy::RandomizedLeastUsed { .. }
        | Policy::Other { .. } => None,
    }
}

/// §5.4.2: weight 0xffffffff - load.
fn free(policy: &Policy) -> Option<f64> {
    if let Policy::RandomizedLeastUsed { load } = policy {
        Some(f64::from(u32::MAX - load))
    } else {
        None
    }
}

fn negative_priority(policy: &Policy) -> Option<f64> {
    if let Policy::Priority { priority } = policy {
        Some(-f64::from(*priority))
    } else {
        None
    }
}

/// §5.1, §5.2; for §5.3, with what one more request adds.
fn load(policy: &Policy) -> Option<f64> {
    match policy {
        Policy::LeastUsed { load } | Policy::LeastUsedWithDegradation { load, .. } => {
            Some(f64::from(*load))
        }
        Policy::PriorityLeastUsed { load, degradation } => {
            Some(f64::from(*load) + f64::from(*degradation))
        }
        Policy::RoundRobin
        | Policy::WeightedRoundRobin { .. }
        | Policy::Random
        | Policy::WeightedRandom { .. }
        | Policy::Priority { .. }
        | Policy::RandomizedLeastUsed { .. }
        | Policy::Other { .. } => None,
    }
}

fn degradation(policy: &Policy) -> Option<f64> {
    if let Policy::LeastUsedWithDegradation { degradation, .. } = policy {
        Some(f64::from(*degradation))
    } else {
        None
    }
}

/// Those with the lowest value share alike, and nobody else has anything.
fn only_lowest(values: &[f64]) -> Vec<f64> {
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let is_lowest = |value: &f64| if *value <= lowest { 1.0 } else { 0.0 };
    values.iter().map(is_lowest).collect()
}

/// §5.2.2: the one with the lowest load and what was added to it, again and again; as parts that
/// are not larger than 1, as they say nothing of turns.
fn degraded(loads: &[f64], steps: &[f64], selections: u32) -> Vec<f64> {
    let mut loads = loads.to_vec();
    let mut parts = vec![0.0; loads.len()];
    for _ in 0..selections {
        // Of those that are alike, the one that was selected least.
        let key = |index: &usize| (loads[*index], parts[*index]);
        let order = |one: &usize, other: &usize| key(one).partial_cmp(&key(other));
        let next = (0..loads.len())
            .min_by(|one, other| order(one, other).unwrap_or(std::cmp::Ordering::Equal));
        let Some(next) = next else { break };
        loads[next] += steps[next];
        parts[next] += 1.0 / f64::from(selections);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(policies: &[Policy]) -> Vec<f64> {
        let promises = promises(policies, 600).unwrap();
        let shares = promises.iter().map(|promise| promise.share);
        shares
            .map(|share| (share * 1000.0).round() / 1000.0)
            .collect()
    }

    #[test]
    fn each_policy_promises_its_shares() {
        let third = [0.333; 3];
        assert_eq!(shares(&[const { Policy::RoundRobin }; 3]), third);
        assert_eq!(shares(&[const { Policy::Random }; 3]), third);
        let weighted = [3, 1, 2].map(|weight| Policy::WeightedRoundRobin { weight });
        assert_eq!(shares(&weighted), [0.5, 0.167, 0.333]);
        let weighted = [3, 1, 2].map(|weight| Policy::WeightedRandom { weight });
        assert_eq!(shares(&weighted), [0.5, 0.167, 0.333]);
        let none = [0, 0].map(|weight| Policy::WeightedRandom { weight });
        assert_eq!(shares(&none), [0.5, 0.5]);
        let priorities = [1, 7, 7].map(|priority| Policy::Priority { priority });
        assert_eq!(shares(&priorities), [0.0, 0.5, 0.5]);
        let loads = [5, 6, 5].map(|load| Policy::LeastUsed { load });
        assert_eq!(shares(&loads), [0.5, 0.0, 0.5]);
        let loads = [(5, 3), (6, 1)];
        let loads =
            loads.map(|(load, degradation)| Policy::PriorityLeastUsed { load, degradation });
        assert_eq!(shares(&loads), [0.0, 1.0]);
        let loads = [u32::MAX, 0].map(|load| Policy::RandomizedLeastUsed { load });
        assert_eq!(shares(&loads), [0.0, 1.0]);
        let loads = [(0, 2), (0, 1), (0, 4)];
        let loads =
            loads.map(|(load, degradation)| Policy::LeastUsedWithDegradation { load, degradation });
        assert_eq!(shares(&loads), [0.287, 0.57, 0.143]);
    }

    #[test]
    fn nothing_is_promised_for_what_is_not_known() {
        let other = Policy::Other {
            policy_type: rserpool::PolicyType(0x8000_0001),
            data: [].into(),
        };
        assert_eq!(promises(&[other], 10), None);
        assert_eq!(promises(&[Policy::RoundRobin, Policy::Random], 10), None);
        assert_eq!(promises(&[], 10), None);
    }

    #[test]
    fn a_lottery_may_stray_and_turns_may_not() {
        let lottery = promises(&[const { Policy::Random }; 2], 10_000).unwrap();
        assert!((lottery[0].bound - 0.0201).abs() < 1e-9, "{lottery:?}");
        let turns = promises(&[const { Policy::RoundRobin }; 2], 10_000).unwrap();
        assert!((turns[0].bound - 0.0003).abs() < 1e-9, "{turns:?}");
    }
}
