//! Several registrars: the scenarios that the project is measured by, in virtual time.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

use rserpool_sim::{Fault, FaultKind, FaultKinds, NodeId, Peering, Preset, Scenario, World, run};
use std::time::Duration;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn fault(kind: FaultKind, nodes: &[NodeId], lasts: Option<Duration>) -> Fault {
    Fault {
        kind,
        nodes: nodes.to_vec(),
        lasts,
        amount: Duration::ZERO,
    }
}

fn registrars(count: usize, elements: usize, users: usize) -> Scenario {
    Scenario {
        registrars: count,
        ..Scenario::new(elements, users)
    }
}

/// A quiet scope after it has come up: all know all pool elements, each at one home.
fn settled(seed: u64, scenario: &Scenario) -> World {
    let mut world = World::new(seed, scenario);
    world.run_for(seconds(10));
    assert_eq!(world.trouble(), None);
    for registrar in world.registrars() {
        assert_eq!(world.listed(*registrar), scenario.elements);
    }
    assert_eq!(total_owned(&world), scenario.elements);
    assert_eq!(world.violations(), []);
    world
}

fn total_owned(world: &World) -> usize {
    let registrars = world.registrars().iter();
    registrars.map(|registrar| world.owned(*registrar)).sum()
}

/// How long it takes until all is well again.
fn until_well(world: &mut World, at_most: Duration) -> Duration {
    let step = Duration::from_millis(20);
    let began = world.now();
    while let Some(trouble) = world.trouble() {
        let took = world.now().since(began);
        assert!(took <= at_most, "after {took:?}: {trouble}");
        world.run_for(step);
    }
    assert_eq!(world.violations(), []);
    world.now().since(began)
}

fn removals(world: &World) -> u64 {
    world.statistics().removals.values().sum()
}

/// One registrar of `count` dies; how long until its pool elements have another home, all of
/// them. Who registers with one survivor in the very moment in which another adopts it is
/// missing at the one until it hears of the other: few, and for a few milliseconds.
fn f1(preset: Preset, count: usize, kind: FaultKind, at_most: Duration) -> Duration {
    let scenario = Scenario {
        preset,
        ..registrars(count, 1_000, 5)
    };
    let mut world = settled(1, &scenario);
    let victim = world.registrars()[0];
    assert!(world.owned(victim) > 1_000 / count / 2);
    let before = removals(&world);
    world.inject(fault(kind, &[victim], None));
    let survivors = world.registrars()[1..].to_vec();
    let began = world.now();
    loop {
        world.run_for(Duration::from_millis(10));
        for survivor in &survivors {
            let missing = 1_000 - world.listed(*survivor);
            assert!(missing <= 3, "{missing} are missing");
        }
        let took = world.now().since(began);
        let owned: usize = survivors.iter().map(|own| world.owned(*own)).sum();
        if owned == 1_000 {
            break;
        }
        assert!(took <= at_most, "{owned} owned after {took:?}");
    }
    let took = world.now().since(began);
    world.run_for(Duration::from_millis(50));
    for survivor in &survivors {
        assert_eq!(world.listed(*survivor), 1_000, "one is missing");
    }
    let removed = removals(&world) - before;
    assert!(removed <= 5, "{removed} were removed for a moment");
    assert_eq!(world.violations(), []);
    took
}

#[test]
fn f1_a_registrar_is_killed_and_its_pool_elements_have_another_home_in_time() {
    for count in [2, 3] {
        for (preset, at_most) in [
            (Preset::Default, Duration::from_millis(1_500)),
            (Preset::Fast, Duration::from_millis(300)),
        ] {
            let took = f1(preset, count, FaultKind::Crash, at_most);
            println!("{count} registrars, {preset}: {took:?}");
        }
    }
}

#[test]
fn f1_a_registrars_host_is_gone_and_its_pool_elements_have_another_home_in_time() {
    // Whose transport says nothing is found by the heartbeat: 2.5 s and 0.5 s of silence. Pool
    // elements notice the loss themselves, after 6 s at most.
    let took = f1(Preset::Default, 3, FaultKind::Vanish, seconds(7));
    println!("{took:?}");
}

