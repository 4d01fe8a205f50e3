//! Registration by a pool element (RFC 5352 §3.1: R1 to R4, T2, T4; §3.7.3).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/element.rs"]
mod element;
mod support;

use element::*;
use rserpool_core::pool_element::{Command, Event, Input, Output, Status, UserProtocol};
use rserpool_core::{Machine, PoolElement, Timers};
use rserpool_wire::asap::Message;
use rserpool_wire::parameter::{
    self, ErrorCause, OperationError, Policy, SctpTransport, TcpTransport, TransportUse,
    UserTransport,
};
use rserpool_wire::{PoolElementId, RegistrationLife};
use std::time::Duration;
use support::*;

#[test]
fn r1_to_r3_a_home_registrar_is_found_and_the_registration_sent() {
    let mut element = start(config(&[HOME]));
    assert_eq!(
        drain(&mut element),
        [],
        "what starting wants done was taken with the command"
    );
    let outputs = up(&mut element, 3, 1, HOME);
    assert_eq!(
        outputs,
        [
            Output::Event(Event::HomeRegistrarChanged {
                home: registrar_address(HOME),
                registrar: None,
            }),
            sent(1, registers(load(1))),
        ]
    );
}

#[test]
fn r2_2_the_identifier_is_random_unless_given() {
    let identifier = |seed| {
        let mut random = config(&[HOME]);
        random.id = None;
        PoolElement::new(random, seed, at(0)).snapshot().id
    };
    assert_ne!(identifier(1), identifier(2));
    assert_eq!(identifier(1), identifier(1));
}

#[test]
fn r2_3_the_life_is_in_whole_seconds_and_may_be_infinite() {
    for (life, expected) in [
        (Some(Duration::from_millis(1)), RegistrationLife::Seconds(1)),
        (
            Some(Duration::from_millis(1_001)),
            RegistrationLife::Seconds(2),
        ),
        (Some(Duration::MAX), RegistrationLife::Seconds(0x7fff_ffff)),
        (None, RegistrationLife::Infinite),
    ] {
        let mut with_life = config(&[HOME]);
        with_life.registration_life = life;
        let registered = first_registration(with_life);
        assert_eq!(registered.registration_life, expected, "{life:?}");
    }
}

#[test]
fn r2_4_the_user_transport_has_the_associations_addresses_unless_given() {
    let mut given = config(&[HOME]);
    given.addresses = Some(vec![host(5), host(6)]);
    assert_eq!(
        first_registration(given.clone()).user_transport,
        UserTransport::Sctp(SctpTransport {
            port: 7,
            transport_use: TransportUse::DATA_ONLY,
            addresses: vec![host(5), host(6)],
        })
    );
    given.user_transport.protocol = UserProtocol::Tcp;
    assert_eq!(
        first_registration(given).user_transport,
        UserTransport::Tcp(TcpTransport {
            port: 7,
            address: host(5),
        })
    );
}

#[test]
fn a_granted_registration_is_told_once() {
    let mut element = start(config(&[HOME]));
    up(&mut element, 0, 1, HOME);
    let outputs = receive(&mut element, 1, 1, registration_response(11, Ok(None)));
    assert_eq!(
        happened(&outputs),
        [Event::Registered {
            home: registrar_address(HOME),
            id: PoolElementId(11),
            warning: None,
        }]
    );
    assert_eq!(element.snapshot().status, Status::Registered);
    let next = element.poll_timeout();
    assert!(next > Some(at(10_000)), "T2 has stopped, T4 runs: {next:?}");
    // A second response, which nobody waits for.
    let outputs = receive(&mut element, 2, 1, registration_response(11, Ok(None)));
    assert_eq!(outputs, []);
}

#[test]
fn t4_a_registration_is_renewed_with_the_same_identifier() {
    let mut element = registered();
    let outputs = run(&mut element, 20_000);
    let (renewed_at, output) = &outputs[0];
    assert!(*renewed_at >= at(17_500) && *renewed_at <= at(20_000));
    assert_eq!(*output, sent(1, registers(load(1))));
    let time = u64::try_from(renewed_at.0.as_millis()).unwrap() + 1;
    let outputs = receive(&mut element, time, 1, registration_response(11, Ok(None)));
    assert_eq!(outputs, [], "nothing new to tell");
}

