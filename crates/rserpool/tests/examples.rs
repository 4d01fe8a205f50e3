//! Every example does what its documentation says, also when a server is killed.

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

mod common;

use common::example::{Example, build};
use common::{registrar, sctp, soon};
use rserpool::Registrar;
use std::path::{Path, PathBuf};

/// A registrar of its own, and the argument that reaches it.
async fn scope() -> (Registrar, String) {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar).to_string();
    (registrar, at)
}

async fn example(name: &str) -> PathBuf {
    build("rserpool", ["--example", name]).await
}

/// Two elements, and their identifiers, which their first lines have after this.
async fn two(program: &Path, arguments: &[&str], before: &str) -> Vec<(String, Example)> {
    let mut elements = Vec::new();
    for _ in 0..2 {
        let mut element = Example::start(program, arguments);
        let line = element.line_after(before).await;
        let id = line.split(' ').next().unwrap().to_owned();
        elements.push((id, element));
    }
    elements
}

async fn kill(elements: &mut Vec<(String, Example)>, id: &str) {
    let index = elements.iter().position(|(other, _)| other == id);
    elements.remove(index.unwrap()).1.kill().await;
}

#[tokio::test]
async fn echo_answers_and_goes_on_elsewhere() {
    let (_registrar, at) = scope().await;
    let element = example("echo_element").await;
    let mut elements = two(&element, &[&at], "pool element ").await;
    let mut user = Example::start(&example("echo_user").await, &[&at]);
    let serving = user.line_after("connected to pool element ").await;
    user.say("hello").await;
    assert_eq!(user.line().await, format!("{serving} hello"));
    kill(&mut elements, &serving).await;
    user.say("again").await;
    let (other, _) = &elements[0];
    assert_eq!(user.line_after(other).await, " again");
    user.ended().await;
}

#[tokio::test]
async fn a_counter_keeps_its_sum() {
    let (_registrar, at) = scope().await;
    let counter = example("counter").await;
    let mut elements = two(&counter, &["serve", &at], "element ").await;
    let mut user = Example::start(&counter, &[&at]);
    user.say("3").await;
    let line = user.line().await;
    let serving = line.strip_prefix("3 by ").unwrap().to_owned();
    user.say("what is not understood is not sent").await;
    user.say("4").await;
    assert_eq!(user.line().await, format!("7 by {serving}"));
    kill(&mut elements, &serving).await;
    user.say("5").await;
    let (other, _) = &elements[0];
    assert_eq!(user.line().await, format!("12 by {other}"));
    user.ended().await;
}

