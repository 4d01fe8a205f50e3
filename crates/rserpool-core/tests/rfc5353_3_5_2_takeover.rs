//! Taking over a failed peer (RFC 5353 §3.5.2), among registrars.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/registrars.rs"]
mod registrars;
mod support;

use registrars::*;
use rserpool_core::Machine;
use rserpool_core::registrar::{Command, Event, RemovalReason};
use rserpool_wire::parameter::Policy;
use support::*;

fn taken_over(target: u8, winner: u8, pool_elements: usize) -> Event {
    Event::TakenOver {
        target: id_of(target),
        winner: id_of(winner),
        pool_elements,
    }
}

fn is_adoption(event: &Event) -> bool {
    matches!(event, Event::PoolElementAdopted { .. })
}

#[test]
fn with_no_other_peer_a_dead_peer_is_taken_over_at_once() {
    let mut all = Registrars::of(&[1, 2]);
    all.register(1, 101, element_on(101, 11));
    assert_eq!(all.homes(2), [(11, 1)]);
    let crash = all.milliseconds();
    all.crash(1);
    assert_eq!(all.homes(2), [(11, 2)]);
    // Nobody listens at its address: there is nothing to wait for.
    let is_takeover = |event: &Event| *event == taken_over(1, 2, 1);
    let (time, _) = all.first_event(2, is_takeover).unwrap();
    assert_eq!(time, crash);
    // It might register by itself.
    all.run_for(499);
    assert!(all.first_event(2, is_adoption).is_none());
    all.run_for(1);
    assert!(all.first_event(2, is_adoption).is_some());
    all.run_for(20_000);
    assert_eq!(all.homes(2), [(11, 2)]);
    assert_eq!(all.machine(2).snapshot().counters.takeovers_won, 1);
}

#[test]
fn one_of_many_takes_over_and_all_learn_the_new_home() {
    let mut all = Registrars::of(&[1, 2, 3, 4]);
    all.register(1, 101, element_on(101, 11));
    all.register(1, 102, element_on(102, 12));
    all.crash(1);
    all.run_for(2_000);
    // Rule 2A: the greatest identifier wins.
    for number in [2, 3, 4] {
        assert_eq!(all.homes(number), [(11, 4), (12, 4)], "at {number}");
        assert_eq!(
            all.peers_that(number, |peer| peer.owned == 2).len(),
            usize::from(number != 4)
        );
    }
    all.run_for(20_000);
    for number in [2, 3, 4] {
        assert_eq!(all.homes(number), [(11, 4), (12, 4)], "at {number}");
    }
}

/// What the dead one told last reached the winner and not the other: no checksum shows a policy
/// value, and to the winner, with which the pool element registers, it is not new.
#[test]
fn what_the_target_told_one_of_its_peers_alone_all_know_after_the_takeover() {
    let mut all = Registrars::of(&[1, 2, 3]);
    let loaded = |load| {
        let mut element = element_on(101, 11);
        element.policy = Policy::LeastUsed { load };
        element
    };
    all.register(1, 101, loaded(1 << 30));
    all.cut_from(1, 2);
    all.register(1, 101, loaded(1 << 31));
    all.crash(1);
    all.run_for(5_000);
    for number in [2, 3] {
        assert_eq!(all.homes(number), [(11, 3)], "at {number}");
        let pools = all.machine(number).snapshot().pools;
        let known = &pools[0].pool_elements[0].policy;
        assert_eq!(known, &loaded(1 << 31).policy.to_string(), "at {number}");
    }
}

