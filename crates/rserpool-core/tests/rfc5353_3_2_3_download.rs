//! Download of the handlespace by a registrar that starts (RFC 5353 §3.2.3, steps 1 and 3 to 5).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/peers.rs"]
mod peers;
mod support;

use peers::*;
use rserpool_core::registrar::{Config, Event, Output, UpdateRefusal};
use rserpool_core::{ENRP_PORT, Machine, Registrar, RegistrarAddress, Transport};
use rserpool_wire::enrp::{HandleTableRequest, ListResponse};
use rserpool_wire::parameter::{Policy, PoolElement};
use rserpool_wire::{PoolElementId, RegistrationLife};
use support::*;

/// The mentor.
const B: u32 = 11;
const C: u32 = 12;

/// A registrar that starts, whose mentor has been asked for its list.
fn starting() -> Registrar {
    let mut config = Config::new(registrar_id());
    let mentor = RegistrarAddress::new(Transport::Sctp, host(211));
    config.peers = vec![RegistrarAddress {
        port: ENRP_PORT,
        ..mentor
    }];
    let mut registrar = Registrar::new(config, 1, at(0));
    introduce(&mut registrar, 0, B);
    introduce(&mut registrar, 0, C);
    registrar
}

/// The mentor has no other peers; step 1 follows.
fn begin(registrar: &mut Registrar) -> Vec<Output> {
    let list = ListResponse {
        sender: peer_id(B),
        receiver: Some(registrar_id()),
        result: Ok(Vec::new()),
    };
    hear(registrar, 1, B, list)
}

fn asks_for_all() -> Output {
    let request = HandleTableRequest {
        sender: registrar_id(),
        receiver: Some(peer_id(B)),
        own_children_only: false,
    };
    tell(B, request)
}

fn learnt(id: u32, home: u32, pool_created: bool) -> Output {
    event(Event::PoolElementLearnt {
        pool_handle: echo(),
        pool_element: PoolElementId(id),
        home: peer_id(home),
        pool_created,
    })
}

fn initialized(pool_elements: usize) -> Output {
    let mentor = Some(peer_id(B));
    event(Event::Initialized {
        mentor,
        pool_elements,
    })
}

fn living(mut element: PoolElement, seconds: u32) -> PoolElement {
    element.registration_life = RegistrationLife::Seconds(seconds);
    element
}

#[test]
fn steps_1_3_and_5_all_is_requested_until_the_last_response() {
    let mut registrar = starting();
    assert_eq!(begin(&mut registrar), [asks_for_all()]);
    let [one, two] = [(B, 7), (C, 8)].map(|(home, id)| owned_by(home, element_on(1, id), 1));
    let outputs = hear(&mut registrar, 2, B, table(B, &[one], true));
    assert_eq!(outputs, [learnt(7, B, true), asks_for_all()]);
    // Nothing yet, but there is more.
    let outputs = hear(&mut registrar, 3, B, table(B, &[], true));
    assert_eq!(outputs, [asks_for_all()]);
    let outputs = hear(&mut registrar, 4, B, table(B, &[two], false));
    assert_eq!(outputs, [learnt(8, C, false), initialized(2)]);
    assert_eq!(homes(&registrar), [(7, peer_id(B)), (8, peer_id(C))]);
}

#[test]
fn steps_4a_and_4b_the_first_pool_element_gives_the_pool_its_policy() {
    let mut registrar = starting();
    begin(&mut registrar);
    let [mut one, mut other, mut third] = [7, 8, 9].map(|id| owned_by(B, element_on(1, id), 1));
    one.policy = Policy::Random;
    other.policy = Policy::RoundRobin;
    third.policy = Policy::Random;
    let outputs = hear(&mut registrar, 2, B, table(B, &[one, other, third], false));
    let refused = event(Event::UpdateRefused {
        peer: peer_id(B),
        pool_handle: echo(),
        pool_element: PoolElementId(8),
        reason: UpdateRefusal::Inconsistent,
    });
    let expected = [
        learnt(7, B, true),
        refused,
        learnt(9, B, false),
        initialized(2),
    ];
    assert_eq!(outputs, expected);
    assert_eq!(
        registrar.snapshot().pools[0].policy,
        Policy::Random.to_string()
    );
}

#[test]
fn step_4c_what_was_known_before_is_replaced() {
    let mut registrar = starting();
    let of_c = owned_by(C, element_on(1, 7), 1);
    hear(&mut registrar, 0, C, addition(C, &of_c));
    begin(&mut registrar);
    let changed = living(of_c, 61);
    let listed = table(B, std::slice::from_ref(&changed), false);
    let outputs = hear(&mut registrar, 2, B, listed);
    let replaced = event(Event::PoolElementChanged {
        pool_handle: echo(),
        pool_element: PoolElementId(7),
        home: peer_id(C),
        previous_home: Some(peer_id(C)),
    });
    assert_eq!(outputs, [replaced, initialized(1)]);
    associate(&mut registrar, 3, 1, peer(1));
    drain(&mut registrar);
    assert_eq!(
        resolved(&say(&mut registrar, 3, 1, resolution())),
        [changed]
    );
}

/// What its home tells meanwhile is newer than the list of the mentor.
#[test]
fn step_4c_what_the_home_has_told_since_is_kept() {
    let mut registrar = starting();
    begin(&mut registrar);
    let old = owned_by(C, element_on(1, 7), 1);
    let new = living(old.clone(), 61);
    hear(&mut registrar, 2, C, addition(C, &new));
    let outputs = hear(&mut registrar, 3, B, table(B, &[old], false));
    assert_eq!(outputs, [initialized(1)]);
    associate(&mut registrar, 4, 1, peer(1));
    drain(&mut registrar);
    assert_eq!(resolved(&say(&mut registrar, 4, 1, resolution())), [new]);
}
