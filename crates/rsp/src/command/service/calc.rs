//! The calculation service: jobs that take their time, with their progress in the user's cookie.
//!
//! It speaks the protocol of rsplib's `calcappclient` and `rspserver -calcapp`, as Wireshark's
//! dissector shows it. All jobs of an element share its capacity evenly.

use super::calc_message::{CALC_PPID, CalcMessage, Job, Kind};
use super::settings::Settings;
use rserpool::{Connection, ConnectionEvent, SendFailed};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often a job's share of the capacity is looked at anew.
const TICK: Duration = Duration::from_millis(20);

/// How many jobs an element works on.
#[derive(Default, Debug)]
pub(crate) struct Jobs(watch::Sender<u64>);

/// A job of an element, until it is dropped.
pub(super) struct Place<'a>(&'a Jobs);

impl Jobs {
    pub(super) fn take(&self, jobs_max: u64) -> Option<Place<'_>> {
        let taken = self.0.send_if_modified(|jobs| {
            let is_room = *jobs < jobs_max;
            *jobs += u64::from(is_room);
            is_room
        });
        // Made only if it is taken: dropping a place gives it back.
        taken.then(|| Place(self))
    }

    /// How many there are, from now on.
    pub(super) fn counts(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    fn count(&self) -> u64 {
        *self.0.borrow()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|jobs| *jobs -= 1);
    }
}

/// A job that is worked on.
struct Running<'a> {
    job: Job,
    /// As the job's, with what a tick adds in parts.
    completed: f64,
    worked_at: Instant,
    cookie_at: Instant,
    place: Place<'a>,
}

/// Serves one user to the end of its session.
pub(super) async fn serve(connection: &mut Connection, settings: &Settings, jobs: &Jobs) {
    let mut running: Option<Running<'_>> = None;
    // A send fails when the user has gone; so has the session.
    loop {
        let wait = running.as_ref().map(|running| running.wait(settings));
        let done = tokio::select! {
            event = connection.recv_event() => match event {
                Some(event) => match react(event, settings, &mut running) {
                    Reaction::Begin(job) => {
                        // One job at a time: the one before makes room.
                        drop(running.take());
                        running = jobs.take(settings.jobs_max).map(|place| start(job, place));
                        let is_begun = running.is_some();
                        let kind = if is_begun { Kind::Accept } else { Kind::Reject };
                        send(connection, &CalcMessage::about(kind, job.id)).await
                    }
                    Reaction::Answer(message) => send(connection, &message).await,
                    Reaction::HandOver => {
                        // If that fails, the cookie before it will do.
                        let _ = hand_over(connection, settings, running).await;
                        return;
                    }
                    Reaction::Nothing => Ok(()),
                },
                None => return,
            },
            () = sleep(wait) => work(connection, settings, &mut running).await,
        };
        if done.is_err() {
            return;
        }
    }
}

/// What is to be done about something that a user said.
enum Reaction {
    Begin(Job),
    Answer(CalcMessage),
    /// The user goes on elsewhere.
    HandOver,
    Nothing,
}

fn react(
    event: ConnectionEvent,
    settings: &Settings,
    running: &mut Option<Running<'_>>,
) -> Reaction {
    let message = match event {
        ConnectionEvent::Message(received) => CalcMessage::read(&received.data),
        ConnectionEvent::CookieEcho(cookie) => {
            let job = settings.open(&cookie).as_deref().and_then(Job::read);
            // Without its job, the user waits for a word, and asks anew.
            let reject = CalcMessage::about(Kind::Reject, 0);
            return job.map_or(Reaction::Answer(reject), Reaction::Begin);
        }
        ConnectionEvent::Moving => return Reaction::HandOver,
        ConnectionEvent::BusinessCard(_) | _ => None,
    };
    let Some(CalcMessage { kind, job }) = message else {
        return Reaction::Nothing;
    };
    match kind {
        Kind::Request => Reaction::Begin(Job {
            completed: 0,
            ..job
        }),
        Kind::KeepAlive => Reaction::Answer(CalcMessage::about(Kind::KeepAliveAck, job.id)),
        Kind::Abort => {
            running.take_if(|running| running.job.id == job.id);
            Reaction::Nothing
        }
        Kind::Accept | Kind::Reject | Kind::Complete | Kind::KeepAliveAck => Reaction::Nothing,
    }
}

fn start(job: Job, place: Place<'_>) -> Running<'_> {
    let now = Instant::now();
    Running {
        job,
        completed: as_f64(job.completed),
        worked_at: now,
        cookie_at: now,
        place,
    }
}

impl Running<'_> {
    /// Calculations per second that are this job's now.
    fn rate(&self, settings: &Settings) -> f64 {
        as_f64(settings.capacity) / as_f64(self.place.0.count().max(1))
    }

    /// Until it is to be looked at.
    fn wait(&self, settings: &Settings) -> Duration {
        let left = as_f64(self.job.size) - self.completed;
        let seconds = (left / self.rate(settings)).max(0.0);
        Duration::try_from_secs_f64(seconds).map_or(TICK, |wait| wait.min(TICK))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between zero and the size, which is an integer"
    )]
    fn work(&mut self, settings: &Settings) {
        let now = Instant::now();
        let seconds = (now - self.worked_at).as_secs_f64();
        self.worked_at = now;
        self.completed += seconds * self.rate(settings);
        self.job.completed = (self.completed as u64).min(self.job.size);
    }
}

/// Goes on with the job, and tells the user when it is done, or keeps its progress there.
async fn work(
    connection: &Connection,
    settings: &Settings,
    running: &mut Option<Running<'_>>,
) -> Result<(), SendFailed> {
    let Some(job) = running else {
        return Ok(());
    };
    job.work(settings);
    if job.job.completed == job.job.size {
        let complete = CalcMessage {
            kind: Kind::Complete,
            job: job.job,
        };
        *running = None;
        return send(connection, &complete).await;
    }
    let interval = Duration::from_millis(settings.cookie_every_ms);
    if job.cookie_at.elapsed() >= interval {
        job.cookie_at = Instant::now();
        if let Some(cookie) = settings.seal(job.job.encode()) {
            connection.send_cookie(cookie).await?;
        }
    }
    Ok(())
}

/// Keeps the progress of the job at the user, to the last calculation.
async fn hand_over(
    connection: &Connection,
    settings: &Settings,
    running: Option<Running<'_>>,
) -> Result<(), SendFailed> {
    let Some(mut running) = running else {
        return Ok(());
    };
    running.work(settings);
    match settings.seal(running.job.encode()) {
        Some(cookie) => connection.send_cookie(cookie).await,
        None => Ok(()),
    }
}

async fn send(connection: &Connection, message: &CalcMessage) -> Result<(), SendFailed> {
    connection.send_with(0, CALC_PPID, message.encode()).await
}

/// For ever if there is nothing to wait for.
async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a calculation more or less in 2^53 is none"
)]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_is_refused_takes_no_place_and_gives_none_back() {
        let jobs = Jobs::default();
        let both = [jobs.take(2).unwrap(), jobs.take(2).unwrap()];
        for _ in 0..3 {
            assert!(jobs.take(2).is_none());
            assert_eq!(jobs.count(), 2);
        }
        drop(both);
        assert_eq!(jobs.count(), 0);
        assert!(jobs.take(2).is_some());
    }
}
