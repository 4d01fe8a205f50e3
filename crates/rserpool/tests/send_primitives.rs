//! The ways of sending that are no session (RFC 5352 §6.5): each message by itself, to all, to a
//! transport address; and the state that the application rebuilds after a failover.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::echo_process::{self, echo_process};
use common::{element, registrar, sctp, serve_echo, soon, user};
use rserpool::{
    ConnectFailed, OnFailover, PoolElementId, PoolEvent, PoolSendFailed, PoolSender, PoolUser,
    Registrar, RegistrarAddress, SendFailed, Session, SessionEvent, SessionMessage,
    TransportAddress,
};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
#[ignore = "a process of the other tests"]
async fn echo_element_process() {
    echo_process::serve().await;
}

async fn start() -> (Registrar, RegistrarAddress, PoolUser) {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let user = user(&at).start().await.unwrap();
    (registrar, at, user)
}

/// Pool elements of this process that echo.
async fn echo_elements(at: &RegistrarAddress, count: usize) -> Vec<PoolElementId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let element = element(at).register().await.unwrap();
        ids.push(element.id());
        serve_echo(element);
    }
    ids
}

/// The next answer, and that it is from whom it says.
async fn answer(pool: &mut PoolSender) -> (PoolElementId, String) {
    let event = soon("an answer", pool.recv()).await;
    let PoolEvent::Message { from, received } = event else {
        panic!("{event:?}");
    };
    let text = String::from_utf8(received.data).unwrap();
    let (name, text) = text.split_once(' ').unwrap();
    assert_eq!(name, from.to_string());
    (from, text.to_owned())
}

fn message(text: &str, on_failover: OnFailover) -> SessionMessage {
    SessionMessage::new(text).on_failover(on_failover)
}

