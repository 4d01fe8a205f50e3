//! The project's tasks: `cargo xtask --help`.
//!
//! Only the standard library, so that the first run on a fresh machine starts at once.

mod interop;
mod process;
mod task;

use process::Failure;
use std::process::ExitCode;
use task::{TASKS, Task};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", usage());
        return ExitCode::from(2);
    };
    if is_help(name) {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprintln!("error: no task `{name}`\n\n{}", usage());
        return ExitCode::from(2);
    };
    if rest.iter().any(|argument| is_help(argument)) {
        println!("{}\n\n{}", task.summary, task.help.trim_end());
        return ExitCode::SUCCESS;
    }
    run(task, rest)
}

fn run(task: &Task, arguments: &[String]) -> ExitCode {
    match (task.run)(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure @ Failure::Usage(_)) => {
            eprintln!("error: {failure}\n\n{}", task.help.trim_end());
            ExitCode::from(2)
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn is_help(argument: &str) -> bool {
    matches!(argument, "-h" | "--help" | "help")
}

fn usage() -> String {
    let mut text =
        String::from("The project's own tasks.\n\nUsage: cargo xtask TASK [OPTIONS]\n\n");
    for task in &TASKS {
        text.push_str(&format!("  {:<10} {}\n", task.name, task.summary));
    }
    text.push_str(
        "\nBefore a commit: cargo xtask test\nMore about a task: cargo xtask TASK --help\n",
    );
    text
}
