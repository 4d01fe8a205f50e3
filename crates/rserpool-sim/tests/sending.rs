//! Messages that are sent to a pool each by itself (RFC 5352 §6.5), in virtual time.

use rserpool_sim::{
    FaultKind, Outcome, Scenario, SendingStatistics, drain_serving, kill_serving, run,
    trial_scenario,
};
use std::time::Duration;

fn assert_holds(outcome: &Outcome) {
    let violations = outcome.violations.iter();
    let violations: Vec<_> = violations.map(ToString::to_string).collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn rfc5352_6_5_without_faults_each_message_is_read_by_those_it_is_for() {
    for seed in 1..=5 {
        let scenario = Scenario {
            senders: 2,
            duration: Duration::from_secs(20),
            ..Scenario::new(8, 3)
        };
        let outcome = run(seed, &scenario);
        assert_holds(&outcome);
        let sending = outcome.statistics.sending;
        let to_one = sending.messages - sending.to_all - sending.refused;
        assert_eq!(sending.read, to_one + sending.copies, "{sending}");
        assert!(sending.to_all > 0 && sending.to_last > 0, "{sending}");
        assert_eq!(sending.not_reached, 0, "{sending}");
        let lost = [sending.resent, sending.given_back, sending.forgotten];
        assert_eq!(lost, [0; 3], "{sending}");
        assert!(sending.reach_checked * 2 > sending.copies, "{sending}");
    }
}

#[test]
fn rfc5352_6_5_5_under_kills_and_partitions_each_message_is_read_or_its_sender_is_told() {
    let mut seen = [0; 4];
    for seed in 1..=10 {
        let scenario = Scenario {
            registrars: 3,
            senders: 2,
            pools: 3,
            faults: [
                FaultKind::Crash,
                FaultKind::Vanish,
                FaultKind::Restart,
                FaultKind::Hang,
                FaultKind::Stop,
                FaultKind::Cut,
                FaultKind::Partition,
                FaultKind::OneWay,
            ]
            .into_iter()
            .collect(),
            duration: Duration::from_secs(30),
            ..Scenario::new(12, 4)
        };
        let outcome = run(seed, &scenario);
        assert_holds(&outcome);
        let SendingStatistics {
            resent,
            given_back,
            forgotten,
            reach_checked,
            ..
        } = outcome.statistics.sending;
        let some = [resent, given_back, forgotten, reach_checked];
        for (sum, some) in seen.iter_mut().zip(some) {
            *sum += some;
        }
    }
    assert!(seen.iter().all(|sum| *sum > 10), "{seen:?}");
}

#[test]
fn rfc3237_2_7_messages_to_elements_that_are_drained_are_not_lost() {
    let scenario = Scenario {
        senders: 2,
        sessions: 0,
        ..trial_scenario()
    };
    for seed in 1..=3 {
        let outcome = drain_serving(seed, &scenario, 50);
        assert_holds(&outcome);
        let sending = outcome.statistics.sending;
        assert!(sending.messages > 0, "{sending}");
        assert_eq!(outcome.statistics.sessions.drains, 50, "seed {seed}");
    }
}

#[test]
fn rfc5352_6_5_scenarios_drawn_from_seeds_1_to_30_hold_with_messages_and_sessions() {
    for seed in 1..=30 {
        let scenario = Scenario {
            senders: 2,
            sessions: 1,
            ..Scenario::random(seed)
        };
        assert_holds(&run(seed, &scenario));
    }
}

#[test]
fn rfc5352_2_2_5_who_an_update_says_is_gone_is_not_selected_for_sessions() {
    let mut selected = 0;
    for seed in 1..=5 {
        let outcome = kill_serving(seed, &trial_scenario(), FaultKind::Crash, 100);
        assert_holds(&outcome);
        selected += outcome.statistics.selected_subscribed;
    }
    assert!(selected > 500, "{selected}");
}
