//! Three registrars that know each other: what is registered at one is resolved at all, and its
//! home may be killed.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

mod support;

use serde_json::Value;
use std::time::{Duration, Instant};
use support::{LONG, Running, management, rsp};

const ELEMENT: &str = "0x1a2b3c4d";

#[test]
fn an_element_registered_at_one_is_resolved_at_the_others() {
    let first = Member::start(&[], "0");
    let second = Member::start(&[&first], "0");
    // The third is told of the first only, and learns of the second from it.
    let third = Member::start(&[&first], "0");
    let initialised = third.running.line();
    let expected = format!(
        "initialised, with 0 pool elements from its mentor {}",
        first.id
    );
    assert_eq!(initialised, expected);

    let _element = serve(&first.reached_at);
    for member in [&first, &second, &third] {
        until("it is resolved everywhere", || member.resolves());
        let knows_all = |status: &Value| status["peers"].as_array().unwrap().len() == 2;
        member.until("peers agree", |status| knows_all(status) && agrees(status));
    }
    let status = third.status();
    assert_eq!(status["initialized"], true, "{status}");
    assert_eq!(status["owned"], 0, "{status}");
    let home = peer(&status, &first.id);
    assert_eq!(home["owned"], 1, "{status}");
    assert_eq!(home["status"], "active", "{status}");
    assert_eq!(home["static"], true, "{status}");
    assert_eq!(home["address"], first.as_peer.as_str(), "{status}");
    assert!(home["last_heard_ms"].as_u64() < Some(2_500), "{status}");
    assert_eq!(peer(&status, &second.id)["static"], false, "{status}");
    let element = &status["pools"][0]["pool_elements"][0];
    assert_eq!(element["home"], first.id.as_str(), "{status}");
    assert_eq!(first.status()["owned"], 1);
    third.shows_its_peers(&first, &second);
}

#[test]
fn an_element_whose_home_is_killed_is_adopted_and_resolvable_throughout() {
    let mut first = Member::start(&[], "0");
    let second = Member::start(&[&first], "0");
    let third = Member::start(&[&first, &second], "0");
    // It knows its home only, so that somebody has to take it over.
    let element = serve(&first.reached_at);
    for member in [&second, &third] {
        until("it is resolved everywhere", || member.resolves());
        member.until("peers agree", agrees);
    }

    first.running.kill();
    let killed = Instant::now();
    let mut heir = None;
    let settled = |heir: Option<Instant>| {
        // An element that does not answer its new home is removed after 2.25 s at most.
        heir.is_some_and(|since| since.elapsed() > Duration::from_secs(3))
    };
    while !settled(heir) {
        assert!(killed.elapsed() < LONG, "nobody takes it over");
        for member in [&second, &third] {
            let after = killed.elapsed();
            assert!(member.resolves(), "{} after {after:?}", member.id);
        }
        let owned = [&second, &third].map(|member| member.status()["owned"].clone());
        if owned == [1, 0] || owned == [0, 1] {
            heir.get_or_insert_with(Instant::now);
        }
    }
    for member in [&second, &third] {
        member.until("the survivors agree", agrees);
        let status = member.status();
        let home = &status["pools"][0]["pool_elements"][0]["home"];
        assert!(
            [&second.id, &third.id]
                .iter()
                .any(|id| *home == id.as_str())
        );
    }

    let returned = Member::start(&[&second, &third], first.udp_port());
    assert_ne!(returned.id, first.id);
    let initialised = returned.running.line();
    assert!(
        initialised.starts_with("initialised, with 1 pool elements from its mentor "),
        "{initialised}"
    );
    assert!(returned.resolves());
    for member in [&second, &third, &returned] {
        let is_active = |peer: &&Value| peer["status"] == "active";
        let actives = |status: &Value| {
            let peers = status["peers"].as_array().unwrap();
            peers.iter().filter(is_active).count()
        };
        member.until("all agree", |status| actives(status) == 2 && agrees(status));
    }
    element.terminate();
    assert_eq!(element.exit_code(), Some(0));
    for member in [&second, &third, &returned] {
        until("it has left everywhere", || !member.resolves());
    }
}

