//! What rsplib sends is understood without any setting, and what it gets is what it can read: all
//! in octets, those of rsplib as it sends them.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/octets.rs"]
mod in_octets;
#[path = "support/peers.rs"]
mod peers;
mod support;

use in_octets::*;
use peers::*;
use rserpool_core::registrar::{Config, Event, Output, RemovalReason};
use rserpool_core::{Machine, Registrar};
use rserpool_wire::enrp::{InitTakeover, Message};
use rserpool_wire::parameter::{EncodedPoolElement, PeChecksum, Policy, PoolElement};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId};
use support::*;

/// The element of the captures: 10.1.0.4, round robin, 90,000 ms.
const REGISTRATION: &str = "
    01000038 0009000c 4563686f 506f6f6c 000a0028 44444444 00000000 00015f90
    00040010 86ff0001 00010008 0a010004 00080008 00000001";
const ACK: &str = "08000018 0009000c 4563686f 506f6f6c 000e0008 44444444";
const ELEMENT: u64 = 1;
const USER: u64 = 2;
const PEER: u64 = 3;

/// A registrar with associations as rsplib makes them.
fn registrar() -> Registrar {
    configured(Config::new(RegistrarId::new(0x2222_2222).unwrap()))
}

fn configured(config: Config) -> Registrar {
    let mut registrar = Registrar::new(config, 1, at(0));
    for (number, address, port) in [
        (ELEMENT, "10.1.0.4", 41_000),
        (USER, "10.1.0.6", 42_000),
        (PEER, "10.1.0.1", 9901),
    ] {
        associate(&mut registrar, 0, number, kernel_peer(address, port));
    }
    drain(&mut registrar);
    registrar
}

/// Registrar 0x11111111 shows its presence, and owns nothing.
fn introduce_rsplib(registrar: &mut Registrar, time: u64) -> Vec<String> {
    let presence = "
        0101002c 11111111 00000000 000f0006 ffff0000
        000b0018 11111111 00040010 26ad0000 00010008 0a010001";
    enrp(registrar, time, PEER, presence)
}

#[test]
fn a_registration_is_answered_as_rsplibs_registrar_does() {
    let mut registrar = registrar();
    assert_eq!(
        asap(&mut registrar, 0, ELEMENT, REGISTRATION),
        ["03000018 0009000c 4563686f 506f6f6c 000e0008 44444444"]
    );
}

/// rsplib reads parameters in this order only, and not without the policy.
#[test]
fn a_resolution_has_the_policy_first_and_each_element_in_rsplibs_order() {
    let mut registrar = registrar();
    asap(&mut registrar, 0, ELEMENT, REGISTRATION);
    let items_1 = "05000018 0009000c 4563686f 506f6f6c 803f0008 00000001";
    let expected = line(
        "06000050 0009000c 4563686f 506f6f6c 00080008 00000001
         000a0038 44444444 22222222 00015f90 00040010 86ff0001 00010008 0a010004
         00080008 00000001 00040010 a0280000 00010008 0a010004",
    );
    let one = asap(&mut registrar, 1, USER, items_1);
    assert_eq!(one[..], [expected.as_str()]);
    let without_items = "05000010 0009000c 4563686f 506f6f6c";
    assert_eq!(asap(&mut registrar, 2, USER, without_items), [expected]);
    let unknown = "05000014 0009000d 4563686f 506f6f6c 31000000";
    assert_eq!(
        asap(&mut registrar, 3, USER, unknown),
        ["0600001c 0009000d 4563686f 506f6f6c 31000000 000c0008 00090004"]
    );
}

/// An empty success ends rsplib's process.
#[test]
fn a_pool_of_which_nothing_can_be_selected_is_no_success() {
    let mut registrar = registrar();
    let weight_0 = "
        0100003c 0009000c 4563686f 506f6f6c 000a002c 44444444 00000000 00015f90
        00040010 86ff0001 00010008 0a010004 0008000c 00000004 00000000";
    asap(&mut registrar, 0, ELEMENT, weight_0);
    let resolution = "05000010 0009000c 4563686f 506f6f6c";
    assert_eq!(
        asap(&mut registrar, 0, USER, resolution),
        ["06000018 0009000c 4563686f 506f6f6c 000c0008 00060004"]
    );
}

/// §2.2: the length of a message counts the final padding.
#[test]
fn the_length_may_count_the_final_padding() {
    let mut registrar = registrar();
    // Handles of nine octets, the element's identifier last: nothing to pad at the end but here.
    let padded = "05000014 0009000d 4563686f 506f6f6c 31000000";
    let unpadded = "05000011 0009000d 4563686f 506f6f6c 31000000";
    let answer = asap(&mut registrar, 0, USER, padded);
    assert_eq!(answer.len(), 1);
    assert_eq!(asap(&mut registrar, 1, USER, unpadded), answer);
}

