//! `rsp sim`: the same run again and again.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

mod support;

use support::rsp;

#[test]
fn the_same_seed_gives_the_same_lines() {
    let first = simulated(&["--seed", "7"]);
    let second = simulated(&["--seed", "7"]);
    let other = simulated(&["--seed", "8"]);
    assert_eq!(first, second);
    assert_ne!(first, other);
    assert!(first.contains(" r1 starts"), "{first}");
    assert!(first.ends_with("Everything held.\n"), "{first}");
}

#[test]
fn quiet_is_only_the_summary() {
    let shown = simulated(&["--seed", "7", "--quiet"]);
    assert_eq!(shown.lines().count(), 3, "{shown}");
}

/// What a small run prints, without how long it took.
fn simulated(more: &[&str]) -> String {
    let sim = [
        "sim",
        "--nodes",
        "3,2,1",
        "--faults",
        "none",
        "--seconds",
        "3",
    ];
    let output = rsp(&[&sim[..], more].concat()).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown}");
    let lines = shown
        .lines()
        .filter(|line| !line.contains("times real time"));
    lines.map(|line| format!("{line}\n")).collect()
}
