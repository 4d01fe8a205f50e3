//! Services that keep their state in cookies, through `kill -9` of the element that serves.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

mod support;

use std::collections::BTreeMap;
use support::{Running, registrar};

fn serve(service: &str, address: &str, more: &[&str]) -> Running {
    let mut arguments = vec!["serve", service, "--registrar", address, "--no-multicast"];
    arguments.extend(["--address", "127.0.0.1"]);
    arguments.extend(more);
    Running::start(&arguments)
}

fn connect(service: &str, address: &str, more: &[&str]) -> Running {
    let mut arguments = vec!["connect", service, "--registrar", address, "--no-multicast"];
    arguments.extend(more);
    Running::start(&arguments)
}

/// So many elements by their identifiers.
fn elements(service: &str, address: &str, more: &[&str]) -> BTreeMap<String, Running> {
    let start = |_| {
        let element = serve(service, address, more);
        let line = element.line();
        (identifier(&line), element)
    };
    (0..3).map(start).collect()
}

/// The first identifier in a line.
fn identifier(line: &str) -> String {
    let is_identifier = |word: &&str| word.starts_with("0x");
    line.split_whitespace()
        .find(is_identifier)
        .unwrap()
        .to_owned()
}

/// The number after this word.
fn number_after(line: &str, word: &str) -> u64 {
    let (_, rest) = line.split_once(word).unwrap_or_else(|| panic!("{line}"));
    rest.trim().parse().unwrap_or_else(|_| panic!("{line}"))
}

#[test]
fn ping_pong_goes_on_counting_at_another_element() {
    let (_registrar, address) = registrar(&[]);
    let mut elements = elements("ping-pong", &address, &[]);
    let speak = ["--service", "ping-pong", "--every-ms", "5", "--count", "60"];
    let user = connect("ping-pong", &address, &speak);
    let mut serving = identifier(&user.error_line_with("connected to element"));
    let mut answers = 0;
    for line in 1..=60 {
        let text = user.line();
        assert!(text.starts_with(&format!("pong {line}, ")), "{text}");
        let answer = number_after(&text, "answer ");
        assert_eq!(answer, answers + 1, "counted once, by whomever: {text}");
        answers = answer;
        if line == 20 || line == 40 {
            elements.remove(&serving).unwrap().kill();
            let failover = user.error_line_with("failover from element");
            assert!(failover.contains("with its cookie"), "{failover}");
            serving = identifier(failover.split(" to element ").nth(1).unwrap());
        }
    }
    assert_eq!(user.exit_code(), Some(0));
}

#[test]
fn a_job_is_resumed_by_another_element() {
    let (_registrar, address) = registrar(&[]);
    // Alone, each would take two seconds and a half for it.
    let options = ["--capacity", "1000000", "--cookie-every-ms", "50"];
    let mut elements = elements("calc", &address, &options);
    let mut user = connect("calc", &address, &["--service", "calc"]);
    let mut serving = identifier(&user.error_line_with("connected to element"));
    let start = std::time::Instant::now();
    user.say("2500000");
    for _ in 0..2 {
        std::thread::sleep(std::time::Duration::from_millis(900));
        elements.remove(&serving).unwrap().kill();
        let failover = user.error_line_with("failover from element");
        assert!(failover.contains("with its cookie"), "{failover}");
        serving = identifier(failover.split(" to element ").nth(1).unwrap());
    }
    assert_eq!(user.line(), "job 1 done, 2500000 calculations");
    let took = start.elapsed().as_secs_f64();
    println!("two failures: {took:.2} s");
    // From the beginning at the third element, it would be 1.8 s and 2.5 s.
    assert!((2.4..4.2).contains(&took), "{took}");
    user.end_of_input();
    assert_eq!(user.exit_code(), Some(0));
}

#[test]
fn sealed_cookies_are_opened_by_elements_with_the_key_only() {
    let (_registrar, address) = registrar(&[]);
    let folder = std::env::temp_dir().join(format!("rsp-cookies-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut keys = Vec::new();
    for (name, digit) in [("one", "1"), ("two", "2")] {
        let path = folder.join(name);
        std::fs::write(&path, digit.repeat(64)).unwrap();
        keys.push(path.display().to_string());
    }
    let with = |key: usize| {
        let element = serve("ping-pong", &address, &["--cookie-key", &keys[key]]);
        (identifier(&element.line()), element)
    };
    let (first, mut first_element) = with(0);
    let mut user = connect("ping-pong", &address, &[]);
    assert_eq!(identifier(&user.error_line_with("connected to")), first);
    user.say("ping");
    assert_eq!(user.line(), "pong 1");

    let (_, mut same_key) = with(0);
    first_element.kill();
    user.error_line_with("with its cookie");
    user.say("ping");
    assert_eq!(user.line(), "pong 2");

    let (_, other_key) = with(1);
    same_key.kill();
    user.error_line_with("with its cookie");
    user.say("ping");
    assert_eq!(
        user.line(),
        "pong 1",
        "it does not believe what it cannot open"
    );
    other_key.error_line_with("sealed with another key");

    let no_key = serve("calc", &address, &["--cookie-key", "/nonexistent"]);
    no_key.error_line_with("cannot read the key");
    assert_eq!(no_key.exit_code(), Some(1));
    std::fs::remove_dir_all(&folder).unwrap();
}
