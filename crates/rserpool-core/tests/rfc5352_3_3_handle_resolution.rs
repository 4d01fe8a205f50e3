//! Handle resolution at a registrar (RFC 5352 §3.3, §2.2.6).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use rserpool_core::Machine;
use rserpool_core::registrar::{Config, Event, Output};
use rserpool_wire::PoolHandle;
use rserpool_wire::asap::{HandleResolution, HandleResolutionResponse, Message, Resolution};
use rserpool_wire::parameter::{
    EncodedPoolElement, ErrorCause, OperationError, Policy, PoolElement,
};
use support::*;

#[test]
fn a_pool_resolves_to_all_its_pool_elements_and_its_policy() {
    let mut registrar = registrar_with(&[1, 2, 3]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    say(&mut registrar, 0, 2, registration(element_on(2, 22)));
    registrar.handle_input(at(0), received(3, resolution()));
    let elements = [
        recorded(element_on(1, 11), 1),
        recorded(element_on(2, 22), 2),
    ];
    assert_eq!(
        drain(&mut registrar),
        [
            send(
                3,
                HandleResolutionResponse {
                    pool_handle: echo(),
                    updates_accepted: false,
                    result: Ok(Resolution {
                        policy: Policy::RoundRobin,
                        pool_elements: elements.iter().map(EncodedPoolElement::from).collect(),
                    }),
                }
            ),
            Output::Event(Event::HandleResolved {
                association: association(3),
                pool_handle: echo(),
                pool_elements: 2,
            }),
        ]
    );
}

#[test]
fn a_pool_user_may_ask_over_tcp() {
    let mut registrar = registrar_with(&[1]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    associate(&mut registrar, 0, 2, tcp_peer(2));
    drain(&mut registrar);
    let answer = say(&mut registrar, 0, 2, resolution());
    assert_eq!(resolved(&answer), [recorded(element_on(1, 11), 1)]);
}

#[test]
fn an_unknown_pool_is_rejected_with_unknown_pool_handle() {
    let mut registrar = registrar_with(&[1]);
    let answer = say(&mut registrar, 0, 1, resolution());
    assert_eq!(answer, [negative(1, ErrorCause::UnknownPoolHandle)]);
    assert_eq!(registrar.snapshot().counters.resolutions_negative, 1);
}

#[test]
fn a_pool_in_which_nothing_can_be_selected_is_rejected_for_lack_of_resources() {
    let mut registrar = registrar_with(&[1]);
    let drained = PoolElement {
        policy: Policy::WeightedRandom { weight: 0 },
        ..element_on(1, 11)
    };
    say(&mut registrar, 0, 1, registration(drained));
    let answer = say(&mut registrar, 0, 1, resolution());
    assert_eq!(answer, [negative(1, ErrorCause::LackOfResources)]);
}

#[test]
fn as_many_are_listed_as_the_request_says() {
    let mut registrar = registrar_with(&[1]);
    for id in 1..=9 {
        say(&mut registrar, 0, 1, registration(element_on(1, id)));
    }
    for (items, listed) in [
        (Some(1), 1),
        (Some(4), 4),
        (Some(99), 9),
        (Some(0), 9),
        (None, 9),
    ] {
        let answer = say(&mut registrar, 0, 1, asking_for(items));
        assert_eq!(resolved(&answer).len(), listed, "{items:?}");
    }
}

#[test]
fn the_operator_may_say_how_many_are_listed_by_default() {
    let mut config = Config::new(registrar_id());
    config.items_default = 3;
    let mut registrar = registrar_configured(config, &[1]);
    for id in 1..=9 {
        say(&mut registrar, 0, 1, registration(element_on(1, id)));
    }
    let answer = say(&mut registrar, 0, 1, asking_for(None));
    assert_eq!(resolved(&answer).len(), 3);
}

#[test]
fn of_a_large_pool_as_much_is_listed_as_fits_into_one_message() {
    let mut registrar = registrar_with(&[1]);
    for id in 0..3_000 {
        say(&mut registrar, 0, 1, registration(element_on(1, id)));
    }
    let answer = say(&mut registrar, 0, 1, asking_for(None));
    let [Output::Send { message, .. }] = &answer[..] else {
        panic!("one response");
    };
    let octets = message.encode();
    assert!(
        octets.len() > 65_000 && octets.len() <= 65_536,
        "{}",
        octets.len()
    );
    assert_eq!(
        Message::decode(&octets).unwrap().message.encode(),
        octets,
        "what fits is whole"
    );
}

#[test]
fn the_selection_goes_on_from_one_answer_to_the_next() {
    let mut registrar = registrar_with(&[1]);
    for id in 1..=3 {
        say(&mut registrar, 0, 1, registration(element_on(1, id)));
    }
    let mut first = Vec::new();
    for _ in 0..6 {
        let answer = say(&mut registrar, 0, 1, asking_for(Some(1)));
        first.push(resolved(&answer)[0].id.0);
    }
    assert_eq!(first, [1, 2, 3, 1, 2, 3]);
}

#[test]
fn nobody_is_told_more_than_he_asked() {
    let mut registrar = registrar_with(&[1, 2]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    say(&mut registrar, 0, 2, resolution());
    let changes = say(&mut registrar, 1, 1, registration(element_on(1, 12)));
    assert_eq!(changes, [granted(1, 12)]);
}

fn asking_for(items: Option<u32>) -> Message {
    Message::from(HandleResolution {
        pool_handle: echo(),
        subscribe: false,
        items,
    })
}

fn negative(to: u64, cause: ErrorCause) -> Output {
    send(
        to,
        HandleResolutionResponse {
            pool_handle: PoolHandle::from("echo"),
            updates_accepted: false,
            result: Err(OperationError::from(cause)),
        },
    )
}
