//! Runs many seeds, or one with its transcript: what `cargo xtask sim` calls.

#![expect(
    clippy::disallowed_types,
    reason = "this program measures how fast the simulator is, which itself knows no clock"
)]

use rserpool_sim::{Outcome, Scenario, run};
use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const USAGE: &str = include_str!("seeds.txt");

/// Seeds with violations that a summary names.
const NAMED_MAX: usize = 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match Options::parse(&arguments) {
        Ok(options) => options.run(),
        Err(problem) => {
            eprintln!("error: {problem}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

struct Options {
    first: u64,
    seeds: u64,
    threads: u64,
    transcript: bool,
    /// Violations that are printed; the rest is only counted.
    show: usize,
    scenario: Option<Scenario>,
    /// Of each pool user, whatever the scenario.
    sessions: usize,
    /// The same.
    senders: usize,
    /// Whether pool users are pool elements too, whatever the scenario.
    callbacks: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            first: 1,
            seeds: 100,
            threads: 2,
            transcript: false,
            show: 20,
            scenario: None,
            sessions: 0,
            senders: 0,
            callbacks: false,
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || {
                rest.next()
                    .map(String::as_str)
                    .ok_or_else(|| format!("{argument} needs a value"))
            };
            match argument.as_str() {
                "--seeds" => options.seeds = parsed(argument, value()?)?,
                "--from" => options.first = parsed(argument, value()?)?,
                "--seed" => {
                    options.first = parsed(argument, value()?)?;
                    options.seeds = 1;
                    options.transcript = true;
                }
                "--threads" => options.threads = parsed(argument, value()?)?,
                "--show" => options.show = parsed(argument, value()?)?,
                "--quiet" => options.transcript = false,
                "--nodes" => {
                    let nodes = numbers(argument, value()?)?;
                    let scenario = options.given();
                    [scenario.registrars, scenario.elements, scenario.users] = nodes;
                }
                "--pools" => options.given().pools = parsed(argument, value()?)?,
                "--preset" => options.given().preset = parsed(argument, value()?)?,
                "--peers" => options.given().peering = parsed(argument, value()?)?,
                "--faults" => options.given().faults = parsed(argument, value()?)?,
                "--seconds" => {
                    let seconds: f64 = parsed(argument, value()?)?;
                    let duration = Duration::try_from_secs_f64(seconds);
                    options.given().duration = duration.map_err(|error| error.to_string())?;
                }
                "--sessions" => options.sessions = parsed(argument, value()?)?,
                "--senders" => options.senders = parsed(argument, value()?)?,
                "--callbacks" => options.callbacks = true,
                "--scopes" => options.given().scopes = parsed(argument, value()?)?,
                "--no-multicast" => options.given().multicast = false,
                "--announced-only" => options.given().announced_only = true,
                unknown => return Err(format!("no option `{unknown}`")),
            }
        }
        Ok(options)
    }

    fn given(&mut self) -> &mut Scenario {
        self.scenario.get_or_insert_with(|| Scenario::new(10, 3))
    }

    fn run(&self) -> ExitCode {
        let started = Instant::now();
        let next = AtomicU64::new(self.first);
        let end = self.first.saturating_add(self.seeds);
        let totals = Mutex::new(Totals::default());
        std::thread::scope(|scope| {
            for _ in 0..self.threads.clamp(1, self.seeds.max(1)) {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= end {
                            break;
                        }
                        let outcome = self.run_one(seed);
                        if let Ok(mut totals) = totals.lock() {
                            totals.add(self, seed, &outcome, started.elapsed());
                        }
                    }
                });
            }
        });
        let totals = totals.into_inner().unwrap_or_default();
        print(&totals.summary(started.elapsed()));
        if totals.bad.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    fn run_one(&self, seed: u64) -> Outcome {
        let scenario = self.scenario.clone();
        let mut scenario = scenario.unwrap_or_else(|| Scenario::random(seed));
        scenario.transcript = self.transcript;
        scenario.sessions = self.sessions;
        scenario.senders = self.senders;
        scenario.peers = self.callbacks;
        let outcome = run(seed, &scenario);
        if self.transcript {
            print(&format_args!("{scenario:?}\n{}", outcome.transcript));
        }
        outcome
    }
}

#[derive(Default)]
struct Totals {
    runs: u64,
    bad: Vec<u64>,
    shown: usize,
    simulated: Duration,
    steps: u64,
    messages: u64,
    faults: u64,
    slowest: (Duration, u64),
}

impl Totals {
    fn add(&mut self, options: &Options, seed: u64, outcome: &Outcome, elapsed: Duration) {
        self.runs += 1;
        self.simulated += outcome.simulated;
        self.steps += outcome.statistics.steps;
        self.messages += outcome.statistics.messages;
        self.faults += outcome.statistics.faults;
        self.slowest = self.slowest.max((outcome.statistics.well_after, seed));
        if options.seeds == 1 {
            print(&outcome.statistics);
        }
        if !outcome.violations.is_empty() {
            self.bad.push(seed);
        }
        for violation in &outcome.violations {
            self.shown += 1;
            if self.shown <= options.show {
                print(violation);
            }
        }
        if options.seeds >= 100 && self.runs.is_multiple_of(options.seeds / 10) {
            print(&self.summary(elapsed));
        }
    }

    fn summary(&self, elapsed: Duration) -> String {
        let Self {
            runs,
            bad,
            steps,
            messages,
            faults,
            slowest,
            ..
        } = self;
        let hours = self.simulated.as_secs_f64() / 3600.0;
        let ratio = self.simulated.as_secs_f64() / elapsed.as_secs_f64();
        let mut text = format!(
            "{runs} seeds, {} with violations; {hours:.2} h simulated in {:.1} s, {ratio:.0} times \
             real time; {faults} faults, {steps} steps, {messages} messages; well again after \
             {:.2} s at most (seed {})",
            bad.len(),
            elapsed.as_secs_f64(),
            slowest.0.as_secs_f64(),
            slowest.1,
        );
        if !bad.is_empty() {
            let mut bad = bad.clone();
            bad.sort_unstable();
            bad.truncate(NAMED_MAX);
            let _ = write!(text, "\nseeds with violations: {bad:?}");
        }
        text
    }
}

/// Prints a line; a reader that has seen enough closes the pipe.
fn print(line: &dyn Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn parsed<T: FromStr>(name: &str, text: &str) -> Result<T, String>
where
    T::Err: Display,
{
    text.parse()
        .map_err(|error| format!("{name} {text}: {error}"))
}

fn numbers(name: &str, text: &str) -> Result<[usize; 3], String> {
    let numbers: Result<Vec<usize>, _> = text.split(',').map(str::parse).collect();
    numbers
        .ok()
        .and_then(|numbers| numbers.try_into().ok())
        .ok_or_else(|| format!("{name} needs three numbers, as in 1,10,3"))
}
