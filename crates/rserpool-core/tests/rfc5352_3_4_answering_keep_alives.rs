//! Keep-alives at a pool element (RFC 5352 §3.4: KA1, KA2; RFC 5355 §2.14).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/element.rs"]
mod element;
mod support;

use element::*;
use rserpool_core::Machine;
use rserpool_core::pool_element::{Command, Event, Output};
use rserpool_wire::asap::{EndpointKeepAlive, Message};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId};
use support::*;

const OTHER: &str = "10.0.0.202:3863";

#[test]
fn ka1_a_wrong_pool_handle_is_silently_discarded() {
    let mut element = registered();
    let wrong = EndpointKeepAlive {
        pool_handle: PoolHandle::from("chargen"),
        ..asking(1, false)
    };
    assert_eq!(receive(&mut element, 1, 1, wrong), []);
    let wrong = EndpointKeepAlive {
        pool_element: Some(PoolElementId(12)),
        ..asking(1, false)
    };
    assert_eq!(receive(&mut element, 1, 1, wrong), []);
}

#[test]
fn ka2_a_keep_alive_is_answered_with_and_without_the_identifier() {
    let mut element = registered();
    for pool_element in [None, Some(PoolElementId(11))] {
        let keep_alive = EndpointKeepAlive {
            pool_element,
            ..asking(1, false)
        };
        let outputs = receive(&mut element, 1, 1, keep_alive);
        assert_eq!(outputs, [sent(1, keep_alive_ack(11))]);
    }
    assert_eq!(
        element.snapshot().home_registrar,
        RegistrarId::new(1),
        "who asks over the home registrar's association is it"
    );
}

#[test]
fn ka2_3_the_answer_goes_to_who_asked() {
    let mut element = registered();
    up(&mut element, 1, 2, OTHER);
    let outputs = receive(&mut element, 1, 2, asking(2, false));
    assert_eq!(outputs, [sent(2, keep_alive_ack(11))]);
    let home = element.snapshot().home;
    assert_eq!(home, Some(registrar_address(HOME)), "H is not set");
}

#[test]
fn ka2_4_with_the_h_flag_the_sender_is_the_new_home_registrar() {
    let mut element = registered();
    up(&mut element, 1, 2, OTHER);
    let outputs = receive(&mut element, 1, 2, asking(2, true));
    assert_eq!(
        outputs,
        [
            sent(2, keep_alive_ack(11)),
            closed(1),
            Output::Event(Event::HomeRegistrarChanged {
                home: registrar_address(OTHER),
                registrar: RegistrarId::new(2),
            }),
            // At once, so that the new one has all values from their source.
            sent(2, registers(load(1))),
        ]
    );
}

#[test]
fn ka2_4_one_without_a_home_registrar_is_found_by_its_new_one() {
    let mut element = registered();
    lost(&mut element, 1, 1);
    up(&mut element, 2, 2, OTHER);
    let outputs = receive(&mut element, 2, 2, asking(2, true));
    assert_eq!(outputs[0], sent(2, keep_alive_ack(11)));
    assert_eq!(stops(&outputs), [HOME], "the hunt is over");
    assert!(outputs.contains(&sent(2, registers(load(1)))));
}

#[test]
fn ka2_4_the_home_registrar_itself_changes_nothing() {
    let mut element = registered();
    receive(&mut element, 1, 1, asking(1, false));
    let outputs = receive(&mut element, 1, 1, asking(1, true));
    assert_eq!(outputs, [sent(1, keep_alive_ack(11))]);
}

#[test]
fn who_is_not_registered_does_not_answer() {
    let mut element = registered();
    command(&mut element, 1, Command::Deregister);
    receive(&mut element, 2, 1, deregistered(11));
    assert_eq!(receive(&mut element, 3, 1, asking(1, false)), []);
}

#[test]
fn rfc_5355_section_2_14_a_flood_is_not_answered() {
    let mut element = registered();
    let answers: usize = (0..10_000)
        .map(|_| receive(&mut element, 5, 1, asking(1, false)).len())
        .sum();
    assert_eq!(answers, 50);
}

#[test]
fn registrars_that_connect_by_themselves_are_few() {
    let mut element = registered();
    let mut closed_at_last = Vec::new();
    for number in 2..100 {
        closed_at_last.extend(up(&mut element, 1, number, "10.0.0.66:3863"));
    }
    let expected: Vec<_> = (2..96).map(closed).collect();
    assert_eq!(closed_at_last, expected, "the oldest make room");
}

fn asking(registrar: u32, home: bool) -> EndpointKeepAlive {
    let Message::EndpointKeepAlive(keep_alive) = keep_alive(11) else {
        unreachable!()
    };
    EndpointKeepAlive {
        registrar: RegistrarId::new(registrar).unwrap(),
        home,
        ..keep_alive
    }
}
