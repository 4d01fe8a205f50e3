//! `cargo xtask test`: everything that must hold before a commit, and what CI runs.

use super::Task;
use super::measure::{self, Build};
use crate::process::{self, Failure};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const TASK: Task = Task {
    name: "test",
    summary: "Everything that must hold before a commit; CI runs exactly this",
    help: HELP,
    run,
};

const HELP: &str = "\
Usage: cargo xtask test [STEP...]

Without a step: all of them, in this order, each to its end even when another failed.

  fmt      the formatting is rustfmt's
  clippy   no warning in any target
  tidy     lengths of lines, functions and files; who depends on whom; the documents' links,
           and every test and module that docs/compliance.md names
  test     all tests of the workspace, those in the documentation too
  doc      the documentation builds without a warning
  scope    real processes: a network is cut for 5 s and healed (`cargo xtask partition`)

Needs Rust and a C toolchain. Tests that need more (tshark; root and `ip`) say so when they are
skipped.

  cargo xtask test                everything
  cargo xtask test fmt tidy       what takes seconds
";

/// One step: its name, and what it runs.
struct Step {
    name: &'static str,
    run: fn() -> Result<Option<Totals>, Failure>,
}

const STEPS: [Step; 6] = [
    Step {
        name: "fmt",
        run: fmt,
    },
    Step {
        name: "clippy",
        run: clippy,
    },
    Step {
        name: "tidy",
        run: tidy,
    },
    Step {
        name: "test",
        run: test,
    },
    Step {
        name: "doc",
        run: doc,
    },
    Step {
        name: "scope",
        run: scope,
    },
];

/// The sums over the `test result:` lines of one `cargo test`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Totals {
    binaries: u64,
    passed: u64,
    failed: u64,
    ignored: u64,
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = arguments
        .iter()
        .find(|name| !STEPS.iter().any(|step| step.name == **name))
    {
        return Err(Failure::Usage(format!("no step `{unknown}`")));
    }
    let started = Instant::now();
    let mut failed = Vec::new();
    let mut lines = Vec::new();
    let mut sum = None;
    for step in &STEPS {
        if !arguments.is_empty() && !arguments.iter().any(|name| name == step.name) {
            continue;
        }
        println!("\n==> {}", step.name);
        let step_started = Instant::now();
        let result = (step.run)();
        let verdict = match &result {
            Ok(_) => "ok",
            Err(failure) => {
                println!("{failure}");
                failed.push(step.name);
                "FAILED"
            }
        };
        if let Ok(Some(totals)) = result {
            sum = Some(totals);
        }
        let line = format!(
            "{:<8} {verdict:<8} {}",
            step.name,
            seconds(step_started.elapsed())
        );
        println!("<== {line}");
        lines.push(line);
    }
    println!("\n{}", lines.join("\n"));
    if let Some(totals) = sum {
        println!("{totals}");
    }
    println!("total             {}", seconds(started.elapsed()));
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::Steps(failed))
    }
}

fn fmt() -> Result<Option<Totals>, Failure> {
    process::run(process::cargo().args(["fmt", "--all", "--", "--check"]))?;
    Ok(None)
}

fn clippy() -> Result<Option<Totals>, Failure> {
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    process::run(process::cargo().args(arguments))?;
    Ok(None)
}

fn tidy() -> Result<Option<Totals>, Failure> {
    process::run(process::cargo().args(["test", "--package", "xtask", "--test", "tidy"]))?;
    Ok(None)
}

fn test() -> Result<Option<Totals>, Failure> {
    let arguments = ["test", "--workspace", "--no-fail-fast"];
    let totals = counted(process::cargo().args(arguments))?;
    if totals.passed == 0 {
        return Err(Failure::Check("no test ran".into()));
    }
    Ok(Some(totals))
}

fn doc() -> Result<Option<Totals>, Failure> {
    let arguments = [
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ];
    process::run(
        process::cargo()
            .args(arguments)
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    Ok(None)
}

/// As the tests are built, which is quicker than with optimisation.
fn scope() -> Result<Option<Totals>, Failure> {
    measure::measure(Build::Dev, "partition", &["--seconds".into(), "5".into()])?;
    Ok(None)
}

/// Runs `cargo test`, shows what it prints, and adds up its `test result:` lines.
fn counted(command: &mut Command) -> Result<Totals, Failure> {
    let line = process::describe(command);
    command.stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| process::start_failure(command, error))?;
    let printed = child
        .stdout
        .take()
        .expect("standard output was piped just above");
    let mut totals = Totals::default();
    let mut stdout = std::io::stdout();
    for text in BufReader::new(printed).split(b'\n').map_while(Result::ok) {
        let text = String::from_utf8_lossy(&text);
        totals.add(&text);
        // Nobody may be reading any more; the tests still run to their end.
        let _ = writeln!(stdout, "{text}");
    }
    let status = child
        .wait()
        .map_err(|error| process::start_failure(command, error))?;
    if status.success() {
        return Ok(totals);
    }
    println!("{totals}");
    Err(Failure::Status { line })
}

impl Totals {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        self.binaries += 1;
        let words: Vec<&str> = result
            .split([' ', ';', '.'])
            .filter(|w| !w.is_empty())
            .collect();
        for pair in words.windows(2) {
            let Ok(count) = pair[0].parse::<u64>() else {
                continue;
            };
            match pair[1] {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            binaries,
            passed,
            failed,
            ignored,
        } = self;
        write!(
            f,
            "tests: {passed} passed, {failed} failed, {ignored} ignored, "
        )?;
        write!(f, "in {binaries} test programs")
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_totals_are_the_sums_over_all_test_programs() {
        let mut totals = Totals::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; \
             finished in 0.01s",
            "test 5 passed in vain",
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            totals.add(line);
        }
        assert_eq!(
            totals,
            Totals {
                binaries: 2,
                passed: 13,
                failed: 2,
                ignored: 1
            }
        );
        assert_eq!(
            totals.to_string(),
            "tests: 13 passed, 2 failed, 1 ignored, in 2 test programs"
        );
    }
}