#[test]
fn a_registrar_that_hangs_is_taken_over_after_its_silence() {
    let mut all = Registrars::of(&[1, 2, 3]);
    all.register(1, 101, element_on(101, 11));
    let hung = all.milliseconds();
    all.hang(1);
    all.run_for(6_000);
    // Who notices first asks the other one, which has not begun itself.
    assert_eq!(all.homes(2), all.homes(3));
    let is_takeover =
        |event: &Event| *event == taken_over(1, 2, 1) || *event == taken_over(1, 3, 1);
    let (time, _) = all.first_event(3, is_takeover).unwrap();
    // MAX-TIME-LAST-HEARD and MAX-TIME-NO-RESPONSE after its last heartbeat, which was within
    // one cycle before it hung.
    assert!(
        (hung + 1_800..=hung + 3_600).contains(&time),
        "{}",
        time - hung
    );
}

#[test]
fn a_registrar_that_goes_on_is_a_peer_again_and_keeps_nothing_that_is_lost() {
    let mut all = Registrars::of(&[1, 2, 3]);
    all.register(1, 101, element_on(101, 11));
    all.hang(1);
    all.run_for(6_000);
    all.resume(1);
    all.run_for(10_000);
    for number in [1, 2, 3] {
        assert_eq!(all.active_peers(number).len(), 2, "at {number}");
        assert_eq!(all.homes(number).len(), 1, "at {number}");
    }
    assert_eq!(all.homes(1), all.homes(2));
    assert_eq!(all.homes(2), all.homes(3));
}

#[test]
fn pool_elements_that_cannot_be_reached_are_removed() {
    let mut all = Registrars::of(&[1, 2]);
    all.register(1, 101, element_on(101, 11));
    all.register(1, 102, element_on(102, 12));
    all.lose_elements_on(102);
    all.crash(1);
    assert_eq!(all.homes(2), [(11, 2), (12, 2)]);
    all.run_for(500);
    assert_eq!(all.homes(2), [(11, 2)]);
    let counters = all.machine(2).snapshot().counters;
    assert_eq!(counters.removals.get(&RemovalReason::NotAdopted), Some(&1));
}

#[test]
fn a_registrar_that_shuts_down_is_taken_over() {
    let mut all = Registrars::of(&[1, 2]);
    all.register(1, 101, element_on(101, 11));
    all.command(1, Command::Shutdown);
    all.crash(1);
    all.run_for(1_000);
    assert_eq!(all.homes(2), [(11, 2)]);
    assert_eq!(all.active_peers(2), [0_u32; 0]);
}

#[test]
fn two_that_die_together_are_taken_over_by_the_third() {
    let mut all = Registrars::of(&[1, 2, 3]);
    all.register(1, 101, element_on(101, 11));
    all.register(2, 102, element_on(102, 12));
    all.crash(1);
    all.crash(2);
    all.run_for(3_000);
    assert_eq!(all.homes(3), [(11, 3), (12, 3)]);
}

#[test]
fn the_death_of_the_taker_orphans_nobody() {
    let mut all = Registrars::of(&[1, 2, 3]);
    all.register(1, 101, element_on(101, 11));
    // Both notice the same moment of silence; the first one that acts dies of it.
    all.hang(1);
    let has_started = |all: &Registrars, number| {
        let is_start = |event: &Event| matches!(event, Event::TakeoverStarted { .. });
        all.first_event(number, is_start).is_some()
    };
    for _ in 0..1_000 {
        if has_started(&all, 2) || has_started(&all, 3) {
            break;
        }
        all.run_for(5);
    }
    let (taker, other) = if has_started(&all, 3) { (3, 2) } else { (2, 3) };
    all.crash(taker);
    all.run_for(10_000);
    assert_eq!(all.homes(other), [(11, u32::from(other))]);
}

#[test]
fn adoption_keeps_within_its_window() {
    let mut all = Registrars::empty();
    let mut config = config_of(2, &[]);
    config.limits.adoptions_at_once_max = 2;
    all.start(config, 2);
    all.start(config_of(1, &[2]), 1);
    all.run_for(300);
    for number in 0..20 {
        all.register(1, 100 + number, element_on(100 + number, u32::from(number)));
    }
    all.crash(1);
    all.run_for(1_000);
    assert_eq!(all.homes(2), (0..20).map(|id| (id, 2)).collect::<Vec<_>>());
}
