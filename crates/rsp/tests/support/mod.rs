//! The program under test, without anything of the environment that would change it.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test program uses its part of this"
)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long anything may take on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// `rsp` with these arguments, on loopback ports of its own unless they say otherwise.
pub(crate) fn rsp(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rsp"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("RSP_")) {
            command.env_remove(name);
        }
    }
    command
}

/// A running `rsp`, killed at the end of the test if it still runs.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Running {
    /// Starts it.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = rsp(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Self {
            child,
            stdin,
            stdout,
            stderr,
        }
    }

    /// The next line of its standard output.
    pub(crate) fn line(&self) -> String {
        self.stdout.recv_timeout(LONG).unwrap_or_else(|_| {
            let errors: Vec<String> = self.stderr.try_iter().collect();
            panic!("no more output; on standard error: {errors:?}")
        })
    }

    /// The next line of its standard error that has this in it.
    pub(crate) fn error_line_with(&self, text: &str) -> String {
        loop {
            let line = self.stderr.recv_timeout(LONG).unwrap();
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Writes a line to its standard input.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Ends its standard input.
    pub(crate) fn end_of_input(&mut self) {
        self.stdin = None;
    }

    /// Kills it, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    }

    /// Waits for its end and returns its exit code.
    pub(crate) fn exit_code(mut self) -> Option<i32> {
        let deadline = std::time::Instant::now() + LONG;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(std::time::Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A registrar of its own on loopback, and the `--registrar` that reaches it.
pub(crate) fn registrar(more: &[&str]) -> (Running, String) {
    let private = [
        "registrar",
        "--address",
        "127.0.0.1",
        "--udp-port",
        "0",
        "--tcp-port",
        "0",
    ];
    let quiet = ["--no-multicast", "--management", "off"];
    // Later options win.
    let running = Running::start(&[&private[..], &quiet[..], more].concat());
    let first = running.line();
    assert!(first.starts_with("registrar 0x"), "{first}");
    let second = running.line();
    let address = second
        .trim()
        .strip_prefix("--registrar ")
        .unwrap()
        .to_owned();
    (running, address)
}

/// Where a registrar's management interface is, from its next lines.
pub(crate) fn management(registrar: &Running) -> String {
    loop {
        let line = registrar.line();
        if let Some(address) = line.trim().strip_prefix("rsp status --management ") {
            return address.to_owned();
        }
    }
}
