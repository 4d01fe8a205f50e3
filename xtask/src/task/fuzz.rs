//! `cargo xtask fuzz`: every fuzz target for a while.

use super::{Task, number_after};
use crate::process::{self, Failure};

pub(crate) const TASK: Task = Task {
    name: "fuzz",
    summary: "Every fuzz target for a while, on stable Rust",
    help: HELP,
    run,
};

const HELP: &str = "\
Usage: cargo xtask fuzz [--seconds N] [TARGET...]

  --seconds N   how long each target runs; 60 unless told

Without a target: all of fuzz/fuzz_targets. Needs `cargo install cargo-fuzz`; no nightly Rust,
since no sanitizer is used (the crates have no unsafe code). What it finds lies in
fuzz/artifacts; keep it as a one-line test beside the code that it broke.

  cargo xtask fuzz --seconds 10
";

const SECONDS: u64 = 60;

fn run(arguments: &[String]) -> Result<(), Failure> {
    let mut seconds = SECONDS;
    let mut chosen = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--seconds" => seconds = number_after("--seconds", rest.next())?,
            option if option.starts_with('-') => {
                return Err(Failure::Usage(format!("no option `{option}`")));
            }
            target => chosen.push(target.to_owned()),
        }
    }
    let known = targets()?;
    if let Some(unknown) = chosen.iter().find(|target| !known.contains(target)) {
        let names = known.join(", ");
        return Err(Failure::Usage(format!(
            "no target `{unknown}`; there are: {names}"
        )));
    }
    if !process::cargo()
        .args(["fuzz", "--version"])
        .output()
        .is_ok_and(|o| o.status.success())
    {
        return Err(Failure::Missing {
            program: "cargo-fuzz",
            advice: "cargo install cargo-fuzz",
        });
    }
    for target in if chosen.is_empty() { known } else { chosen } {
        println!("==> {target}, {seconds} s");
        let limit = format!("-max_total_time={seconds}");
        let arguments = ["fuzz", "run", "-s", "none", &target, "--", &limit];
        process::run(process::cargo().args(arguments))?;
    }
    Ok(())
}

/// The names of the fuzz targets, in order.
fn targets() -> Result<Vec<String>, Failure> {
    let folder = process::root().join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&folder).map_err(|error| Failure::File {
        path: folder.clone(),
        error,
    })?;
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}