#[test]
fn f2_a_tenth_is_killed_at_once_and_nobody_alive_is_removed_from_any_registrar() {
    for kind in [FaultKind::Crash, FaultKind::Vanish] {
        let mut world = settled(2, &registrars(3, 1_000, 0));
        let victims: Vec<NodeId> = world.elements().iter().step_by(10).copied().collect();
        world.inject(fault(kind, &victims, None));
        world.run_for(Duration::from_millis(2_400));
        for registrar in world.registrars().to_vec() {
            assert_eq!(world.listed(registrar), 900, "{kind}");
        }
        world.run_for(seconds(10));
        assert_eq!(world.trouble(), None);
        assert_eq!(world.violations(), []);
    }
}

#[test]
fn f3_who_resolves_never_sees_a_killed_pool_element_after_50_ms() {
    let mut world = settled(3, &registrars(3, 30, 5));
    for index in 0..10 {
        let victim = world.elements()[index];
        world.inject(fault(FaultKind::Crash, &[victim], None));
        world.run_for(Duration::from_millis(50));
        for registrar in world.registrars().to_vec() {
            assert_eq!(world.listed(registrar), 29 - index);
        }
    }
    assert_eq!(world.violations(), []);
}

#[test]
fn f4_a_partition_under_churn_heals_within_two_heartbeat_cycles_and_nobody_is_missing() {
    for seed in 1..=6 {
        let scenario = Scenario {
            multicast: false,
            ..registrars(3, 60, 6)
        };
        let mut world = settled(seed, &scenario);
        let mut side = vec![world.registrars()[2]];
        side.extend(world.elements().iter().step_by(3));
        side.extend(world.users().iter().step_by(3));
        let lasts = Some(seconds(60));
        world.inject(fault(FaultKind::Partition, &side, lasts));
        for round in 0..50 {
            world.run_for(Duration::from_millis(1_190));
            let element = world.elements()[(round * 7) % 60];
            let kind = [FaultKind::Leave, FaultKind::Restart, FaultKind::Policy][round % 3];
            let lasts = Some(Duration::from_millis(300));
            world.inject(fault(kind, &[element], lasts));
        }
        world.run_for(seconds(60) - Duration::from_millis(1_190) * 50);
        let took = until_well(&mut world, seconds(2));
        println!("seed {seed}: all is well {took:?} after the partition");
    }
}

#[test]
fn f5_links_are_clogged_in_random_order_and_nobody_is_taken_over_more_than_twice() {
    for seed in 1..=10 {
        let kinds = [FaultKind::Clog, FaultKind::ClogOneWay, FaultKind::OneWay];
        let scenario = Scenario {
            faults: kinds.into_iter().collect(),
            ..registrars(5, 40, 3)
        };
        let outcome = run(seed, &scenario);
        assert_eq!(outcome.violations, [], "seed {seed}");
        let faults = u32::try_from(outcome.statistics.faults).unwrap();
        let takeovers = outcome.statistics.takeovers_of_one;
        assert!(takeovers <= 2 * faults, "{takeovers} with {faults} faults");
        println!(
            "seed {seed}: {faults} faults, {takeovers} takeovers of one, well after {:?}",
            outcome.statistics.well_after
        );
    }
}

#[test]
fn f6_slow_links_and_lost_announces_remove_nobody() {
    let mut world = settled(6, &registrars(3, 50, 5));
    world.inject(fault(FaultKind::Announces, &[], None));
    for element in world.elements().to_vec().into_iter().step_by(2) {
        world.inject(Fault {
            amount: Duration::from_millis(300),
            ..fault(FaultKind::Slow, &[element], None)
        });
    }
    let before = removals(&world);
    world.run_for(seconds(60));
    assert_eq!(removals(&world), before);
    assert_eq!(world.violations(), []);
}