#[test]
fn t4_is_20_s_less_than_the_life_and_half_of_a_short_one() {
    for (life, latest) in [(60, 20.0), (35, 17.5), (30, 15.0), (2, 1.0)] {
        let mut with_life = config(&[HOME]);
        with_life.registration_life = Some(Duration::from_secs(life));
        let element = registered_with(with_life);
        let renewal = element.snapshot().renewal_in.unwrap().as_secs_f64();
        assert!(
            renewal <= latest && renewal >= latest * 0.874,
            "life {life} s: {renewal}"
        );
    }
    let mut rfc = config(&[HOME]);
    rfc.timers = Timers::rfc();
    rfc.registration_life = Some(Duration::from_secs(120));
    let renewal = registered_with(rfc).snapshot().renewal_in.unwrap();
    assert!(renewal <= Duration::from_secs(100) && renewal > Duration::from_secs(87));
}

#[test]
fn t2_another_registrar_is_looked_for_and_asked() {
    let other = "10.0.0.202:3863";
    let mut element = start(config(&[HOME, other]));
    let hunt = drain(&mut element);
    assert_eq!(hunt, []);
    up(&mut element, 0, 1, HOME);
    let outputs = untimed(run(&mut element, 750));
    assert_eq!(
        outputs,
        [
            closed(1),
            Output::Event(Event::ServerHuntStarted {
                lost: Some(registrar_address(HOME)),
            }),
            Output::Connect {
                registrar: registrar_address(other),
            },
        ]
    );
    let outputs = up(&mut element, 751, 2, other);
    assert_eq!(outputs[1], sent(2, registers(load(1))));
}

#[test]
fn t2_doubles_up_to_retran_max() {
    let mut patient = config(&[HOME]);
    patient.timers.t2_registration = ms(1_000);
    patient.timers.retran_max = ms(3_000);
    let mut element = start(patient);
    let mut waits = Vec::new();
    let mut time = 0;
    for number in 1..=4 {
        up(&mut element, time, number, HOME);
        let end = element.poll_timeout().unwrap();
        waits.push(end.since(at(time)));
        let outputs = untimed(run(&mut element, end.0.as_millis().try_into().unwrap()));
        assert!(outputs.contains(&closed(number)));
        time = u64::try_from(end.0.as_millis()).unwrap() + 1;
    }
    assert_eq!(waits, [ms(1_000), ms(2_000), ms(3_000), ms(3_000)]);
}

#[test]
fn send_failure_starts_the_server_hunt() {
    let mut element = registered();
    let failure = Input::SendFailed {
        association: association(1),
    };
    let outputs = input(&mut element, 1, failure);
    assert_eq!(outputs[0], closed(1));
    assert_eq!(
        happened(&outputs),
        [Event::ServerHuntStarted {
            lost: Some(registrar_address(HOME)),
        }]
    );
    assert_eq!(connects(&outputs), [HOME]);
}

#[test]
fn max_reg_attempt_is_reported_and_rfc_timers_stop() {
    let mut rfc = config(&[HOME]);
    rfc.timers = Timers::rfc();
    let mut element = start(rfc);
    let (events, _) = refuse_to_answer(&mut element, 600_000);
    let failures: Vec<_> = events.iter().filter(is_failure).collect();
    assert_eq!(
        failures,
        [&Event::RegistrationFailed {
            attempts: 3,
            will_retry: false,
        }]
    );
    assert_eq!(element.poll_timeout(), None);
    assert_eq!(element.snapshot().status, Status::Idle);
}

#[test]
fn max_reg_attempt_is_reported_and_default_timers_go_on() {
    let mut element = start(config(&[HOME]));
    let (events, number) = refuse_to_answer(&mut element, 60_000);
    let failures: Vec<_> = events.iter().filter(is_failure).collect();
    assert_eq!(
        failures,
        [&Event::RegistrationFailed {
            attempts: 3,
            will_retry: true,
        }]
    );
    let granted = registration_response(11, Ok(None));
    let outputs = receive(&mut element, 60_000, number, granted);
    assert!(matches!(happened(&outputs)[..], [Event::Registered { .. }]));
}

