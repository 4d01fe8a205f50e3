//! Download of the handlespace (RFC 5353 §3.2.3): the mentor's side, and what a registrar does
//! with the table.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/peers.rs"]
mod peers;
mod support;

use peers::*;
use rserpool_core::registrar::{Config, Event, Limit, Output};
use rserpool_core::{Machine, Registrar};
use rserpool_wire::asap::{Message, Registration};
use rserpool_wire::enrp::{self, HandleTable};
use rserpool_wire::{PoolHandle, RegistrationLife};
use support::*;

const B: u32 = 11;
const C: u32 = 12;

#[test]
fn step_2_one_response_if_there_is_little() {
    let mut registrar = registrar_with_peers(&[1], &[B, C]);
    say(&mut registrar, 1, 1, registration(element_on(1, 7)));
    let of_c = owned_by(C, element_on(2, 8), 2);
    hear(&mut registrar, 1, C, addition(C, &of_c));
    let outputs = hear(&mut registrar, 2, B, table_request(B, false));
    let all = [recorded(element_on(1, 7), 1), of_c];
    assert_eq!(outputs, [tells_table(B, &all, false)]);
    assert_eq!(registrar.snapshot().counters.handle_tables, 1);
}

#[test]
fn step_2_an_empty_handlespace_is_a_response_too() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    let outputs = hear(&mut registrar, 2, B, table_request(B, false));
    assert_eq!(outputs, [tells_table(B, &[], false)]);
}

/// A registrar with 1,000 pool elements in pools of ten; a response has room for some 200.
fn large(config: Config) -> Registrar {
    let mut registrar = registrar_with_peers_configured(config, &[1], &[B, C]);
    for number in 0..1_000 {
        let mut element = element_on(1, number);
        element.registration_life = RegistrationLife::Infinite;
        let message = Message::from(Registration {
            pool_handle: pool(number),
            pool_element: element,
        });
        say(&mut registrar, 1, 1, message);
    }
    registrar
}

fn pool(number: u32) -> PoolHandle {
    PoolHandle::from(format!("pool-{:03}", number / 10).as_str())
}

fn next_part(registrar: &mut Registrar, time: u64, peer: u32, own_only: bool) -> HandleTable {
    let outputs = hear(registrar, time, peer, table_request(peer, own_only));
    let [
        Output::SendEnrp {
            message: enrp::Message::HandleTableResponse(response),
            ..
        },
    ] = outputs.as_slice()
    else {
        panic!("one response, not {outputs:?}");
    };
    response.result.clone().unwrap()
}

fn ids(table: &HandleTable) -> Vec<u32> {
    let entries = table.pool_entries.iter();
    entries
        .flat_map(|entry| {
            let elements = entry.pool_elements.iter();
            elements.map(|element| (entry.pool_handle.clone(), element.id().0))
        })
        .map(|(handle, id)| {
            assert_eq!(handle, pool(id), "each in its pool");
            id
        })
        .collect()
}

#[test]
fn step_2_the_progress_is_kept_until_the_last_response() {
    let mut registrar = large(Config::new(registrar_id()));
    for _ in 0..2 {
        let mut all = Vec::new();
        loop {
            let part = next_part(&mut registrar, 2, B, false);
            let message = enrp::Message::from(enrp::HandleTableResponse {
                sender: registrar_id(),
                receiver: None,
                result: Ok(part.clone()),
            });
            let octets = message.encode().len();
            assert!(octets <= 16_384 + 12, "{octets}");
            assert!(octets > 16_000 || !part.more_to_send, "{octets}");
            all.extend(ids(&part));
            if !part.more_to_send {
                break;
            }
        }
        assert_eq!(all, Vec::from_iter(0..1_000));
    }
}

#[test]
fn step_2_each_peer_has_a_session_of_its_own() {
    let mut registrar = large(Config::new(registrar_id()));
    let first = ids(&next_part(&mut registrar, 2, B, false));
    assert_eq!(ids(&next_part(&mut registrar, 2, C, false)), first);
    assert_ne!(ids(&next_part(&mut registrar, 2, B, false)), first);
    // Another question is another session.
    assert_eq!(ids(&next_part(&mut registrar, 2, B, true)), first);
}

