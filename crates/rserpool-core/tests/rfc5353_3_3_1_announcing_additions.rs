//! Announcing additions or updates of pool elements (RFC 5353 §3.3.1), and what two registrars do
//! that each take themselves for the home of one.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/peers.rs"]
mod peers;
mod support;

use peers::*;
use rserpool_core::Machine;
use rserpool_core::registrar::{Config, Event, Output, RemovalReason, UpdateRefusal};
use rserpool_wire::PoolElementId;
use rserpool_wire::asap::HandleResolution;
use rserpool_wire::enrp::UpdateAction;
use rserpool_wire::parameter::{ErrorCause, Policy, PoolElement};
use support::*;

const B: u32 = 11;
const C: u32 = 12;
/// Its identifier is greater than that of the registrar under test.
const Z: u32 = 0x0a0b_0d00;

#[test]
fn a_new_pool_element_is_announced_to_all_peers() {
    let mut registrar = registrar_with_peers(&[1], &[B, C]);
    registrar.handle_input(at(1), received(1, registration(element_on(1, 7))));
    let message = update(
        registrar_id(),
        UpdateAction::Add,
        &recorded(element_on(1, 7), 1),
    );
    assert_eq!(
        without_events(drain(&mut registrar)),
        [tell(B, message.clone()), tell(C, message), granted(1, 7),]
    );
    assert_eq!(registrar.snapshot().counters.handle_updates, 2);
}

/// RFC 5352 §3.1: peers are told "if the registration is granted".
#[test]
fn rfc5352_3_1_what_is_rejected_is_told_to_no_peer() {
    let mut registrar = registrar_with_peers(&[1, 2], &[B, C]);
    say(&mut registrar, 1, 1, registration(element_on(1, 7)));
    let mut other = element_on(2, 8);
    other.policy = Policy::Random;
    let cause = ErrorCause::InconsistentPoolPolicy(Some(Policy::RoundRobin));
    let outputs = say(&mut registrar, 2, 2, registration(other));
    assert_eq!(without_events(outputs), [rejected(2, 8, cause)]);
    let outputs = say(&mut registrar, 3, 2, registration(element_on(2, 7)));
    let cause = ErrorCause::NonUniquePoolElementIdentifier;
    let expected = [send(1, keep_alive(7)), rejected(2, 7, cause)];
    assert_eq!(without_events(outputs), expected);
    assert_eq!(registrar.snapshot().counters.handle_updates, 2);
}

#[test]
fn other_attributes_are_announced_and_the_same_are_not() {
    let mut registrar = registrar_with_peers(&[1], &[B]);
    say(&mut registrar, 1, 1, registration(element_on(1, 7)));
    let same = say(&mut registrar, 2, 1, registration(element_on(1, 7)));
    assert_eq!(same, [granted(1, 7)]);
    let mut other = element_on(1, 7);
    other.registration_life = rserpool_wire::RegistrationLife::Seconds(61);
    let changed = say(&mut registrar, 3, 1, registration(other.clone()));
    let message = update(registrar_id(), UpdateAction::Add, &recorded(other, 1));
    assert_eq!(changed, [tell(B, message), granted(1, 7)]);
}

fn degrading(id: u32, load: u32) -> PoolElement {
    let mut element = element_on(1, id);
    let degradation = 10;
    element.policy = Policy::LeastUsedWithDegradation { load, degradation };
    element
}

/// RFC 5356 §5.2.2: the counter is 0 after each re-registration, at all registrars.
#[test]
fn rfc5356_5_2_2_peers_that_count_hear_of_each_reregistration() {
    let mut registrar = registrar_with_peers(&[1], &[B]);
    say(&mut registrar, 1, 1, registration(degrading(7, 0)));
    let again = say(&mut registrar, 2, 1, registration(degrading(7, 0)));
    let told = recorded(degrading(7, 0), 1);
    let message = update(registrar_id(), UpdateAction::Add, &told);
    assert_eq!(again, [tell(B, message), granted(1, 7)]);
}

#[test]
fn rfc5356_5_2_2_the_counter_begins_anew_when_the_home_tells_of_a_reregistration() {
    let mut registrar = registrar_with_peers(&[9], &[B]);
    let one = owned_by(B, degrading(7, 0), 1);
    hear(&mut registrar, 1, B, addition(B, &one));
    hear(
        &mut registrar,
        1,
        B,
        addition(B, &owned_by(B, degrading(8, 15), 1)),
    );
    let select = |registrar: &mut rserpool_core::Registrar| {
        let request = HandleResolution {
            pool_handle: echo(),
            subscribe: false,
            items: Some(1),
        };
        resolved(&say(registrar, 2, 9, request.into()))[0].id.0
    };
    // 7 is at 0, then at 10, then at 20.
    assert_eq!([7, 7, 8].map(|_| select(&mut registrar)), [7, 7, 8]);
    assert_eq!(hear(&mut registrar, 3, B, addition(B, &one)), []);
    assert_eq!([7, 7, 7].map(|_| select(&mut registrar)), [7, 7, 7]);
}

