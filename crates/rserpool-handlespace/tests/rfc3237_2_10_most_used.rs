//! Most Used (RFC 3237 §2.10).

mod common;

use common::{OnePool, id, resolution};
use rand_core::SeedableRng;
use rand_pcg::Pcg64;
use rserpool_handlespace::{MOST_USED, UserPool, most_used};
use rserpool_wire::parameter::Policy;

#[test]
fn the_highest_load_first_and_equals_in_turn() {
    let mut pool = OnePool::of([5, u32::MAX, 0, 5].map(most_used));
    assert_eq!(pool.resolve_times(2, 4), [[2, 1, 4, 3], [2, 4, 1, 3]]);
    pool.register(2, most_used(1));
    assert_eq!(pool.resolve(4), [1, 4, 2, 3]);
}

#[test]
fn a_parameter_of_another_length_comes_last() {
    let strange = Policy::Other {
        policy_type: MOST_USED,
        data: Box::new([255; 5]),
    };
    let mut pool = OnePool::of([strange, most_used(0)]);
    assert_eq!(pool.resolve(2), [2, 1]);
}

#[test]
fn its_type_is_for_private_use_and_adaptive() {
    assert_eq!(MOST_USED.0 >> 30, 3);
}

#[test]
fn the_pool_user_follows_the_order() {
    let mut user = UserPool::new(&resolution([1, 2].map(most_used)));
    let mut random = Pcg64::seed_from_u64(1);
    assert_eq!(user.select(&mut random), Some(id(1)));
    assert_eq!(user.select(&mut random), Some(id(1)));
}
