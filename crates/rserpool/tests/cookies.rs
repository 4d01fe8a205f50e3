//! Sessions that take their state along (RFC 5352 §3.8, §3.9).

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::process::Process;
use common::{element, registrar, sctp, soon, user};
use rserpool::{
    BusinessCard, Connection, ConnectionEvent, PoolElement, PoolElementId, PoolHandle,
    RegistrarAddress, Session, SessionEvent,
};
use std::time::Duration;

const REGISTRAR: &str = "RSERPOOL_TEST_REGISTRAR";

/// After how many requests the counter gives a cookie.
const COOKIE_INTERVAL: u64 = 5;

/// A pool element in a process of its own, and its identifier.
async fn counter_process(at: &RegistrarAddress) -> (Process, PoolElementId) {
    let at = at.to_string();
    let mut process = Process::start("counter_element_process", &[(REGISTRAR, at.as_str())]);
    let id = process.line("registered ").await;
    (process, PoolElementId(id.parse().unwrap()))
}

#[tokio::test]
#[ignore = "a process of the other tests"]
async fn counter_element_process() {
    let Ok(at) = std::env::var(REGISTRAR) else {
        return;
    };
    let element = element(&at.parse().unwrap()).register().await.unwrap();
    println!("registered {}", element.id().0);
    serve_counter(element).await;
}

async fn serve_counter(mut element: PoolElement) {
    while let Some(connection) = element.accept().await {
        tokio::spawn(count(connection));
    }
}

/// Answers each request with the number of requests of its session, and with the number that it
/// began with at this pool element.
async fn count(mut connection: Connection) {
    let mut begun_at = 0;
    let mut count = 0_u64;
    while let Some(received) = connection.recv().await {
        if let Some(cookie) = connection.take_cookie_echo() {
            assert_eq!(count, 0, "the echo comes before the first request");
            count = u64::from_be_bytes(cookie.try_into().unwrap());
            begun_at = count;
        }
        count += 1;
        // Whoever has the answer has the cookie: it is sent first.
        if count.is_multiple_of(COOKIE_INTERVAL) {
            connection.send_cookie(count.to_be_bytes()).await.unwrap();
        }
        let answer = format!("{count} {begun_at}");
        let stream = received.stream;
        connection.send_with(stream, 0, answer).await.unwrap();
    }
}

/// Asks once; the answer, or the failover that came instead.
async fn ask(session: &mut Session, stream: u16) -> Result<(u64, u64), SessionEvent> {
    session.send_with(stream, 0, "next").await.unwrap();
    let event = soon("an answer", session.recv()).await.unwrap();
    let SessionEvent::Message(received) = event else {
        return Err(event);
    };
    let text = String::from_utf8(received.data).unwrap();
    let (count, begun_at) = text.split_once(' ').unwrap();
    Ok((count.parse().unwrap(), begun_at.parse().unwrap()))
}

#[tokio::test]
async fn a_session_resumes_with_its_cookie_when_its_pool_element_is_killed() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut processes = Vec::new();
    for _ in 0..4 {
        processes.push(counter_process(&at).await);
    }
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let mut counted = 0;
    for requests in [3, 8, 14] {
        for _ in 0..requests {
            // Not on the stream of the control channel: the echo must come first all the same.
            let (count, _) = ask(&mut session, 5).await.unwrap();
            assert_eq!(count, counted + 1, "nothing is counted twice or left out");
            counted = count;
        }
        let id = session.element().id;
        let victim = processes
            .iter()
            .position(|(_, other)| *other == id)
            .unwrap();
        processes[victim].0.kill();
        processes.remove(victim);
        let event = soon("the failover", session.recv()).await.unwrap();
        let SessionEvent::Failover { cookie_echoed, .. } = event else {
            panic!("{event:?}")
        };
        let kept = counted - counted % COOKIE_INTERVAL;
        assert_eq!(cookie_echoed, kept > 0);
        let (count, begun_at) = ask(&mut session, 5).await.unwrap();
        println!("{counted} counted, resumed at {begun_at}, cookie: {cookie_echoed}");
        assert_eq!(begun_at, kept, "at most one interval is done again");
        counted = count;
    }
}

