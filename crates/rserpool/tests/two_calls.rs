//! GETPRIMARYSERVER and GETNEXTSERVER (RFC 5351 §4.1): applications that keep their own sockets.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::{element, registrar, sctp, soon, until_count, user};
use rserpool::{
    NextServerFailed, PoolElement, PoolElementId, RegistrarAddress, ResolveFailed, Server,
    UserProtocol, UserTransport,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server with a TCP socket of its own, which says its identifier to whoever connects.
struct Greeter {
    element: PoolElement,
    greeting: JoinHandle<()>,
}

impl Greeter {
    async fn start(at: &RegistrarAddress) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let builder = element(at).own_transport(UserProtocol::Tcp, port);
        let element = builder.register().await.unwrap();
        let id = element.id().0;
        let greeting = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(&id.to_be_bytes()).await.unwrap();
            }
        });
        Self { element, greeting }
    }

    /// Its socket is gone; its registration is not.
    async fn fail(&mut self) {
        self.greeting.abort();
        let _ = (&mut self.greeting).await;
    }
}

/// What an application does with a server.
async fn greet(server: &Server) -> std::io::Result<PoolElementId> {
    let mut stream = TcpStream::connect(server.addresses()[0]).await?;
    Ok(PoolElementId(stream.read_u32().await?))
}

#[tokio::test]
async fn an_application_with_its_own_sockets_goes_from_server_to_server() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut greeters = Vec::new();
    for _ in 0..4 {
        greeters.push(Greeter::start(&at).await);
    }
    let user = user(&at).start().await.unwrap();
    let mut server = soon("resolve", user.primary_server("echo")).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        assert!(matches!(server.transport(), UserTransport::Tcp(_)));
        let id = server.id();
        assert_eq!(soon("a greeting", greet(&server)).await.unwrap(), id);
        seen.push(id);
        let failing = greeters.iter_mut().find(|one| one.element.id() == id);
        failing.unwrap().fail().await;
        assert!(soon("no greeting", greet(&server)).await.is_err());
        match soon("resolve", user.next_server(server.clone())).await {
            Ok(next) => server = next,
            // Returns end.
            Err(failed) => {
                assert_eq!(failed, NextServerFailed::AllTried { servers: 4 });
                assert_eq!(seen.len(), 4);
            }
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 4, "each server once");
    // Its failures were told to the registrar, and each only once.
    let counters = registrar.snapshot().await.unwrap();
    let reports = counters.pools.iter().flat_map(|pool| &pool.pool_elements);
    assert_eq!(
        reports.count(),
        4,
        "they answer the registrar: it keeps them"
    );
    // Starting over is up to the application.
    assert!(user.primary_server("echo").await.is_ok());
}

#[tokio::test]
async fn a_server_that_comes_meanwhile_is_the_next() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let first = Greeter::start(&at).await;
    let user = user(&at).start().await.unwrap();
    let server = soon("resolve", user.primary_server("echo")).await.unwrap();
    assert_eq!(server.id(), first.element.id());
    let second = Greeter::start(&at).await;
    let next = soon("resolve", user.next_server(server)).await.unwrap();
    assert_eq!(next.id(), second.element.id());
    assert_eq!(next.pool_handle().to_string(), "echo");
    let last = soon("resolve", user.next_server(next)).await.err();
    assert_eq!(last, Some(NextServerFailed::AllTried { servers: 2 }));
}

#[tokio::test]
async fn a_pool_that_is_gone_has_no_next_server() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let user = user(&at).start().await.unwrap();
    let none = soon("resolve", user.primary_server("echo")).await.err();
    assert_eq!(none, Some(ResolveFailed::UnknownPool));
    let greeter = Greeter::start(&at).await;
    let server = soon("resolve", user.primary_server("echo")).await.unwrap();
    soon("deregister", greeter.element.deregister()).await;
    until_count(&registrar, 0).await;
    let next = soon("resolve", user.next_server(server)).await.err();
    let unknown = NextServerFailed::Resolve(ResolveFailed::UnknownPool);
    assert_eq!(next, Some(unknown));
}
