//! Trials of sessions: pool elements that have sessions are killed or drained, one after the
//! other; at most half of the pool at one time.
//!
//! Must not know how a session goes on.

use crate::outcome::conclude;
use crate::{Fault, FaultKind, Footprint, NodeId, Outcome, Scenario, World};
use rserpool_core::Timestamp;
use std::time::Duration;

/// What goes on before the first round: all register, all sessions begin.
const BEGINNING: Duration = Duration::from_secs(5);

/// Between two rounds: some come while sessions still move.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// How long a pool element that was killed is away; and how long one hangs, which applications
/// bear for a while.
const AWAY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
const HANGING: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));

/// How long a pool element that is drained waits for its sessions: some end, others do not.
const DEADLINE: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(4));

/// The most requests of a short session.
const REQUESTS_OF_SHORT: u64 = 4;

/// A trial whose rounds take longer than this on the average ends early.
const ROUND_MAX: Duration = Duration::from_secs(60);

/// Pool elements of each pool in a trial.
const POOL: usize = 8;

/// What trials are done with unless something else is wanted: three registrars, a pool of eight,
/// ten pool users that hold two sessions each, default timers.
pub fn trial_scenario() -> Scenario {
    trial_scenario_of(1)
}

/// As [`trial_scenario`], with so many pools of eight. The first two are served over SCTP, with
/// data and control channel, the third over TCP and the fourth over UDP, data only.
pub fn trial_scenario_of(pools: usize) -> Scenario {
    Scenario {
        registrars: 3,
        sessions: 2,
        pools,
        ..Scenario::new(POOL * pools, 10 * pools)
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
    while done < kills && may_go_on(&world, kills) {
        let pause = world.random.between(PAUSE.0, PAUSE.1);
        world.run_for(pause);
        let Some(victim) = victim(&mut world) else {
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
    let again = format!("--kills {kills} --faults {kind}");
    told(conclude(world), seed, scenario, &again)
}

/// So many times a pool element that has sessions is drained: it leaves its pool, refuses new
/// sessions, lets those that it has go on, and closes those that are left at a deadline of some
/// seconds. Later it is back.
pub fn drain_serving(seed: u64, scenario: &Scenario, drains: u64) -> Outcome {
    let mut world = World::new(seed, scenario);
    world.run_for(BEGINNING);
    let mut begun = 0;
    while begun < drains && may_go_on(&world, drains) {
        let pause = world.random.between(PAUSE.0, PAUSE.1);
        world.run_for(pause);
        let Some(victim) = victim(&mut world) else {
            continue;
        };
        let deadline = world.random.between(DEADLINE.0, DEADLINE.1);
        world.drain(victim, deadline);
        begun += 1;
    }
    // The last ones come to their end.
    world.run_for(DEADLINE.1);
    told(
        conclude(world),
        seed,
        scenario,
        &format!("--drains {drains}"),
    )
}

/// So many short sessions, one after the other, while pool elements that serve them are killed.
/// What all remember is looked at each time a hundredth of them has finished: the most in the first
/// half and the most in the second. They are about the same, and within their limits, or that is a
/// violation.
pub fn churn(seed: u64, scenario: &Scenario, sessions: u64) -> (Outcome, [Footprint; 2]) {
    let mut world = World::new(seed, scenario);
    world.sessions.requests_max = REQUESTS_OF_SHORT;
    world.run_for(BEGINNING);
    let mut most = [Footprint::default(); 2];
    let mut looks = 0;
    while world.statistics().sessions.finished < sessions && world.violations().is_empty() {
        let pause = world.random.between(PAUSE.0, PAUSE.1);
        world.run_for(pause);
        if let Some(victim) = victim(&mut world) {
            let lasts = Some(world.random.between(AWAY.0, AWAY.1));
            world.inject(Fault {
                kind: FaultKind::Crash,
                nodes: vec![victim],
                lasts,
                amount: Duration::ZERO,
            });
        }
        let finished = world.statistics().sessions.finished;
        if finished * 100 >= looks * sessions {
            looks += 1;
            let now = world.check_footprint();
            let half = usize::from(finished * 2 > sessions);
            most[half] = most[half].max(now);
        }
    }
    world.check_growth(most);
    let again = format!("--churn {sessions}");
    (told(conclude(world), seed, scenario, &again), most)
}

/// One that has sessions, unless half of its pool is away: sessions are to have a place to go.
fn victim(world: &mut World) -> Option<NodeId> {
    let elements = world.elements().to_vec();
    let pools = world.scenario.pools.max(1);
    // The pool elements are dealt to the pools in turn.
    let pool = world.random.index(pools);
    let of_pool: Vec<NodeId> = elements.into_iter().skip(pool).step_by(pools).collect();
    let mut there = of_pool.clone();
    there.retain(|node| world.is_registered_well(*node) && !world.is_draining(*node));
    if there.len() * 2 <= of_pool.len() {
        return None;
    }
    let mut serving = world.serving();
    serving.retain(|node| there.contains(node));
    world.random.pick(&serving).copied()
}

/// Nothing has gone wrong, and there is still hope for pool elements that have sessions.
fn may_go_on(world: &World, rounds: u64) -> bool {
    let longest = ROUND_MAX * u32::try_from(rounds).unwrap_or(u32::MAX);
    world.violations().is_empty() && world.now() <= Timestamp(BEGINNING + longest)
}

/// Violations say how to see them again.
fn told(mut outcome: Outcome, seed: u64, scenario: &Scenario, again: &str) -> Outcome {
    for violation in &mut outcome.violations {
        let Scenario {
            preset,
            sessions,
            pools,
            ..
        } = scenario;
        violation.reproduce = format!(
            "cargo xtask sim {again} --preset {preset} --pools {pools} --sessions {sessions} \
             --from {seed}"
        );
    }
    outcome
}
