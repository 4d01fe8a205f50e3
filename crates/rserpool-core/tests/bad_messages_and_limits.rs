//! What a registrar does with what it should not get (RFC 5352 §2.2.14, RFC 5354 §3, §3.12), with
//! too much of it, and when it shuts down.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use rserpool_core::registrar::{CloseReason, Command, Config, Event, Input, Limit, Output};
use rserpool_core::{Machine, Registrar};
use rserpool_wire::Decoded;
use rserpool_wire::asap::{self, Message, ServerAnnounce};
use rserpool_wire::parameter::{EncapsulationPorts, ErrorCause, OperationError};
use support::*;

#[test]
fn an_unknown_message_that_asks_for_it_is_reported() {
    let mut registrar = registrar_with(&[1]);
    let unknown = [0x7f, 0, 0, 4];
    let outputs = octets(&mut registrar, 0, 1, &unknown);
    assert!(matches!(
        outputs[0],
        Output::Event(Event::BadMessage { .. })
    ));
    assert_eq!(
        outputs[1..],
        [error(1, ErrorCause::UnrecognizedMessage(unknown.to_vec()))]
    );
    assert_eq!(registrar.snapshot().counters.bad_messages, 1);
}

#[test]
fn an_unknown_message_that_does_not_is_dropped() {
    let mut registrar = registrar_with(&[1]);
    let outputs = octets(&mut registrar, 0, 1, &[0x3f, 0, 0, 4]);
    assert_eq!(without_events(outputs), []);
}

#[test]
fn an_unknown_parameter_is_reported_and_the_rest_is_done() {
    let mut registrar = registrar_with(&[1]);
    let mut message = registration(element_on(1, 11)).encode();
    let parameter = [0xc1, 0x23, 0, 8, 1, 2, 3, 4];
    message.extend(parameter);
    let length = u16::try_from(message.len()).unwrap();
    message[2..4].copy_from_slice(&length.to_be_bytes());
    let outputs = octets(&mut registrar, 0, 1, &message);
    assert_eq!(
        without_events(outputs),
        [
            granted(1, 11),
            error(1, ErrorCause::UnrecognizedParameter(parameter.to_vec())),
        ]
    );
}

#[test]
fn nonsense_is_dropped() {
    let mut registrar = registrar_with(&[1]);
    for nonsense in [&[][..], &[1], &[1, 0, 0xff, 0xff], &[0; 64]] {
        let outputs = octets(&mut registrar, 0, 1, nonsense);
        assert_eq!(without_events(outputs), [], "{nonsense:?}");
    }
}

#[test]
fn an_error_is_never_answered() {
    let mut registrar = registrar_with(&[1]);
    let report = OperationError::from(ErrorCause::Unspecified);
    let input = Input::Received {
        from: association(1),
        message: Ok(Decoded {
            message: Message::from(asap::Error {
                error: report.clone(),
            }),
            unrecognized: Vec::new(),
        }),
    };
    registrar.handle_input(at(0), input);
    assert_eq!(
        drain(&mut registrar),
        [Output::Event(Event::ErrorReceived {
            association: association(1),
            error: report,
        })]
    );
    // Nor is one that is itself broken.
    let outputs = octets(
        &mut registrar,
        0,
        1,
        &[0x0e, 0, 0, 12, 0x41, 0x23, 0, 8, 1, 2, 3, 4],
    );
    assert_eq!(without_events(outputs), []);
}

#[test]
fn two_that_find_fault_with_each_other_stop_soon() {
    let mut registrar = registrar_with(&[1]);
    let mut reported = 0;
    for _ in 0..1_000 {
        let outputs = octets(&mut registrar, 0, 1, &[0x7f, 0, 0, 4]);
        reported += without_events(outputs).len();
    }
    assert_eq!(reported, 10);
    assert_eq!(
        registrar.snapshot().counters.limits_reached[&Limit::Errors],
        990
    );
}

#[test]
fn a_message_for_another_role_is_dropped_and_counted() {
    let mut registrar = registrar_with(&[1]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    let announce = ServerAnnounce {
        registrar: registrar_id(),
        transports: Vec::new(),
        encapsulation_ports: EncapsulationPorts::default(),
    };
    for (message, message_type) in [
        (Message::from(registration_response(11, Ok(None))), 0x03),
        (keep_alive(11), 0x07),
        (Message::from(announce), 0x0a),
    ] {
        registrar.handle_input(at(0), received(1, message));
        assert_eq!(
            drain(&mut registrar),
            [Output::Event(Event::UnexpectedMessage {
                association: association(1),
                message_type,
            })]
        );
    }
    assert_eq!(registrar.snapshot().counters.unexpected_messages, 3);
}

#[test]
fn an_association_that_is_not_up_says_nothing() {
    let mut registrar = registrar_with(&[1]);
    lose(&mut registrar, 0, 1);
    let outputs = say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    assert_eq!(outputs, []);
    assert_eq!(identifiers(&registrar), []);
}

#[test]
fn one_association_too_many_is_closed() {
    let mut config = Config::new(registrar_id());
    config.limits.associations_max = 2;
    let mut registrar = registrar_configured(config, &[1, 2]);
    associate(&mut registrar, 0, 3, peer(3));
    assert_eq!(
        drain(&mut registrar),
        [
            Output::Event(Event::LimitReached {
                limit: Limit::Associations,
                association: Some(association(3)),
            }),
            Output::Close {
                association: association(3),
                reason: CloseReason::TooManyAssociations,
            },
        ]
    );
    lose(&mut registrar, 0, 1);
    associate(&mut registrar, 0, 4, peer(4));
    assert_eq!(without_events(drain(&mut registrar)), []);
}

#[test]
fn shutting_down_answers_what_was_asked_and_closes_all() {
    let mut registrar = registrar_with(&[1, 2]);
    registrar.handle_input(at(0), received(1, registration(element_on(1, 11))));
    registrar.handle_input(at(0), Input::Command(Command::Shutdown));
    let outputs = drain(&mut registrar);
    let closed = |number| Output::Close {
        association: association(number),
        reason: CloseReason::ShuttingDown,
    };
    assert_eq!(
        outputs[1..],
        [
            granted(1, 11),
            closed(1),
            closed(2),
            Output::Event(Event::ShutDown),
        ]
    );
    assert_eq!(registrar.poll_timeout(), None);
    // Whoever comes now is sent away; what still arrives is not answered.
    associate(&mut registrar, 1, 3, peer(3));
    assert_eq!(drain(&mut registrar), [closed(3)]);
    assert_eq!(say(&mut registrar, 1, 1, resolution()), []);
    assert_eq!(lose(&mut registrar, 1, 1), []);
    assert!(registrar.snapshot().shutting_down);
}

fn octets(registrar: &mut Registrar, time: u64, from: u64, octets: &[u8]) -> Vec<Output> {
    let input = Input::Received {
        from: association(from),
        message: Message::decode(octets),
    };
    registrar.handle_input(at(time), input);
    drain(registrar)
}

fn error(to: u64, cause: ErrorCause) -> Output {
    let error = OperationError::from(cause);
    send(to, asap::Error { error })
}
