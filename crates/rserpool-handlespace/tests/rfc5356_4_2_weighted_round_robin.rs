//! Weighted Round Robin (RFC 5356 §4.2).

mod common;

use common::{OnePool, handle, id, numbers, resolution};
use rand_core::SeedableRng;
use rand_pcg::Pcg64;
use rserpool_handlespace::{ResolveError, UserPool};
use rserpool_wire::parameter::Policy;

fn wrr(weight: u32) -> Policy {
    Policy::WeightedRoundRobin { weight }
}

fn pool(weights: &[u32]) -> OnePool {
    OnePool::of(weights.iter().map(|&weight| wrr(weight)))
}

fn occurrences(picks: &[u32], number: u32) -> usize {
    picks.iter().filter(|&&pick| pick == number).count()
}

#[test]
fn section_4_2_1_with_all_weights_1_it_is_round_robin() {
    let mut weighted = pool(&[1, 1, 1, 1]);
    let mut plain = OnePool::of(vec![Policy::RoundRobin; 4]);
    for items in [1, 2, 3, 4, 9, 1, 1, 4] {
        assert_eq!(weighted.resolve(items), plain.resolve(items));
    }
}

#[test]
fn section_4_2_1_equal_weights_are_round_robin_whatever_they_are() {
    let mut pool = pool(&[7, 7, 7]);
    assert_eq!(pool.resolve_times(4, 2), [[1, 2], [2, 3], [3, 1], [1, 2]]);
}

#[test]
fn section_4_2_2_occurrences_are_in_the_ratio_of_the_weights_and_spread() {
    let mut pool = pool(&[3, 1, 2]);
    let round = [1, 3, 1, 2, 3, 1];
    assert_eq!(pool.picks(6), round);
    assert_eq!(pool.picks(6), round);
}

#[test]
fn section_4_2_2_a_heavy_one_alternates_with_many_light_ones() {
    let mut weights = vec![1; 101];
    weights[0] = 100;
    let picks = pool(&weights).picks(200);
    assert!(
        picks.chunks(2).all(|pair| pair[0] == 1 && pair[1] != 1),
        "{picks:?}"
    );
}

#[test]
fn section_4_2_2_every_round_is_exact_and_everybody_stays_near_the_share() {
    for weights in [
        vec![5, 1, 1],
        vec![10, 1, 2, 3],
        vec![1, 2, 3, 4, 5, 6, 7],
        vec![9, 9, 1],
    ] {
        let sum: u32 = weights.iter().sum();
        let mut distinct = weights.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let picks = pool(&weights).picks(3 * sum as usize);
        for (number, &weight) in (1..).zip(&weights) {
            for round in picks.chunks(sum as usize) {
                assert_eq!(occurrences(round, number), weight as usize, "{weights:?}");
            }
            let share = f64::from(weight) / f64::from(sum);
            let bound = 1.0 + share * distinct.len() as f64 / 2.0;
            for end in 1..=picks.len() {
                let ahead = occurrences(&picks[..end], number) as f64 - share * end as f64;
                assert!(
                    ahead.abs() <= bound,
                    "{number} of {weights:?} after {end}: {ahead}"
                );
            }
        }
    }
}

#[test]
fn section_4_2_2_the_answer_lists_the_next_distinct_ones_of_the_circular_list() {
    let weights = [5, 1, 3, 2, 2];
    let list = pool(&weights).picks(4 * 13);
    let mut pool = pool(&weights);
    for start in 0..26 {
        let mut expected: Vec<u32> = Vec::new();
        for &number in &list[start..] {
            if !expected.contains(&number) {
                expected.push(number);
            }
        }
        let items = 1 + start % 5;
        assert_eq!(pool.resolve(items), expected[..items], "at {start}");
    }
}

#[test]
fn section_3_2_weight_0_is_never_selected() {
    let mut pool = pool(&[0, 2, 0, 1]);
    assert_eq!(pool.picks(6), [2, 4, 2, 2, 4, 2]);
    assert_eq!(pool.resolve(9).len(), 2);
    pool.register(1, wrr(1));
    assert_eq!(pool.resolve(9).len(), 3);
}

