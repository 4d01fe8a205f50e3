//! Network namespaces without a name: they are gone when the processes in them are, however this
//! one ends.

use crate::Failure;
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::thread;

/// A network of its own.
pub(crate) struct Namespace(File);

impl Namespace {
    /// A new one, with nothing but a loopback interface.
    pub(crate) fn new() -> Result<Self, Failure> {
        let entered = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net").map_err(Failure::from)
        });
        let file = entered.join().map_err(|_| "the thread has panicked")??;
        let namespace = Self(file);
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Does something within it: sockets and processes that are made then belong to it.
    pub(crate) fn inside<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        let within = || {
            setns(&self.0, CloneFlags::CLONE_NEWNET)?;
            work()
        };
        thread::scope(|scope| scope.spawn(within).join())
            .map_err(|_| Failure::from("the thread has panicked"))?
    }

    /// Runs `ip` within it.
    pub(crate) fn ip(&self, arguments: &str) -> Result<(), Failure> {
        self.inside(|| {
            let mut command = Command::new("ip");
            command.args(arguments.split_whitespace());
            let output = command.stdin(Stdio::null()).output()?;
            if output.status.success() {
                return Ok(());
            }
            let error = String::from_utf8_lossy(&output.stderr);
            Err(format!("`ip {arguments}` failed: {}", error.trim()).into())
        })
    }

    /// By what name `ip` knows it.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}
