//! Slow peers: over SCTP as over TCP, an application that does not read slows its sender, and
//! nobody else (RFC 9260 §6.1).

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::{PATIENCE, ask, element, element_count, registrar, sctp, soon, user};
use rserpool::{EventReceiver, NetworkEvent, NodeEvent, PoolElement, SendFailed, SessionEvent};
use std::time::{Duration, Instant};
use tokio::time::timeout;

const MESSAGE_OCTETS: usize = 32 << 10;

/// What may be on its way: 256 KiB queued at the sender, the receive window of 128 KiB, as much
/// again handed over while it closes, and 256 KiB for the application, and one message each.
const ON_ITS_WAY_MAX: usize = 1 << 20;

/// A sender that has waited for so long waits for room.
const STALLED: Duration = Duration::from_secs(1);

/// Several times what a silent peer has until it is lost.
const LONG: Duration = Duration::from_secs(4);

fn numbered(number: u32) -> Vec<u8> {
    let mut data = number.to_be_bytes().to_vec();
    data.resize(MESSAGE_OCTETS, 7);
    data
}

fn number_of(data: &[u8]) -> u32 {
    assert_eq!(data.len(), MESSAGE_OCTETS);
    u32::from_be_bytes(*data.first_chunk().unwrap())
}

/// How many messages get away until the sender has to wait.
async fn flood(send: impl AsyncFn(u32) -> Result<(), SendFailed>) -> u32 {
    for number in 0_u32.. {
        match timeout(STALLED, send(number)).await {
            Ok(sent) => sent.unwrap(),
            Err(_) => return number,
        }
        let octets = (usize::try_from(number).unwrap() + 1) * MESSAGE_OCTETS;
        assert!(octets <= ON_ITS_WAY_MAX, "{octets} octets, and no end");
    }
    unreachable!("the loop returns")
}

async fn assert_nobody_was_ended<E: Clone + std::fmt::Debug>(events: &mut EventReceiver<E>) {
    while let Ok(event) = timeout(Duration::from_millis(5), events.recv()).await {
        let ended = matches!(
            event,
            Some(NodeEvent::Network(NetworkEvent::NotTaken { .. }))
        );
        assert!(!ended, "{event:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_read_slows_its_user_alone() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let builder = element(&at);
    let mut serving: PoolElement = builder.register().await.unwrap();
    let mut events = serving.events();
    let user = user(&at).start().await.unwrap();
    let slowed = user.connect("echo").await.unwrap();
    let mut busy = soon("accept", serving.accept()).await.unwrap();
    let mut other = user.connect("echo").await.unwrap();
    let other_connection = soon("accept", serving.accept()).await.unwrap();
    tokio::spawn(common::echo(other_connection, "other".into()));

    let sender = slowed.sender();
    let count = flood(async |number| sender.send(numbered(number)).await).await;
    println!(
        "{} octets were on their way",
        usize::try_from(count).unwrap() * MESSAGE_OCTETS
    );
    let since = Instant::now();
    while since.elapsed() < LONG {
        assert_eq!(ask(&mut other, "well?").await.0, "other well?");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(element_count(&registrar).await, 1);
    let waiting = tokio::spawn(async move { sender.send(numbered(count)).await });
    for number in 0..=count {
        let received = soon("a message", busy.recv()).await.unwrap();
        assert_eq!(number_of(&received.data), number);
    }
    soon("room", waiting).await.unwrap().unwrap();
    assert_nobody_was_ended(&mut events).await;
}

#[tokio::test]
async fn a_user_that_does_not_read_slows_its_server_and_cookies_keep_their_place() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut serving = element(&at).register().await.unwrap();
    let user = user(&at).start().await.unwrap();
    let mut events = user.events();
    let mut slow = user.connect("echo").await.unwrap();
    let connection = soon("accept", serving.accept()).await.unwrap();
    let connection = &connection;
    let count = flood(async |number| connection.send(numbered(number)).await).await;
    let waits = timeout(STALLED, connection.send_cookie(*b"after all that")).await;
    let late = waits.is_err();
    let read = async {
        for number in 0..count {
            let event = timeout(PATIENCE, slow.recv()).await.unwrap().unwrap();
            let SessionEvent::Message(received) = event else {
                panic!("{event:?}");
            };
            assert_eq!(number_of(&received.data), number);
        }
    };
    read.await;
    if late {
        let sent = soon("room", connection.send_cookie(*b"after all that"));
        sent.await.unwrap();
    }
    assert_nobody_was_ended(&mut events).await;
}

#[tokio::test]
async fn a_sender_that_waits_learns_that_its_reader_is_gone() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut serving = element(&at).register().await.unwrap();
    let user = user(&at).start().await.unwrap();
    let session = user.connect("echo").await.unwrap();
    let connection = soon("accept", serving.accept()).await.unwrap();
    let connection = &connection;
    let count = flood(async |number| connection.send(numbered(number)).await).await;
    drop(session);
    let end = async {
        for number in count.. {
            if let Err(error) = connection.send(numbered(number)).await {
                return error;
            }
        }
        unreachable!("the loop returns")
    };
    assert_eq!(soon("the end", end).await, SendFailed::Closed);
}