#[tokio::test]
async fn a_pool_element_that_leaves_hands_its_sessions_over_with_a_cookie() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut first = element(&at).register().await.unwrap();
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let connection = soon("accept", first.accept()).await.unwrap();
    let second = element(&at).register().await.unwrap();
    let second_id = second.id();
    let _serving = tokio::spawn(serve_counter(second));

    connection.send_cookie(41_u64.to_be_bytes()).await.unwrap();
    soon("deregister", first.deregister()).await;
    connection.close().await;
    let event = soon("the failover", session.recv()).await.unwrap();
    let SessionEvent::Failover {
        to, cookie_echoed, ..
    } = event
    else {
        panic!("{event:?}")
    };
    assert_eq!((to, cookie_echoed), (second_id, true));
    assert_eq!(ask(&mut session, 0).await.unwrap(), (42, 41));
}

#[tokio::test]
async fn the_echo_of_a_large_cookie_is_before_data_of_every_stream() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut first = element(&at).register().await.unwrap();
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let connection = soon("accept", first.accept()).await.unwrap();
    let mut second = element(&at).register().await.unwrap();

    // It takes many packets, and several round trips.
    let cookie = vec![7; 65_000];
    connection.send_cookie(cookie.clone()).await.unwrap();
    soon("deregister", first.deregister()).await;
    connection.close().await;
    soon("the failover", session.recv()).await.unwrap();
    for stream in (0..16).rev() {
        session.send_with(stream, 0, vec![1; 1]).await.unwrap();
    }
    let mut connection = soon("accept", second.accept()).await.unwrap();
    let event = soon("the echo", connection.recv_event()).await.unwrap();
    assert_eq!(event, ConnectionEvent::CookieEcho(cookie));
    let mut streams = Vec::new();
    while streams.len() < 16 {
        streams.push(soon("data", connection.recv()).await.unwrap().stream);
    }
    streams.sort_unstable();
    assert_eq!(streams, (0..16).collect::<Vec<_>>(), "none is lost");
}

#[tokio::test]
async fn a_business_card_guides_the_failover() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut others = Vec::new();
    for _ in 0..5 {
        others.push(element(&at).register().await.unwrap());
    }
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let id = session.element().id;
    let serving = others.iter().position(|element| element.id() == id);
    let mut first = others.remove(serving.unwrap());
    let connection = soon("accept", first.accept()).await.unwrap();
    let best = others[2].id();
    // It recommends one that no registrar knows, then one that is there.
    let resolution = user.resolve_items("echo", 16).await.unwrap();
    let of = |id| {
        let mut elements = resolution.pool_elements.iter();
        elements.find(|element| element.id() == id).unwrap().clone()
    };
    let mut unknown = of(best).decode();
    unknown.id = PoolElementId(0xdead);
    let card = BusinessCard {
        pool_handle: PoolHandle::from("echo"),
        pool_elements: vec![(&unknown).into(), of(best)],
    };
    connection.send_business_card(card).await.unwrap();
    soon("deregister", first.deregister()).await;
    connection.close().await;
    let event = soon("the failover", session.recv()).await.unwrap();
    let SessionEvent::Failover {
        to, cookie_echoed, ..
    } = event
    else {
        panic!("{event:?}")
    };
    assert_eq!((to, cookie_echoed), (best, false));
    soon("accept", others[2].accept()).await.unwrap();
}

/// The pool user knows 16 pool elements of a pool, and another one is recommended.
#[tokio::test]
async fn bc2_a_recommended_pool_element_is_found_in_a_large_pool() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut elements = Vec::new();
    for _ in 0..20 {
        elements.push(element(&at).register().await.unwrap());
    }
    let user = user(&at).start().await.unwrap();
    let known = user.resolve_items("echo", 16).await.unwrap().pool_elements;
    assert_eq!(known.len(), 16);
    let mut session = user.connect("echo").await.unwrap();
    let id = session.element().id;
    let serving = elements.iter().position(|element| element.id() == id);
    let mut first = elements.remove(serving.unwrap());
    let connection = soon("accept", first.accept()).await.unwrap();
    let is_known = |id| known.iter().any(|element| element.id() == id);
    let best = elements.iter().find(|element| !is_known(element.id()));
    let best = best.unwrap().id();
    // Of a card only the identifiers count.
    let mut recommended = known[0].decode();
    recommended.id = best;
    let card = BusinessCard {
        pool_handle: PoolHandle::from("echo"),
        pool_elements: vec![(&recommended).into()],
    };
    connection.send_business_card(card).await.unwrap();
    soon("deregister", first.deregister()).await;
    connection.close().await;
    let event = soon("the failover", session.recv()).await.unwrap();
    let SessionEvent::Failover { to, .. } = event else {
        panic!("{event:?}")
    };
    assert_eq!(to, best);
}

