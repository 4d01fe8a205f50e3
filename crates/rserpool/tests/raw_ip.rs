//! SCTP over IP itself, between hosts that pass no UDP: registrar, pool element and pool user are
//! processes in network namespaces. Skipped, visibly, without root and where the kernel has SCTP.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::namespace::Namespace;
use common::process::Process;
use common::{ask, serve_echo, soon};
use rserpool::{Multicast, PoolElement, PoolUser, Registrar, RegistrarAddress, Timers};
use std::time::{Duration, Instant};

const REGISTRAR: &str = "RAW_IP_REGISTRAR";
const TIMERS: &str = "RAW_IP_TIMERS";

/// The largest message is cut into some fifty packets.
const MESSAGE_OCTETS: [usize; 5] = [1, 100, 1_400, 8_192, 65_536];

#[tokio::test]
async fn hosts_that_pass_no_udp_associate_over_ip() {
    let ways = [("10.1.0.1", "10.1.0.2:0"), ("[fd01::1]", "[fd01::2]:0")];
    for (registrar, element) in ways {
        let Some((near, far)) = hosts(1) else { return };
        let _processes = start(&near, &far, registrar, "default").await;
        let mut user = Process::start_at(&near, "user_process", &[(REGISTRAR, registrar)]);
        // A UDP port of 0: not encapsulated.
        assert_eq!(user.line("session with ").await, element);
        for octets in MESSAGE_OCTETS {
            assert_eq!(user.line("answered ").await, octets.to_string());
        }
        user.ended().await;
    }
}

#[tokio::test]
async fn a_second_way_over_ip_is_used_when_the_first_is_cut() {
    for timers in ["default", "fast"] {
        let Some((near, far)) = hosts(2) else { return };
        let _processes = start(&near, &far, "10.1.0.1", timers).await;
        let variables = [(REGISTRAR, "10.1.0.1"), (TIMERS, timers)];
        let mut user = Process::start_at(&near, "streaming_user_process", &variables);
        assert_eq!(user.line("session with ").await, "10.1.0.2:0");
        far.ip("link set wire1 down");
        let interruption = user.line("interrupted for ").await;
        println!("{timers} timers: one of two ways cut, interrupted for {interruption} ms");
        assert!(interruption.parse::<u64>().unwrap() < 1_000);
        user.ended().await;
    }
}

/// Two hosts with so many wires between them, over which no UDP passes.
fn hosts(wires: u8) -> Option<(Namespace, Namespace)> {
    use socket2::{Domain, Protocol, Socket, Type};
    if Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::from(132))).is_ok() {
        eprintln!("skipped: the kernel has SCTP");
        return None;
    }
    let (near, far) = (Namespace::new()?, Namespace::new()?);
    for wire in 1..=wires {
        let addresses = [
            [format!("10.{wire}.0.1/24"), format!("10.{wire}.0.2/24")],
            [format!("fd0{wire}::1/64"), format!("fd0{wire}::2/64")],
        ];
        let addresses = addresses
            .each_ref()
            .map(|pair| pair.each_ref().map(String::as_str));
        near.connect(&far, &format!("wire{wire}"), addresses);
    }
    for host in [&near, &far] {
        host.ip("rule add pref 1 ipproto udp dport 9899 blackhole");
        host.ip("-6 rule add pref 1 ipproto udp dport 9899 blackhole");
    }
    Some((near, far))
}

/// A registrar on one host, a pool element on the other.
async fn start(near: &Namespace, far: &Namespace, registrar: &str, timers: &str) -> [Process; 2] {
    let variables = [(REGISTRAR, registrar), (TIMERS, timers)];
    let mut serving = Process::start_at(near, "registrar_process", &variables);
    serving.line("serving").await;
    let mut element = Process::start_at(far, "pool_element_process", &variables);
    element.line("registered").await;
    [serving, element]
}

fn timers() -> Timers {
    match std::env::var(TIMERS).as_deref() {
        Ok("fast") => Timers::fast(),
        _ => Timers::default(),
    }
}

/// `None`: this is no process of a test.
fn registrar_address() -> Option<RegistrarAddress> {
    let text = std::env::var(REGISTRAR).ok()?;
    Some(text.parse().unwrap())
}

#[tokio::test]
#[ignore = "a process of the other tests"]
async fn registrar_process() {
    if registrar_address().is_none() {
        return;
    }
    let builder = Registrar::builder().multicast(Multicast::off());
    let builder = builder.enrp_multicast(Multicast::off()).timers(timers());
    let _registrar = builder.start().await.unwrap();
    println!("serving");
    std::future::pending::<()>().await;
}

#[tokio::test]
#[ignore = "a process of the other tests"]
async fn pool_element_process() {
    let Some(at) = registrar_address() else {
        return;
    };
    let element = PoolElement::builder("echo")
        .registrars(vec![at])
        .multicast(Multicast::off())
        .timers(timers())
        // Not told to users, who then try both.
        .udp_port(rserpool_core::SCTP_UDP_PORT);
    let element = element.register().await.unwrap();
    println!("registered");
    serve_echo(element).await.unwrap();
}

async fn user(at: RegistrarAddress) -> PoolUser {
    let builder = PoolUser::builder().registrars(vec![at]);
    let builder = builder.multicast(Multicast::off()).timers(timers());
    builder.start().await.unwrap()
}

#[tokio::test]
#[ignore = "a process of the other tests"]
async fn user_process() {
    let Some(at) = registrar_address() else {
        return;
    };
    let user = user(at).await;
    let mut session = soon("a session", user.connect("echo")).await.unwrap();
    println!("session with {}", session.element().address);
    for octets in MESSAGE_OCTETS {
        let request = "r".repeat(octets);
        let (answer, failovers) = ask(&mut session, &request).await;
        assert!(answer.ends_with(&request) && failovers.is_empty());
        println!("answered {octets}");
    }
}

#[tokio::test]
#[ignore = "a process of the other tests"]
async fn streaming_user_process() {
    let Some(at) = registrar_address() else {
        return;
    };
    let user = user(at).await;
    let mut session = soon("a session", user.connect("echo")).await.unwrap();
    ask(&mut session, "hello").await;
    // Its addresses are verified (RFC 9260 §5.4) before the cut.
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!("session with {}", session.element().address);
    let (start, mut longest) = (Instant::now(), Duration::ZERO);
    while start.elapsed() < Duration::from_secs(3) {
        let asked = Instant::now();
        let (_, failovers) = ask(&mut session, "still there?").await;
        assert!(failovers.is_empty(), "{failovers:?}");
        longest = longest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    println!("interrupted for {}", longest.as_millis());
}
