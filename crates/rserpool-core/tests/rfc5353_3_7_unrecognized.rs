//! Unrecognized messages and parameters (RFC 5353 §3.7), and whose messages are not heard.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/peers.rs"]
mod peers;
mod support;

use peers::*;
use rserpool_core::registrar::{CloseReason, Config, Event, Input, Limit, Output, PeerStatus};
use rserpool_core::{ENRP_PORT, Machine, PeerAddress, Registrar, RegistrarAddress, Transport};
use rserpool_wire::enrp::{Error, ListResponse, Message, Presence};
use rserpool_wire::parameter::{
    EncapsulationPorts, ErrorCause, OperationError, PeChecksum, SctpTransport, ServerInformation,
    TransportUse,
};
use support::*;

const B: u32 = 2;

fn octets(registrar: &mut Registrar, time: u64, from: u64, octets: &[u8]) -> Vec<Output> {
    let input = Input::EnrpReceived {
        from: association(from),
        message: Message::decode(octets),
    };
    registrar.handle_input(at(time), input);
    drain(registrar)
}

fn reports(cause: ErrorCause) -> Output {
    tell(
        B,
        Error {
            sender: registrar_id(),
            receiver: Some(peer_id(B)),
            error: OperationError::from(cause),
        },
    )
}

fn remote(last: u8, port: u16) -> PeerAddress {
    PeerAddress {
        transport: Transport::Sctp,
        addresses: vec![host(last)],
        port,
        udp_port: None,
    }
}

fn information(id: u32) -> ServerInformation {
    ServerInformation {
        registrar: peer_id(id),
        transport: SctpTransport {
            port: ENRP_PORT,
            transport_use: TransportUse::DATA_ONLY,
            addresses: vec![host(u8::try_from(id % 200).unwrap())],
        },
        encapsulation_ports: EncapsulationPorts::default(),
    }
}

#[test]
fn an_unknown_message_is_reported_if_its_action_bits_say_so() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    // Highest bits 01: report.
    let unknown = [0x4b, 0, 0, 8, 0, 0, 0, 2];
    let outputs = octets(&mut registrar, 1, of_peer(B), &unknown);
    assert!(outputs.contains(&reports(ErrorCause::UnrecognizedMessage(unknown.to_vec()))));
    // Highest bits 00: discard silently.
    let outputs = octets(&mut registrar, 1, of_peer(B), &[0x0b, 0, 0, 8, 0, 0, 0, 2]);
    assert_eq!(without_events(outputs), []);
    assert_eq!(registrar.snapshot().counters.bad_messages, 2);
}

#[test]
fn an_unknown_parameter_is_reported_and_the_message_taken() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    // A presence with R=1 and a parameter of action bits 11: skip and report.
    let mut presence = vec![1, 1, 0, 20, 0, 0, 0, 2, 0, 0, 0, 0];
    let unknown = [0xc0, 0x77, 0, 8, 1, 2, 3, 4];
    presence.extend(unknown);
    let outputs = octets(&mut registrar, 1, of_peer(B), &presence);
    assert_eq!(outputs.len(), 2);
    assert!(outputs.contains(&reports(ErrorCause::UnrecognizedParameter(
        unknown.to_vec()
    ))));
}

#[test]
fn errors_are_limited_and_never_answered() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    let unknown = [0x4b, 0, 0, 8, 0, 0, 0, 2];
    for _ in 0..100 {
        octets(&mut registrar, 1, of_peer(B), &unknown);
    }
    let counters = registrar.snapshot().counters;
    assert_eq!(counters.errors_sent, 10);
    assert_eq!(counters.limits_reached.get(&Limit::Errors), Some(&90));
    let error = Error {
        sender: peer_id(B),
        receiver: None,
        error: OperationError::from(ErrorCause::LackOfResources),
    };
    let outputs = hear(&mut registrar, 2, B, error);
    assert_eq!(without_events(outputs), []);
    assert_eq!(registrar.snapshot().counters.errors_received, 1);
}

