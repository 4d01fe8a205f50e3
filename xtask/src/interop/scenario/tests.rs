//! The tests of our kernel SCTP, which need a kernel that has it.

use super::{Run, Scenario};
use crate::interop::program::Program;
use crate::interop::side::{Side, values};
use crate::process::{self, Failure};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

pub(super) const SCENARIO: Scenario = Scenario {
    id: "tests",
    name: "the tests of kernel SCTP in rserpool-net",
    roles: &["all"],
    casts: || vec![vec![Side::Ours]],
    judge: None,
    paths: 1,
    play,
};

/// The test program, and its name in the folder that host and guest share.
const PROGRAM: &str = "kernel_sctp";
const PATIENCE: Duration = Duration::from_secs(240);

/// Builds the test program on the host and leaves it in the shared folder.
pub(in crate::interop) fn build(folder: &Path) -> Result<(), Failure> {
    let mut command = process::cargo();
    command.args(["test", "--quiet", "--no-run", "--package", "rserpool-net"]);
    command.args(["--test", PROGRAM, "--message-format", "json"]);
    let messages = process::output(&mut command)?;
    let programs = values(&messages, "executable");
    let built = programs.last().ok_or_else(|| Failure::Status {
        line: process::describe(&command),
    })?;
    let path = folder.join(PROGRAM);
    symlink(built, &path).map_err(|error| Failure::File { path, error })
}

fn play(run: &Run) -> Result<String, Failure> {
    let [side] = run.cast()?;
    let node = run.node("tests", side)?;
    let shared = run.stage.folder.join("..").join(PROGRAM);
    let mut words = vec![shared.display().to_string()];
    words.extend(["--test-threads=2", "--color=never"].map(str::to_owned));
    let mut tests = Program::start(&node, "tests", &words, &run.stage.folder)?;
    let passed = tests.wait(PATIENCE)?;
    let result = tests.wait_for("test result:", Duration::from_secs(5))?;
    if passed {
        return Ok(result);
    }
    let failed: Vec<String> = (tests.lines().into_iter())
        .filter(|(_, line)| line.ends_with("FAILED"))
        .map(|(_, line)| line)
        .collect();
    Err(Failure::Check(format!("{result}: {}", failed.join(", "))))
}
