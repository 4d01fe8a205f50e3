//! What a run comes to.

use crate::{Scenario, SendingStatistics, SessionStatistics, Transcript, Violation, World};
use rserpool_core::Timestamp;
use rserpool_core::registrar::RemovalReason;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What a run comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// What must not happen and has; the run ends early after some.
    pub violations: Vec<Violation>,
    /// What happened.
    pub transcript: Transcript,
    /// How much time went by in the world.
    pub simulated: Duration,
    /// How much happened.
    pub statistics: Statistics,
}

/// How much happened in a run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// Things that happened one after the other.
    pub steps: u64,
    /// Messages sent over associations.
    pub messages: u64,
    /// Octets of the messages that arrived.
    pub octets: u64,
    /// Datagrams sent, each copy counted.
    pub datagrams: u64,
    /// What machines wanted done.
    pub outputs: u64,
    /// Attempts to set up an association.
    pub connects: u64,
    /// Ends of associations that learned of a loss.
    pub associations_lost: u64,
    /// Faults that happened.
    pub faults: u64,
    /// Requests of pool users' users.
    pub requests: u64,
    /// Those that had a positive answer.
    pub answers: u64,
    /// Those that had a negative answer.
    pub failures: u64,
    /// Dynamic updates that pool users told of.
    pub updates: u64,
    /// Reports of unreachable pool elements, true and false.
    pub reports: u64,
    /// Takeovers of a registrar by another.
    pub takeovers: u64,
    /// Most takeovers of any one pool element.
    pub takeovers_of_one: u32,
    /// Pool elements removed by registrars, by reason.
    pub removals: BTreeMap<RemovalReason, u64>,
    /// When pool elements were added to a handlespace, strangers' not counted.
    pub registered_at: Vec<Timestamp>,
    /// How sessions fared.
    pub sessions: SessionStatistics,
    /// How messages to pools fared.
    pub sending: SendingStatistics,
    /// Pool elements that were selected by a pool user that had been told who is in the pool.
    pub selected_subscribed: u64,
    /// How long after the last fault all was well again.
    pub well_after: Duration,
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            steps,
            messages,
            datagrams,
            connects,
            associations_lost,
            faults,
            requests,
            answers,
            failures,
            updates,
            reports,
            well_after,
            ..
        } = self;
        let registrations = self.registered_at.len();
        let removals: u64 = self.removals.values().sum();
        write!(
            f,
            "{faults} faults, {steps} steps, {messages} messages, {datagrams} datagrams, \
             {connects} connects, {associations_lost} ends lost, {registrations} registrations, \
             {removals} removals, {requests} requests ({answers} answered, {failures} failed), \
             {updates} updates, {reports} reports, well again after {well_after:?}"
        )?;
        if self.sessions.begun > 0 {
            write!(f, "\n{}", self.sessions)?;
        }
        if self.sending.messages > 0 {
            write!(f, "\n{}", self.sending)?;
        }
        Ok(())
    }
}

/// Runs a scenario: first its faults, with what must always hold checked after every step; then
/// until all is well again. Same seed and scenario: same outcome.
pub fn run(seed: u64, scenario: &Scenario) -> Outcome {
    play(World::new(seed, scenario))
}

/// As [`run`], and hands over the lines of the transcript as they are written, first those that
/// name its columns. The outcome's transcript has none of them, but the same digest.
pub fn run_and_tell(
    seed: u64,
    scenario: &Scenario,
    on_lines: impl FnMut(&str) + 'static,
) -> Outcome {
    let scenario = Scenario {
        transcript: true,
        ..scenario.clone()
    };
    let mut world = World::new(seed, &scenario);
    world.tell_lines(on_lines);
    play(world)
}

fn play(mut world: World) -> Outcome {
    world.run_until(Timestamp(world.scenario.duration));
    conclude(world)
}

/// Faults stop, and it is looked whether all gets well.
pub(crate) fn conclude(mut world: World) -> Outcome {
    if world.violations().is_empty() {
        world.stop_faults();
        world.check_liveness();
    }
    world.flush_lines();
    let simulated = world.now().0;
    let (violations, transcript, statistics) = world.into_parts();
    Outcome {
        violations,
        transcript,
        simulated,
        statistics,
    }
}
