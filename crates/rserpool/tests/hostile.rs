//! Strangers, floods, and those that never read.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::{
    ask, element, element_count, loopback, registrar, sctp, serve_echo, soon, tcp, tcp_socket,
    until_count, user,
};
use rserpool::{
    Multicast, NetworkEvent, NodeEvent, PoolElement, PoolHandle, PoolUser, Registrar,
    RegistrarAddress, ResolveFailed, SessionEvent, Transport,
};
use rserpool_wire::asap::{HandleResolution, Message};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn resolution_request(pool_handle: &str) -> Vec<u8> {
    let pool_handle = PoolHandle::from(pool_handle);
    let request = HandleResolution {
        pool_handle,
        items: None,
        subscribe: false,
    };
    Message::from(request).encode()
}

#[tokio::test]
async fn a_port_in_use_is_named_with_what_to_do() {
    let held = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = held.local_addr().unwrap().port();
    let error = registrar().udp_port(port).start().await.err().unwrap();
    let text = error.to_string();
    assert!(
        text.contains(&format!("UDP port {port} is in use at 127.0.0.1")),
        "{text}"
    );
    assert!(text.contains("--udp-port"), "{text}");
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn two_registrars_on_one_host_find_ports_for_both() {
    let start = || {
        let builder = Registrar::builder()
            .addresses(loopback())
            .multicast(Multicast::off());
        builder.start()
    };
    let (first, second) = (start().await.unwrap(), start().await.unwrap());
    assert_ne!(first.endpoints().udp_port, second.endpoints().udp_port);
    assert_ne!(first.endpoints().tcp, second.endpoints().tcp);
}

#[tokio::test]
async fn no_registrar_is_an_error_in_time_and_says_what_to_do() {
    // A port that was free a moment ago: nobody is there.
    let gone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let at = RegistrarAddress {
        udp_port: Some(gone.port()),
        ..RegistrarAddress::new(Transport::Sctp, gone.ip())
    };
    let timeout = Duration::from_millis(300);
    let failed = element(&at)
        .register_timeout(timeout)
        .register()
        .await
        .unwrap_err();
    assert!(failed.is_temporary(), "{failed}");
    let user = user(&at).start().await.unwrap();
    let failed = soon("the failure", user.resolve("echo")).await.unwrap_err();
    assert_eq!(failed, ResolveFailed::NoRegistrar);
    assert!(failed.to_string().contains("rsp registrar"), "{failed}");
}

#[tokio::test]
async fn another_policy_is_rejected_for_good() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let _first = element(&at).register().await.unwrap();
    let second = element(&at).policy(rserpool::Policy::Random).register();
    let failed = soon("the rejection", second).await.unwrap_err();
    assert!(!failed.is_temporary());
    println!("{failed}");
    assert_eq!(element_count(&registrar).await, 1);
}

#[tokio::test]
async fn garbage_and_half_open_associations_leave_others_working() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let serving = element(&at).register().await.unwrap();
    let id = serving.id();
    let _serving = serve_echo(serving);
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, at.udp_port.unwrap()));
    let flooding = std::thread::spawn(move || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        // From random octets to SCTP headers with a right checksum: an INIT that is never gone
        // on with costs no state, so that there is nothing to fill.
        for i in 0..20_000_u32 {
            let len = usize::try_from(i % 64).unwrap();
            let octets: Vec<u8> = i.to_be_bytes().into_iter().cycle().take(len).collect();
            let _ = socket.send_to(&octets, target);
        }
    });
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    while !flooding.is_finished() {
        assert_eq!(
            ask(&mut session, "well?").await,
            (format!("{id} well?"), vec![])
        );
        user.resolve("echo").await.unwrap();
    }
    flooding.join().unwrap();
    let statistics = registrar.statistics().await.unwrap();
    assert!(
        statistics.sctp.malformed + statistics.sctp.bad_checksum > 0,
        "{statistics:?}"
    );
    assert_eq!(element_count(&registrar).await, 1);
}

