//! A registrar and pool elements on loopback: real sockets, ports that the system chooses.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use rserpool_core::{RegistrarAddress, Timers, Transport, registrar};
use rserpool_net::{
    Multicast, PoolElementConfig, PoolElementNode, Port, RegistrarConfig, RegistrarNode,
};
use rserpool_wire::RegistrarId;
use rserpool_wire::parameter::Policy;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

fn registrar_config() -> RegistrarConfig {
    RegistrarConfig {
        machine: registrar::Config::new(RegistrarId::new(7).unwrap()),
        addresses: vec![Ipv4Addr::LOCALHOST.into()],
        sctp_port: 3863,
        udp_port: Port::Any,
        tcp_port: Some(Port::Any),
        multicast: Multicast::off(),
        sctp_timers: rserpool_sctp::Timers::lan(),
        seed: None,
    }
}

fn address(registrar: &RegistrarNode) -> RegistrarAddress {
    RegistrarAddress {
        udp_port: Some(registrar.endpoints().udp_port),
        ..RegistrarAddress::new(Transport::Sctp, Ipv4Addr::LOCALHOST.into())
    }
}

fn element_config(registrar: &RegistrarNode) -> PoolElementConfig {
    PoolElementConfig {
        pool_handle: "echo".into(),
        id: None,
        policy: Policy::RoundRobin,
        registration_life: Some(Duration::from_secs(60)),
        registrars: vec![address(registrar)],
        addresses: vec![Ipv4Addr::LOCALHOST.into()],
        sctp_port: None,
        udp_port: Port::Any,
        multicast: Multicast::off(),
        timers: Timers::default(),
        sctp_timers: rserpool_sctp::Timers::lan(),
        register_timeout: Duration::from_secs(10),
        seed: None,
    }
}

async fn element_count(registrar: &RegistrarNode) -> usize {
    let snapshot = registrar.snapshot().await.unwrap();
    snapshot
        .pools
        .iter()
        .map(|pool| pool.pool_elements.len())
        .sum()
}

/// Waits for a condition that the registrar's events bring about; how long that took.
async fn until_count(registrar: &RegistrarNode, count: usize) -> Duration {
    let start = Instant::now();
    let mut events = registrar.events();
    while element_count(registrar).await != count {
        let event = tokio::time::timeout(Duration::from_secs(10), events.recv()).await;
        event
            .expect("nothing happens")
            .expect("the registrar has ended");
    }
    start.elapsed()
}

#[tokio::test]
async fn an_element_registers_and_deregisters() {
    let registrar = RegistrarNode::start(registrar_config()).await.unwrap();
    let start = Instant::now();
    let element = PoolElementNode::register(element_config(&registrar))
        .await
        .unwrap();
    println!("registered after {:?}", start.elapsed());
    assert_eq!(element_count(&registrar).await, 1);
    let start = Instant::now();
    element.deregister().await;
    println!("deregistered after {:?}", start.elapsed());
    assert_eq!(element_count(&registrar).await, 0);
    registrar.shutdown().await;
}

#[tokio::test]
async fn dropping_an_element_deregisters_it() {
    let registrar = RegistrarNode::start(registrar_config()).await.unwrap();
    let element = PoolElementNode::register(element_config(&registrar))
        .await
        .unwrap();
    drop(element);
    println!("gone after {:?}", until_count(&registrar, 0).await);
    drop(registrar);
}
