//! Running other programs, from the top of the repository.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a task did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was called wrongly.
    Usage(String),
    /// A program could not be started.
    Start { program: String, error: io::Error },
    /// A program ended with another status than 0.
    Status { line: String },
    /// A program that the task needs is missing; what to do about it.
    Missing {
        program: &'static str,
        advice: &'static str,
    },
    /// The steps with these names failed.
    Steps(Vec<&'static str>),
    /// A file could not be read or written.
    File { path: PathBuf, error: io::Error },
    /// Something that was checked does not hold.
    Check(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(problem) | Self::Check(problem) => f.write_str(problem),
            Self::Start { program, error } => write!(f, "cannot start `{program}`: {error}"),
            Self::Status { line } => write!(f, "`{line}` failed"),
            Self::Missing { program, advice } => write!(f, "`{program}` is missing: {advice}"),
            Self::Steps(names) => write!(f, "failed: {}", names.join(", ")),
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

/// The top of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies directly below the top of the repository")
}

/// The cargo that started this task.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    program(cargo)
}

/// A program, run from the top of the repository without standard input.
pub(crate) fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Runs a program to its end, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let line = describe(command);
    let status = command
        .status()
        .map_err(|error| start_failure(command, error))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::Status { line })
    }
}

/// Runs a program to its end and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let line = describe(command);
    command.stderr(Stdio::inherit());
    let output = command
        .output()
        .map_err(|error| start_failure(command, error))?;
    if !output.status.success() {
        return Err(Failure::Status { line });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program can be started at all.
pub(crate) fn exists(name: &str) -> bool {
    program(name)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The number of the user as whom this runs; none if that cannot be told.
pub(crate) fn effective_user() -> Option<u32> {
    let mut id = program("id");
    let output = id.arg("-u").output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// The command as one would type it.
pub(crate) fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    let mut line = program.to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

pub(crate) fn start_failure(command: &Command, error: io::Error) -> Failure {
    Failure::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        error,
    }
}
