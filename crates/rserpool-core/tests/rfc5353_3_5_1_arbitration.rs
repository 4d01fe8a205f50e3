//! Takeover arbitration (RFC 5353 §3.5.1), message by message. The registrar under test has the
//! identifier 0x0a0b0c0d; default timers: heartbeat 1 s, last heard 2.5 s, no response 0.5 s.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/peers.rs"]
mod peers;
mod support;

use peers::*;
use rserpool_core::registrar::{Event, Input, Output, PeerStatus};
use rserpool_core::{ENRP_PORT, Machine, Registrar};
use rserpool_wire::RegistrarId;
use rserpool_wire::enrp::{InitTakeover, InitTakeoverAck, Message, TakeoverServer};
use rserpool_wire::parameter::{
    EncapsulationPorts, PeChecksum, SctpTransport, ServerInformation, TransportUse,
};
use support::*;

const TARGET: u32 = 1;
/// Smaller and greater identifiers than that of the registrar under test.
const SMALLER: u32 = 2;
const GREATER: u32 = 0x7fff_fff3;

fn init(sender: u32, target: u32) -> InitTakeover {
    InitTakeover {
        sender: peer_id(sender),
        receiver: None,
        target: peer_id(target),
    }
}

fn ack(sender: u32, target: u32) -> InitTakeoverAck {
    InitTakeoverAck {
        sender: peer_id(sender),
        receiver: Some(registrar_id()),
        target: peer_id(target),
    }
}

fn enforced(sender: u32, target: u32) -> TakeoverServer {
    TakeoverServer {
        sender: peer_id(sender),
        receiver: None,
        target: peer_id(target),
    }
}

fn acknowledges(to: u32, target: u32) -> Output {
    let message = InitTakeoverAck {
        sender: registrar_id(),
        receiver: Some(peer_id(to)),
        target: peer_id(target),
    };
    tell(to, message)
}

fn initiates(to: u32, target: u32) -> Output {
    let message = InitTakeover {
        sender: registrar_id(),
        receiver: Some(peer_id(to)),
        target: peer_id(target),
    };
    tell(to, message)
}

fn enforces(to: u32, target: u32) -> Output {
    let message = TakeoverServer {
        sender: registrar_id(),
        receiver: None,
        target: peer_id(target),
    };
    tell(to, message)
}

/// A registrar that knows these peers; the target owns pool element 11.
fn scope(peers: &[u32]) -> Registrar {
    let mut registrar = registrar_with_peers(&[], peers);
    let element = owned_by(TARGET, element_on(101, 11), 101);
    hear(&mut registrar, 0, TARGET, addition(TARGET, &element));
    // Where it is: at the other end of its association.
    let mut told = presence(TARGET, checksum(TARGET));
    told.server_information = Some(ServerInformation {
        registrar: peer_id(TARGET),
        transport: SctpTransport {
            port: ENRP_PORT,
            transport_use: TransportUse::DATA_ONLY,
            addresses: Vec::new(),
        },
        encapsulation_ports: EncapsulationPorts::default(),
    });
    hear(&mut registrar, 0, TARGET, told);
    registrar
}

fn lose_peer(registrar: &mut Registrar, time: u64, peer: u32) -> Vec<Output> {
    lose(registrar, time, of_peer(peer))
}

/// The association with the target is lost and nobody answers where it was.
fn target_dies(registrar: &mut Registrar, time: u64) -> Vec<Output> {
    let outputs = lose_peer(registrar, time, TARGET);
    let to = outputs
        .into_iter()
        .find_map(|output| match output {
            Output::Connect { to } => Some(to),
            Output::StopConnecting { .. }
            | Output::Send { .. }
            | Output::SendEnrp { .. }
            | Output::Close { .. }
            | Output::Event(_) => None,
        })
        .unwrap();
    registrar.handle_input(at(time), Input::ConnectFailed { to });
    drain(registrar)
}

/// What is said to other registrars.
fn enrp(outputs: Vec<Output>) -> Vec<Output> {
    let is_enrp = |output: &Output| matches!(output, Output::SendEnrp { .. });
    outputs.into_iter().filter(is_enrp).collect()
}

