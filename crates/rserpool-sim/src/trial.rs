//! Trials of sessions: pool elements that have sessions are killed, one after the other.
//!
//! Must not know how a session goes on.

use crate::outcome::conclude;
use crate::{Fault, FaultKind, Outcome, Scenario, World};
use std::time::Duration;

/// What goes on before the first round: all register, all sessions begin.
const BEGINNING: Duration = Duration::from_secs(5);

/// Between two rounds: some come while sessions still move.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// How long a pool element that was killed is away; and how long one hangs, which applications
/// bear for a while.
const AWAY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
const HANGING: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));

/// What trials are done with unless something else is wanted: three registrars, a pool of eight,
/// ten pool users that hold two sessions each, default timers.
pub fn trial_scenario() -> Scenario {
    Scenario {
        registrars: 3,
        sessions: 2,
        ..Scenario::new(8, 10)
    }
}

/// So many times a pool element that has sessions fails in this way
/// ([`FaultKind::Crash`]: its process is killed; [`FaultKind::Vanish`]: its host is gone), and is
/// back a little later. Then all is well, or that is a violation. The pool users' sessions tell how
/// they fared in the outcome's statistics.
pub fn kill_serving(seed: u64, scenario: &Scenario, kind: FaultKind, kills: u64) -> Outcome {
    let mut world = World::new(seed, scenario);
    world.run_for(BEGINNING);
    let mut done = 0;
    while done < kills && world.violations().is_empty() {
        let pause = world.random.between(PAUSE.0, PAUSE.1);
        world.run_for(pause);
        let serving = world.serving();
        let Some(victim) = world.random.pick(&serving).copied() else {
            continue;
        };
        let (short, long) = if kind == FaultKind::Hang {
            HANGING
        } else {
            AWAY
        };
        let lasts = Some(world.random.between(short, long));
        world.inject(Fault {
            kind,
            nodes: vec![victim],
            lasts,
            amount: Duration::ZERO,
        });
        done += 1;
    }
    let mut outcome = conclude(world);
    for violation in &mut outcome.violations {
        let Scenario {
            preset, sessions, ..
        } = scenario;
        violation.reproduce = format!(
            "cargo xtask sim --kills {kills} --faults {kind} --preset {preset} \
             --sessions {sessions} --from {seed}"
        );
    }
    outcome
}
