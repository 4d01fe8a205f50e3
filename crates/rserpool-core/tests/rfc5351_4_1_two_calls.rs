//! RFC 5351 §4.1: GETPRIMARYSERVER and GETNEXTSERVER, what is remembered between them.

use rserpool_core::Timestamp;
use rserpool_core::two_call::{TRIED_FOR, TRIED_MAX, TriedServers};
use rserpool_wire::parameter::{
    EncapsulationPorts, EncodedPoolElement, Policy, PoolElement, TcpTransport, UserTransport,
};
use rserpool_wire::{PoolElementId, RegistrationLife};
use std::time::Duration;

fn server(id: u32) -> EncodedPoolElement {
    let element = PoolElement {
        id: PoolElementId(id),
        home_registrar: None,
        registration_life: RegistrationLife::Infinite,
        user_transport: UserTransport::Tcp(TcpTransport {
            port: 80,
            address: [127, 0, 0, 1].into(),
        }),
        policy: Policy::RoundRobin,
        asap_transport: None,
        encapsulation_ports: EncapsulationPorts::default(),
    };
    (&element).into()
}

const START: Timestamp = Timestamp::ZERO;

fn at(since_start: Duration) -> Timestamp {
    START + since_start
}

fn first(tried: &TriedServers, now: Timestamp, servers: &[EncodedPoolElement]) -> Option<u32> {
    tried
        .first_untried(now, servers)
        .map(|server| server.id().0)
}

#[test]
fn the_next_server_is_the_first_that_has_not_failed_in_the_order_of_the_policy() {
    let servers = [server(3), server(1), server(2)];
    let mut tried = TriedServers::default();
    assert_eq!(first(&tried, START, &servers), Some(3));
    tried.add(START, PoolElementId(3));
    assert_eq!(first(&tried, START, &servers), Some(1));
    tried.add(START, PoolElementId(2));
    assert_eq!(first(&tried, START, &servers), Some(1));
    tried.add(START, PoolElementId(1));
    assert_eq!(first(&tried, START, &servers), None, "all have been tried");
    assert_eq!(first(&tried, START, &[]), None);
}

#[test]
fn a_server_that_failed_long_ago_is_tried_again() {
    let servers = [server(1)];
    let mut tried = TriedServers::default();
    tried.add(START, PoolElementId(1));
    let almost = TRIED_FOR - Duration::from_nanos(1);
    assert_eq!(first(&tried, at(almost), &servers), None);
    assert_eq!(first(&tried, at(TRIED_FOR), &servers), Some(1));
    // It fails again: from then on.
    tried.add(at(TRIED_FOR), PoolElementId(1));
    assert_eq!(tried.len(), 1);
    assert_eq!(first(&tried, at(TRIED_FOR + almost), &servers), None);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut tried = TriedServers::default();
    assert!(tried.is_empty());
    for id in 0..10_000 {
        tried.add(START, PoolElementId(id));
    }
    assert_eq!(tried.len(), TRIED_MAX);
    assert!(!tried.contains(START, PoolElementId(0)));
    assert!(tried.contains(START, PoolElementId(9_999)));
}
