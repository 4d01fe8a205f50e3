//! A registrar, pool elements and a pool user in processes of their own on one host, which know
//! nothing of each other: announces by multicast over loopback.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::process::Process;
use common::{ask, loopback, serve_echo, soon};
use rserpool::{Multicast, PoolElement, PoolUser, Registrar, SessionEvent};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const PORT: &str = "RSERPOOL_TEST_MULTICAST_PORT";

/// The group on loopback alone, at a port that no other test has.
fn multicast(port: &str) -> Multicast {
    Multicast {
        port: port.parse().unwrap(),
        ..Multicast::loopback()
    }
}

/// Whether this machine has multicast on loopback: a datagram to the group comes back.
fn has_multicast() -> std::io::Result<()> {
    let group = Multicast::default().group_v4.unwrap();
    let hears = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    hears.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)?;
    hears.set_read_timeout(Some(Duration::from_secs(1)))?;
    let sends = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    sends.send_to(
        b"anybody?",
        SocketAddr::from((group, hears.local_addr()?.port())),
    )?;
    hears.recv(&mut [0; 8])?;
    Ok(())
}

#[tokio::test]
#[ignore = "a process of the other test"]
async fn registrar_process() {
    let Ok(port) = std::env::var(PORT) else {
        return;
    };
    let builder = Registrar::builder()
        .addresses(loopback())
        .multicast(multicast(&port))
        .enrp_multicast(Multicast::off());
    let _registrar = builder.udp_port(0).tcp_port(0).start().await.unwrap();
    println!("serving at a port that nobody is told");
    std::future::pending::<()>().await;
}

#[tokio::test]
#[ignore = "a process of the other test"]
async fn pool_element_process() {
    let Ok(port) = std::env::var(PORT) else {
        return;
    };
    let element = PoolElement::builder("echo")
        .multicast(multicast(&port))
        .register();
    let element = element.await.unwrap();
    println!("registered {}", element.id());
    serve_echo(element).await.unwrap();
}

#[tokio::test]
async fn processes_of_one_host_find_each_other() {
    if let Err(error) = has_multicast() {
        eprintln!("SKIPPED: this machine has no multicast on loopback: {error}");
        return;
    }
    let free = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let variables = [(PORT, port.as_str())];
    let start = Instant::now();
    let mut elements = Vec::new();
    for _ in 0..2 {
        elements.push(Process::start("pool_element_process", &variables));
    }
    // The last to start: whoever is there already waits for its announces.
    let mut registrar = Process::start("registrar_process", &variables);
    registrar.line("serving").await;
    let mut names = Vec::new();
    for element in &mut elements {
        names.push(element.line("registered ").await);
    }
    println!("all registered after {:?}", start.elapsed());

    let user = PoolUser::builder()
        .multicast(multicast(&port))
        .start()
        .await
        .unwrap();
    let mut session = soon("the session", user.connect("echo")).await.unwrap();
    let first = session.element().id.to_string();
    assert_eq!(ask(&mut session, "hello").await.0, format!("{first} hello"));
    let victim = names.iter().position(|name| *name == first).unwrap();
    elements[victim].kill();
    let event = soon("the failover", session.recv()).await.unwrap();
    println!("{event:?}");
    let other = &names[1 - victim];
    assert!(matches!(event, SessionEvent::Failover { to, .. } if to.to_string() == *other));
    assert_eq!(
        ask(&mut session, "still?").await.0,
        format!("{other} still?")
    );
}
