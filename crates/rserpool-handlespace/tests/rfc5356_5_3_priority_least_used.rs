//! Priority Least Used (RFC 5356 §5.3).

mod common;

use common::{OnePool, id, resolution};
use rand_core::SeedableRng;
use rand_pcg::Pcg64;
use rserpool_handlespace::UserPool;
use rserpool_wire::parameter::Policy;

fn plu(load: u32, degradation: u32) -> Policy {
    Policy::PriorityLeastUsed { load, degradation }
}

/// So many percent of 0xffffffff.
fn percent(percent: u32) -> u32 {
    u32::MAX / 100 * percent
}

#[test]
fn section_5_3_1_the_example() {
    let a = plu(percent(50), percent(10));
    let b = plu(percent(50), percent(50));
    let mut pool = OnePool::of([b, a]);
    assert_eq!(pool.resolve_times(2, 2), [[2, 1], [2, 1]]);
}

#[test]
fn section_5_3_2_ascending_by_the_sum_of_load_and_degradation() {
    let mut pool = OnePool::of([plu(0, 30), plu(25, 1), plu(10, 10), plu(5, 0)]);
    assert_eq!(pool.resolve(4), [4, 3, 2, 1]);
    assert_eq!(pool.resolve(2), [4, 3]);
}

#[test]
fn section_5_3_2_the_sum_may_pass_32_bits() {
    let mut pool = OnePool::of([plu(u32::MAX, 2), plu(0, 1), plu(u32::MAX, 1)]);
    assert_eq!(pool.resolve(3), [2, 3, 1]);
}

#[test]
fn section_5_3_2_equal_sums_take_turns() {
    let mut pool = OnePool::of([plu(0, 10), plu(10, 0), plu(5, 5)]);
    assert_eq!(pool.picks(4), [1, 2, 3, 1]);
}

#[test]
fn section_5_3_3_the_pool_user_follows_the_order() {
    let mut user = UserPool::new(&resolution([plu(9, 1), plu(7, 1)]));
    let mut random = Pcg64::seed_from_u64(1);
    assert_eq!(user.select(&mut random), Some(id(1)));
    assert!(user.remove(id(1)));
    assert_eq!(user.select(&mut random), Some(id(2)));
}