#[tokio::test]
async fn a_file_transfer_goes_on() {
    let (_registrar, at) = scope().await;
    let transfer = example("file_transfer").await;
    let folder = std::env::temp_dir().join(format!("rserpool-files-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (file, copy) = (folder.join("file"), folder.join("copy"));
    // Octets that say where they belong.
    let octets: Vec<u8> = (0..6_000_000_u32).flat_map(u32::to_be_bytes).collect();
    std::fs::write(&file, &octets).unwrap();
    let serve = ["serve", file.to_str().unwrap(), &at];
    let mut elements = two(&transfer, &serve, "element ").await;
    let mut user = Example::start(&transfer, &["get", copy.to_str().unwrap(), &at]);
    let serving = user.line_after("from element ").await;
    user.line_after("10 %").await;
    kill(&mut elements, &serving).await;
    let (other, _) = &elements[0];
    let after = user
        .line_after(&format!("from element {other}, after "))
        .await;
    let after: usize = after.strip_suffix(" octets").unwrap().parse().unwrap();
    assert!(
        after >= octets.len() / 10 && after < octets.len(),
        "{after}"
    );
    user.line_after("100 %").await;
    user.ended().await;
    assert!(
        std::fs::read(&copy).unwrap() == octets,
        "the copy is the file"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn peers_are_called_back() {
    let (_registrar, at) = scope().await;
    let peers = example("peers").await;
    let mut reminder = Example::start(&peers, &["remind", &at]);
    reminder.line_after("element ").await;
    let mut listener = Example::start(&peers, &["listen", &at]);
    listener.line_after("element ").await;
    let mut asker = Example::start(&peers, &["ask", "1", &at]);
    asker.line_after("element ").await;
    asker.ended().await;
    assert_eq!(listener.line().await, "1 s are over");
}

#[tokio::test]
async fn work_that_a_worker_did_not_finish_is_done_by_another() {
    let (_registrar, at) = scope().await;
    let queue = example("work_queue").await;
    let mut workers = two(&queue, &["work", &at], "worker ").await;
    let mut boss = Example::start(&queue, &[&at]);
    boss.say("one").await;
    let line = boss.line().await;
    let first = line.strip_prefix("ONE by ").unwrap().to_owned();
    boss.say("two").await;
    let line = boss.line().await;
    let second = line.strip_prefix("TWO by ").unwrap().to_owned();
    assert_ne!(first, second, "they take turns");
    let stopped = workers.iter().find(|(id, _)| *id == first).unwrap();
    stopped.1.stop();
    for number in 0..20 {
        boss.say(&format!("task {number}")).await;
    }
    kill(&mut workers, &first).await;
    let mut done = Vec::new();
    for _ in 0..20 {
        let line = boss.line().await;
        done.push(
            line.strip_suffix(&format!(" by {second}"))
                .unwrap()
                .to_owned(),
        );
    }
    done.sort_unstable();
    let mut all: Vec<_> = (0..20).map(|number| format!("TASK {number}")).collect();
    all.sort_unstable();
    assert_eq!(done, all);
    let (worker, mut last) = workers.pop().unwrap();
    boss.end_of_input();
    assert_eq!(boss.line().await, "1 workers go home");
    boss.ended().await;
    last.line_after(&format!("worker {worker} goes home")).await;
    last.ended().await;
}

#[tokio::test]
async fn a_policy_of_ones_own_is_followed() {
    let mut policy = Example::start(&example("own_policy").await, &[]);
    for _ in 0..3 {
        policy.line_after("pool element ").await;
    }
    policy.line_after("they are to be tried in the order").await;
    policy.ended().await;
}

#[tokio::test]
async fn own_sockets_go_to_the_next_server() {
    let (_registrar, at) = scope().await;
    let sockets = example("own_sockets").await;
    let mut elements = two(&sockets, &["serve", &at], "element ").await;
    let mut user = Example::start(&sockets, &[&at]);
    user.say("hello").await;
    let line = user.line().await;
    let serving = line.strip_suffix(" hello").unwrap().to_owned();
    kill(&mut elements, &serving).await;
    user.say("again").await;
    let failed = user.line().await;
    assert!(
        failed.starts_with(&format!("server {serving} has failed")),
        "{failed}"
    );
    let (other, _) = &elements[0];
    assert_eq!(user.line().await, format!("{other} again"));
    user.ended().await;
}

#[tokio::test]
async fn jobs_outlive_the_elements_that_work_on_them() {
    let (_registrar, at) = scope().await;
    let jobs = example("prime_jobs").await;
    let key = std::env::temp_dir().join(format!("rserpool-key-{}", std::process::id()));
    std::fs::write(&key, "5a".repeat(32)).unwrap();
    let serve = ["serve", key.to_str().unwrap(), &at];
    let mut elements = two(&jobs, &serve, "element ").await;
    elements.extend(two(&jobs, &serve, "element ").await);
    let mut user = Example::start(&jobs, &["count", "3000000", &at]);
    let first = user.line_after("element ").await;
    let first = first.strip_suffix(" begins").unwrap();
    so_far(&mut user).await;
    so_far(&mut user).await;
    kill(&mut elements, first).await;
    let second = user.line_after("element ").await;
    let second = second.strip_suffix(" goes on").unwrap();
    so_far(&mut user).await;
    let index = elements.iter().position(|(id, _)| id == second).unwrap();
    elements[index].1.terminate();
    // It is done meanwhile, or handed over.
    user.line_after("216816 primes below 3000000").await;
    user.ended().await;
    let drained = elements[index].1.line().await;
    assert!(
        ["1 finished, 0 moved", "0 finished, 1 moved"].contains(&drained.as_str()),
        "{drained}"
    );
    elements[index].1.ended().await;
    std::fs::remove_file(&key).unwrap();
}

/// Something new is known.
async fn so_far(user: &mut Example) {
    while !user.line().await.ends_with(" so far") {}
}

/// The short form of `cargo xtask sessions`, which is its own judge.
#[tokio::test]
async fn sessions_outlive_their_pool_elements() {
    build("rsp", ["--bin", "rsp"]).await;
    let measure = example("measure").await;
    for (end, number) in [("--kills", "5"), ("--drains", "5")] {
        let mut command = tokio::process::Command::new(&measure);
        command.args(["sessions", end, number, "--sessions", "6", "--json"]);
        let output = soon("the sessions", command.output()).await.unwrap();
        assert!(output.status.success(), "{output:?}");
        let table: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = table["rows"].as_array().unwrap();
        let row = |what: &str| rows.iter().find(|row| row["what"] == what).unwrap();
        assert_eq!(row("sessions lost")["worst"], 0.0);
        assert_eq!(row("requests left out or counted twice")["worst"], 0.0);
        assert!(
            row("failovers")["worst"].as_f64().unwrap() >= 5.0,
            "{table}"
        );
    }
}
