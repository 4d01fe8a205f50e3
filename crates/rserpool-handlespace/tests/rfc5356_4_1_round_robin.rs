//! Round Robin (RFC 5356 §4.1).

mod common;

use common::{OnePool, handle, id, resolution};
use rand_core::SeedableRng;
use rand_pcg::Pcg64;
use rserpool_handlespace::UserPool;
use rserpool_wire::parameter::{EncodedPoolElement, Policy, PolicyType};

const RR: Policy = Policy::RoundRobin;

#[test]
fn section_4_1_2_the_list_starts_with_the_head_and_the_head_advances_by_one() {
    let mut pool = OnePool::of([RR, RR, RR]);
    assert_eq!(
        pool.resolve_times(4, 3),
        [[1, 2, 3], [2, 3, 1], [3, 1, 2], [1, 2, 3]]
    );
}

#[test]
fn section_4_1_2_a_short_list_advances_the_head_by_one_too() {
    let mut pool = OnePool::of([RR, RR, RR]);
    assert_eq!(pool.resolve_times(4, 2), [[1, 2], [2, 3], [3, 1], [1, 2]]);
    assert_eq!(pool.picks(4), [2, 3, 1, 2]);
}

#[test]
fn section_4_1_2_nobody_is_listed_twice() {
    let mut pool = OnePool::of([RR, RR, RR]);
    assert_eq!(pool.resolve(100), [1, 2, 3]);
}

#[test]
fn section_4_1_2_a_new_member_comes_last() {
    let mut pool = OnePool::of([RR, RR, RR]);
    assert_eq!(pool.picks(1), [1]);
    pool.register(4, RR);
    assert_eq!(pool.resolve(4), [2, 3, 1, 4]);
}

#[test]
fn section_4_1_2_a_reregistration_keeps_its_turn() {
    let mut pool = OnePool::of([RR, RR, RR]);
    pool.register(1, RR);
    assert_eq!(pool.picks(3), [1, 2, 3]);
}

#[test]
fn section_4_1_2_when_the_head_leaves_the_next_one_is_the_head() {
    let mut pool = OnePool::of([RR, RR, RR]);
    pool.deregister(1);
    assert_eq!(pool.picks(3), [2, 3, 2]);
    pool.deregister(2);
    assert_eq!(pool.picks(2), [3, 3]);
}

#[test]
fn a_peek_shows_the_next_list_and_advances_nothing() {
    let mut pool = OnePool::of([RR, RR, RR]);
    pool.picks(1);
    for _ in 0..2 {
        assert_eq!(common::numbers(&pool.0.peek(&handle(), 2)), [2, 3]);
    }
    assert_eq!(pool.resolve(2), [2, 3]);
}

#[test]
fn an_unknown_policy_is_served_round_robin_and_carried_unchanged() {
    let unknown = |octet| Policy::Other {
        policy_type: PolicyType(0x8000_0042),
        data: Box::new([octet, 2, 3, 4]),
    };
    let mut pool = OnePool::of([unknown(1), unknown(9)]);
    assert_eq!(pool.picks(3), [1, 2, 1]);
    let resolution = pool.0.resolve(&handle(), 2).unwrap();
    assert_eq!(resolution.policy, unknown(1));
    assert_eq!(resolution.pool_elements[0].decode().policy, unknown(9));
}

#[test]
fn section_4_1_3_the_pool_user_takes_one_after_the_other_and_begins_again() {
    let mut user = UserPool::new(&resolution([RR, RR, RR]));
    let mut random = Pcg64::seed_from_u64(1);
    let mut pick = || user.select(&mut random).unwrap().0;
    assert_eq!([pick(), pick(), pick(), pick()], [1, 2, 3, 1]);
}

#[test]
fn section_4_1_3_a_removed_one_is_skipped_and_the_turn_is_kept() {
    let mut user = UserPool::new(&resolution([RR, RR, RR, RR]));
    let mut random = Pcg64::seed_from_u64(1);
    assert_eq!(user.select(&mut random), Some(id(1)));
    assert!(user.remove(id(1)));
    assert!(!user.remove(id(1)));
    assert_eq!(user.select(&mut random), Some(id(2)));
    assert!(user.remove(id(4)));
    assert_eq!(user.select(&mut random), Some(id(3)));
    assert_eq!(user.select(&mut random), Some(id(2)));
    assert!(user.remove(id(3)));
    assert_eq!(user.select(&mut random), Some(id(2)));
    assert!(user.remove(id(2)));
    assert_eq!((user.select(&mut random), user.len()), (None, 0));
}

#[test]
fn section_4_1_3_a_newer_list_is_used_from_its_beginning() {
    let mut user = UserPool::new(&resolution([RR, RR]));
    let mut random = Pcg64::seed_from_u64(1);
    user.select(&mut random);
    user.replace(&resolution([RR, RR, RR]));
    assert_eq!(user.len(), 3);
    assert_eq!(user.select(&mut random), Some(id(1)));
    assert_eq!(user.element(id(3)).map(EncodedPoolElement::id), Some(id(3)));
    assert!(user.element(id(4)).is_none());
}