#[test]
fn enrp_over_tcp_is_dropped() {
    let mut registrar = registrar_with(&[]);
    associate(&mut registrar, 0, 7, tcp_peer(7));
    drain(&mut registrar);
    let octets_of = Message::from(presence(B, PeChecksum(0xffff))).encode();
    assert_eq!(octets(&mut registrar, 1, 7, &octets_of), []);
    assert_eq!(registrar.snapshot().peers, []);
    assert_eq!(registrar.snapshot().counters.enrp_unexpected, 1);
}

#[test]
fn another_sender_over_the_association_of_a_peer_is_dropped() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    let message = Message::from(presence(3, PeChecksum(0xffff))).encode();
    assert_eq!(
        octets(&mut registrar, 1, of_peer(B), &message),
        [event(Event::UnexpectedMessage {
            association: association(of_peer(B)),
            message_type: 1,
        })]
    );
    assert_eq!(registrar.snapshot().peers.len(), 1);
}

#[test]
fn what_is_for_another_registrar_is_dropped() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    let message = Presence {
        receiver: Some(peer_id(9)),
        reply_required: true,
        ..presence(B, PeChecksum(0xffff))
    };
    assert_eq!(hear(&mut registrar, 1, B, message), []);
    assert_eq!(registrar.snapshot().counters.enrp_unexpected, 1);
}

#[test]
fn a_presence_with_the_information_of_another_registrar_is_dropped() {
    let mut registrar = registrar_with(&[]);
    associate(&mut registrar, 0, of_peer(B), remote(2, ENRP_PORT));
    drain(&mut registrar);
    let message = Presence {
        server_information: Some(information(registrar_id().get())),
        ..presence(B, PeChecksum(0xffff))
    };
    assert_eq!(hear(&mut registrar, 1, B, message), []);
    assert_eq!(registrar.snapshot().peers, []);
}

#[test]
fn two_registrars_with_one_identifier_are_noticed_and_the_first_one_stays() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    for (claimed, number, last) in [(B, 77, 99), (registrar_id().get(), 78, 98)] {
        associate(&mut registrar, 1, number, remote(last, ENRP_PORT));
        drain(&mut registrar);
        let message = Message::from(presence(claimed, PeChecksum(0xffff))).encode();
        let outputs = octets(&mut registrar, 2, number, &message);
        assert!(outputs.contains(&event(Event::IdentifierConflict {
            registrar: peer_id(claimed),
            association: association(number),
            address: remote(last, ENRP_PORT),
        })));
        assert!(outputs.contains(&Output::Close {
            association: association(number),
            reason: CloseReason::IdentifierConflict,
        }));
    }
    let snapshot = registrar.snapshot();
    assert_eq!(snapshot.counters.identifier_conflicts, 2);
    assert_eq!(snapshot.peers[0].association, Some(association(of_peer(B))));
    assert_eq!(snapshot.associations, 1);
}

#[test]
fn an_identifier_used_twice_is_told_once_until_it_has_stopped_for_a_while() {
    let mut registrar = registrar_with(&[]);
    let claim = Message::from(presence(registrar_id().get(), PeChecksum(0xffff))).encode();
    let told = |registrar: &mut Registrar, time: u64, number: u64, last: u8| {
        associate(registrar, time, number, remote(last, ENRP_PORT));
        drain(registrar);
        let outputs = octets(registrar, time, number, &claim);
        assert!(outputs.contains(&Output::Close {
            association: association(number),
            reason: CloseReason::IdentifierConflict,
        }));
        let is_told =
            |output: &Output| matches!(output, Output::Event(Event::IdentifierConflict { .. }));
        outputs.iter().any(is_told)
    };
    assert!(told(&mut registrar, 0, 77, 99));
    assert!(!told(&mut registrar, 1_000, 78, 99));
    assert!(told(&mut registrar, 2_000, 79, 98), "somebody else");
    let cycle = Config::new(registrar_id()).timers.peer_heartbeat_cycle;
    let later = u64::try_from(cycle.as_millis()).unwrap() * 101;
    assert!(told(&mut registrar, 2_000 + later, 80, 98));
    assert_eq!(registrar.snapshot().counters.identifier_conflicts, 4);
}

