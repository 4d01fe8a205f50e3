//! Registration at a registrar (RFC 5352 §3.1, §2.2.1, §2.2.3).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use rserpool_core::Machine;
use rserpool_core::registrar::{Config, Event, Input, Limit, Output};
use rserpool_wire::asap::{Message, Registration, RegistrationResponse};
use rserpool_wire::parameter::{
    ErrorCause, OperationError, Policy, PoolElement, SctpTransport, TcpTransport, TransportUse,
    UserTransport,
};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrationLife};
use std::num::NonZeroU16;
use support::*;

#[test]
fn rule_1_a_new_pool_is_created_with_its_first_pool_element() {
    let mut registrar = registrar_with(&[1]);
    registrar.handle_input(at(0), received(1, registration(element_on(1, 11))));
    assert_eq!(
        drain(&mut registrar),
        [
            Output::Event(Event::PoolElementRegistered {
                pool_handle: echo(),
                pool_element: PoolElementId(11),
                association: association(1),
                pool_created: true,
            }),
            granted(1, 11),
        ]
    );
    let snapshot = registrar.snapshot();
    assert_eq!(snapshot.pools.len(), 1);
    assert_eq!(snapshot.pools[0].pool_handle, echo());
    assert_eq!(
        snapshot.pools[0].pool_elements[0].home,
        Some(registrar_id())
    );
}

