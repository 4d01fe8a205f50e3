//! Randomized Least Used (RFC 5356 §5.4).

mod common;

use common::{OnePool, chi_square, handle, resolution};
use rand_core::SeedableRng;
use rand_pcg::Pcg64;
use rserpool_handlespace::{ResolveError, UserPool};
use rserpool_wire::parameter::Policy;

fn rlu(load: u32) -> Policy {
    Policy::RandomizedLeastUsed { load }
}

#[test]
fn section_5_4_1_the_probability_is_the_part_of_the_unload() {
    let loads = [0, u32::MAX / 2, u32::MAX / 4 * 3, u32::MAX, u32::MAX - 1];
    let unloads = loads.map(|load| f64::from(u32::MAX - load));
    let sum: f64 = unloads.iter().sum();
    let mut pool = OnePool::of(loads.map(rlu));
    let mut counts = [0; 5];
    for number in pool.picks(100_000) {
        counts[number as usize - 1] += 1;
    }
    // 2 degrees of freedom: below 13.8 in 999 of 1,000 cases.
    let shares: Vec<f64> = unloads[..3]
        .iter()
        .map(|unload| unload / (sum - 1.0))
        .collect();
    assert!(chi_square(&counts[..3], &shares) < 13.8);
    assert_eq!(counts[3..], [0, 0]);
}

#[test]
fn section_5_4_2_the_weight_is_the_unload() {
    let mut pool = OnePool::of([u32::MAX, u32::MAX - 1].map(rlu));
    assert_eq!(pool.resolve(9), [2]);
    pool.register(2, rlu(u32::MAX));
    assert_eq!(
        pool.0.resolve(&handle(), 1),
        Err(ResolveError::NothingSelectable)
    );
}

#[test]
fn section_5_4_3_the_pool_user_draws_as_likely_as_each_is_free() {
    let loads = [0, u32::MAX / 4 * 3, u32::MAX];
    let mut user = UserPool::new(&resolution(loads.map(rlu)));
    let mut random = Pcg64::seed_from_u64(1);
    let mut counts = [0; 3];
    for _ in 0..40_000 {
        counts[user.select(&mut random).unwrap().0 as usize - 1] += 1;
    }
    assert_eq!(counts[2], 0);
    assert!(chi_square(&counts[..2], &[0.8, 0.2]) < 10.8);
}
