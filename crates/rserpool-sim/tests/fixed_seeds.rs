//! A fixed set of seeds, each with a scenario of its own; and the same seed twice.
//! `cargo xtask sim` runs as many more as one likes.

use rserpool_sim::{FaultKind, FaultKinds, Preset, Scenario, run};
use std::time::Duration;

/// Runs these seeds and shows all violations at once.
fn run_all(seeds: impl IntoIterator<Item = u64>, scenario: impl Fn(u64) -> Scenario) {
    let mut violations = Vec::new();
    for seed in seeds {
        let outcome = run(seed, &scenario(seed));
        violations.extend(outcome.violations.iter().map(ToString::to_string));
    }
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// One registrar, one kind of fault at a time.
fn one_fault(kind: FaultKind, preset: Preset) -> Scenario {
    Scenario {
        preset,
        faults: [kind].into_iter().collect(),
        duration: Duration::from_secs(20),
        ..Scenario::new(6, 3)
    }
}

#[test]
fn scenarios_drawn_from_seeds_1_to_40_hold() {
    run_all(1..=40, Scenario::random);
}

#[test]
fn scenarios_drawn_from_seeds_1001_to_1040_hold() {
    run_all(1001..=1040, Scenario::random);
}

#[test]
fn each_kind_of_fault_alone_is_survived_with_default_timers() {
    for kind in FaultKind::ALL {
        run_all(1..=3, |_| one_fault(kind, Preset::Default));
    }
}

#[test]
fn each_kind_of_fault_alone_is_survived_with_fast_timers() {
    for kind in FaultKind::ALL {
        run_all(1..=3, |_| one_fault(kind, Preset::Fast));
    }
}

#[test]
fn without_faults_nothing_is_lost_with_any_preset() {
    for preset in Preset::ALL {
        let scenario = Scenario {
            registrars: 2,
            preset,
            ..Scenario::new(20, 5)
        };
        let outcome = run(7, &scenario);
        assert_eq!(outcome.violations, []);
        assert_eq!(outcome.statistics.removals.values().sum::<u64>(), 0);
        assert_eq!(outcome.statistics.registered_at.len(), 20);
    }
}

#[test]
fn the_same_seed_gives_the_same_octets() {
    let scenario = Scenario {
        transcript: true,
        faults: FaultKinds::all(),
        duration: Duration::from_secs(15),
        registrars: 2,
        ..Scenario::new(10, 4)
    };
    let one = run(42, &scenario);
    let other = run(42, &scenario);
    assert!(one.transcript.text().unwrap().lines().count() > 1_000);
    assert_eq!(one.transcript.text(), other.transcript.text());
    assert_eq!(one, other);
    assert_ne!(
        run(43, &scenario).transcript.digest(),
        one.transcript.digest()
    );
}

#[test]
fn the_digest_does_not_depend_on_whether_lines_are_kept() {
    let mut scenario = Scenario::random(3);
    let without = run(3, &scenario);
    scenario.transcript = true;
    let with = run(3, &scenario);
    assert_eq!(without.transcript.text(), None);
    assert_eq!(without.transcript.digest(), with.transcript.digest());
}
