//! Sessions: the scenarios that the project is measured by, in virtual time.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

use rserpool_sim::{
    Fault, FaultKind, NodeId, Outcome, Preset, Scenario, World, churn, drain_serving, kill_serving,
    run, trial_scenario, trial_scenario_of,
};
use std::time::Duration;

/// Kills that a trial in a test has; `cargo xtask sim --kills 10000` is the long form.
const KILLS: u64 = 100;

fn assert_holds(outcome: &Outcome) {
    let violations = outcome.violations.iter();
    let violations: Vec<_> = violations.map(ToString::to_string).collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
    assert_eq!(outcome.statistics.sessions.lost, 0);
}

/// The longest gap but one of a hundred.
fn p99(gaps: &[Duration]) -> Duration {
    let mut gaps = gaps.to_vec();
    gaps.sort_unstable();
    gaps[gaps.len() * 99 / 100]
}

#[test]
fn f3_the_serving_element_is_killed_and_its_sessions_go_on_within_50_ms_of_the_notice() {
    // Ten seeds: each has another policy.
    for seed in 1..=10 {
        let outcome = kill_serving(seed, &trial_scenario(), FaultKind::Crash, KILLS);
        assert_holds(&outcome);
        let sessions = outcome.statistics.sessions;
        assert_eq!(sessions.kills, KILLS, "seed {seed}");
        assert!(sessions.moves >= KILLS, "seed {seed}: {sessions}");
        assert!(sessions.repeated > 0, "nothing was tried");
        assert!(sessions.interval_repeated_max <= 100, "{sessions}");
        assert!(sessions.resent > 0 && sessions.returned > 0, "{sessions}");
        let gap = p99(&sessions.gaps_after_notice);
        println!("seed {seed}: {gap:?} after the notice");
        assert!(gap <= Duration::from_millis(50), "seed {seed}: {gap:?}");
    }
}

#[test]
fn f3_the_host_of_the_serving_element_is_gone_and_no_session_is_lost() {
    for seed in 1..=3 {
        let outcome = kill_serving(seed, &trial_scenario(), FaultKind::Vanish, KILLS);
        assert_holds(&outcome);
        assert_eq!(outcome.statistics.sessions.kills, KILLS);
        assert!(outcome.statistics.sessions.moves >= KILLS);
    }
}

#[test]
fn f3_the_serving_element_hangs_and_its_sessions_go_elsewhere_in_time() {
    for seed in 1..=3 {
        let outcome = kill_serving(seed, &trial_scenario(), FaultKind::Hang, KILLS);
        assert_holds(&outcome);
        assert!(outcome.statistics.sessions.moves > 0);
    }
}

#[test]
fn f3_over_tcp_and_udp_users_rebuild_their_state_and_no_session_is_lost() {
    // Two pools with a control channel, one over TCP, one over UDP.
    for kind in [FaultKind::Crash, FaultKind::Vanish, FaultKind::Hang] {
        let outcome = kill_serving(1, &trial_scenario_of(4), kind, KILLS * 2);
        assert_holds(&outcome);
        let sessions = outcome.statistics.sessions;
        assert!(sessions.rebuilt > 0, "{sessions}");
        assert!(sessions.given_up > 0, "over UDP, nothing else tells");
        assert!(sessions.moves > sessions.rebuilt, "{sessions}");
    }
    let outcome = drain_serving(1, &trial_scenario_of(4), 100);
    assert_holds(&outcome);
    assert!(outcome.statistics.sessions.rebuilt > 0);
}

#[test]
fn rfc5352_3_9_the_order_of_failover_is_the_card_s_and_foreign_cards_change_nothing() {
    for seed in 1..=3 {
        let outcome = kill_serving(seed, &trial_scenario(), FaultKind::Crash, KILLS * 2);
        assert_holds(&outcome);
        let sessions = outcome.statistics.sessions;
        assert!(sessions.ordered > KILLS, "{sessions}");
        assert!(sessions.foreign_cards > 0, "{sessions}");
    }
}

#[test]
fn f3_with_any_timers_no_session_is_lost() {
    for preset in Preset::ALL {
        let scenario = Scenario {
            preset,
            ..trial_scenario()
        };
        assert_holds(&kill_serving(1, &scenario, FaultKind::Restart, KILLS));
    }
}

/// How long a session may take to move while no registrar answers.
const WITHOUT_REGISTRARS: Duration = Duration::from_secs(4);

