//! What a pool element costs a registrar: all indices and timers included.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use rserpool_core::registrar::{Config, Input};
use rserpool_core::{Machine, Registrar};
use rserpool_wire::asap::{Message, Registration};
use rserpool_wire::parameter::{Policy, PoolElement, UserTransport};
use rserpool_wire::{PoolElementId, PoolHandle};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use support::{association, at, decoded, drain, element_on, host, peer, registrar_id};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The goal: 400 octets for a pool element with two user and two ASAP addresses.
const OCTETS_MAX: usize = 400;

/// An association with nothing but its two addresses and one pool element.
const ASSOCIATION_OCTETS_MAX: usize = 500;

/// One test, because what other tests allocate meanwhile would be counted.
#[test]
fn a_pool_element_costs_at_most_400_octets() {
    for (elements, pools, associations) in [(100_000, 1, 64), (100_000, 1_000, 64)] {
        let octets = octets_per_element(elements, pools, associations);
        println!("{elements} pool elements in {pools} pools: {octets} octets each");
        assert!(octets <= OCTETS_MAX, "{octets}");
    }
    let octets = octets_per_element(10_000, 100, 10_000);
    println!("10000 pool elements, each with its own association: {octets} octets each");
    assert!(octets <= OCTETS_MAX + ASSOCIATION_OCTETS_MAX, "{octets}");
    renewals_allocate_nothing_that_stays();
}

fn octets_per_element(elements: u32, pools: u32, associations: u64) -> usize {
    let region = Region::new(ALLOCATOR);
    let mut registrar = registrar(associations);
    for number in 0..elements {
        register(&mut registrar, number, pools, associations, 1);
    }
    let change = region.change();
    let octets = change.bytes_allocated - change.bytes_deallocated;
    drop(registrar);
    octets / elements as usize
}

/// F12: churn does not grow.
fn renewals_allocate_nothing_that_stays() {
    let mut registrar = registrar(4);
    let churn = |registrar: &mut Registrar, load| {
        for number in 0..1_000 {
            register(registrar, number, 10, 4, load);
        }
        for number in 0..4 {
            let association = association(number);
            registrar.handle_input(at(0), Input::AssociationLost { association });
            drain(registrar);
            let up = Input::AssociationUp {
                association,
                peer: peer(1),
            };
            registrar.handle_input(at(0), up);
            drain(registrar);
        }
    };
    churn(&mut registrar, 1);
    let region = Region::new(ALLOCATOR);
    for load in 2..100 {
        churn(&mut registrar, load);
    }
    let change = region.change();
    let growth = change.bytes_allocated.abs_diff(change.bytes_deallocated);
    assert!(
        growth < 16_384,
        "{growth} octets after 98,000 registrations"
    );
    assert_eq!(registrar.poll_timeout(), None);
}

fn registrar(associations: u64) -> Registrar {
    let mut registrar = Registrar::new(Config::new(registrar_id()), 1, at(0));
    for number in 0..associations {
        let mut peer = peer(1);
        peer.addresses.push(host(2));
        let association = association(number);
        registrar.handle_input(at(0), Input::AssociationUp { association, peer });
        drain(&mut registrar);
    }
    registrar
}

fn register(registrar: &mut Registrar, number: u32, pools: u32, associations: u64, load: u32) {
    let mut element = PoolElement {
        policy: Policy::LeastUsed { load },
        id: PoolElementId(number),
        ..element_on(1, 0)
    };
    if let UserTransport::Sctp(sctp) = &mut element.user_transport {
        sctp.addresses.push(host(2));
    }
    let message = Message::from(Registration {
        pool_handle: PoolHandle::from(format!("pool-{}", number % pools).as_str()),
        pool_element: element,
    });
    let input = Input::Received {
        from: association(u64::from(number) % associations),
        message: Ok(decoded(message)),
    };
    registrar.handle_input(at(0), input);
    drain(registrar);
}