#[tokio::test]
async fn section_6_5_2_each_message_is_for_whom_the_policy_selects() {
    let (_registrar, at, user) = start().await;
    let elements = echo_elements(&at, 3).await;
    let mut pool = user.pool("echo");
    let mut sent = BTreeMap::new();
    for number in 0..9 {
        let to = pool.send(number.to_string()).await.unwrap();
        *sent.entry(to).or_insert(0) += 1;
        assert_eq!(answer(&mut pool).await, (to, number.to_string()));
    }
    // Round robin.
    let expected: BTreeMap<_, _> = elements.into_iter().map(|id| (id, 3)).collect();
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn section_6_5_3_to_a_pool_element_and_send_to_last_to_the_same() {
    let (_registrar, at, user) = start().await;
    let elements = echo_elements(&at, 3).await;
    let mut pool = user.pool("echo");
    for &id in elements.iter().rev() {
        pool.send_to(id, "to one").await.unwrap();
        assert_eq!(answer(&mut pool).await, (id, "to one".to_owned()));
        for _ in 0..2 {
            assert_eq!(pool.send_to_last("to last").await, Ok(id));
            assert_eq!(answer(&mut pool).await, (id, "to last".to_owned()));
        }
    }
    let nobody = PoolElementId(0xdead);
    let unreachable = PoolSendFailed::Connect(ConnectFailed::Unreachable(nobody));
    assert_eq!(pool.send_to(nobody, "x").await, Err(unreachable));
    let empty = pool.send("").await;
    assert_eq!(empty, Err(PoolSendFailed::Send(SendFailed::Empty)));
}

#[tokio::test]
async fn section_6_5_5_send_to_all_goes_to_all_but_oneself_and_send_to_self_to_it_too() {
    let (_registrar, at, user) = start().await;
    let mut elements = echo_elements(&at, 4).await;
    elements.sort_unstable();
    let mut pool = user.pool("echo");
    let own = elements[1];
    pool.add_own(own);
    for to_self in [false, true] {
        let mut expected = elements.clone();
        let sent = if to_self {
            pool.send_to_all_and_self("to all").await.unwrap()
        } else {
            expected.retain(|id| *id != own);
            pool.send_to_all("to all").await.unwrap()
        };
        assert_eq!(sent.failed, []);
        let mut answered = Vec::new();
        for _ in &expected {
            let (from, text) = answer(&mut pool).await;
            assert_eq!(text, "to all");
            answered.push(from);
        }
        answered.sort_unstable();
        let mut to = sent.to;
        to.sort_unstable();
        assert_eq!((&to, &answered), (&expected, &expected));
    }
}

#[tokio::test]
async fn what_a_killed_pool_element_may_not_have_goes_to_another_or_comes_back() {
    let (_registrar, at, user) = start().await;
    let (mut process, first) = echo_process(&at).await;
    let mut pool = user.pool("echo");
    assert_eq!(pool.send("begin").await, Ok(first));
    assert_eq!(answer(&mut pool).await, (first, "begin".to_owned()));
    let (_other, second) = echo_process(&at).await;
    process.stop();
    for (text, on_failover) in [
        ("again", OnFailover::Resend),
        ("back", OnFailover::Return),
        ("gone", OnFailover::Forget),
    ] {
        pool.send_to(first, message(text, on_failover))
            .await
            .unwrap();
    }
    process.kill();
    let event = soon("the end", pool.recv()).await;
    assert_eq!(event, PoolEvent::Ended { element: first });
    let event = soon("what comes back", pool.recv()).await;
    let back = message("back", OnFailover::Return);
    assert_eq!(
        event,
        PoolEvent::Undelivered {
            to: first,
            message: back
        }
    );
    assert_eq!(answer(&mut pool).await, (second, "again".to_owned()));
    assert_eq!(pool.send("end").await, Ok(second));
    assert_eq!(
        answer(&mut pool).await,
        (second, "end".to_owned()),
        "nothing comes twice"
    );
}

#[tokio::test]
async fn send_to_all_tells_whom_it_did_not_reach_and_is_not_sent_to_another() {
    let (_registrar, at, user) = start().await;
    let (mut process, first) = echo_process(&at).await;
    let (_other, second) = echo_process(&at).await;
    let mut pool = user.pool("echo");
    let sent = pool.send_to_all("begin").await.unwrap();
    assert_eq!((sent.to.len(), sent.failed), (2, vec![]));
    for _ in 0..2 {
        answer(&mut pool).await;
    }
    process.stop();
    let to_all = message("to all", OnFailover::Resend);
    pool.send_to_all(to_all).await.unwrap();
    assert_eq!(answer(&mut pool).await, (second, "to all".to_owned()));
    process.kill();
    let event = soon("the end", pool.recv()).await;
    assert_eq!(event, PoolEvent::Ended { element: first });
    let event = soon("the report", pool.recv()).await;
    let not_delivered = message("to all", OnFailover::Return);
    assert_eq!(
        event,
        PoolEvent::Undelivered {
            to: first,
            message: not_delivered
        }
    );
    pool.send_to(second, "end").await.unwrap();
    assert_eq!(
        answer(&mut pool).await,
        (second, "end".to_owned()),
        "the other has it once"
    );
}

#[tokio::test]
async fn a_pool_without_pool_elements_is_an_error_and_what_was_for_it_comes_back() {
    let (_registrar, at, user) = start().await;
    let mut pool = user.pool("echo");
    assert!(matches!(
        pool.send("x").await,
        Err(PoolSendFailed::Connect(_))
    ));
    assert!(matches!(
        pool.send_to_all("x").await,
        Err(PoolSendFailed::Connect(_))
    ));
    let (mut process, first) = echo_process(&at).await;
    assert_eq!(pool.send("begin").await, Ok(first));
    answer(&mut pool).await;
    process.stop();
    let kept = message("kept", OnFailover::Resend);
    pool.send(kept.clone()).await.unwrap();
    process.kill();
    let event = soon("the end", pool.recv()).await;
    assert_eq!(event, PoolEvent::Ended { element: first });
    let event = soon("the report", pool.recv()).await;
    assert_eq!(
        event,
        PoolEvent::Undelivered {
            to: first,
            message: kept
        }
    );
}

/// The next event that is no message.
async fn news(pool: &mut PoolSender) -> PoolEvent {
    loop {
        let event = soon("news", pool.recv()).await;
        if !matches!(event, PoolEvent::Message { .. }) {
            return event;
        }
    }
}

#[tokio::test]
async fn section_6_7_an_error_report_says_to_whom_the_message_was_sent() {
    let (_registrar, at, user) = start().await;
    let (mut process, first) = echo_process(&at).await;
    let (mut other, second) = echo_process(&at).await;
    let mut pool = user.pool("echo");
    pool.send_to_all("begin").await.unwrap();
    for _ in 0..2 {
        answer(&mut pool).await;
    }
    process.stop();
    let kept = message("kept", OnFailover::Resend);
    pool.send_to(first, kept.clone()).await.unwrap();
    pool.send_to(second, "to another one later").await.unwrap();
    other.kill();
    assert_eq!(news(&mut pool).await, PoolEvent::Ended { element: second });
    process.kill();
    assert_eq!(news(&mut pool).await, PoolEvent::Ended { element: first });
    let (to, message) = (first, kept);
    assert_eq!(
        news(&mut pool).await,
        PoolEvent::Undelivered { to, message }
    );
}

#[tokio::test]
async fn what_a_pool_element_may_not_have_is_told_after_the_answers_that_wait() {
    let (_registrar, at, user) = start().await;
    for _ in 0..6 {
        let (mut process, first) = echo_process(&at).await;
        let mut pool = user.pool("echo");
        // More answers than wait for who does not take them: the news comes after them.
        for _ in 0..200 {
            pool.send_to(first, "answered").await.unwrap();
        }
        for _ in 0..100 {
            answer(&mut pool).await;
        }
        process.stop();
        let kept = message("kept", OnFailover::Return);
        pool.send_to(first, kept.clone()).await.unwrap();
        process.kill();
        let gone = async { while pool.send_to(first, "lost").await.is_ok() {} };
        soon("its end", gone).await;
        assert_eq!(news(&mut pool).await, PoolEvent::Ended { element: first });
        let (to, message) = (first, kept);
        assert_eq!(
            news(&mut pool).await,
            PoolEvent::Undelivered { to, message }
        );
    }
}

#[tokio::test]
async fn section_6_5_4_a_transport_address_is_reached_past_all_pools() {
    let (_registrar, at, user) = start().await;
    let element = element(&at).register().await.unwrap();
    let endpoints = element.endpoints().clone();
    serve_echo(element);
    let address = TransportAddress::sctp(endpoints.addresses, endpoints.sctp_port);
    let session = user.connect_to(address.udp_port(endpoints.udp_port)).await;
    let mut session = session.unwrap();
    session.send_with(3, 7, "hello").await.unwrap();
    let event = soon("an answer", session.recv()).await.unwrap();
    assert!(matches!(event, SessionEvent::Message(received) if received.data.ends_with(b" hello")));

    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = TransportAddress::tcp(listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 5];
        stream.read_exact(&mut request).unwrap();
        stream.write_all(b"world").unwrap();
    });
    let mut session = user.connect_to(address.clone()).await.unwrap();
    session.send("hello").await.unwrap();
    let event = soon("an answer", session.recv()).await.unwrap();
    assert!(matches!(event, SessionEvent::Message(received) if received.data == b"world"));
    server.join().unwrap();
    // No endpoint failover is supported.
    soon("the end", session.recv()).await.unwrap_err();
    let nobody = user.connect_to(address).await.unwrap_err();
    assert_eq!(nobody, ConnectFailed::Unreachable(PoolElementId(0)));
}

