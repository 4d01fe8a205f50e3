//! Kills or drains pool elements that have sessions, in virtual time: what
//! `cargo xtask sim --kills`, `--drains` and `--churn` call.

#![expect(
    clippy::disallowed_types,
    reason = "this program measures how fast the simulator is, which itself knows no clock"
)]

use rserpool_sim::{
    FaultKind, Outcome, Preset, Scenario, SessionStatistics, churn, drain_serving, kill_serving,
    trial_scenario, trial_scenario_of,
};
use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const USAGE: &str = include_str!("seeds.txt");

/// Rounds of one seed: then the next one, with another policy and other numbers.
const ROUNDS_OF_A_SEED: u64 = 500;

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
    threads: u64,
    rounds: u64,
    /// How they are killed, if they are not drained.
    how: FaultKind,
    drains: bool,
    churns: bool,
    scenario: Scenario,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            first: 1,
            threads: 2,
            rounds: 0,
            how: FaultKind::Crash,
            drains: false,
            churns: false,
            scenario: trial_scenario(),
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let value = rest
                .next()
                .ok_or_else(|| format!("{argument} needs a value"))?;
            let scenario = &mut options.scenario;
            match argument.as_str() {
                "--kills" => options.rounds = parsed(argument, value)?,
                "--drains" => {
                    options.rounds = parsed(argument, value)?;
                    options.drains = true;
                }
                "--churn" => {
                    options.rounds = parsed(argument, value)?;
                    options.churns = true;
                }
                "--faults" => options.how = parsed(argument, value)?,
                "--from" => options.first = parsed(argument, value)?,
                "--threads" => options.threads = parsed(argument, value)?,
                "--sessions" => scenario.sessions = parsed(argument, value)?,
                "--pools" => {
                    let Scenario {
                        preset, sessions, ..
                    } = *scenario;
                    *scenario = Scenario {
                        preset,
                        sessions,
                        ..trial_scenario_of(parsed(argument, value)?)
                    };
                }
                "--preset" => scenario.preset = parsed::<Preset>(argument, value)?,
                unknown => {
                    return Err(format!(
                        "no option `{unknown}` with --kills, --drains or --churn"
                    ));
                }
            }
        }
        Ok(options)
    }

    /// Each seed has its share of the rounds.
    fn shares(&self) -> Vec<(u64, u64)> {
        if self.churns {
            return vec![(self.first, self.rounds)];
        }
        let full = self.rounds / ROUNDS_OF_A_SEED;
        let rest = self.rounds % ROUNDS_OF_A_SEED;
        let rounds = (0..full).map(|_| ROUNDS_OF_A_SEED).chain([rest]);
        (self.first..)
            .zip(rounds.filter(|count| *count > 0))
            .collect()
    }

    fn run(&self) -> ExitCode {
        let started = Instant::now();
        let (shares, next) = (self.shares(), AtomicU64::new(0));
        let totals = Mutex::new(Totals::default());
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| {
                    loop {
                        let index = usize::try_from(next.fetch_add(1, Ordering::Relaxed));
                        let Some((seed, rounds)) = index.ok().and_then(|at| shares.get(at)) else {
                            break;
                        };
                        let outcome = self.run_one(*seed, *rounds);
                        if let Ok(mut totals) = totals.lock() {
                            totals.add(&outcome);
                        }
                    }
                });
            }
        });
        let totals = totals.into_inner().unwrap_or_default();
        totals.print(started.elapsed());
        if totals.violations == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

impl Options {
    fn run_one(&self, seed: u64, rounds: u64) -> Outcome {
        if self.churns {
            let (outcome, [first, second]) = churn(seed, &self.scenario, rounds);
            print(&format_args!("at most, of the first half: {first}"));
            print(&format_args!("at most, of the second half: {second}"));
            outcome
        } else if self.drains {
            drain_serving(seed, &self.scenario, rounds)
        } else {
            kill_serving(seed, &self.scenario, self.how, rounds)
        }
    }
}

#[derive(Default)]
struct Totals {
    seeds: u64,
    violations: usize,
    simulated: Duration,
    sessions: SessionStatistics,
}

impl Totals {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.violations += outcome.violations.len();
        self.simulated += outcome.simulated;
        self.sessions.add(&outcome.statistics.sessions);
        for violation in &outcome.violations {
            print(violation);
        }
    }

    fn print(&self, took: Duration) {
        let Self {
            seeds,
            violations,
            simulated,
            sessions,
        } = self;
        print(sessions);
        let hours = simulated.as_secs_f64() / 3600.0;
        print(&format_args!(
            "{seeds} seeds, {violations} violations; {hours:.2} h simulated in {:.1} s",
            took.as_secs_f64()
        ));
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
