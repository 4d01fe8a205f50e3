//! SIGTERM while sessions are open: what `rsp serve` tells, and another signal that ends at once.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

mod support;

use support::{Running, registrar};

/// Longer than any test: nothing ends by itself.
const LONG_MS: &str = "600000";

fn serve(address: &str, more: &[&str]) -> Running {
    let echo = ["serve", "echo", "--registrar", address, "--no-multicast"];
    let here = ["--address", "127.0.0.1"];
    let element = Running::start(&[&echo[..], &here, more].concat());
    element.line();
    element
}

/// A user whose session is open, and taken by the element.
fn connect(address: &str) -> Running {
    let echo = ["connect", "echo", "--registrar", address, "--no-multicast"];
    let mut user = Running::start(&echo);
    user.error_line_with("connected to element");
    user.say("hello");
    assert_eq!(user.line(), "hello");
    user
}

/// The next line that tells of this; others may say how many are open.
fn report(element: &Running, event: &str) -> serde_json::Value {
    loop {
        let line = element.line();
        let report: serde_json::Value = serde_json::from_str(&line).unwrap();
        if report["event"] == event {
            return report;
        }
        assert_eq!(report["event"], "draining", "{line}");
    }
}

#[test]
fn who_leaves_says_what_becomes_of_its_sessions() {
    let (_registrar, address) = registrar(&[]);
    let first = serve(&address, &["--drain-ms", "300", "-o", "json"]);
    let mut user = connect(&address);
    let _second = serve(&address, &[]);
    first.terminate();
    let leaving = report(&first, "leaving");
    assert_eq!(
        (&leaving["sessions"], &leaving["drain_ms"]),
        (&1.into(), &300.into())
    );
    assert_eq!(report(&first, "deregistered")["pool_handle"], "echo");
    let drained = report(&first, "drained");
    assert_eq!(
        (&drained["finished"], &drained["moved"]),
        (&0.into(), &1.into())
    );
    assert_eq!(drained["deregistered"], true);
    assert_eq!(first.exit_code(), Some(0));
    user.error_line_with("failover from element");
    user.say("still there?");
    assert_eq!(user.line(), "still there?");
}

#[test]
fn how_many_sessions_are_open_is_told_until_they_have_ended() {
    let (_registrar, address) = registrar(&[]);
    let element = serve(&address, &["--drain-ms", LONG_MS]);
    let mut user = connect(&address);
    element.terminate();
    let leaving = element.line();
    let expected = "leaves pool echo: 1 session open, moved in 600.0 s unless ended";
    assert!(leaving.contains(expected), "{leaving}");
    assert_eq!(element.line(), "deregistered");
    let progress = element.line();
    assert!(
        progress.starts_with("1 session open, moved in 59"),
        "{progress}"
    );
    user.end_of_input();
    assert_eq!(user.exit_code(), Some(0));
    let last = loop {
        let line = element.line();
        if line.starts_with("ended: ") {
            break line;
        }
    };
    let expected = "ended: 1 session finished, 0 moved, to go on at other elements";
    assert_eq!(last, expected);
    assert_eq!(element.exit_code(), Some(0));
}

#[test]
fn another_signal_ends_it_at_once() {
    let (_registrar, address) = registrar(&[]);
    let element = serve(&address, &["--drain-ms", LONG_MS]);
    let _user = connect(&address);
    element.terminate();
    assert!(element.line().contains("another signal ends it at once"));
    element.terminate();
    element.error_line_with("ended at once by another signal: 1 session cut off");
    assert_eq!(element.exit_code(), Some(130));
}

/// Also where the first was not a signal, but the end of whoever started it.
#[test]
fn a_signal_ends_it_at_once_when_its_input_has_ended() {
    let (_registrar, address) = registrar(&[]);
    let options = ["--drain-ms", LONG_MS, "--until-stdin-ends"];
    let mut element = serve(&address, &options);
    let _user = connect(&address);
    element.end_of_input();
    assert!(element.line().contains("leaves pool echo: 1 session open"));
    element.terminate();
    assert_eq!(element.exit_code(), Some(130));
}

#[test]
fn a_registrar_that_is_gone_is_told_and_not_waited_for_long() {
    let (mut registrar, address) = registrar(&[]);
    let element = serve(&address, &["--drain-ms", "500", "-o", "json"]);
    registrar.kill();
    element.terminate();
    assert_eq!(report(&element, "leaving")["sessions"], 0);
    assert_eq!(report(&element, "drained")["deregistered"], false);
    assert_eq!(element.exit_code(), Some(0));
}