#[test]
fn section_3_2_a_pool_of_weights_0_has_nothing_to_select() {
    let mut pool = pool(&[0, 0]);
    assert_eq!(
        pool.0.resolve(&handle(), 1),
        Err(ResolveError::NothingSelectable)
    );
    assert_eq!(
        pool.0.peek(&handle(), 1),
        Err(ResolveError::NothingSelectable)
    );
}

#[test]
fn section_4_2_2_a_change_of_weight_counts_from_the_next_entry_on() {
    let mut pool = pool(&[1, 1]);
    assert_eq!(pool.picks(3), [1, 2, 1]);
    pool.register(2, wrr(3));
    let picks = pool.picks(400);
    assert_eq!(occurrences(&picks, 2), 300);
    assert_eq!(occurrences(&picks, 1), 100);
}

#[test]
fn section_4_2_2_an_unchanged_reregistration_disturbs_nothing() {
    let list = pool(&[3, 1, 2]).picks(12);
    let mut disturbed = pool(&[3, 1, 2]);
    for &expected in &list {
        for (number, weight) in [(1, 3), (2, 1), (3, 2)] {
            disturbed.register(number, wrr(weight));
        }
        assert_eq!(disturbed.picks(1), [expected]);
    }
}

#[test]
fn section_4_2_2_the_greatest_weights_stay_exact_over_a_long_run() {
    let mut pool = pool(&[u32::MAX, u32::MAX - 1, 1]);
    assert_eq!(pool.resolve(3), [1, 2, 3]);
    let picks = pool.picks(100_000);
    assert_eq!(occurrences(&picks, 1), 50_000);
    assert_eq!(occurrences(&picks, 2), 50_000);
    assert_eq!(numbers(&pool.0.peek(&handle(), 3)), [2, 1, 3]);
}

#[test]
fn section_4_2_2_many_rounds_do_not_drift() {
    let mut pool = pool(&[7, 11, 13]);
    let first = pool.picks(31);
    for _ in 0..3_000 {
        assert_eq!(pool.picks(31), first);
    }
}

#[test]
fn section_4_2_3_the_pool_user_begins_with_the_first_and_goes_on_as_the_weights_are() {
    for seed in 0..50 {
        let mut user = UserPool::new(&resolution([wrr(3), wrr(1), wrr(2)]));
        let mut random = Pcg64::seed_from_u64(seed);
        assert_eq!(
            user.select(&mut random),
            Some(id(1)),
            "the registrar's turn"
        );
        let mut picks = [0; 3];
        for _ in 0..600 {
            picks[user.select(&mut random).unwrap().0 as usize - 1] += 1;
        }
        for (seen, expected) in picks.into_iter().zip([300_i32, 100, 200]) {
            assert!((seen - expected).abs() <= 2, "seed {seed}: {picks:?}");
        }
    }
}

/// Who has few requests has its share of each, too: not all go on with the heaviest.
#[test]
fn section_4_2_3_second_selections_are_as_the_weights_are() {
    let mut random = Pcg64::seed_from_u64(1);
    let mut second = [0; 3];
    for _ in 0..6000 {
        let mut user = UserPool::new(&resolution([wrr(3), wrr(1), wrr(2)]));
        user.select(&mut random);
        second[user.select(&mut random).unwrap().0 as usize - 1] += 1;
    }
    let [heavy, light, middle] = second;
    assert!(heavy > middle && middle > light && light > 0, "{second:?}");
}

#[test]
fn section_4_2_3_who_was_removed_has_no_more_turns() {
    let mut user = UserPool::new(&resolution([wrr(3), wrr(1), wrr(2)]));
    let mut random = Pcg64::seed_from_u64(1);
    for _ in 0..5 {
        user.select(&mut random);
    }
    assert!(user.remove(id(1)));
    let mut picks = [0; 3];
    for _ in 0..300 {
        picks[user.select(&mut random).unwrap().0 as usize - 1] += 1;
    }
    let [first, second, third] = picks;
    assert_eq!(first, 0);
    assert!(
        (99..=101).contains(&second) && (199..=201).contains(&third),
        "{picks:?}"
    );
}
