//! Audit (RFC 5353 §3.6.1): when a re-synchronisation begins, and how often.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/peers.rs"]
mod peers;
mod support;

use peers::*;
use rserpool_core::registrar::{Event, Output};
use rserpool_core::{Machine, Registrar};
use rserpool_wire::parameter::PeChecksum;
use support::*;

const B: u32 = 11;

fn requests(outputs: &[Output]) -> usize {
    let requests = outputs.iter().filter(|output| **output == asks_for_own(B));
    requests.count()
}

#[test]
fn step_4_nothing_happens_if_the_checksums_are_equal() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    hear(
        &mut registrar,
        1,
        B,
        addition(B, &owned_by(B, element_on(1, 7), 1)),
    );
    let outputs = hear(&mut registrar, 2, B, presence(B, checksum_of(&[7])));
    assert_eq!(outputs, []);
    assert_eq!(registrar.snapshot().counters.checksum_mismatches, 0);
}

#[test]
fn step_5_a_re_synchronisation_begins_at_once_if_they_are_not() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    let (told, known) = (checksum_of(&[7]), PeChecksum(0xffff));
    let mismatch = Event::ChecksumMismatch {
        peer: peer_id(B),
        told,
        known,
    };
    let outputs = hear(&mut registrar, 2, B, presence(B, told));
    assert_eq!(outputs, [event(mismatch), asks_for_own(B)]);
    // One at a time.
    assert_eq!(hear(&mut registrar, 3, B, presence(B, told)), []);
}

#[test]
fn what_updates_have_told_before_is_in_the_checksum() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    let elements: Vec<u32> = (1..300).collect();
    for id in &elements {
        hear(
            &mut registrar,
            1,
            B,
            addition(B, &owned_by(B, element_on(1, *id), 1)),
        );
    }
    let outputs = hear(&mut registrar, 2, B, presence(B, checksum_of(&elements)));
    assert_eq!(requests(&outputs), 0);
}

/// A heartbeat each second of a peer whose checksum never matches and whose table is empty: in
/// which seconds it is asked.
fn asked_in(registrar: &mut Registrar, seconds: std::ops::Range<u64>) -> Vec<u64> {
    let mut asked = Vec::new();
    for second in seconds {
        run(registrar, second * 1_000);
        let outputs = hear(registrar, second * 1_000, B, presence(B, PeChecksum(1)));
        if requests(&outputs) > 0 {
            asked.push(second);
            hear(registrar, second * 1_000 + 1, B, table(B, &[], false));
        }
    }
    asked
}

#[test]
fn what_cannot_be_cured_is_tried_less_and_less() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    assert_eq!(
        asked_in(&mut registrar, 1..260),
        [1, 3, 6, 11, 20, 37, 70, 135, 200]
    );
    // A match, and it is as before.
    hear(&mut registrar, 260_000, B, presence(B, PeChecksum(0xffff)));
    assert_eq!(asked_in(&mut registrar, 261..265), [261, 263]);
}

#[test]
fn a_peer_that_rejects_is_asked_again_with_its_next_heartbeat() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    for second in 1..5 {
        run(&mut registrar, second * 1_000);
        let outputs = hear(
            &mut registrar,
            second * 1_000,
            B,
            presence(B, PeChecksum(1)),
        );
        assert_eq!(requests(&outputs), 1);
        let outputs = hear(&mut registrar, second * 1_000, B, table_rejected(B));
        let failed = event(Event::SynchronizationFailed { peer: peer_id(B) });
        assert_eq!(outputs, [failed]);
    }
}
