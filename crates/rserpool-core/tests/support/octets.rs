//! Messages as octets: what rsplib sends, and what it must get.

#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(unreachable_pub, reason = "a module of several test crates")]

use super::support::*;
use rserpool_core::registrar::{Destination, Input, Output};
use rserpool_core::{AssociationId, Machine, PeerAddress, Registrar, Transport};
use rserpool_wire::{asap, enrp};
use std::net::IpAddr;

/// Digits in groups of four octets.
pub fn octets(digits: &str) -> Vec<u8> {
    let digits: String = digits.split_whitespace().collect();
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The same, back.
pub fn digits(octets: &[u8]) -> String {
    let words: Vec<String> = octets
        .chunks(4)
        .map(|word| word.iter().map(|octet| format!("{octet:02x}")).collect())
        .collect();
    words.join(" ")
}

/// Somebody on this host, as over kernel SCTP.
pub fn kernel_peer(address: &str, port: u16) -> PeerAddress {
    let address: IpAddr = address.parse().unwrap();
    PeerAddress {
        transport: Transport::Sctp,
        addresses: vec![address],
        port,
        udp_port: None,
    }
}

/// ASAP octets arrive; what is sent then, also as octets.
pub fn asap(registrar: &mut Registrar, time: u64, from: u64, message: &str) -> Vec<String> {
    let input = Input::Received {
        from: AssociationId(from),
        message: asap::Message::decode(&octets(message)),
    };
    registrar.handle_input(at(time), input);
    sent(drain(registrar), from)
}

/// ENRP octets arrive; what is sent to the same one then, also as octets.
pub fn enrp(registrar: &mut Registrar, time: u64, from: u64, message: &str) -> Vec<String> {
    let input = Input::EnrpReceived {
        from: AssociationId(from),
        message: enrp::Message::decode(&octets(message)),
    };
    registrar.handle_input(at(time), input);
    sent(drain(registrar), from)
}

/// What was sent over an association.
pub fn sent(outputs: Vec<Output>, over: u64) -> Vec<String> {
    let over = Destination::Association(AssociationId(over));
    let message = |output| match output {
        Output::Send { to, message } if to == over => Some(digits(&message.encode())),
        Output::SendEnrp { to, message } if to == over => Some(digits(&message.encode())),
        Output::Send { .. }
        | Output::SendEnrp { .. }
        | Output::Connect { .. }
        | Output::StopConnecting { .. }
        | Output::Close { .. }
        | Output::Event(_) => None,
    };
    outputs.into_iter().filter_map(message).collect()
}

/// One line of digits, however it was broken.
pub fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
