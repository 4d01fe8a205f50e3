//! What a pool user tells about its sessions, beside what each tells its application.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::echo_process::{self, echo_process};
use common::{element, registrar, sctp, serve_echo, soon, user};
use rserpool::{
    DataTransport, EventReceiver, NodeEvent, PoolElementId, PoolHandle, SessionEvent, SessionNews,
    UserProtocol,
};
use std::net::TcpListener;
use std::time::Duration;

#[tokio::test]
#[ignore = "a process of the other tests"]
async fn echo_element_process() {
    echo_process::serve().await;
}

/// The next one that is not again that somebody refuses.
async fn next<E: Clone>(
    events: &mut EventReceiver<E>,
    known: Option<PoolElementId>,
) -> SessionNews {
    soon("a notification", async {
        loop {
            let NodeEvent::Session(session) = events.recv().await.unwrap() else {
                continue;
            };
            assert_eq!(session.pool_handle, PoolHandle::from("echo"));
            if !matches!(session.what, SessionNews::Refused { by } if Some(by) == known) {
                return session.what;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_session_is_added_fails_over_is_refused_and_removed() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let by_tcp = || element(&at).serve_by(DataTransport::Tcp);
    let mut leaving = by_tcp().register().await.unwrap();
    let first = leaving.id();
    let user = user(&at).start().await.unwrap();
    let mut events = user.events();
    let mut session = user.connect("echo").await.unwrap();
    let connection = soon("accept", leaving.accept()).await.unwrap();
    let added = SessionNews::Added {
        with: first,
        transport: DataTransport::Tcp,
    };
    assert_eq!(next(&mut events, None).await, added);

    // It is registered, and nobody is there.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let absent = element(&at).own_transport(UserProtocol::Tcp, port);
    let absent = absent.register().await.unwrap();
    leaving.deregister().await;
    drop(connection);
    let necessary = SessionNews::FailoverNecessary { from: first };
    assert_eq!(next(&mut events, None).await, necessary);
    let refused = SessionNews::Refused { by: absent.id() };
    assert_eq!(next(&mut events, None).await, refused);

    let serving = by_tcp().register().await.unwrap();
    let second = serving.id();
    let _serving = serve_echo(serving);
    let done = next(&mut events, Some(absent.id())).await;
    let SessionNews::FailoverDone { from, to, after } = done else {
        panic!("{done:?}");
    };
    assert_eq!((from, to), (first, second));
    assert!(after > Duration::ZERO);
    let event = soon("the failover", session.recv()).await.unwrap();
    assert!(matches!(event, SessionEvent::Failover { .. }), "{event:?}");

    drop(session);
    let removed = SessionNews::Removed { with: second };
    assert_eq!(next(&mut events, None).await, removed);
}

#[tokio::test]
async fn a_session_without_a_pool_element_for_too_long_is_lost() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let (mut process, only) = echo_process(&at).await;
    let mut timers = rserpool::Timers::default();
    timers.session.give_up_after = Duration::from_millis(100);
    let user = user(&at).timers(timers).start().await.unwrap();
    let mut events = user.events();
    let mut session = user.connect("echo").await.unwrap();
    process.kill();
    soon("the loss", session.recv()).await.unwrap_err();
    let mut told = Vec::new();
    while told.last() != Some(&SessionNews::Lost { with: only }) {
        told.push(next(&mut events, Some(only)).await);
    }
    let added = SessionNews::Added {
        with: only,
        transport: DataTransport::Sctp,
    };
    let necessary = SessionNews::FailoverNecessary { from: only };
    assert_eq!(told, [added, necessary, SessionNews::Lost { with: only }]);
}

/// Its association ends, too; but the pool element serves well, and may be selected again.
#[tokio::test]
async fn a_session_that_its_application_drops_does_not_fail_over() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let serving = element(&at).register().await.unwrap();
    let id = serving.id();
    let _serving = serve_echo(serving);
    let user = user(&at).start().await.unwrap();
    let mut events = user.events();
    for _ in 0..16 {
        let session = user.connect("echo").await.unwrap();
        let added = next(&mut events, None).await;
        assert!(matches!(added, SessionNews::Added { .. }), "{added:?}");
        drop(session);
        // The association has ended before anybody of this runtime looks.
        std::thread::sleep(Duration::from_millis(20));
        let removed = SessionNews::Removed { with: id };
        assert_eq!(next(&mut events, None).await, removed);
    }
}
