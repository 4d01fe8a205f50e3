//! The management interface and `rsp status`.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use support::{Running, management, registrar, rsp};

#[test]
fn status_shows_what_the_registrar_knows() {
    let (registrar, address) = registrar(&["--management", "127.0.0.1:0"]);
    let management = &management(&registrar);

    let output = rsp(&["status", "--management", management])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains(&format!("reached at {address}")), "{shown}");
    assert!(shown.contains("No pool yet"), "{shown}");

    let serve = ["serve", "echo", "--registrar", &address, "--no-multicast"];
    let more = ["--address", "127.0.0.1", "--id", "0x1a2b3c4d"];
    let element = Running::start(&[&serve[..], &more].concat());
    element.line();
    let output = rsp(&["status", "--management", management, "-o", "json"])
        .output()
        .unwrap();
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(status["schema"], 1);
    assert_eq!(status["pools"][0]["pool_handle"], "echo");
    assert_eq!(status["pools"][0]["pool_elements"][0]["id"], "0x1a2b3c4d");
    assert_eq!(status["counters"]["registrations"], 1);

    let counters = rsp(&["status", "--management", management, "--counters"])
        .output()
        .unwrap();
    let shown = String::from_utf8(counters.stdout).unwrap();
    assert!(
        shown.contains("0x1a2b3c4d") && shown.contains("registrations"),
        "{shown}"
    );
}

#[test]
fn the_interface_answers_probes_and_refuses_other_names() {
    let (registrar, _) = registrar(&["--management", "127.0.0.1:0"]);
    let management = &management(&registrar);
    for (path, host, code) in [
        ("/livez", "localhost", "200"),
        ("/readyz", management, "200"),
        ("/api/v1/status", management, "200"),
        ("/api/v1/status", "evil.example", "403"),
        ("/nothing", "127.0.0.1", "404"),
    ] {
        let answer = get(management, path, host);
        let first = answer.lines().next().unwrap();
        assert!(first.contains(code), "{path} at {host}: {first}");
    }
}

#[test]
fn a_taken_port_is_no_obstacle() {
    let (first, _) = registrar(&["--management", "127.0.0.1:0"]);
    let taken = &management(&first);
    let (second, _) = registrar(&["--management", taken]);
    let other = &management(&second);
    assert_ne!(other, taken);
    assert!(get(other, "/livez", "localhost").contains("200"));
}

fn get(address: &str, path: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
