//! What a session does with messages whose pool element fails (RFC 5352 §6.5.5, RFC 5351 §2.3).

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::echo_process::{self, echo_process};
use common::{registrar, sctp, soon, user};
use rserpool::{OnFailover, PoolElementId, SendFailed, Session, SessionEvent, SessionMessage};
use std::time::Duration;

#[tokio::test]
#[ignore = "a process of the other tests"]
async fn echo_element_process() {
    echo_process::serve().await;
}

fn message(text: &str, on_failover: OnFailover) -> SessionMessage {
    SessionMessage::new(text).ppid(7).on_failover(on_failover)
}

/// The next answer, without the name of who gave it.
async fn answer(session: &mut Session) -> String {
    let event = soon("an answer", session.recv()).await.unwrap();
    let SessionEvent::Message(received) = event else {
        panic!("{event:?}");
    };
    let text = String::from_utf8(received.data).unwrap();
    text.rsplit(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn send_failover_what_a_killed_pool_element_may_not_have_goes_to_the_next_in_its_order() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let (mut process, first) = echo_process(&at).await;
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    session
        .send_message(message("arrived", OnFailover::Resend))
        .await
        .unwrap();
    assert_eq!(answer(&mut session).await, "arrived");
    let (_other, second) = echo_process(&at).await;

    // It takes nothing any more, and does not say so.
    process.stop();
    for number in 0..20 {
        let text = number.to_string();
        let message = message(&text, OnFailover::Resend);
        session.send_message(message).await.unwrap();
    }
    for (text, on_failover) in [
        ("forgotten", OnFailover::Forget),
        ("returned", OnFailover::Return),
        ("last", OnFailover::Resend),
    ] {
        let message = message(text, on_failover);
        session.send_message(message).await.unwrap();
    }
    process.kill();

    let event = soon("the failover", session.recv()).await.unwrap();
    let SessionEvent::Failover { from, to, .. } = event else {
        panic!("{event:?}");
    };
    assert_eq!((from, to), (first, second));
    // What rebuilds its state is before what is sent again.
    session.send("state").await.unwrap();
    let returned = message("returned", OnFailover::Return);
    let event = soon("what is returned", session.recv()).await.unwrap();
    assert_eq!(event, SessionEvent::Undelivered(returned));
    assert_eq!(answer(&mut session).await, "state");
    for number in 0..20 {
        assert_eq!(answer(&mut session).await, number.to_string());
    }
    assert_eq!(answer(&mut session).await, "last");
    session.send("end").await.unwrap();
    assert_eq!(answer(&mut session).await, "end", "nothing comes twice");
    assert_eq!(session.take_undelivered(), []);
}

#[tokio::test]
async fn a_slow_pool_element_makes_the_sender_wait_and_nothing_is_lost_when_it_fails() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let (mut process, _) = echo_process(&at).await;
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    session.send("x").await.unwrap();
    assert_eq!(answer(&mut session).await, "x");
    let (_other, _) = echo_process(&at).await;

    process.stop();
    let mut sent = 0;
    let payload = "x".repeat(4096);
    loop {
        let message = message(&format!("{payload}-{sent}"), OnFailover::Resend);
        let send = session.send_message(message);
        // Cancelled, it sends nothing.
        if tokio::time::timeout(Duration::from_millis(200), send)
            .await
            .is_err()
        {
            break;
        }
        sent += 1;
        assert!(sent <= 64, "256 KiB are on their way at most");
    }
    assert!(sent > 32);
    process.kill();
    let event = soon("the failover", session.recv()).await.unwrap();
    assert!(matches!(event, SessionEvent::Failover { .. }), "{event:?}");
    for number in 0..sent {
        assert_eq!(answer(&mut session).await, format!("{payload}-{number}"));
    }
}

