//! Sessions that are opened, failed over and closed leave nothing behind. Alone in its process,
//! whose descriptors and memory it looks at.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::{ask, element, registrar, sctp, serve_echo, soon, user};
use rserpool::{PoolElement, PoolUser, Session, SessionEvent};
use std::time::Duration;

/// At one time.
const CONCURRENT: usize = 20;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

/// Gives its pool user a cookie, and echoes.
async fn serve_cookies(mut element: PoolElement) {
    while let Some(mut connection) = element.accept().await {
        tokio::spawn(async move {
            while let Some(received) = connection.recv().await {
                let cookie = received.data.clone();
                if connection.send_cookie(cookie).await.is_err()
                    || connection.send(received.data).await.is_err()
                {
                    return;
                }
            }
        });
    }
}

/// Opened, answered, failed over, answered, and closed.
async fn use_once(user: &PoolUser) {
    let mut session: Session = soon("a session", user.connect("echo")).await.unwrap();
    ask(&mut session, "before").await;
    session.report_failure();
    let event = soon("the failover", session.recv()).await.unwrap();
    let SessionEvent::Failover { cookie_echoed, .. } = event else {
        panic!("{event:?}");
    };
    assert!(cookie_echoed);
    ask(&mut session, "after").await;
}

/// Uses so many sessions; how many descriptors and how much memory there is at each tenth.
async fn churn(sessions: usize) {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut elements = Vec::new();
    for _ in 0..3 {
        let element = element(&at).register().await.unwrap();
        elements.push(tokio::spawn(serve_cookies(element)));
    }
    let user = user(&at).start().await.unwrap();
    let mut seen = Vec::new();
    for done in (0..=sessions).step_by(CONCURRENT) {
        if done % (sessions / 10) == 0 {
            seen.push((descriptors(), resident_kib()));
            println!(
                "{done} sessions: {:?} (descriptors, KiB)",
                seen.last().unwrap()
            );
        }
        let batch = (0..CONCURRENT).map(|_| {
            let user = user.clone();
            tokio::spawn(async move { use_once(&user).await })
        });
        for one in batch.collect::<Vec<_>>() {
            one.await.unwrap();
        }
    }
    until_closed(&user).await;
    // What is used at one time, and what is kept for the next.
    let descriptors_max = seen[0].0 + 6 * CONCURRENT;
    let kib_max = seen[1].1 + 12 * 1024;
    let (descriptors, kib) = (descriptors(), resident_kib());
    assert!(descriptors <= descriptors_max, "{descriptors} {seen:?}");
    assert!(kib <= kib_max, "{kib} {seen:?}");
    // Nothing of the sessions is in the way of others.
    let serving = self::element(&at).register().await.unwrap();
    let id = serving.id();
    let _serving = serve_echo(serving);
    let session = user.session("echo").pool_element(id);
    let mut session = session.connect().await.unwrap();
    assert_eq!(ask(&mut session, "well?").await.0, format!("{id} well?"));
}

/// The associations of its sessions have ended; that with its registrar may be there.
async fn until_closed(user: &PoolUser) {
    soon("the end of all associations", async {
        loop {
            let statistics = user.statistics().await.unwrap().sctp;
            if statistics.associations_up <= statistics.associations_down + 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn hundreds_of_sessions_leave_nothing_behind() {
    churn(400).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn twenty_thousand_sessions_leave_nothing_behind() {
    churn(20_000).await;
}
