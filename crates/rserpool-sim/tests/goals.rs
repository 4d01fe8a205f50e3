//! The scenarios that the project is measured by, in virtual time.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

use rserpool_core::Timestamp;
use rserpool_sim::{Fault, FaultKind, NodeId, Scenario, World};
use std::time::Duration;

const MANY: usize = 10_000;

fn fault(kind: FaultKind, nodes: &[NodeId]) -> Fault {
    Fault {
        kind,
        nodes: nodes.to_vec(),
        lasts: None,
        amount: Duration::ZERO,
    }
}

/// A quiet scope after it has come up.
fn settled(seed: u64, scenario: &Scenario) -> World {
    let mut world = World::new(seed, scenario);
    world.run_for(Duration::from_secs(10));
    let registrars = world.registrars().iter();
    let listed: usize = registrars.map(|registrar| world.owned(*registrar)).sum();
    assert_eq!(listed, scenario.elements);
    assert_eq!(world.violations(), []);
    world
}

fn many() -> Scenario {
    Scenario {
        multicast: false,
        ..Scenario::new(MANY, 0)
    }
}

/// How many registrations there were in each 100 ms since then.
fn buckets(world: &World, since: Timestamp) -> Vec<usize> {
    let mut buckets = Vec::new();
    for at in &world.statistics().registered_at {
        if *at >= since {
            let index = usize::try_from(at.since(since).as_millis() / 100).unwrap();
            if buckets.len() <= index {
                buckets.resize(index + 1, 0);
            }
            buckets[index] += 1;
        }
    }
    buckets
}

/// All registrars are lost for `away`, then one starts empty. How the pool elements come back.
fn return_after(away: Duration) -> Vec<usize> {
    let mut world = settled(1, &many());
    let registrar = world.registrars()[0];
    world.inject(Fault {
        lasts: Some(away),
        ..fault(FaultKind::Crash, &[registrar])
    });
    world.run_for(away);
    assert_eq!(world.listed(registrar), 0);
    let up_at = world.now();
    world.run_for(Duration::from_secs(3));
    let listed = world.listed(registrar);
    assert!(listed * 100 >= MANY * 99, "{listed} registered again");
    world.stop_faults();
    world.check_liveness();
    assert_eq!(world.violations(), []);
    assert_eq!(world.listed(registrar), MANY);
    buckets(&world, up_at)
}

/// The busiest 100 ms against the mean over the time in which 99 % came back.
fn assert_no_thundering_herd(buckets: &[usize]) {
    let total: usize = buckets.iter().sum();
    let mut come = 0;
    let needed = buckets.iter().position(|count| {
        come += count;
        come * 100 >= total * 99
    });
    let needed = needed.unwrap() + 1;
    let peak = *buckets.iter().max().unwrap();
    println!("99 % within {needed} x 100 ms, {peak} at most in one of them: {buckets:?}");
    assert!(
        peak * needed <= 2 * come,
        "{peak} in one bucket, {come} in {needed}: {buckets:?}"
    );
}

#[test]
fn all_registrars_lost_and_one_starts_empty_after_30_s() {
    assert_no_thundering_herd(&return_after(Duration::from_secs(30)));
}

#[test]
fn all_registrars_lost_and_one_starts_empty_after_3_s() {
    assert_no_thundering_herd(&return_after(Duration::from_secs(3)));
}

#[test]
fn f2_1000_of_10000_crash_at_once_and_nobody_alive_is_removed() {
    let mut world = settled(2, &many());
    let registrar = world.registrars()[0];
    let victims: Vec<NodeId> = world.elements().iter().step_by(10).copied().collect();
    world.inject(fault(FaultKind::Crash, &victims));
    world.run_for(Duration::from_millis(50));
    assert_eq!(world.listed(registrar), MANY - 1000, "gone after 50 ms");
    world.run_for(Duration::from_secs(10));
    assert_eq!(world.listed(registrar), MANY - 1000);
    assert_eq!(world.violations(), []);
}

#[test]
fn f2_1000_of_10000_vanish_at_once_and_nobody_alive_is_removed() {
    let mut world = settled(3, &many());
    let registrar = world.registrars()[0];
    let victims: Vec<NodeId> = world.elements().iter().step_by(10).copied().collect();
    world.inject(fault(FaultKind::Vanish, &victims));
    world.run_for(Duration::from_millis(2_300));
    assert_eq!(world.listed(registrar), MANY - 1000, "gone after 2.3 s");
    world.run_for(Duration::from_secs(10));
    assert_eq!(world.listed(registrar), MANY - 1000);
    assert_eq!(world.violations(), []);
}

#[test]
fn f7_the_registrars_clock_jumps_by_years_and_nobody_is_removed() {
    let scenario = Scenario::new(500, 5);
    let mut world = settled(4, &scenario);
    let registrar = world.registrars()[0];
    for seconds in [5, 3_600, 86_400 * 366 * 30] {
        world.inject(Fault {
            amount: Duration::from_secs(seconds),
            ..fault(FaultKind::ClockJump, &[registrar])
        });
        world.run_for(Duration::from_secs(30));
        assert_eq!(world.listed(registrar), 500, "after a jump of {seconds} s");
    }
    assert_eq!(world.statistics().removals.values().sum::<u64>(), 0);
    assert_eq!(world.violations(), []);
}

#[test]
fn f7_the_registrar_stands_still_for_30_s_and_nobody_is_removed() {
    let scenario = Scenario::new(500, 5);
    for kind in [FaultKind::Hang, FaultKind::ClockFreeze] {
        let mut world = settled(5, &scenario);
        let registrar = world.registrars()[0];
        let lasts = Some(Duration::from_secs(30));
        world.inject(Fault {
            lasts,
            ..fault(kind, &[registrar])
        });
        world.run_for(Duration::from_secs(30));
        world.stop_faults();
        world.check_liveness();
        assert_eq!(world.violations(), []);
        assert_eq!(world.listed(registrar), 500);
    }
}

#[test]
fn f13_with_all_registrars_down_pool_users_answer_from_their_caches() {
    let scenario = Scenario {
        registrars: 3,
        multicast: false,
        ..Scenario::new(12, 6)
    };
    let mut world = settled(6, &scenario);
    let before = world.statistics().clone();
    assert!(before.answers > 0);
    for registrar in world.registrars().to_vec() {
        world.inject(fault(FaultKind::Vanish, &[registrar]));
    }
    world.run_for(Duration::from_secs(60));
    let after = world.statistics();
    let (asked, answered) = (
        after.requests - before.requests,
        after.answers - before.answers,
    );
    // Only those for the pool that does not exist fail (3 of a hundred), and the last ones wait.
    assert!(
        asked > 200 && answered * 100 >= asked * 93,
        "{answered} of {asked}"
    );
    world.stop_faults();
    world.check_liveness();
    assert_eq!(world.violations(), []);
}
