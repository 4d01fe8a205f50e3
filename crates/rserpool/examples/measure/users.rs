//! A process of many pool users that resolve at a fixed rate, each with its own association.

use crate::elements::say;
use crate::options::Options;
use crate::scope::PATIENCE;
use crate::{Failure, now};
use rserpool::{Multicast, PoolUser};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{Instant, MissedTickBehavior};

/// What users noticed in a span of time.
#[derive(Serialize, Deserialize)]
pub(crate) struct Report {
    /// Resolutions that were due in it.
    pub(crate) count: usize,
    /// Those that failed, after all that the pool user does by itself.
    pub(crate) failed: usize,
    /// From when it was due to the answer.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// The longest of any user.
    pub(crate) worst_ms: f64,
    /// Users whose home registrar the lost one was, and when the first and the last of them was
    /// served again, from the begin of the span.
    pub(crate) affected: usize,
    pub(crate) first_again_ms: f64,
    pub(crate) last_again_ms: f64,
    /// What failed first.
    pub(crate) failure: Option<String>,
}

pub(crate) fn run(arguments: &[String]) -> Result<bool, Failure> {
    let values = [
        "registrars",
        "address",
        "preset",
        "pool",
        "pools",
        "count",
        "rate",
    ];
    let options = Options::parse(arguments, &values, &[])?;
    let count = options.number("count", 32)?.max(1);
    let rate = options.number("rate", 1_000)?.max(1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let result = runtime.block_on(serve(&options, count, rate));
    runtime.shutdown_background();
    result.map(|()| true)
}

async fn serve(options: &Options, count: u32, rate: u32) -> Result<(), Failure> {
    let mut timers = options.preset()?.timers();
    // Each resolution asks a registrar.
    timers.asap.stale_cache_value = Duration::ZERO;
    let pools = options.number("pools", 1)?.max(1);
    let interval = Duration::from_secs(1) * count / rate;
    let mut users = Vec::new();
    for number in 0..count {
        let builder = PoolUser::builder().registrars(options.registrars()?);
        let builder = builder
            .addresses([options.address()?])
            .timers(timers.clone());
        let user = builder.multicast(Multicast::off()).start().await?;
        let pool = format!("{}-{}", options.text("pool", "pool"), number % pools);
        let start = Instant::now();
        while let Err(failure) = user.resolve(pool.as_str()).await {
            if start.elapsed() > PATIENCE {
                return Err(failure.into());
            }
        }
        let samples = Arc::new(Mutex::new(Vec::new()));
        users.push(Arc::clone(&samples));
        let first = Instant::now() + interval * number / count;
        tokio::spawn(resolve_for_ever(user, pool, first, interval, samples));
    }
    say(&format!("ready {count}"));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let numbers = line.split(' ').skip(1).map(str::parse);
        let numbers: Vec<u64> = numbers.collect::<Result<_, _>>()?;
        let [from, to, lost] = numbers[..] else {
            return Err(format!("not understood: {line}").into());
        };
        let json = serde_json::to_string(&report(&users, from, to, lost))?;
        say(&format!("report {json}"));
    }
    Ok(())
}

/// One resolution.
struct Sample {
    due: u64,
    end: u64,
    /// The UDP port of the home registrar before.
    home: Option<u16>,
    failure: Option<String>,
}

type Samples = Arc<Mutex<Vec<Sample>>>;

async fn resolve_for_ever(
    user: PoolUser,
    pool: String,
    first: Instant,
    interval: Duration,
    samples: Samples,
) {
    let mut tick = tokio::time::interval_at(first, interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let late = tick.tick().await.elapsed();
        let due = now() - u64::try_from(late.as_micros()).unwrap_or_default();
        let home = user.home_registrar().and_then(|home| home.udp_port);
        let resolved = user.resolve_items(pool.as_str(), 3).await;
        let sample = Sample {
            due,
            end: now(),
            home,
            failure: resolved.err().map(|failure| failure.to_string()),
        };
        samples
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sample);
    }
}

/// What was due from `from` to `to`, or was due before and answered in between.
fn report(users: &[Samples], from: u64, to: u64, lost: u64) -> Report {
    let (mut latencies, mut again) = (Vec::new(), Vec::new());
    let (mut failed, mut failure) = (0, None);
    for samples in users {
        let samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
        for sample in samples.iter().filter(|s| s.end >= from && s.due <= to) {
            latencies.push(sample.end - sample.due);
            failed += usize::from(sample.failure.is_some());
            failure = failure.or_else(|| sample.failure.clone());
        }
        let home = samples.iter().rev().find(|sample| sample.due < from);
        if home.and_then(|sample| sample.home).map(u64::from) == Some(lost) {
            let served = |sample: &&Sample| sample.due >= from && sample.failure.is_none();
            let first = samples
                .iter()
                .find(served)
                .map_or(u64::MAX, |s| s.end - from);
            // The one that was outstanding then may have taken longer.
            again.push(first);
        }
    }
    latencies.sort_unstable();
    again.sort_unstable();
    let at = |share: usize| latencies.get(latencies.len().saturating_sub(1) * share / 100);
    let ms = |time: Option<&u64>| crate::milliseconds(0, time.copied().unwrap_or_default());
    Report {
        count: latencies.len(),
        failed,
        p50_ms: ms(at(50)),
        p99_ms: ms(at(99)),
        worst_ms: ms(latencies.last()),
        affected: again.len(),
        first_again_ms: ms(again.first()),
        last_again_ms: ms(again.last()),
        failure,
    }
}
