//! Programs that run on nodes: what they print is kept with its time.

use super::Failure;
use super::network::Node;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much a program may print before the rest is only in its file.
const MAX_LINES: usize = 200_000;

/// A running program. It is killed when this is dropped.
pub(super) struct Program {
    name: String,
    child: Child,
    output: Arc<Output>,
}

/// What it has printed, line by line.
struct Output {
    start: Instant,
    lines: Mutex<Vec<(Instant, String)>>,
    changed: Condvar,
}

impl Program {
    /// Starts a program on a node; its output goes to the file `NAME.log` of `folder` too.
    pub(super) fn start(
        node: &Node,
        name: &str,
        words: &[String],
        folder: &Path,
    ) -> Result<Self, Failure> {
        let (program, arguments) = words.split_first().expect("a command has a program");
        let mut command = node.program(program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| crate::process::start_failure(&command, error))?;
        let path = folder.join(format!("{name}.log"));
        let log = Arc::new(Mutex::new(
            File::create(&path).map_err(|error| Failure::File { path, error })?,
        ));
        let output = Arc::new(Output::new());
        let stdout = child.stdout.take().expect("it was asked for");
        let stderr = child.stderr.take().expect("it was asked for");
        output.collect(stdout, &log);
        output.collect(stderr, &log);
        Ok(Self {
            name: name.to_owned(),
            child,
            output,
        })
    }

    /// Its standard input, once.
    pub(super) fn input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// All that it has printed.
    pub(super) fn lines(&self) -> Vec<(Instant, String)> {
        self.output.lock().clone()
    }

    /// Waits until a line contains `text`, and returns it.
    ///
    /// # Errors
    ///
    /// If there is none within `limit`: with what was printed last.
    pub(super) fn wait_for(&self, text: &str, limit: Duration) -> Result<String, Failure> {
        self.wait_until(&format!("`{text}`"), limit, |lines| {
            lines
                .iter()
                .find(|line| line.1.contains(text))
                .map(|line| line.1.clone())
        })
    }

    /// Waits until `found` is.
    pub(super) fn wait_until<T>(
        &self,
        what: &str,
        limit: Duration,
        found: impl Fn(&[(Instant, String)]) -> Option<T>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + limit;
        let mut lines = self.output.lock();
        loop {
            if let Some(value) = found(&lines) {
                return Ok(value);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let last = lines.last().map_or("nothing", |line| &line.1);
                return Err(Failure::Check(format!(
                    "{}: no {what} within {:.0} s; it printed last: {last}",
                    self.name,
                    limit.as_secs_f64()
                )));
            }
            lines = (self.output.changed.wait_timeout(lines, left))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits for its end; whether it succeeded.
    pub(super) fn wait(&mut self, limit: Duration) -> Result<bool, Failure> {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(status.success()),
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Ok(None) => {
                    return Err(Failure::Check(format!(
                        "{} has not ended within {:.0} s",
                        self.name,
                        limit.as_secs_f64()
                    )));
                }
                Err(error) => {
                    return Err(Failure::Check(format!("{}: {error}", self.name)));
                }
            }
        }
    }

    /// Ends it without a chance to say goodbye.
    pub(super) fn kill(&mut self) {
        // An error says that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Output {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            lines: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Instant, String)>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collect(self: &Arc<Self>, pipe: impl Read + Send + 'static, log: &Arc<Mutex<File>>) {
        let (output, log) = (Arc::clone(self), Arc::clone(log));
        std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut octets = Vec::new();
            while pipe
                .read_until(b'\n', &mut octets)
                .is_ok_and(|read| read > 0)
            {
                let line = String::from_utf8_lossy(&octets).trim_end().to_owned();
                octets.clear();
                if let Ok(mut log) = log.lock() {
                    // The file is for reading afterwards: losing a line of it fails nothing.
                    let since = output.start.elapsed().as_secs_f64();
                    let _ = writeln!(log, "{since:8.3} {line}");
                }
                let mut lines = output.lock();
                if lines.len() < MAX_LINES {
                    lines.push((Instant::now(), line));
                }
                drop(lines);
                output.changed.notify_all();
            }
        });
    }
}
