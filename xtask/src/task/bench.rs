//! `cargo xtask bench`: the benchmarks of all crates.

use super::Task;
use crate::process::{self, Failure};

pub(crate) const TASK: Task = Task {
    name: "bench",
    summary: "The benchmarks; docs/benchmarks.md says what each row is measured by",
    help: HELP,
    run,
};

const HELP: &str = "\
Usage: cargo xtask bench [CRATE...]

Without a crate: the benchmarks of the whole workspace. Figures of one run can be compared with
each other; those of two machines cannot.

  cargo xtask bench rserpool-handlespace
";

fn run(arguments: &[String]) -> Result<(), Failure> {
    let mut command = process::cargo();
    command.arg("bench");
    if arguments.is_empty() {
        command.arg("--workspace");
    }
    for name in arguments {
        command.args(["--package", name]);
    }
    // `--benches` alone would also run the unit tests of the libraries.
    process::run(command.args(["--bench", "*"]))
}
