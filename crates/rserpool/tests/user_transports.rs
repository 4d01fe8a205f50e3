//! Sessions whose data channel is TCP or UDP (RFC 5354 §3.5, §3.6).

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::process::Process;
use common::{ask, element, loopback, registrar, sctp, serve_echo, soon, user};
use rserpool::{
    DataTransport, PoolElementId, PoolUser, Registrar, RegistrarAddress, SendFailed, Session,
    SessionEvent, SessionMessage, UserProtocol, UserTransport,
};
use std::io::{Read, Write};
use std::time::Duration;

const REGISTRAR: &str = "RSERPOOL_TEST_REGISTRAR";
const TRANSPORT: &str = "RSERPOOL_TEST_TRANSPORT";

/// More than all queues and socket buffers on the way hold.
const FLOOD_OCTETS: usize = 32 << 20;
const FLOOD_MESSAGE: usize = 64 << 10;

struct Echoing {
    process: Process,
    id: PoolElementId,
}

/// A pool element in a process of its own.
async fn echo_process(at: &RegistrarAddress, transport: DataTransport) -> Echoing {
    let (at, transport) = (at.to_string(), transport.to_string());
    let environment = [(REGISTRAR, at.as_str()), (TRANSPORT, transport.as_str())];
    let mut process = Process::start("echo_element_process", &environment);
    let id = process.line("registered ").await;
    let id = PoolElementId(id.parse().unwrap());
    Echoing { process, id }
}

#[tokio::test]
#[ignore = "a process of the other tests"]
async fn echo_element_process() {
    let Ok(at) = std::env::var(REGISTRAR) else {
        return;
    };
    let transport = match std::env::var(TRANSPORT).unwrap().as_str() {
        "TCP" => DataTransport::Tcp,
        _ => DataTransport::Udp,
    };
    let element = element(&at.parse().unwrap()).serve_by(transport);
    let element = element.register().await.unwrap();
    println!("registered {}", element.id().0);
    serve_echo(element).await.unwrap();
}

async fn start() -> (Registrar, RegistrarAddress, PoolUser) {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let user = user(&at).start().await.unwrap();
    (registrar, at, user)
}

/// The other pool element is reached from now on, without a cookie.
fn assert_failover(failovers: &[SessionEvent], before: PoolElementId, after: PoolElementId) {
    let [
        SessionEvent::Failover {
            from,
            to,
            cookie_echoed,
            ..
        },
    ] = failovers
    else {
        panic!("{failovers:?}");
    };
    assert_eq!((*from, *to, *cookie_echoed), (before, after, false));
}

#[tokio::test]
async fn a_session_over_tcp_goes_on_at_another_pool_element_when_its_own_is_killed() {
    let (_registrar, at, user) = start().await;
    let mut first = echo_process(&at, DataTransport::Tcp).await;
    let mut session = user.connect("echo").await.unwrap();
    assert_eq!(session.element().transport, DataTransport::Tcp);
    let (answer, _) = ask(&mut session, "hello").await;
    assert_eq!(answer, format!("{} hello", first.id));
    let second = echo_process(&at, DataTransport::Tcp).await;
    first.process.kill();
    let event = soon("the failover", session.recv()).await.unwrap();
    assert_failover(&[event], first.id, second.id);
    let (answer, failovers) = ask(&mut session, "again").await;
    assert_eq!(
        (answer, failovers),
        (format!("{} again", second.id), vec![])
    );
}

#[tokio::test]
async fn a_session_over_tcp_or_udp_survives_one_kill_after_the_other() {
    for transport in [DataTransport::Tcp, DataTransport::Udp] {
        let (_registrar, at, user) = start().await;
        let mut serving = echo_process(&at, transport).await;
        let mut session = user.connect("echo").await.unwrap();
        for round in 0..10 {
            let (answer, _) = ask(&mut session, "before").await;
            assert_eq!(answer, format!("{} before", serving.id), "round {round}");
            let next = echo_process(&at, transport).await;
            serving.process.kill();
            serving.process.ended().await;
            session.send("lost, or answered by the next").await.unwrap();
            let event = soon("the failover", session.recv()).await.unwrap();
            assert_failover(&[event], serving.id, next.id);
            serving = next;
        }
    }
}

