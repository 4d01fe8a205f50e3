//! Peers of the registrar under test: other registrars, each on a host of its own.

#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(unreachable_pub, reason = "a module of several test crates")]

use super::support::*;
use rserpool_core::registrar::{self, Destination, Output};
use rserpool_core::{ENRP_PORT, Machine, PeerAddress, Registrar, Transport};
use rserpool_wire::enrp::{
    self, HandleTable, HandleTableRequest, HandleTableResponse, HandleUpdate, PoolEntry, Presence,
    Rejected, UpdateAction,
};
use rserpool_wire::parameter::{EncodedPoolElement, PeChecksum, PoolElement};
use rserpool_wire::{Decoded, RegistrarId};

/// The peer with this number. The registrar under test has the number 0x0a0b0c0d.
pub fn peer_id(number: u32) -> RegistrarId {
    RegistrarId::new(number).unwrap()
}

/// The association with the peer of this number.
pub fn of_peer(number: u32) -> u64 {
    1_000 + u64::from(number % 50)
}

/// A registrar without any configured peer, with an association with each of these hosts, that
/// has heard these peers.
pub fn registrar_with_peers(hosts: &[u8], peers: &[u32]) -> Registrar {
    let config = registrar::Config::new(registrar_id());
    registrar_with_peers_configured(config, hosts, peers)
}

pub fn registrar_with_peers_configured(
    config: registrar::Config,
    hosts: &[u8],
    peers: &[u32],
) -> Registrar {
    let mut registrar = registrar_configured(config, hosts);
    for number in peers {
        introduce(&mut registrar, 0, *number);
    }
    registrar
}

/// A peer connects and shows its presence; it owns nothing.
pub fn introduce(registrar: &mut Registrar, time: u64, number: u32) {
    let last = u8::try_from(200 + number % 50).unwrap();
    let address = PeerAddress {
        transport: Transport::Sctp,
        addresses: vec![host(last)],
        port: ENRP_PORT,
        udp_port: None,
    };
    associate(registrar, time, of_peer(number), address);
    hear(
        registrar,
        time,
        number,
        presence(number, PeChecksum(0xffff)),
    );
}

/// What a registrar does when a peer says something.
pub fn hear(
    registrar: &mut Registrar,
    time: u64,
    peer: u32,
    message: impl Into<enrp::Message>,
) -> Vec<Output> {
    let input = registrar::Input::EnrpReceived {
        from: association(of_peer(peer)),
        message: Ok(Decoded {
            message: message.into(),
            unrecognized: Vec::new(),
        }),
    };
    registrar.handle_input(at(time), input);
    drain(registrar)
}

/// An ENRP message to a peer.
pub fn tell(peer: u32, message: impl Into<enrp::Message>) -> Output {
    Output::SendEnrp {
        to: Destination::Association(association(of_peer(peer))),
        message: message.into(),
    }
}

pub fn event(event: registrar::Event) -> Output {
    Output::Event(event)
}

/// A heartbeat of this peer.
pub fn presence(sender: u32, checksum: PeChecksum) -> Presence {
    Presence {
        sender: peer_id(sender),
        receiver: None,
        reply_required: false,
        checksum: Some(checksum),
        server_information: None,
    }
}

/// The pool element of `element_on` as its home, this peer, has recorded it.
pub fn owned_by(peer: u32, mut element: PoolElement, number: u8) -> PoolElement {
    element = recorded(element, number);
    element.home_registrar = Some(peer_id(peer));
    element
}

/// ADD_PE of this peer.
pub fn addition(peer: u32, element: &PoolElement) -> HandleUpdate {
    update(peer_id(peer), UpdateAction::Add, element)
}

/// DEL_PE of this peer.
pub fn deletion(peer: u32, element: &PoolElement) -> HandleUpdate {
    update(peer_id(peer), UpdateAction::Delete, element)
}

pub fn update(sender: RegistrarId, action: UpdateAction, element: &PoolElement) -> HandleUpdate {
    HandleUpdate {
        sender,
        receiver: None,
        action,
        pool_handle: echo(),
        pool_element: EncodedPoolElement::from(element),
    }
}

/// What this peer asks: all, or what the registrar under test owns.
pub fn table_request(peer: u32, own_children_only: bool) -> HandleTableRequest {
    HandleTableRequest {
        sender: peer_id(peer),
        receiver: Some(registrar_id()),
        own_children_only,
    }
}

/// What the registrar under test asks this peer: what it owns.
pub fn asks_for_own(peer: u32) -> Output {
    let request = HandleTableRequest {
        sender: registrar_id(),
        receiver: Some(peer_id(peer)),
        own_children_only: true,
    };
    tell(peer, request)
}

/// A part of the handle table of this peer, all of the pool `echo`.
pub fn table(peer: u32, elements: &[PoolElement], more_to_send: bool) -> HandleTableResponse {
    table_response(peer, Ok(part(elements, more_to_send)))
}

pub fn table_rejected(peer: u32) -> HandleTableResponse {
    table_response(peer, Err(Rejected))
}

fn table_response(peer: u32, result: Result<HandleTable, Rejected>) -> HandleTableResponse {
    HandleTableResponse {
        sender: peer_id(peer),
        receiver: Some(registrar_id()),
        result,
    }
}

/// What the registrar under test answers this peer.
pub fn tells_table(peer: u32, elements: &[PoolElement], more_to_send: bool) -> Output {
    tells_result(peer, Ok(part(elements, more_to_send)))
}

pub fn rejects_table(peer: u32) -> Output {
    tells_result(peer, Err(Rejected))
}

fn tells_result(peer: u32, result: Result<HandleTable, Rejected>) -> Output {
    let response = HandleTableResponse {
        sender: registrar_id(),
        receiver: Some(peer_id(peer)),
        result,
    };
    tell(peer, response)
}

fn part(elements: &[PoolElement], more_to_send: bool) -> HandleTable {
    let entry = PoolEntry {
        pool_handle: echo(),
        pool_elements: elements.iter().map(EncodedPoolElement::from).collect(),
    };
    HandleTable {
        more_to_send,
        pool_entries: Vec::from_iter((!elements.is_empty()).then_some(entry)),
    }
}

/// The checksum of a registrar that owns exactly these pool elements of the pool `echo`.
pub fn checksum_of(ids: &[u32]) -> PeChecksum {
    let mut sum = 0_u64;
    for id in ids {
        sum += 0x6563 + 0x686f + u64::from(id >> 16) + u64::from(id & 0xffff);
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    PeChecksum(!u16::try_from(sum).unwrap())
}

/// All pool elements and their homes.
pub fn homes(registrar: &Registrar) -> Vec<(u32, RegistrarId)> {
    let pools = registrar.snapshot().pools.into_iter();
    pools
        .flat_map(|pool| pool.pool_elements)
        .map(|element| (element.id.0, element.home.unwrap()))
        .collect()
}
