//! Processes that are killed, that hang, and registrars that restart.
//!
//! Pool elements and registrars that are to die run in processes of their own: this test binary,
//! asked for one of its ignored tests.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::process::Process;
use common::{
    ask, element, element_count, loopback, registrar, sctp, serve_echo, soon, until_count, user,
};
use rserpool::{
    NetworkEvent, NodeEvent, PoolElementId, Registrar, RegistrarAddress, SessionEvent, Timers,
};
use std::time::{Duration, Instant};

/// Timers with which nothing is noticed by silence: what is noticed anyway, the kernel told.
fn patient() -> Timers {
    Timers::rfc()
}

/// Far below the first heartbeat of [`patient`], far above the milliseconds that it takes.
const AT_ONCE: Duration = Duration::from_secs(2);

const REGISTRAR: &str = "RSERPOOL_TEST_REGISTRAR";
const TIMERS: &str = "RSERPOOL_TEST_TIMERS";
const PORT: &str = "RSERPOOL_TEST_PORT";

/// A pool element in a process of its own, and its identifier.
async fn element_process(at: &RegistrarAddress, timers: &str) -> (Process, PoolElementId) {
    let at = at.to_string();
    let variables = [(REGISTRAR, at.as_str()), (TIMERS, timers)];
    let mut process = Process::start("pool_element_process", &variables);
    let id = process.line("registered ").await;
    (process, PoolElementId(id.parse().unwrap()))
}

fn timers(name: &str) -> Timers {
    match name {
        "rfc" => patient(),
        "fast" => Timers::fast(),
        _ => Timers::default(),
    }
}

#[tokio::test]
#[ignore = "a process of the other tests"]
async fn pool_element_process() {
    let (Ok(at), Ok(name)) = (std::env::var(REGISTRAR), std::env::var(TIMERS)) else {
        return;
    };
    let element = element(&at.parse().unwrap())
        .timers(timers(&name))
        .register()
        .await
        .unwrap();
    println!("registered {}", element.id().0);
    serve_echo(element).await.unwrap();
}