fn presences(outputs: &[Output]) -> usize {
    let is_presence = |output: &&Output| {
        matches!(output, Output::SendEnrp { message: Message::Presence(presence), .. }
            if !presence.reply_required)
    };
    outputs.iter().filter(is_presence).count()
}

fn asks(outputs: &[Output], peer: u32) -> bool {
    outputs.iter().any(|output| {
        matches!(output, Output::SendEnrp { message: Message::Presence(presence), .. }
            if presence.reply_required && presence.receiver == Some(peer_id(peer)))
    })
}

fn status(registrar: &Registrar, peer: u32) -> PeerStatus {
    let peers = registrar.snapshot().peers;
    let known = peers
        .iter()
        .find(|known| known.registrar == RegistrarId::new(peer));
    known.map_or(PeerStatus::Dead, |known| known.status)
}

fn beat(registrar: &mut Registrar, time: u64, peer: u32) -> Vec<Output> {
    hear(registrar, time, peer, presence(peer, checksum(peer)))
}

/// What the target owns is known; all others own nothing.
fn checksum(peer: u32) -> PeChecksum {
    match peer {
        TARGET => checksum_of(&[11]),
        _ => PeChecksum(0xffff),
    }
}

#[test]
fn init_takeover_goes_to_all_peers_and_each_acknowledgement_is_awaited() {
    let mut registrar = scope(&[TARGET, SMALLER, GREATER]);
    let outputs = target_dies(&mut registrar, 100);
    assert_eq!(
        enrp(outputs),
        [initiates(SMALLER, TARGET), initiates(GREATER, TARGET)]
    );
    assert_eq!(
        enrp(hear(&mut registrar, 110, SMALLER, ack(SMALLER, TARGET))),
        []
    );
    assert_eq!(homes(&registrar), [(11, peer_id(TARGET))]);
    let outputs = hear(&mut registrar, 120, GREATER, ack(GREATER, TARGET));
    assert_eq!(
        enrp(outputs),
        [enforces(SMALLER, TARGET), enforces(GREATER, TARGET)]
    );
    assert_eq!(homes(&registrar), [(11, registrar_id())]);
}

#[test]
fn a_lost_acknowledgement_is_asked_for_again() {
    let mut registrar = scope(&[TARGET, SMALLER, GREATER]);
    target_dies(&mut registrar, 100);
    hear(&mut registrar, 110, SMALLER, ack(SMALLER, TARGET));
    let again: Vec<_> = run(&mut registrar, 600)
        .into_iter()
        .map(|(_, output)| output)
        .collect();
    assert!(again.contains(&initiates(GREATER, TARGET)));
    assert!(!again.contains(&initiates(SMALLER, TARGET)));
    hear(&mut registrar, 610, GREATER, ack(GREATER, TARGET));
    assert_eq!(homes(&registrar), [(11, registrar_id())]);
}

#[test]
fn a_live_peer_that_does_not_acknowledge_is_a_veto() {
    let mut registrar = scope(&[TARGET, SMALLER]);
    target_dies(&mut registrar, 100);
    for second in 1..60 {
        run(&mut registrar, second * 1_000);
        beat(&mut registrar, second * 1_000, SMALLER);
        assert_eq!(homes(&registrar), [(11, peer_id(TARGET))]);
    }
    assert_eq!(status(&registrar, TARGET), PeerStatus::BeingTakenOver);
}

#[test]
fn a_peer_that_dies_itself_has_no_veto() {
    let mut registrar = scope(&[TARGET, SMALLER]);
    target_dies(&mut registrar, 100);
    run(&mut registrar, 10_000);
    assert_eq!(homes(&registrar), []);
    let counters = registrar.snapshot().counters;
    assert_eq!((counters.takeovers_started, counters.takeovers_won), (1, 1));
}

#[test]
fn rule_1_the_target_shows_its_presence_to_all() {
    let me = registrar_id().get();
    let mut registrar = scope(&[TARGET, SMALLER, GREATER]);
    let outputs = hear(&mut registrar, 100, SMALLER, init(SMALLER, me));
    assert_eq!(presences(&outputs), 3);
    assert_eq!(outputs.len(), 3);
    let outputs = hear(&mut registrar, 200, SMALLER, enforced(SMALLER, me));
    assert_eq!(presences(&outputs), 3);
}

