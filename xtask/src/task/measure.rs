//! `cargo xtask failover`, `partition`, `join`, `idle`, `sessions`: scopes of real processes,
//! measured.

use super::Task;
use crate::process::{self, Failure};

pub(crate) const FAILOVER: Task = Task {
    name: "failover",
    summary: "Real processes: the home registrar is killed or hangs; what is noticed of it",
    help: include_str!("../../../crates/rserpool/examples/measure/failover.txt"),
    run: |arguments| measure(Build::Release, "failover", arguments),
};

pub(crate) const PARTITION: Task = Task {
    name: "partition",
    summary: "Real processes in network namespaces: a partition under churn, and how it heals",
    help: include_str!("../../../crates/rserpool/examples/measure/partition.txt"),
    run: |arguments| measure(Build::Release, "partition", arguments),
};

pub(crate) const JOIN: Task = Task {
    name: "join",
    summary: "Real processes: a registrar joins those that have 100,000 pool elements",
    help: include_str!("../../../crates/rserpool/examples/measure/join.txt"),
    run: |arguments| measure(Build::Release, "join", arguments),
};

pub(crate) const IDLE: Task = Task {
    name: "idle",
    summary: "Real processes: what pool elements and their registrar cost at rest",
    help: include_str!("../../../crates/rserpool/examples/measure/idle.txt"),
    run: |arguments| measure(Build::Release, "idle", arguments),
};

pub(crate) const SESSIONS: Task = Task {
    name: "sessions",
    summary: "Real processes: pool elements are killed while they serve sessions; is any lost?",
    help: include_str!("../../../crates/rserpool/examples/measure/sessions.txt"),
    run: |arguments| measure(Build::Release, "sessions", arguments),
};

/// How the programs are built.
#[derive(Clone, Copy)]
pub(super) enum Build {
    Dev,
    Release,
}

/// The program that measures looks for `rsp` beside it, so both are built alike.
pub(super) fn measure(build: Build, name: &str, arguments: &[String]) -> Result<(), Failure> {
    let profile = match build {
        Build::Dev => "dev",
        Build::Release => "release",
    };
    let mut rsp = process::cargo();
    rsp.args(["build", "--quiet", "--profile", profile, "--package", "rsp"]);
    process::run(&mut rsp)?;
    let mut command = process::cargo();
    command.args([
        "run",
        "--quiet",
        "--profile",
        profile,
        "--package",
        "rserpool",
    ]);
    command.args(["--example", "measure", "--", name]);
    process::run(command.args(arguments))
}
