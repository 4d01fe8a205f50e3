//! Re-synchronisation (RFC 5353 §3.6.3): the registrar that asks, and the peer that is asked.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/peers.rs"]
mod peers;
mod support;

use peers::*;
use rserpool_core::registrar::{Destination, Event, Input, Output, RemovalReason, UpdateRefusal};
use rserpool_core::{ENRP_PORT, Machine, PeerAddress, Registrar, Transport};
use rserpool_wire::enrp::{self, HandleTableRequest};
use rserpool_wire::parameter::{PeChecksum, PoolElement};
use rserpool_wire::{Decoded, PoolElementId};
use support::*;

const B: u32 = 11;
const C: u32 = 12;

/// The registrar under test knows pool elements 7 and 8 of B, and asks B what it owns.
fn asking() -> Registrar {
    let mut registrar = registrar_with_peers(&[1], &[B, C]);
    for id in [7, 8] {
        hear(&mut registrar, 1, B, addition(B, &of_b(id)));
    }
    let outputs = hear(&mut registrar, 2, B, presence(B, PeChecksum(1)));
    assert!(outputs.contains(&asks_for_own(B)));
    registrar
}

fn of_b(id: u32) -> PoolElement {
    owned_by(B, element_on(1, id), 1)
}

fn synchronized(changed: usize, removed: usize) -> Output {
    event(Event::Synchronized {
        peer: peer_id(B),
        changed,
        removed,
    })
}

#[test]
fn steps_4_and_5_what_is_listed_is_taken_and_what_is_not_is_removed() {
    let mut registrar = asking();
    let mut changed = of_b(8);
    changed.registration_life = rserpool_wire::RegistrationLife::Seconds(61);
    let listed = [changed.clone(), of_b(9)];
    let outputs = hear(&mut registrar, 3, B, table(B, &listed, false));
    let learnt = Event::PoolElementLearnt {
        pool_handle: echo(),
        pool_element: PoolElementId(9),
        home: peer_id(B),
        pool_created: false,
    };
    let replaced = Event::PoolElementChanged {
        pool_handle: echo(),
        pool_element: PoolElementId(8),
        home: peer_id(B),
        previous_home: Some(peer_id(B)),
    };
    assert_eq!(
        outputs,
        [
            event(replaced),
            event(learnt),
            removed(7, RemovalReason::NotListedByHome, false),
            synchronized(2, 1),
        ]
    );
    assert_eq!(registrar.snapshot().counters.synchronizations, 1);
}

#[test]
fn several_responses_are_one_list() {
    let mut registrar = asking();
    let outputs = hear(&mut registrar, 3, B, table(B, &[of_b(7)], true));
    assert_eq!(outputs, [asks_for_own(B)]);
    let outputs = hear(&mut registrar, 4, B, table(B, &[], true));
    assert_eq!(outputs, [asks_for_own(B)]);
    let outputs = hear(&mut registrar, 5, B, table(B, &[of_b(8)], false));
    assert_eq!(outputs, [synchronized(0, 0)]);
}

#[test]
fn what_an_update_tells_meanwhile_is_not_removed() {
    let mut registrar = asking();
    hear(&mut registrar, 3, B, table(B, &[of_b(8)], true));
    hear(&mut registrar, 4, B, addition(B, &of_b(7)));
    let outputs = hear(&mut registrar, 5, B, table(B, &[], false));
    assert_eq!(outputs, [synchronized(0, 0)]);
}

#[test]
fn a_peer_lists_only_what_it_owns() {
    let mut registrar = asking();
    let foreign = owned_by(C, element_on(1, 9), 1);
    let outputs = hear(
        &mut registrar,
        3,
        B,
        table(B, &[of_b(7), foreign, of_b(8)], false),
    );
    let refused = event(Event::UpdateRefused {
        peer: peer_id(B),
        pool_handle: echo(),
        pool_element: PoolElementId(9),
        reason: UpdateRefusal::NotItsHome,
    });
    assert_eq!(outputs, [refused, synchronized(0, 0)]);
}

#[test]
fn what_a_live_peer_owns_does_not_move_by_a_list() {
    let mut registrar = asking();
    hear(
        &mut registrar,
        3,
        C,
        addition(C, &owned_by(C, element_on(1, 9), 1)),
    );
    hear(
        &mut registrar,
        4,
        B,
        table(B, &[of_b(7), of_b(8), of_b(9)], false),
    );
    let home_of_9 = |registrar: &Registrar| homes(registrar).pop();
    assert_eq!(home_of_9(&registrar), Some((9, peer_id(C))));
    // C does not list it any longer: it went to B, and C said nothing.
    hear(&mut registrar, 5, C, presence(C, PeChecksum(0xffff)));
    hear(&mut registrar, 6, C, table(C, &[], false));
    assert_eq!(home_of_9(&registrar), Some((9, peer_id(B))));
}