#[test]
fn registrars_that_cannot_be_reached_are_failed_attempts() {
    let mut element = start(config(&[HOME]));
    let mut failures = Vec::new();
    for time in 0..20_000 {
        let outputs = untimed(run(&mut element, time));
        let mut outputs = outputs;
        if element.snapshot().status == Status::Hunting {
            outputs.extend(failed(&mut element, time, HOME));
        }
        failures.extend(
            happened(&outputs)
                .into_iter()
                .filter(|event| is_failure(&event)),
        );
    }
    assert_eq!(
        failures,
        [Event::RegistrationFailed {
            attempts: 3,
            will_retry: true,
        }]
    );
}

#[test]
fn a_rejected_registration_is_not_attempted_again_without_correction() {
    let mut element = start(config(&[HOME]));
    up(&mut element, 0, 1, HOME);
    let error = rejection(ErrorCause::InconsistentPoolPolicy(Some(Policy::Random)));
    let outputs = receive(
        &mut element,
        1,
        1,
        registration_response(11, Err(Some(error.clone()))),
    );
    assert_eq!(
        outputs,
        [Output::Event(Event::RegistrationRejected {
            error: Some(error),
            will_retry: false,
        })]
    );
    assert_eq!(untimed(run(&mut element, 1_000_000)), []);
    // The correction.
    let outputs = command(&mut element, 1_000_000, Command::SetPolicy(Policy::Random));
    assert_eq!(outputs, [sent(1, registers(Policy::Random))]);
}

#[test]
fn an_identifier_that_is_not_unique_is_corrected_if_it_is_random() {
    let mut random = config(&[HOME]);
    random.id = None;
    let mut element = start(random);
    let first = element.snapshot().id;
    up(&mut element, 0, 1, HOME);
    let error = rejection(ErrorCause::NonUniquePoolElementIdentifier);
    let outputs = receive(
        &mut element,
        1,
        1,
        registration_response(first.0, Err(Some(error))),
    );
    let second = element.snapshot().id;
    assert_ne!(first, second);
    let corrected = parameter::PoolElement {
        policy: load(1),
        ..element_on(1, second.0)
    };
    assert!(outputs.contains(&sent(1, registration(corrected))));
}

#[test]
fn what_may_pass_is_tried_again_later_unless_the_timers_are_the_rfcs() {
    for cause in [
        ErrorCause::NonUniquePoolElementIdentifier,
        ErrorCause::LackOfResources,
    ] {
        for (timers, will_retry) in [(Timers::default(), true), (Timers::rfc(), false)] {
            let mut with_timers = config(&[HOME]);
            with_timers.timers = timers;
            let mut element = start(with_timers);
            up(&mut element, 0, 1, HOME);
            let error = rejection(cause.clone());
            let response = registration_response(11, Err(Some(error.clone())));
            let outputs = receive(&mut element, 1, 1, response);
            assert_eq!(
                outputs,
                [Output::Event(Event::RegistrationRejected {
                    error: Some(error),
                    will_retry,
                })]
            );
            let again = run(&mut element, 2_000);
            assert_eq!(!again.is_empty(), will_retry);
            assert!(again.first().is_none_or(|(time, _)| *time >= at(300)));
        }
    }
}

#[test]
fn a_new_policy_value_is_registered_at_once() {
    let mut element = registered();
    let outputs = command(&mut element, 5, Command::SetPolicy(load(2)));
    assert_eq!(outputs, [sent(1, registers(load(2)))]);
    // No change is no news.
    let outputs = command(&mut element, 5, Command::SetPolicy(load(2)));
    assert_eq!(outputs, []);
}

