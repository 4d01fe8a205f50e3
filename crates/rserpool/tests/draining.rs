//! Draining under load (RFC 3237 §2.7): pool elements leave and come back, one after the other,
//! and no user ever sees an error.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::{element, registrar, sctp, soon, user};
use rserpool::{
    Connection, ConnectionEvent, Drained, PoolElement, PoolUser, RegistrarAddress, Session,
    SessionEvent,
};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Pool elements at one time.
const ELEMENTS: usize = 3;

/// Users, each with as many long sessions.
const USERS: usize = 3;
const SESSIONS: usize = 4;

/// The pause between two rounds: sessions have time to settle.
const ROUND: Duration = Duration::from_millis(120);

/// Answers each request with its number in the session, which is in the cookie before it.
async fn count(mut connection: Connection) {
    let mut count = 0_u64;
    while let Some(received) = connection.recv().await {
        if let Some(cookie) = connection.take_cookie_echo() {
            count = u64::from_be_bytes(cookie.try_into().unwrap());
        }
        count += 1;
        let octets = count.to_be_bytes();
        // Moved: the user asks another one.
        if connection.send_cookie(octets).await.is_err()
            || connection
                .send_with(received.stream, 0, octets)
                .await
                .is_err()
        {
            return;
        }
    }
}

/// A pool element that serves until it is told to drain.
struct Serving {
    drain: tokio::sync::oneshot::Sender<Duration>,
    drained: JoinHandle<Drained>,
}

impl Serving {
    async fn start(at: &RegistrarAddress) -> Self {
        let element = element(at).register().await.unwrap();
        let (drain, drained) = tokio::sync::oneshot::channel();
        let drained = tokio::spawn(serve(element, drained));
        Self { drain, drained }
    }

    async fn drain(self, deadline: Duration) -> Drained {
        self.drain.send(deadline).unwrap();
        soon("draining", self.drained).await.unwrap()
    }
}

async fn serve(
    mut element: PoolElement,
    mut drain: tokio::sync::oneshot::Receiver<Duration>,
) -> Drained {
    loop {
        tokio::select! {
            connection = element.accept() => {
                tokio::spawn(count(connection.unwrap()));
            }
            Ok(deadline) = &mut drain => return element.drain(deadline).await,
        }
    }
}

/// What users see.
#[derive(Default)]
struct Seen {
    is_over: AtomicBool,
    sessions: AtomicUsize,
    requests: AtomicUsize,
    failed: Mutex<Vec<String>>,
    gaps: Mutex<Vec<Duration>>,
    /// From a request to its answer, where there was a failover.
    waits: Mutex<Vec<Duration>>,
    repeated: AtomicUsize,
}

impl Seen {
    fn fail(&self, what: String) {
        self.failed.lock().unwrap().push(what);
    }
}

/// One session, of so many requests or until all is over.
async fn use_pool(user: PoolUser, seen: Arc<Seen>, requests: Option<u64>, stream: u16) {
    let mut session = match soon("connect", user.connect("echo")).await {
        Ok(session) => session,
        Err(failed) => return seen.fail(format!("connect: {failed}")),
    };
    seen.sessions.fetch_add(1, Ordering::Relaxed);
    let mut counted = 0;
    let mut asked = 0;
    while requests.map_or(!seen.is_over.load(Ordering::Relaxed), |most| asked < most) {
        asked += 1;
        match next(&mut session, &seen, counted, stream).await {
            Ok(count) => counted = count,
            Err(failed) => return seen.fail(failed),
        }
        seen.requests.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(u64::from(stream))).await;
    }
}

/// Short sessions that begin before, while and after a pool element leaves.
async fn begin_while_draining(user: PoolUser, seen: Arc<Seen>) {
    for _ in 0..4 {
        use_pool(user.clone(), Arc::clone(&seen), Some(2), 1).await;
    }
}

