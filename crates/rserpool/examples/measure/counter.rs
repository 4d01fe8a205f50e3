//! A process of one pool element that counts the requests of each session, and keeps what it has
//! counted in cookies: `ready ID` when it is registered. Ends with its standard input;
//! SIGTERM drains it.

use crate::Failure;
use crate::count::{Answer, Count, number};
use crate::elements::say;
use crate::options::Options;
use crate::scope::PATIENCE;
use rserpool::{Connection, CookieKey, CookieSeal, Multicast, PoolElement};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::signal::unix::{SignalKind, signal};

pub(crate) fn run(arguments: &[String]) -> Result<bool, Failure> {
    let values = [
        "registrars",
        "address",
        "preset",
        "pool",
        "key",
        "interval",
        "drain-ms",
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
    let builder = PoolElement::builder(pool.as_str()).addresses([options.address()?]);
    let builder = builder.registrars(options.registrars()?);
    let builder = builder
        .multicast(Multicast::off())
        .timers(options.preset()?.timers());
    let mut element = builder.register_timeout(PATIENCE).register().await?;
    let key: CookieKey = options.text("key", "").parse()?;
    let counter = Counter {
        seal: CookieSeal::new(key, pool.as_str(), element.id()),
        interval: options.number("interval", 10)?.max(1).into(),
    };
    say(&format!("ready {}", element.id()));
    let drain = Duration::from_millis(options.number("drain-ms", 0)?.into());
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut stop = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            _ = stop.recv() => {
                element.drain(drain).await;
                return Ok(());
            }
            Some(connection) = element.accept() => {
                tokio::spawn(counter.clone().serve(connection));
            }
            line = lines.next_line() => if line?.is_none() { return Ok(()) },
        }
    }
}

#[derive(Clone)]
struct Counter {
    seal: CookieSeal,
    /// A cookie after so many requests.
    interval: u64,
}

impl Counter {
    async fn serve(self, mut connection: Connection) {
        let mut count = Count::default();
        while let Some(request) = connection.recv().await {
            if let Some(cookie) = connection.take_cookie_echo() {
                match self.seal.open(&cookie) {
                    Ok(state) => count = Count::decode(&state).unwrap_or_default(),
                    Err(refused) => eprintln!("a cookie is refused: {refused}"),
                }
            }
            let Some((asked, _)) = number(&request.data) else {
                return;
            };
            // Before the answer: who has that has the cookie.
            let is_due = count.count(asked) && count.number % self.interval == 0;
            if is_due && self.give_cookie(&connection, count).await.is_err() {
                return;
            }
            let answer = Answer { asked, count };
            if connection.send(answer.encode()).await.is_err() {
                return;
            }
        }
    }

    async fn give_cookie(&self, connection: &Connection, count: Count) -> Result<(), Failure> {
        let cookie = self.seal.seal(&count.encode())?;
        Ok(connection.send_cookie(cookie).await?)
    }
}
