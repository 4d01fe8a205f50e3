//! Maintaining the peer list and monitoring peers (RFC 5353 §3.4), among registrars.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/registrars.rs"]
mod registrars;
mod support;

use registrars::*;
use rserpool_core::Machine;
use rserpool_core::registrar::{Event, Output};
use rserpool_wire::enrp::Message;
use support::*;

fn presences(all: &Registrars, number: u8) -> Vec<(u64, bool)> {
    let own = all.log.iter().filter(|(_, at, _)| *at == number);
    own.filter_map(|(time, _, output)| {
        let Output::SendEnrp {
            message: Message::Presence(presence),
            ..
        } = output
        else {
            return None;
        };
        let milliseconds = u64::try_from(time.0.as_millis()).unwrap();
        Some((milliseconds, presence.reply_required))
    })
    .collect()
}

#[test]
fn a_heartbeat_goes_to_every_peer_in_every_cycle() {
    let mut all = Registrars::of(&[1, 2, 3]);
    let start = all.milliseconds();
    all.run_for(10_000);
    let beats = presences(&all, 1);
    // Two peers, cycles of 1 s ± 1/8.
    assert!((16..=24).contains(&beats.len()), "{}", beats.len());
    assert!(beats.iter().all(|(_, reply_required)| !reply_required));
    let mut times: Vec<_> = beats.iter().map(|(time, _)| *time).collect();
    times.dedup();
    times.insert(0, start);
    for cycle in times.windows(2).skip(1) {
        let length = cycle[1] - cycle[0];
        assert!((875..=1_125).contains(&length), "{length}");
    }
}

#[test]
fn a_peer_that_owns_nothing_is_dropped_without_arbitration() {
    let mut all = Registrars::of(&[1, 2, 3]);
    all.hang(1);
    all.run_for(6_000);
    for number in [2, 3] {
        let dead = Event::PeerDead {
            peer: id_of(1),
            pool_elements: 0,
        };
        assert!(all.first_event(number, |event| *event == dead).is_some());
        assert_eq!(all.machine(number).snapshot().counters.takeovers_started, 0);
        assert_eq!(all.active_peers(number).len(), 1);
    }
}

#[test]
fn silence_is_suspected_then_asked_then_dead() {
    let mut all = Registrars::of(&[1, 2]);
    all.cut_from(1, 2);
    all.run_for(6_000);
    let suspected = all
        .first_event(2, |event| matches!(event, Event::PeerSuspected { .. }))
        .unwrap();
    let dead = all
        .first_event(2, |event| matches!(event, Event::PeerDead { .. }))
        .unwrap();
    assert_eq!(dead.0 - suspected.0, 500);
    let asked = presences(&all, 2).into_iter().find(|(_, asks)| *asks);
    assert_eq!(asked, Some((suspected.0, true)));
}

#[test]
fn an_association_that_is_lost_is_set_up_again_at_once() {
    let mut all = Registrars::of(&[1, 2]);
    all.register(1, 101, element_on(101, 11));
    all.disconnect(1, 2);
    assert_eq!(all.active_peers(1), [2]);
    assert_eq!(all.active_peers(2), [1]);
    all.run_for(10_000);
    assert_eq!(all.homes(2), [(11, 1)]);
    assert!(
        all.first_event(2, |event| matches!(event, Event::PeerDead { .. }))
            .is_none()
    );
}

#[test]
fn a_partition_that_heals_ends_with_all_as_peers_again() {
    let mut all = Registrars::of(&[1, 2, 3]);
    all.register(1, 101, element_on(101, 11));
    all.register(3, 103, element_on(103, 13));
    // Each side sees only its own pool element.
    all.lose_elements_on(101);
    all.lose_elements_on(103);
    all.cut(1, 2);
    all.cut(1, 3);
    all.run_for(10_000);
    all.disconnect(1, 2);
    all.disconnect(1, 3);
    all.run_for(20_000);
    assert_eq!(all.active_peers(1), [0_u32; 0]);
    assert_eq!(all.homes(1), [(11, 1)]);
    assert_eq!(all.homes(2), [(13, 3)]);
    all.heal(1, 2);
    all.heal(1, 3);
    all.run_for(10_000);
    for number in [1, 2, 3] {
        assert_eq!(all.active_peers(number).len(), 2, "at {number}");
        assert_eq!(all.homes(number), [(11, 1), (13, 3)], "at {number}");
    }
}

#[test]
fn a_registrar_that_comes_back_with_another_identifier_replaces_its_former_self() {
    let mut all = Registrars::of(&[1, 2]);
    all.register(1, 101, element_on(101, 11));
    all.hang(1);
    all.run_for(100);
    // The new process answers where the old one was, and 2 has not noticed its death.
    all.disconnect(1, 2);
    let mut config = config_of(1, &[2]);
    config.id = rserpool_wire::RegistrarId::new(77).unwrap();
    all.crash(1);
    all.start(config, 1);
    all.run_for(2_000);
    assert_eq!(all.active_peers(2), [77]);
    assert_eq!(all.homes(2), [(11, 2)]);
}

#[test]
fn after_its_own_stall_a_registrar_takes_over_nobody() {
    let mut all = Registrars::of(&[1, 2, 3]);
    for number in [1, 2, 3] {
        all.register(
            number,
            100 + number,
            element_on(100 + number, u32::from(number)),
        );
    }
    for _ in 0..3 {
        all.hang(2);
        all.run_for(1_200);
        all.resume(2);
        all.run_for(3_000);
    }
    for number in [1, 2, 3] {
        assert_eq!(all.machine(number).snapshot().counters.takeovers_started, 0);
        assert_eq!(all.homes(number), [(1, 1), (2, 2), (3, 3)]);
    }
}

#[test]
fn both_of_two_registrars_with_one_identifier_notice() {
    let mut all = Registrars::of(&[1]);
    let mut config = config_of(2, &[1]);
    config.id = id_of(1);
    all.start(config, 2);
    all.run_for(30_000);
    for number in [1, 2] {
        let conflicts = all.machine(number).snapshot().counters.identifier_conflicts;
        // Noticed, and not tried more than once in a heartbeat cycle: a named address is never
        // given up.
        assert!((20..=45).contains(&conflicts), "{conflicts} at {number}");
        assert_eq!(all.active_peers(number), [0_u32; 0]);
    }
}

#[test]
fn a_named_address_is_tried_again_soon_after_a_conflict_of_identifiers() {
    let mut all = Registrars::of(&[1]);
    let mut config = config_of(2, &[1]);
    config.id = id_of(1);
    all.start(config, 2);
    all.run_for(5_000);
    all.crash(1);
    let mut config = config_of(1, &[]);
    config.id = id_of(7);
    all.start(config, 1);
    // One heartbeat cycle and a quarter.
    all.run_for(1_300);
    assert_eq!(all.active_peers(2), [7]);
}

#[test]
fn a_named_address_is_sought_although_its_registrars_identifier_is_heard_elsewhere() {
    let mut all = Registrars::empty();
    all.start(config_of(1, &[]), 1);
    all.start(config_of(2, &[1]), 2);
    all.run_for(2_000);
    assert_eq!(all.active_peers(2), [1]);
    // The peer is gone, and a third registrar comes to 2 with its identifier.
    all.crash(1);
    let mut config = config_of(3, &[2]);
    config.id = id_of(1);
    all.start(config, 3);
    all.run_for(3_000);
    assert_eq!(all.active_peers(2), [1]);
    let mut config = config_of(1, &[]);
    config.id = id_of(7);
    all.start(config, 1);
    all.run_for(1_300);
    assert_eq!(all.active_peers(2), [1, 7]);
}
