//! A process that is told what to do by a line, and answers by a line.

use crate::Failure;
use crate::namespace::Namespace;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Write};
use std::process::{self, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A running process. Killed when dropped.
pub(crate) struct Child {
    process: process::Child,
    stdin: ChildStdin,
    answers: Receiver<String>,
    journal: Arc<Mutex<Vec<String>>>,
}

impl Child {
    /// Starts a program, in a network of its own or in this one.
    pub(crate) fn start(mut command: Command, within: Option<&Namespace>) -> Result<Self, Failure> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = match within {
            Some(namespace) => namespace.inside(move || Ok(command.spawn()?))?,
            None => command.spawn()?,
        };
        let stdin = process.stdin.take().ok_or("no standard input")?;
        let stdout = process.stdout.take().ok_or("no standard output")?;
        let (told, answers) = channel();
        let journal = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&journal);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(entry) = line.strip_prefix(JOURNAL) {
                    lock(&written).push(entry.to_owned());
                } else if told.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            process,
            stdin,
            answers,
            journal,
        })
    }

    /// This program in another role.
    pub(crate) fn role(
        name: &str,
        arguments: &[(&str, &str)],
        within: Option<&Namespace>,
    ) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(name);
        for (option, value) in arguments {
            command.args([format!("--{option}").as_str(), value]);
        }
        Self::start(command, within)
    }

    /// Tells it something.
    pub(crate) fn tell(&mut self, line: &str) -> Result<(), Failure> {
        Ok(writeln!(self.stdin, "{line}")?)
    }

    /// The next of its lines that contains `what`; those before it are dropped.
    pub(crate) fn answer(&self, what: &str, within: Duration) -> Result<String, Failure> {
        let end = Instant::now() + within;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.answers.recv_timeout(left) {
                Ok(line) if line.contains(what) => return Ok(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("no {what} within {} s", within.as_secs()).into());
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!("the process ended before it said {what}").into());
                }
            }
        }
    }

    /// What it has told without being asked.
    pub(crate) fn journal(&self) -> Vec<String> {
        lock(&self.journal).clone()
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let pid = Pid::from_raw(self.process.id().try_into()?);
        Ok(kill(pid, signal)?)
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(&mut self, within: Duration) -> Result<(), Failure> {
        let end = Instant::now() + within;
        while self.process.try_wait()?.is_none() {
            if Instant::now() > end {
                return Err(format!("it has not ended within {} s", within.as_secs()).into());
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// As `kill -9` does; what it has told can still be read.
    pub(crate) fn kill(&mut self) -> Result<(), Failure> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kill();
    }
}

/// How a line begins that is no answer.
pub(crate) const JOURNAL: &str = "* ";

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