/// Asks until it is answered, again after a failover.
async fn next(
    session: &mut Session,
    seen: &Seen,
    counted: u64,
    stream: u16,
) -> Result<u64, String> {
    let start = Instant::now();
    let mut failovers = 0;
    let ask = async |session: &Session| {
        let sent = session.send_with(stream, 0, "next").await;
        sent.map_err(|failed| format!("send: {failed}"))
    };
    ask(session).await?;
    loop {
        let event = soon("an answer", session.recv()).await;
        let event = event.map_err(|lost| format!("recv: {lost}"))?;
        if let SessionEvent::Message(received) = event {
            let count = u64::from_be_bytes(received.data.try_into().unwrap());
            // Each failover may repeat the one request whose answer was lost.
            let most = counted + 1 + failovers;
            if count <= counted || count > most {
                return Err(format!("{count} after {counted}, {failovers} failovers"));
            }
            let repeated = usize::try_from(count - counted - 1).unwrap();
            seen.repeated.fetch_add(repeated, Ordering::Relaxed);
            if failovers > 0 {
                seen.waits.lock().unwrap().push(start.elapsed());
            }
            return Ok(count);
        }
        let SessionEvent::Failover {
            gap, cookie_echoed, ..
        } = event
        else {
            return Err(format!("{event:?}"));
        };
        if counted > 0 && !cookie_echoed {
            return Err("a failover without the cookie".into());
        }
        failovers += 1;
        seen.gaps.lock().unwrap().push(gap);
        ask(session).await?;
    }
}

/// The median and the 99th percentile.
fn median_and_p99(times: &Mutex<Vec<Duration>>) -> (Duration, Duration) {
    let mut times = times.lock().unwrap().clone();
    times.sort_unstable();
    let at = |percent| times.get(times.len() * percent / 100).copied();
    (at(50).unwrap_or_default(), at(99).unwrap_or_default())
}

/// One pool element after the other drains, with users in the middle of their sessions and others
/// that begin some; then a new one takes its place.
async fn drain_under_load(rounds: usize, elements: usize) {
    // What pool elements tell one registrar, users learn from the other.
    let first = registrar().start().await.unwrap();
    let peer = first.endpoints().as_peer();
    let second = registrar().peer(peer).start().await.unwrap();
    common::until_peers(&second, 1).await;
    let at = sctp(&first);
    let mut serving = std::collections::VecDeque::new();
    for _ in 0..elements {
        serving.push_back(Serving::start(&at).await);
    }
    let seen = Arc::<Seen>::default();
    let mut users = Vec::new();
    let mut sessions = tokio::task::JoinSet::new();
    common::until_count(&second, elements).await;
    for _ in 0..USERS {
        users.push(user(&sctp(&second)).start().await.unwrap());
    }
    for user in &users {
        for stream in 0..SESSIONS {
            let stream = u16::try_from(stream).unwrap();
            sessions.spawn(use_pool(user.clone(), Arc::clone(&seen), None, stream));
        }
    }
    let mut total = Drained::default();
    for round in 0..rounds {
        tokio::time::sleep(ROUND).await;
        // Others begin meanwhile, and end by themselves.
        for user in &users {
            sessions.spawn(begin_while_draining(user.clone(), Arc::clone(&seen)));
        }
        let deadline = Duration::from_millis([0, 5, 30][round % 3]);
        let leaving = serving.pop_front().unwrap();
        // The new one comes before the old one goes, or after it if there are others.
        let is_first = elements == 1 || round % 2 == 0;
        if is_first {
            serving.push_back(Serving::start(&at).await);
        }
        let drained = leaving.drain(deadline).await;
        total.finished += drained.finished;
        total.moved += drained.moved;
        if !is_first {
            serving.push_back(Serving::start(&at).await);
        }
    }
    seen.is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = sessions.join_next().await {
        if let Err(panicked) = ended {
            seen.fail(format!("{panicked}"));
        }
    }
    tell(rounds, total, &seen);
    let failed = seen.failed.lock().unwrap();
    assert!(failed.is_empty(), "{} failed: {failed:#?}", failed.len());
    assert!(total.moved > 0, "sessions were moved");
}

