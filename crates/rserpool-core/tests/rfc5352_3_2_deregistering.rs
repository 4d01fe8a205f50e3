//! Deregistration by a pool element (RFC 5352 §3.2: D1 to D4, T3), and registrations that end
//! without it (§2.2.4).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/element.rs"]
mod element;
mod support;

use element::*;
use rserpool_core::Machine;
use rserpool_core::pool_element::{Command, Event, Output, Status};
use rserpool_wire::asap::DeregistrationResponse;
use rserpool_wire::parameter::{ErrorCause, OperationError};
use support::*;

#[test]
fn d1_to_d3_the_deregistration_goes_to_the_home_registrar() {
    let mut element = registered();
    let outputs = command(&mut element, 5, Command::Deregister);
    assert_eq!(outputs, [sent(1, deregistration(11))]);
    assert_eq!(element.snapshot().status, Status::Deregistering);
    let outputs = receive(&mut element, 6, 1, deregistered(11));
    assert_eq!(outputs, [closed(1), Output::Event(Event::Deregistered)]);
    assert_eq!(element.poll_timeout(), None);
    assert_eq!(element.snapshot().status, Status::Idle);
}

#[test]
fn who_never_registered_has_nothing_to_deregister() {
    let mut element = rserpool_core::PoolElement::new(config(&[HOME]), 1, at(0));
    let outputs = command(&mut element, 0, Command::Deregister);
    assert_eq!(outputs, [Output::Event(Event::Deregistered)]);
}

#[test]
fn a_registration_under_way_does_not_delay_a_deregistration() {
    let mut element = start(config(&[HOME]));
    up(&mut element, 0, 1, HOME);
    let outputs = command(&mut element, 1, Command::Deregister);
    assert_eq!(outputs, [sent(1, deregistration(11))]);
    let outputs = receive(&mut element, 2, 1, registration_response(11, Ok(None)));
    assert_eq!(outputs, []);
    let outputs = receive(&mut element, 3, 1, deregistered(11));
    assert!(outputs.contains(&Output::Event(Event::Deregistered)));
}

#[test]
fn t3_another_registrar_is_looked_for_and_asked() {
    let other = "10.0.0.202:3863";
    let mut element = registered_with(config(&[HOME, other]));
    command(&mut element, 0, Command::Deregister);
    let outputs = untimed(run(&mut element, 750));
    assert_eq!(outputs[0], closed(1));
    assert_eq!(connects(&outputs), [other]);
    let outputs = up(&mut element, 751, 2, other);
    assert!(outputs.contains(&sent(2, deregistration(11))));
}

#[test]
fn after_max_reg_attempt_the_deregistration_has_failed() {
    let mut element = registered();
    let mut outputs = command(&mut element, 0, Command::Deregister);
    for number in 2..10 {
        let Some(next) = element.poll_timeout() else {
            break;
        };
        let time = u64::try_from(next.0.as_millis()).unwrap();
        outputs = untimed(run(&mut element, time));
        if !connects(&outputs).is_empty() {
            up(&mut element, time + 1, number, HOME);
        }
    }
    let failed = Event::DeregistrationFailed { attempts: 3 };
    assert!(happened(&outputs).contains(&failed), "{outputs:?}");
    assert_eq!(element.snapshot().status, Status::Idle);
}

#[test]
fn a_rejected_deregistration_is_told() {
    let mut element = registered();
    command(&mut element, 0, Command::Deregister);
    let error = OperationError::from(ErrorCause::RejectedDueToSecurity);
    let response = DeregistrationResponse {
        error: Some(error.clone()),
        ..deregistered(11)
    };
    let outputs = receive(&mut element, 1, 1, response);
    let event = Event::DeregistrationRejected { error };
    assert!(outputs.contains(&Output::Event(event)));
}

#[test]
fn section_2_2_4_one_whose_registration_ended_registers_again_at_once() {
    let mut element = registered();
    let outputs = receive(&mut element, 5_000, 1, deregistered(11));
    assert_eq!(
        outputs,
        [Output::Event(Event::Expired), sent(1, registers(load(1))),]
    );
    let outputs = receive(&mut element, 5_001, 1, registration_response(11, Ok(None)));
    assert!(matches!(happened(&outputs)[..], [Event::Registered { .. }]));
}

#[test]
fn a_registrar_that_grants_and_ends_registrations_for_ever_is_slowed_down() {
    let mut element = registered();
    let mut registrations = 0;
    for time in 0..10_000 {
        let mut outputs = untimed(run(&mut element, time));
        outputs.extend(receive(&mut element, time, 1, deregistered(11)));
        if outputs.contains(&sent(1, registers(load(1)))) {
            registrations += 1;
            receive(&mut element, time, 1, registration_response(11, Ok(None)));
        }
    }
    assert!((7..=20).contains(&registrations), "{registrations} in 10 s");
}

#[test]
fn stopping_closes_everything_and_says_nothing() {
    let mut element = registered();
    up(&mut element, 1, 2, "10.0.0.202:3863");
    let outputs = command(&mut element, 2, Command::Stop);
    assert_eq!(outputs, [closed(1), closed(2)]);
    assert_eq!(element.poll_timeout(), None);
    let outputs = up(&mut element, 3, 3, HOME);
    assert_eq!(outputs, [closed(3)]);
}