#[test]
fn rules_1_to_3_a_peers_pool_element_is_added_and_replaced() {
    let mut registrar = registrar_with_peers(&[9], &[B]);
    let one = owned_by(B, element_on(1, 7), 1);
    let learnt = |id, pool_created| {
        event(Event::PoolElementLearnt {
            pool_handle: echo(),
            pool_element: PoolElementId(id),
            home: peer_id(B),
            pool_created,
        })
    };
    assert_eq!(
        hear(&mut registrar, 1, B, addition(B, &one)),
        [learnt(7, true)]
    );
    let two = owned_by(B, element_on(2, 8), 2);
    assert_eq!(
        hear(&mut registrar, 1, B, addition(B, &two)),
        [learnt(8, false)]
    );
    let mut changed = one.clone();
    changed.registration_life = rserpool_wire::RegistrationLife::Seconds(61);
    assert_eq!(
        hear(&mut registrar, 1, B, addition(B, &changed)),
        [event(Event::PoolElementChanged {
            pool_handle: echo(),
            pool_element: PoolElementId(7),
            home: peer_id(B),
            previous_home: Some(peer_id(B)),
        })]
    );
    assert_eq!(hear(&mut registrar, 1, B, addition(B, &changed)), []);
    let answer = say(&mut registrar, 2, 9, resolution());
    assert_eq!(resolved(&answer), [changed, two]);
    assert_eq!(registrar.snapshot().counters.handle_updates_received, 4);
}

#[test]
fn only_the_home_itself_says_who_the_home_is() {
    let mut registrar = registrar_with_peers(&[], &[B, C]);
    let element = owned_by(B, element_on(1, 7), 1);
    let refused = hear(&mut registrar, 1, C, addition(C, &element));
    assert_eq!(refused, [refusal(C, UpdateRefusal::NotItsHome)]);
    assert_eq!(homes(&registrar), []);
    assert_eq!(registrar.snapshot().counters.handle_updates_refused, 1);
}

#[test]
fn a_pool_element_that_does_not_fit_into_its_pool_is_refused() {
    let mut registrar = registrar_with_peers(&[1], &[B]);
    say(&mut registrar, 1, 1, registration(element_on(1, 7)));
    let mut other = owned_by(B, element_on(2, 8), 2);
    other.policy = Policy::Random;
    let refused = hear(&mut registrar, 1, B, addition(B, &other));
    let expected = event(Event::UpdateRefused {
        peer: peer_id(B),
        pool_handle: echo(),
        pool_element: PoolElementId(8),
        reason: UpdateRefusal::Inconsistent,
    });
    assert_eq!(refused, [expected]);
    assert_eq!(homes(&registrar), [(7, registrar_id())]);
}

#[test]
fn peers_are_as_limited_as_pool_elements() {
    let mut config = Config::new(registrar_id());
    config.limits.handlespace.elements_max = 1;
    config.limits.handlespace.element_octets_max = 100;
    let mut registrar = registrar_with_peers_configured(config, &[], &[B]);
    let mut long = owned_by(B, element_on(1, 7), 1);
    long.policy = Policy::Other {
        policy_type: rserpool_wire::parameter::PolicyType(0x8000_0001),
        data: vec![0; 100].into(),
    };
    let no_room = [refusal(B, UpdateRefusal::NoRoom)];
    assert_eq!(hear(&mut registrar, 1, B, addition(B, &long)), no_room);
    hear(
        &mut registrar,
        1,
        B,
        addition(B, &owned_by(B, element_on(1, 8), 1)),
    );
    let one_more = addition(B, &owned_by(B, element_on(1, 7), 1));
    assert_eq!(hear(&mut registrar, 1, B, one_more), no_room);
    assert_eq!(homes(&registrar), [(8, peer_id(B))]);
}

#[test]
fn a_pool_element_that_registers_with_another_registrar_is_that_ones() {
    let mut registrar = registrar_with_peers(&[], &[B, C]);
    hear(
        &mut registrar,
        1,
        B,
        addition(B, &owned_by(B, element_on(1, 7), 1)),
    );
    let moved = hear(
        &mut registrar,
        2,
        C,
        addition(C, &owned_by(C, element_on(1, 7), 1)),
    );
    let expected = event(Event::PoolElementChanged {
        pool_handle: echo(),
        pool_element: PoolElementId(7),
        home: peer_id(C),
        previous_home: Some(peer_id(B)),
    });
    assert_eq!(moved, [expected]);
}

