//! Seeds that broke something once, each with what it was in one sentence.

use rserpool_sim::{
    Fault, FaultKind, NodeId, Peering, Preset, Scenario, World, run, trial_scenario,
};
use std::time::Duration;

fn assert_holds(seed: u64, scenario: &Scenario) {
    let outcome = run(seed, scenario);
    let violations: Vec<_> = outcome.violations.iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

fn fault(kind: FaultKind, nodes: &[NodeId], lasts: Option<Duration>) -> Fault {
    Fault {
        kind,
        nodes: nodes.to_vec(),
        lasts,
        amount: Duration::ZERO,
    }
}

#[test]
fn seed_1_a_lost_home_registrar_was_never_tried_again_beside_announced_ones_that_never_answer() {
    let scenario = Scenario {
        faults: [FaultKind::Flood, FaultKind::Cut, FaultKind::Hang]
            .into_iter()
            .collect(),
        duration: Duration::from_secs(20),
        preset: Preset::Fast,
        ..Scenario::new(8, 3)
    };
    for seed in 1..=10 {
        assert_holds(seed, &scenario);
    }
    assert_holds(1, &Scenario::random(1));
}

#[test]
fn seed_2203_spoofed_announces_slowed_those_of_the_registrar_down_to_one_in_65_s() {
    let scenario = Scenario {
        faults: [FaultKind::Flood].into_iter().collect(),
        announced_only: true,
        duration: Duration::ZERO,
        ..Scenario::new(8, 0)
    };
    for seed in 2203..2213 {
        let mut world = World::new(seed, &scenario);
        let stranger = world.strangers()[0];
        let flooded = Duration::from_secs(90);
        world.run_for(Duration::from_secs(5));
        world.inject(fault(FaultKind::Flood, &[stranger], Some(flooded)));
        world.run_for(flooded);
        let elements = world.elements().to_vec();
        world.inject(fault(
            FaultKind::Crash,
            &elements,
            Some(Duration::from_millis(100)),
        ));
        world.run_for(Duration::from_secs(1));
        world.stop_faults();
        let took = world.check_liveness();
        assert_eq!(world.violations(), []);
        assert!(took < Duration::from_secs(25), "seed {seed}: {took:?}");
    }
}

#[test]
fn seed_206_a_reported_pool_element_never_came_back_to_a_subscribed_pool_user() {
    let scenario = Scenario {
        faults: [FaultKind::Liar, FaultKind::Hang].into_iter().collect(),
        duration: Duration::from_secs(30),
        ..Scenario::new(8, 6)
    };
    for seed in 1..=10 {
        assert_holds(seed, &scenario);
    }
    assert_holds(206, &Scenario::random(206));
}

#[test]
fn seed_36_a_subscription_for_all_that_joined_a_query_for_three_got_three_for_ever() {
    let scenario = Scenario {
        faults: [FaultKind::Crash, FaultKind::Vanish, FaultKind::Leave]
            .into_iter()
            .collect(),
        preset: Preset::Rfc,
        duration: Duration::from_secs(300),
        ..Scenario::new(8, 8)
    };
    for seed in 1..=10 {
        assert_holds(seed, &scenario);
    }
    assert_holds(36, &Scenario::random(36));
}

#[test]
fn seed_16_a_registration_life_ended_early_after_the_registrars_clock_had_jumped() {
    let mut world = World::new(16, &Scenario::new(8, 3));
    let registrar = world.registrars()[0];
    for _ in 0..4 {
        world.run_for(Duration::from_secs(25));
        let mut jump = fault(FaultKind::ClockJump, &[registrar], None);
        jump.amount = Duration::from_secs(52);
        world.inject(jump);
    }
    world.run_for(Duration::from_secs(25));
    assert_eq!(world.violations(), []);
    assert_eq!(world.statistics().removals.values().sum::<u64>(), 0);
    assert_holds(16, &Scenario::random(16));
}

#[test]
fn seeds_255_and_384_a_pool_element_turned_away_who_took_it_over_as_it_had_just_stopped_trying_it()
{
    for seed in [255, 384] {
        assert_holds(seed, &Scenario::random(seed));
    }
}

#[test]
fn seed_209_a_resolution_that_had_waited_undid_a_later_one_of_the_same_pool_user() {
    assert_holds(209, &Scenario::random(209));
}

#[test]
fn seeds_25_and_83_a_presence_was_answered_over_an_association_that_it_had_closed() {
    for seed in [25, 83] {
        assert_holds(seed, &Scenario::random(seed));
    }
}

#[test]
fn seeds_1519_and_1808_two_that_joined_while_a_third_was_away_never_heard_of_each_other() {
    for seed in [1519, 1808] {
        assert_holds(seed, &Scenario::random(seed));
    }
    for seed in 1..=10 {
        let scenario = Scenario {
            registrars: 5,
            peering: Peering::First,
            faults: [FaultKind::Crash, FaultKind::Restart, FaultKind::Cut]
                .into_iter()
                .collect(),
            duration: Duration::from_secs(30),
            ..Scenario::new(8, 3)
        };
        assert_holds(seed, &scenario);
    }
}

/// One registrar took the static address of another for connected, since a third one had come with
/// that one's identifier; the third did not try it for 64 heartbeat cycles.
#[test]
fn seed_10481_a_static_peer_was_not_sought_for_1576_s_as_its_identifier_was_heard_elsewhere() {
    let outcome = run(10_481, &Scenario::random(10_481));
    assert!(outcome.violations.is_empty());
    let took = outcome.statistics.well_after;
    assert!(took < Duration::from_secs(120), "{took:?}");
}

/// The simulator's own mistake: a copy that was corrupted when a registration of long ago was to be
/// known everywhere counted as never replicated.
#[test]
fn seed_2312_a_copy_that_was_just_corrupted_was_judged_before_the_next_audit() {
    assert_holds(2312, &Scenario::random(2312));
}

/// The simulator's own mistake: a pool element that was given another identifier counted as there
/// under the former one.
#[test]
fn seed_5063_an_identifier_that_was_given_up_is_nobodys() {
    assert_holds(5063, &Scenario::random(5063));
}

/// The taker had an association with the pool element since it had been its home; it was cut, and
/// nobody had noticed.
#[test]
fn seed_6769_a_pool_element_was_asked_over_a_dead_association_and_removed() {
    assert_holds(6769, &Scenario::random(6769));
}

/// A request for a handle table was swallowed by a registrar that hung; from then on no session
/// counted as whole, and the next one was begun at once, for ever.
#[test]
fn seed_7780_a_request_that_was_never_answered_made_two_registrars_exchange_tables_for_ever() {
    assert_holds(7780, &Scenario::random(7780));
}

/// A registrar that started had a pool element from its mentor; before it met the home, the policy
/// had changed, and no checksum tells.
#[test]
fn seed_9577_what_a_mentor_told_was_out_of_date_when_the_home_was_met() {
    assert_holds(9577, &Scenario::random(9577));
}

/// A registrar rejected the re-synchronisation that was due after an association had been lost, and
/// it was not tried again: what was lost and what had come had the same checksum.
#[test]
fn seed_7_a_rejected_resynchronization_was_not_repeated_as_the_checksums_were_equal() {
    assert_holds(7, &Scenario::random(7));
}

/// The simulator's own mistake: what arrived while a registrar stood still counted as received over
/// an association that the registrar closed when it went on.
#[test]
fn seed_352_nobody_reads_from_an_association_that_it_has_closed() {
    assert_holds(352, &Scenario::random(352));
}

/// It asked its peers before it had taken the news that had woken it.
#[test]
fn seed_2923_a_registrar_that_had_stood_still_asked_a_peer_over_a_lost_association() {
    assert_holds(2923, &Scenario::random(2923));
}

/// While a peer was suspected, a stranger said that it was that peer, and was believed from then
/// on.
#[test]
fn seed_9483_a_stranger_took_the_identifier_of_a_suspected_registrar_and_removed_its_elements() {
    assert_holds(9483, &Scenario::random(9483));
}

/// The simulator's own mistake: a stranger had registered under an identifier that a pool element
/// got at another registrar a moment before the stranger's was given up.
#[test]
fn seed_400309_a_stranger_s_entry_under_a_pool_element_s_identifier_may_be_given_up() {
    assert_holds(400_309, &Scenario::random(400_309));
}

/// The simulator's own mistake: a registrar whose clock stood still had asked while the pool
/// element's did too, and has waited to the end since its own went on.
#[test]
fn seed_400379_a_registrar_whose_clock_stood_still_may_give_up_whom_it_asked_before() {
    assert_holds(400_379, &Scenario::random(400_379));
}

/// A false peer had said of pool elements over UDP that they were over SCTP. What their home says
/// does not go with that pool: the false copies are removed first, and the audit after that brings
/// the true ones.
#[test]
fn seed_401228_what_a_false_peer_said_of_a_pool_is_removed_before_the_truth_is_taken() {
    assert_holds(401_228, &Scenario::random(401_228));
}

/// A registration that had been long on its way was taken for a move back, and the end of its
/// association for the end of the pool element: all others removed who served elsewhere.
#[test]
fn seed_602069_a_late_registration_whose_association_ended_removed_a_pool_element_at_all() {
    assert_holds(602_069, &Scenario::random(602_069));
}

/// A changed load had reached one registrar and not the other before its home was taken over.
#[test]
fn seed_601375_a_registrar_kept_an_old_policy_value_after_a_takeover() {
    assert_holds(601_375, &Scenario::random(601_375));
}

/// An application asked for one pool element, and that took the place of the pool that the sessions
/// beside it had: when all registrars were gone and then that pool element, they knew nobody else,
/// though the others lived. The same as F13 in `sessions.rs`, without a stop.
#[test]
fn seed_1_who_asks_for_one_pool_element_leaves_sessions_somebody_to_go_to() {
    let scenario = Scenario {
        multicast: false,
        ..trial_scenario()
    };
    let mut world = World::new(1, &scenario);
    world.run_for(Duration::from_secs(20));
    let minute = Some(Duration::from_secs(60));
    for registrar in world.registrars().to_vec() {
        world.inject(fault(FaultKind::Vanish, &[registrar], minute));
    }
    for round in 0..4 {
        let element = world.elements()[round];
        world.inject(fault(FaultKind::Crash, &[element], minute));
        world.run_for(Duration::from_secs(10));
    }
    assert_eq!(world.sessions_without_answer(Duration::from_secs(4)), 0);
    assert_eq!(world.violations(), []);
}

/// The simulator's own mistake: a host was gone while a pool user stood still, and when that went
/// on, its association with the pool element there was never given up.
#[test]
fn seed_950644_who_stood_still_notices_afterwards_that_a_host_is_gone() {
    let scenario = Scenario {
        sessions: 1,
        senders: 2,
        ..Scenario::random(950_644)
    };
    assert_holds(950_644, &scenario);
}
