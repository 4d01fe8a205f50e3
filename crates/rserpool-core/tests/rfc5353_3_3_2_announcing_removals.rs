//! Announcing removals of pool elements (RFC 5353 §3.3.2): whose word counts.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/peers.rs"]
mod peers;
mod support;

use peers::*;
use rserpool_core::Machine;
use rserpool_core::registrar::{Event, RemovalReason, UpdateRefusal};
use rserpool_wire::PoolElementId;
use rserpool_wire::enrp::UpdateAction;
use rserpool_wire::parameter::{ErrorCause, OperationError};
use support::*;

const B: u32 = 11;
const C: u32 = 12;

#[test]
fn a_removal_is_announced_to_all_peers() {
    let mut registrar = registrar_with_peers(&[1, 2], &[B, C]);
    say(&mut registrar, 1, 1, registration(element_on(1, 7)));
    say(&mut registrar, 1, 2, registration(element_on(2, 8)));
    let left = without_events(lose(&mut registrar, 2, 1));
    let message = update(
        registrar_id(),
        UpdateAction::Delete,
        &recorded(element_on(1, 7), 1),
    );
    assert_eq!(left, [tell(B, message.clone()), tell(C, message)]);
    let left = say(&mut registrar, 3, 2, deregistration(8));
    let message = update(
        registrar_id(),
        UpdateAction::Delete,
        &recorded(element_on(2, 8), 2),
    );
    assert_eq!(left[..2], [tell(B, message.clone()), tell(C, message)]);
}

/// RFC 5352 §3.2: "Otherwise, the ENRP server MUST NOT inform its peers."
#[test]
fn rfc5352_3_2_a_deregistration_that_is_rejected_is_told_to_no_peer() {
    let mut registrar = registrar_with_peers(&[1, 2], &[B, C]);
    say(&mut registrar, 1, 1, registration(element_on(1, 7)));
    let response = |id, error| rserpool_wire::asap::DeregistrationResponse {
        pool_handle: echo(),
        pool_element: PoolElementId(id),
        error,
    };
    let error = Some(OperationError::from(ErrorCause::RejectedDueToSecurity));
    let outputs = say(&mut registrar, 2, 2, deregistration(7));
    assert_eq!(without_events(outputs), [send(2, response(7, error))]);
    // Nobody of that name is there: granted, and nothing was removed.
    let outputs = say(&mut registrar, 3, 2, deregistration(8));
    assert_eq!(outputs, [send(2, response(8, None))]);
    assert_eq!(homes(&registrar), [(7, registrar_id())]);
}

#[test]
fn a_pool_element_that_its_home_removes_is_removed_and_the_pool_with_the_last_one() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    let [one, two] = [7, 8].map(|id| owned_by(B, element_on(1, id), 1));
    hear(&mut registrar, 1, B, addition(B, &one));
    hear(&mut registrar, 1, B, addition(B, &two));
    let outputs = hear(&mut registrar, 2, B, deletion(B, &one));
    assert_eq!(outputs, [removed(7, RemovalReason::RemovedByHome, false)]);
    let outputs = hear(&mut registrar, 2, B, deletion(B, &two));
    assert_eq!(outputs, [removed(8, RemovalReason::RemovedByHome, true)]);
    assert_eq!(registrar.snapshot().pools, []);
}

#[test]
fn what_is_not_known_cannot_be_removed() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    let element = owned_by(B, element_on(1, 7), 1);
    assert_eq!(hear(&mut registrar, 1, B, deletion(B, &element)), []);
}

fn refused(peer: u32) -> rserpool_core::registrar::Output {
    event(Event::UpdateRefused {
        peer: peer_id(peer),
        pool_handle: echo(),
        pool_element: PoolElementId(7),
        reason: UpdateRefusal::NotItsHome,
    })
}

