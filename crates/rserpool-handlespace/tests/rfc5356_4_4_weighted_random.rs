//! Weighted Random (RFC 5356 §4.4).

mod common;

use common::{OnePool, chi_square, handle, numbers, resolution};
use rand_core::SeedableRng;
use rand_pcg::Pcg64;
use rserpool_handlespace::{ResolveError, UserPool};
use rserpool_wire::parameter::Policy;
use std::collections::BTreeSet;

fn wrand(weight: u32) -> Policy {
    Policy::WeightedRandom { weight }
}

fn pool(weights: &[u32]) -> OnePool {
    OnePool::of(weights.iter().map(|&weight| wrand(weight)))
}

/// The shares of the weights, in order.
fn shares(weights: &[u32]) -> Vec<f64> {
    let sum: f64 = weights.iter().copied().map(f64::from).sum();
    weights
        .iter()
        .map(|&weight| f64::from(weight) / sum)
        .collect()
}

#[test]
fn section_4_4_2_the_probability_is_the_ratio_of_the_weights() {
    let weights = [
        1, 2, 3, 4, 5, 6, 7, 8, 9, 1_000, 55, 1, 1, 1, 1, 2, 2, 2, 2, 17,
    ];
    let mut pool = pool(&weights);
    let mut counts = vec![0; 20];
    for number in pool.picks(200_000) {
        counts[number as usize - 1] += 1;
    }
    // 19 degrees of freedom: below 43.8 in 999 of 1,000 cases.
    assert!(chi_square(&counts, &shares(&weights)) < 43.8);
}

#[test]
fn section_4_4_2_the_next_ones_are_drawn_from_what_is_left() {
    let weights: [u32; 4] = [1, 2, 3, 10];
    let mut pool = pool(&weights);
    let mut counts = [0; 16];
    for _ in 0..100_000 {
        let listed = pool.resolve(2);
        counts[(listed[0] as usize - 1) * 4 + listed[1] as usize - 1] += 1;
    }
    let share = |first: usize, second: usize| {
        let (w, all) = (weights.map(f64::from), 16.0);
        w[first] / all * w[second] / (all - w[first])
    };
    let pairs = (0..16)
        .map(|pair| (pair / 4, pair % 4))
        .filter(|(first, second)| first != second);
    let (seen, expected): (Vec<u64>, Vec<f64>) = pairs
        .map(|(first, second)| (counts[first * 4 + second], share(first, second)))
        .unzip();
    // 11 degrees of freedom: below 31.3 in 999 of 1,000 cases.
    assert!(chi_square(&seen, &expected) < 31.3);
    assert_eq!(seen.iter().sum::<u64>(), 100_000);
}

#[test]
fn section_4_4_2_a_long_list_is_drawn_the_same_way() {
    let weights: Vec<u32> = (0..300).map(|number| 1 + number % 10).collect();
    let mut pool = pool(&weights);
    let mut first = vec![0; 300];
    let mut last = vec![0; 10];
    for _ in 0..60_000 {
        let listed = pool.resolve(300);
        first[listed[0] as usize - 1] += 1;
        last[weights[listed[299] as usize - 1] as usize - 1] += 1;
    }
    // 299 degrees of freedom: below 380 in 999 of 1,000 cases.
    assert!(chi_square(&first, &shares(&weights)) < 380.0);
    // The lighter, the later.
    assert!(
        last.is_sorted_by(|lighter, heavier| lighter >= heavier),
        "{last:?}"
    );
}

#[test]
fn section_4_4_2_at_most_the_requested_number_and_nobody_twice() {
    let weights: Vec<u32> = (1..=300).collect();
    let mut pool = pool(&weights);
    for items in [1, 2, 10, 255, 256, 257, 299, 300, 1_000] {
        let listed = pool.resolve(items);
        let distinct: BTreeSet<u32> = listed.iter().copied().collect();
        assert_eq!(listed.len(), items.min(300));
        assert_eq!(distinct.len(), listed.len());
    }
}

#[test]
fn section_4_4_2_the_greatest_weights_do_not_overflow() {
    let mut pool = pool(&[u32::MAX; 8]);
    let mut listed = pool.resolve(8);
    listed.sort_unstable();
    assert_eq!(listed, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn section_3_2_weight_0_is_never_selected() {
    let mut pool = pool(&[0, 1, 0, u32::MAX, 0]);
    for _ in 0..1_000 {
        let mut listed = pool.resolve(5);
        listed.sort_unstable();
        assert_eq!(listed, [2, 4]);
    }
}

#[test]
fn section_3_2_a_pool_of_weights_0_has_nothing_to_select() {
    let mut pool = pool(&[0, 0]);
    assert_eq!(
        pool.0.resolve(&handle(), 1),
        Err(ResolveError::NothingSelectable)
    );
    pool.register(2, wrand(1));
    assert_eq!(pool.picks(3), [2, 2, 2]);
    pool.register(2, wrand(0));
    assert_eq!(
        pool.0.resolve(&handle(), 1),
        Err(ResolveError::NothingSelectable)
    );
}

#[test]
fn a_peek_shows_the_next_list_and_uses_no_random_number() {
    let weights: Vec<u32> = (1..=300).collect();
    let mut pool = pool(&weights);
    for items in [1, 10, 280] {
        let first = numbers(&pool.0.peek(&handle(), items));
        assert_eq!(numbers(&pool.0.peek(&handle(), items)), first);
        assert_eq!(pool.resolve(items), first);
    }
}

/// How often each was selected of so many times.
fn picks(user: &mut UserPool, times: usize, elements: usize) -> Vec<u64> {
    let mut random = Pcg64::seed_from_u64(1);
    let mut counts = vec![0; elements];
    for _ in 0..times {
        counts[user.select(&mut random).expect("one of them").0 as usize - 1] += 1;
    }
    counts
}

#[test]
fn section_4_4_3_the_pool_user_draws_of_all_as_their_weights_are() {
    let mut user = UserPool::new(&resolution([wrand(1), wrand(2), wrand(5), wrand(0)]));
    let counts = picks(&mut user, 40_000, 4);
    assert_eq!(counts[3], 0);
    // 2 degrees of freedom: below 13.8 in 999 of 1,000 cases.
    assert!(chi_square(&counts[..3], &[0.125, 0.25, 0.625]) < 13.8);
    user.remove(rserpool_wire::PoolElementId(3));
    let counts = picks(&mut user, 40_000, 4);
    assert_eq!(counts[2..], [0, 0]);
    assert!(chi_square(&counts[..2], &[1.0 / 3.0, 2.0 / 3.0]) < 10.8);
}

#[test]
fn section_4_4_3_of_a_part_of_the_pool_whom_the_registrar_drew_first_is_taken_and_asked_again() {
    let weights: Vec<u32> = (1..=40).collect();
    let mut pool = pool(&weights);
    let mut random = Pcg64::seed_from_u64(1);
    let mut counts = vec![0; weights.len()];
    for _ in 0..8_000 {
        let mut user = UserPool::new(&pool.0.resolve(&handle(), 16).unwrap());
        user.set_part(true);
        assert!(!user.is_spent());
        counts[user.select(&mut random).unwrap().0 as usize - 1] += 1;
        assert!(user.is_spent());
        // Better than none.
        assert!(user.select(&mut random).is_some());
    }
    let sum: u32 = weights.iter().sum();
    let shares: Vec<f64> = weights
        .iter()
        .map(|&weight| f64::from(weight) / f64::from(sum))
        .collect();
    // 39 degrees of freedom: below 72.1 in 999 of 1,000 cases.
    assert!(chi_square(&counts, &shares) < 72.1);
}