#[tokio::test]
#[ignore = "a process of the other tests"]
async fn registrar_process() {
    let Ok(port) = std::env::var(PORT) else {
        return;
    };
    let registrar = registrar()
        .udp_port(port.parse().unwrap())
        .start()
        .await
        .unwrap();
    println!("serving {}", sctp(&registrar));
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_pool_element_is_removed_at_once() {
    let registrar = registrar().timers(patient()).start().await.unwrap();
    let (mut process, _) = element_process(&sctp(&registrar), "rfc").await;
    assert_eq!(element_count(&registrar).await, 1);
    let mut events = registrar.events();
    soon("the lifeline", async {
        while registrar.statistics().await.unwrap().lifelines == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let start = Instant::now();
    process.kill();
    until_count(&registrar, 0).await;
    let after = start.elapsed();
    println!("killed; removed after {after:?}");
    assert!(after < AT_ONCE, "{after:?}");
    // It was the lifeline that told.
    loop {
        let event = soon("the event", events.recv()).await.unwrap();
        if matches!(event, NodeEvent::Network(NetworkEvent::LifelineLost { .. })) {
            break;
        }
    }
}

#[tokio::test]
async fn a_session_moves_at_once_when_its_pool_element_is_killed() {
    let registrar = registrar().timers(patient()).start().await.unwrap();
    let at = sctp(&registrar);
    let mut processes = Vec::new();
    for _ in 0..3 {
        processes.push(element_process(&at, "rfc").await);
    }
    let user = user(&at).timers(patient()).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    ask(&mut session, "before").await;
    for left in [2, 1] {
        let old = session.element().id;
        let victim = processes.iter().position(|(_, id)| *id == old).unwrap();
        let start = Instant::now();
        processes[victim].0.kill();
        let event = soon("the failover", session.recv()).await.unwrap();
        let (answer, again) = ask(&mut session, "after").await;
        let answered = start.elapsed();
        let new = session.element().id;
        let SessionEvent::Failover { from, to, gap, .. } = event else {
            panic!("{event:?}")
        };
        println!("killed; noticed and moved within {answered:?}, gap {gap:?}");
        assert_eq!((from, to), (old, new));
        assert_ne!(old, new);
        assert_eq!((answer, again), (format!("{new} after"), vec![]));
        assert!(answered < AT_ONCE, "{answered:?}");
        until_count(&registrar, left).await;
        processes.remove(victim);
    }
}

#[tokio::test]
async fn a_session_that_only_sends_moves_too() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let (mut first, _) = element_process(&at, "default").await;
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let (_second, second_id) = element_process(&at, "default").await;
    ask(&mut session, "before").await;
    first.kill();
    let (answer, failovers) = ask(&mut session, "during").await;
    // Whether the request was under way when the process died is chance.
    assert!(failovers.len() <= 1);
    if failovers.is_empty() {
        soon("the failover", session.recv()).await.unwrap();
    } else {
        assert_eq!(answer, format!("{second_id} during"));
    }
    assert_eq!(
        ask(&mut session, "after").await.0,
        format!("{second_id} after")
    );
}

/// How long a session takes to leave a pool element that hangs, under traffic.
async fn hang(name: &'static str) -> Duration {
    let registrar = registrar().timers(timers(name)).start().await.unwrap();
    let at = sctp(&registrar);
    let (first, first_id) = element_process(&at, name).await;
    let user = user(&at).timers(timers(name)).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let (_second, second_id) = element_process(&at, name).await;
    assert_eq!(
        ask(&mut session, "before").await.0,
        format!("{first_id} before")
    );
    let start = Instant::now();
    first.stop();
    let (answer, _) = ask(&mut session, "after").await;
    let after = start.elapsed();
    assert_eq!(answer, format!("{second_id} after"));
    println!("{name}: hung; the session moved after {after:?}");
    until_count(&registrar, 1).await;
    println!("{name}: hung; removed after {:?}", start.elapsed());
    after
}

#[tokio::test]
async fn a_session_leaves_a_pool_element_that_hangs() {
    let after = hang("default").await;
    assert!(after < Duration::from_millis(2500), "{after:?}");
}

#[tokio::test]
async fn a_session_leaves_a_pool_element_that_hangs_fast() {
    let after = hang("fast").await;
    assert!(after < Duration::from_millis(1500), "{after:?}");
}

#[tokio::test]
async fn pool_elements_come_back_to_a_registrar_that_restarts() {
    let first = registrar().start().await.unwrap();
    let at = sctp(&first);
    let mut elements = Vec::new();
    for _ in 0..5 {
        elements.push(element(&at).register().await.unwrap());
    }
    soon("the end", first.shutdown()).await;
    drop(first);
    let start = Instant::now();
    let second = registrar()
        .udp_port(at.udp_port.unwrap())
        .start()
        .await
        .unwrap();
    until_count(&second, 5).await;
    println!(
        "restarted in good order; all back after {:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn pool_elements_come_back_after_their_registrar_was_killed() {
    let mut process = Process::start("registrar_process", &[(PORT, "0")]);
    let at: RegistrarAddress = process.line("serving ").await.parse().unwrap();
    let element = element(&at).register().await.unwrap();
    let mut events = element.events();
    let start = Instant::now();
    process.kill();
    soon("the loss of the registrar", async {
        loop {
            use rserpool_core::pool_element::Event;
            let event = events.recv().await.unwrap();
            if matches!(
                event,
                NodeEvent::Machine(Event::ServerHuntStarted { lost: Some(_) })
            ) {
                break;
            }
        }
    })
    .await;
    println!("registrar killed; noticed after {:?}", start.elapsed());
    let port = at.udp_port.unwrap();
    let second: Registrar = registrar().udp_port(port).start().await.unwrap();
    let start = Instant::now();
    until_count(&second, 1).await;
    println!(
        "registrar started; element back after {:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_session_goes_on_without_any_registrar() {
    let mut process = Process::start("registrar_process", &[(PORT, "0")]);
    let at: RegistrarAddress = process.line("serving ").await.parse().unwrap();
    let mut elements = Vec::new();
    for _ in 0..2 {
        elements.push(element_process(&at, "default").await);
    }
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    ask(&mut session, "before").await;
    process.kill();
    process.ended().await;
    ask(&mut session, "without a registrar").await;
    // The pool user's cache knows the other one.
    let old = session.element().id;
    let start = Instant::now();
    elements
        .iter_mut()
        .find(|(_, id)| *id == old)
        .unwrap()
        .0
        .kill();
    let event = soon("the failover", session.recv()).await.unwrap();
    println!("no registrar: moved after {:?}: {event:?}", start.elapsed());
    ask(&mut session, "after").await;
    assert_ne!(session.element().id, old);
}

#[tokio::test]
async fn a_session_is_lost_only_after_its_time() {
    let registrar = registrar().addresses(loopback()).start().await.unwrap();
    let at = sctp(&registrar);
    let (mut process, _) = element_process(&at, "default").await;
    let mut timers = Timers::default();
    timers.session.give_up_after = Duration::from_millis(700);
    let user = user(&at).timers(timers).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let start = Instant::now();
    process.kill();
    let lost = soon("the loss", session.recv()).await.unwrap_err();
    println!("{lost} (after {:?})", start.elapsed());
    assert!(lost.without_element >= Duration::from_millis(700));
    assert!(session.send("anybody?").await.is_err());
}
