//! The policies that rsplib has beyond RFC 5356: carried as they are, and selected as they mean.

mod common;

use common::{OnePool, chi_square};
use rserpool_wire::parameter::{Policy, PolicyType};

const RPLU: u32 = 0xb000_1001;
const RLUD: u32 = 0xb000_1002;
const PLUD: u32 = 0xb000_1003;
const RPLUD: u32 = 0xb000_1004;
const WRAND_DPF: u32 = 0xb000_2001;
const LU_DPF: u32 = 0xb000_2002;
const LUD_DPF: u32 = 0xb000_2003;

fn policy<const N: usize>(policy_type: u32, fields: [u32; N]) -> Policy {
    Policy::Other {
        policy_type: PolicyType(policy_type),
        data: fields
            .iter()
            .flat_map(|field| field.to_be_bytes())
            .collect(),
    }
}

fn shares<const N: usize>(policies: [Policy; N]) -> [u64; N] {
    let mut pool = OnePool::of(policies);
    let mut counts = [0; N];
    for number in pool.picks(40_000) {
        counts[number as usize - 1] += 1;
    }
    counts
}

#[test]
fn randomized_priority_least_used_goes_by_what_is_free_after_one_more_request() {
    let quarter = u32::MAX / 4;
    let counts = shares([[0, quarter], [quarter, quarter * 2]].map(|of| policy(RPLU, of)));
    // 1 degree of freedom: below 10.8 in 999 of 1,000 cases.
    assert!(chi_square(&counts, &[0.75, 0.25]) < 10.8, "{counts:?}");
    // The fully loaded comes now and then, and never alone nobody.
    let mut full = OnePool::of([policy(RPLU, [u32::MAX, 1])]);
    assert_eq!(full.resolve(1), [1]);
}

#[test]
fn randomized_least_used_with_degradation_counts_what_was_given() {
    for policy_type in [RLUD, RPLUD] {
        let half = u32::MAX / 2;
        let mut pool = OnePool::of([[0, half], [0, half]].map(|of| policy(policy_type, of)));
        // Another registration, and it is free again; the other one has nothing left.
        pool.resolve_times(10, 2);
        pool.register(1, policy(policy_type, [0, 0]));
        let picks = pool.picks(1_000);
        assert!(picks.iter().filter(|&&number| number == 1).count() > 990);
    }
}

#[test]
fn priority_least_used_with_degradation_sorts_by_load_after_the_next_request() {
    let mut pool = OnePool::of([[0, 30], [10, 10], [25, 0]].map(|of| policy(PLUD, of)));
    // 30, 20, 25; then 30, 30, 25, of which the third stays.
    assert_eq!(pool.resolve(1), [2]);
    assert_eq!(pool.resolve(1), [3]);
    assert_eq!(pool.resolve(1), [3]);
}

#[test]
fn least_used_with_a_distance_penalty_prefers_the_near() {
    // Load 100 far away, load 120 near.
    let far_and_near = |policy_type| {
        [[100, 1, 50], [120, 1, 10]].map(|[load, factor, distance]| match policy_type {
            LU_DPF => policy(LU_DPF, [load, factor, distance]),
            _ => policy(LUD_DPF, [load, 50, factor, distance]),
        })
    };
    assert_eq!(OnePool::of(far_and_near(LU_DPF)).resolve(2), [2, 1]);
    let mut degrading = OnePool::of(far_and_near(LUD_DPF));
    assert_eq!(degrading.resolve(1), [2]);
    // It is 180 now, the other one 150.
    assert_eq!(degrading.resolve(1), [1]);
    // What is too much is the most there is.
    let most = [[0, u32::MAX, u32::MAX], [u32::MAX, 0, 0]].map(|of| policy(LU_DPF, of));
    assert_eq!(OnePool::of(most).resolve(2).len(), 2);
}

#[test]
fn weighted_random_with_a_distance_penalty_loses_weight_with_the_distance() {
    let half_per_50 = u32::MAX / 100;
    let weights = [[100, 0, 50], [100, half_per_50, 50]];
    let counts = shares(weights.map(|of| policy(WRAND_DPF, of)));
    let expected = [100.0 / 151.0, 51.0 / 151.0];
    assert!(chi_square(&counts, &expected) < 10.8, "{counts:?}");
    // Nothing would be left: the least that can be selected.
    let mut far = OnePool::of([policy(WRAND_DPF, [100, u32::MAX, 50])]);
    assert_eq!(far.resolve(1), [1]);
    let mut none = OnePool::of([[0, 0, 0], [1, 0, 0]].map(|of| policy(WRAND_DPF, of)));
    assert_eq!(none.resolve(2), [2]);
}

/// Whatever the length of the parameter, the pool element can be selected.
#[test]
fn a_parameter_of_another_length_says_nothing() {
    for policy_type in [RPLU, RLUD, PLUD, RPLUD, WRAND_DPF, LU_DPF, LUD_DPF] {
        let mut pool = OnePool::of([policy(policy_type, [1]), policy(policy_type, [])]);
        assert_eq!(pool.resolve(2).len(), 2, "{policy_type:#x}");
    }
}
