//! Processes that are pool elements of several pools, each in an operational scope of its own
//! (RFC 3237 §2.7), in virtual time.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

use rserpool_sim::{Fault, FaultKind, FaultKinds, NodeId, Scenario, World, run};
use std::time::Duration;

/// Two scopes with two registrars, a pool and three pool users each; six processes are in both.
fn two_scopes(faults: FaultKinds) -> Scenario {
    Scenario {
        registrars: 4,
        pools: 2,
        scopes: 2,
        sessions: 2,
        faults,
        duration: Duration::from_secs(40),
        ..Scenario::new(12, 6)
    }
}

/// The registrars of a scope.
fn registrars(world: &World, scope: usize) -> Vec<NodeId> {
    let all = world.registrars().iter().copied();
    all.skip(scope).step_by(2).collect()
}

fn fault(kind: FaultKind, nodes: Vec<NodeId>, lasts: u64) -> Fault {
    Fault {
        kind,
        nodes,
        lasts: Some(Duration::from_secs(lasts)),
        amount: Duration::ZERO,
    }
}

#[test]
fn rfc3237_2_7_losing_all_registrars_of_one_scope_does_not_disturb_the_pool_of_the_other() {
    for seed in 1..=5 {
        let mut world = World::new(seed, &two_scopes(FaultKinds::none()));
        world.run_for(Duration::from_secs(20));
        assert_eq!(world.trouble(), None, "seed {seed}");
        let [lost, left] = [0, 1].map(|scope| registrars(&world, scope));
        world.inject(fault(FaultKind::Vanish, lost.clone(), 40));
        for _ in 0..30 {
            world.run_for(Duration::from_secs(1));
            let listed: Vec<usize> = left.iter().map(|node| world.listed(*node)).collect();
            assert_eq!(listed, [6, 6], "seed {seed}");
            let waiting = world.sessions_without_answer_in(1, Duration::from_secs(1));
            assert_eq!(waiting, 0, "seed {seed}");
        }
        assert_eq!(world.statistics().removals.values().sum::<u64>(), 0);
        world.run_for(Duration::from_secs(10));
        world.stop_faults();
        world.check_liveness();
        assert_eq!(world.violations(), [], "seed {seed}");
        for node in lost {
            assert_eq!(world.listed(node), 6, "seed {seed}: they are back");
        }
    }
}

#[test]
fn rfc3237_2_7_without_registrars_in_one_scope_who_dies_is_gone_from_the_other() {
    for seed in 1..=5 {
        let mut world = World::new(seed, &two_scopes(FaultKinds::none()));
        world.run_for(Duration::from_secs(20));
        let [lost, left] = [0, 1].map(|scope| registrars(&world, scope));
        world.inject(fault(FaultKind::Vanish, lost, 30));
        world.run_for(Duration::from_secs(5));
        // One process, though only its pool element of the scope without registrars is named.
        let process = world.elements()[4];
        world.inject(fault(FaultKind::Crash, vec![process], 10));
        world.run_for(Duration::from_secs(1));
        for node in &left {
            assert_eq!(world.listed(*node), 5, "seed {seed}");
        }
        world.run_for(Duration::from_secs(12));
        for node in &left {
            assert_eq!(world.listed(*node), 6, "seed {seed}: it is back");
        }
        world.stop_faults();
        world.check_liveness();
        assert_eq!(world.violations(), [], "seed {seed}");
    }
}

#[test]
fn rfc3237_2_7_registrars_know_their_own_scope_only() {
    let mut world = World::new(1, &two_scopes(FaultKinds::none()));
    world.run_for(Duration::from_secs(10));
    for scope in 0..2 {
        for node in registrars(&world, scope) {
            let snapshot = world.registrar(node).unwrap();
            let pools: Vec<String> = snapshot
                .pools
                .iter()
                .map(|pool| pool.pool_handle.to_string())
                .collect();
            assert_eq!(pools, [format!("pool {}", scope + 1)]);
            assert_eq!(snapshot.peers.len(), 1);
        }
    }
}

#[test]
fn rfc3237_2_7_processes_in_two_scopes_survive_faults() {
    let faults = [
        FaultKind::Crash,
        FaultKind::Vanish,
        FaultKind::Restart,
        FaultKind::Stop,
        FaultKind::Hang,
        FaultKind::Pause,
        FaultKind::Partition,
        FaultKind::Cut,
        FaultKind::ClockJump,
    ];
    for seed in 1..=10 {
        let outcome = run(seed, &two_scopes(faults.into_iter().collect()));
        assert_eq!(outcome.violations, [], "seed {seed}");
    }
}
