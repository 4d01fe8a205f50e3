//! The one shape of registrar, pool element and pool user.
//!
//! Must not know what a machine does: a driver and a simulator run any of them with this.

use crate::Timestamp;

/// A state machine that decides and does not act: inputs and a time go in, outputs and a deadline
/// come out. Same configuration, seed and inputs: same outputs.
///
/// A driver, for ever: hand over what happened by [`handle_input`](Self::handle_input), carry out
/// outputs in their order until [`poll_output`](Self::poll_output) gives none, call
/// [`handle_timeout`](Self::handle_timeout) if [`poll_timeout`](Self::poll_timeout) has come
/// (again, if it is still not later than now: much work is done in portions), sleep until then.
pub trait Machine {
    /// How it is set up.
    type Config;
    /// What happens to it.
    type Input;
    /// What it wants done.
    type Output;
    /// What dashboards read.
    type Snapshot;

    /// A new machine. The seed decides everything that is random.
    fn new(config: Self::Config, seed: u64, now: Timestamp) -> Self;

    /// Something happened. Faults are outputs.
    fn handle_input(&mut self, now: Timestamp, input: Self::Input);

    /// The time of [`poll_timeout`](Self::poll_timeout) has come; harmless at any other time.
    fn handle_timeout(&mut self, now: Timestamp);

    /// The next thing to do; outputs take effect in this order.
    fn poll_output(&mut self) -> Option<Self::Output>;

    /// When to call [`handle_timeout`](Self::handle_timeout); never if nothing is awaited.
    fn poll_timeout(&self) -> Option<Timestamp>;

    /// The state as of the latest call.
    fn snapshot(&self) -> Self::Snapshot;
}
