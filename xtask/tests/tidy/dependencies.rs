//! The chain of crates only points down: no runtime, no socket below `rserpool-net`.

use crate::assert_none;
use crate::source::root;
use std::collections::BTreeSet;
use std::process::Command;

/// What a crate that only decides must not reach, directly or through others.
const RUNTIMES_AND_SOCKETS: [&str; 6] = ["tokio", "mio", "socket2", "libc", "nix", "async-io"];

/// What each crate may use of the others, directly or through others.
const CHAIN: [(&str, &[&str]); 6] = [
    ("rserpool-wire", &[]),
    ("rserpool-handlespace", &["rserpool-wire"]),
    ("rserpool-core", &["rserpool-wire", "rserpool-handlespace"]),
    ("rserpool-sctp", &[]),
    (
        "rserpool-sim",
        &[
            "rserpool-wire",
            "rserpool-handlespace",
            "rserpool-core",
            "rserpool-sctp",
        ],
    ),
    (
        "rserpool-net",
        &[
            "rserpool-wire",
            "rserpool-handlespace",
            "rserpool-core",
            "rserpool-sctp",
        ],
    ),
];

#[test]
fn crates_only_use_those_below_them() {
    let mut problems = Vec::new();
    for (name, allowed) in CHAIN {
        for used in dependencies_of(name) {
            if is_ours(&used) && !allowed.contains(&used.as_str()) {
                problems.push(format!("{name} uses {used}, which does not lie below it"));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn what_decides_knows_no_runtime_and_no_socket() {
    let mut problems = Vec::new();
    for (name, _) in CHAIN.iter().filter(|(name, _)| *name != "rserpool-net") {
        for used in dependencies_of(name) {
            if RUNTIMES_AND_SOCKETS.contains(&used.as_str()) {
                problems.push(format!("{name} reaches {used}"));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn wire_has_no_dependency() {
    assert_eq!(dependencies_of("rserpool-wire"), BTreeSet::new());
}

fn is_ours(name: &str) -> bool {
    name == "rsp" || name == "xtask" || name.starts_with("rserpool")
}

/// Everything that a crate uses outside its tests, directly or through others.
fn dependencies_of(name: &str) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root())
        .args(["tree", "--package", name, "--edges", "normal,no-proc-macro"])
        .args(["--prefix", "none", "--format", "{p}"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let mut names: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    assert!(
        names.remove(name),
        "cargo tree does not start with {name}:\n{text}"
    );
    names
}
