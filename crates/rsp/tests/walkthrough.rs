//! docs/walkthrough.md, walked: its octets in, its octets out.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

use rserpool_core::registrar::{Config, Destination, Input, Output};
use rserpool_core::{AssociationId, Machine, PeerAddress, Registrar, Timestamp, Transport};
use rserpool_wire::RegistrarId;
use rserpool_wire::asap::Message;
use std::time::Duration;

#[test]
fn the_walkthrough_is_what_happens() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/walkthrough.md");
    let page = std::fs::read_to_string(path).unwrap();
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
