//! A process of sessions with the pool of counters, each of which asks to count on and checks
//! the answers.
//!
//! It tells unasked, of each failover with the first answer after it that is new:
//! `f from gap t repeated`. It is asked: `where`: how many sessions are with which pool element;
//! `without ID`: answers when no session is with that one and all go on; `report`: a [`Report`].

use crate::child::JOURNAL;
use crate::count::{Answer, Count};
use crate::elements::say;
use crate::options::Options;
use crate::scope::PATIENCE;
use crate::{Failure, now};
use rserpool::{Multicast, PoolUser, Session, SessionEvent};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::Instant;

/// How often it is looked whether all go on.
const LOOK: Duration = Duration::from_millis(5);

/// What all sessions together have seen.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Requests that were answered, each once.
    pub(crate) answered: u64,
    /// Answers that were not what they had to be: something was left out or counted twice.
    pub(crate) wrong: usize,
    /// Sessions that ended or no longer go on.
    pub(crate) lost: usize,
}

pub(crate) fn run(arguments: &[String]) -> Result<bool, Failure> {
    let values = [
        "registrars",
        "address",
        "preset",
        "pool",
        "count",
        "pause-ms",
    ];
    let options = Options::parse(arguments, &values, &[])?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let result = runtime.block_on(serve(&options));
    runtime.shutdown_background();
    result.map(|()| true)
}

async fn serve(options: &Options) -> Result<(), Failure> {
    let pool = options.text("pool", "counter");
    let pause = Duration::from_millis(options.number("pause-ms", 20)?.into());
    let builder = PoolUser::builder().registrars(options.registrars()?);
    let builder = builder
        .addresses([options.address()?])
        .timers(options.preset()?.timers());
    let user = builder.multicast(Multicast::off()).start().await?;
    let mut all = Vec::new();
    for _ in 0..options.number("count", 24)?.max(1) {
        let session = user.connect(pool.as_str()).await?;
        let seen = Arc::new(Mutex::new(Seen::new(&session)));
        all.push(Arc::clone(&seen));
        tokio::spawn(Counting::new(session, pause, seen).run());
    }
    say("ready");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match line.split_once(' ') {
            Some(("without", element)) => {
                until_without(element, &all).await;
                say("without");
            }
            None if line == "where" => say(&format!("where {}", places(&all)?)),
            None if line == "report" => say(&format!("report {}", report(&all)?)),
            _ => return Err(format!("not understood: {line}").into()),
        }
    }
    Ok(())
}

type All = [Arc<Mutex<Seen>>];

fn places(all: &All) -> Result<String, Failure> {
    let mut places = BTreeMap::<String, u32>::new();
    for seen in all {
        let seen = lock(seen);
        if !seen.is_lost {
            *places.entry(seen.element.clone()).or_default() += 1;
        }
    }
    Ok(serde_json::to_string(&places)?)
}

fn report(all: &All) -> Result<String, Failure> {
    let mut report = Report::default();
    for seen in all {
        let seen = lock(seen);
        report.answered += seen.answered;
        report.wrong += seen.wrong;
        report.lost += usize::from(seen.is_lost);
    }
    Ok(serde_json::to_string(&report)?)
}

/// Those that do not go on in time are lost.
async fn until_without(element: &str, all: &All) {
    let waits = |seen: &Seen| !seen.is_lost && (seen.element == element || seen.since.is_some());
    let end = Instant::now() + PATIENCE;
    while all.iter().any(|seen| waits(&lock(seen))) {
        if Instant::now() > end {
            for seen in all {
                let mut seen = lock(seen);
                seen.is_lost = waits(&seen);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What one session has seen.
struct Seen {
    element: String,
    answered: u64,
    wrong: usize,
    is_lost: bool,
    /// A failover after which nothing new was answered yet.
    since: Option<Moved>,
}

/// A failover.
struct Moved {
    from: String,
    gap: Duration,
    repeated: u64,
}

impl Seen {
    fn new(session: &Session) -> Self {
        Self {
            element: session.element().id.to_string(),
            answered: 0,
            wrong: 0,
            is_lost: false,
            since: None,
        }
    }
}

/// One session.
struct Counting {
    session: Session,
    pause: Duration,
    seen: Arc<Mutex<Seen>>,
    /// What has to have been counted; the next one is asked, or will be after the pause.
    before: Count,
    /// Until the next request is sent; none while one is unanswered.
    next_at: Option<Instant>,
}

impl Counting {
    fn new(session: Session, pause: Duration, seen: Arc<Mutex<Seen>>) -> Self {
        Self {
            session,
            pause,
            seen,
            before: Count::default(),
            next_at: Some(Instant::now()),
        }
    }

    async fn run(mut self) {
        loop {
            let next_at = self.next_at;
            let is_over = tokio::select! {
                event = self.session.recv() => match event {
                    Ok(event) => self.on_event(event),
                    Err(lost) => {
                        eprintln!("a session is lost: {lost}");
                        true
                    }
                },
                () = until(next_at) => self.ask().await,
            };
            if is_over {
                lock(&self.seen).is_lost = true;
                return;
            }
        }
    }

    async fn ask(&mut self) -> bool {
        self.next_at = None;
        self.session.send(self.asked().to_be_bytes()).await.is_err()
    }

    fn asked(&self) -> u64 {
        self.before.number + 1
    }

    fn on_event(&mut self, event: SessionEvent) -> bool {
        match event {
            SessionEvent::Message(received) => match Answer::decode(&received.data) {
                Some(answer) if answer.asked == self.asked() => self.on_answer(answer.count),
                // To a request that was sent twice.
                Some(_) => false,
                None => true,
            },
            SessionEvent::Failover { from, to, gap, .. } => {
                let mut seen = lock(&self.seen);
                seen.element = to.to_string();
                seen.since.get_or_insert_with(|| Moved {
                    from: from.to_string(),
                    gap,
                    repeated: 0,
                });
                // Nobody knows whether the one that failed has counted it.
                self.next_at = Some(Instant::now());
                false
            }
            // Only of messages that are to be given back.
            SessionEvent::Undelivered(_) | _ => false,
        }
    }

    fn on_answer(&mut self, count: Count) -> bool {
        let asked = self.asked();
        if count.number < asked {
            // It goes on from the cookie: what was counted since is repeated.
            self.before = Count::after(count.number);
            let mut seen = lock(&self.seen);
            let repeated = seen.answered.saturating_sub(count.number);
            if let Some(moved) = &mut seen.since {
                moved.repeated = moved.repeated.max(repeated);
            }
            self.next_at = Some(Instant::now());
            return false;
        }
        self.before.count(asked);
        let mut seen = lock(&self.seen);
        seen.wrong += usize::from(count != self.before);
        let is_new = asked > seen.answered;
        if is_new {
            seen.answered = asked;
            if let Some(moved) = seen.since.take() {
                tell(&moved);
            }
        }
        let pause = if is_new { self.pause } else { Duration::ZERO };
        self.next_at = Some(Instant::now() + pause);
        false
    }
}

fn tell(moved: &Moved) {
    let Moved {
        from,
        gap,
        repeated,
    } = moved;
    let (gap, now) = (gap.as_micros(), now());
    say(&format!("{JOURNAL}f {from} {gap} {now} {repeated}"));
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