/// The next answer, without the name of who gave it.
async fn next(session: &mut Session) -> String {
    let event = soon("an answer", session.recv()).await.unwrap();
    let SessionEvent::Message(received) = event else {
        panic!("{event:?}");
    };
    let text = String::from_utf8(received.data).unwrap();
    text.rsplit(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_state_that_the_application_rebuilds_comes_before_all_else_after_a_failover() {
    let (_registrar, at, user) = start().await;
    let (mut process, first) = echo_process(&at).await;
    let rebuilt = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&rebuilt);
    let begin = user.session("echo").rebuild(move |sender| {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        async move {
            assert!(!sender.cookie_echoed());
            for part in 0..3 {
                sender.send(format!("state-{number}-{part}")).await.unwrap();
                // Others have every chance to come between.
                tokio::task::yield_now().await;
            }
        }
    });
    let mut session = begin.connect().await.unwrap();
    session.send("begin").await.unwrap();
    assert_eq!(next(&mut session).await, "begin");
    assert_eq!(
        rebuilt.load(Ordering::Relaxed),
        0,
        "nothing is rebuilt where it begins"
    );
    let (_other, second) = echo_process(&at).await;
    process.stop();
    for text in ["one", "two"] {
        session
            .send_message(message(text, OnFailover::Resend))
            .await
            .unwrap();
    }
    let sender = session.sender();
    process.kill();
    let other_task = tokio::spawn(async move {
        sender
            .send_message(message("three", OnFailover::Resend))
            .await
    });
    let event = soon("the failover", session.recv()).await.unwrap();
    let SessionEvent::Failover { from, to, .. } = event else {
        panic!("{event:?}");
    };
    assert_eq!((from, to), (first, second));
    for part in 0..3 {
        assert_eq!(next(&mut session).await, format!("state-1-{part}"));
    }
    for text in ["one", "two", "three"] {
        assert_eq!(next(&mut session).await, text);
    }
    other_task.await.unwrap().unwrap();
}
