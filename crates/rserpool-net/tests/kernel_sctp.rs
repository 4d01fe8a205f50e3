//! The kernel's SCTP: registrars, pool elements and pool users on its one-to-many sockets.
//!
//! Where the kernel has none these tests say so and pass; they are for a guest whose kernel has
//! it, see `cargo xtask interop`.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use oxirush_sctp::{
    AssocChangeState, ConnectedSocket, Event, Notification, NotificationOrData, SendOptions,
    Socket, SocketToAssociation, SubscribeEventAssocId,
};
use rserpool_core::registrar::Config;
use rserpool_core::{Compatibility, RegistrarAddress};
use rserpool_net::{
    Connection, DATA_OCTETS_MAX, Incoming, Inlet, Multicast, Opened, PoolElementConfig,
    PoolElementNode, PoolUserConfig, PoolUserNode, Port, RegistrarConfig, RegistrarNode, SctpMode,
    SessionControl, UNREAD_OCTETS_MAX, inlet,
};
use rserpool_sctp::{DownReason, Outgoing, Timers};
use rserpool_wire::parameter::Policy;
use rserpool_wire::{PoolHandle, RegistrarId};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Any of these tests is over long before; the guest is slow.
const LIMIT: Duration = Duration::from_secs(30);

/// Each test has SCTP ports of its own: they share the host's kernel.
#[derive(Clone, Copy)]
struct Ports {
    asap: u16,
    enrp: u16,
}

impl Ports {
    fn of_test(number: u16) -> Self {
        let asap = 21_000 + 2 * number;
        Self {
            asap,
            enrp: asap + 1,
        }
    }
}

fn kernel_has_sctp() -> bool {
    kernel_socket()
        .inspect_err(|error| eprintln!("skipped: this kernel has no SCTP: {error}"))
        .is_ok()
}

fn kernel_socket() -> std::io::Result<Socket> {
    Socket::new_v4(SocketToAssociation::OneToMany)
}

async fn registrar(mode: SctpMode, ports: Ports, associations_max: usize) -> RegistrarNode {
    let mut machine = Config::new(RegistrarId::new(1).unwrap());
    machine.limits.associations_max = associations_max;
    RegistrarNode::start(RegistrarConfig {
        machine,
        addresses: vec![loopback(1), loopback(2)],
        sctp_mode: mode,
        sctp_port: ports.asap,
        enrp_port: ports.enrp,
        udp_port: Port::Any,
        tcp_port: None,
        multicast: Multicast::off(),
        enrp_multicast: Multicast::off(),
        sctp_timers: Timers::fast(),
        seed: None,
    })
    .await
    .unwrap()
}

fn loopback(host: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, host).into()
}

fn address(registrar: &RegistrarNode) -> RegistrarAddress {
    let endpoints = registrar.endpoints();
    let text = format!("127.0.0.1:{}", endpoints.sctp_port);
    RegistrarAddress {
        udp_port: Some(endpoints.udp_port).filter(|port| *port != 0),
        ..text.parse().unwrap()
    }
}

async fn element(mode: SctpMode, registrar: RegistrarAddress) -> PoolElementNode {
    PoolElementNode::register(PoolElementConfig {
        pool_handle: pool(),
        id: None,
        policy: Policy::RoundRobin,
        registration_life: None,
        registrars: vec![registrar],
        addresses: Vec::new(),
        sctp_mode: mode,
        sctp_port: None,
        udp_port: Port::Any,
        multicast: Multicast::off(),
        timers: rserpool_core::Timers::default(),
        sctp_timers: Timers::fast(),
        compatibility: Compatibility::default(),
        register_timeout: LIMIT,
        unread_octets_max: UNREAD_OCTETS_MAX,
        seed: None,
        serve_by: rserpool_net::DataTransport::Sctp,
        user_port: rserpool_net::Port::Any,
        udp_idle_after: rserpool_net::UDP_IDLE_AFTER,
        data_only: false,
        serve_at: None,
    })
    .await
    .unwrap()
}