fn tell(rounds: usize, total: Drained, seen: &Seen) {
    let (gap, gap_p99) = median_and_p99(&seen.gaps);
    let (wait, wait_p99) = median_and_p99(&seen.waits);
    println!(
        "rounds {rounds}, sessions {}, requests {}, failed {}, moved {}, finished {}, repeated {}, \
         gap median {gap:?} p99 {gap_p99:?}, answer after a failover median {wait:?} p99 \
         {wait_p99:?}",
        seen.sessions.load(Ordering::Relaxed),
        seen.requests.load(Ordering::Relaxed),
        seen.failed.lock().unwrap().len(),
        total.moved,
        total.finished,
        seen.repeated.load(Ordering::Relaxed),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_user_sees_an_error_when_pool_elements_drain_under_load() {
    drain_under_load(30, ELEMENTS).await;
}

/// The one that takes its place is in nobody's cache.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_of_one_is_replaced_without_an_error() {
    drain_under_load(20, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes; RSERPOOL_ROUNDS says how many rounds"]
async fn a_thousand_rounds_of_draining() {
    let rounds = std::env::var("RSERPOOL_ROUNDS").map_or(1000, |rounds| rounds.parse().unwrap());
    drain_under_load(rounds, ELEMENTS).await;
    drain_under_load(rounds, 1).await;
}

#[tokio::test]
async fn sessions_that_end_before_the_deadline_are_not_moved() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut first = element(&at).register().await.unwrap();
    let user = user(&at).start().await.unwrap();
    let session = user.connect("echo").await.unwrap();
    let connection = soon("accept", first.accept()).await.unwrap();
    let serving = tokio::spawn(count(connection));
    let draining = tokio::spawn(first.drain(Duration::from_secs(60)));

    let seen = Seen::default();
    let mut session = session;
    for counted in 0..5 {
        let count = next(&mut session, &seen, counted, 3).await;
        assert_eq!(count, Ok(counted + 1), "it goes on at the one that drains");
    }
    assert!(!draining.is_finished());
    drop(session);
    let drained = soon("draining", draining).await.unwrap();
    let expected = Drained {
        finished: 1,
        moved: 0,
    };
    assert_eq!(drained, expected);
    soon("the end of the service", serving).await.unwrap();
    assert!(seen.gaps.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_pool_element_that_drains_refuses_new_users_who_go_on_at_once() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut first = element(&at).register().await.unwrap();
    let first_id = first.id();
    let user = user(&at).start().await.unwrap();
    // This user knows of the first one only, and will for some time.
    let mut session = user.connect("echo").await.unwrap();
    tokio::spawn(count(soon("accept", first.accept()).await.unwrap()));
    let second = Serving::start(&at).await;
    let draining = tokio::spawn(first.drain(Duration::from_secs(60)));
    common::until_count(&registrar, 1).await;
    // The registrar's answer is on its way.
    tokio::time::sleep(Duration::from_millis(100)).await;

    let seen = Seen::default();
    let start = Instant::now();
    let mut other = soon("connect", user.connect("echo")).await.unwrap();
    println!("another one after {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_ne!(other.element().id, first_id);
    assert_eq!(next(&mut other, &seen, 0, 0).await, Ok(1));
    assert_eq!(next(&mut session, &seen, 0, 0).await, Ok(1));
    assert_eq!(session.element().id, first_id, "it stays where it is");
    assert!(seen.gaps.lock().unwrap().is_empty());

    drop(session);
    soon("draining", draining).await.unwrap();
    drop(other);
    second.drain(Duration::ZERO).await;
}

/// Counts by itself, and tells nobody until its user is moved.
async fn count_in_silence(mut connection: Connection, counted: Arc<AtomicUsize>) {
    let mut pause = tokio::time::interval(Duration::from_millis(1));
    loop {
        tokio::select! {
            _ = pause.tick() => drop(counted.fetch_add(1, Ordering::Relaxed)),
            event = connection.recv_event() => {
                let event = event.unwrap();
                if event == ConnectionEvent::Moving {
                    break;
                }
                assert!(matches!(event, ConnectionEvent::Message(_)), "{event:?}");
            }
        }
    }
    let last = u64::try_from(counted.load(Ordering::Relaxed)).unwrap();
    connection.send_cookie(last.to_be_bytes()).await.unwrap();
}

#[tokio::test]
async fn with_a_last_cookie_nothing_is_done_twice_when_a_user_is_moved() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut first = element(&at).register().await.unwrap();
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    session.send("begin").await.unwrap();
    let counted = Arc::<AtomicUsize>::default();
    let connection = soon("accept", first.accept()).await.unwrap();
    let counting = tokio::spawn(count_in_silence(connection, Arc::clone(&counted)));
    let mut second = element(&at).register().await.unwrap();
    let drained = soon("draining", first.drain(Duration::from_millis(50))).await;
    let expected = Drained {
        finished: 0,
        moved: 1,
    };
    assert_eq!(drained, expected);
    counting.await.unwrap();

    let event = soon("the failover", session.recv()).await.unwrap();
    let has_cookie = matches!(
        event,
        SessionEvent::Failover {
            cookie_echoed: true,
            ..
        }
    );
    assert!(has_cookie, "{event:?}");
    let mut connection = soon("accept", second.accept()).await.unwrap();
    let event = soon("the cookie", connection.recv_event()).await.unwrap();
    let counted = u64::try_from(counted.load(Ordering::Relaxed)).unwrap();
    assert!(counted > 1);
    let cookie = ConnectionEvent::CookieEcho(counted.to_be_bytes().to_vec());
    assert_eq!(event, cookie);
}