#[tokio::test]
async fn a_session_over_udp_goes_on_when_the_host_of_a_killed_pool_element_says_that_it_is() {
    let (_registrar, at, user) = start().await;
    let mut first = echo_process(&at, DataTransport::Udp).await;
    let mut session = user.connect("echo").await.unwrap();
    assert_eq!(session.element().transport, DataTransport::Udp);
    let (answer, _) = ask(&mut session, "hello").await;
    assert_eq!(answer, format!("{} hello", first.id));
    let second = echo_process(&at, DataTransport::Udp).await;
    first.process.kill();
    first.process.ended().await;
    // Nothing tells before something is sent.
    let (answer, failovers) = ask(&mut session, "again").await;
    assert_eq!(answer, format!("{} again", second.id));
    assert_failover(&failovers, first.id, second.id);
}

#[tokio::test]
async fn a_pool_element_that_the_application_says_does_not_answer_is_left() {
    let (_registrar, at, user) = start().await;
    let first = echo_process(&at, DataTransport::Udp).await;
    let mut session = user.connect("echo").await.unwrap();
    ask(&mut session, "hello").await;
    let second = echo_process(&at, DataTransport::Udp).await;
    first.process.stop();
    session.send("in vain").await.unwrap();
    session.report_failure();
    let event = soon("the failover", session.recv()).await.unwrap();
    assert_failover(&[event], first.id, second.id);
    let (answer, _) = ask(&mut session, "again").await;
    assert_eq!(answer, format!("{} again", second.id));
}

#[tokio::test]
async fn an_ordinary_tcp_server_is_a_pool_element() {
    let (_registrar, at, user) = start().await;
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let own = element(&at).own_transport(UserProtocol::Tcp, port);
    let _element = own.register().await.unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 5];
        stream.read_exact(&mut request).unwrap();
        stream.write_all(&request).unwrap();
    });
    let mut session = user.connect("echo").await.unwrap();
    session.send("hel").await.unwrap();
    session.send("lo").await.unwrap();
    let mut answer = Vec::new();
    while answer.len() < 5 {
        let event = soon("the answer", session.recv()).await.unwrap();
        let SessionEvent::Message(received) = event else {
            panic!("{event:?}");
        };
        answer.extend(received.data);
    }
    assert_eq!(answer, b"hello");
}

#[tokio::test]
async fn a_data_channel_alone_has_no_streams_cookies_or_large_datagrams() {
    let (_registrar, at, user) = start().await;
    let mut element = element(&at)
        .serve_by(DataTransport::Udp)
        .register()
        .await
        .unwrap();
    let resolution = user.resolve("echo").await.unwrap();
    let transport = resolution.pool_elements[0].decode().user_transport;
    let UserTransport::Udp(udp) = transport else {
        panic!("{transport:?}");
    };
    assert_eq!(
        (udp.port, udp.address),
        (element.endpoints().user_port, loopback()[0])
    );
    let session = user.connect("echo").await.unwrap();
    let with_stream = session.send_with(1, 0, "x").await;
    let with_protocol = session.send_with(0, 7, "x").await;
    assert_eq!(
        (with_stream, with_protocol),
        (Err(SendFailed::NotSctp), Err(SendFailed::NotSctp))
    );
    assert_eq!(
        session.send(vec![0; 65_508]).await,
        Err(SendFailed::TooLarge)
    );
    // The transport has no order: that it is not wanted makes no difference (RFC 5352 §6.5.5).
    let unordered = SessionMessage::new(vec![1; 60_000]).unordered();
    session.send_message(unordered).await.unwrap();
    let mut connection = soon("the user", element.accept()).await.unwrap();
    assert_eq!(connection.transport(), DataTransport::Udp);
    assert_eq!(
        connection.send_cookie("state").await,
        Err(SendFailed::NoControlChannel)
    );
    let received = soon("the message", connection.recv()).await.unwrap();
    assert_eq!(received.data, vec![1; 60_000]);
}

/// Each octet is the number of its message.
fn flood_message(number: usize) -> Vec<u8> {
    vec![u8::try_from(number % 251).unwrap(); FLOOD_MESSAGE]
}

