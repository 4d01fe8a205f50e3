//! Exit codes and messages, as docs/commands/README.md has them.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

mod support;

use std::io::Write;
use std::process::{Output, Stdio};
use support::{Running, registrar, rsp};

#[test]
fn wrong_usage_is_2() {
    for arguments in [
        &["resolve"][..],
        &["serve", "echo", "--policy", "fastest"],
        &["resolve", "echo", "--registrar", "nowhere"],
        &["registrar", "--id", "0x0"],
        &["registrar", "--peer", "tcp:127.0.0.1"],
        &["sim", "--faults", "frogs"],
        &["peers", "--json", "-o", "table"],
        &["decode", "not hexadecimal"],
        &["frobnicate"],
    ] {
        assert_code(&run(arguments), 2, arguments);
    }
}

#[test]
fn an_unknown_pool_is_3() {
    let (_registrar, address) = registrar(&[]);
    for command in ["resolve", "connect"] {
        let arguments = [command, "nobody", "--registrar", &address, "--no-multicast"];
        let output = run(&arguments);
        assert_code(&output, 3, &arguments);
        assert!(errors(&output).contains("no such pool"), "{output:?}");
    }
}

#[test]
fn no_registrar_is_4_and_says_what_to_do() {
    // Port 9 is discard's; nobody is there.
    let nowhere = [
        "--registrar",
        "127.0.0.1:3863/udp=9",
        "--no-multicast",
        "--timers",
        "fast",
    ];
    for command in [
        &["resolve", "echo"][..],
        &["connect", "echo"],
        &[
            "serve",
            "echo",
            "--address",
            "127.0.0.1",
            "--register-timeout-ms",
            "500",
        ],
    ] {
        let arguments = [command, &nowhere].concat();
        let output = run(&arguments);
        assert_code(&output, 4, &arguments);
        assert!(errors(&output).contains("registrar"), "{output:?}");
    }
    let status = run(&["status", "--management", "127.0.0.1:9"]);
    assert_code(&status, 4, &["status"]);
    assert!(
        errors(&status).contains("is `rsp registrar` running there?"),
        "{status:?}"
    );
}

#[test]
fn a_refused_registration_is_5() {
    let (_registrar, address) = registrar(&[]);
    let echo = ["serve", "echo", "--registrar", &address, "--no-multicast"];
    let own = [&echo[..], &["--address", "127.0.0.1"]].concat();
    let first = Running::start(&[&own[..], &["--policy", "rr"]].concat());
    first.line();
    let arguments = [&own[..], &["--policy", "lu:0.5"]].concat();
    let output = run(&arguments);
    assert_code(&output, 5, &arguments);
    assert!(
        errors(&output).to_lowercase().contains("policy"),
        "{output:?}"
    );
}

#[test]
fn no_answer_in_time_is_6() {
    let (_registrar, address) = registrar(&[]);
    let discard = [
        "serve",
        "discard",
        "--address",
        "127.0.0.1",
        "--registrar",
        &address,
    ];
    let element = Running::start(&[&discard[..], &["--no-multicast"]].concat());
    element.line();
    let discard = [
        "connect",
        "discard",
        "--registrar",
        &address,
        "--no-multicast",
    ];
    let mut user = Running::start(&[&discard[..], &["--answer-timeout-ms", "300"]].concat());
    user.say("anybody?");
    assert_eq!(user.exit_code(), Some(6));
    let mut user = Running::start(&[&discard[..], &["--no-answers"]].concat());
    user.say("nobody");
    user.end_of_input();
    assert_eq!(user.exit_code(), Some(0));
}

