//! A process of a test: the test binary itself, asked for one of its ignored tests.

use super::namespace::Namespace;
use super::soon;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A process of this test binary. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(crate) fn start(role: &str, variables: &[(&str, &str)]) -> Self {
        Self::spawn(&mut command(role, variables))
    }

    /// On a host of its own.
    pub(crate) fn start_at(host: &Namespace, role: &str, variables: &[(&str, &str)]) -> Self {
        let runtime = tokio::runtime::Handle::current();
        host.inside(|| {
            let _within = runtime.enter();
            Self::spawn(&mut command(role, variables))
        })
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The rest of the next line that begins with `start`.
    pub(crate) async fn line(&mut self, start: &str) -> String {
        soon("a line of the child", async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if let Some((_, rest)) = line.split_once(start) {
                    return rest.to_owned();
                }
            }
            panic!("the child has ended");
        })
        .await
    }

    /// Stops it as a debugger would, and waits until it has stopped.
    pub(crate) fn stop(&self) {
        let pid = self.child.id().unwrap();
        kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGSTOP).unwrap();
        let threads = || std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let is_stopped = |task: std::io::Result<std::fs::DirEntry>| {
            let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
            stat.rsplit_once(") ").unwrap().1.starts_with('T')
        };
        while !threads().all(is_stopped) {
            std::thread::yield_now();
        }
    }

    /// As `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.start_kill().unwrap();
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) {
        soon("the end of the child", self.child.wait())
            .await
            .unwrap();
    }
}

fn command(role: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([role, "--exact", "--ignored", "--nocapture"])
        .kill_on_drop(true);
    command
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stdin(Stdio::null());
    command
}
