//! What the tests of sessions share.

#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(unreachable_pub, reason = "a module of several test crates")]

use crate::support::{association, echo};
use rserpool_core::session::{
    PoolElementSession, PoolElementSessionEvent, PoolElementSessionOutput, PoolUserSession,
    PoolUserSessionInput, PoolUserSessionOutput,
};
use rserpool_wire::asap::{self, BusinessCard, Message};
use rserpool_wire::parameter::{
    self, Policy, PoolElement, SctpTransport, TransportUse, UserTransport,
};
use rserpool_wire::{Decoded, PoolElementId, PoolHandle, RegistrationLife, Undecodable};

pub fn parameter(octets: &[u8]) -> parameter::Cookie {
    parameter::Cookie(octets.to_vec())
}

pub fn cookie(octets: &[u8]) -> Message {
    let cookie = parameter(octets);
    asap::Cookie { cookie }.into()
}

pub fn cookie_echo(octets: &[u8]) -> Message {
    let cookie = parameter(octets);
    asap::CookieEcho { cookie }.into()
}

/// The card of the pool "echo" with these pool elements.
pub fn card(pool_elements: &[u32]) -> Message {
    card_of(echo(), pool_elements)
}

pub fn card_of(pool_handle: PoolHandle, pool_elements: &[u32]) -> Message {
    let element = |&id: &u32| PoolElement {
        id: PoolElementId(id),
        home_registrar: None,
        registration_life: RegistrationLife::Seconds(90),
        user_transport: UserTransport::Sctp(SctpTransport {
            port: 7,
            transport_use: TransportUse::DATA_PLUS_CONTROL,
            addresses: vec![crate::support::host(1)],
        }),
        policy: Policy::RoundRobin,
        asap_transport: None,
        encapsulation_ports: parameter::EncapsulationPorts::default(),
    };
    let elements = pool_elements.iter().map(element);
    let pool_elements = elements.map(|element| (&element).into()).collect();
    BusinessCard {
        pool_handle,
        pool_elements,
    }
    .into()
}

fn decoded(message: Message) -> Result<Decoded<Message>, Undecodable> {
    let unrecognized = Vec::new();
    Ok(Decoded {
        message,
        unrecognized,
    })
}

pub fn user_outputs(user: &mut PoolUserSession) -> Vec<PoolUserSessionOutput> {
    std::iter::from_fn(|| user.poll_output()).collect()
}

pub fn up(user: &mut PoolUserSession, number: u64) -> Vec<PoolUserSessionOutput> {
    let association = association(number);
    user.handle_input(PoolUserSessionInput::AssociationUp { association });
    user_outputs(user)
}

pub fn down(user: &mut PoolUserSession, number: u64) -> Vec<PoolUserSessionOutput> {
    let association = association(number);
    user.handle_input(PoolUserSessionInput::AssociationDown { association });
    user_outputs(user)
}

pub fn received(
    user: &mut PoolUserSession,
    number: u64,
    message: Message,
) -> Vec<PoolUserSessionOutput> {
    user_gets(user, number, decoded(message))
}

pub fn user_gets(
    user: &mut PoolUserSession,
    number: u64,
    message: Result<Decoded<Message>, Undecodable>,
) -> Vec<PoolUserSessionOutput> {
    let from = association(number);
    user.handle_input(PoolUserSessionInput::Received { from, message });
    user_outputs(user)
}

pub fn set_business_card(user: &mut PoolUserSession, card: Message) -> Vec<PoolUserSessionOutput> {
    let Message::BusinessCard(card) = card else {
        panic!("{card} is no business card")
    };
    user.handle_input(PoolUserSessionInput::SetBusinessCard(card));
    user_outputs(user)
}

pub fn user_sends(number: u64, message: Message) -> PoolUserSessionOutput {
    let to = association(number);
    PoolUserSessionOutput::Send { to, message }
}

pub fn element_outputs(element: &mut PoolElementSession) -> Vec<PoolElementSessionOutput> {
    std::iter::from_fn(|| element.poll_output()).collect()
}

pub fn element_receives(
    element: &mut PoolElementSession,
    message: Message,
) -> Vec<PoolElementSessionOutput> {
    element.handle_message(decoded(message));
    element_outputs(element)
}

pub fn element_sends(message: Message) -> PoolElementSessionOutput {
    PoolElementSessionOutput::Send(message)
}

pub fn element_event(event: PoolElementSessionEvent) -> PoolElementSessionOutput {
    PoolElementSessionOutput::Event(event)
}
