//! Floods of the control channel: who is flooded, and who must not notice. A program of its own,
//! one test at a time: what the other tests of a process get beside a flood is not their subject.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::{ask, element, registrar, sctp, serve_echo, soon, user};
use rserpool::{BusinessCard, NetworkEvent, NodeEvent, SessionEvent, Timers};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// A host that is short of processor time as well is not what they are about.
fn patient() -> Timers {
    let mut timers = Timers::default();
    timers.sctp.association_max_retrans = 12;
    timers
}

#[tokio::test]
async fn a_pool_element_that_floods_a_user_with_cookies_harms_no_other_session() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let user = user(&at).timers(patient()).start().await.unwrap();
    let mut flooding = element(&at).timers(patient()).register().await.unwrap();
    let mut flooded = user.connect("echo").await.unwrap();
    let connection = Arc::new(soon("accept", flooding.accept()).await.unwrap());
    let sending = Arc::clone(&connection);
    let flood = tokio::spawn(async move {
        let mut sent = 0_u32;
        while sending
            .send_cookie(sent.to_be_bytes().repeat(8_000))
            .await
            .is_ok()
        {
            sent += 1;
        }
        sent
    });
    let serving = element(&at).timers(patient()).register().await.unwrap();
    let id = serving.id();
    let _serving = serve_echo(serving);
    let mut other = user
        .session("echo")
        .pool_element(id)
        .connect()
        .await
        .unwrap();
    for _ in 0..500 {
        assert_eq!(ask(&mut other, "well?").await.0, format!("{id} well?"));
    }
    // The session goes on with the latest cookie, although nobody has received anything.
    drop(flooding);
    flooded.report_failure();
    let sent = soon("the end of the flood", flood).await.unwrap();
    println!("{sent} cookies of 32 kB");
    assert!(sent > 0);
    let event = soon("the failover", flooded.recv()).await.unwrap();
    let SessionEvent::Failover { cookie_echoed, .. } = event else {
        panic!("{event:?}");
    };
    assert!(cookie_echoed);
}

#[tokio::test]
async fn a_user_that_floods_a_pool_element_with_business_cards_is_shed_and_harms_no_other() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let user = user(&at).timers(patient()).start().await.unwrap();
    // Less than what makes its sender wait.
    let builder = element(&at).timers(patient()).unread_octets_max(128 << 10);
    let mut serving = builder.register().await.unwrap();
    let mut events = serving.events();
    let flooding = user.connect("echo").await.unwrap();
    // The application that never takes its cards.
    let _deaf = soon("accept", serving.accept()).await.unwrap();
    let mut other = user.connect("echo").await.unwrap();
    let connection = soon("accept", serving.accept()).await.unwrap();
    tokio::spawn(common::echo(connection, "other".into()));
    let pool_elements = user.resolve("echo").await.unwrap().pool_elements;
    let flood = tokio::spawn(async move {
        for _ in 0_u32.. {
            let pool_handle = "peer".into();
            let pool_elements = vec![pool_elements[0].clone(); 500];
            let card = BusinessCard {
                pool_handle,
                pool_elements,
            };
            flooding.set_business_card(card).await;
            tokio::task::yield_now().await;
        }
    });
    let mut shed = None;
    while shed.is_none() {
        assert_eq!(ask(&mut other, "well?").await.0, "other well?");
        let event = timeout(Duration::from_millis(5), events.recv()).await;
        if let Ok(Some(NodeEvent::Network(NetworkEvent::NotTaken { waiting_octets, .. }))) = event {
            shed = Some(waiting_octets);
        }
    }
    println!("{} octets had waited", shed.unwrap());
    assert_eq!(ask(&mut other, "still?").await.0, "other still?");
    flood.abort();
}
