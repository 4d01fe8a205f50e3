//! `cargo xtask failover`, `partition`, `join`: scopes of real processes, measured.

use super::Task;
use crate::process::{self, Failure};

pub(crate) const FAILOVER: Task = Task {
    name: "failover",
    summary: "Real processes: the home registrar is killed or hangs; what users and elements notice",
    help: include_str!("../../../crates/rserpool/examples/measure/failover.txt"),
    run: |arguments| measure("failover", arguments),
};

pub(crate) const PARTITION: Task = Task {
    name: "partition",
    summary: "Real processes in network namespaces: a partition under churn, and how it heals",
    help: include_str!("../../../crates/rserpool/examples/measure/partition.txt"),
    run: |arguments| measure("partition", arguments),
};

pub(crate) const JOIN: Task = Task {
    name: "join",
    summary: "Real processes: a registrar joins those that have 100,000 pool elements",
    help: include_str!("../../../crates/rserpool/examples/measure/join.txt"),
    run: |arguments| measure("join", arguments),
};

/// The program that measures looks for `rsp` beside it, so both are built alike.
pub(super) fn measure(name: &str, arguments: &[String]) -> Result<(), Failure> {
    let mut rsp = process::cargo();
    rsp.args(["build", "--quiet", "--release", "--package", "rsp"]);
    process::run(&mut rsp)?;
    let mut command = process::cargo();
    command.args(["run", "--quiet", "--release", "--package", "rserpool"]);
    command.args(["--example", "measure", "--", name]);
    process::run(command.args(arguments))
}
