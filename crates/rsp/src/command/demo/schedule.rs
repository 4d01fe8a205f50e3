//! What the demo does, and when.

use super::model::Condition;
use std::time::Duration;

/// One pool, of round robin.
pub(super) const ALPHA: &str = "alpha";
/// Another, of least used.
pub(super) const BETA: &str = "beta";

/// Something to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Start one more element in this pool.
    Start(&'static str),
    /// Do this to the busiest element of this pool.
    Fault(&'static str, Condition),
    /// Let the hanging element go on.
    Continue,
    /// Kill the registrar that is the home of most elements.
    KillHome,
    /// Start it again.
    ReturnHome,
}

/// The steps, at fractions of the whole time in hundredths.
const STEPS: [(u32, Step); 9] = [
    (8, Step::Fault(ALPHA, Condition::Killed)),
    (14, Step::Start(ALPHA)),
    (18, Step::Fault(BETA, Condition::Stopped)),
    (22, Step::Start(BETA)),
    (26, Step::Fault(BETA, Condition::Hanging)),
    (30, Step::Start(BETA)),
    (50, Step::KillHome),
    (68, Step::ReturnHome),
    (84, Step::Continue),
];

/// When each step is due in a demo of this length.
pub(super) fn steps(length: Duration) -> impl Iterator<Item = (Duration, Step)> {
    STEPS
        .into_iter()
        .map(move |(hundredths, step)| (length * hundredths / 100, step))
}
