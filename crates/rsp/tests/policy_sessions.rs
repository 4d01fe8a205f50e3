//! Where sessions go, of users that are there at once, over two registrars: as often to each pool
//! element as the policy promises (RFC 5356). What `rsp connect --policy-check` finds of a
//! registrar's selections holds for sessions, too.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

mod support;

use rserpool::{Multicast, NodeEvent, PoolUser, SessionEvent, SessionNews};
use support::{LONG, Running, registrar};

/// Users at one time.
const USERS: usize = 20;

/// Sessions of each, one after the other.
const SESSIONS: usize = 15;

/// Chi-square is beyond it once in a million times, by degrees of freedom. What is dealt in turns
/// stays far below.
const ONCE_IN_A_MILLION: [f64; 3] = [0.0, 23.93, 27.63];

/// Two registrars of one scope.
fn registrars() -> ([Running; 2], [String; 2]) {
    let (first, at_first) = registrar(&[]);
    let peer = loop {
        let line = first.line();
        if let Some(peer) = line.trim().strip_prefix("--peer ") {
            break peer.to_owned();
        }
    };
    let (second, at_second) = registrar(&["--peer", &peer]);
    ([first, second], [at_first, at_second])
}

/// Pool elements with the identifiers 1, 2, 3, at one registrar or the other.
fn serve(registrars: &[String], pool: &str, policies: [&str; 3]) -> Vec<Running> {
    let element = |(index, policy): (usize, &str)| {
        let at = registrars[index % registrars.len()].as_str();
        let id = format!("0x{}", index + 1);
        let what = [
            "serve", "echo", "--pool", pool, "--policy", policy, "--id", &id,
        ];
        // A registration that is renewed makes LUD forget (RFC 5356 §5.2.2).
        let renewal = ["--t4-reregistration-ms", "3600000"];
        let here = [
            "--registrar",
            at,
            "--no-multicast",
            "--address",
            "127.0.0.1",
        ];
        let element = Running::start(&[&what[..], &renewal, &here].concat());
        element.line();
        element
    };
    policies.into_iter().enumerate().map(element).collect()
}

async fn user(registrar: &str) -> PoolUser {
    let builder = PoolUser::builder().registrars(vec![registrar.parse().unwrap()]);
    builder.multicast(Multicast::off()).start().await.unwrap()
}

/// What goes wrong with its sessions is shown if the test fails.
fn say_troubles(user: &PoolUser) {
    let mut events = user.events();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let NodeEvent::Session(session) = event
                && !matches!(
                    session.what,
                    SessionNews::Added { .. } | SessionNews::Removed { .. }
                )
            {
                println!("{}: {}", session.pool_handle, session.what);
            }
        }
    });
}

/// Waits until the registrar has all three.
async fn until_complete(registrar: &str, pool: &str) {
    let complete = async {
        loop {
            // Without a cache of before.
            let user = user(registrar).await;
            let resolved = user.resolve(pool).await;
            if resolved.is_ok_and(|resolution| resolution.pool_elements.len() == 3) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, complete).await.unwrap();
}

/// How many sessions each of the three had, each with an answer.
async fn sessions(registrars: &[String], pool: &str, users: usize, each: usize) -> [u32; 3] {
    let talk = |index: usize| {
        let (at, pool) = (
            registrars[index % registrars.len()].clone(),
            pool.to_owned(),
        );
        tokio::spawn(async move {
            let user = user(&at).await;
            say_troubles(&user);
            let mut seen = [0; 3];
            for _ in 0..each {
                let mut session = user.connect(pool.as_str()).await.unwrap();
                session.send("hello").await.unwrap();
                let answer = tokio::time::timeout(LONG, session.recv()).await.unwrap();
                assert!(matches!(answer, Ok(SessionEvent::Message(_))), "{answer:?}");
                seen[session.element().id.0 as usize - 1] += 1;
            }
            seen
        })
    };
    let talks: Vec<_> = (0..users).map(talk).collect();
    let mut all = [0; 3];
    for talk in talks {
        let seen = talk.await.unwrap();
        for (sum, seen) in all.iter_mut().zip(seen) {
            *sum += seen;
        }
    }
    all
}

/// Nobody has what is not his, and the others as much as is likely.
fn assert_promised(policies: [&str; 3], seen: [u32; 3], parts: [f64; 3]) {
    let whole: f64 = parts.iter().sum();
    let number = f64::from(seen.iter().sum::<u32>());
    let (mut chi_square, mut others) = (0.0, 0);
    for (seen, part) in seen.into_iter().zip(parts) {
        let expected = number * part / whole;
        if expected > 0.0 {
            chi_square += (f64::from(seen) - expected).powi(2) / expected;
            others += 1;
        } else {
            assert_eq!(seen, 0, "{policies:?}: nothing is promised to it");
        }
    }
    let most = ONCE_IN_A_MILLION[others - 1];
    assert!(
        chi_square <= most,
        "{policies:?}: {seen:?} is not {parts:?}: {chi_square}"
    );
}

#[tokio::test]
async fn sessions_go_where_the_policy_promises() {
    let (_running, registrars) = registrars();
    for (policies, parts) in [
        (["rr", "rr", "rr"], [1.0, 1.0, 1.0]),
        (["wrr:1", "wrr:2", "wrr:4"], [1.0, 2.0, 4.0]),
        (["rand", "rand", "rand"], [1.0, 1.0, 1.0]),
        (["wrand:1", "wrand:2", "wrand:4"], [1.0, 2.0, 4.0]),
        (["prio:1", "prio:3", "prio:2"], [0.0, 1.0, 0.0]),
        (["lu:0.1", "lu:0.1", "lu:0.3"], [1.0, 1.0, 0.0]),
        // Each as many as make their loads alike.
        (
            ["lud:0:0.004", "lud:0:0.002", "lud:0:0.001"],
            [1.0, 2.0, 4.0],
        ),
        (
            ["plu:0.1:0.1", "plu:0.15:0.01", "plu:0.2:0"],
            [0.0, 1.0, 0.0],
        ),
        (["rlu:0.1", "rlu:0.5", "rlu:0.9"], [0.9, 0.5, 0.1]),
    ] {
        let pool = policies[0].split(':').next().unwrap();
        let _elements = serve(&registrars, pool, policies);
        for registrar in &registrars {
            until_complete(registrar, pool).await;
        }
        let seen = sessions(&registrars, pool, USERS, SESSIONS).await;
        assert_eq!(seen.iter().sum::<u32>() as usize, USERS * SESSIONS);
        assert_promised(policies, seen, parts);
    }
}

/// §4.1.2: "not all lists presented to the pool users start with the same element". Users that
/// have one session each are dealt in the registrar's turns; a resolution that is sent again takes
/// one, so that they may stray a little.
#[tokio::test]
async fn users_with_one_session_each_are_dealt_in_turns() {
    let (_registrar, address) = registrar(&[]);
    let registrars = [address];
    for (policies, expected) in [
        (["rr", "rr", "rr"], [7_u32, 7, 7]),
        (["wrr:1", "wrr:2", "wrr:4"], [3, 6, 12]),
    ] {
        let pool = policies[0].split(':').next().unwrap();
        let _elements = serve(&registrars, pool, policies);
        until_complete(&registrars[0], pool).await;
        let seen = sessions(&registrars, pool, 21, 1).await;
        for (seen_one, expected) in seen.into_iter().zip(expected) {
            assert!(seen_one.abs_diff(expected) <= 3, "{policies:?}: {seen:?}");
        }
    }
}