#[test]
fn a_peers_pool_element_that_registers_here_is_this_registrars_and_announced() {
    let mut registrar = registrar_with_peers(&[1], &[B]);
    hear(
        &mut registrar,
        1,
        B,
        addition(B, &owned_by(B, element_on(1, 7), 1)),
    );
    let outputs = say(&mut registrar, 2, 1, registration(element_on(1, 7)));
    let message = update(
        registrar_id(),
        UpdateAction::Add,
        &recorded(element_on(1, 7), 1),
    );
    assert_eq!(outputs, [tell(B, message), granted(1, 7)]);
    assert_eq!(homes(&registrar), [(7, registrar_id())]);
    let asked = run(&mut registrar, 600);
    let keep_alives = asked
        .iter()
        .filter(|(_, output)| *output == send(1, keep_alive(7)));
    assert_eq!(keep_alives.count(), 1, "it is watched like any other");
}

#[test]
fn a_stranger_does_not_become_a_pool_element_that_a_live_peer_watches() {
    let mut registrar = registrar_with_peers(&[2], &[B]);
    hear(
        &mut registrar,
        1,
        B,
        addition(B, &owned_by(B, element_on(1, 7), 1)),
    );
    let outputs = say(&mut registrar, 2, 2, registration(element_on(2, 7)));
    let cause = ErrorCause::NonUniquePoolElementIdentifier;
    assert_eq!(outputs, [rejected(2, 7, cause)]);
    // Nobody watches it any more.
    lose(&mut registrar, 3, of_peer(B));
    let outputs = say(&mut registrar, 3, 2, registration(element_on(2, 7)));
    assert_eq!(outputs, [granted(2, 7)]);
}

#[test]
fn a_peers_pool_element_is_neither_asked_nor_expires_here() {
    let mut registrar = registrar_with_peers(&[9], &[B]);
    let mut element = owned_by(B, element_on(1, 7), 1);
    element.registration_life = rserpool_wire::RegistrationLife::Seconds(1);
    hear(&mut registrar, 1, B, addition(B, &element));
    for second in 1..60 {
        let outputs = run(&mut registrar, second * 1_000);
        let is_keep_alive = |output: &Output| matches!(output, Output::Send { .. });
        assert!(!outputs.iter().any(|(_, output)| is_keep_alive(output)));
        hear(
            &mut registrar,
            second * 1_000,
            B,
            presence(B, checksum_of(&[7])),
        );
    }
    assert_eq!(homes(&registrar), [(7, peer_id(B))]);
}

#[test]
fn a_report_of_a_peers_pool_element_is_counted_and_left_to_the_peer() {
    let mut registrar = registrar_with_peers(&[9], &[B]);
    hear(
        &mut registrar,
        1,
        B,
        addition(B, &owned_by(B, element_on(1, 7), 1)),
    );
    registrar.handle_input(at(2), received(9, unreachable_report(7)));
    assert_eq!(drain(&mut registrar), []);
    assert_eq!(registrar.snapshot().counters.unreachable_reports, 1);
}

#[test]
fn subscribers_are_told_of_a_peers_pool_elements() {
    let mut registrar = registrar_with_peers(&[9], &[B]);
    hear(
        &mut registrar,
        1,
        B,
        addition(B, &owned_by(B, element_on(1, 7), 1)),
    );
    say(&mut registrar, 2, 9, subscription());
    let two = owned_by(B, element_on(2, 8), 2);
    let outputs = without_events(hear(&mut registrar, 3, B, addition(B, &two)));
    assert_eq!(resolved(&outputs).len(), 2);
}

/// The registrar under test owns pool element 7 on host 1, and this peer says that it does.
fn contested_by(claimant: u32) -> (rserpool_core::Registrar, Vec<Output>) {
    let mut registrar = registrar_with_peers(&[1], &[claimant, C]);
    say(&mut registrar, 1, 1, registration(element_on(1, 7)));
    let claim = addition(claimant, &owned_by(claimant, element_on(1, 7), 1));
    let outputs = hear(&mut registrar, 2, claimant, claim);
    (registrar, outputs)
}

fn contested(claimant: u32) -> Output {
    event(Event::OwnershipContested {
        pool_handle: echo(),
        pool_element: PoolElementId(7),
        claimant: peer_id(claimant),
    })
}

fn went_to(claimant: u32) -> Output {
    event(Event::PoolElementChanged {
        pool_handle: echo(),
        pool_element: PoolElementId(7),
        home: peer_id(claimant),
        previous_home: Some(registrar_id()),
    })
}