#[test]
fn rule_1_a_flood_makes_no_flood() {
    let me = registrar_id().get();
    let mut registrar = scope(&[TARGET, SMALLER, GREATER]);
    let mut answers = 0;
    for _ in 0..1_000 {
        answers += presences(&hear(&mut registrar, 100, SMALLER, init(SMALLER, me)));
    }
    assert_eq!(answers, 10 * 3 + 990);
}

#[test]
fn rule_2a_the_smaller_identifier_aborts_and_acknowledges() {
    let mut registrar = scope(&[TARGET, SMALLER, GREATER]);
    target_dies(&mut registrar, 100);
    assert_eq!(
        hear(&mut registrar, 110, GREATER, init(GREATER, TARGET)),
        [
            event(Event::TakeoverAborted {
                target: peer_id(TARGET),
                winner: Some(peer_id(GREATER)),
            }),
            acknowledges(GREATER, TARGET),
            event(Event::TakeoverAcknowledged {
                target: peer_id(TARGET),
                initiator: peer_id(GREATER),
            }),
        ]
    );
    assert_eq!(status(&registrar, TARGET), PeerStatus::NotActive);
    // Acknowledgements that come now are of no use.
    hear(&mut registrar, 120, SMALLER, ack(SMALLER, TARGET));
    hear(&mut registrar, 120, GREATER, ack(GREATER, TARGET));
    assert_eq!(homes(&registrar), [(11, peer_id(TARGET))]);
    hear(&mut registrar, 130, GREATER, enforced(GREATER, TARGET));
    assert_eq!(homes(&registrar), [(11, peer_id(GREATER))]);
    assert_eq!(status(&registrar, TARGET), PeerStatus::Dead);
}

#[test]
fn rule_2b_the_greater_identifier_ignores_it() {
    let mut registrar = scope(&[TARGET, SMALLER]);
    target_dies(&mut registrar, 100);
    assert_eq!(
        hear(&mut registrar, 110, SMALLER, init(SMALLER, TARGET)),
        []
    );
    assert_eq!(status(&registrar, TARGET), PeerStatus::BeingTakenOver);
    hear(&mut registrar, 120, SMALLER, ack(SMALLER, TARGET));
    assert_eq!(homes(&registrar), [(11, registrar_id())]);
}

#[test]
fn rule_3_a_target_that_has_not_been_heard_lately_is_given_up() {
    let mut registrar = scope(&[TARGET, SMALLER]);
    run(&mut registrar, 1_501);
    let outputs = hear(&mut registrar, 1_501, SMALLER, init(SMALLER, TARGET));
    assert_eq!(enrp(outputs), [acknowledges(SMALLER, TARGET)]);
    assert_eq!(status(&registrar, TARGET), PeerStatus::NotActive);
}

#[test]
fn rule_3_a_target_that_is_not_known_is_acknowledged() {
    let mut registrar = scope(&[TARGET, SMALLER]);
    let outputs = hear(&mut registrar, 100, SMALLER, init(SMALLER, 9));
    assert_eq!(enrp(outputs), [acknowledges(SMALLER, 9)]);
}

#[test]
fn rule_3_a_target_that_is_heard_is_asked_first_and_saved_by_its_answer() {
    let mut registrar = scope(&[TARGET, SMALLER]);
    let outputs = hear(&mut registrar, 100, SMALLER, init(SMALLER, TARGET));
    assert!(asks(&outputs, TARGET));
    assert!(!outputs.contains(&acknowledges(SMALLER, TARGET)));
    let outputs = beat(&mut registrar, 150, TARGET);
    assert!(outputs.contains(&event(Event::TakeoverRefused {
        target: peer_id(TARGET),
        initiator: peer_id(SMALLER),
    })));
    assert_eq!(status(&registrar, TARGET), PeerStatus::Active);
    assert!(
        run(&mut registrar, 700)
            .iter()
            .all(|(_, output)| *output != acknowledges(SMALLER, TARGET))
    );
}