/// With the element's identifier, which the RFC does not ask for, as rsplib sends it itself.
#[test]
fn keep_alives_name_the_element_and_its_answer_is_read() {
    let mut registrar = registrar();
    asap(&mut registrar, 0, ELEMENT, REGISTRATION);
    let (time, outputs) = first_keep_alive(&mut registrar);
    assert_eq!(
        sent(outputs, ELEMENT),
        ["0700001c 22222222 0009000c 4563686f 506f6f6c 000e0008 44444444"]
    );
    assert_eq!(asap(&mut registrar, time, ELEMENT, ACK), [""; 0]);
    assert_eq!(registrar.snapshot().counters.keep_alive_acks, 1);
}

fn first_keep_alive(registrar: &mut Registrar) -> (u64, Vec<Output>) {
    let next = registrar.poll_timeout().unwrap();
    registrar.handle_timeout(next);
    let time = u64::try_from(next.0.as_micros().div_ceil(1000)).unwrap();
    (time, drain(registrar))
}

/// Any unsolicited message but a keep-alive makes rsplib's element leave its registrar. So one that
/// did not answer in time is told nothing, and is back as soon as it answers.
#[test]
fn an_element_that_answers_too_late_is_registered_as_it_was() {
    let mut registrar = registrar();
    asap(&mut registrar, 0, ELEMENT, REGISTRATION);
    let outputs = run(&mut registrar, 3_000);
    let outputs: Vec<_> = outputs.into_iter().map(|(_, output)| output).collect();
    assert_eq!(sent(outputs.clone(), ELEMENT).len(), 1, "the keep-alive");
    let gone = Output::Event(Event::PoolElementRemoved {
        pool_handle: PoolHandle::from("EchoPool"),
        pool_element: PoolElementId(0x4444_4444),
        reason: RemovalReason::KeepAliveTimeout,
        pool_removed: true,
    });
    assert!(outputs.contains(&gone));
    assert_eq!(identifiers(&registrar), []);

    assert_eq!(asap(&mut registrar, 3_000, ELEMENT, ACK), [""; 0]);
    assert_eq!(identifiers(&registrar), [0x4444_4444]);
    assert_eq!(registrar.snapshot().counters.reinstatements, 1);
    // It is watched again; and a second answer means nothing.
    assert_eq!(asap(&mut registrar, 3_001, ELEMENT, ACK), [""; 0]);
    assert_eq!(registrar.snapshot().counters.keep_alive_acks_ignored, 1);
    run(&mut registrar, 6_000);
    assert_eq!(identifiers(&registrar), []);
}

#[test]
fn a_late_answer_brings_back_nobody_who_left_or_whose_association_is_lost() {
    let left = "02000018 0009000c 4563686f 506f6f6c 000e0008 44444444";
    let mut registrar = registrar();
    asap(&mut registrar, 0, ELEMENT, REGISTRATION);
    run(&mut registrar, 3_000);
    assert_eq!(asap(&mut registrar, 3_000, ELEMENT, left).len(), 1);
    asap(&mut registrar, 3_000, ELEMENT, ACK);
    assert_eq!(identifiers(&registrar), []);

    asap(&mut registrar, 3_000, ELEMENT, REGISTRATION);
    run(&mut registrar, 6_000);
    lose(&mut registrar, 6_000, ELEMENT);
    associate(
        &mut registrar,
        6_000,
        ELEMENT,
        kernel_peer("10.1.0.4", 41_000),
    );
    asap(&mut registrar, 6_000, ELEMENT, ACK);
    assert_eq!(identifiers(&registrar), []);
    // Nor by somebody else's.
    asap(&mut registrar, 6_000, ELEMENT, REGISTRATION);
    run(&mut registrar, 9_000);
    asap(&mut registrar, 9_000, USER, ACK);
    assert_eq!(identifiers(&registrar), []);
}

/// The registration life goes on meanwhile.
#[test]
fn a_late_answer_prolongs_no_registration() {
    let mut registrar = registrar();
    // Five seconds.
    asap(
        &mut registrar,
        0,
        ELEMENT,
        &REGISTRATION.replace("00015f90", "00000005"),
    );
    run(&mut registrar, 3_000);
    asap(&mut registrar, 3_000, ELEMENT, ACK);
    let pools = registrar.snapshot().pools;
    assert_eq!(pools[0].pool_elements[0].life_left, Some(ms(2_000)));
    run(&mut registrar, 4_900);
    assert_eq!(identifiers(&registrar), [] as [u32; 0]);
    // The life has run out when this comes.
    asap(&mut registrar, 5_001, ELEMENT, ACK);
    assert_eq!(identifiers(&registrar), [] as [u32; 0]);
}

