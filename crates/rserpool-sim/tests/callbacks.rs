//! Pool users that are pool elements too (RFC 3237 §2.3) and are called back (RFC 5352 §3.9), in
//! virtual time.

use rserpool_sim::{Fault, FaultKind, Scenario, World, run};
use std::time::Duration;

/// Four pool elements serve, eight are pool users too; all are in one pool.
fn peers(seed: u64) -> World {
    let scenario = Scenario {
        registrars: 3,
        sessions: 2,
        peers: true,
        ..Scenario::new(12, 8)
    };
    World::new(seed, &scenario)
}

#[test]
fn rfc5352_3_9_bc1_bc2_who_was_killed_is_called_back_at_those_its_card_recommends() {
    // Where a policy selects one that is no pool user and never dies, nobody is called.
    let [mut calls, mut finished, mut recommended, mut checked] = [0; 4];
    for seed in 1..=5 {
        let mut world = peers(seed);
        world.run_for(Duration::from_secs(30));
        for round in 0..24 {
            let user = world.users()[round % 8];
            world.inject(Fault {
                kind: FaultKind::Crash,
                nodes: vec![user],
                lasts: Some(Duration::from_secs(2)),
                amount: Duration::ZERO,
            });
            world.run_for(Duration::from_secs(5));
        }
        world.stop_faults();
        world.check_liveness();
        assert_eq!(world.violations(), [], "seed {seed}");
        let sessions = &world.statistics().sessions;
        println!("seed {seed}: {sessions}");
        calls += sessions.calls;
        finished += sessions.calls_finished;
        recommended += sessions.calls_recommended;
        checked += sessions.calls_checked;
    }
    assert!(calls > 20 && finished * 2 > calls, "{finished} of {calls}");
    // Not all cards tell the truth.
    assert!(recommended * 10 > calls * 7, "{recommended} of {calls}");
    assert!(checked > 0, "nobody was ever passed over");
}

#[test]
fn rfc5352_3_9_calls_go_on_under_faults() {
    let mut calls = 0;
    for seed in 1..=10 {
        let scenario = Scenario {
            registrars: 3,
            sessions: 1,
            peers: true,
            faults: [
                FaultKind::Crash,
                FaultKind::Vanish,
                FaultKind::Restart,
                FaultKind::Stop,
                FaultKind::Hang,
                FaultKind::Pause,
                FaultKind::Partition,
                FaultKind::OneWay,
                FaultKind::Cut,
            ]
            .into_iter()
            .collect(),
            duration: Duration::from_secs(40),
            ..Scenario::new(8, 6)
        };
        let outcome = run(seed, &scenario);
        assert_eq!(outcome.violations, [], "seed {seed}");
        calls += outcome.statistics.sessions.calls;
    }
    assert!(calls > 5, "{calls}");
}
