//! An example, built like this test and run as a process, as its documentation says.

use super::soon;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A running example. Killed when dropped.
pub(crate) struct Example {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Example {
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            stdin: child.stdin.take(),
            child,
            lines,
        }
    }

    /// Writes a line to its standard input.
    pub(crate) async fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin
            .write_all(format!("{line}\n").as_bytes())
            .await
            .unwrap();
    }

    /// The next line of its standard output.
    pub(crate) async fn line(&mut self) -> String {
        let line = soon("a line of the example", self.lines.next_line()).await;
        line.unwrap().expect("the example has not ended")
    }

    /// The rest of the next line that begins with `start`.
    pub(crate) async fn line_after(&mut self, start: &str) -> String {
        loop {
            if let Some(rest) = self.line().await.strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Sends SIGSTOP.
    pub(crate) fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap());
        kill(pid, signal).unwrap();
    }

    /// Ends its standard input.
    pub(crate) fn end_of_input(&mut self) {
        self.stdin = None;
    }

    /// As `kill -9` does.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Ends its standard input, and waits until it has ended without a failure.
    pub(crate) async fn ended(&mut self) {
        self.stdin = None;
        let status = soon("the end of the example", self.child.wait()).await;
        assert!(status.unwrap().success());
    }
}

/// Builds a target of this workspace as this test was built: `["--example", "counter"]`.
pub(crate) async fn build(package: &str, target: [&str; 2]) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    // target/debug/deps/examples-…
    let directory = own.parent().and_then(Path::parent).unwrap();
    let profile = match directory.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        profile => profile,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--quiet",
        "--profile",
        profile,
        "--package",
        package,
    ]);
    cargo.arg("--target-dir").arg(directory.parent().unwrap());
    let status = cargo.args(target).status().await.unwrap();
    assert!(status.success(), "{package}: {target:?}");
    let folder = if target[0] == "--example" {
        "examples"
    } else {
        ""
    };
    directory.join(folder).join(target[1])
}
