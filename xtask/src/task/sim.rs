//! `cargo xtask sim`: whole operational scopes in virtual time, one seed after the other.

use super::Task;
use crate::process::{self, Failure};

pub(crate) const TASK: Task = Task {
    name: "sim",
    summary: "Simulated scopes under faults, many seeds or one with its transcript; sessions",
    help: HELP,
    run,
};

/// What the program says of itself, too.
const HELP: &str = include_str!("../../../crates/rserpool-sim/examples/seeds.txt");

fn run(arguments: &[String]) -> Result<(), Failure> {
    let mut command = process::cargo();
    command.args(["run", "--quiet", "--release", "--package", "rserpool-sim"]);
    let of_trials = ["--kills", "--drains", "--churn"];
    let is_trial = arguments
        .iter()
        .any(|argument| of_trials.contains(&argument.as_str()));
    let program = if is_trial { "sessions" } else { "seeds" };
    command.args(["--example", program, "--"]);
    process::run(command.args(arguments))
}
