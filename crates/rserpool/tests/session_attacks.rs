//! What hostile, slow and impatient ones do to sessions, and what must hold all the same.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::{ask, element, registrar, sctp, serve_echo, soon, until_count, user};
use rserpool::{
    BusinessCard, ConnectFailed, Connection, DataTransport, NetworkEvent, NodeEvent, OnFailover,
    PoolElement, PoolElementId, PoolUser, Registrar, RegistrarAddress, ResolveFailed, SendFailed,
    Session, SessionEvent, SessionMessage, Timers,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;

async fn start() -> (Registrar, RegistrarAddress, PoolUser) {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    // A host that is short of processor time as well is not what these tests are about.
    let mut timers = Timers::default();
    timers.session.connect_timeout = Duration::from_secs(5);
    let user = user(&at).timers(timers).start().await.unwrap();
    (registrar, at, user)
}

/// Numbers without any pattern, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Counts the connections that are open.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Echo; the number of connections that are open.
fn serve_counted(mut element: PoolElement) -> Arc<AtomicUsize> {
    let count = Arc::<AtomicUsize>::default();
    let open = Arc::clone(&count);
    tokio::spawn(async move {
        while let Some(connection) = element.accept().await {
            let open = Open::new(&open);
            tokio::spawn(async move {
                common::echo(connection, "echo".into()).await;
                drop(open);
            });
        }
    });
    count
}

async fn until_none(open: &AtomicUsize) {
    soon("the end of all connections", async {
        while open.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

async fn failover(session: &mut Session) -> (PoolElementId, PoolElementId) {
    let event = soon("the failover", session.recv()).await.unwrap();
    let SessionEvent::Failover { from, to, .. } = event else {
        panic!("{event:?}");
    };
    (from, to)
}

fn resend(text: &str) -> SessionMessage {
    SessionMessage::new(text).on_failover(OnFailover::Resend)
}

// Pools that change under a session.

#[tokio::test]
async fn what_the_next_user_transport_does_not_take_is_given_back_and_hinders_nothing() {
    let (registrar, at, user) = start().await;
    let mut first = element(&at).register().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let connection = soon("accept", first.accept()).await.unwrap();
    soon("deregister", first.deregister()).await;
    soon("close", connection.close()).await;
    until_count(&registrar, 0).await;
    let on_a_stream = resend("stream 3").stream(3);
    session.send_message(on_a_stream.clone()).await.unwrap();
    session.send_message(resend("plain")).await.unwrap();
    // The pool is empty: its next pool elements may serve by something else.
    let builder = element(&at).serve_by(DataTransport::Tcp);
    let _second = serve_echo(builder.register().await.unwrap());
    failover(&mut session).await;
    let event = soon("what is given back", session.recv()).await.unwrap();
    assert_eq!(event, SessionEvent::Undelivered(on_a_stream.clone()));
    let event = soon("the answer", session.recv()).await.unwrap();
    assert!(matches!(event, SessionEvent::Message(received) if received.data.ends_with(b"plain")));
    let refused = session.send_message(on_a_stream).await;
    assert_eq!(refused, Err(SendFailed::NotSctp));
}

#[tokio::test]
async fn a_session_follows_a_pool_element_that_registers_again_elsewhere_under_its_identifier() {
    let (registrar, at, user) = start().await;
    let id = PoolElementId(0x1234_5678);
    let mut first = element(&at).id(id).register().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let connection = soon("accept", first.accept()).await.unwrap();
    let before = session.element().address;
    soon("deregister", first.deregister()).await;
    let second = element(&at).id(id).register().await.unwrap();
    let _second = serve_echo(second);
    until_count(&registrar, 1).await;
    assert_eq!(session.element().address, before, "it goes on where it is");
    connection.send("last words").await.unwrap();
    soon("close", connection.close()).await;
    let event = soon("the last words", session.recv()).await.unwrap();
    assert!(matches!(event, SessionEvent::Message(_)), "{event:?}");
    assert_eq!(failover(&mut session).await, (id, id));
    assert_ne!(session.element().address, before);
    assert!(ask(&mut session, "here?").await.0.ends_with("here?"));
}

#[tokio::test]
async fn a_pool_that_is_emptied_and_filled_again_keeps_its_sessions() {
    let (registrar, at, user) = start().await;
    let mut session: Option<Session> = None;
    for _ in 0..3 {
        let mut serving = element(&at).register().await.unwrap();
        until_count(&registrar, 1).await;
        match &mut session {
            None => session = Some(user.connect("echo").await.unwrap()),
            Some(session) => drop(failover(session).await),
        }
        let session = session.as_mut().unwrap();
        session.send("hello").await.unwrap();
        let connection = loop {
            let mut connection = soon("accept", serving.accept()).await.unwrap();
            // One that took too long to come up has been given up, and ends without a word.
            if let Some(received) = soon("hello", connection.recv()).await {
                assert_eq!(received.data, b"hello");
                break connection;
            }
        };
        soon("deregister", serving.deregister()).await;
        soon("close", connection.close()).await;
        until_count(&registrar, 0).await;
    }
}

// Pool elements that take users and end them at once.

/// How many failovers there are in a row, and how long each takes at least on average: two in a
/// row may be at once, then each pool element is given its time.
const FAILOVERS: u32 = 8;

#[tokio::test]
async fn pool_elements_that_close_at_once_are_not_asked_again_without_a_pause() {
    let (_registrar, at, user) = start().await;
    for _ in 0..2 {
        let mut closing = element(&at).register().await.unwrap();
        tokio::spawn(async move { while closing.accept().await.is_some() {} });
    }
    let begun = Instant::now();
    let mut session = user.connect("echo").await.unwrap();
    for _ in 0..FAILOVERS {
        failover(&mut session).await;
    }
    let pauses = Duration::from_millis(90) * (FAILOVERS - 2);
    assert!(begun.elapsed() > pauses, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn pool_elements_that_abort_at_once_are_not_asked_again_without_a_pause() {
    let (_registrar, at, user) = start().await;
    for _ in 0..2 {
        // Whoever sends something is aborted.
        let builder = element(&at).unread_octets_max(0);
        let mut aborting = builder.register().await.unwrap();
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Some(connection) = aborting.accept().await {
                held.push(connection);
            }
        });
    }
    let begun = Instant::now();
    let rebuilding = user.session("echo").rebuild(|to| async move {
        // Aborted, it is sent to the next one.
        let _ = to.send("state").await;
    });
    let mut session = rebuilding.connect().await.unwrap();
    session.send("hello").await.unwrap();
    for _ in 0..FAILOVERS {
        failover(&mut session).await;
    }
    let pauses = Duration::from_millis(90) * (FAILOVERS - 2);
    assert!(begun.elapsed() > pauses, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn failovers_that_nobody_takes_do_not_fill_memory() {
    let (_registrar, at, user) = start().await;
    let mut closing = element(&at).register().await.unwrap();
    let count = Arc::<AtomicUsize>::default();
    let accepted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Some(connection) = closing.accept().await {
            drop(connection);
            accepted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let mut session = user.connect("echo").await.unwrap();
    // One that it begins with, and 16 that the application may not have taken.
    soon("failovers", async {
        while count.load(Ordering::SeqCst) < 17 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(count.load(Ordering::SeqCst), 17);
    for _ in 0..20 {
        failover(&mut session).await;
    }
    assert!(count.load(Ordering::SeqCst) > 17, "taken, it goes on");
}

// Futures that are dropped half-way.

#[tokio::test]
async fn connecting_that_is_given_up_at_any_time_leaves_no_association() {
    let (_registrar, at, user) = start().await;
    let open = serve_counted(element(&at).register().await.unwrap());
    let mut numbers = Numbers(1);
    let (mut begun, mut given_up) = (0, 0);
    for _ in 0..400 {
        let patience = Duration::from_micros(numbers.below(1500));
        match timeout(patience, user.connect("echo")).await {
            Ok(session) => {
                begun += 1;
                drop(session.unwrap());
            }
            Err(_) => given_up += 1,
        }
    }
    println!("{begun} begun, {given_up} given up");
    until_none(&open).await;
    let mut session = user.connect("echo").await.unwrap();
    assert_eq!(ask(&mut session, "still?").await.0, "echo still?");
}

#[tokio::test]
async fn receiving_and_sending_that_is_given_up_at_any_time_loses_and_doubles_nothing() {
    const MESSAGES: u32 = 2000;
    let (_registrar, at, user) = start().await;
    let mut element = element(&at).register().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let mut connection = soon("accept", element.accept()).await.unwrap();
    let echo = tokio::spawn(async move {
        let mut numbers = Numbers(2);
        let mut echoed = 0;
        while echoed < MESSAGES {
            let patience = Duration::from_micros(numbers.below(300));
            if let Ok(received) = timeout(patience, connection.recv()).await {
                connection.send(received.unwrap().data).await.unwrap();
                echoed += 1;
            }
        }
        connection
    });
    let mut numbers = Numbers(3);
    let (mut sent, mut taken) = (0, 0);
    while taken < MESSAGES {
        let patience = Duration::from_micros(numbers.below(300));
        if sent < MESSAGES {
            let on_failover = match numbers.below(2) {
                0 => OnFailover::Forget,
                _ => OnFailover::Resend,
            };
            let padding = usize::try_from(numbers.below(30_000)).unwrap();
            let data = [&sent.to_be_bytes()[..], &vec![0; padding]].concat();
            let message = SessionMessage::new(data).on_failover(on_failover);
            // It waits while too much is under way: what is given up then is not sent.
            if let Ok(done) = timeout(patience, session.send_message(message)).await {
                done.unwrap();
                sent += 1;
            }
        }
        if let Ok(event) = timeout(patience, session.recv()).await {
            let SessionEvent::Message(received) = event.unwrap() else {
                panic!("no failover");
            };
            let number = u32::from_be_bytes(received.data[..4].try_into().unwrap());
            assert_eq!(number, taken, "in order, each once");
            taken += 1;
        }
    }
    soon("the echo", echo).await.unwrap();
}

#[tokio::test]
async fn failing_over_that_is_given_up_at_any_time_loses_nothing_that_is_sent_again() {
    const ROUNDS: usize = 20;
    let (_registrar, at, user) = start().await;
    let open = serve_counted(element(&at).register().await.unwrap());
    let others = serve_counted(element(&at).register().await.unwrap());
    let mut session = user.connect("echo").await.unwrap();
    let mut numbers = Numbers(4);
    for round in 0..ROUNDS {
        session
            .send_message(resend(&format!("{round}")))
            .await
            .unwrap();
        session.report_failure();
        session
            .send_message(resend(&format!("{round}!")))
            .await
            .unwrap();
        let expected = format!("echo {round}!");
        soon("the second answer", async {
            loop {
                let patience = Duration::from_micros(numbers.below(500));
                match timeout(patience, session.recv()).await {
                    Ok(Ok(SessionEvent::Message(received)))
                        if received.data == expected.as_bytes() =>
                    {
                        return;
                    }
                    Ok(event) => drop(event.unwrap()),
                    Err(_) => {}
                }
            }
        })
        .await;
    }
    drop(session);
    until_none(&open).await;
    until_none(&others).await;
}

#[tokio::test]
async fn draining_that_is_given_up_still_leaves_the_pool_and_hinders_nobody() {
    let (registrar, at, user) = start().await;
    let mut numbers = Numbers(5);
    for _ in 0..10 {
        let mut serving = element(&at).register().await.unwrap();
        until_count(&registrar, 1).await;
        let session = user.connect("echo").await.unwrap();
        let mut connection = soon("accept", serving.accept()).await.unwrap();
        let patience = Duration::from_micros(numbers.below(5000));
        let _ = timeout(patience, serving.drain(Duration::from_secs(60))).await;
        until_count(&registrar, 0).await;
        // The connection goes on until one of both has enough.
        session.send("hello").await.unwrap();
        assert!(soon("hello", connection.recv()).await.is_some());
        drop(session);
        assert_eq!(soon("the end", connection.recv()).await, None);
    }
}

#[tokio::test]
async fn dropped_in_any_order_nothing_hangs() {
    for order in 0..24_usize {
        let registrar = registrar().start().await.unwrap();
        let at = sctp(&registrar);
        let user = user(&at).start().await.unwrap();
        let mut element = element(&at).register().await.unwrap();
        let mut session = user.connect("echo").await.unwrap();
        let connection = soon("accept", element.accept()).await.unwrap();
        session.send("on its way").await.unwrap();
        let mut things: Vec<Box<dyn Send>> = vec![
            Box::new(user),
            Box::new(element),
            Box::new(registrar),
            Box::new(connection),
        ];
        // The order'th permutation.
        let mut rest = order;
        while let Some(last) = things.len().checked_sub(1) {
            drop(things.swap_remove(rest % (last + 1)));
            rest /= last + 1;
            let _ = timeout(Duration::from_micros(200), session.recv()).await;
        }
        let dropping = tokio::task::spawn_blocking(move || drop(session));
        soon("the end of the session", dropping).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_sent_before_a_session_is_dropped_arrives_after_the_echo_of_its_cookie() {
    let (_registrar, at, user) = start().await;
    let mut first = element(&at).register().await.unwrap();
    let rebuilding = user.session("echo").rebuild(|to| async move {
        // The echo is still under way: these wait for it.
        for stream in 0..16 {
            to.send_with(stream, 0, "state").await.unwrap();
        }
    });
    let mut session = rebuilding.connect().await.unwrap();
    let connection = soon("accept", first.accept()).await.unwrap();
    let mut second = element(&at).register().await.unwrap();
    connection.send_cookie(vec![7; 65_000]).await.unwrap();
    soon("deregister", first.deregister()).await;
    connection.close().await;
    failover(&mut session).await;
    drop(session);
    let mut connection = soon("accept", second.accept()).await.unwrap();
    let mut streams = Vec::new();
    while let Some(received) = soon("data, or the end", connection.recv()).await {
        streams.push(received.stream);
    }
    streams.sort_unstable();
    assert_eq!(streams, (0..16).collect::<Vec<_>>(), "none is lost");
    assert_eq!(connection.take_cookie_echo().unwrap().len(), 65_000);
}

#[tokio::test]
async fn thousands_of_users_that_never_say_anything_leave_others_served() {
    const IDLE: usize = 2000;
    let (_registrar, at, _) = start().await;
    let serving = element(&at).register().await.unwrap();
    let open = serve_counted(serving);
    let mut idle = Vec::new();
    while idle.len() < IDLE {
        let user = user(&at).start().await.unwrap();
        for _ in 0..200 {
            idle.push(soon("a session", user.connect("echo")).await.unwrap());
        }
    }
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    assert_eq!(ask(&mut session, "me too?").await.0, "echo me too?");
    assert_eq!(open.load(Ordering::SeqCst), IDLE + 1);
    drop(idle);
    drop(session);
    until_none(&open).await;
}

#[tokio::test]
async fn a_user_without_room_for_more_associations_says_so_and_blames_no_pool_element() {
    let (registrar, at, user) = start().await;
    let open = serve_counted(element(&at).register().await.unwrap());
    let mut events = registrar.events();
    let mut sessions = Vec::new();
    let failed = loop {
        match soon("a session", user.connect("echo")).await {
            Ok(session) => sessions.push(session),
            Err(failed) => break failed,
        }
    };
    assert_eq!(sessions.len(), 256);
    assert!(
        matches!(failed, ConnectFailed::TooManyAssociations(_)),
        "{failed}"
    );
    assert!(failed.is_temporary());
    // The registrar is told of nothing.
    while let Ok(Some(event)) = timeout(Duration::from_millis(100), events.recv()).await {
        assert!(!format!("{event:?}").contains("Unreachable"), "{event:?}");
    }
    assert_eq!(ask(&mut sessions[0], "still?").await.0, "echo still?");
    drop(sessions);
    until_none(&open).await;
    let mut session = user.connect("echo").await.unwrap();
    assert_eq!(ask(&mut session, "again?").await.0, "echo again?");
}

#[tokio::test]
async fn beyond_what_an_application_accepts_users_are_refused_and_told_so() {
    let (_registrar, at, user) = start().await;
    let serving = element(&at).register().await.unwrap();
    let mut events = serving.events();
    let mut waiting = Vec::new();
    while waiting.len() < 1024 {
        let user = common::user(&at).start().await.unwrap();
        for _ in 0..128 {
            waiting.push(soon("a session", user.connect("echo")).await.unwrap());
        }
    }
    let mut refused = user.connect("echo").await.unwrap();
    soon("the event", async {
        loop {
            let event = events.recv().await.unwrap();
            if let NodeEvent::Network(NetworkEvent::TooManyConnections { limit, .. }) = event {
                return assert_eq!(limit, 1024);
            }
        }
    })
    .await;
    // Once the application accepts, there is room again.
    let _serving = serve_echo(serving);
    assert!(ask(&mut refused, "now?").await.0.ends_with("now?"));
}

// Slow ones.

#[tokio::test]
async fn a_pool_element_with_a_user_that_never_reads_drains_by_its_deadline() {
    let (_registrar, at, user) = start().await;
    let mut serving = element(&at).register().await.unwrap();
    let deaf = user.connect("echo").await.unwrap();
    let connection = soon("accept", serving.accept()).await.unwrap();
    let flood = tokio::spawn(flood(connection));
    let busy = user.connect("echo").await.unwrap();
    let _never_taken = soon("accept", serving.accept()).await.unwrap();
    busy.send(vec![1; 70_000]).await.unwrap();
    let drained = soon("draining", serving.drain(Duration::from_millis(200))).await;
    assert_eq!(drained.finished + drained.moved, 2, "{drained:?}");
    soon("the end of the flood", flood).await.unwrap();
    drop(deaf);
}

async fn flood(connection: Connection) {
    while connection.send(vec![7; 1000]).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

// Applications that do what they should not.

#[tokio::test]
async fn bad_messages_are_refused_with_what_is_wrong_and_the_session_goes_on() {
    let (_registrar, at, user) = start().await;
    let _serving = serve_echo(element(&at).register().await.unwrap());
    let mut session = user.connect("echo").await.unwrap();
    let largest = 72 * 1024;
    for on_failover in [OnFailover::Forget, OnFailover::Resend, OnFailover::Return] {
        let message = |data: Vec<u8>| SessionMessage::new(data).on_failover(on_failover);
        for (message, expected) in [
            (message(vec![]), SendFailed::Empty),
            (message(vec![0; largest + 1]), SendFailed::TooLarge),
            (message(vec![0; 64 << 20]), SendFailed::TooLarge),
            (message(vec![1]).stream(16), SendFailed::InvalidStream),
            (message(vec![1]).stream(u16::MAX), SendFailed::InvalidStream),
            (
                message(vec![1]).ppid(11),
                SendFailed::ReservedPayloadProtocol,
            ),
        ] {
            assert_eq!(session.send_message(message).await, Err(expected));
        }
    }
    assert!(ask(&mut session, "still?").await.0.ends_with("still?"));
    session
        .send_with(15, u32::MAX, vec![9; largest - 100])
        .await
        .unwrap();
    let event = soon("the answer", session.recv()).await.unwrap();
    assert!(
        matches!(event, SessionEvent::Message(received) if received.data.len() > largest - 100)
    );
}

#[tokio::test]
async fn a_business_card_of_any_size_is_sent_as_far_as_it_fits() {
    let (_registrar, at, user) = start().await;
    let mut serving = element(&at).register().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let connection = soon("accept", serving.accept()).await.unwrap();
    let pool_elements = user.resolve("echo").await.unwrap().pool_elements;
    let pool_elements = vec![pool_elements[0].clone(); 20_000];
    let pool_handle = "echo".into();
    let card = BusinessCard {
        pool_handle,
        pool_elements,
    };
    connection.send_business_card(card).await.unwrap();
    connection.send("after it").await.unwrap();
    let event = soon("what follows", session.recv()).await.unwrap();
    assert!(matches!(event, SessionEvent::Message(received) if received.data == b"after it"));
}

#[tokio::test]
async fn after_its_pool_user_has_stopped_a_session_says_so_every_time() {
    let (_registrar, at, user) = start().await;
    let _serving = serve_echo(element(&at).register().await.unwrap());
    let mut session = user.connect("echo").await.unwrap();
    let sender = session.sender();
    soon("stop", user.stop()).await;
    for _ in 0..2 {
        let lost = soon("the end", async {
            loop {
                if let Err(lost) = session.recv().await {
                    return lost;
                }
            }
        })
        .await;
        assert!(!lost.is_temporary(), "{lost}");
        let sent = session.send("too late").await;
        assert_eq!(sent, Err(SendFailed::Closed));
        let sent = sender.send_message(resend("too late")).await;
        assert_eq!(sent, Err(SendFailed::Closed));
        session.failover();
        session.report_failure();
    }
    assert_eq!(session.take_undelivered(), []);
    let failed = user.connect("echo").await.unwrap_err();
    assert!(
        matches!(
            failed,
            ConnectFailed::Stopped | ConnectFailed::Resolve(ResolveFailed::Stopped)
        ),
        "{failed:?}"
    );
}
