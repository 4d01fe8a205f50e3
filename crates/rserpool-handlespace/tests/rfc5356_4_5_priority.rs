//! Priority (RFC 5356 §4.5).

mod common;

use common::{OnePool, id, resolution};
use rand_core::SeedableRng;
use rand_pcg::Pcg64;
use rserpool_handlespace::UserPool;
use rserpool_wire::parameter::Policy;

fn prio(priority: u32) -> Policy {
    Policy::Priority { priority }
}

#[test]
fn section_4_5_2_the_highest_priorities_in_decreasing_order() {
    let mut pool = OnePool::of([5, u32::MAX, 0, 7].map(prio));
    assert_eq!(pool.resolve_times(2, 4), [[2, 4, 1, 3], [2, 4, 1, 3]]);
    assert_eq!(pool.picks(2), [2, 2]);
}

#[test]
fn section_4_5_2_the_same_priority_takes_turns() {
    let mut pool = OnePool::of([1, 9, 9, 9].map(prio));
    assert_eq!(pool.picks(4), [2, 3, 4, 2]);
    assert_eq!(pool.resolve_times(2, 4), [[3, 4, 2, 1], [4, 2, 3, 1]]);
}

#[test]
fn section_4_5_2_a_new_priority_counts_at_once() {
    let mut pool = OnePool::of([1, 2].map(prio));
    pool.register(1, prio(3));
    assert_eq!(pool.resolve(2), [1, 2]);
}

#[test]
fn section_4_5_3_the_pool_user_selects_the_highest_priority_that_is_active() {
    // In an order that no registrar should send.
    let mut user = UserPool::new(&resolution([1, 9, 5, 9].map(prio)));
    let mut random = Pcg64::seed_from_u64(1);
    for expected in [2, 4, 3, 1] {
        assert_eq!(user.select(&mut random), Some(id(expected)));
        assert_eq!(user.select(&mut random), Some(id(expected)));
        assert!(user.remove(id(expected)));
    }
    assert_eq!(user.select(&mut random), None);
}