#[test]
fn the_deregistration_of_nobody_is_granted() {
    let mut registrar = registrar();
    let left = "02000018 0009000c 4563686f 506f6f6c 000e0008 44444444";
    assert_eq!(
        asap(&mut registrar, 0, ELEMENT, left),
        ["04000018 0009000c 4563686f 506f6f6c 000e0008 44444444"]
    );
}

/// Sender, receiver, checksum, server information, and nothing after it.
#[test]
fn presences_are_as_rsplib_reads_them() {
    let mut config = Config::new(RegistrarId::new(0x2222_2222).unwrap());
    config.enrp_transport.addresses = vec!["10.1.0.2".parse().unwrap()];
    let mut registrar = configured(config);
    let answers = introduce_rsplib(&mut registrar, 0);
    let presence = |flags: u8| {
        line(&format!(
            "01{flags:02x}002c 22222222 11111111 000f0006 ffff0000
             000b0018 22222222 00040010 26ad0000 00010008 0a010002"
        ))
    };
    // Flag 0x01 is "reply required" both ways.
    assert_eq!(
        answers,
        [
            presence(1),
            "0500000c 22222222 11111111".into(),
            presence(0)
        ]
    );
}

/// §3.2: rsplib asks for the list and the table at once.
#[test]
fn list_and_table_are_asked_for_back_to_back() {
    let mut registrar = registrar();
    introduce_rsplib(&mut registrar, 0);
    asap(&mut registrar, 0, ELEMENT, REGISTRATION);
    let list = enrp(&mut registrar, 1, PEER, "0500000c 11111111 22222222");
    assert_eq!(list, ["0600000c 22222222 11111111"]);
    let table = enrp(&mut registrar, 1, PEER, "0200000c 11111111 22222222");
    let expected = line(
        "03000050 22222222 11111111 0009000c 4563686f 506f6f6c
         000a0038 44444444 22222222 00015f90 00040010 86ff0001 00010008 0a010004
         00080008 00000001 00040010 a0280000 00010008 0a010004",
    );
    assert_eq!(table[..], [expected.as_str()]);
    // W is flag 0x01.
    let own = enrp(&mut registrar, 1, PEER, "0201000c 11111111 22222222");
    assert_eq!(own, [expected]);
}

#[test]
fn a_registrar_that_has_not_started_rejects_both() {
    let mut config = Config::new(RegistrarId::new(0x2222_2222).unwrap());
    config.enrp_multicast = true;
    let mut registrar = configured(config);
    introduce_rsplib(&mut registrar, 0);
    // R is flag 0x01.
    let list = enrp(&mut registrar, 1, PEER, "0500000c 11111111 22222222");
    assert_eq!(list, ["0601000c 22222222 11111111"]);
    let table = enrp(&mut registrar, 1, PEER, "0200000c 11111111 22222222");
    assert_eq!(table, ["0301000c 22222222 11111111"]);
}

const ADD: &str = "
    0400006c 11111111 22222222 00000000 0009000c 4563686f 506f6f6c 000a0050 56c3491e 11111111
    00015f90 00040024 c3500001 00010008 0a010001 00020014 20010db8 00000000 00000000 00000001
    0008000c 00000002 00000002 00040010 b26e0000 00010008 0a010001";

/// The flag is a suggestion to take the element over, which nobody has to follow.
#[test]
fn updates_are_read_also_with_the_flag_that_the_rfc_does_not_have() {
    for update in [ADD.to_owned(), ADD.replace("0400006c", "0401006c")] {
        let mut registrar = registrar();
        introduce_rsplib(&mut registrar, 0);
        assert_eq!(enrp(&mut registrar, 1, PEER, &update), [""; 0]);
        assert_eq!(homes(&registrar), [(0x56c3_491e, peer_id(0x1111_1111))]);
        assert_eq!(registrar.snapshot().counters.handle_updates_received, 1);
    }
}

/// §3.4: a former home's removal comes late, and would delete a live element.
#[test]
fn a_removal_by_a_former_home_is_not_believed() {
    let mut registrar = registrar();
    introduce_rsplib(&mut registrar, 0);
    asap(&mut registrar, 0, ELEMENT, REGISTRATION);
    let late = "
        04000054 11111111 22222222 00010000 0009000c 4563686f 506f6f6c
        000a0038 44444444 11111111 00015f90 00040010 86ff0001 00010008 0a010004
        00080008 00000001 00040010 a0280000 00010008 0a010004";
    enrp(&mut registrar, 1, PEER, late);
    assert_eq!(identifiers(&registrar), [0x4444_4444]);
    assert_eq!(registrar.snapshot().counters.handle_updates_refused, 1);
}