#[test]
fn a_session_goes_on_where_it_was_although_that_pool_is_gone() {
    let mut registrar = large(Config::new(registrar_id()));
    let first = ids(&next_part(&mut registrar, 2, B, false));
    let last = *first.last().unwrap();
    for id in last / 10 * 10..last + 1 {
        let message = Message::from(rserpool_wire::asap::Deregistration {
            pool_handle: pool(id),
            pool_element: rserpool_wire::PoolElementId(id),
        });
        say(&mut registrar, 2, 1, message);
    }
    assert_eq!(ids(&next_part(&mut registrar, 2, B, false))[0], last + 1);
}

#[test]
fn a_session_is_closed_if_it_does_not_go_on_in_time() {
    let mut registrar = large(Config::new(registrar_id()));
    let first = ids(&next_part(&mut registrar, 2, B, false));
    let until = 2 + 500;
    while let Some(next) = registrar.poll_timeout().filter(|next| *next <= at(until)) {
        registrar.handle_timeout(next);
        drain(&mut registrar);
    }
    assert_eq!(ids(&next_part(&mut registrar, until, B, false)), first);
}

#[test]
fn too_many_sessions_are_rejected() {
    let mut config = Config::new(registrar_id());
    config.limits.table_sessions_max = 1;
    let mut registrar = large(config);
    next_part(&mut registrar, 2, B, false);
    let outputs = hear(&mut registrar, 2, C, table_request(C, false));
    let limit = event(Event::LimitReached {
        limit: Limit::TableSessions,
        association: None,
    });
    assert_eq!(outputs, [limit, rejects_table(C)]);
    assert!(next_part(&mut registrar, 2, B, false).more_to_send);
    assert_eq!(registrar.snapshot().counters.tables_rejected, 1);
}

#[test]
fn a_registrar_that_starts_rejects() {
    let mut config = Config::new(registrar_id());
    config.peers = vec![registrar_address("10.0.0.250:9901")];
    let mut registrar = registrar_with_peers_configured(config, &[], &[B]);
    assert!(!registrar.snapshot().initialized);
    let outputs = hear(&mut registrar, 2, B, table_request(B, false));
    assert_eq!(outputs, [rejects_table(B)]);
}

/// It must not bring back to life, at its peers, who has died meanwhile.
#[test]
fn a_registrar_that_has_slept_asks_its_pool_elements_before_it_tells_of_them() {
    let mut registrar = registrar_with_peers(&[1], &[B]);
    say(&mut registrar, 1, 1, registration(element_on(1, 7)));
    let woken = 30_000;
    let outputs = hear(&mut registrar, woken, B, table_request(B, true));
    assert!(outputs.contains(&rejects_table(B)), "{outputs:?}");
    let outputs = run(&mut registrar, woken + 1_990);
    let asked = outputs
        .iter()
        .any(|(_, output)| *output == send(1, keep_alive(7)));
    assert!(asked, "{outputs:?}");
    introduce(&mut registrar, woken + 2_001, C);
    let outputs = hear(&mut registrar, woken + 2_001, C, table_request(C, true));
    assert_eq!(outputs, [tells_table(C, &[], false)]);
}

#[test]
fn resolutions_of_unknown_pools_wait_until_the_handlespace_is_known() {
    let mut config = Config::new(registrar_id());
    config.peers = vec![registrar_address("10.0.0.250:9901")];
    config.limits.deferred_resolutions_max = 1;
    let mut registrar = registrar_configured(config, &[1, 2, 3]);
    let nothing = say(&mut registrar, 1, 1, resolution());
    assert_eq!(nothing, []);
    let at_once = say(&mut registrar, 1, 2, resolution());
    assert_eq!(at_once.len(), 1, "there is no room");
    say(&mut registrar, 1, 3, registration(element_on(3, 7)));
    assert_eq!(resolved(&say(&mut registrar, 1, 2, resolution())).len(), 1);
}