/// RFC 9260 §3.3.2, with the right checksum.
fn init(sctp_port: u16, number: u32) -> Vec<u8> {
    let mut octets = 5_000_u16.to_be_bytes().to_vec();
    octets.extend(sctp_port.to_be_bytes());
    octets.extend([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 20]);
    octets.extend((number | 1).to_be_bytes());
    octets.extend(65_536_u32.to_be_bytes());
    octets.extend([0, 1, 0, 1]);
    octets.extend(number.to_be_bytes());
    let sum = crc32c::crc32c(&octets).to_le_bytes();
    octets[8..12].copy_from_slice(&sum);
    octets
}

#[tokio::test]
async fn a_flood_of_inits_that_never_pauses_leaves_users_by_tcp_working() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let _element = element(&at).register().await.unwrap();
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, at.udp_port.unwrap()));
    let is_over = Arc::new(AtomicBool::new(false));
    let flooding = (0..2).map(|_| {
        let is_over = Arc::clone(&is_over);
        std::thread::spawn(move || {
            let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let sockets: Vec<_> = (0..16).map(|_| bind()).collect();
            for (number, socket) in (0..).zip(sockets.iter().cycle()) {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let _ = socket.send_to(&init(at.port, number), target);
            }
        })
    });
    let flooding: Vec<_> = flooding.collect();
    let user = user(&tcp(&registrar)).start().await.unwrap();
    for _ in 0..20 {
        let resolution = soon("an answer", user.resolve("echo")).await.unwrap();
        assert_eq!(resolution.pool_elements.len(), 1);
    }
    is_over.store(true, Ordering::Relaxed);
    for flood in flooding {
        flood.join().unwrap();
    }
    let statistics = registrar.statistics().await.unwrap();
    assert!(statistics.sctp.inits_answered > 0, "{statistics:?}");
    assert_eq!(element_count(&registrar).await, 1);
}

#[tokio::test]
async fn a_flood_of_pool_handles_and_idle_connections_leaves_others_working() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let _element = element(&at).register().await.unwrap();
    let to = tcp_socket(&registrar);
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(TcpStream::connect(to).await.unwrap());
    }
    let flooding = tokio::spawn(async move {
        let mut flood = TcpStream::connect(to).await.unwrap();
        for i in 0..5_000 {
            let request = resolution_request(&format!("no pool of this name {i}"));
            flood.write_all(&request).await.unwrap();
            let mut answer = [0; 4];
            flood.read_exact(&mut answer).await.unwrap();
            let rest = usize::from(u16::from_be_bytes([answer[2], answer[3]])).next_multiple_of(4);
            let mut rest = vec![0; rest - 4];
            flood.read_exact(&mut rest).await.unwrap();
        }
    });
    let user = user(&tcp(&registrar)).start().await.unwrap();
    while !flooding.is_finished() {
        assert_eq!(user.resolve("echo").await.unwrap().pool_elements.len(), 1);
        tokio::task::yield_now().await;
    }
    flooding.await.unwrap();
    let snapshot = registrar.snapshot().await.unwrap();
    assert_eq!(snapshot.pools.len(), 1);
}

#[tokio::test]
async fn a_pool_user_that_never_reads_is_shed() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut elements = Vec::new();
    for _ in 0..30 {
        elements.push(element(&at).register().await.unwrap());
    }
    let mut events = registrar.events();
    let mut deaf = TcpStream::connect(tcp_socket(&registrar)).await.unwrap();
    let start = Instant::now();
    let asking = tokio::spawn(async move {
        let requests = resolution_request("echo").repeat(100);
        // Until the registrar takes no more and closes the connection.
        while deaf.write_all(&requests).await.is_ok() {}
    });
    let user = user(&tcp(&registrar)).start().await.unwrap();
    while !asking.is_finished() {
        let resolution = soon("an answer to another one", user.resolve("echo")).await;
        assert_eq!(resolution.unwrap().pool_elements.len(), 30);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("shed after {:?}", start.elapsed());
    let shed = soon("the event", async {
        loop {
            let event = events.recv().await.unwrap();
            if let NodeEvent::Network(NetworkEvent::Shed { waiting_octets, .. }) = event {
                return waiting_octets;
            }
        }
    })
    .await;
    assert!(shed <= 2 << 20, "{shed} octets waited");
    assert_eq!(registrar.statistics().await.unwrap().shed, 1);
}