/// Answers within the next ten seconds.
fn answers_of_10_s(world: &mut World) -> u64 {
    let before = world.statistics().sessions.answers;
    world.run_for(Duration::from_secs(10));
    assert_eq!(world.violations(), []);
    world.statistics().sessions.answers - before
}

fn gone(kind: FaultKind, nodes: &[NodeId], lasts: Duration) -> Fault {
    Fault {
        kind,
        nodes: nodes.to_vec(),
        lasts: Some(lasts),
        amount: Duration::ZERO,
    }
}

#[test]
fn f13_with_all_registrars_down_sessions_go_on_and_move_within_the_pool_that_users_know() {
    let scenario = Scenario {
        multicast: false,
        ..trial_scenario()
    };
    let mut moved = 0;
    for seed in 1..=5 {
        let mut world = World::new(seed, &scenario);
        world.run_for(Duration::from_secs(10));
        let before = answers_of_10_s(&mut world);
        assert!(before > 0, "seed {seed}");
        let registrars = world.registrars().to_vec();
        world.inject(gone(
            FaultKind::Vanish,
            &registrars,
            Duration::from_secs(60),
        ));
        for round in 0..4 {
            // Away until the registrars are back: nobody can be told of it.
            let element = world.elements()[round];
            world.inject(gone(FaultKind::Crash, &[element], Duration::from_secs(60)));
            // Whoever needs another pool element waits until no registrar has answered, three
            // times T1, and then has the cached pool: for those in a business card, and if none
            // of them can be had, once more for whom the policy selects.
            assert!(answers_of_10_s(&mut world) > 0, "seed {seed}");
            let waiting = world.sessions_without_answer(WITHOUT_REGISTRARS);
            assert_eq!(waiting, 0, "seed {seed}: round {round}");
        }
        // Under least used, all sessions are at one pool element, which may not be killed.
        let sessions = &world.statistics().sessions;
        if sessions.moves > 0 {
            moved += 1;
            let gap = p99(&sessions.gaps_after_notice);
            println!("seed {seed}: {gap:?} without any registrar");
            assert!(gap <= WITHOUT_REGISTRARS, "seed {seed}: {gap:?}");
        }
        world.stop_faults();
        world.check_liveness();
        assert_eq!(world.violations(), []);
    }
    assert!(moved >= 4, "sessions moved with {moved} seeds only");
}

#[test]
fn scenarios_drawn_from_seeds_1_to_40_hold_with_sessions() {
    let mut moves = 0;
    for seed in 1..=40 {
        let scenario = Scenario {
            sessions: 2,
            ..Scenario::random(seed)
        };
        let outcome = run(seed, &scenario);
        assert_holds(&outcome);
        moves += outcome.statistics.sessions.moves;
    }
    assert!(moves > 100, "{moves}");
}

#[test]
fn rfc3237_2_7_serving_elements_are_drained_under_load_and_no_session_fails() {
    // `cargo xtask sim --drains 1000` is the long form.
    for seed in 1..=5 {
        let outcome = drain_serving(seed, &trial_scenario(), 50);
        assert_holds(&outcome);
        let sessions = outcome.statistics.sessions;
        assert_eq!(sessions.drains, 50, "seed {seed}");
        assert!(sessions.finished_draining > 0, "{sessions}");
        assert!(sessions.moved_draining > 0, "{sessions}");
        assert_eq!(sessions.repeated, 0, "a cookie follows each answer");
        assert_eq!(
            sessions.kills, 0,
            "who is drained has no session at its end"
        );
        let gap = p99(&sessions.gaps_in_all);
        assert!(gap <= Duration::from_millis(150), "seed {seed}: {gap:?}");
    }
}

#[test]
fn f12_sessions_that_come_and_go_leave_nothing_behind() {
    // `cargo xtask sim --churn 1000000` is the long form.
    for pools in [1, 4] {
        let (outcome, most) = churn(1, &trial_scenario_of(pools), 3_000);
        assert_holds(&outcome);
        let sessions = outcome.statistics.sessions;
        assert!(
            sessions.finished >= 3_000 && sessions.moves > 0,
            "{sessions}"
        );
        for footprint in most {
            let users = 20 * pools;
            assert!(footprint.sessions <= users && footprint.remembered > 0);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_sessions() {
    // Over SCTP, TCP and UDP.
    let scenario = trial_scenario_of(4);
    let [one, other] = [(); 2].map(|()| kill_serving(7, &scenario, FaultKind::Crash, 10));
    assert_eq!(one, other);
    assert!(one.statistics.sessions.finished > 0);
}
