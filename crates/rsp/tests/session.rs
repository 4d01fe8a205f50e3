//! A session through the failure of its element: registrar, two elements, a user, `kill -9`.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

mod support;

use std::collections::BTreeMap;
use support::{Running, registrar, rsp};

#[test]
fn a_session_survives_the_element_that_serves_it() {
    let (_registrar, address) = registrar(&[]);
    let mut elements = BTreeMap::new();
    for _ in 0..2 {
        let element = serve(&address, &[]);
        let line = element.line();
        elements.insert(identifier(&line), element);
    }
    assert_eq!(elements.len(), 2, "two elements, two identifiers");

    let connect = ["connect", "echo", "--registrar", &address, "--no-multicast"];
    let mut user = Running::start(&connect);
    let connected = user.error_line_with("connected to element");
    let first = identifier(&connected);
    user.say("before");
    assert_eq!(user.line(), "before");

    elements.get_mut(&first).unwrap().kill();
    user.say("after");
    assert_eq!(
        user.line(),
        "after",
        "the line that was not answered is sent again"
    );
    let failover = user.error_line_with("failover from element");
    assert_eq!(identifier(&failover), first);
    let second = failover.split(" to element ").nth(1).unwrap();
    assert!(elements.contains_key(&identifier(second)), "{failover}");
    let (_, gap) = failover.rsplit_once(" in ").unwrap();
    let gap: f64 = gap.strip_suffix(" ms").unwrap().parse().unwrap();
    assert!(gap >= 0.0, "{failover}");

    user.end_of_input();
    assert_eq!(user.exit_code(), Some(0));
}

/// Over TCP and UDP: whoever is killed, what was not answered is answered by the other.
#[test]
fn a_session_over_tcp_or_udp_survives_the_element_that_serves_it() {
    for (transport, name) in [("tcp", "TCP"), ("udp", "UDP")] {
        let (_registrar, address) = registrar(&[]);
        let mut elements = BTreeMap::new();
        for _ in 0..2 {
            let element = serve(&address, &["--transport", transport]);
            let line = element.line();
            elements.insert(identifier(&line), element);
        }
        let mut user =
            Running::start(&["connect", "echo", "--registrar", &address, "--no-multicast"]);
        let connected = user.error_line_with("connected to element");
        let by = format!("by {name}, without cookies");
        assert!(connected.ends_with(&by), "{connected}");
        for number in 0..100 {
            user.say(&format!("line {number}"));
            assert_eq!(user.line(), format!("line {number}"));
        }
        elements.get_mut(&identifier(&connected)).unwrap().kill();
        user.say("after");
        assert_eq!(user.line(), "after");
        user.error_line_with("failover from element");
        user.end_of_input();
        assert_eq!(user.exit_code(), Some(0));
    }
}

/// RFC 867 over TCP, as any client sees it.
#[test]
fn an_ordinary_tcp_client_is_served_too() {
    use std::io::{BufRead, Write};
    let (_registrar, address) = registrar(&[]);
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let options = ["--transport", "tcp", "--user-port", &port.to_string()];
    let element = Running::start(
        &[
            &[
                "serve",
                "daytime",
                "--registrar",
                &address,
                "--no-multicast",
            ][..],
            &options,
        ]
        .concat(),
    );
    element.line();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"what time is it?\n").unwrap();
    let mut answer = String::new();
    std::io::BufReader::new(stream)
        .read_line(&mut answer)
        .unwrap();
    assert!(answer.ends_with(" UTC\r\n"), "{answer}");
}

#[test]
fn what_has_cookies_is_not_served_without_sctp() {
    let wrong = rsp(&["serve", "calc", "--transport", "tcp", "--no-multicast"])
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let error = String::from_utf8(wrong.stderr).unwrap();
    assert!(
        error.contains("calc needs SCTP, for cookies: leave --transport out"),
        "{error}"
    );
}

#[test]
fn lines_of_a_file_come_back_in_their_order() {
    let (_registrar, address) = registrar(&[]);
    let element = serve(&address, &[]);
    element.line();
    let mut user = Running::start(&["connect", "echo", "--registrar", &address, "--no-multicast"]);
    for number in 0..100 {
        user.say(&format!("line {number}"));
    }
    user.end_of_input();
    for number in 0..100 {
        assert_eq!(user.line(), format!("line {number}"));
    }
    assert_eq!(user.exit_code(), Some(0));
}

#[test]
fn an_element_that_is_told_to_stop_leaves_its_pool_first() {
    let (_registrar, address) = registrar(&[]);
    let element = serve(&address, &["-o", "json"]);
    let registered = element.line();
    assert!(
        registered.contains("\"event\":\"registered\""),
        "{registered}"
    );
    let watch = ["resolve", "echo", "--watch", "-o", "json"];
    let watcher = client(&watch, &address);
    assert!(watcher.line().contains("\"pool_elements\":[\"0x"));
    element.terminate();
    assert!(element.line().contains("\"event\":\"leaving\""));
    assert!(element.line().contains("\"event\":\"deregistered\""));
    assert_eq!(element.exit_code(), Some(0));
    // `line` panics if the subscriber is never told.
    while !watcher.line().contains("\"pool_elements\":[]") {}
    watcher.terminate();
    assert_eq!(watcher.exit_code(), Some(0));
}

#[test]
fn the_other_services_answer() {
    let (_registrar, address) = registrar(&[]);
    for (service, expected) in [
        ("daytime", " UTC"),
        ("ping-pong", "pong 1"),
        ("chargen", " !\"#"),
    ] {
        let element = Running::start(&[
            "serve",
            service,
            "--registrar",
            &address,
            "--no-multicast",
            "--address",
            "127.0.0.1",
        ]);
        element.line();
        let mut user = client(&["connect", service], &address);
        user.say("?");
        let answer = user.line();
        assert!(answer.contains(expected), "{service}: {answer}");
    }
}

#[test]
fn resolving_over_tcp_and_as_json() {
    let (mut registrar, address) = registrar(&["-o", "table"]);
    let tcp = registrar.line();
    let tcp = tcp.trim().strip_prefix("--registrar ").unwrap();
    assert!(tcp.starts_with("tcp:127.0.0.1:"), "{tcp}");
    let element = serve(&address, &["--policy", "wrr:3", "--id", "0x1a2b3c4d"]);
    element.line();
    let arguments = [
        "resolve",
        "echo",
        "-o",
        "json",
        "--registrar",
        tcp,
        "--no-multicast",
    ];
    let output = rsp(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["pool_handle"], "echo");
    assert_eq!(
        answer["policy"].as_str().map(|policy| &policy[..4]),
        Some("wrr:")
    );
    assert_eq!(answer["pool_elements"][0]["id"], "0x1a2b3c4d");
    assert_eq!(answer["pool_elements"][0]["policy"], "wrr:3");
    registrar.kill();
}

fn serve(registrar: &str, more: &[&str]) -> Running {
    let echo = ["serve", "echo", "--registrar", registrar, "--no-multicast"];
    Running::start(&[&echo[..], &["--address", "127.0.0.1"], more].concat())
}

fn client(arguments: &[&str], registrar: &str) -> Running {
    Running::start(&[arguments, &["--registrar", registrar, "--no-multicast"]].concat())
}

/// The first identifier in a line, as in `0x1a2b3c4d`.
fn identifier(line: &str) -> String {
    let start = line
        .find("0x")
        .unwrap_or_else(|| panic!("no identifier in {line:?}"));
    line[start..start + 10].to_owned()
}