#[test]
fn an_interrupted_client_is_130_and_a_stopped_service_0() {
    let (registrar, address) = registrar(&[]);
    let element = Running::start(&[
        "serve",
        "echo",
        "--registrar",
        &address,
        "--no-multicast",
        "--address",
        "127.0.0.1",
    ]);
    element.line();
    let connect = ["connect", "echo", "--registrar", &address, "--no-multicast"];
    let user = Running::start(&connect);
    user.error_line_with("connected");
    user.terminate();
    assert_eq!(user.exit_code(), Some(130));
    element.terminate();
    assert_eq!(element.exit_code(), Some(0));
    registrar.terminate();
    assert_eq!(registrar.exit_code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut command = rsp(&["completion", "bash"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_code(&output, 0, &["completion", "bash"]);
    assert_eq!(errors(&output), "");
}

#[test]
fn the_service_ends_with_whoever_started_it() {
    let mut registrar = Running::start(&[
        "registrar",
        "--address",
        "127.0.0.1",
        "--udp-port",
        "0",
        "--tcp-port",
        "0",
        "--no-multicast",
        "--management",
        "off",
        "--until-stdin-ends",
    ]);
    registrar.line();
    registrar.end_of_input();
    assert_eq!(registrar.exit_code(), Some(0));
}

#[test]
fn decode_reads_digits_octets_and_standard_input() {
    let expected = "asap ASAP_HANDLE_RESOLUTION pool EchoPool\n";
    let words = run(&["decode", "05000010", "0009000c", "4563686f506f6f6c"]);
    assert_eq!(String::from_utf8_lossy(&words.stdout), expected);
    assert_code(&words, 0, &["decode"]);
    let octets = b"\x05\x00\x00\x10\x00\x09\x00\x0cEchoPool";
    for input in [&octets[..], b"05000010 0009000c\n4563686f 506f6f6c\n"] {
        let mut command = rsp(&["decode", "-"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    }
}

#[test]
fn decode_shows_what_is_malformed_and_fails() {
    let output = run(&["decode", "05000011", "0009000c", "4563686f", "506f6f6c"]);
    assert_code(&output, 1, &["decode"]);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(
        shown.starts_with("asap malformed: LengthTooLarge at octet 2"),
        "{shown}"
    );
    assert_eq!(errors(&output), "rsp: 1 of 1 messages are malformed\n");
}

#[test]
fn decode_reads_a_capture_of_rsplib() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/captures/three-registrars-kill-and-cut.pcap"
    );
    let output = run(&["decode", path]);
    assert_code(&output, 0, &["decode", path]);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert_eq!(shown.lines().count(), 546, "as many as tshark finds");
    for message in [
        "ASAP_REGISTRATION ",
        "ENRP_INIT_TAKEOVER ",
        "ASAP_ENDPOINT_KEEP_ALIVE ",
    ] {
        assert!(shown.contains(message), "{message}");
    }
    let json = run(&["decode", "-o", "json", path]);
    let first = json.stdout.split(|octet| *octet == b'\n').next().unwrap();
    let first: serde_json::Value = serde_json::from_slice(first).unwrap();
    assert_eq!(first["frame"], 1);
    assert_eq!(first["protocol"], "enrp");
}

#[test]
fn decode_reads_a_capture_of_ours() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/captures/session-survives-a-kill.pcapng"
    );
    let output = run(&["decode", path]);
    assert_code(&output, 0, &["decode", path]);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert_eq!(shown.lines().count(), 22, "as many as tshark finds");
    for place in [
        "> 224.0.1.185:3863 udp asap ASAP_SERVER_ANNOUNCE ",
        "> 127.0.0.1:3863 sctp/udp asap ASAP_REGISTRATION ",
        "> 127.0.0.1:3863 tcp asap ASAP_ENDPOINT_UNREACHABLE ",
    ] {
        assert!(shown.contains(place), "{place}");
    }
}

fn run(arguments: &[&str]) -> Output {
    rsp(arguments).output().unwrap()
}

fn assert_code(output: &Output, code: i32, arguments: &[&str]) {
    assert_eq!(
        output.status.code(),
        Some(code),
        "rsp {arguments:?}: {output:?}"
    );
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