fn user_config(mode: SctpMode) -> PoolUserConfig {
    PoolUserConfig {
        registrars: Vec::new(),
        addresses: Vec::new(),
        sctp_mode: mode,
        sctp_port: None,
        udp_port: Port::Any,
        multicast: Multicast::off(),
        timers: rserpool_core::Timers::default(),
        compatibility: Compatibility::default(),
        limits: rserpool_core::pool_user::Limits::default(),
        sctp_timers: Timers::fast(),
        unread_octets_max: UNREAD_OCTETS_MAX,
        seed: None,
    }
}

fn pool() -> PoolHandle {
    PoolHandle::new(b"kernel")
}

/// Answers each message by itself until the pool user has gone.
async fn echo(mut connection: Connection) {
    while let Some(received) = connection.recv().await {
        let (stream, ppid) = (received.stream, received.ppid);
        if connection
            .send_with(stream, ppid, received.data)
            .await
            .is_err()
        {
            return;
        }
    }
}

/// Registrar, pool element and pool user; messages of every size, streams and payload protocols.
async fn echoes(of_registrar: SctpMode, of_element: SctpMode, of_user: SctpMode, ports: Ports) {
    let registrar = registrar(of_registrar, ports, 16).await;
    let at = address(&registrar);
    let mut element = element(of_element, at.clone()).await;
    let serving = tokio::spawn(async move {
        echo(element.accept().await.unwrap()).await;
        element
    });
    let user = PoolUserNode::start(PoolUserConfig {
        registrars: vec![at],
        ..user_config(of_user)
    })
    .await
    .unwrap();
    let target = user.client().select(pool()).await.unwrap().decode();
    let (sink, inlet) = inlet();
    let control = SessionControl::new(pool());
    let opened = user.client().open(target, 0, sink, control).await.unwrap();
    exchange(&opened, inlet).await;
    opened.outlet.close();
    let reason = opened.closed.await.unwrap();
    assert_eq!(reason, DownReason::Closed);
    serving.await.unwrap().deregister().await;
    user.stop().await;
    registrar.shutdown().await;
}

async fn exchange(opened: &Opened, mut inlet: Inlet) {
    let sizes = [1, 100, 1400, 8192, 65_536, DATA_OCTETS_MAX];
    for (stream, octets) in (0..).zip(sizes) {
        let data = vec![7; octets];
        let ppid = 1000 + u32::from(stream);
        let outgoing = Outgoing {
            stream,
            ppid,
            unordered: false,
            data: data.clone(),
        };
        opened.outlet.send(outgoing).await.unwrap();
        let back = loop {
            match inlet.recv().await.unwrap() {
                Incoming::Message(received) => break received,
                Incoming::Closed { reason, .. } => panic!("{reason}"),
                Incoming::Opened { .. }
                | Incoming::CookieEcho(_)
                | Incoming::BusinessCard(_)
                | Incoming::Moving => {}
            }
        };
        assert_eq!((back.stream, back.ppid), (stream, ppid));
        assert_eq!(back.data, data);
    }
}