/// After a partition a former home's DEL_PE arrives late. rsplib deletes a live pool element then.
#[test]
fn a_former_home_is_not_believed() {
    let mut registrar = registrar_with_peers(&[], &[B, C]);
    let [of_b, of_c] = [B, C].map(|home| owned_by(home, element_on(1, 7), 1));
    hear(&mut registrar, 1, B, addition(B, &of_b));
    hear(&mut registrar, 2, C, addition(C, &of_c));
    assert_eq!(hear(&mut registrar, 3, B, deletion(B, &of_b)), [refused(B)]);
    assert_eq!(homes(&registrar), [(7, peer_id(C))]);
}

#[test]
fn nobody_removes_what_this_registrar_owns() {
    let mut registrar = registrar_with_peers(&[1], &[B]);
    hear(
        &mut registrar,
        1,
        B,
        addition(B, &owned_by(B, element_on(1, 7), 1)),
    );
    say(&mut registrar, 2, 1, registration(element_on(1, 7)));
    let late = deletion(B, &owned_by(B, element_on(1, 7), 1));
    assert_eq!(hear(&mut registrar, 3, B, late), [refused(B)]);
    let forged = deletion(B, &recorded(element_on(1, 7), 1));
    assert_eq!(hear(&mut registrar, 3, B, forged), [refused(B)]);
    assert_eq!(homes(&registrar), [(7, registrar_id())]);
}

/// RFC 5352 §3.2: a pool element deregisters at its home, which alone is believed by its peers.
#[test]
fn a_peers_pool_element_does_not_deregister_here() {
    let mut registrar = registrar_with_peers(&[1], &[B]);
    hear(
        &mut registrar,
        1,
        B,
        addition(B, &owned_by(B, element_on(1, 7), 1)),
    );
    let outputs = say(&mut registrar, 2, 1, deregistration(7));
    let error = Some(OperationError::from(ErrorCause::RejectedDueToSecurity));
    let response = rserpool_wire::asap::DeregistrationResponse {
        pool_handle: echo(),
        pool_element: PoolElementId(7),
        error,
    };
    assert_eq!(outputs, [send(1, response)]);
    assert_eq!(homes(&registrar), [(7, peer_id(B))]);
}

/// C lists it too, but B was known to be its home.
fn claimed_by_c() -> rserpool_core::Registrar {
    let mut registrar = registrar_with_peers(&[], &[B, C]);
    hear(
        &mut registrar,
        1,
        B,
        addition(B, &owned_by(B, element_on(1, 7), 1)),
    );
    let asked = hear(&mut registrar, 2, C, presence(C, checksum_of(&[7])));
    assert!(asked.contains(&asks_for_own(C)), "{asked:?}");
    hear(
        &mut registrar,
        3,
        C,
        table(C, &[owned_by(C, element_on(1, 7), 1)], false),
    );
    assert_eq!(homes(&registrar), [(7, peer_id(B))]);
    registrar
}

#[test]
fn a_live_claimant_gets_what_the_home_removes() {
    let mut registrar = claimed_by_c();
    hear(
        &mut registrar,
        4,
        B,
        deletion(B, &owned_by(B, element_on(1, 7), 1)),
    );
    assert_eq!(homes(&registrar), [(7, peer_id(C))]);
}

#[test]
fn a_claim_is_void_when_its_claimant_removes_it() {
    let mut registrar = claimed_by_c();
    hear(
        &mut registrar,
        4,
        C,
        deletion(C, &owned_by(C, element_on(1, 7), 1)),
    );
    hear(
        &mut registrar,
        5,
        B,
        deletion(B, &owned_by(B, element_on(1, 7), 1)),
    );
    assert_eq!(homes(&registrar), []);
}

#[test]
fn a_claim_is_void_when_the_home_says_that_it_is() {
    let mut registrar = claimed_by_c();
    hear(
        &mut registrar,
        4,
        B,
        addition(B, &owned_by(B, element_on(1, 7), 1)),
    );
    hear(
        &mut registrar,
        5,
        B,
        deletion(B, &owned_by(B, element_on(1, 7), 1)),
    );
    assert_eq!(homes(&registrar), []);
}
