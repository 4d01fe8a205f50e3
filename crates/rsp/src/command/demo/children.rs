//! The demo's children: this program again, in other roles.
//!
//! They end with the demo, however it ends: each is killed when it is dropped, and if the demo
//! itself is killed, the kernel kills them and ends their standard input.

use super::report::Report;
use crate::management::{self, schema::Status};
use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

/// How often registrars are asked for their state.
const STATUS_EVERY: Duration = Duration::from_millis(20);
/// Reports that have not been looked at yet.
const REPORTS_MAX: usize = 1024;

/// Which child.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Role {
    /// The registrar with this number.
    Registrar(usize),
    /// The watcher of this pool.
    Watcher(&'static str),
    /// The element with this number.
    Element(usize),
    /// The user with this number.
    User(usize),
}

/// What a child says.
#[derive(Debug)]
pub(super) enum Said {
    Report(Report),
    /// What its management interface says.
    Status(Box<Status>),
    /// Its standard output has ended: it is gone.
    Ended,
}

/// All children.
pub(super) struct Children {
    running: Vec<(Role, Running)>,
    said: mpsc::Sender<(Role, Said)>,
}

struct Running {
    child: Child,
    /// Held open; its end tells the child to end.
    _stdin: Option<ChildStdin>,
}

impl Children {
    /// None yet; what they say comes out of the receiver.
    pub(super) fn new() -> (Self, mpsc::Receiver<(Role, Said)>) {
        let (said, heard) = mpsc::channel(REPORTS_MAX);
        (
            Self {
                running: Vec::new(),
                said,
            },
            heard,
        )
    }

    /// Starts this program in another role; whoever had it before has ended.
    pub(super) fn start(&mut self, role: Role, arguments: &[&str]) -> anyhow::Result<()> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut child = Command::new(program)
            .args(arguments)
            .args([
                "-o",
                "json",
                "--until-stdin-ends",
                "--killed-with-parent",
                "--log",
                "error",
            ])
            .env_remove("RSP_REGISTRAR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start `rsp {}`", arguments.join(" ")))?;
        let stdout = child
            .stdout
            .take()
            .context("standard output was piped just above")?;
        let said = self.said.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let Ok(report) = serde_json::from_str(&line) else {
                    continue;
                };
                if said.send((role, Said::Report(report))).await.is_err() {
                    return;
                }
            }
            // Nobody listens any more only when the demo itself is ending.
            let _ = said.send((role, Said::Ended)).await;
        });
        let stdin = child.stdin.take();
        self.running.retain(|(other, _)| *other != role);
        self.running.push((
            role,
            Running {
                child,
                _stdin: stdin,
            },
        ));
        Ok(())
    }

    /// Asks a registrar for its state again and again, as long as it is there.
    pub(super) fn watch(&self, role: Role, management: String) {
        let said = self.said.clone();
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(STATUS_EVERY);
            while let Ok(status) = management::fetch(&management).await {
                if said
                    .send((role, Said::Status(Box::new(status))))
                    .await
                    .is_err()
                {
                    return;
                }
                tick.tick().await;
            }
        });
    }

    /// Sends a signal to a child that has not been waited for, so that its number is still its own.
    pub(super) fn signal(&self, role: Role, signal: Signal) -> anyhow::Result<()> {
        let running = self.running.iter().find(|(other, _)| *other == role);
        let number = running.and_then(|(_, running)| running.child.id());
        let number = number.and_then(|number| i32::try_from(number).ok());
        let number = number.with_context(|| format!("{role:?} is not running"))?;
        kill(Pid::from_raw(number), signal).with_context(|| format!("cannot send {signal}"))
    }

    /// Kills all and waits for their end.
    pub(super) async fn end(mut self) {
        for (_, running) in &mut self.running {
            // It may have ended by itself.
            let _ = running.child.kill().await;
        }
    }
}