#[tokio::test]
async fn what_nobody_takes_any_more_is_given_back_when_the_session_is_lost() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let (mut process, _) = echo_process(&at).await;
    let mut timers = rserpool::Timers::default();
    timers.session.give_up_after = Duration::from_millis(300);
    let user = user(&at).timers(timers).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    process.stop();
    let kept = [
        message("again", OnFailover::Resend),
        message("back", OnFailover::Return),
    ];
    for message in &kept {
        session.send_message(message.clone()).await.unwrap();
    }
    process.kill();
    soon("the loss", session.recv()).await.unwrap_err();
    assert_eq!(session.take_undelivered(), kept);
    let late = message("late", OnFailover::Resend);
    assert_eq!(session.send_message(late).await, Err(SendFailed::Closed));
}

/// All in one thread: what is sent meanwhile is lost with its pool element, and at once.
#[tokio::test]
async fn who_sends_without_end_keeps_nobody_from_taking_the_failover() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let (mut process, _) = echo_process(&at).await;
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let (_other, second) = echo_process(&at).await;
    let sender = session.sender();
    let sending = tokio::spawn(async move { while sender.send("x").await.is_ok() {} });
    process.kill();
    let to = loop {
        let event = soon("the failover", session.recv()).await.unwrap();
        if let SessionEvent::Failover { to, .. } = event {
            break to;
        }
    };
    assert_eq!(to, second);
    drop(session);
    soon("the end", sending).await.unwrap();
}

#[tokio::test]
async fn with_manual_failover_nothing_happens_until_it_is_wanted() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let (mut process, first) = echo_process(&at).await;
    let user = user(&at).start().await.unwrap();
    let begin = user.session("echo").manual_failover().connect();
    let mut session = begin.await.unwrap();
    let (_other, second) = echo_process(&at).await;
    process.kill();
    let event = soon("the failure", session.recv()).await.unwrap();
    assert_eq!(event, SessionEvent::FailoverNecessary { from: first });
    let nothing = tokio::time::timeout(Duration::from_millis(300), session.recv());
    assert!(nothing.await.is_err());
    let kept = message("kept", OnFailover::Resend);
    session.send_message(kept).await.unwrap();

    session.failover();
    let event = soon("the failover", session.recv()).await.unwrap();
    let SessionEvent::Failover { from, to, .. } = event else {
        panic!("{event:?}");
    };
    assert_eq!((from, to), (first, second));
    assert_eq!(answer(&mut session).await, "kept");
    assert_eq!(session.element().id, second);
}

#[tokio::test]
async fn with_manual_failover_a_pool_element_that_serves_can_be_left() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let (_process, first) = echo_process(&at).await;
    let user = user(&at).start().await.unwrap();
    let begin = user.session("echo").manual_failover().connect();
    let mut session = begin.await.unwrap();
    let (_other, second) = echo_process(&at).await;
    user.purge_cache("echo").await;
    session.failover();
    let event = soon("the end of the association", session.recv()).await;
    let necessary = SessionEvent::FailoverNecessary { from: first };
    assert_eq!(event.unwrap(), necessary);
    let event = soon("the failover", session.recv()).await.unwrap();
    let SessionEvent::Failover { from, to, .. } = event else {
        panic!("{event:?}");
    };
    // The policy may choose the same again.
    assert_eq!(from, first);
    assert!(to == first || to == second);
}

#[tokio::test]
async fn section_6_5_3_a_session_begins_at_the_pool_element_that_is_asked_for() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut processes = Vec::new();
    for _ in 0..3 {
        processes.push(echo_process(&at).await);
    }
    let user = user(&at).start().await.unwrap();
    for (_, id) in processes.iter().chain(&processes) {
        let session = user.session("echo").pool_element(*id).connect();
        assert_eq!(session.await.unwrap().element().id, *id);
    }
    let nobody = PoolElementId(0xdead);
    let session = user.session("echo").pool_element(nobody).connect();
    assert_eq!(
        session.await.unwrap_err(),
        rserpool::ConnectFailed::Unreachable(nobody)
    );
}
