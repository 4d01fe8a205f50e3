//! `cargo xtask captures`: tshark and `rsp decode` read the same from every capture.

use super::Task;
use crate::process::{self, Failure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) const TASK: Task = Task {
    name: "captures",
    summary: "tshark and `rsp decode` read the same messages from every capture",
    help: HELP,
    run,
};

const HELP: &str = "\
Usage: cargo xtask captures [FILE...]

Without a file: all of tests/captures. For each, tshark must find nothing malformed, and
`rsp decode` as many messages of each type as tshark. Needs tshark.
";

/// No protocol has message types from here on; tshark counts those that an error message quotes.
const UNASSIGNED: u8 = 0x40;

/// How often each message occurs: (protocol, type number) to count.
type Census = BTreeMap<(&'static str, u8), usize>;

fn run(arguments: &[String]) -> Result<(), Failure> {
    if !process::exists("tshark") {
        return Err(Failure::Missing {
            program: "tshark",
            advice: "apt-get install tshark",
        });
    }
    process::run(process::cargo().args(["build", "--quiet", "--package", "rsp"]))?;
    let files = if arguments.is_empty() {
        all_captures()?
    } else {
        arguments.iter().map(PathBuf::from).collect()
    };
    let mut differing = Vec::new();
    for file in files {
        let theirs = read_by_tshark(&file)?;
        let ours = read_by_rsp(&file)?;
        let messages: usize = theirs.values().sum();
        println!(
            "{}: {messages} messages of {} types",
            file.display(),
            theirs.len()
        );
        if ours != theirs {
            println!("  tshark:     {theirs:?}\n  rsp decode: {ours:?}");
            differing.push(file.display().to_string());
        }
    }
    if differing.is_empty() {
        return Ok(());
    }
    Err(Failure::Check(format!(
        "read differently: {}",
        differing.join(", ")
    )))
}

fn all_captures() -> Result<Vec<PathBuf>, Failure> {
    let folder = process::root().join("tests/captures");
    let entries = std::fs::read_dir(&folder).map_err(|error| Failure::File {
        path: folder.clone(),
        error,
    })?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "pcap" || extension == "pcapng")
        })
        .collect();
    files.sort();
    Ok(files)
}

fn read_by_tshark(file: &Path) -> Result<Census, Failure> {
    let malformed = process::output(tshark(file).args(["-Y", "_ws.malformed"]))?;
    if !malformed.is_empty() {
        return Err(Failure::Check(format!(
            "tshark calls this malformed:\n{malformed}"
        )));
    }
    let mut census = Census::new();
    for (protocol, field) in [("asap", "asap.message_type"), ("enrp", "enrp.message_type")] {
        // ICMP quotes messages that did not arrive.
        let arguments = ["-Y", "!icmp && !icmpv6", "-T", "fields", "-e", field];
        let text = process::output(tshark(file).args(arguments))?;
        for number in text
            .split([',', '\n'])
            .filter_map(|text| text.trim().parse().ok())
            .filter(|number| *number < UNASSIGNED)
        {
            *census.entry((protocol, number)).or_default() += 1;
        }
    }
    Ok(census)
}

fn tshark(file: &Path) -> std::process::Command {
    let mut command = process::program("tshark");
    command.arg("-r").arg(file);
    command
}

/// Counts in the lines of `rsp decode -o json`, each of which names one protocol and one type.
fn read_by_rsp(file: &Path) -> Result<Census, Failure> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| process::root().join("target"), PathBuf::from);
    let program = target.join("debug/rsp");
    let text = process::output(
        process::program(program)
            .args(["decode", "-o", "json"])
            .arg(file),
    )?;
    let mut census = Census::new();
    for line in text.lines() {
        for protocol in ["asap", "enrp"] {
            let key = format!("\"protocol\":\"{protocol}\",\"type\":");
            let Some((_, after)) = line.split_once(&key) else {
                continue;
            };
            let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
            if let Ok(number) = digits.parse() {
                *census.entry((protocol, number)).or_default() += 1;
            }
        }
    }
    Ok(census)
}