#[test]
fn nobody_at_another_host_speaks_for_a_peer_that_is_only_suspected() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    lose(&mut registrar, 1, of_peer(B));
    assert_eq!(registrar.snapshot().peers[0].status, PeerStatus::Suspected);
    let claim = Message::from(presence(B, PeChecksum(0xffff))).encode();
    associate(&mut registrar, 2, 77, remote(99, ENRP_PORT));
    drain(&mut registrar);
    let outputs = octets(&mut registrar, 3, 77, &claim);
    assert!(outputs.contains(&Output::Close {
        association: association(77),
        reason: CloseReason::IdentifierConflict,
    }));
    assert_eq!(registrar.snapshot().peers[0].association, None);
    // From its own host it is welcome, whatever port a NAT gives it.
    associate(&mut registrar, 4, 78, remote(202, ENRP_PORT + 1));
    octets(&mut registrar, 5, 78, &claim);
    let snapshot = registrar.snapshot();
    assert_eq!(snapshot.peers[0].status, PeerStatus::Active);
    assert_eq!(snapshot.peers[0].association, Some(association(78)));
}

#[test]
fn no_more_peers_than_the_limit() {
    let mut config = Config::new(registrar_id());
    config.limits.peers_max = 3;
    let mut registrar = registrar_configured(config, &[]);
    for id in 1..=10_u8 {
        let number = u64::from(id);
        associate(&mut registrar, 1, number, remote(id, ENRP_PORT));
        let message = Message::from(presence(u32::from(id), PeChecksum(0xffff))).encode();
        octets(&mut registrar, 2, number, &message);
    }
    let snapshot = registrar.snapshot();
    assert_eq!(snapshot.peers.len(), 3);
    assert_eq!(snapshot.associations, 3);
    assert_eq!(
        snapshot.counters.limits_reached.get(&Limit::Peers),
        Some(&7)
    );
}

#[test]
fn strangers_that_fill_the_peer_list_do_not_keep_out_who_is_configured() {
    let mut config = Config::new(registrar_id());
    config.limits.peers_max = 3;
    config.peers = vec![RegistrarAddress::of_peer(&information(77))];
    let mut registrar = registrar_configured(config, &[]);
    for id in (1..=10_u8).chain([77]) {
        let number = u64::from(id);
        associate(&mut registrar, 1, number, remote(id, ENRP_PORT));
        let message = Message::from(presence(u32::from(id), PeChecksum(0xffff))).encode();
        octets(&mut registrar, 2, number, &message);
    }
    let peers = registrar.snapshot().peers;
    let known: Vec<_> = peers.iter().filter_map(|peer| peer.registrar).collect();
    assert_eq!(known, [1, 2, 3, 77].map(peer_id));
}

#[test]
fn a_list_of_a_thousand_strangers_makes_no_thousand_attempts() {
    let mut registrar = registrar_with_peers(&[], &[B]);
    let strangers = (1_000..2_000).map(information).collect();
    let message = ListResponse {
        sender: peer_id(B),
        receiver: None,
        result: Ok(strangers),
    };
    let outputs = hear(&mut registrar, 1, B, message);
    let is_attempt = |output: &&Output| matches!(output, Output::Connect { .. });
    assert_eq!(outputs.iter().filter(is_attempt).count(), 64);
    // Who does not answer is forgotten.
    run(&mut registrar, 2_400);
    assert_eq!(registrar.snapshot().peers.len(), 1);
}
