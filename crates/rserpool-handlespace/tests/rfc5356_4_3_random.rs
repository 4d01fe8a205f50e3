//! Random (RFC 5356 §4.3).

mod common;

use common::{OnePool, chi_square, handle, numbers, resolution};
use rand_core::SeedableRng;
use rand_pcg::Pcg64;
use rserpool_handlespace::UserPool;
use rserpool_wire::parameter::Policy;
use std::collections::BTreeSet;

fn pool(members: usize) -> OnePool {
    OnePool::of(vec![Policy::Random; members])
}

#[test]
fn section_4_3_2_at_most_the_requested_number_and_nobody_twice() {
    let mut pool = pool(300);
    for items in [1, 2, 10, 255, 256, 257, 299, 300, 1_000] {
        let listed = pool.resolve(items);
        let distinct: BTreeSet<u32> = listed.iter().copied().collect();
        assert_eq!(listed.len(), items.min(300));
        assert_eq!(distinct.len(), listed.len());
        assert!(distinct.iter().all(|number| (1..=300).contains(number)));
    }
}

/// 19 degrees of freedom: a fair draw stays below 43.8 in 999 of 1,000 cases.
const BOUND_19: f64 = 43.8;

#[test]
fn section_4_3_2_each_is_equally_likely_at_each_place_of_the_list() {
    let mut pool = pool(20);
    let mut counts = vec![vec![0; 20]; 3];
    for _ in 0..40_000 {
        for (place, number) in pool.resolve(3).into_iter().enumerate() {
            counts[place][number as usize - 1] += 1;
        }
    }
    for counts in counts {
        assert!(chi_square(&counts, &[0.05; 20]) < BOUND_19);
    }
}

#[test]
fn section_4_3_2_each_is_equally_likely_in_a_long_list_too() {
    let mut pool = pool(400);
    let mut counts = vec![0; 20];
    for _ in 0..400 {
        for number in pool.resolve(300) {
            counts[(number as usize - 1) / 20] += 1;
        }
    }
    assert!(chi_square(&counts, &[0.05; 20]) < BOUND_19);
}

#[test]
fn section_4_3_2_after_removals_only_the_others_are_drawn() {
    let mut pool = pool(10);
    for number in [1, 10, 5] {
        pool.deregister(number);
    }
    let mut listed = pool.resolve(10);
    listed.sort_unstable();
    assert_eq!(listed, [2, 3, 4, 6, 7, 8, 9]);
}

#[test]
fn a_peek_shows_the_next_list_and_uses_no_random_number() {
    let mut pool = pool(300);
    for items in [1, 10, 280] {
        let first = numbers(&pool.0.peek(&handle(), items));
        assert_eq!(numbers(&pool.0.peek(&handle(), items)), first);
        assert_eq!(pool.resolve(items), first);
    }
}

#[test]
fn section_4_3_3_the_pool_user_selects_each_equally_likely() {
    let mut user = UserPool::new(&resolution(vec![Policy::Random; 20]));
    let mut random = Pcg64::seed_from_u64(1);
    let mut counts = vec![0; 20];
    for _ in 0..40_000 {
        counts[user.select(&mut random).unwrap().0 as usize - 1] += 1;
    }
    assert!(chi_square(&counts, &[0.05; 20]) < BOUND_19);
}
