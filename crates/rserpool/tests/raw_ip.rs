//! SCTP over IP itself, between hosts that pass no UDP: registrar, pool element and pool user are
//! processes in network namespaces. And with a kernel that has SCTP, and rsplib on it, in a guest:
//! over IP and over UDP, in both directions. Skipped, visibly, without root, where the kernel of
//! the host has SCTP, and without the guest's programs.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::guest::Guest;
use common::namespace::Namespace;
use common::process::Process;
use common::{ask, serve_echo, soon};
use rserpool::{Multicast, PoolElement, PoolUser, Registrar, RegistrarAddress, Timers};
use std::time::{Duration, Instant};

const REGISTRAR: &str = "RAW_IP_REGISTRAR";
const TIMERS: &str = "RAW_IP_TIMERS";
const POOL: &str = "RAW_IP_POOL";

/// Of the guest. Without UDP port: whether it takes UDP is for us to find out.
const GUEST: &str = "10.90.0.2";

/// rsplib's registrar, and an element of the pool `theirs`.
const RSPLIB: &str = "
rspregistrar -asap=10.90.0.2:3863,10.91.0.2 -enrp=10.90.0.2:9901,10.91.0.2 \
    -asapannounce=239.0.0.50:3863 -enrpannounce=239.0.0.51:9901 > registrar.log 2>&1 &
sleep 7
rspserver -echo -poolhandle=theirs -asapannounce=off -registrar=10.90.0.2:3863 > element.log 2>&1 &
sleep 1";

/// rsplib's pool user, with the pool `ours`; `encap_port` is how it sends to all others.
const RSPLIB_USER: &str = "
(for line in 1 2 3; do echo line $line; sleep 0.3; done; sleep 1) | timeout 8 \
    rspterminal -poolhandle=ours -asapannounce=off -registrar=10.90.0.2:3863 -logcolor=off
sysctl -q net.sctp.encap_port=0";

/// The largest message is cut into some fifty packets.
const MESSAGE_OCTETS: [usize; 5] = [1, 100, 1_400, 8_192, 65_536];

#[tokio::test]
async fn hosts_that_pass_no_udp_associate_over_ip() {
    // The element's other address would do as well.
    let ways = [
        ("10.1.0.1", "10.1.0.2:0", "-6"),
        ("[fd01::1]", "[fd01::2]:0", "-4"),
    ];
    for (registrar, element, other_family) in ways {
        let Some((near, far)) = hosts(1) else { return };
        for host in [&near, &far] {
            host.ip(&format!("{other_family} address flush dev wire1"));
        }
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
        let with = user.line("session with ").await;
        assert!(with.ends_with(":0"), "{with}");
        let is_second = with.starts_with("10.2.") || with.starts_with("[fd02:");
        far.cut(if is_second { "wire2" } else { "wire1" });
        let interruption = user.line("interrupted for ").await;
        println!("{timers} timers: one of two ways cut, interrupted for {interruption} ms");
        assert!(interruption.parse::<u64>().unwrap() < 1_000);
        user.ended().await;
    }
}

#[tokio::test]
async fn a_kernel_s_sctp_is_met_over_ip_and_over_udp_both_ways() {
    let Some(host) = host() else { return };
    let Some(guest) = Guest::boot(&host) else {
        return;
    };
    guest.run(RSPLIB);
    let theirs = [(REGISTRAR, GUEST), (POOL, "theirs")];
    let ours = [(REGISTRAR, GUEST), (POOL, "ours")];
    for (blocked, way, encap_port) in [("udp dport 9899", "IP", 0), ("132", "UDP", 9899)] {
        host.ip(&format!("rule add pref 1 ipproto {blocked} blackhole"));
        let mut user = Process::start_at(&host, "user_process", &theirs);
        let with = user.line("session with ").await;
        assert!(with.starts_with("10.9"), "{with}");
        assert_eq!(with.ends_with(":0"), way == "IP", "{with}");
        for octets in MESSAGE_OCTETS {
            assert_eq!(user.line("answered ").await, octets.to_string());
        }
        user.ended().await;
        let mut element = Process::start_at(&host, "pool_element_process", &ours);
        element.line("registered").await;
        let script = format!("sysctl -q net.sctp.encap_port={encap_port}{RSPLIB_USER}");
        let answers = guest.run(&script);
        assert!(answers.contains(" line 3"), "over {way}: {answers}");
        host.ip("rule delete pref 1");
        println!("over {way}: our user with rsplib's element, rsplib's user with ours");
    }
}

#[tokio::test]
async fn a_session_with_a_kernel_s_sctp_outlives_the_first_of_two_ways() {
    let Some(host) = host() else { return };
    let Some(guest) = Guest::boot(&host) else {
        return;
    };
    guest.run(RSPLIB);
    // Not the fast timers: a guest on a busy host is silent for longer than they wait.
    let variables = [(REGISTRAR, GUEST), (TIMERS, "default"), (POOL, "theirs")];
    let mut user = Process::start_at(&host, "streaming_user_process", &variables);
    let with = user.line("session with ").await;
    host.cut(if with.starts_with("10.91.") {
        "wire1"
    } else {
        "wire0"
    });
    let interruption = user.line("interrupted for ").await;
    // The guest's own retransmission waits for a second: RTO.Min of RFC 9260.
    println!("one of two ways to the guest cut, interrupted for {interruption} ms");
    assert!(interruption.parse::<u64>().unwrap() < 3_000);
    user.ended().await;
}

/// A host whose kernel leaves SCTP to us.
fn host() -> Option<Namespace> {
    use socket2::{Domain, Protocol, Socket, Type};
    if Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::from(132))).is_ok() {
        eprintln!("skipped: the kernel has SCTP");
        return None;
    }
    Namespace::new()
}

/// Two hosts with so many wires between them, over which no UDP passes.
fn hosts(wires: u8) -> Option<(Namespace, Namespace)> {
    let (near, far) = (host()?, host()?);
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

fn pool() -> String {
    std::env::var(POOL).unwrap_or("echo".into())
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
    let element = PoolElement::builder(pool().as_str())
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
    let mut session = soon("a session", user.connect(pool().as_str()))
        .await
        .unwrap();
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
    let mut session = soon("a session", user.connect(pool().as_str()))
        .await
        .unwrap();
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
