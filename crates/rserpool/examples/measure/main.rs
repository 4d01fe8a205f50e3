//! What a scope of real processes does when registrars die, hang, are cut off or join:
//! `cargo xtask failover`, `partition` and `join` build and run this; `idle`: what it costs while
//! none of that happens; `sessions`: what their pool elements' deaths are to sessions.
//!
//! The registrars are `rsp registrar` processes; pool elements and pool users are processes of
//! this program, one for many. All are told what to do by a line and answer by a line.

mod child;
mod count;
mod counter;
mod counting;
mod crowd;
mod elements;
mod failover;
mod idle;
mod join;
mod namespace;
mod options;
mod partition;
mod registrar;
mod scope;
mod sessions;
mod table;
mod usage;
mod users;
mod view;

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((name, rest)) => run(name, rest),
        None => Err("name what to measure: failover, partition, join, idle or sessions".into()),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(2)
        }
    }
}

fn run(name: &str, arguments: &[String]) -> Result<bool, Failure> {
    match name {
        "failover" => failover::run(arguments),
        "partition" => partition::run(arguments),
        "join" => join::run(arguments),
        "idle" => idle::run(arguments),
        "sessions" => sessions::run(arguments),
        "elements" => elements::run(arguments),
        "users" => users::run(arguments),
        "crowd" => crowd::run(arguments),
        "counter" => counter::run(arguments),
        "counting" => counting::run(arguments),
        _ => Err(format!("nothing to measure by the name of {name}").into()),
    }
}

/// The time that all processes of this machine share, in microseconds.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}

/// From one time to a later one, in milliseconds.
pub(crate) fn milliseconds(from: u64, to: u64) -> f64 {
    Duration::from_micros(to.saturating_sub(from)).as_secs_f64() * 1e3
}
