//! Register, resolve, echo, leave.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::{
    ask, element, element_count, registrar, sctp, serve_echo, soon, tcp, until_count, user,
};
use rserpool::{Policy, ResolveFailed, SessionEvent};
use std::time::Instant;

#[tokio::test]
async fn a_pool_element_registers_is_resolved_and_echoes() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let start = Instant::now();
    let element = element(&at).register().await.unwrap();
    println!("registered after {:?}", start.elapsed());
    let id = element.id();
    assert_eq!(element.home_registrar(), Some(at.clone()));
    let serving = serve_echo(element);

    let user = user(&at).start().await.unwrap();
    let resolution = user.resolve("echo").await.unwrap();
    assert_eq!(resolution.policy, Policy::RoundRobin);
    assert_eq!(resolution.pool_elements.len(), 1);
    assert_eq!(resolution.pool_elements[0].decode().id, id);

    let start = Instant::now();
    let mut session = user.connect("echo").await.unwrap();
    println!("connected after {:?}", start.elapsed());
    assert_eq!(session.element().id, id);
    assert_eq!(
        ask(&mut session, "hello").await,
        (format!("{id} hello"), vec![])
    );
    let start = Instant::now();
    for i in 0..100 {
        ask(&mut session, &i.to_string()).await;
    }
    println!("100 answers after {:?}", start.elapsed());

    serving.abort();
    until_count(&registrar, 0).await;
    assert_eq!(
        user.resolve("nobody").await,
        Err(ResolveFailed::UnknownPool)
    );
    soon("the end", registrar.shutdown()).await;
}

#[tokio::test]
async fn deregistering_lets_sessions_finish() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut element = element(&at).register().await.unwrap();
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let connection = soon("accept", element.accept()).await.unwrap();

    soon("deregister", element.deregister()).await;
    assert_eq!(element_count(&registrar).await, 0);
    let serving = tokio::spawn(common::echo(connection, "drained".into()));
    assert_eq!(
        ask(&mut session, "still there?").await.0,
        "drained still there?"
    );
    drop(session);
    soon("the end of the connection", serving).await.unwrap();
}

#[tokio::test]
async fn dropping_a_pool_element_deregisters_it() {
    let registrar = registrar().start().await.unwrap();
    let element = element(&sctp(&registrar)).register().await.unwrap();
    assert_eq!(element_count(&registrar).await, 1);
    drop(element);
    until_count(&registrar, 0).await;
    let snapshot = registrar.snapshot().await.unwrap();
    let removals: Vec<_> = snapshot.counters.removals.into_iter().collect();
    assert_eq!(
        removals,
        [(rserpool_core::registrar::RemovalReason::Deregistered, 1)]
    );
}

#[tokio::test]
async fn a_pool_user_may_come_by_tcp() {
    let registrar = registrar().start().await.unwrap();
    let element = element(&sctp(&registrar)).register().await.unwrap();
    let id = element.id();
    let _serving = serve_echo(element);
    let user = user(&tcp(&registrar)).start().await.unwrap();
    let resolution = soon("resolve", user.resolve("echo")).await.unwrap();
    assert_eq!(resolution.pool_elements[0].decode().id, id);
    let mut session = user.connect("echo").await.unwrap();
    assert_eq!(ask(&mut session, "hello").await.0, format!("{id} hello"));
    assert_eq!(registrar.statistics().await.unwrap().tcp_connections, 1);
}

#[tokio::test]
async fn a_policy_value_is_changed_and_subscribers_see_it() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let policy = |load| Policy::LeastUsed { load };
    let element = element(&at).policy(policy(1)).register().await.unwrap();
    let user = user(&at).start().await.unwrap();
    let mut subscription = user.subscribe("echo").await.unwrap();
    let mut seen = Vec::new();
    element.set_policy(policy(2)).await;
    while seen.last() != Some(&policy(2)) {
        let update = soon("an update", subscription.next()).await.unwrap();
        let resolution = update.resolution.unwrap();
        seen.push(resolution.pool_elements[0].decode().policy);
    }
    element.deregister().await;
    let mut update = soon("an update", subscription.next()).await.unwrap();
    while update.resolution.is_some() {
        update = soon("an update", subscription.next()).await.unwrap();
    }
}

#[tokio::test]
async fn several_sessions_with_one_pool_element() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let element = element(&at).register().await.unwrap();
    let id = element.id();
    let _serving = serve_echo(element);
    let user = user(&at).start().await.unwrap();
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(user.connect("echo").await.unwrap());
    }
    for (i, session) in sessions.iter_mut().enumerate() {
        let (answer, failovers) = ask(session, &i.to_string()).await;
        assert_eq!(
            (answer, failovers),
            (format!("{id} {i}"), Vec::<SessionEvent>::new())
        );
    }
}

#[tokio::test]
async fn large_messages_arrive_whole_and_in_order() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut element = element(&at).register().await.unwrap();
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let mut connection = soon("accept", element.accept()).await.unwrap();
    let messages: Vec<Vec<u8>> = (1..=60_u8)
        .map(|i| vec![i; usize::from(i) * 1000])
        .collect();
    let expected = messages.clone();
    let sender = session.sender();
    let sending = tokio::spawn(async move {
        for message in messages {
            sender.send(message).await.unwrap();
        }
    });
    for message in expected {
        let received = soon("a message", connection.recv()).await.unwrap();
        assert_eq!(received.data, message);
        connection.send(vec![1]).await.unwrap();
        assert!(soon("an answer", session.recv()).await.is_ok());
    }
    sending.await.unwrap();
}