/// §2.7: rsplib leaves sender and receiver of what it complains about as they are, and has numbers
/// of its own.
#[test]
fn errors_come_back_with_our_own_identifier() {
    let mut registrar = registrar();
    introduce_rsplib(&mut registrar, 0);
    for cause in ["00100004", "10090004", "f0060004"] {
        let returned = format!("0a000014 22222222 11111111 000c0008 {cause}");
        assert_eq!(enrp(&mut registrar, 1, PEER, &returned), [""; 0]);
    }
    let counters = registrar.snapshot().counters;
    assert_eq!(
        (counters.enrp_errors_returned, counters.errors_received),
        (3, 3)
    );
    assert_eq!(counters.identifier_conflicts, 0);
    // From a stranger it is nothing, and no conflict either.
    let returned = "0a000014 22222222 00000000 000c0008 00100004";
    enrp(&mut registrar, 1, USER, returned);
    let counters = registrar.snapshot().counters;
    assert_eq!(
        (counters.errors_received, counters.identifier_conflicts),
        (3, 0)
    );
    assert_eq!(counters.enrp_unexpected, 1);
}

/// §3.3: rsplib takes over and tells nobody. Whoever has acknowledged asks it what it owns before
/// taking anything over itself.
#[test]
fn a_taker_that_tells_nothing_is_asked_what_it_owns() {
    const TARGET: u32 = 1;
    const TAKER: u32 = 2;
    let mut registrar = registrar_with_peers(&[], &[TARGET, TAKER]);
    let element = owned_by(TARGET, element_on(101, 11), 101);
    hear(&mut registrar, 0, TARGET, addition(TARGET, &element));
    lose(&mut registrar, 100, of_peer(TARGET));
    let init = InitTakeover {
        sender: peer_id(TAKER),
        receiver: Some(registrar_id()),
        target: peer_id(TARGET),
    };
    hear(&mut registrar, 100, TAKER, init);
    // It has its answer within moments, and all others have theirs; then nothing comes.
    let mut asked = None;
    for time in 101..3_000 {
        if time % 500 == 0 {
            hear(
                &mut registrar,
                time,
                TAKER,
                presence(TAKER, PeChecksum(0xffff)),
            );
        }
        let outputs = run(&mut registrar, time);
        for (_, output) in outputs {
            assert!(
                !matches!(
                    &output,
                    Output::SendEnrp {
                        message: Message::InitTakeover(_),
                        ..
                    }
                ),
                "it has been taken over already"
            );
            if output == asks_for_own(TAKER) {
                asked = Some(time);
                let taken = owned_by(TAKER, element_on(101, 11), 101);
                hear(&mut registrar, time, TAKER, table(TAKER, &[taken], false));
            }
        }
    }
    assert!(
        asked.is_some_and(|time| (1_100..1_700).contains(&time)),
        "{asked:?}"
    );
    assert_eq!(homes(&registrar), [(11, peer_id(TAKER))]);
}

/// §2.6: a peer that is rsplib's and owns very many tells another checksum. It is no mismatch.
#[test]
fn rsplibs_checksum_of_very_many_is_accepted() {
    let mut registrar = registrar();
    introduce_rsplib(&mut registrar, 0);
    let handle = PoolHandle::from("EchoPoolzzzz");
    for id in 0..30_000 {
        let element = PoolElement {
            policy: Policy::RoundRobin,
            ..owned_by(0x1111_1111, element_on(101, id), 101)
        };
        let addition = rserpool_wire::enrp::HandleUpdate {
            pool_handle: handle.clone(),
            pool_element: EncodedPoolElement::from(&element),
            ..addition(0x1111_1111, &element)
        };
        let input = rserpool_core::registrar::Input::EnrpReceived {
            from: association(PEER),
            message: Ok(rserpool_wire::Decoded {
                message: addition.into(),
                unrecognized: Vec::new(),
            }),
        };
        registrar.handle_input(at(1), input);
        drain(&mut registrar);
    }
    let ours = registrar.snapshot().peers[0].checksum.0;
    // One carry was lost, which is 0x0100 as it is sent.
    let rsplibs = ours + 0x0100;
    for (told, matches) in [(ours, true), (rsplibs, true), (ours + 1, false)] {
        let presence = format!(
            "0100002c 11111111 22222222 000f0006 {told:04x}0000
             000b0018 11111111 00040010 26ad0000 00010008 0a010001"
        );
        let asked = enrp(&mut registrar, 2, PEER, &presence);
        assert_eq!(
            asked.is_empty(),
            matches,
            "{told:04x} beside {ours:04x}: {asked:?}"
        );
    }
    let counters = registrar.snapshot().counters;
    assert_eq!(
        (counters.checksums_of_rsplib, counters.checksum_mismatches),
        (1, 1)
    );
}
