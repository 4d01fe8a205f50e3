//! The load that calc reports, and where jobs go by it (RFC 5356 §5).

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

mod support;

use std::collections::BTreeMap;
use std::time::Instant;
use support::{LONG, Running, registrar, rsp};

/// Longer than the test: no job ends by itself.
const ENDLESS: &str = "1000000000000";

fn serve(address: &str, more: &[&str]) -> Running {
    let mut arguments = vec!["serve", "calc", "--registrar", address, "--no-multicast"];
    arguments.extend(["--address", "127.0.0.1"]);
    arguments.extend(more);
    let element = Running::start(&arguments);
    element.line();
    element
}

/// A session with a job; and which element has it.
fn job(address: &str) -> (Running, String) {
    let arguments = ["connect", "calc", "--registrar", address, "--no-multicast"];
    let mut user = Running::start(&[&arguments[..], &["--service", "calc"]].concat());
    let line = user.error_line_with("connected to element");
    user.say(ENDLESS);
    let start = line.find("0x").unwrap();
    (user, line[start..start + 10].to_owned())
}

/// The policies that the elements of calc have registered, by their identifiers.
fn policies(address: &str) -> BTreeMap<String, String> {
    let ask = ["resolve", "calc", "--registrar", address, "--no-multicast"];
    let output = rsp(&[&ask[..], &["-o", "json"]].concat()).output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let elements = answer["pool_elements"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    elements
        .map(|element| (text(&element["id"]), text(&element["policy"])))
        .collect()
}

/// Waits until they are registered like this.
fn until_registered(address: &str, expected: &BTreeMap<String, String>) {
    let begin = Instant::now();
    while &policies(address) != expected {
        let seen = policies(address);
        assert!(begin.elapsed() < LONG, "{seen:?}, but not {expected:?}");
    }
}

#[test]
fn jobs_spread_by_the_load_under_least_used() {
    let (_registrar, address) = registrar(&[]);
    let _elements = [(); 3].map(|()| serve(&address, &["--policy", "lu:0"]));
    let mut jobs = BTreeMap::<String, u32>::new();
    let loads = |jobs: &BTreeMap<String, u32>| {
        let ids = policies(&address).into_keys();
        let load = |id: &String| jobs.get(id).map_or(0, |jobs| *jobs);
        let policy = |id: String| {
            let load = load(&id);
            (id, format!("lu:0.{load}0"))
        };
        ids.map(policy).collect::<BTreeMap<_, _>>()
    };
    let mut users = Vec::new();
    for _ in 0..9 {
        let (user, element) = job(&address);
        *jobs.entry(element).or_default() += 1;
        users.push(user);
        // The next one chooses by what the registrar knows.
        until_registered(&address, &loads(&jobs));
    }
    let each: Vec<u32> = jobs.into_values().collect();
    assert_eq!(each, [3, 3, 3]);

    drop(users);
    until_registered(&address, &loads(&BTreeMap::new()));
}

#[test]
fn the_load_is_added_to_what_was_there_and_the_degradation_stays() {
    let (_registrar, address) = registrar(&[]);
    let options = ["--policy", "lud:0.6:0.25", "--jobs-max", "4"];
    let _element = serve(&address, &options);
    let (_user, element) = job(&address);
    // A quarter of what is left.
    let registered = BTreeMap::from([(element, "lud:0.70:0.25".to_owned())]);
    until_registered(&address, &registered);
}

/// What is refused is asked again elsewhere, and takes nobody's place: all jobs get done.
#[test]
fn more_users_than_places_all_have_their_jobs_done() {
    let (_registrar, address) = registrar(&[]);
    let _element = serve(&address, &["--jobs-max", "1", "--capacity", "10000000"]);
    let at = ["connect", "calc", "--registrar", &address, "--no-multicast"];
    let jobs = ["--service", "calc", "--every-ms", "1", "--count", "3"];
    let user = || Running::start(&[&at[..], &jobs, &["--job-size", "500000"]].concat());
    let users = [(); 4].map(|()| user());
    for user in users {
        for number in 1..=3 {
            assert_eq!(
                user.line(),
                format!("job {number} done, 500000 calculations")
            );
        }
        assert_eq!(user.exit_code(), Some(0));
    }
}

#[test]
fn who_is_refused_until_the_end_is_told_so() {
    let (_registrar, address) = registrar(&[]);
    let _element = serve(&address, &["--jobs-max", "1"]);
    let (_busy, _) = job(&address);
    until_full(&address);
    let at = ["connect", "calc", "--registrar", &address, "--no-multicast"];
    let impatient = ["--service", "calc", "--answer-timeout-ms", "1000"];
    let mut user = Running::start(&[&at[..], &impatient].concat());
    user.say("1000");
    user.error_line_with("has too many jobs and refuses this one: asking on");
    user.error_line_with("times refused: its elements have as many jobs as they take");
    assert_eq!(user.exit_code(), Some(6));
}

/// Waits until a job is refused: the one that was begun may come after the first that asks.
fn until_full(address: &str) {
    let at = ["connect", "calc", "--registrar", address, "--no-multicast"];
    let one = [
        "--service",
        "calc",
        "--every-ms",
        "1",
        "--count",
        "1",
        "--job-size",
        "1",
    ];
    let begin = Instant::now();
    loop {
        let probe = Running::start(&[&at[..], &one, &["-o", "json"]].concat());
        assert!(probe.line().contains("\"event\":\"connected\""));
        if probe.line().contains("\"event\":\"refused\"") {
            return;
        }
        assert!(begin.elapsed() < LONG, "nobody has a job");
    }
}
