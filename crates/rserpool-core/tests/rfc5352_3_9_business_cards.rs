//! Business cards on the control channel of a session (RFC 5352 §3.9).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/session.rs"]
mod session;
mod support;

use rserpool_core::session::{
    PREFERRED_ELEMENTS_MAX, PoolElementSession, PoolElementSessionCommand, PoolElementSessionEvent,
    PoolUserSession, PoolUserSessionEvent, PoolUserSessionOutput,
};
use rserpool_wire::asap::Message;
use rserpool_wire::{PoolElementId, PoolHandle};
use session::*;
use support::echo;

fn ids(numbers: &[u32]) -> Vec<PoolElementId> {
    numbers.iter().copied().map(PoolElementId).collect()
}

#[test]
fn a_pool_element_sends_its_card() {
    let mut element = PoolElementSession::new();
    let Message::BusinessCard(own) = card(&[1, 2]) else {
        unreachable!("it is a card")
    };
    element.handle_command(PoolElementSessionCommand::SendBusinessCard(own));
    assert_eq!(
        element_outputs(&mut element),
        [element_sends(card(&[1, 2]))]
    );
}

#[test]
fn bc2_the_card_of_a_pool_element_is_the_order_of_failover() {
    let mut user = PoolUserSession::new(echo());
    up(&mut user, 1);
    for order in [[3, 1, 2], [2, 3, 1]] {
        let preferred = ids(&order);
        let outputs = received(&mut user, 1, card(&order));
        let event = PoolUserSessionEvent::FailoverOrder { preferred };
        assert_eq!(outputs, [PoolUserSessionOutput::Event(event)]);
        assert_eq!(user.preferred(), ids(&order));
    }
    // It is for the time between this pool element and the next one.
    down(&mut user, 1);
    assert_eq!(user.preferred(), ids(&[2, 3, 1]));
    up(&mut user, 2);
    assert_eq!(user.preferred(), []);
}

#[test]
fn a_card_of_another_pool_does_not_count() {
    let mut user = PoolUserSession::new(echo());
    up(&mut user, 1);
    let pool_handle = PoolHandle::from("other");
    let outputs = received(&mut user, 1, card_of(pool_handle.clone(), &[1]));
    let event = PoolUserSessionEvent::ForeignBusinessCard { pool_handle };
    assert_eq!(outputs, [PoolUserSessionOutput::Event(event)]);
    assert_eq!(user.preferred(), []);
}

#[test]
fn a_card_is_remembered_up_to_a_limit() {
    let mut user = PoolUserSession::new(echo());
    up(&mut user, 1);
    let many: Vec<u32> = (0..1000).collect();
    received(&mut user, 1, card(&many));
    assert_eq!(user.preferred(), ids(&many[..PREFERRED_ELEMENTS_MAX]));
}

#[test]
fn a_pool_user_that_is_a_pool_element_too_tells_each_pool_element() {
    let mut user = PoolUserSession::new(echo());
    up(&mut user, 1);
    let outputs = set_business_card(&mut user, card(&[7, 8]));
    assert_eq!(outputs, [user_sends(1, card(&[7, 8]))]);
    down(&mut user, 1);
    assert_eq!(set_business_card(&mut user, card(&[8])), []);
    assert_eq!(up(&mut user, 2), [user_sends(2, card(&[8]))]);
}

#[test]
fn a_pool_element_learns_of_the_pool_of_its_user() {
    let mut element = PoolElementSession::new();
    let Message::BusinessCard(of_user) = card(&[7]) else {
        unreachable!("it is a card")
    };
    let event = PoolElementSessionEvent::BusinessCard(of_user);
    let outputs = element_receives(&mut element, card(&[7]));
    assert_eq!(outputs, [element_event(event)]);
}