#[test]
fn a_contested_pool_element_is_asked_and_answers_here() {
    let (mut registrar, outputs) = contested_by(B);
    assert_eq!(outputs, [send(1, keep_alive(7)), contested(B)]);
    assert_eq!(homes(&registrar), [(7, registrar_id())]);
    let rebuttal = update(
        registrar_id(),
        UpdateAction::Add,
        &recorded(element_on(1, 7), 1),
    );
    let outputs = say(&mut registrar, 3, 1, keep_alive_ack(7));
    assert_eq!(outputs, [tell(B, rebuttal.clone()), tell(C, rebuttal)]);
    // The claim is void.
    let outputs = without_events(lose(&mut registrar, 4, 1));
    assert_eq!(outputs.len(), 2, "DEL_PE to both: {outputs:?}");
    assert_eq!(homes(&registrar), []);
}

#[test]
fn a_contested_pool_element_that_is_lost_belongs_to_the_claimant_and_nobody_is_told() {
    let (mut registrar, _) = contested_by(B);
    let outputs = lose(&mut registrar, 3, 1);
    let lost = event(Event::AssociationLost {
        association: association(1),
        pool_elements: 1,
    });
    assert_eq!(outputs, [went_to(B), lost]);
    assert_eq!(homes(&registrar), [(7, peer_id(B))]);
}

#[test]
fn a_contested_pool_element_that_is_silent_belongs_to_the_claimant_and_nobody_is_told() {
    let (mut registrar, _) = contested_by(B);
    let outputs = run(&mut registrar, 760);
    let outputs: Vec<_> = outputs.into_iter().map(|(_, output)| output).collect();
    let missed = event(Event::KeepAliveMissed {
        pool_handle: echo(),
        pool_element: PoolElementId(7),
    });
    assert_eq!(outputs, [missed, went_to(B)]);
}

/// It went to B, and then comes a registration here that has been long on its way.
fn late_registration_of_bs() -> rserpool_core::Registrar {
    let (mut registrar, _) = contested_by(B);
    run(&mut registrar, 760);
    assert_eq!(homes(&registrar), [(7, peer_id(B))]);
    let outputs = say(&mut registrar, 800, 1, registration(element_on(1, 7)));
    assert!(outputs.contains(&granted(1, 7)), "{outputs:?}");
    registrar
}

#[test]
fn a_late_registration_whose_association_ends_leaves_the_pool_element_to_the_peer_that_has_it() {
    let mut registrar = late_registration_of_bs();
    let lost = event(Event::AssociationLost {
        association: association(1),
        pool_elements: 1,
    });
    assert_eq!(
        lose(&mut registrar, 800, 1),
        [lost],
        "nobody is told that it is gone"
    );
    let rebuttal = addition(B, &owned_by(B, element_on(1, 7), 1));
    hear(&mut registrar, 810, B, rebuttal);
    run(&mut registrar, 3_000);
    assert_eq!(homes(&registrar), [(7, peer_id(B))]);
}

#[test]
fn a_late_registration_whose_association_ends_is_removed_if_no_peer_has_the_pool_element() {
    let mut registrar = late_registration_of_bs();
    lose(&mut registrar, 800, 1);
    let timeout = rserpool_core::Timers::default().keep_alive_timeout;
    let end = 800 + u64::try_from(timeout.as_millis()).unwrap();
    run(&mut registrar, end - 1);
    assert_eq!(homes(&registrar), [(7, registrar_id())]);
    let gone = removed(7, RemovalReason::AssociationLost, true);
    let outputs = run(&mut registrar, end);
    assert!(outputs.contains(&(at(end), gone)), "{outputs:?}");
}

#[test]
fn a_late_registration_whose_pool_element_answers_is_as_good_as_any() {
    let mut registrar = late_registration_of_bs();
    run(&mut registrar, 1_400);
    say(&mut registrar, 1_400, 1, keep_alive_ack(7));
    lose(&mut registrar, 1_401, 1);
    assert_eq!(homes(&registrar), []);
}

#[test]
fn a_contested_pool_element_whose_claimant_is_gone_is_removed_as_always() {
    let (mut registrar, _) = contested_by(B);
    lose(&mut registrar, 3, of_peer(B));
    lose(&mut registrar, 4, 1);
    assert_eq!(homes(&registrar), []);
}

/// It answers both; so one has to give in.
#[test]
fn a_pool_element_of_two_homes_is_after_some_time_that_of_the_greater_identifier() {
    for (claimant, expected) in [(B, registrar_id()), (Z, peer_id(Z))] {
        let (mut registrar, _) = contested_by(claimant);
        for round in 1..10 {
            let time = round * 200;
            say(&mut registrar, time, 1, keep_alive_ack(7));
            let claim = addition(claimant, &owned_by(claimant, element_on(1, 7), 1));
            hear(&mut registrar, time + 150, claimant, claim);
        }
        assert_eq!(homes(&registrar), [(7, expected)]);
    }
}

fn refusal(peer: u32, reason: UpdateRefusal) -> Output {
    event(Event::UpdateRefused {
        peer: peer_id(peer),
        pool_handle: echo(),
        pool_element: PoolElementId(7),
        reason,
    })
}
