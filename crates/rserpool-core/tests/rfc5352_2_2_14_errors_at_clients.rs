//! What a pool element and a pool user do with what they do not know (RFC 5352 §2.2.14), and with
//! the errors that a registrar reports to them.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/element.rs"]
mod element;
mod support;
#[path = "support/user.rs"]
mod user;

use rserpool_core::pool_user::Source;
use rserpool_core::{pool_element, pool_user};
use rserpool_wire::asap::{self, Message};
use rserpool_wire::parameter::{ErrorCause, OperationError};
use support::*;

/// Action bits 01: discarded and reported.
const REPORTED_MESSAGE: [u8; 4] = [0x7f, 0, 0, 4];
/// Action bits 00: discarded.
const SILENT_MESSAGE: [u8; 4] = [0x3f, 0, 0, 4];
/// Action bits 11: passed over and reported.
const REPORTED_PARAMETER: [u8; 4] = [0xc0, 0x99, 0, 4];

fn with_unknown_parameter(message: impl Into<Message>) -> Vec<u8> {
    let mut octets = message.into().encode();
    octets.extend(REPORTED_PARAMETER);
    let length = u16::try_from(octets.len()).unwrap();
    octets[2..4].copy_from_slice(&length.to_be_bytes());
    octets
}

fn error(cause: ErrorCause) -> asap::Error {
    let error = OperationError::from(cause);
    asap::Error { error }
}

fn element_hears(
    element: &mut rserpool_core::PoolElement,
    octets: &[u8],
) -> Vec<pool_element::Output> {
    let received = pool_element::Input::Received {
        from: association(1),
        message: Message::decode(octets),
    };
    element::input(element, 1, received)
}

fn user_hears(user: &mut rserpool_core::PoolUser, octets: &[u8]) -> Vec<pool_user::Output> {
    let received = pool_user::Input::Received {
        from: association(1),
        message: Message::decode(octets),
    };
    user::input(user, 1, received)
}

#[test]
fn an_unknown_message_is_reported_if_its_action_bits_say_so() {
    let cause = ErrorCause::UnrecognizedMessage(REPORTED_MESSAGE.to_vec());
    let mut element = element::registered();
    let outputs = element_hears(&mut element, &REPORTED_MESSAGE);
    assert_eq!(outputs[1..], [element::sent(1, error(cause.clone()))]);
    assert_eq!(element_hears(&mut element, &SILENT_MESSAGE).len(), 1);
    let mut user = user::at_home();
    let outputs = user_hears(&mut user, &REPORTED_MESSAGE);
    assert_eq!(outputs[1..], [user::sent(1, error(cause))]);
    assert_eq!(user_hears(&mut user, &SILENT_MESSAGE).len(), 1);
}

#[test]
fn an_unknown_parameter_is_reported_and_the_rest_of_the_message_used() {
    let cause = ErrorCause::UnrecognizedParameter(REPORTED_PARAMETER.to_vec());
    let mut element = element::start(element::config(&[element::HOME]));
    element::up(&mut element, 0, 1, element::HOME);
    let granted = with_unknown_parameter(registration_response(11, Ok(None)));
    let outputs = element_hears(&mut element, &granted);
    let [event, report] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    assert!(matches!(
        event,
        pool_element::Output::Event(pool_element::Event::Registered { .. })
    ));
    assert_eq!(*report, element::sent(1, error(cause.clone())));

    let mut user = user::at_home();
    user::resolve(&mut user, 0, 100);
    let answer = with_unknown_parameter(user::response(&[11]));
    let expected = [
        user::resolved(100, &[11], Source::Registrar),
        user::sent(1, error(cause)),
    ];
    assert_eq!(user_hears(&mut user, &answer), expected);
}

#[test]
fn an_error_is_told_and_never_answered() {
    let cause = ErrorCause::UnrecognizedMessage(vec![1, 2, 3, 4]);
    let error = error(cause);
    let octets = Message::from(error.clone()).encode();
    let error = error.error;
    let told = pool_element::Event::ErrorReceived {
        error: error.clone(),
    };
    let outputs = element_hears(&mut element::registered(), &octets);
    assert_eq!(outputs, [pool_element::Output::Event(told)]);
    let told = pool_user::Event::ErrorReceived { error };
    let outputs = user_hears(&mut user::at_home(), &octets);
    assert_eq!(outputs, [pool_user::Output::Event(told)]);
}

#[test]
fn errors_are_not_reported_for_ever() {
    let mut element = element::registered();
    let mut user = user::at_home();
    let (mut of_element, mut of_user) = (0, 0);
    for _ in 0..100 {
        of_element += element_hears(&mut element, &REPORTED_MESSAGE).len() - 1;
        of_user += user_hears(&mut user, &REPORTED_MESSAGE).len() - 1;
    }
    assert_eq!((of_element, of_user), (10, 10));
}