#[test]
fn what_a_peer_owns_that_is_gone_moves() {
    let mut registrar = asking();
    hear(
        &mut registrar,
        3,
        C,
        addition(C, &owned_by(C, element_on(1, 9), 1)),
    );
    lose(&mut registrar, 4, of_peer(C));
    hear(
        &mut registrar,
        5,
        B,
        table(B, &[of_b(7), of_b(8), of_b(9)], false),
    );
    assert_eq!(homes(&registrar).pop(), Some((9, peer_id(B))));
}

#[test]
fn what_this_registrar_is_in_touch_with_is_asked() {
    let mut registrar = asking();
    say(&mut registrar, 3, 1, registration(element_on(1, 9)));
    let outputs = hear(
        &mut registrar,
        4,
        B,
        table(B, &[of_b(7), of_b(8), of_b(9)], false),
    );
    assert_eq!(outputs[0], send(1, keep_alive(9)));
    assert_eq!(homes(&registrar).pop(), Some((9, registrar_id())));
}

#[test]
fn a_peer_that_does_not_answer_is_not_waited_for() {
    let mut registrar = asking();
    let outputs = run(&mut registrar, 502);
    let failed = event(Event::SynchronizationFailed { peer: peer_id(B) });
    assert!(outputs.contains(&(at(502), failed)), "{outputs:?}");
    assert!(!is_synchronizing(&registrar));
    assert_eq!(homes(&registrar).len(), 2);
}

fn is_synchronizing(registrar: &Registrar) -> bool {
    let peers = registrar.snapshot().peers.into_iter();
    peers.filter(|peer| peer.synchronizing).count() > 0
}

/// Its answer came too late, so the peer may take the next request for a continuation: what it
/// does not list then it has perhaps listed before.
#[test]
fn after_a_session_that_was_given_up_nothing_is_removed_before_one_is_whole() {
    let mut registrar = asking();
    run(&mut registrar, 502);
    hear(&mut registrar, 600, B, table(B, &[of_b(7)], true));
    hear(&mut registrar, 1_000, B, presence(B, PeChecksum(1)));
    let outputs = hear(&mut registrar, 2_000, B, presence(B, PeChecksum(1)));
    assert!(outputs.contains(&asks_for_own(B)), "{outputs:?}");
    let outputs = hear(&mut registrar, 2_001, B, table(B, &[of_b(8)], false));
    assert_eq!(outputs, [asks_for_own(B)]);
    let outputs = hear(
        &mut registrar,
        2_002,
        B,
        table(B, &[of_b(7), of_b(8)], false),
    );
    assert_eq!(outputs, [synchronized(0, 0)]);
}

#[test]
fn a_peer_that_never_answers_one_request_is_not_asked_for_ever() {
    let mut registrar = asking();
    // The first request is never answered; a second one, soon after, is.
    run(&mut registrar, 502);
    hear(&mut registrar, 503, B, presence(B, PeChecksum(1)));
    let mut now = 504;
    let mut asked = 0;
    for _ in 0..100 {
        now += 1;
        let outputs = hear(&mut registrar, now, B, table(B, &[of_b(7)], false));
        asked += outputs.iter().filter(|o| **o == asks_for_own(B)).count();
    }
    assert!(asked <= 1, "{asked}");
    // Later one session is whole, and removes what is not listed.
    for second in 2..8 {
        let time = second * 1_000;
        hear(&mut registrar, time, B, presence(B, PeChecksum(1)));
        hear(&mut registrar, time + 1, B, table(B, &[of_b(8)], false));
        hear(&mut registrar, time + 2, B, table(B, &[of_b(8)], false));
    }
    let ids: Vec<_> = homes(&registrar).into_iter().collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[test]
fn what_nobody_asked_for_is_dropped() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    let outputs = hear(&mut registrar, 1, B, table(B, &[of_b(7)], true));
    assert_eq!(outputs, []);
    assert_eq!(homes(&registrar), []);
    assert_eq!(registrar.snapshot().counters.enrp_unexpected, 1);
}

#[test]
fn a_peer_that_says_nothing_new_is_not_asked_for_ever() {
    let mut registrar = asking();
    let mut requests = 0;
    loop {
        let outputs = hear(&mut registrar, 3, B, table(B, &[of_b(7)], true));
        if !outputs.contains(&asks_for_own(B)) {
            break;
        }
        requests += 1;
        assert!(requests < 1_000);
    }
    assert_eq!(requests, 257, "one was new");
    assert!(!is_synchronizing(&registrar));
}

