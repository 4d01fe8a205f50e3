//! docs/walkthrough.md, walked: its octets in, its octets out.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

use rserpool_core::registrar::{Config, Destination, Input, Output, Remote};
use rserpool_core::{AssociationId, Machine, PeerAddress, Registrar, Timestamp, Transport};
use rserpool_wire::RegistrarId;
use rserpool_wire::asap::Message;
use rserpool_wire::enrp::{self, Presence};
use rserpool_wire::parameter::{
    EncapsulationPorts, PeChecksum, SctpTransport, ServerInformation, TransportUse,
};
use std::num::NonZeroU16;
use std::time::Duration;

#[test]
fn the_walkthrough_is_what_happens() {
    let page = page();
    let incoming = blocks(&page, "in");
    let outgoing = blocks(&page, "out");
    assert_eq!(
        (incoming.len(), outgoing.len()),
        (2, 2),
        "two messages in, two out"
    );

    let mut registrar = registrar();
    for (number, (octets, expected)) in incoming.iter().zip(&outgoing).enumerate() {
        let from = AssociationId(number as u64);
        let sent = answers(&mut registrar, from, octets);
        let shown: Vec<String> = sent.iter().map(|octets| words(octets)).collect();
        assert_eq!(
            sent,
            std::slice::from_ref(expected),
            "sent:\n{}",
            shown.join("\n\n")
        );
    }
}

#[test]
fn the_three_registrars_of_the_walkthrough_do_as_it_says() {
    let page = page();
    let [update, learnt, init, acknowledged, taken, keep_alive] =
        <[Vec<u8>; 6]>::try_from(blocks(&page, "peers")).unwrap();
    let mut registrar = registrar();
    for (number, id) in [(2, 0x2222_2222), (3, 0x3333_3333)] {
        introduce(&mut registrar, number, id);
    }
    sent(&mut registrar);

    // The registration of step 1 is told to both.
    let registration = Message::decode(&blocks(&page, "in")[0]);
    let from = AssociationId(0);
    registrar.handle_input(
        NOW,
        Input::Received {
            from,
            message: registration,
        },
    );
    let told = sent(&mut registrar);
    let to_peers: Vec<_> = told.iter().filter(|(to, _)| to.0 >= 2).collect();
    assert_eq!(to_peers.len(), 2, "{told:?}");
    assert_octets(&to_peers[0].1, &update);

    // A peer tells of its element, and is gone.
    hear(&mut registrar, 3, &learnt);
    sent(&mut registrar);
    let association = AssociationId(3);
    registrar.handle_input(NOW, Input::AssociationLost { association });
    while let Some(output) = registrar.poll_output() {
        if let Output::Connect { to } = output {
            registrar.handle_input(NOW, Input::ConnectFailed { to });
        } else if let Output::SendEnrp { message, .. } = output {
            assert_octets(&message.encode(), &init);
        }
    }
    hear(&mut registrar, 2, &acknowledged);
    // Until then the element may come by itself.
    let wait = rserpool_core::Timers::default().max_time_no_response;
    while let Some(output) = registrar.poll_output() {
        if let Output::SendEnrp { message, .. } = output {
            assert_octets(&message.encode(), &taken);
        }
    }
    registrar.handle_timeout(NOW + wait);
    let mut adopted = None;
    while let Some(output) = registrar.poll_output() {
        if let Output::Connect {
            to: Remote::PoolElement(peer),
        } = output
        {
            adopted = Some(peer);
        }
    }
    let peer = adopted.expect("it connects to the element that it takes over");
    let to = Remote::PoolElement(peer.clone());
    let association = AssociationId(4);
    registrar.handle_input(
        NOW,
        Input::Connected {
            association,
            to,
            peer,
        },
    );
    let said = sent(&mut registrar);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_octets(&said[0].1, &keep_alive);
}

const NOW: Timestamp = Timestamp(Duration::from_millis(1));

