//! Least Used with Degradation (RFC 5356 §5.2).

mod common;

use common::{OnePool, handle, id, numbers, resolution};
use rand_core::SeedableRng;
use rand_pcg::Pcg64;
use rserpool_handlespace::UserPool;
use rserpool_wire::parameter::Policy;

fn lud(load: u32, degradation: u32) -> Policy {
    Policy::LeastUsedWithDegradation { load, degradation }
}

#[test]
fn section_5_2_2_each_selection_adds_the_degradation_once() {
    // 1: 0, 10, 20, 30; 2 is at 25.
    let mut pool = OnePool::of([lud(0, 10), lud(25, 100)]);
    assert_eq!(pool.picks(5), [1, 1, 1, 2, 1]);
}

#[test]
fn section_5_2_2_the_counter_is_0_after_registration() {
    // Would the registration count, 1 would stand at 10.
    let mut pool = OnePool::of([lud(0, 10), lud(9, 10)]);
    assert_eq!(pool.picks(3), [1, 2, 1]);
}

#[test]
fn section_5_2_2_backups_are_not_counted() {
    let mut pool = OnePool::of([lud(0, 5), lud(1, 5), lud(2, 5)]);
    // 0 1 2, then 5 1 2, then 5 6 2.
    assert_eq!(pool.resolve(2), [1, 2]);
    assert_eq!(pool.resolve(3), [2, 3, 1]);
    assert_eq!(pool.picks(3), [3, 1, 2]);
}

/// Whoever has a resolution with backups goes to its first: as many requests as each can bear.
#[test]
fn section_5_2_2_users_with_backups_are_spread_by_the_degradation() {
    let mut pool = OnePool::of([lud(0, 4), lud(0, 2), lud(0, 1)]);
    let mut requests = [0; 3];
    for _ in 0..70 {
        requests[pool.resolve(16)[0] as usize - 1] += 1;
    }
    assert_eq!(requests, [10, 20, 40]);
}

#[test]
fn section_5_2_2_a_reregistration_resets_the_counter() {
    let mut pool = OnePool::of([lud(0, 10), lud(15, 10)]);
    assert_eq!(pool.picks(2), [1, 1]);
    pool.register(1, lud(1, 10));
    // 1 is at 1, then 11, then 21.
    assert_eq!(pool.picks(3), [1, 1, 2]);
}

#[test]
fn section_5_2_2_an_unchanged_reregistration_resets_it_too() {
    let mut pool = OnePool::of([lud(0, 10), lud(15, 10)]);
    assert_eq!(pool.picks(2), [1, 1]);
    pool.register(1, lud(0, 10));
    assert_eq!(pool.picks(3), [1, 1, 2]);
}

#[test]
fn section_5_2_2_a_change_of_home_alone_resets_it_too() {
    let mut pool = OnePool::of([lud(0, 10), lud(15, 10)]);
    assert_eq!(pool.picks(2), [1, 1]);
    let mut moved = common::element(1, lud(0, 10));
    moved.home_registrar = Some(common::registrar(2));
    pool.0.register(&handle(), &moved, ()).unwrap();
    assert_eq!(pool.picks(3), [1, 1, 2]);
}

#[test]
fn section_5_2_2_equal_sums_take_turns() {
    let mut pool = OnePool::of([lud(5, 0), lud(5, 0), lud(5, 0)]);
    assert_eq!(pool.picks(4), [1, 2, 3, 1]);
}

#[test]
fn section_5_2_2_sums_beyond_32_bits_stay_exact() {
    let mut pool = OnePool::of([lud(u32::MAX, u32::MAX), lud(u32::MAX, u32::MAX)]);
    assert_eq!(pool.picks(6), [1, 2, 1, 2, 1, 2]);
}

#[test]
fn a_peek_counts_nothing() {
    let mut pool = OnePool::of([lud(0, 10), lud(5, 10)]);
    for _ in 0..5 {
        assert_eq!(numbers(&pool.0.peek(&handle(), 2)), [1, 2]);
    }
    assert_eq!(pool.picks(2), [1, 2]);
}

#[test]
fn section_5_2_3_the_pool_user_follows_the_order() {
    let mut user = UserPool::new(&resolution([lud(9, 1), lud(7, 1)]));
    let mut random = Pcg64::seed_from_u64(1);
    assert_eq!(user.select(&mut random), Some(id(1)));
    assert!(user.remove(id(1)));
    assert_eq!(user.select(&mut random), Some(id(2)));
}
