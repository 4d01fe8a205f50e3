//! A process of many pool elements, each with its own association and registration.
//!
//! It tells unasked: `+ pool id t`: registered; `- pool id t`: about to deregister;
//! `h pool id port t`: registered at a home registrar, that at this UDP port.

use crate::child::JOURNAL;
use crate::options::{Options, Preset};
use crate::{Failure, now};
use rserpool::{Multicast, PoolElement, RegistrarAddress};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long a pool element tries to register.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many register at one time in the beginning.
const AT_ONCE: u32 = 32;
/// How many there are, at least, of those that come and go.
const CHANGING: usize = 10;

pub(crate) fn run(arguments: &[String]) -> Result<bool, Failure> {
    let values = [
        "registrars",
        "address",
        "preset",
        "pool",
        "pools",
        "count",
        "churn",
    ];
    let options = Options::parse(arguments, &values, &[])?;
    let host = Arc::new(Host {
        registrars: options.registrars()?,
        address: options.address()?,
        preset: options.preset()?,
        pool: options.text("pool", "pool"),
        pools: options.number("pools", 1)?.max(1),
    });
    let (count, churn) = (options.number("count", 1)?, options.number("churn", 0)?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let result = runtime.block_on(serve(&host, count, churn));
    // Whoever is left ends with the process, as if killed.
    runtime.shutdown_background();
    result.map(|()| true)
}

/// What all pool elements here have in common.
struct Host {
    registrars: Vec<RegistrarAddress>,
    address: IpAddr,
    preset: Preset,
    pool: String,
    pools: u32,
}

impl Host {
    async fn register(&self, number: u32) -> Result<PoolElement, Failure> {
        let pool = format!("{}-{}", self.pool, number % self.pools);
        let give_up = Instant::now() + PATIENCE;
        loop {
            let builder = PoolElement::builder(pool.as_str()).addresses([self.address]);
            let builder = builder.registrars(self.registrars.clone());
            let builder = builder
                .timers(self.preset.timers())
                .multicast(Multicast::off());
            match builder.register_timeout(PATIENCE).register().await {
                Ok(element) => {
                    journal('+', &element, &now().to_string());
                    return Ok(element);
                }
                // Two attempts are soon over with the fast preset.
                Err(error) if error.is_temporary() && Instant::now() < give_up => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

async fn serve(host: &Arc<Host>, count: u32, churn: u32) -> Result<(), Failure> {
    let mut elements = Vec::new();
    let mut registering = JoinSet::new();
    for number in 0..count {
        let host = Arc::clone(host);
        registering.spawn(async move { host.register(number).await });
        if registering.len() >= usize::try_from(AT_ONCE)? {
            elements.extend(registering.join_next().await.transpose()?.transpose()?);
        }
    }
    while let Some(element) = registering.join_next().await {
        elements.push(element??);
    }
    for element in elements {
        tokio::spawn(watch_home(element));
    }
    say(&format!("ready {count}"));
    let (calm, is_calm) = watch::channel(false);
    tokio::spawn(keep_changing(Arc::clone(host), churn, is_calm));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match line.as_str() {
            "new" => register_one(host).await,
            "calm" => {
                calm.send_replace(true);
                // Those that are registering or leaving have ended.
                calm.closed().await;
                say("calm");
            }
            _ => return Err(format!("not understood: {line}").into()),
        }
    }
    Ok(())
}

/// Tells when a pool element is registered at a home registrar where it was not.
async fn watch_home(element: PoolElement) {
    let mut events = element.events();
    let mut known: Option<RegistrarAddress> = None;
    while events.recv().await.is_some() {
        let home = element.home_registrar().filter(|_| element.is_registered());
        if home != known {
            if let Some(home) = &home {
                let port = home.udp_port.unwrap_or_default();
                journal('h', &element, &format!("{port} {}", now()));
            }
            known = home;
        }
    }
}

/// A new pool element comes and goes: how long its registration took.
async fn register_one(host: &Host) {
    let start = now();
    match host.register(0).await {
        Ok(element) => {
            say(&format!("new {start} {}", now()));
            leave(element).await;
        }
        Err(failure) => say(&format!("new failed: {failure}")),
    }
}

async fn leave(element: PoolElement) {
    journal('-', &element, &now().to_string());
    element.deregister().await;
}

/// In turn, one registers and the one that is here longest leaves, so many times each second.
async fn keep_changing(host: Arc<Host>, rate: u32, mut calm: watch::Receiver<bool>) {
    if rate == 0 {
        return;
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1) / rate);
    let mut here = BTreeMap::new();
    let mut changing = JoinSet::new();
    for number in 0_u32.. {
        tokio::select! {
            _ = tick.tick() => {}
            _ = calm.wait_for(|calm| *calm) => break,
        }
        while let Some(done) = changing.try_join_next() {
            if let Ok(Some((number, element))) = done {
                here.insert(number, element);
            }
        }
        let leaves = number % 2 == 1 && here.len() > CHANGING;
        let oldest = if leaves { here.pop_first() } else { None };
        let host = Arc::clone(&host);
        changing.spawn(async move {
            if let Some((_, element)) = oldest {
                leave(element).await;
                return None;
            }
            match host.register(number).await {
                Ok(element) => Some((number, element)),
                Err(failure) => {
                    say(&format!("new failed: {failure}"));
                    None
                }
            }
        });
    }
    while let Some(done) = changing.join_next().await {
        if let Ok(Some((number, element))) = done {
            here.insert(number, element);
        }
    }
    drop(calm);
    // Those that are here stay.
    std::future::pending::<()>().await;
    drop(here);
}

fn journal(sign: char, element: &PoolElement, rest: &str) {
    let (pool, id) = (element.pool_handle(), element.id());
    say(&format!("{JOURNAL}{sign} {pool} {id} {rest}"));
}

pub(crate) fn say(line: &str) {
    // Whoever started this may be gone; then standard input ends, and this with it.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
