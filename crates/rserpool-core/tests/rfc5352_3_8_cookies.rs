//! Cookies on the control channel of a session (RFC 5352 §3.8).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/session.rs"]
mod session;
mod support;

use rserpool_core::session::{
    CONTROL_ERRORS_MAX, PoolElementSession, PoolElementSessionCommand, PoolElementSessionEvent,
    PoolUserSession, PoolUserSessionEvent, PoolUserSessionOutput,
};
use rserpool_wire::asap::{EndpointKeepAliveAck, Message};
use rserpool_wire::{PoolElementId, Undecodable};
use session::*;
use support::{association, echo};

#[test]
fn a_pool_element_sends_a_cookie_whenever_it_wants() {
    let mut element = PoolElementSession::new();
    for octets in [b"one".as_slice(), b"two"] {
        element.handle_command(PoolElementSessionCommand::SendCookie(parameter(octets)));
        assert_eq!(
            element_outputs(&mut element),
            [element_sends(cookie(octets))]
        );
    }
}

#[test]
fn the_pool_user_keeps_the_latest_cookie_and_discards_the_older() {
    let mut user = PoolUserSession::new(echo());
    assert_eq!(up(&mut user, 1), []);
    for octets in [b"one".as_slice(), b"two"] {
        let stored = PoolUserSessionEvent::CookieStored { octets: 3 };
        let outputs = received(&mut user, 1, cookie(octets));
        assert_eq!(outputs, [PoolUserSessionOutput::Event(stored)]);
        assert_eq!(user.cookie(), Some(&parameter(octets)));
    }
}

#[test]
fn after_a_failover_the_latest_cookie_is_the_first_message_unmodified() {
    let mut user = PoolUserSession::new(echo());
    set_business_card(&mut user, card(&[7]));
    assert_eq!(up(&mut user, 1), [user_sends(1, card(&[7]))]);
    received(&mut user, 1, cookie(b"one"));
    received(&mut user, 1, cookie(b"two\0\xff"));
    assert_eq!(down(&mut user, 1), []);
    let echoed = PoolUserSessionEvent::CookieEchoed { octets: 5 };
    assert_eq!(
        up(&mut user, 2),
        [
            user_sends(2, cookie_echo(b"two\0\xff")),
            PoolUserSessionOutput::Event(echoed),
            user_sends(2, card(&[7])),
        ]
    );
}

#[test]
fn without_a_cookie_nothing_is_echoed() {
    let mut user = PoolUserSession::new(echo());
    for number in 1..3 {
        assert_eq!(up(&mut user, number), []);
        down(&mut user, number);
    }
}

#[test]
fn a_cookie_outlives_pool_elements_that_send_none() {
    let mut user = PoolUserSession::new(echo());
    up(&mut user, 1);
    received(&mut user, 1, cookie(b"kept"));
    for number in 2..5 {
        down(&mut user, number - 1);
        let outputs = up(&mut user, number);
        assert_eq!(outputs[0], user_sends(number, cookie_echo(b"kept")));
    }
}

#[test]
fn a_cookie_of_an_association_of_before_is_not_the_latest() {
    let mut user = PoolUserSession::new(echo());
    up(&mut user, 1);
    received(&mut user, 1, cookie(b"old"));
    up(&mut user, 2);
    received(&mut user, 2, cookie(b"new"));
    let message_type = rserpool_wire::asap::Cookie::TYPE;
    let unexpected = PoolUserSessionEvent::UnexpectedMessage { message_type };
    let outputs = received(&mut user, 1, cookie(b"late"));
    assert_eq!(outputs, [PoolUserSessionOutput::Event(unexpected)]);
    assert_eq!(user.cookie(), Some(&parameter(b"new")));
    // Nor does its end have to do with the one of now.
    down(&mut user, 1);
    received(&mut user, 2, cookie(b"newest"));
    assert_eq!(user.cookie(), Some(&parameter(b"newest")));
}

#[test]
fn the_application_gets_the_echo_and_a_second_one_is_ignored() {
    let mut element = PoolElementSession::new();
    let echoed = PoolElementSessionEvent::CookieEcho(parameter(b"state"));
    assert_eq!(
        element_receives(&mut element, cookie_echo(b"state")),
        [element_event(echoed)]
    );
    let second = PoolElementSessionEvent::SecondCookieEcho;
    assert_eq!(
        element_receives(&mut element, cookie_echo(b"forged")),
        [element_event(second)]
    );
}

#[test]
fn messages_that_go_the_other_way_are_dropped() {
    let mut user = PoolUserSession::new(echo());
    up(&mut user, 1);
    let mut element = PoolElementSession::new();
    let acknowledgement = EndpointKeepAliveAck {
        pool_handle: echo(),
        pool_element: PoolElementId(1),
    };
    for message in [cookie_echo(b"x"), acknowledgement.clone().into()] {
        let message_type = message.message_type();
        let unexpected = PoolUserSessionEvent::UnexpectedMessage { message_type };
        let outputs = received(&mut user, 1, message);
        assert_eq!(outputs, [PoolUserSessionOutput::Event(unexpected)]);
    }
    assert_eq!(user.cookie(), None);
    for message in [cookie(b"x"), acknowledgement.into()] {
        let message_type = message.message_type();
        let unexpected = PoolElementSessionEvent::UnexpectedMessage { message_type };
        let outputs = element_receives(&mut element, message);
        assert_eq!(outputs, [element_event(unexpected)]);
    }
}

/// A cookie message with a second parameter that is unknown and to be reported.
const WITH_UNKNOWN: &[u8] = b"\x0b\0\0\x10\0\x0d\0\x08kept\xc0\x77\0\x04";

/// A message whose type is unknown and to be reported (action bits 01).
const UNKNOWN: &[u8] = b"\x7f\0\0\x04";

#[test]
fn rfc5352_2_2_14_what_is_unknown_is_reported_and_the_rest_used() {
    let mut user = PoolUserSession::new(echo());
    up(&mut user, 1);
    let outputs = user_gets(&mut user, 1, Message::decode(WITH_UNKNOWN));
    let [_, PoolUserSessionOutput::Send { to, message }] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(*to, association(1));
    assert_eq!(
        message.to_string(),
        "ASAP_ERROR unrecognized parameter c0770004"
    );
    assert_eq!(user.cookie(), Some(&parameter(b"kept")));
}

#[test]
fn rfc5352_2_2_14_errors_are_not_answered_for_ever() {
    let mut element = PoolElementSession::new();
    let mut errors = 0;
    for _ in 0..100 {
        let undecodable: Undecodable = Message::decode(UNKNOWN).unwrap_err();
        assert_ne!(undecodable.report, []);
        element.handle_message(Err(undecodable));
        errors += element_outputs(&mut element).len() - 1;
    }
    assert_eq!(errors, usize::from(CONTROL_ERRORS_MAX));
}

#[test]
fn an_error_is_never_answered() {
    let error = b"\x0e\0\0\x0c\0\x0c\0\x08\0\x02\0\x04";
    let mut user = PoolUserSession::new(echo());
    up(&mut user, 1);
    let outputs = user_gets(&mut user, 1, Message::decode(error));
    assert!(matches!(
        outputs[..],
        [PoolUserSessionOutput::Event(
            PoolUserSessionEvent::ErrorReceived(_)
        )]
    ));
}
