//! `rsp connect --policy-check`: every policy's promise, kept and broken.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

mod support;

use std::process::Output;
use support::{Running, registrar, rsp};

fn serve(address: &str, pool: &str, policy: &str) -> Running {
    let at = ["--registrar", address, "--no-multicast"];
    let what = ["serve", "echo", "--pool", pool, "--policy", policy];
    // A registration that is renewed makes LUD forget (RFC 5356 §5.2.2).
    let renewal = ["--t4-reregistration-ms", "3600000"];
    let here = ["--address", "127.0.0.1"];
    let element = Running::start(&[&what[..], &at, &renewal, &here].concat());
    element.line();
    element
}

fn check(address: &str, pool: &str, selections: u32, more: &[&str]) -> Output {
    let selections = format!("--policy-check={selections}");
    let what = ["connect", pool, selections.as_str()];
    let at = ["--registrar", address, "--no-multicast"];
    rsp(&[&what[..], &at, more].concat()).output().unwrap()
}

/// Of each element, in the order of their policies: chosen, expected.
fn shares(output: &Output) -> Vec<(String, u64, f64)> {
    let check: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let share = |share: &serde_json::Value| {
        let policy = share["policy"].as_str().unwrap().to_owned();
        let chosen = share["chosen"].as_u64().unwrap();
        (policy, chosen, share["expected"].as_f64().unwrap())
    };
    let mut shares: Vec<_> = check["shares"]
        .as_array()
        .unwrap()
        .iter()
        .map(share)
        .collect();
    shares.sort_by(|one, other| one.0.cmp(&other.0));
    shares
}

#[test]
fn every_policy_keeps_its_promise() {
    let (_registrar, address) = registrar(&[]);
    for policies in [
        ["rr", "rr", "rr"],
        ["wrr:1", "wrr:2", "wrr:3"],
        ["rand", "rand", "rand"],
        ["wrand:1", "wrand:2", "wrand:3"],
        ["prio:1", "prio:2", "prio:3"],
        ["lu:0.1", "lu:0.1", "lu:0.3"],
        ["lud:0:0.002", "lud:0:0.001", "lud:0:0.004"],
        ["plu:0.1:0.1", "plu:0.15:0.01", "plu:0.2:0"],
        ["rlu:0.1", "rlu:0.5", "rlu:0.9"],
    ] {
        let pool = policies[0].split(':').next().unwrap();
        let _elements = policies.map(|policy| serve(&address, pool, policy));
        let output = check(&address, pool, 300, &["-o", "json"]);
        assert_eq!(output.status.code(), Some(0), "{policies:?}: {output:?}");
        let shares = shares(&output);
        let chosen: u64 = shares.iter().map(|(_, chosen, _)| chosen).sum();
        let expected: f64 = shares.iter().map(|(_, _, expected)| expected).sum();
        assert_eq!((shares.len(), chosen), (3, 300), "{policies:?}: {shares:?}");
        assert!((expected - 1.0).abs() < 1e-9, "{policies:?}: {shares:?}");
    }
}

#[test]
fn a_policy_that_nobody_knows_promises_nothing() {
    let (_registrar, address) = registrar(&[]);
    let _element = serve(&address, "own", "0x80000001:00000005");
    let output = check(&address, "own", 10, &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("10 selections by policy 0x80000001: NOT as promised"),
        "{text}"
    );
}
