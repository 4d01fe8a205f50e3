//! What the tests share: everything on loopback, ports that the system chooses, no multicast.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod echo_process;
pub(crate) mod example;
pub(crate) mod guest;
pub(crate) mod namespace;
pub(crate) mod process;

use rserpool::{
    Connection, Multicast, PeerStatus, PoolElement, PoolElementBuilder, PoolUser, PoolUserBuilder,
    Registrar, RegistrarAddress, RegistrarBuilder, Session, SessionEvent, Transport,
};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Fails the test instead of hanging it.
#[track_caller]
pub(crate) fn soon<F: Future>(what: &'static str, future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        let done = tokio::time::timeout(PATIENCE, future).await;
        done.unwrap_or_else(|_| panic!("{what} takes too long, at {caller}"))
    }
}

pub(crate) fn loopback() -> Vec<IpAddr> {
    vec![Ipv4Addr::LOCALHOST.into()]
}

pub(crate) fn registrar() -> RegistrarBuilder {
    let builder = Registrar::builder()
        .addresses(loopback())
        .multicast(Multicast::off());
    builder.udp_port(0).tcp_port(0)
}

pub(crate) fn element(at: &RegistrarAddress) -> PoolElementBuilder {
    let builder = PoolElement::builder("echo").registrars(vec![at.clone()]);
    builder.addresses(loopback()).multicast(Multicast::off())
}

pub(crate) fn user(at: &RegistrarAddress) -> PoolUserBuilder {
    let builder = PoolUser::builder().registrars(vec![at.clone()]);
    builder.addresses(loopback()).multicast(Multicast::off())
}

/// Where a registrar is reached by SCTP.
pub(crate) fn sctp(registrar: &Registrar) -> RegistrarAddress {
    let endpoints = registrar.endpoints();
    RegistrarAddress {
        transport: Transport::Sctp,
        addresses: endpoints.addresses.clone(),
        port: endpoints.sctp_port,
        udp_port: Some(endpoints.udp_port),
    }
}

/// Where a registrar is reached by TCP.
pub(crate) fn tcp(registrar: &Registrar) -> RegistrarAddress {
    let at = tcp_socket(registrar);
    RegistrarAddress {
        port: at.port(),
        ..RegistrarAddress::new(Transport::Tcp, at.ip())
    }
}

pub(crate) fn tcp_socket(registrar: &Registrar) -> SocketAddr {
    registrar
        .endpoints()
        .tcp
        .expect("pool users may come by TCP")
}

/// Serves echo until the pool element ends; each answer begins with its identifier.
pub(crate) fn serve_echo(mut element: PoolElement) -> tokio::task::JoinHandle<()> {
    let name = element.id().to_string();
    tokio::spawn(async move {
        while let Some(connection) = element.accept().await {
            tokio::spawn(echo(connection, name.clone()));
        }
    })
}

pub(crate) async fn echo(mut connection: Connection, name: String) {
    while let Some(received) = connection.recv().await {
        let answer = [name.as_bytes(), b" ", &received.data].concat();
        if connection.send(answer).await.is_err() {
            return;
        }
    }
}

/// Asks until it is answered, again after a failover; the answer and what failovers there were.
pub(crate) async fn ask(session: &mut Session, request: &str) -> (String, Vec<SessionEvent>) {
    let mut failovers = Vec::new();
    session.send(request).await.expect("the session is there");
    loop {
        let event = match tokio::time::timeout(PATIENCE, session.recv()).await {
            Ok(event) => event.expect("the session goes on"),
            Err(_) => panic!("no answer; {failovers:?}; the session is {session:?}"),
        };
        if let SessionEvent::Message(received) = event {
            let answer = String::from_utf8(received.data).expect("echo answers with text");
            return (answer, failovers);
        }
        failovers.push(event);
        session.send(request).await.expect("the session is there");
    }
}

/// How many pool elements a registrar has.
pub(crate) async fn element_count(registrar: &Registrar) -> usize {
    let snapshot = registrar.snapshot().await.expect("the registrar runs");
    snapshot
        .pools
        .iter()
        .map(|pool| pool.pool_elements.len())
        .sum()
}

/// Waits until a registrar has so many pool elements.
pub(crate) async fn until_count(registrar: &Registrar, count: usize) {
    let mut events = registrar.events();
    soon("a change of the handlespace", async {
        while element_count(registrar).await != count {
            events.recv().await.expect("the registrar runs");
        }
    })
    .await;
}

/// Waits until a registrar has so many peers that are active.
pub(crate) async fn until_peers(registrar: &Registrar, count: usize) {
    soon("peers", async {
        loop {
            let snapshot = registrar.snapshot().await.expect("the registrar runs");
            let peers = snapshot.peers.iter();
            let active = peers.filter(|peer| peer.status == PeerStatus::Active);
            if snapshot.initialized && active.count() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}
