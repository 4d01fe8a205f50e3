//! The tasks, one file each. A new one: a file here, and a line in [`TASKS`].

mod bench;
mod captures;
mod fuzz;
mod interop;
mod measure;
mod sim;
mod test;

use crate::process::Failure;

/// One task: `cargo xtask NAME`.
pub(crate) struct Task {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) help: &'static str,
    pub(crate) run: fn(&[String]) -> Result<(), Failure>,
}

/// Every task, in the order of `--help`.
pub(crate) const TASKS: [Task; 11] = [
    test::TASK,
    sim::TASK,
    fuzz::TASK,
    bench::TASK,
    measure::FAILOVER,
    measure::PARTITION,
    measure::JOIN,
    measure::IDLE,
    measure::SESSIONS,
    captures::TASK,
    interop::TASK,
];

/// The value after the option `name` as a number.
fn number_after(name: &str, value: Option<&String>) -> Result<u64, Failure> {
    value
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Failure::Usage(format!("{name} needs a number")))
}