#[test]
fn a_session_ends_with_its_association() {
    let mut registrar = asking();
    hear(&mut registrar, 3, B, table(B, &[of_b(7)], true));
    let outputs = lose(&mut registrar, 4, of_peer(B));
    let failed = event(Event::SynchronizationFailed { peer: peer_id(B) });
    assert!(outputs.contains(&failed), "{outputs:?}");
    assert_eq!(homes(&registrar).len(), 2);
}

/// The registrar under test has slept for 5 s, and its pool element has closed its association
/// meanwhile.
fn woken() -> Registrar {
    let mut registrar = registrar_with_peers(&[1], &[B]);
    say(&mut registrar, 1, 1, registration(element_on(1, 7)));
    hear(&mut registrar, 5_000, B, presence(B, PeChecksum(0xffff)));
    let outputs = lose(&mut registrar, 5_001, 1);
    let lost = Event::AssociationLost {
        association: association(1),
        pool_elements: 1,
    };
    assert_eq!(outputs, [event(lost)]);
    assert_eq!(homes(&registrar), [(7, registrar_id())]);
    registrar
}

#[test]
fn a_registrar_that_has_slept_learns_that_its_pool_elements_were_taken_over() {
    let mut registrar = woken();
    hear(&mut registrar, 5_010, B, presence(B, checksum_of(&[7])));
    hear(&mut registrar, 5_011, B, table(B, &[of_b(7)], false));
    assert_eq!(homes(&registrar), [(7, peer_id(B))]);
    run(&mut registrar, 7_000);
    assert_eq!(homes(&registrar), [(7, peer_id(B))]);
}

#[test]
fn a_registrar_that_has_slept_removes_what_nobody_has_taken_over() {
    let mut registrar = woken();
    let outputs = run(&mut registrar, 5_001 + 500);
    let gone = removed(7, RemovalReason::AssociationLost, true);
    assert!(outputs.contains(&(at(5_501), gone)), "{outputs:?}");
}

#[test]
fn step_3_the_peer_is_told_what_this_registrar_owns() {
    let mut registrar = registrar_with_peers(&[1], &[B]);
    say(&mut registrar, 1, 1, registration(element_on(1, 9)));
    hear(&mut registrar, 1, B, addition(B, &of_b(7)));
    let outputs = hear(&mut registrar, 2, B, table_request(B, true));
    assert_eq!(
        outputs,
        [tells_table(B, &[recorded(element_on(1, 9), 1)], false)]
    );
    let outputs = hear(&mut registrar, 2, B, table_request(B, false));
    let all = [of_b(7), recorded(element_on(1, 9), 1)];
    assert_eq!(outputs, [tells_table(B, &all, false)]);
}

/// B has a second association, which is the one in use, and has been synchronized over it.
fn with_two_associations() -> Registrar {
    let mut registrar = registrar_with_peers(&[1], &[B]);
    let address = PeerAddress {
        transport: Transport::Sctp,
        addresses: vec![host(u8::try_from(200 + B).unwrap())],
        port: ENRP_PORT,
        udp_port: None,
    };
    associate(&mut registrar, 1, SECOND, address);
    over_second(&mut registrar, 1, presence(B, PeChecksum(0xffff)));
    over_second(&mut registrar, 1, table(B, &[], false));
    let peer = &registrar.snapshot().peers[0];
    assert_eq!(peer.association, Some(association(SECOND)));
    registrar
}

const SECOND: u64 = 78;

fn over_second(registrar: &mut Registrar, time: u64, message: impl Into<enrp::Message>) {
    let input = Input::EnrpReceived {
        from: association(SECOND),
        message: Ok(Decoded {
            message: message.into(),
            unrecognized: Vec::new(),
        }),
    };
    registrar.handle_input(at(time), input);
    drain(registrar);
}

#[test]
fn what_came_over_an_association_that_is_given_up_is_put_right() {
    let asks = Output::SendEnrp {
        to: Destination::Association(association(SECOND)),
        message: HandleTableRequest {
            sender: registrar_id(),
            receiver: Some(peer_id(B)),
            own_children_only: true,
        }
        .into(),
    };
    let mut registrar = with_two_associations();
    assert!(!lose(&mut registrar, 2, of_peer(B)).contains(&asks));

    let mut registrar = with_two_associations();
    // It may have been overtaken by a removal on the other association.
    hear(&mut registrar, 2, B, addition(B, &of_b(7)));
    assert!(lose(&mut registrar, 3, of_peer(B)).contains(&asks));
}