#[tokio::test]
async fn registrar_element_and_user_by_the_kernel() {
    if kernel_has_sctp() {
        let all = SctpMode::Kernel;
        timeout(LIMIT, echoes(all, all, all, Ports::of_test(0)))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn whoever_chooses_by_itself_reaches_user_space() {
    if kernel_has_sctp() {
        let (space, auto) = (SctpMode::Udp, SctpMode::Auto);
        timeout(LIMIT, echoes(space, auto, auto, Ports::of_test(1)))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_registrar_that_chooses_by_itself_is_reached_by_user_space_and_by_the_kernel() {
    if kernel_has_sctp() {
        let (auto, space, kernel) = (SctpMode::Auto, SctpMode::Udp, SctpMode::Kernel);
        timeout(LIMIT, echoes(auto, space, space, Ports::of_test(2)))
            .await
            .unwrap();
        timeout(LIMIT, echoes(auto, kernel, kernel, Ports::of_test(3)))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_kernel_without_sctp_is_an_error_that_says_what_to_do() {
    if kernel_socket().is_err() {
        let config = user_config(SctpMode::Kernel);
        let error = PoolUserNode::start(config).await.unwrap_err().to_string();
        assert!(error.contains("modprobe sctp"), "{error}");
        assert!(error.contains("--sctp udp"), "{error}");
    }
}

/// Somebody with a socket of the kernel, who may do what a pool element never would.
async fn stranger(ports: Ports) -> std::io::Result<ConnectedSocket> {
    let socket = Socket::new_v4(SocketToAssociation::OneToOne)?;
    let events = [Event::Association];
    socket
        .options()
        .subscribe_events(&events, SubscribeEventAssocId::All)?;
    let to = SocketAddr::new(loopback(1), ports.asap);
    Ok(socket.connect(to).await?.0)
}

/// Waits for the end of an association.
async fn ended(association: &ConnectedSocket) {
    let end = async {
        loop {
            match association.recv().await {
                Ok(Some(NotificationOrData::Notification(Notification::AssociationChange(
                    change,
                )))) if change.state == AssocChangeState::CommUp => {}
                Ok(Some(NotificationOrData::Data(_))) => {}
                _ => return,
            }
        }
    };
    timeout(LIMIT, end).await.unwrap();
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_its_association_and_no_other() {
    if !kernel_has_sctp() {
        return;
    }
    let ports = Ports::of_test(4);
    let registrar = registrar(SctpMode::Kernel, ports, 16).await;
    let bad = stranger(ports).await.unwrap();
    let good = stranger(ports).await.unwrap();
    let large = vec![0; DATA_OCTETS_MAX + 1];
    bad.send(&large, SendOptions::new().ppid(11)).await.unwrap();
    ended(&bad).await;
    // A payload protocol that has no meaning here is counted.
    good.send(b"?", SendOptions::new().ppid(99)).await.unwrap();
    let begun = Instant::now();
    loop {
        let statistics = registrar.statistics().await.unwrap();
        if statistics.unexpected_payload_protocol == 1 {
            assert_eq!(statistics.kernel_sctp.too_large, 1);
            assert_eq!(statistics.kernel_sctp.associations, 1);
            break;
        }
        assert!(begun.elapsed() < LIMIT, "{statistics:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    registrar.shutdown().await;
}

#[tokio::test]
async fn one_association_too_many_is_refused() {
    if !kernel_has_sctp() {
        return;
    }
    let ports = Ports::of_test(5);
    let registrar = registrar(SctpMode::Kernel, ports, 2).await;
    let first = stranger(ports).await.unwrap();
    let second = stranger(ports).await.unwrap();
    // The kernel sets it up before anybody is asked.
    if let Ok(third) = stranger(ports).await {
        ended(&third).await;
    }
    let statistics = registrar.statistics().await.unwrap().kernel_sctp;
    assert_eq!((statistics.refused, statistics.associations), (1, 2));
    drop((first, second));
    registrar.shutdown().await;
}

#[tokio::test]
async fn two_thousand_associations_on_one_socket() {
    const ASSOCIATIONS: usize = 2_000;
    if !kernel_has_sctp() {
        return;
    }
    rserpool_net::raise_open_files_limit();
    let ports = Ports::of_test(6);
    let registrar = registrar(SctpMode::Kernel, ports, 16_384).await;
    let begun = Instant::now();
    let mut strangers = Vec::new();
    for _ in 0..ASSOCIATIONS {
        strangers.push(stranger(ports).await.unwrap());
    }
    eprintln!("{ASSOCIATIONS} associations in {:?}", begun.elapsed());
    let associations = async || {
        registrar
            .statistics()
            .await
            .unwrap()
            .kernel_sctp
            .associations
    };
    let begun = Instant::now();
    while associations().await < ASSOCIATIONS {
        assert!(begun.elapsed() < LIMIT);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(strangers);
    let begun = Instant::now();
    while associations().await > 0 {
        assert!(begun.elapsed() < LIMIT);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    registrar.shutdown().await;
}