/// A registrar of the scope.
struct Member {
    running: Running,
    id: String,
    reached_at: String,
    as_peer: String,
    management: String,
}

impl Member {
    /// Starts a registrar with these peers.
    fn start(peers: &[&Self], udp_port: &str) -> Self {
        let place = [
            "registrar",
            "--address",
            "127.0.0.1",
            "--udp-port",
            udp_port,
        ];
        let private = ["--tcp-port", "0", "--management", "127.0.0.1:0"];
        let mut arguments = [&place[..], &private[..], &["--no-multicast"]].concat();
        for peer in peers {
            arguments.extend(["--peer", &peer.as_peer]);
        }
        let running = Running::start(&arguments);
        let word = |line: String| line.split_whitespace().nth(1).unwrap().to_owned();
        let id = word(running.line());
        let reached_at = word(running.line());
        running.line();
        let as_peer = word(running.line());
        let management = management(&running);
        let said = running.line();
        let addresses: Vec<&str> = peers.iter().map(|peer| peer.as_peer.as_str()).collect();
        match peers {
            [] => assert_eq!(said, "no peers: it is alone until one comes"),
            _ => assert_eq!(said, format!("peer of {}", addresses.join(" and "))),
        }
        Self {
            running,
            id,
            reached_at,
            as_peer,
            management,
        }
    }

    fn udp_port(&self) -> &str {
        self.as_peer.split_once("/udp=").unwrap().1
    }

    /// Whether a user that knows only this one finds the element.
    fn resolves(&self) -> bool {
        let resolve = ["resolve", "echo", "--json", "--no-multicast"];
        let arguments = [&resolve[..], &["--registrar", &self.reached_at]].concat();
        let output = rsp(&arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains(ELEMENT)
    }

    fn status(&self) -> Value {
        json(&["status", "--json", "--management", &self.management])
    }

    fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) {
        until(what, || holds(&self.status()));
    }

    fn shows_its_peers(&self, first: &Self, second: &Self) {
        let peers = json(&["peers", "-o", "json", "--management", &self.management]);
        assert_eq!(peers["peers"].as_array().unwrap().len(), 2, "{peers}");
        assert_eq!(peers["registrar"], self.id.as_str(), "{peers}");
        for command in ["peers", "status"] {
            let arguments = [command, "--management", &self.management];
            let output = rsp(&arguments).output().unwrap();
            let shown = String::from_utf8(output.stdout).unwrap();
            assert!(shown.contains("owns 0 of 1 pool elements"), "{shown}");
            for member in [first, second] {
                let row = shown.lines().find(|line| line.starts_with(&member.id));
                let row = row.unwrap_or_else(|| panic!("no {} in {shown}", member.id));
                assert!(row.contains("  active  "), "{row}");
                assert!(row.contains(" equal "), "{row}");
                assert!(row.contains(&member.as_peer), "{row}");
            }
        }
        let watch = ["peers", "--watch", "--management", &self.management];
        let watcher = Running::start(&watch);
        for _ in 0..2 {
            while !watcher.line().starts_with("registrar ") {}
        }
        watcher.terminate();
        assert_eq!(watcher.exit_code(), Some(0));
    }
}

fn serve(registrar: &str) -> Running {
    let serve = ["serve", "echo", "--address", "127.0.0.1", "--id", ELEMENT];
    let known = ["--no-multicast", "--registrar", registrar];
    let element = Running::start(&[&serve[..], &known[..]].concat());
    element.line();
    element
}

/// What a command prints, as JSON.
fn json(arguments: &[&str]) -> Value {
    let output = rsp(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn peer<'a>(status: &'a Value, id: &str) -> &'a Value {
    let mut peers = status["peers"].as_array().unwrap().iter();
    peers
        .find(|peer| peer["registrar"] == id)
        .unwrap_or_else(|| panic!("no {id} in {status}"))
}

/// Whether all active peers are known as they know themselves.
fn agrees(status: &Value) -> bool {
    let peers = status["peers"].as_array().unwrap();
    let mut active = peers.iter().filter(|peer| peer["status"] == "active");
    active.all(|peer| peer["checksums_equal"] == true)
}

/// Waits until something holds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not in {LONG:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
