//! A job service as one would run it: jobs that take their time, progress in sealed cookies, and
//! an end without a job lost. Written from the documentation alone.
//!
//! ```sh
//! openssl rand -hex 32 > key
//! rsp registrar & cargo run --example prime_jobs serve key &
//! cargo run --example prime_jobs serve key
//! cargo run --release --example prime_jobs count 3000000     # in a second terminal
//! ```
//!
//! The progress is told, and who works on it. `kill` that one (SIGTERM): it takes no more jobs,
//! works for two seconds more and hands over what is left. `kill -9`: what it has done since its
//! last cookie is done again. Either way the number of primes is right: 216816 below 3000000.

use rserpool::{
    Connection, ConnectionEvent, CookieSeal, Multicast, PoolElement, PoolUser, RegistrarAddress,
    SessionEvent,
};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// For so long jobs go on at an element that is told to end.
const DRAIN: Duration = Duration::from_secs(2);
/// No more than this is done twice.
const COOKIE_EVERY: Duration = Duration::from_millis(100);
/// Numbers that are looked at in one go: a message waits no longer than that.
const STEP: u64 = 1_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (role, what) = (arguments.next(), arguments.next());
    let what = what.ok_or("serve KEYFILE or count LIMIT, and registrars")?;
    // Further arguments are registrars; without any, they are found by multicast.
    let registrars = arguments.map(|at| at.parse());
    let registrars: Vec<RegistrarAddress> = registrars.collect::<Result<_, _>>()?;
    let multicast = match registrars[..] {
        [] => Multicast::default(),
        _ => Multicast::off(),
    };
    if role.as_deref() == Some("serve") {
        let key = std::fs::read_to_string(what)?.parse()?;
        let element = PoolElement::builder("primes").registrars(registrars);
        let element = element.multicast(multicast).register().await?;
        let seal = CookieSeal::new(key, "primes", element.id());
        serve(element, seal).await
    } else {
        let user = PoolUser::builder().registrars(registrars);
        count(user.multicast(multicast).start().await?, &what).await
    }
}

/// How many primes there are below a limit, as far as that is known.
#[derive(Clone, Copy)]
struct Job {
    limit: u64,
    next: u64,
    primes: u64,
}

impl Job {
    fn begin(limit: u64) -> Self {
        Self {
            limit,
            next: 2,
            primes: 0,
        }
    }

    fn is_done(&self) -> bool {
        self.next >= self.limit
    }

    fn work(&mut self) {
        let end = self.limit.min(self.next + STEP);
        let is_prime = |number: &u64| {
            let factors = (2..).take_while(|factor| factor * factor <= *number);
            factors
                .into_iter()
                .all(|factor| !number.is_multiple_of(factor))
        };
        let found = (self.next..end).filter(is_prime).count();
        self.primes += found as u64;
        self.next = end;
    }

    /// As a cookie and as an answer.
    fn encode(&self) -> Vec<u8> {
        format!("{} {} {}", self.limit, self.next, self.primes).into_bytes()
    }

    fn decode(octets: &[u8]) -> Result<Self, Failure> {
        let mut numbers = std::str::from_utf8(octets)?.split(' ');
        let mut number = || -> Result<u64, Failure> {
            Ok(numbers.next().ok_or("a number is missing")?.parse()?)
        };
        Ok(Self {
            limit: number()?,
            next: number()?,
            primes: number()?,
        })
    }
}

async fn serve(mut element: PoolElement, seal: CookieSeal) -> Result<(), Failure> {
    println!("element {} works", element.id());
    let mut stop = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            Some(user) = element.accept() => {
                let seal = seal.clone();
                tokio::spawn(async move {
                    if let Err(failure) = work(user, &seal).await {
                        eprintln!("a session has ended: {failure}");
                    }
                });
            }
            _ = stop.recv() => break,
        }
    }
    let drained = element.drain(DRAIN).await;
    println!("{} finished, {} moved", drained.finished, drained.moved);
    Ok(())
}

/// One user, and its job.
async fn work(mut user: Connection, seal: &CookieSeal) -> Result<(), Failure> {
    let mut job: Option<Job> = None;
    let mut told = Instant::now();
    loop {
        let is_working = job.is_some_and(|job| !job.is_done());
        let event = tokio::select! {
            biased;
            event = user.recv_event() => Some(event),
            () = tokio::task::yield_now(), if is_working => None,
        };
        match event {
            // Another element began with it. Its user asks again, too; that is no new job.
            Some(Some(ConnectionEvent::CookieEcho(cookie))) => {
                job = Some(Job::decode(&seal.open(&cookie)?)?);
            }
            Some(Some(ConnectionEvent::Message(request))) => {
                let limit = String::from_utf8(request.data)?.parse()?;
                job = job.filter(|job| job.limit == limit);
                let job = job.get_or_insert_with(|| Job::begin(limit));
                user.send(job.encode()).await?;
            }
            Some(Some(_)) => {}
            Some(None) => return Ok(()),
            None => {
                let Some(job) = &mut job else { continue };
                job.work();
                if job.is_done() || told.elapsed() >= COOKIE_EVERY {
                    told = Instant::now();
                    // Fails when the user has gone, or was moved to another element.
                    user.send_cookie(seal.seal(&job.encode())?).await?;
                    user.send(job.encode()).await?;
                }
            }
        }
    }
}

async fn count(user: PoolUser, limit: &str) -> Result<(), Failure> {
    let mut session = user.connect("primes").await?;
    println!("element {} begins", session.element().id);
    session.send(limit).await?;
    loop {
        let event = session.recv().await?;
        if let SessionEvent::Message(answer) = event {
            let job = Job::decode(&answer.data)?;
            let (primes, next) = (job.primes, job.next);
            if job.is_done() {
                println!("{primes} primes below {limit}");
                return Ok(());
            }
            println!("{primes} below {next} so far");
        } else if let SessionEvent::Failover { to, .. } = event {
            println!("element {to} goes on");
            // If there was no cookie yet, it knows nothing of the job.
            session.send(limit).await?;
        }
    }
}