/// A peer connects, and shows its presence.
fn introduce(registrar: &mut Registrar, number: u64, id: u32) {
    let association = AssociationId(number);
    let peer = PeerAddress {
        transport: Transport::Sctp,
        addresses: vec!["127.0.0.1".parse().unwrap()],
        port: 9901,
        udp_port: Some(u16::try_from(40_000 + number).unwrap()),
    };
    let sender = RegistrarId::new(id).unwrap();
    let presence = Presence {
        sender,
        receiver: None,
        reply_required: false,
        checksum: Some(PeChecksum(0xffff)),
        server_information: Some(ServerInformation {
            registrar: sender,
            transport: SctpTransport {
                port: peer.port,
                transport_use: TransportUse::DATA_ONLY,
                addresses: peer.addresses.clone(),
            },
            encapsulation_ports: EncapsulationPorts {
                user: peer.udp_port.and_then(NonZeroU16::new),
                asap: None,
            },
        }),
    };
    registrar.handle_input(NOW, Input::AssociationUp { association, peer });
    hear(registrar, number, &enrp::Message::from(presence).encode());
}

fn hear(registrar: &mut Registrar, number: u64, octets: &[u8]) {
    let message = enrp::Message::decode(octets);
    assert!(message.is_ok(), "{message:?}");
    let from = AssociationId(number);
    registrar.handle_input(NOW, Input::EnrpReceived { from, message });
}

/// What is sent, to whom, as octets.
fn sent(registrar: &mut Registrar) -> Vec<(AssociationId, Vec<u8>)> {
    let mut sent = Vec::new();
    while let Some(output) = registrar.poll_output() {
        let (to, octets) = match output {
            Output::Send { to, message } => (to, message.encode()),
            Output::SendEnrp { to, message } => (to, message.encode()),
            Output::Connect { .. }
            | Output::StopConnecting { .. }
            | Output::Close { .. }
            | Output::Event(_) => continue,
        };
        if let Destination::Association(to) = to {
            sent.push((to, octets));
        }
    }
    sent
}

fn assert_octets(octets: &[u8], expected: &[u8]) {
    assert_eq!(octets, expected, "sent:\n{}", words(octets));
}

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/walkthrough.md");
    std::fs::read_to_string(path).unwrap()
}

/// A registrar with two associations up: a pool element's and a pool user's.
fn registrar() -> Registrar {
    let config = Config::new(RegistrarId::new(0x1111_1111).unwrap());
    let mut registrar = Registrar::new(config, 1, Timestamp::ZERO);
    for number in 0..2 {
        let peer = PeerAddress {
            transport: Transport::Sctp,
            addresses: vec!["127.0.0.1".parse().unwrap()],
            port: 5001,
            udp_port: Some(40_000),
        };
        let input = Input::AssociationUp {
            association: AssociationId(number),
            peer,
        };
        registrar.handle_input(Timestamp::ZERO, input);
    }
    registrar
}

/// What the registrar sends back, as octets.
fn answers(registrar: &mut Registrar, from: AssociationId, octets: &[u8]) -> Vec<Vec<u8>> {
    let now = Timestamp(Duration::from_millis(1));
    let message = Message::decode(octets);
    assert!(message.is_ok(), "{message:?}");
    registrar.handle_input(now, Input::Received { from, message });
    let mut sent = Vec::new();
    while let Some(output) = registrar.poll_output() {
        if let Output::Send { to, message } = output {
            assert_eq!(to, Destination::Association(from));
            sent.push(message.encode());
        }
    }
    sent
}

/// The octets of the page's code blocks with this mark.
fn blocks(page: &str, mark: &str) -> Vec<Vec<u8>> {
    let fence = format!("```hex {mark}\n");
    let parts = page.split(&fence).skip(1);
    parts
        .map(|part| octets(part.split("```").next().unwrap()))
        .collect()
}

fn octets(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(char::is_ascii_hexdigit)
        .map(digit)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn digit(c: char) -> u8 {
    u8::try_from(c.to_digit(16).unwrap()).unwrap()
}

fn words(octets: &[u8]) -> String {
    let words = octets
        .chunks(4)
        .map(|word| word.iter().map(|o| format!("{o:02x}")).collect());
    words.collect::<Vec<String>>().join(" ")
}
