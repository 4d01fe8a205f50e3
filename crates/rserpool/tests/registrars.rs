//! Several registrars that share one set of pools (RFC 5353): they find each other, one dies, one
//! comes back.
//!
//! Registrars that are to die run in processes of their own: this test binary, asked for one of
//! its ignored tests.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::process::Process;
use common::{
    ask, element, element_count, loopback, registrar, sctp, serve_echo, soon, until_peers, user,
};
use rserpool::{
    Multicast, PeerStatus, PoolElementSnapshot, Registrar, RegistrarAddress, RegistrarId, Timers,
};
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

const PEER: &str = "RSERPOOL_TEST_PEER";
const PORT: &str = "RSERPOOL_TEST_PORT";

/// Every pool element that a registrar knows.
async fn elements(registrar: &Registrar) -> Vec<PoolElementSnapshot> {
    let snapshot = registrar.snapshot().await.expect("the registrar runs");
    let pools = snapshot.pools.into_iter();
    pools.flat_map(|pool| pool.pool_elements).collect()
}

/// Waits until a registrar knows so many pool elements of this home registrar, and no others.
async fn until_owned(registrar: &Registrar, count: usize, home: RegistrarId) -> Duration {
    let start = Instant::now();
    soon("pool elements and their home", async {
        loop {
            let elements = elements(registrar).await;
            let at_home = elements.iter().filter(|one| one.home == Some(home));
            if elements.len() == count && at_home.count() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    start.elapsed()
}

fn peer(registrar: &Registrar) -> RegistrarAddress {
    registrar.endpoints().as_peer()
}

#[tokio::test]
#[ignore = "a process of the other tests"]
async fn registrar_process() {
    let (Ok(port), Ok(at)) = (std::env::var(PORT), std::env::var(PEER)) else {
        return;
    };
    let mut builder = registrar().udp_port(port.parse().unwrap());
    if !at.is_empty() {
        builder = builder.peer(RegistrarAddress::parse_peer(&at).unwrap());
    }
    let started = Instant::now();
    let registrar = loop {
        // The port may still be that of the process that is being killed.
        match builder.clone().start().await {
            Ok(registrar) => break registrar,
            Err(error) => assert!(started.elapsed() < common::PATIENCE, "{error}"),
        }
    };
    println!("serving {}", sctp(&registrar));
    println!("is {}", registrar.id().get());
    std::future::pending::<()>().await;
}

/// A registrar in a process of its own, how clients reach it, and its identifier.
async fn registrar_in_process(
    port: u16,
    at: &RegistrarAddress,
) -> (Process, RegistrarAddress, RegistrarId) {
    let (port, at) = (port.to_string(), at.to_string());
    let mut process = Process::start("registrar_process", &[(PORT, &port), (PEER, &at)]);
    let reached_at = process.line("serving ").await.parse().unwrap();
    let id = process.line("is ").await.parse().unwrap();
    (process, reached_at, RegistrarId::new(id).unwrap())
}

#[tokio::test]
async fn what_is_registered_at_one_is_known_at_all() {
    let first = registrar().start().await.unwrap();
    let second = registrar().peer(peer(&first)).start().await.unwrap();
    // It knows one of them, and learns of the other.
    let third = registrar().peer(peer(&second)).start().await.unwrap();
    for one in [&first, &second, &third] {
        until_peers(one, 2).await;
    }
    let pool_element = element(&sctp(&third)).register().await.unwrap();
    let id = pool_element.id();
    serve_echo(pool_element);
    for one in [&first, &second, &third] {
        until_owned(one, 1, third.id()).await;
        assert_eq!(elements(one).await[0].id, id);
    }
    let user = user(&sctp(&first)).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    ask(&mut session, "found by the first").await;
}

#[tokio::test]
async fn two_that_start_together_share_everything() {
    // Each needs the port of the other before it has started.
    let ports = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let ports = ports.map(|socket| socket.local_addr().unwrap().port());
    let at = ports
        .map(|port| RegistrarAddress::parse_peer(&format!("127.0.0.1:9901/udp={port}")).unwrap());
    let [a, b] = at;
    let first = registrar().udp_port(ports[0]).peer(b).start();
    let second = registrar().udp_port(ports[1]).peer(a).start();
    let (first, second) = tokio::try_join!(first, second).unwrap();
    until_peers(&first, 1).await;
    until_peers(&second, 1).await;
    let _element = element(&sctp(&first)).register().await.unwrap();
    until_owned(&second, 1, first.id()).await;
}

#[tokio::test]
async fn who_starts_later_downloads_what_there_is() {
    let first = registrar().start().await.unwrap();
    let mut pool_elements = Vec::new();
    for _ in 0..20 {
        pool_elements.push(element(&sctp(&first)).register().await.unwrap());
    }
    let second = registrar().peer(peer(&first)).start().await.unwrap();
    let after = until_owned(&second, 20, first.id()).await;
    println!("downloaded after {after:?}");
    let left = pool_elements.pop().unwrap();
    left.deregister().await;
    until_owned(&second, 19, first.id()).await;
}

#[tokio::test]
async fn the_pool_elements_of_one_that_is_killed_are_taken_over() {
    let survivor = registrar().start().await.unwrap();
    let (mut process, at, id) = registrar_in_process(0, &peer(&survivor)).await;
    until_peers(&survivor, 1).await;
    // They know no other registrar.
    let mut pool_elements = Vec::new();
    for _ in 0..8 {
        pool_elements.push(element(&at).register().await.unwrap());
    }
    until_owned(&survivor, 8, id).await;
    process.kill();
    let after = until_owned(&survivor, 8, survivor.id()).await;
    println!("killed; taken over after {after:?}");
    assert!(after < Duration::from_secs(5), "{after:?}");
    let start = Instant::now();
    soon("new homes", async {
        let home = sctp(&survivor);
        let is_home = |one: &rserpool::PoolElement| {
            one.home_registrar()
                .is_some_and(|at| at.udp_port == home.udp_port)
        };
        while !pool_elements.iter().all(is_home) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    println!("all have registered after {:?} more", start.elapsed());
    // Long enough for those that could not be reached to be removed.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(element_count(&survivor).await, 8);
}

#[tokio::test]
async fn one_that_restarts_at_its_port_is_back_at_once() {
    let survivor = registrar().start().await.unwrap();
    let (mut process, at, former) = registrar_in_process(0, &peer(&survivor)).await;
    until_peers(&survivor, 1).await;
    let _element = element(&sctp(&survivor)).register().await.unwrap();
    process.kill();
    let start = Instant::now();
    let port = at.udp_port.unwrap();
    let (_process, _, id) = registrar_in_process(port, &peer(&survivor)).await;
    assert_ne!(id, former);
    soon("the restarted registrar", async {
        loop {
            let snapshot = survivor.snapshot().await.unwrap();
            let is_back = snapshot
                .peers
                .iter()
                .any(|peer| peer.registrar == Some(id) && peer.status == PeerStatus::Active);
            if is_back {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    println!("killed; restarted and heard after {:?}", start.elapsed());
}

#[tokio::test]
async fn one_that_shuts_down_leaves_its_pool_elements_to_the_others() {
    let first = registrar().start().await.unwrap();
    let second = registrar().peer(peer(&first)).start().await.unwrap();
    until_peers(&second, 1).await;
    // It knows no other registrar.
    let _element = element(&sctp(&second)).register().await.unwrap();
    until_owned(&first, 1, second.id()).await;
    second.shutdown().await;
    let after = until_owned(&first, 1, first.id()).await;
    println!("shut down; its pool element is the other's after {after:?}");
}

#[tokio::test]
async fn registrars_of_one_host_find_each_other_by_multicast() {
    let free = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let channel = Multicast {
        port,
        ..Multicast::loopback().enrp()
    };
    let mut registrars = Vec::new();
    for _ in 0..3 {
        let builder = registrar().addresses(loopback());
        let builder = builder
            .enrp_multicast(channel.clone())
            .timers(Timers::fast());
        registrars.push(builder.start().await.unwrap());
    }
    for one in &registrars {
        until_peers(one, 2).await;
    }
    let _element = element(&sctp(&registrars[0])).register().await.unwrap();
    for one in &registrars {
        until_owned(one, 1, registrars[0].id()).await;
    }
}
