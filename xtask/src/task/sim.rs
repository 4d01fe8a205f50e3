//! `cargo xtask sim`: whole operational scopes in virtual time, one seed after the other.

use super::Task;
use crate::process::{self, Failure};

pub(crate) const TASK: Task = Task {
    name: "sim",
    summary: "Simulated scopes under faults, many seeds or one with its transcript",
    help: HELP,
    run,
};

const HELP: &str = "\
Usage: cargo xtask sim [OPTIONS]

  --seeds N             run seeds 1 to N; 100 unless told
  --from S              begin with seed S instead of 1
  --seed S              run this one and print its transcript

Without any of the following, each seed draws its own scenario:

  --nodes R,E,U         registrars, pool elements, pool users; 1,10,3 unless told
  --pools N             pools; 1 unless told
  --preset NAME         timers: rfc, default or fast
  --faults A,B,C        what goes wrong: names, all or none; a wrong name lists them
  --seconds N           how long it does; 60 unless told
  --no-multicast        no announces
  --announced-only      registrars are known by announces only

  --threads N           seeds run at the same time; 2 unless told
  --quiet               no transcript
  --show N              print so many violations; 20 unless told

What it prints at the end: seeds, simulated hours and their ratio to real time. A violation names
its seed and the command that shows it again; keep it in crates/rserpool-sim/tests/regressions.rs.

  cargo xtask sim --seeds 1000
  cargo xtask sim --seed 42 --nodes 2,5,2 --faults crash,partition
";

fn run(arguments: &[String]) -> Result<(), Failure> {
    let mut command = process::cargo();
    command.args(["run", "--quiet", "--release", "--package", "rserpool-sim"]);
    command.args(["--example", "seeds", "--"]);
    process::run(command.args(arguments))
}