#[tokio::test]
async fn many_applications_that_never_take_their_messages_are_bounded_together() {
    const UNREAD_MAX: usize = 1 << 20;
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let builder = element(&at).unread_octets_max(UNREAD_MAX);
    let mut element = builder.register().await.unwrap();
    let mut events = element.events();
    let user = user(&at).start().await.unwrap();
    let mut other = user.connect("echo").await.unwrap();
    let other_connection = soon("accept", element.accept()).await.unwrap();
    tokio::spawn(common::echo(other_connection, "other".into()));
    let mut deaf = Vec::new();
    let mut flooding = Vec::new();
    for _ in 0..8 {
        let session = user.connect("echo").await.unwrap();
        deaf.push(soon("accept", element.accept()).await.unwrap());
        flooding.push(tokio::spawn(async move {
            // More than it can send without waiting, until it is ended.
            for _ in 0..40 {
                session.send(vec![7; 16 << 10]).await.unwrap();
                tokio::task::yield_now().await;
            }
            session
        }));
    }
    let mut shed = Vec::new();
    while shed.len() < 2 {
        assert_eq!(ask(&mut other, "well?").await.0, "other well?");
        let event = tokio::time::timeout(Duration::from_millis(5), events.recv()).await;
        if let Ok(Some(NodeEvent::Network(NetworkEvent::NotTaken { waiting_octets, .. }))) = event {
            shed.push(waiting_octets);
        }
    }
    assert!(shed.iter().all(|octets| *octets <= UNREAD_MAX), "{shed:?}");
    assert_eq!(ask(&mut other, "still?").await.0, "other still?");
    flooding.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn ipv6_works_where_there_is_any() {
    let here = vec![Ipv6Addr::LOCALHOST.into()];
    let builder = Registrar::builder()
        .addresses(here.clone())
        .multicast(Multicast::off());
    let registrar = match builder.udp_port(0).tcp_port(0).start().await {
        Ok(registrar) => registrar,
        Err(error) => {
            eprintln!("SKIPPED: this machine has no IPv6 loopback: {error}");
            return;
        }
    };
    let at = sctp(&registrar);
    let element = PoolElement::builder("echo")
        .registrars(vec![at.clone()])
        .addresses(here.clone());
    let element = element
        .multicast(Multicast::off())
        .register()
        .await
        .unwrap();
    let _serving = serve_echo(element);
    for at in [at, tcp(&registrar)] {
        let user = PoolUser::builder()
            .registrars(vec![at])
            .addresses(here.clone());
        let user = user.multicast(Multicast::off()).start().await.unwrap();
        let mut session = user.connect("echo").await.unwrap();
        assert!(session.element().address.is_ipv6());
        assert!(ask(&mut session, "six").await.0.ends_with(" six"));
    }
}

#[tokio::test]
async fn a_user_that_vanishes_ends_its_connection_alone() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut element = element(&at).register().await.unwrap();
    let user = user(&at).start().await.unwrap();
    let session = user.connect("echo").await.unwrap();
    let mut connection = soon("accept", element.accept()).await.unwrap();
    session.send("last words").await.unwrap();
    drop(session);
    let received = soon("the last words", connection.recv()).await.unwrap();
    assert_eq!(received.data, b"last words");
    assert_eq!(soon("the end", connection.recv()).await, None);
    assert!(connection.send("too late").await.is_err());
    let mut again = user.connect("echo").await.unwrap();
    let connection = soon("accept", element.accept()).await.unwrap();
    tokio::spawn(common::echo(connection, "again".into()));
    assert_eq!(ask(&mut again, "hello").await.0, "again hello");
    drop(element);
    until_count(&registrar, 0).await;
    let event = tokio::time::timeout(Duration::from_millis(1), again.recv()).await;
    assert!(!matches!(event, Ok(Ok(SessionEvent::Failover { .. }))));
}