#[test]
fn while_a_registration_is_outstanding_the_newest_policy_value_waits_for_its_response() {
    let mut element = registered();
    command(&mut element, 5, Command::SetPolicy(load(2)));
    for value in 3..10 {
        let outputs = command(&mut element, 6, Command::SetPolicy(load(value)));
        assert_eq!(outputs, []);
    }
    let outputs = receive(&mut element, 7, 1, registration_response(11, Ok(None)));
    assert_eq!(outputs, [sent(1, registers(load(9)))]);
    let outputs = receive(&mut element, 8, 1, registration_response(11, Ok(None)));
    assert_eq!(outputs, []);
}

#[test]
fn a_policy_that_the_pool_refuses_is_taken_back() {
    let mut element = registered();
    command(&mut element, 5, Command::SetPolicy(Policy::Random));
    let error = rejection(ErrorCause::InconsistentPoolPolicy(Some(load(0))));
    let outputs = receive(
        &mut element,
        6,
        1,
        registration_response(11, Err(Some(error.clone()))),
    );
    assert_eq!(
        outputs,
        [Output::Event(Event::RegistrationRejected {
            error: Some(error),
            will_retry: true,
        })]
    );
    let outputs = run(&mut element, 21_000);
    assert_eq!(
        outputs[0].1,
        sent(1, registers(load(1))),
        "renewed as it was"
    );
}

#[test]
fn a_lost_registrar_is_replaced_and_registered_with_at_once() {
    let other = "10.0.0.202:3863";
    let mut element = registered_with(config(&[HOME, other]));
    let outputs = lost(&mut element, 5, 1);
    assert_eq!(connects(&outputs), [other], "the lost one is tried last");
    let outputs = up(&mut element, 6, 2, other);
    assert_eq!(outputs[1], sent(2, registers(load(1))));
    let outputs = receive(&mut element, 7, 2, registration_response(11, Ok(None)));
    assert!(matches!(happened(&outputs)[..], [Event::Registered { .. }]));
}

#[test]
fn a_response_from_somebody_else_or_about_somebody_else_is_none() {
    let mut element = start(config(&[HOME]));
    up(&mut element, 0, 1, HOME);
    up(&mut element, 0, 2, "10.0.0.66:3863");
    let outputs = receive(&mut element, 1, 2, registration_response(11, Ok(None)));
    assert_eq!(outputs, []);
    let outputs = receive(&mut element, 1, 1, registration_response(12, Ok(None)));
    assert_eq!(outputs, []);
    let outputs = receive(&mut element, 1, 77, registration_response(11, Ok(None)));
    assert_eq!(outputs, []);
    assert_eq!(element.snapshot().status, Status::Registering);
    assert_eq!(element.snapshot().discarded, 3);
}

fn first_registration(config: rserpool_core::pool_element::Config) -> parameter::PoolElement {
    let home = config.registrars[0].to_string();
    let mut element = start(config);
    let outputs = up(&mut element, 0, 1, &home);
    let registration = outputs.into_iter().find_map(|output| match output {
        Output::Send {
            message: Message::Registration(registration),
            ..
        } => Some(registration.pool_element),
        Output::Send { .. }
        | Output::Connect { .. }
        | Output::StopConnecting { .. }
        | Output::Close { .. }
        | Output::Event(_) => None,
    });
    registration.unwrap()
}

/// A registrar that accepts associations and never answers; what happens, and the number of the
/// last association.
fn refuse_to_answer(element: &mut PoolElement, until: u64) -> (Vec<Event>, u64) {
    let mut events = Vec::new();
    let mut number = 0;
    up(element, 0, number, HOME);
    while let Some(next) = element.poll_timeout().filter(|next| *next < at(until)) {
        element.handle_timeout(next);
        let outputs = drain(element);
        events.extend(happened(&outputs));
        if !connects(&outputs).is_empty() {
            number += 1;
            let time = u64::try_from(next.0.as_millis()).unwrap() + 1;
            events.extend(happened(&up(element, time, number, HOME)));
        }
    }
    (events, number)
}

fn is_failure(event: &&Event) -> bool {
    matches!(event, Event::RegistrationFailed { .. })
}

fn rejection(cause: ErrorCause) -> OperationError {
    OperationError::from(cause)
}
