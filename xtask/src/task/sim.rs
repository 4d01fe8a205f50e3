//! `cargo xtask sim`: the simulator over many seeds, or one seed with its transcript.

use super::Task;
use crate::process::{self, Failure};

pub(crate) const TASK: Task = Task {
    name: "sim",
    summary: "The simulator over many seeds, or one seed with its transcript",
    help: HELP,
    run,
};

const HELP: &str = "\
Usage: cargo xtask sim [OPTIONS]

A whole operational scope in virtual time: registrars, pool elements and pool users, while messages
are delayed and lost, hosts crash, hang and are cut off. Whatever must hold is checked after every
step. The same seed gives the same run, to the octet. The fixed seeds of `cargo xtask test` are in
crates/rserpool-sim/tests; these are for looking further.

  --seeds N       seeds 1 to N; 100 unless told
  --from S        begin with seed S instead of 1
  --seed S        this one, with its transcript

More options decide the scenario instead of the seed: crates/rserpool-sim/examples/seeds.rs.

  cargo xtask sim --seeds 1000
  cargo xtask sim --seed 42
";

fn run(arguments: &[String]) -> Result<(), Failure> {
    let example = [
        "run",
        "--release",
        "--package",
        "rserpool-sim",
        "--example",
        "seeds",
        "--",
    ];
    process::run(process::cargo().args(example).args(arguments))
}
