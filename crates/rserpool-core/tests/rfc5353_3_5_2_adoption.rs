//! Taking over the pool elements of a dead peer (RFC 5353 §3.5.2, step 2).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/peers.rs"]
mod peers;
mod support;

use peers::*;
use rserpool_core::registrar::{Config, Destination, Input, Output, Remote, RemovalReason};
use rserpool_core::{ENRP_PORT, Machine, Registrar};
use rserpool_wire::PoolElementId;
use rserpool_wire::asap::{EndpointKeepAlive, Message};
use rserpool_wire::parameter::{
    EncapsulationPorts, SctpTransport, ServerInformation, TransportUse,
};
use support::*;

const B: u32 = 11;

/// B, the only peer, has died; so many pool elements of its own, each on a host of its own, have
/// had the time to come by themselves. What is done next.
fn taken_over(pool_elements: u8, at_once: usize) -> (Registrar, Vec<Output>) {
    let mut config = Config::new(registrar_id());
    config.limits.adoptions_at_once_max = at_once;
    let mut registrar = registrar_with_peers_configured(config, &[], &[B]);
    for number in 1..=pool_elements {
        let element = owned_by(B, element_on(number, u32::from(number)), number);
        hear(&mut registrar, 1, B, addition(B, &element));
    }
    // Where it is: at the other end of its association.
    let ids: Vec<u32> = (1..=pool_elements).map(u32::from).collect();
    let mut told = presence(B, checksum_of(&ids));
    told.server_information = Some(ServerInformation {
        registrar: peer_id(B),
        transport: SctpTransport {
            port: ENRP_PORT,
            transport_use: TransportUse::DATA_ONLY,
            addresses: Vec::new(),
        },
        encapsulation_ports: EncapsulationPorts::default(),
    });
    hear(&mut registrar, 2, B, told);
    let lost = lose(&mut registrar, 100, of_peer(B));
    let to = connects(&lost).pop().unwrap();
    registrar.handle_input(at(100), Input::ConnectFailed { to });
    drain(&mut registrar);
    assert!(
        homes(&registrar)
            .iter()
            .all(|(_, home)| *home == registrar_id())
    );
    let outputs = run(&mut registrar, 600);
    (
        registrar,
        outputs.into_iter().map(|(_, output)| output).collect(),
    )
}

/// To pool elements: the address of the dead peer is tried now and then, too.
fn to_elements(outputs: &[Output]) -> Vec<Remote> {
    let mut all = connects(outputs);
    all.retain(|to| matches!(to, Remote::PoolElement(_)));
    all
}

fn connects(outputs: &[Output]) -> Vec<Remote> {
    let connect = |output: &Output| match output {
        Output::Connect { to } => Some(to.clone()),
        Output::StopConnecting { .. }
        | Output::Send { .. }
        | Output::SendEnrp { .. }
        | Output::Close { .. }
        | Output::Event(_) => None,
    };
    outputs.iter().filter_map(connect).collect()
}

fn connected(registrar: &mut Registrar, number: u64) -> Vec<Output> {
    let connected = Input::Connected {
        association: association(number),
        to: Remote::PoolElement(peer(1)),
        peer: peer(1),
    };
    registrar.handle_input(at(601), connected);
    without_events(drain(registrar))
}

#[test]
fn step_2_each_pool_element_gets_a_keep_alive_with_the_h_flag() {
    let (mut registrar, outputs) = taken_over(1, 64);
    assert_eq!(to_elements(&outputs), [Remote::PoolElement(peer(1))]);
    let asks = EndpointKeepAlive {
        registrar: registrar_id(),
        home: true,
        pool_handle: echo(),
        pool_element: Some(PoolElementId(1)),
    };
    let expected = Output::Send {
        to: Destination::Association(association(7)),
        message: Message::EndpointKeepAlive(asks),
    };
    assert_eq!(connected(&mut registrar, 7), [expected]);
    say(&mut registrar, 602, 7, keep_alive_ack(1));
    assert_eq!(homes(&registrar), [(1, registrar_id())]);
    let snapshot = registrar.snapshot();
    let of = &snapshot.pools[0].pool_elements[0];
    assert_eq!(of.association, Some(association(7)));
}

#[test]
fn one_that_does_not_take_this_registrar_as_its_home_is_removed() {
    let (mut registrar, outputs) = taken_over(1, 64);
    assert_eq!(to_elements(&outputs), [Remote::PoolElement(peer(1))]);
    connected(&mut registrar, 7);
    // One and a half intervals and a timeout.
    let outputs = run(&mut registrar, 601 + 2_250);
    let gone = removed(1, RemovalReason::NotAdopted, true);
    assert!(outputs.contains(&(at(601 + 2_250), gone)), "{outputs:?}");
}

#[test]
fn no_more_are_connected_to_at_once_than_the_limit() {
    let (mut registrar, outputs) = taken_over(5, 2);
    let mut pending = to_elements(&outputs);
    assert_eq!(pending.len(), 2);
    let mut asked = 2;
    while let Some(to) = pending.pop() {
        registrar.handle_input(at(601), Input::ConnectFailed { to });
        let next = to_elements(&drain(&mut registrar));
        asked += next.len();
        pending.extend(next);
        assert!(pending.len() <= 2, "{pending:?}");
    }
    assert_eq!(asked, 5);
    assert_eq!(homes(&registrar), []);
}