#[test]
fn rule_2_a_consistent_pool_element_joins() {
    let mut registrar = registrar_with(&[1, 2]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    let answer = say(&mut registrar, 0, 2, registration(element_on(2, 22)));
    assert_eq!(answer, [granted(2, 22)]);
    assert_eq!(identifiers(&registrar), [11, 22]);
}

#[test]
fn rule_2_another_policy_is_rejected_with_the_pools_policy() {
    let mut registrar = registrar_with(&[1, 2]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    let other = PoolElement {
        policy: Policy::LeastUsed { load: 1 },
        ..element_on(2, 22)
    };
    assert_eq!(
        say(&mut registrar, 0, 2, registration(other)),
        [rejected(
            2,
            22,
            ErrorCause::InconsistentPoolPolicy(Some(Policy::RoundRobin))
        )]
    );
    assert_eq!(identifiers(&registrar), [11]);
}

#[test]
fn rule_2_another_transport_type_is_rejected_with_the_pools_transport() {
    let mut registrar = registrar_with(&[1, 2]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    let other = PoolElement {
        user_transport: tcp_transport(2),
        ..element_on(2, 22)
    };
    let pool = element_on(1, 11).user_transport;
    assert_eq!(
        say(&mut registrar, 0, 2, registration(other)),
        [rejected(
            2,
            22,
            ErrorCause::InconsistentTransportType(Some(pool))
        )]
    );
}

#[test]
fn rule_2_another_transport_use_is_rejected() {
    let mut registrar = registrar_with(&[1, 2]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    let other = PoolElement {
        user_transport: sctp_transport(TransportUse::DATA_PLUS_CONTROL, &[2]),
        ..element_on(2, 22)
    };
    assert_eq!(
        say(&mut registrar, 0, 2, registration(other)),
        [rejected(
            2,
            22,
            ErrorCause::InconsistentDataControlConfiguration
        )]
    );
}

#[test]
fn rule_3_a_reregistration_replaces_the_attributes() {
    let mut registrar = registrar_with(&[1]);
    let weight = |weight| PoolElement {
        policy: Policy::WeightedRoundRobin { weight },
        ..element_on(1, 11)
    };
    say(&mut registrar, 0, 1, registration(weight(1)));
    registrar.handle_input(at(0), received(1, registration(weight(5))));
    assert_eq!(
        drain(&mut registrar),
        [
            Output::Event(Event::PoolElementReregistered {
                pool_handle: echo(),
                pool_element: PoolElementId(11),
                association: association(1),
                moved_from: None,
            }),
            granted(1, 11),
        ]
    );
    let answer = say(&mut registrar, 0, 1, resolution());
    assert_eq!(resolved(&answer), [recorded(weight(5), 1)]);
}

#[test]
fn rule_3_a_reregistration_is_tested_as_a_registration_is() {
    let mut registrar = registrar_with(&[1]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    let other = PoolElement {
        policy: Policy::Random,
        ..element_on(1, 11)
    };
    assert_eq!(
        say(&mut registrar, 0, 1, registration(other)),
        [rejected(
            1,
            11,
            ErrorCause::InconsistentPoolPolicy(Some(Policy::RoundRobin))
        )]
    );
    let answer = say(&mut registrar, 0, 1, resolution());
    assert_eq!(resolved(&answer), [recorded(element_on(1, 11), 1)]);
}

#[test]
fn rule_3_an_unchanged_reregistration_is_answered_and_only_counted() {
    let mut registrar = registrar_with(&[1]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    registrar.handle_input(at(1), received(1, registration(element_on(1, 11))));
    assert_eq!(drain(&mut registrar), [granted(1, 11)]);
    assert_eq!(registrar.snapshot().counters.reregistrations_unchanged, 1);
}

#[test]
fn rule_4_the_registrar_owns_the_pool_element_and_records_where_it_speaks_asap() {
    let mut registrar = registrar_with(&[]);
    let mut encapsulated = peer(1);
    encapsulated.addresses.push(host(101));
    encapsulated.udp_port = Some(9_900);
    associate(&mut registrar, 0, 1, encapsulated);
    drain(&mut registrar);
    let claims = PoolElement {
        asap_transport: Some(SctpTransport {
            port: 1,
            transport_use: TransportUse::DATA_ONLY,
            addresses: vec![host(66)],
        }),
        ..element_on(1, 11)
    };
    say(&mut registrar, 0, 1, registration(claims));
    let answer = say(&mut registrar, 0, 1, resolution());
    let [element] = &resolved(&answer)[..] else {
        panic!("one pool element, not {answer:?}");
    };
    assert_eq!(element.home_registrar, Some(registrar_id()));
    assert_eq!(
        element.asap_transport,
        Some(SctpTransport {
            port: 40_001,
            transport_use: TransportUse::DATA_ONLY,
            addresses: vec![host(1), host(101)],
        })
    );
    let port = element.encapsulation_ports.asap;
    assert_eq!(port.map(NonZeroU16::get), Some(9_900));
}

#[test]
fn rule_4_a_restarted_pool_element_takes_its_registration_over() {
    let mut registrar = registrar_with(&[1]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    // The old association still seems to be up when the same host comes with a new one.
    let mut again = peer(1);
    again.port = 50_000;
    associate(&mut registrar, 1, 2, again);
    drain(&mut registrar);
    registrar.handle_input(at(1), received(2, registration(element_on(1, 11))));
    let outputs = drain(&mut registrar);
    assert!(
        outputs.contains(&Output::Event(Event::PoolElementReregistered {
            pool_handle: echo(),
            pool_element: PoolElementId(11),
            association: association(2),
            moved_from: Some(association(1)),
        }))
    );
    assert!(outputs.contains(&granted(2, 11)));
    // The end of the old association does not touch what has moved.
    lose(&mut registrar, 2, 1);
    assert_eq!(identifiers(&registrar), [11]);
    lose(&mut registrar, 3, 2);
    assert_eq!(identifiers(&registrar), []);
}

#[test]
fn rule_5_a_stranger_cannot_take_the_identifier_of_a_live_pool_element() {
    let mut registrar = registrar_with(&[1, 2]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    let answer = say(&mut registrar, 0, 2, registration(element_on(2, 11)));
    assert_eq!(
        answer,
        [
            // The known one is asked at once: perhaps it is gone and this is its successor.
            send(1, keep_alive(11)),
            rejected(2, 11, ErrorCause::NonUniquePoolElementIdentifier),
        ]
    );
    // It does not answer; then the identifier is free.
    run(&mut registrar, 800);
    let answer = say(&mut registrar, 800, 2, registration(element_on(2, 11)));
    assert_eq!(answer, [granted(2, 11)]);
}

#[test]
fn rule_5_a_registration_over_tcp_is_rejected() {
    let mut registrar = registrar_with(&[]);
    associate(&mut registrar, 0, 1, tcp_peer(1));
    drain(&mut registrar);
    assert_eq!(
        say(&mut registrar, 0, 1, registration(element_on(1, 11))),
        [rejected(1, 11, ErrorCause::RejectedDueToSecurity)]
    );
}

#[test]
fn section_2_2_1_addresses_of_others_are_taken_out_with_a_warning() {
    let mut registrar = registrar_with(&[1]);
    let claims = PoolElement {
        user_transport: sctp_transport(TransportUse::DATA_ONLY, &[1, 66]),
        ..element_on(1, 11)
    };
    let warning = OperationError::from(ErrorCause::InvalidValues(octets(&claims)));
    assert_eq!(
        say(&mut registrar, 0, 1, registration(claims)),
        [send(
            1,
            RegistrationResponse {
                pool_handle: echo(),
                pool_element: PoolElementId(11),
                result: Ok(Some(warning)),
            }
        )]
    );
    let answer = say(&mut registrar, 0, 1, resolution());
    assert_eq!(resolved(&answer), [recorded(element_on(1, 11), 1)]);
}

fn peer_addresses(confirmed: &[u8], unconfirmed: &[u8]) -> Input {
    Input::PeerAddresses {
        association: association(1),
        confirmed: confirmed.iter().map(|number| host(*number)).collect(),
        unconfirmed: unconfirmed.iter().map(|number| host(*number)).collect(),
    }
}

#[test]
fn rfc_9260_5_4_an_address_that_is_not_confirmed_is_told_to_nobody_until_it_is() {
    let mut registrar = registrar_with(&[1]);
    registrar.handle_input(at(0), peer_addresses(&[1], &[2, 66]));
    let stated = PoolElement {
        user_transport: sctp_transport(TransportUse::DATA_ONLY, &[1, 2, 66]),
        ..element_on(1, 11)
    };
    // Nothing is wrong with it, so there is no warning.
    let answer = say(&mut registrar, 0, 1, registration(stated.clone()));
    assert_eq!(answer, [granted(1, 11)]);
    let answer = say(&mut registrar, 0, 1, resolution());
    assert_eq!(resolved(&answer), [recorded(element_on(1, 11), 1)]);

    registrar.handle_input(at(1), peer_addresses(&[1, 2], &[66]));
    drain(&mut registrar);
    let answer = say(&mut registrar, 1, 1, resolution());
    let told = resolved(&answer).remove(0);
    let confirmed = sctp_transport(TransportUse::DATA_ONLY, &[1, 2]);
    assert_eq!(told.user_transport, confirmed);
    let sender = told.asap_transport.unwrap();
    assert_eq!(sender.addresses, [host(1), host(2)]);

    // Who registers again brings no other's address in.
    let answer = say(&mut registrar, 2, 1, registration(stated));
    assert_eq!(answer, [granted(1, 11)]);
    let answer = say(&mut registrar, 2, 1, resolution());
    assert_eq!(resolved(&answer)[0].user_transport, confirmed);
}

#[test]
fn rfc_9260_5_4_who_states_only_unconfirmed_addresses_is_known_where_it_is_heard() {
    let mut registrar = registrar_with(&[1]);
    registrar.handle_input(at(0), peer_addresses(&[1], &[2]));
    let stated = PoolElement {
        user_transport: sctp_transport(TransportUse::DATA_ONLY, &[2]),
        ..element_on(1, 11)
    };
    let answer = say(&mut registrar, 0, 1, registration(stated));
    assert_eq!(answer, [granted(1, 11)]);
    let answer = say(&mut registrar, 0, 1, resolution());
    assert_eq!(resolved(&answer), [recorded(element_on(1, 11), 1)]);

    registrar.handle_input(at(1), peer_addresses(&[1, 2], &[]));
    drain(&mut registrar);
    let answer = say(&mut registrar, 1, 1, resolution());
    let both = sctp_transport(TransportUse::DATA_ONLY, &[1, 2]);
    assert_eq!(resolved(&answer)[0].user_transport, both);
}

#[test]
fn rfc_9260_5_4_what_is_confirmed_but_was_not_registered_is_not_told() {
    let mut registrar = registrar_with(&[1]);
    registrar.handle_input(at(0), peer_addresses(&[1], &[2]));
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    registrar.handle_input(at(1), peer_addresses(&[1, 2], &[]));
    drain(&mut registrar);
    let answer = say(&mut registrar, 1, 1, resolution());
    let told = resolved(&answer).remove(0);
    assert_eq!(told.user_transport, element_on(1, 11).user_transport);
}

#[test]
fn section_2_2_1_a_registration_without_an_address_of_its_own_is_rejected() {
    let mut registrar = registrar_with(&[1]);
    for foreign in [
        sctp_transport(TransportUse::DATA_ONLY, &[66]),
        tcp_transport(66),
        sctp_transport(TransportUse::DATA_ONLY, &[]),
    ] {
        let claims = PoolElement {
            user_transport: foreign,
            ..element_on(1, 11)
        };
        let cause = ErrorCause::InvalidValues(octets(&claims));
        assert_eq!(
            say(&mut registrar, 0, 1, registration(claims)),
            [rejected(1, 11, cause)]
        );
    }
}

#[test]
fn rule_5_invalid_values_are_rejected_with_the_pool_element() {
    let mut registrar = registrar_with(&[1]);
    let no_port = PoolElement {
        user_transport: UserTransport::Tcp(TcpTransport {
            port: 0,
            address: host(1),
        }),
        ..element_on(1, 11)
    };
    let no_life = PoolElement {
        registration_life: RegistrationLife::Seconds(0),
        ..element_on(1, 11)
    };
    for invalid in [no_port, no_life] {
        let cause = ErrorCause::InvalidValues(octets(&invalid));
        assert_eq!(
            say(&mut registrar, 0, 1, registration(invalid)),
            [rejected(1, 11, cause)]
        );
    }
}

#[test]
fn rule_5_what_exceeds_a_limit_is_rejected_for_lack_of_resources() {
    let mut config = Config::new(registrar_id());
    config.limits.handlespace.pools_max = 1;
    config.limits.handlespace.elements_per_pool_max = 2;
    config.limits.handlespace.pool_handle_octets_max = 8;
    config.limits.elements_per_association_max = 2;
    let mut registrar = registrar_configured(config, &[1, 2]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    let in_pool = |handle: &str, number, id| {
        Message::from(Registration {
            pool_handle: PoolHandle::from(handle),
            pool_element: element_on(number, id),
        })
    };
    for (from, message, limit) in [
        (2, in_pool("chargen", 2, 21), Limit::Pools),
        (2, in_pool("much too long", 2, 21), Limit::PoolHandleOctets),
    ] {
        assert_limit(&mut registrar, from, message, limit);
    }
    say(&mut registrar, 0, 1, registration(element_on(1, 12)));
    let one_more = registration(element_on(1, 13));
    assert_limit(
        &mut registrar,
        1,
        one_more,
        Limit::PoolElementsOfAssociation,
    );
    let one_more = registration(element_on(2, 23));
    assert_limit(&mut registrar, 2, one_more, Limit::PoolElementsOfPool);
    // What is known may be renewed.
    let answer = say(&mut registrar, 0, 1, registration(element_on(1, 12)));
    assert_eq!(answer, [granted(1, 12)]);
}

#[test]
fn the_response_names_the_pool_and_the_pool_element_also_when_it_rejects() {
    let mut registrar = registrar_with(&[1]);
    let mut invalid = element_on(1, 0xdead_beef);
    invalid.registration_life = RegistrationLife::Seconds(0);
    let answer = say(&mut registrar, 0, 1, registration(invalid));
    let [Output::Send { message, .. }] = &answer[..] else {
        panic!("one response, not {answer:?}");
    };
    let Message::RegistrationResponse(response) = message else {
        panic!("a response, not {message:?}");
    };
    assert_eq!(response.pool_handle, echo());
    assert_eq!(response.pool_element, PoolElementId(0xdead_beef));
}

fn assert_limit(
    registrar: &mut rserpool_core::Registrar,
    from: u64,
    message: Message,
    limit: Limit,
) {
    registrar.handle_input(at(0), received(from, message));
    let outputs = drain(registrar);
    assert!(
        outputs.contains(&Output::Event(Event::LimitReached {
            limit,
            association: Some(association(from)),
        })),
        "{limit}: {outputs:?}"
    );
    let causes: Vec<_> = outputs.iter().filter_map(rejection).collect();
    assert_eq!(causes, [ErrorCause::LackOfResources], "{limit}");
    assert_eq!(registrar.snapshot().counters.limits_reached[&limit], 1);
}

fn rejection(output: &Output) -> Option<ErrorCause> {
    let Output::Send {
        message: Message::RegistrationResponse(response),
        ..
    } = output
    else {
        return None;
    };
    let error = response.result.clone().unwrap_err()?;
    error.causes.first().cloned()
}

fn sctp_transport(transport_use: TransportUse, hosts: &[u8]) -> UserTransport {
    UserTransport::Sctp(SctpTransport {
        port: 7,
        transport_use,
        addresses: hosts.iter().copied().map(host).collect(),
    })
}

fn tcp_transport(number: u8) -> UserTransport {
    UserTransport::Tcp(TcpTransport {
        port: 7,
        address: host(number),
    })
}

fn octets(element: &PoolElement) -> Vec<u8> {
    let mut octets = Vec::new();
    element.encode_into(&mut octets);
    octets
}