/// Checks some octets of the flood, which begin at `at`.
fn check_flood(at: usize, octets: &[u8]) {
    let is_right =
        |(offset, &octet): (usize, &u8)| usize::from(octet) == (at + offset) / FLOOD_MESSAGE % 251;
    assert!(octets.iter().enumerate().all(is_right), "at octet {at}");
}

#[tokio::test]
async fn over_tcp_a_pool_element_that_does_not_read_makes_the_user_wait_and_loses_nothing() {
    let (_registrar, at, user) = start().await;
    let mut element = element(&at)
        .serve_by(DataTransport::Tcp)
        .register()
        .await
        .unwrap();
    let session = user.connect("echo").await.unwrap();
    let mut connection = soon("the user", element.accept()).await.unwrap();
    let mut sending = Box::pin(async {
        for number in 0..FLOOD_OCTETS / FLOOD_MESSAGE {
            session.send(flood_message(number)).await?;
        }
        Ok::<(), SendFailed>(())
    });
    let waits = tokio::time::timeout(Duration::from_millis(500), &mut sending).await;
    assert!(waits.is_err(), "what nobody reads is not taken: {waits:?}");
    let reading = async {
        let mut at = 0;
        while at < FLOOD_OCTETS {
            let octets = connection.recv().await.unwrap().data;
            check_flood(at, &octets);
            at += octets.len();
        }
        at
    };
    let (sent, read) = soon("the flood", async { tokio::join!(sending, reading) }).await;
    assert_eq!((sent, read), (Ok(()), FLOOD_OCTETS));
}

#[tokio::test]
async fn over_tcp_a_user_that_does_not_read_makes_the_pool_element_wait_and_loses_nothing() {
    let (_registrar, at, user) = start().await;
    let mut element = element(&at)
        .serve_by(DataTransport::Tcp)
        .register()
        .await
        .unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let connection = soon("the user", element.accept()).await.unwrap();
    let sending = tokio::spawn(async move {
        for number in 0..FLOOD_OCTETS / FLOOD_MESSAGE {
            connection.send(flood_message(number)).await?;
        }
        connection.close().await;
        Ok::<(), SendFailed>(())
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!sending.is_finished(), "what nobody reads is not taken");
    let mut at = 0;
    while at < FLOOD_OCTETS {
        let event = soon("the flood", session.recv()).await.unwrap();
        let SessionEvent::Message(received) = event else {
            panic!("{event:?}");
        };
        check_flood(at, &received.data);
        at += received.data.len();
    }
    drop(session);
    soon("the end", sending).await.unwrap().unwrap();
}

async fn until_moved(session: &mut Session) -> SessionEvent {
    loop {
        let event = soon("the failover", session.recv()).await.unwrap();
        if !matches!(event, SessionEvent::Message(_)) {
            return event;
        }
    }
}

#[tokio::test]
async fn draining_a_tcp_pool_element_refuses_new_users_and_moves_those_that_stay() {
    let (_registrar, at, user) = start().await;
    let mut leaving = element(&at)
        .serve_by(DataTransport::Tcp)
        .register()
        .await
        .unwrap();
    let (leaving_id, port) = (leaving.id(), leaving.endpoints().user_port);
    let mut session = user.connect("echo").await.unwrap();
    let mut connection = soon("the user", leaving.accept()).await.unwrap();
    let staying = element(&at)
        .serve_by(DataTransport::Tcp)
        .register()
        .await
        .unwrap();
    let staying_id = staying.id();
    serve_echo(staying);
    let drained = tokio::spawn(leaving.drain(Duration::from_millis(300)));
    connection.send("before the end").await.unwrap();
    let answer = soon("the last words", session.recv()).await.unwrap();
    assert!(
        matches!(answer, SessionEvent::Message(received) if received.data == b"before the end")
    );
    let event = until_moved(&mut session).await;
    assert_failover(&[event], leaving_id, staying_id);
    assert_eq!(soon("the end", connection.recv()).await, None);
    let drained = soon("draining", drained).await.unwrap();
    assert_eq!((drained.finished, drained.moved), (0, 1));
    let refused = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}
