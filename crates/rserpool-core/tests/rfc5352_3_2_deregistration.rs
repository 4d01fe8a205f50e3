//! Deregistration at a registrar, and the end of a registration life (RFC 5352 §3.2, §2.2.2,
//! §2.2.4).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use rserpool_core::Machine;
use rserpool_core::registrar::{Event, Output, RemovalReason};
use rserpool_wire::asap::DeregistrationResponse;
use rserpool_wire::parameter::{ErrorCause, OperationError, PoolElement};
use rserpool_wire::{PoolElementId, RegistrationLife};
use support::*;

#[test]
fn a_pool_element_deregisters_and_the_pool_goes_with_the_last_one() {
    let mut registrar = registrar_with(&[1, 2]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    say(&mut registrar, 0, 2, registration(element_on(2, 22)));
    registrar.handle_input(at(1), received(1, deregistration(11)));
    assert_eq!(
        drain(&mut registrar),
        [
            removed(11, RemovalReason::Deregistered, false),
            response(1, 11, None)
        ]
    );
    registrar.handle_input(at(1), received(2, deregistration(22)));
    assert_eq!(
        drain(&mut registrar),
        [
            removed(22, RemovalReason::Deregistered, true),
            response(2, 22, None)
        ]
    );
    assert_eq!(registrar.snapshot().pools, []);
    assert_eq!(registrar.poll_timeout(), None, "no timer stays behind");
}

#[test]
fn an_unknown_pool_element_is_considered_deregistered() {
    let mut registrar = registrar_with(&[1]);
    let answer = say(&mut registrar, 0, 1, deregistration(11));
    assert_eq!(answer, [response(1, 11, None)]);
}

#[test]
fn section_2_2_2_deregistration_is_not_allowed_by_proxy() {
    let mut registrar = registrar_with(&[1, 2]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    registrar.handle_input(at(1), received(2, deregistration(11)));
    let error = OperationError::from(ErrorCause::RejectedDueToSecurity);
    assert_eq!(
        drain(&mut registrar),
        [
            Output::Event(Event::DeregistrationRejected {
                association: association(2),
                pool_handle: echo(),
                pool_element: PoolElementId(11),
            }),
            response(2, 11, Some(error)),
        ]
    );
    assert_eq!(identifiers(&registrar), [11]);
    assert_eq!(registrar.snapshot().counters.deregistrations_rejected, 1);
}

#[test]
fn a_registration_that_moved_is_deregistered_over_its_new_association_only() {
    let mut registrar = registrar_with(&[1]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    associate(&mut registrar, 0, 2, peer(1));
    say(&mut registrar, 0, 2, registration(element_on(1, 11)));
    let error = OperationError::from(ErrorCause::RejectedDueToSecurity);
    let answer = say(&mut registrar, 0, 1, deregistration(11));
    assert_eq!(answer, [response(1, 11, Some(error))]);
    let answer = say(&mut registrar, 0, 2, deregistration(11));
    assert_eq!(answer, [response(2, 11, None)]);
}

#[test]
fn section_2_2_4_a_registration_ends_with_its_life_and_the_pool_element_is_told() {
    let mut registrar = registrar_with(&[1]);
    say(
        &mut registrar,
        0,
        1,
        registration(living(RegistrationLife::Seconds(10))),
    );
    let outputs = run_answering(&mut registrar, 9_999, &[]);
    assert_eq!(identifiers(&registrar), [11]);
    assert!(
        outputs
            .iter()
            .all(|(_, output)| *output != response(1, 11, None))
    );
    let outputs = run_answering(&mut registrar, 10_000, &[]);
    let last: Vec<_> = outputs.into_iter().rev().take(2).collect();
    assert_eq!(
        last,
        [
            (at(10_000), response(1, 11, None)),
            (at(10_000), removed(11, RemovalReason::Expired, true)),
        ]
    );
}

#[test]
fn a_reregistration_renews_the_life() {
    let mut registrar = registrar_with(&[1]);
    say(
        &mut registrar,
        0,
        1,
        registration(living(RegistrationLife::Seconds(10))),
    );
    run_answering(&mut registrar, 9_000, &[]);
    say(
        &mut registrar,
        9_000,
        1,
        registration(living(RegistrationLife::Seconds(10))),
    );
    run_answering(&mut registrar, 18_999, &[]);
    assert_eq!(identifiers(&registrar), [11]);
    run_answering(&mut registrar, 19_000, &[]);
    assert_eq!(identifiers(&registrar), []);
}

#[test]
fn an_infinite_life_does_not_end() {
    let mut registrar = registrar_with(&[1]);
    say(
        &mut registrar,
        0,
        1,
        registration(living(RegistrationLife::Seconds(10))),
    );
    say(
        &mut registrar,
        0,
        1,
        registration(living(RegistrationLife::Infinite)),
    );
    run_answering(&mut registrar, 100_000, &[]);
    assert_eq!(identifiers(&registrar), [11]);
    assert_eq!(
        registrar.snapshot().pools[0].pool_elements[0].life_left,
        None
    );
}

#[test]
fn the_longest_life_is_no_overflow() {
    let mut registrar = registrar_with(&[1]);
    let longest = RegistrationLife::Seconds(0x7fff_ffff);
    let answer = say(&mut registrar, 0, 1, registration(living(longest)));
    assert_eq!(answer, [granted(1, 11)]);
    let left = registrar.snapshot().pools[0].pool_elements[0].life_left;
    assert_eq!(left.map(|left| left.as_secs()), Some(0x7fff_ffff));
}

fn living(registration_life: RegistrationLife) -> PoolElement {
    PoolElement {
        registration_life,
        ..element_on(1, 11)
    }
}

fn response(to: u64, id: u32, error: Option<OperationError>) -> Output {
    send(
        to,
        DeregistrationResponse {
            pool_handle: echo(),
            pool_element: PoolElementId(id),
            error,
        },
    )
}
