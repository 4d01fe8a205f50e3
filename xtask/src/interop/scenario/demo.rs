//! The demonstration, with the kernel's SCTP.

use super::{Run, Scenario};
use crate::interop::Failure;
use crate::interop::program::Program;
use crate::interop::side::Side;
use std::time::Duration;

pub(super) const SCENARIO: Scenario = Scenario {
    id: "demo",
    name: "rsp demo --sctp kernel",
    roles: &["all"],
    casts: || vec![vec![Side::Ours]],
    judge: None,
    paths: 1,
    play,
};

/// It lasts 24 s, and the guest is slow.
const PATIENCE: Duration = Duration::from_secs(90);

fn play(run: &Run) -> Result<String, Failure> {
    let [side] = run.cast()?;
    let node = run.node("demo", side)?;
    let words = run.stage.ours(side, &["demo", "--json"]);
    let mut demo = Program::start(&node, "demo", &words, &run.stage.folder)?;
    let passed = demo.wait(PATIENCE)?;
    if passed {
        return Ok("every user kept its session, the registrars agree".to_owned());
    }
    let lines = demo.lines();
    let last = lines.last().map_or("nothing", |line| &line.1);
    Err(Failure::Check(format!(
        "it failed; it printed last: {last}"
    )))
}