/// Whoever recommends must not make its users wait for registrars that are gone.
#[tokio::test]
async fn bc2_with_all_registrars_down_a_card_does_not_hold_up_the_failover() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut elements = Vec::new();
    for _ in 0..3 {
        elements.push(element(&at).register().await.unwrap());
    }
    // It would wait for a minute until it gives a request up.
    let user = user(&at).timers(rserpool::Timers::rfc()).start();
    let user = user.await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let known = user.resolve("echo").await.unwrap().pool_elements;
    let id = session.element().id;
    let serving = elements.iter().position(|element| element.id() == id);
    let mut first = elements.remove(serving.unwrap());
    let connection = soon("accept", first.accept()).await.unwrap();
    let mut unknown = known[0].decode();
    unknown.id = PoolElementId(0xdead);
    let card = BusinessCard {
        pool_handle: PoolHandle::from("echo"),
        pool_elements: vec![(&unknown).into()],
    };
    connection.send_business_card(card).await.unwrap();
    registrar.shutdown().await;
    // The card has come when what follows it has.
    connection.send("after the card").await.unwrap();
    let event = soon("data", session.recv()).await.unwrap();
    assert!(matches!(event, SessionEvent::Message(_)), "{event:?}");
    connection.close().await;
    let event = soon("the failover", session.recv()).await.unwrap();
    let SessionEvent::Failover { to, gap, .. } = event else {
        panic!("{event:?}")
    };
    assert!(elements.iter().any(|element| element.id() == to));
    assert!(gap < Duration::from_secs(5), "{gap:?}");
}

#[tokio::test]
async fn a_pool_element_learns_by_whom_its_user_can_be_replaced() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut first = element(&at).register().await.unwrap();
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let mut connection = soon("accept", first.accept()).await.unwrap();
    let pool_elements = user.resolve("echo").await.unwrap().pool_elements;
    let card = BusinessCard {
        pool_handle: PoolHandle::from("peers"),
        pool_elements,
    };
    session.set_business_card(card.clone()).await;
    let told = ConnectionEvent::BusinessCard(card);
    let event = soon("the card", connection.recv_event()).await.unwrap();
    assert_eq!(event, told);

    let mut second = element(&at).register().await.unwrap();
    soon("deregister", first.deregister()).await;
    connection.close().await;
    soon("the failover", session.recv()).await.unwrap();
    let mut connection = soon("accept", second.accept()).await.unwrap();
    let event = soon("the card", connection.recv_event()).await.unwrap();
    assert_eq!(event, told);
}

/// What arrives before anybody asks for it waits, and what waits is bounded.
#[tokio::test]
async fn a_cookie_that_is_too_large_is_refused_at_its_sender() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut first = element(&at).register().await.unwrap();
    let user = user(&at).start().await.unwrap();
    let _session = user.connect("echo").await.unwrap();
    let connection = soon("accept", first.accept()).await.unwrap();
    let refused = connection.send_cookie(vec![0; 65_525]).await;
    assert_eq!(refused, Err(rserpool::SendFailed::CookieTooLarge));
    let sent = tokio::time::timeout(Duration::from_secs(20), async {
        for _ in 0..100 {
            connection.send_cookie(vec![0; 65_524]).await.unwrap();
        }
    });
    sent.await.expect("the user takes them without asking");
}

#[tokio::test]
async fn section_5_data_does_not_use_the_payload_protocol_of_asap() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut element = element(&at).register().await.unwrap();
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let mut connection = soon("accept", element.accept()).await.unwrap();
    let refused = Err(rserpool::SendFailed::ReservedPayloadProtocol);
    assert_eq!(session.send_with(1, 11, "x").await, refused);
    assert_eq!(connection.send_with(1, 11, "x").await, refused);
    session.send_with(1, 12, "x").await.unwrap();
    let received = soon("data", connection.recv()).await.unwrap();
    assert_eq!((received.ppid, received.data), (12, b"x".to_vec()));
    // The control channel is beside it: nothing of it is data.
    connection.send_cookie("state").await.unwrap();
    connection.send_with(1, 10, "y").await.unwrap();
    let event = soon("data", session.recv()).await.unwrap();
    let SessionEvent::Message(received) = event else {
        panic!("{event:?}")
    };
    assert_eq!((received.ppid, received.data), (10, b"y".to_vec()));
}