#[test]
fn rule_3_a_target_that_does_not_answer_is_given_up_to_all_who_asked() {
    let mut registrar = scope(&[TARGET, SMALLER, GREATER]);
    hear(&mut registrar, 100, SMALLER, init(SMALLER, TARGET));
    hear(&mut registrar, 200, GREATER, init(GREATER, TARGET));
    let before = run(&mut registrar, 599);
    assert!(
        before
            .iter()
            .all(|(_, output)| *output != acknowledges(SMALLER, TARGET))
    );
    let outputs = run(&mut registrar, 600);
    for peer in [SMALLER, GREATER] {
        assert!(outputs.contains(&(at(600), acknowledges(peer, TARGET))));
    }
    assert_eq!(status(&registrar, TARGET), PeerStatus::NotActive);
}

#[test]
fn a_taker_that_fails_is_followed_by_this_registrar() {
    let mut registrar = scope(&[TARGET, SMALLER]);
    run(&mut registrar, 1_501);
    beat(&mut registrar, 1_501, SMALLER);
    hear(&mut registrar, 1_501, SMALLER, init(SMALLER, TARGET));
    let mut started = None;
    for step in 0..40 {
        let time = 1_501 + step * 50;
        for (at, output) in run(&mut registrar, time) {
            if output == initiates(SMALLER, TARGET) {
                started.get_or_insert(at);
            }
        }
        beat(&mut registrar, time, SMALLER);
    }
    let started = started.unwrap();
    assert!(at(3_001) <= started && started <= at(3_501), "{started}");
}

#[test]
fn a_sign_of_life_of_the_target_stops_the_takeover_at_any_point() {
    let signs: [fn() -> Message; 3] = [
        || presence(TARGET, checksum_of(&[11])).into(),
        || ack(TARGET, SMALLER).into(),
        || table_request(TARGET, true).into(),
    ];
    for sign in signs {
        let mut registrar = scope(&[TARGET, SMALLER]);
        // It only was silent; its association is up.
        for time in [1_000, 2_000, 2_900] {
            run(&mut registrar, time);
            beat(&mut registrar, time, SMALLER);
        }
        run(&mut registrar, 3_000);
        assert_eq!(status(&registrar, TARGET), PeerStatus::BeingTakenOver);
        let outputs = hear(&mut registrar, 3_010, TARGET, sign());
        assert!(outputs.contains(&event(Event::TakeoverAborted {
            target: peer_id(TARGET),
            winner: None,
        })));
        assert_eq!(status(&registrar, TARGET), PeerStatus::Active);
        hear(&mut registrar, 3_020, SMALLER, ack(SMALLER, TARGET));
        assert_eq!(homes(&registrar), [(11, peer_id(TARGET))]);
    }
}

#[test]
fn the_target_is_told_too_if_it_can_be_reached() {
    let mut registrar = scope(&[TARGET, SMALLER]);
    let mut outputs = Vec::new();
    for time in [1_000, 2_000, 2_900, 3_000] {
        outputs.extend(run(&mut registrar, time));
        beat(&mut registrar, time, SMALLER);
    }
    assert!(outputs.contains(&(at(3_000), initiates(TARGET, TARGET))));
}

#[test]
fn a_takeover_of_a_peer_that_is_heard_is_refused() {
    let mut registrar = scope(&[TARGET, SMALLER]);
    let outputs = hear(&mut registrar, 100, SMALLER, enforced(SMALLER, TARGET));
    assert!(outputs.contains(&event(Event::TakeoverRefused {
        target: peer_id(TARGET),
        initiator: peer_id(SMALLER),
    })));
    assert!(asks(&outputs, TARGET));
    assert_eq!(homes(&registrar), [(11, peer_id(TARGET))]);
}

#[test]
fn nobody_takes_over_itself() {
    let mut registrar = scope(&[TARGET, SMALLER]);
    assert_eq!(
        hear(&mut registrar, 100, TARGET, enforced(TARGET, TARGET)),
        []
    );
    assert_eq!(homes(&registrar), [(11, peer_id(TARGET))]);
    assert_eq!(registrar.snapshot().counters.enrp_unexpected, 1);
}
