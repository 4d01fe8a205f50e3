//! Least Used (RFC 5356 §5.1).

mod common;

use common::{OnePool, handle, id, numbers, resolution};
use rand_core::SeedableRng;
use rand_pcg::Pcg64;
use rserpool_handlespace::UserPool;
use rserpool_wire::parameter::Policy;

fn lu(load: u32) -> Policy {
    Policy::LeastUsed { load }
}

#[test]
fn section_5_1_2_the_lowest_loads_in_ascending_order() {
    let mut pool = OnePool::of([50, u32::MAX, 0, 7].map(lu));
    assert_eq!(pool.resolve_times(2, 4), [[3, 4, 1, 2], [3, 4, 1, 2]]);
    assert_eq!(pool.resolve(2), [3, 4]);
}

#[test]
fn section_5_1_2_equal_loads_take_turns() {
    let mut pool = OnePool::of([7, 7, 7, 9].map(lu));
    assert_eq!(pool.picks(4), [1, 2, 3, 1]);
    assert_eq!(
        pool.resolve_times(3, 4),
        [[2, 3, 1, 4], [3, 1, 2, 4], [1, 2, 3, 4]]
    );
}

#[test]
fn section_5_1_2_equal_loads_take_turns_also_where_the_list_ends_among_them() {
    let mut pool = OnePool::of([1, 7, 7, 7].map(lu));
    assert_eq!(pool.resolve_times(4, 2), [[1, 2], [1, 3], [1, 4], [1, 2]]);
}

#[test]
fn section_5_1_2_a_new_load_counts_at_once_and_comes_last_among_its_equals() {
    let mut pool = OnePool::of([7, 7, 9].map(lu));
    pool.register(3, lu(7));
    assert_eq!(pool.picks(4), [1, 2, 3, 1]);
    pool.register(2, lu(6));
    assert_eq!(pool.resolve(3), [2, 3, 1]);
}

#[test]
fn section_5_1_2_the_same_load_again_keeps_its_turn() {
    let mut pool = OnePool::of([7, 7, 7].map(lu));
    pool.register(1, lu(7));
    assert_eq!(pool.picks(3), [1, 2, 3]);
}

#[test]
fn a_peek_shows_the_next_list_and_takes_nobodys_turn() {
    let mut pool = OnePool::of([7, 7, 7].map(lu));
    for _ in 0..2 {
        assert_eq!(numbers(&pool.0.peek(&handle(), 2)), [1, 2]);
    }
    assert_eq!(pool.resolve(2), [1, 2]);
}

#[test]
fn section_5_1_3_the_pool_user_follows_the_order_and_the_others_are_backups() {
    let mut user = UserPool::new(&resolution([9, 7, 8].map(lu)));
    let mut random = Pcg64::seed_from_u64(1);
    for expected in [1, 2, 3] {
        assert_eq!(user.select(&mut random), Some(id(expected)));
        assert!(user.remove(id(expected)));
    }
    assert_eq!(user.select(&mut random), None);
}

#[test]
fn section_5_1_3_a_newer_list_is_used_as_its_policy_says() {
    let mut user = UserPool::new(&resolution([Policy::RoundRobin, Policy::RoundRobin]));
    let mut random = Pcg64::seed_from_u64(1);
    user.replace(&resolution([9, 7].map(lu)));
    assert_eq!(
        [1, 2, 3].map(|_| user.select(&mut random)),
        [Some(id(1)); 3]
    );
}

/// Whoever was given a request is no longer as little used as the list says.
#[test]
fn section_5_1_3_each_selection_is_from_a_list_of_its_own_but_backups_are_at_hand() {
    let mut user = UserPool::new(&resolution([9, 7, 8].map(lu)));
    let mut random = Pcg64::seed_from_u64(1);
    assert!(!user.is_spent());
    user.select(&mut random);
    assert!(user.is_spent());
    user.remove(id(1));
    assert!(!user.is_spent(), "the next one is the backup");
    assert_eq!(user.select(&mut random), Some(id(2)));
    user.replace(&resolution([7, 9].map(lu)));
    assert!(!user.is_spent());
}
