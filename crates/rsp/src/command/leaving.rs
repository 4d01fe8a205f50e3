//! The end of `rsp serve`, and what it tells of it.
//!
//! Must not know services: it counts sessions, whatever they do.

use super::demo::report::Report;
use crate::exit::{Exit, Failure};
use crate::output::{self, Format};
use anyhow::anyhow;
use rserpool::{NodeEvent, PoolElement};
use rserpool_core::pool_element::Event;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is told how many sessions are open.
const PROGRESS: Duration = Duration::from_secs(1);

/// Counts the sessions that are open.
#[derive(Clone, Default, Debug)]
pub(super) struct Sessions(Arc<()>);

/// A session, until it is dropped.
pub(super) struct Open(#[expect(dead_code, reason = "it is counted")] Arc<()>);

impl Sessions {
    /// One more.
    pub(super) fn open(&self) -> Open {
        Open(Arc::clone(&self.0))
    }

    fn count(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// A pool element that leaves its pool and ends its sessions.
pub(super) struct Leaving {
    format: Format,
    pool_handle: String,
    pool_element: String,
    sessions: Sessions,
    /// How long they may take to end by themselves.
    drain: Duration,
    until: Instant,
}

impl Leaving {
    pub(super) fn new(
        format: Format,
        element: &PoolElement,
        sessions: Sessions,
        drain: Duration,
    ) -> Self {
        Self {
            format,
            pool_handle: element.pool_handle().to_string(),
            pool_element: element.id().to_string(),
            sessions,
            drain,
            until: Instant::now() + drain,
        }
    }

    /// Leaves the pool, and tells what happens until the last session has ended.
    pub(super) async fn run(&self, element: PoolElement) -> io::Result<()> {
        self.say_leaving()?;
        let mut events = element.events();
        let drained = element.drain(self.drain);
        tokio::pin!(drained);
        let mut progress = tokio::time::interval_at((Instant::now() + PROGRESS).into(), PROGRESS);
        let (mut is_told, mut is_confirmed) = (false, false);
        let drained = loop {
            tokio::select! {
                // What was told before the end is told.
                biased;
                event = events.recv(), if !is_told => match event {
                    Some(NodeEvent::Machine(Event::Deregistered)) => {
                        (is_told, is_confirmed) = (true, true);
                        self.say_deregistered()?;
                    }
                    Some(NodeEvent::Machine(
                        Event::DeregistrationFailed { .. } | Event::DeregistrationRejected { .. },
                    ))
                    | None => is_told = true,
                    Some(_) => {}
                },
                drained = &mut drained => break drained,
                _ = progress.tick() => self.say_draining()?,
            }
        };
        self.say_drained(drained.finished, drained.moved, is_confirmed)
    }

    /// The operator does not want to wait.
    pub(super) fn cut_off(&self) -> Failure {
        let sessions = of_sessions(self.sessions.count());
        eprintln!("rsp: ended at once by another signal: {sessions} cut off");
        Failure::new(Exit::Interrupted, anyhow!("interrupted"))
    }

    fn left_ms(&self) -> u64 {
        let left = self.until.saturating_duration_since(Instant::now());
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }

    fn say_leaving(&self) -> io::Result<()> {
        let (pool_handle, pool_element) = (self.pool_handle.clone(), self.pool_element.clone());
        let sessions = self.sessions.count();
        let seconds = self.drain.as_secs_f64();
        match self.format {
            Format::Json => output::json(&Report::Leaving {
                pool_handle,
                pool_element,
                sessions,
                drain_ms: u64::try_from(self.drain.as_millis()).unwrap_or(u64::MAX),
            }),
            Format::Table if sessions == 0 => output::line(format!(
                "element {pool_element} leaves pool {pool_handle}: no session is open"
            )),
            Format::Table => output::line(format!(
                "element {pool_element} leaves pool {pool_handle}: {} open, moved in {seconds:.1} \
                 s unless ended; another signal ends it at once",
                of_sessions(sessions)
            )),
        }
    }

    fn say_deregistered(&self) -> io::Result<()> {
        match self.format {
            Format::Table => output::line("deregistered"),
            Format::Json => output::json(&Report::Deregistered {
                pool_handle: self.pool_handle.clone(),
                pool_element: self.pool_element.clone(),
            }),
        }
    }

    fn say_draining(&self) -> io::Result<()> {
        let (sessions, left_ms) = (self.sessions.count(), self.left_ms());
        match self.format {
            Format::Json => output::json(&Report::Draining { sessions, left_ms }),
            Format::Table if sessions == 0 => output::line("waiting for the registrar to confirm"),
            Format::Table if left_ms == 0 => {
                output::line(format!("{} being moved", of_sessions(sessions)))
            }
            Format::Table => output::line(format!(
                "{} open, moved in {:.1} s",
                of_sessions(sessions),
                Duration::from_millis(left_ms).as_secs_f64()
            )),
        }
    }

    fn say_drained(&self, finished: usize, moved: usize, deregistered: bool) -> io::Result<()> {
        if self.format == Format::Json {
            return output::json(&Report::Drained {
                finished,
                moved,
                deregistered,
            });
        }
        if !deregistered {
            output::line(
                "no registrar has confirmed that the pool is left: the registration ends with its \
                 life, and until then users may try this element in vain",
            )?;
        }
        output::line(format!(
            "ended: {} finished, {moved} moved, to go on at other elements",
            of_sessions(finished)
        ))
    }
}

fn of_sessions(number: usize) -> String {
    match number {
        1 => "1 session".to_owned(),
        _ => format!("{number} sessions"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_counted_while_they_are_open() {
        let sessions = Sessions::default();
        let (first, second) = (sessions.open(), sessions.open());
        assert_eq!(of_sessions(sessions.count()), "2 sessions");
        drop(first);
        assert_eq!(of_sessions(sessions.count()), "1 session");
        drop(second);
        assert_eq!(of_sessions(sessions.count()), "0 sessions");
    }
}