#[test]
fn f7_one_of_three_registrars_stands_still_for_30_s_and_there_is_no_takeover_war() {
    for kind in [FaultKind::Hang, FaultKind::Pause, FaultKind::ClockFreeze] {
        let mut world = settled(7, &registrars(3, 100, 3));
        let registrar = world.registrars()[0];
        let lasts = Some(seconds(30));
        world.inject(fault(kind, &[registrar], lasts));
        world.run_for(seconds(30));
        world.stop_faults();
        world.check_liveness();
        assert_eq!(world.violations(), [], "{kind}");
        assert!(world.statistics().takeovers <= 2, "{kind}");
        assert_eq!(total_owned(&world), 100);
    }
}

#[test]
fn f7_clocks_of_registrars_jump_by_years_and_nobody_is_taken_over() {
    let mut world = settled(8, &registrars(3, 100, 3));
    for seconds in [5, 3_600, 86_400 * 366 * 30] {
        for registrar in world.registrars().to_vec() {
            world.inject(Fault {
                amount: Duration::from_secs(seconds),
                ..fault(FaultKind::ClockJump, &[registrar], None)
            });
            world.run_for(Duration::from_secs(20));
            assert_eq!(world.trouble(), None, "after a jump of {seconds} s");
        }
    }
    assert_eq!(world.statistics().takeovers, 0);
    assert_eq!(removals(&world), 0);
    assert_eq!(world.violations(), []);
}

#[test]
fn f9_strangers_that_speak_enrp_remove_nobody_and_take_nobody_over() {
    for seed in 1..=10 {
        let kinds = [FaultKind::FalsePeer, FaultKind::Liar, FaultKind::WrongRole];
        let scenario = Scenario {
            faults: kinds.into_iter().collect(),
            duration: seconds(40),
            ..registrars(3, 12, 4)
        };
        let outcome = run(seed, &scenario);
        assert_eq!(outcome.violations, [], "seed {seed}");
    }
}

#[test]
fn f13_all_registrars_are_lost_and_come_back_empty() {
    let mut world = settled(13, &registrars(3, 200, 5));
    let all = world.registrars().to_vec();
    world.inject(fault(FaultKind::Vanish, &all, Some(seconds(30))));
    world.run_for(seconds(30));
    world.run_for(seconds(3));
    let registered = total_owned(&world);
    assert!(registered * 100 >= 200 * 99, "{registered} registered");
    world.stop_faults();
    world.check_liveness();
    assert_eq!(world.violations(), []);
}

#[test]
fn f14_a_corrupted_copy_is_found_by_the_audit_and_repaired() {
    let mut world = settled(14, &registrars(3, 30, 3));
    let [one, other, _] = world.registrars() else {
        unreachable!("there are three");
    };
    let (one, other) = (*one, *other);
    for _ in 0..10 {
        world.inject(fault(FaultKind::Corrupt, &[one, other], None));
        world.run_for(Duration::from_millis(50));
        assert!(world.trouble().is_some(), "nothing was corrupted");
        // The next heartbeat comes after 9/8 of a cycle at most.
        until_well(&mut world, Duration::from_millis(1_250));
        // Another heartbeat shows that it was of use; what differs again before waits for longer.
        world.run_for(Duration::from_millis(1_200));
    }
    let counters = world.registrar(one).unwrap().counters;
    assert!(counters.checksum_mismatches >= 10, "{counters:?}");
    assert!(counters.synchronizations >= 10, "{counters:?}");
}

#[test]
fn registrars_find_each_other_in_each_way() {
    for peering in Peering::ALL {
        for preset in Preset::ALL {
            let scenario = Scenario {
                peering,
                preset,
                faults: FaultKinds::none(),
                ..registrars(5, 20, 3)
            };
            let mut world = World::new(5, &scenario);
            let timers = preset.timers();
            world.run_for(timers.peer_heartbeat_cycle * 4 + seconds(5));
            assert_eq!(world.trouble(), None, "{peering}, {preset}");
            assert_eq!(world.violations(), []);
        }
    }
}
