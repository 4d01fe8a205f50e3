//! Acquiring the peer server list (RFC 5353 §3.2.2), among registrars.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/registrars.rs"]
mod registrars;
mod support;

use registrars::*;
use rserpool_core::Machine;
use rserpool_core::registrar::{Config, Event};
use support::*;

fn initialized(all: &Registrars, number: u8) -> Option<(u64, Option<u32>, usize)> {
    let is_end = |event: &Event| matches!(event, Event::Initialized { .. });
    let (time, event) = all.first_event(number, is_end)?;
    let Event::Initialized {
        mentor,
        pool_elements,
    } = event
    else {
        return None;
    };
    Some((
        time,
        mentor.map(rserpool_wire::RegistrarId::get),
        pool_elements,
    ))
}

#[test]
fn without_a_peer_a_registrar_is_alone_at_once() {
    let mut all = Registrars::empty();
    all.start(config_of(1, &[]), 1);
    assert_eq!(initialized(&all, 1), Some((0, None, 0)));
}

#[test]
fn the_first_peer_that_is_up_is_the_mentor() {
    let mut all = Registrars::empty();
    all.start(config_of(1, &[]), 1);
    all.register(1, 101, element_on(101, 11));
    all.start(config_of(2, &[1]), 2);
    assert_eq!(initialized(&all, 2), Some((0, Some(1), 1)));
    assert_eq!(all.homes(2), [(11, 1)]);
}

#[test]
fn the_mentors_list_leads_to_all_others() {
    let mut all = Registrars::empty();
    for number in 1..=6 {
        let known = if number == 1 { vec![] } else { vec![1] };
        all.start(config_of(number, &known), number);
        all.run_for(100);
    }
    for number in 1..=6 {
        let others: Vec<_> = (1..=6)
            .filter(|other| *other != u32::from(number))
            .collect();
        assert_eq!(all.active_peers(number), others, "at {number}");
    }
}

#[test]
fn registrars_that_start_together_reject_each_other_and_do_not_wait_for_ever() {
    let mut all = Registrars::empty();
    for number in 1..=3 {
        all.start(config_of(number, &[1, 2, 3]), number);
    }
    all.run_for(1_400);
    assert_eq!(initialized(&all, 1), None);
    all.run_for(600);
    for number in 1..=3 {
        assert!(initialized(&all, number).is_some(), "{number}");
        assert_eq!(all.active_peers(number).len(), 2, "{number}");
    }
}

#[test]
fn peers_that_are_not_there_are_not_waited_for_longer_than_three_times_no_response() {
    let mut all = Registrars::empty();
    all.start(config_of(1, &[8, 9]), 1);
    all.run_for(1_499);
    assert_eq!(initialized(&all, 1), None);
    all.run_for(1);
    assert_eq!(initialized(&all, 1), Some((1_500, None, 0)));
    // A static peer is sought for ever.
    all.run_for(100_000);
    all.start(config_of(9, &[]), 9);
    all.run_for(1_300);
    assert_eq!(all.active_peers(1), [9]);
}

#[test]
fn a_mentor_that_does_not_respond_is_followed_by_a_backup() {
    let mut all = Registrars::of(&[1, 2]);
    all.register(2, 101, element_on(101, 11));
    // 1 hears, but what it says does not arrive after it has shown its presence.
    all.start(config_of(3, &[]), 3);
    all.crash(3);
    all.hang(1);
    let start = all.milliseconds();
    all.log.clear();
    all.start(config_of(4, &[1, 2]), 4);
    all.run_for(2_000);
    assert_eq!(initialized(&all, 4), Some((start, Some(2), 1)));
}

#[test]
fn a_mentor_that_is_lost_during_the_list_is_followed_by_another() {
    let mut all = Registrars::empty();
    all.start(config_of(1, &[9]), 1);
    all.start(config_of(2, &[]), 2);
    // 1 is starting itself and rejects; 2 does not.
    all.start(config_of(3, &[1, 2]), 3);
    all.run_for(300);
    let (_, mentor, _) = initialized(&all, 3).unwrap();
    assert_eq!(mentor, Some(2));
}

#[test]
fn a_registrar_on_the_multicast_channel_finds_its_mentor_there() {
    let mut all = Registrars::empty();
    all.multicast = true;
    let on_channel = |number| Config {
        enrp_multicast: true,
        ..config_of(number, &[])
    };
    all.start(on_channel(1), 1);
    all.run_for(199);
    assert_eq!(initialized(&all, 1), None);
    all.run_for(1);
    assert_eq!(initialized(&all, 1), Some((200, None, 0)));
    all.register(1, 101, element_on(101, 11));
    all.start(on_channel(2), 2);
    all.run_for(400);
    let (_, mentor, known) = initialized(&all, 2).unwrap();
    assert_eq!((mentor, known), (Some(1), 1));
    assert_eq!(all.active_peers(1), [2]);
}

#[test]
fn a_registrar_that_is_its_own_static_peer_is_turned_away_and_starts() {
    let mut all = Registrars::empty();
    let mut config = config_of(1, &[1]);
    config.enrp_transport.addresses = address_of(1).addresses;
    all.start(config, 1);
    all.run_for(2_000);
    assert!(initialized(&all, 1).is_some());
    all.run_for(30_000);
    assert_eq!(all.active_peers(1), [0_u32; 0]);
    let conflicts = all.machine(1).snapshot().counters.identifier_conflicts;
    assert!(conflicts <= 2, "{conflicts}");
}
