//! `rsp connect`.

use super::demo::report::Report;
use super::lines::{self, Lines};
use super::policy_check;
use super::protocol::{Meaning, Protocol, Request};
use super::user;
use crate::exit::{Exit, Failure, Outcome};
use crate::option::format::FormatOptions;
use crate::option::node;
use crate::output::{self, Format};
use crate::signals::Signals;
use anyhow::anyhow;
use rserpool::{
    DataTransport, PoolElementId, PoolHandle, PoolUser, Received, Session, SessionEvent,
};
use std::io::IsTerminal;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

/// Talk to a pool, line by line, through the failures of its elements
///
/// Each line of standard input goes to the element that serves this session; its answer comes to
/// standard output. When the element fails, the session goes on at another one, and the line that
/// was not answered is sent again. Who serves, and how long a failover took, is told on standard
/// error. What elements gave as a cookie is given to the next one first.
///
/// Over UDP nothing tells that an element is gone: one that does not answer within a second is
/// left. Over TCP, lines end with a newline, both ways.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The pool handle
    pool: String,
    /// What is spoken there
    #[arg(long, value_enum, default_value_t = Protocol::Lines)]
    service: Protocol,
    /// Send numbered requests instead of lines, this long after each answer
    #[arg(long, value_name = "MS")]
    every_ms: Option<u64>,
    /// End after this many requests
    #[arg(long, value_name = "N", requires = "every_ms")]
    count: Option<u64>,
    /// With --every-ms and --service calc: calculations a job
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    job_size: u64,
    /// Give up when a request is not answered for this long
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    answer_timeout_ms: u64,
    /// Wait for no answers, as with a pool of `discard`
    #[arg(long, conflicts_with = "every_ms")]
    no_answers: bool,
    /// Have no session, but a registrar select so often, 1000 times without N, and show whether
    /// who is chosen how often is what the pool's policy promises; the exit code is 1 if it is not.
    ///
    /// Sessions are spread like that, too. With rr and wrr each user has turns of its own, which
    /// begin where the registrar's are: many users with one session each are dealt in the
    /// registrar's turns, the sessions of one user in its own, and the shares are the same. With
    /// lu, lud and plu each session asks the registrar.
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "1000", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(conflicts_with_all = ["every_ms", "no_answers"])]
    policy_check: Option<u32>,
    #[command(flatten)]
    format: FormatOptions,
    #[command(flatten)]
    user: user::UserOptions,
    #[command(flatten)]
    life: node::Life,
}

const EXAMPLES: &str = "\
Examples:
  rsp connect echo                              type lines
  seq 1000 | rsp connect echo | tail -1
  rsp connect echo --every-ms 10 -o json        each answer and failover as a line of JSON
  rsp connect ping-pong --service ping-pong --every-ms 500
  echo 5000000 | rsp connect calc --service calc
  rsp connect echo --policy-check=3000          who is chosen how often

The exit code is 0 only if every line was answered; 3 if there is no such pool, 4 if no registrar
is reached, 6 if an answer did not come in time.";

/// Lines of standard input that have not been sent.
const LINES_MAX: usize = 64;

pub(crate) async fn run(arguments: &Arguments) -> Outcome {
    let mut signals = Signals::listen()?;
    tokio::select! {
        outcome = talk(arguments) => outcome,
        () = arguments.life.ended() => Ok(()),
        () = signals.recv() => Err(Failure::new(Exit::Interrupted, anyhow!("interrupted"))),
    }
}

async fn talk(arguments: &Arguments) -> Outcome {
    let pool = PoolHandle::from(arguments.pool.as_str());
    if let Some(selections) = arguments.policy_check {
        let user = arguments.user.start_without_cache().await?;
        return policy_check::run(&user, &pool, selections, arguments.format.format()).await;
    }
    let user = arguments.user.start().await?;
    let session = user
        .connect(pool.clone())
        .await
        .map_err(|failed| user::failure(&pool, &failed))?;
    let requests = match arguments.every_ms {
        Some(every_ms) => {
            let job = (arguments.service == Protocol::Calc).then_some(arguments.job_size);
            Requests::numbered(Duration::from_millis(every_ms), arguments.count, job)
        }
        None => Requests::lines(),
    };
    let mut conversation = Conversation::new(arguments, user, session, pool);
    conversation.say_connected()?;
    conversation.run(requests).await
}

/// Where requests come from.
enum Requests {
    Lines(mpsc::Receiver<String>),
    Numbered {
        every: Duration,
        next: u64,
        count: Option<u64>,
        /// What all of them say; otherwise their number.
        text: Option<u64>,
    },
}

impl Requests {
    fn lines() -> Self {
        let (sender, receiver) = mpsc::channel(LINES_MAX);
        tokio::spawn(async move {
            let mut lines = BufReader::new(tokio::io::stdin()).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if sender.send(line).await.is_err() {
                    return;
                }
            }
        });
        Self::Lines(receiver)
    }

    fn numbered(every: Duration, count: Option<u64>, text: Option<u64>) -> Self {
        Self::Numbered {
            every,
            next: 1,
            count,
            text,
        }
    }

    /// The next request; `None` at the end. SCTP has no empty messages: empty lines are left out.
    async fn next(&mut self) -> Option<String> {
        match self {
            Self::Lines(lines) => loop {
                let line = lines.recv().await?;
                if !line.is_empty() {
                    return Some(line);
                }
            },
            Self::Numbered {
                every,
                next,
                count,
                text,
            } => {
                if count.is_some_and(|count| *next > count) {
                    return None;
                }
                tokio::time::sleep(*every).await;
                *next += 1;
                Some(match text {
                    Some(text) => text.to_string(),
                    None => format!("request {}", *next - 1),
                })
            }
        }
    }
}

/// A request that was sent and not answered.
struct Pending {
    request: Request,
    since: Instant,
    /// To the element that has it now.
    sent_at: Instant,
    /// How many elements would not do it.
    refused: u32,
}

/// Over UDP nothing tells that an element is gone: one that does not answer for this long is left.
const UDP_PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait after an element would not do what it was asked.
const REFUSED_PAUSE: Duration = Duration::from_millis(200);

/// A session, and what it waits for.
struct Conversation<'a> {
    arguments: &'a Arguments,
    user: PoolUser,
    session: Session,
    pool: PoolHandle,
    /// Of the request that was sent last.
    number: u64,
    pending: Option<Pending>,
    lines: Lines,
}

impl<'a> Conversation<'a> {
    fn new(arguments: &'a Arguments, user: PoolUser, session: Session, pool: PoolHandle) -> Self {
        Self {
            arguments,
            user,
            session,
            pool,
            number: 0,
            pending: None,
            lines: Lines::default(),
        }
    }

    /// One request at a time, each until it is answered, whoever answers it.
    async fn run(&mut self, mut requests: Requests) -> Outcome {
        let timeout = Duration::from_millis(self.arguments.answer_timeout_ms);
        let mut at_end = false;
        while !at_end || self.pending.is_some() {
            let deadline = self.pending.as_ref().map(|pending| pending.since + timeout);
            let silent_at = self.silent_at();
            tokio::select! {
                request = requests.next(), if self.pending.is_none() && !at_end => match request {
                    Some(request) => self.send(request).await?,
                    None => at_end = true,
                },
                event = self.session.recv() => {
                    let event = event.map_err(|lost| user::failure(&self.pool, &lost))?;
                    self.on_event(event).await?;
                }
                () = until(silent_at) => self.on_silence(),
                () = until(deadline) => return Err(self.no_answer(timeout)),
            }
        }
        Ok(())
    }

    fn no_answer(&self, timeout: Duration) -> Failure {
        let (pool, ms) = (&self.pool, timeout.as_millis());
        let refused = self.pending.as_ref().map_or(0, |pending| pending.refused);
        let text = if refused == 0 {
            anyhow!("pool {pool}: no answer in {ms} ms; does it answer?")
        } else {
            anyhow!(
                "pool {pool}: no answer in {ms} ms, and {refused} times refused: its elements have \
                 as many jobs as they take; start more of them, or give --answer-timeout-ms"
            )
        };
        Failure::new(Exit::Timeout, text)
    }

    /// When an element that has not answered is taken for dead, where nothing else tells.
    fn silent_at(&self) -> Option<Instant> {
        let is_udp = self.session.element().transport == DataTransport::Udp;
        let pending = self.pending.as_ref().filter(|_| is_udp)?;
        Some(pending.sent_at + UDP_PATIENCE)
    }

    /// The session goes on at another element, and the request is sent again there.
    fn on_silence(&mut self) {
        self.session.report_failure();
        if let Some(pending) = &mut self.pending {
            pending.sent_at = Instant::now();
        }
    }

    async fn send(&mut self, line: String) -> Outcome {
        let service = self.arguments.service;
        if self.number > 0 && service.is_one_request_a_session() {
            self.begin_session().await?;
        }
        self.number += 1;
        let request = service.request(self.number, &line);
        let request = request.map_err(|wrong| Failure::new(Exit::Usage, anyhow!(wrong)))?;
        if !self.arguments.no_answers {
            let now = Instant::now();
            self.pending = Some(Pending {
                request: request.clone(),
                since: now,
                sent_at: now,
                refused: 0,
            });
        }
        self.send_request(request).await
    }

    async fn send_request(&self, request: Request) -> Outcome {
        let Request { ppid, octets } = request;
        let octets = lines::ended(octets, self.session.element().transport);
        let sent = self.session.send_with(0, ppid, octets).await;
        sent.map_err(|failed| anyhow!("cannot send: {failed}"))?;
        Ok(())
    }

    async fn send_again(&self) -> Outcome {
        match &self.pending {
            Some(pending) => self.send_request(pending.request.clone()).await,
            None => Ok(()),
        }
    }

    /// Another session, with whom the pool chooses.
    async fn begin_session(&mut self) -> Outcome {
        let session = self.user.connect(self.pool.clone()).await;
        self.session = session.map_err(|failed| user::failure(&self.pool, &failed))?;
        self.say_connected()?;
        Ok(())
    }

    async fn on_event(&mut self, event: SessionEvent) -> Outcome {
        match event {
            SessionEvent::Message(received) => self.on_received(received).await?,
            SessionEvent::Failover {
                from,
                to,
                gap,
                cookie_echoed,
            } => {
                self.say_failover(from, to, gap, cookie_echoed)?;
                self.lines.clear();
                if let Some(pending) = &mut self.pending {
                    pending.sent_at = Instant::now();
                }
                let service = self.arguments.service;
                match service.after_cookie(self.number) {
                    Some(request) if cookie_echoed => self.send_request(request).await?,
                    // The element that failed may have answered or not; nobody knows: ask again.
                    Some(_) | None => self.send_again().await?,
                }
            }
            // Only of messages that are to be given back.
            SessionEvent::Undelivered(_) | _ => {}
        }
        Ok(())
    }

    async fn on_received(&mut self, received: Received) -> Outcome {
        if self.session.element().transport != DataTransport::Tcp {
            return self.on_message(received).await;
        }
        for data in self.lines.feed(&received.data) {
            let (stream, ppid) = (received.stream, received.ppid);
            self.on_message(Received { data, stream, ppid }).await?;
        }
        Ok(())
    }

    async fn on_message(&mut self, received: Received) -> Outcome {
        match self.arguments.service.read(self.number, received) {
            Meaning::Answer(data) => Ok(self.on_answer(&data)?),
            Meaning::Reply(reply) => self.send_request(reply).await,
            Meaning::Refused => {
                self.say_refused()?;
                tokio::time::sleep(REFUSED_PAUSE).await;
                self.begin_session().await?;
                self.send_again().await
            }
            Meaning::Nothing => Ok(()),
        }
    }

    fn on_answer(&mut self, data: &[u8]) -> std::io::Result<()> {
        let pending = self.pending.take();
        match self.arguments.format.format() {
            Format::Table => output::line(printable(data)),
            Format::Json => {
                let after = pending
                    .map(|pending| pending.since.elapsed())
                    .unwrap_or_default();
                output::json(&Report::Answer {
                    pool_element: self.session.element().id.to_string(),
                    answer: printable(data),
                    after_ms: milliseconds(after),
                })
            }
        }
    }

    fn say_connected(&self) -> std::io::Result<()> {
        let element = self.session.element();
        let (pool_element, address) = (element.id.to_string(), element.address.to_string());
        if self.arguments.format.format() == Format::Json {
            return output::json(&Report::Connected {
                pool_element,
                address,
                transport: element.transport.to_string(),
            });
        }
        let by = if element.transport == DataTransport::Sctp {
            String::new()
        } else {
            format!(" by {}, without cookies", element.transport)
        };
        eprintln!("connected to element {pool_element} at {address}{by}");
        if std::io::stdin().is_terminal() && self.arguments.every_ms.is_none() {
            eprintln!("type lines; end with Ctrl-D");
        }
        Ok(())
    }

    /// For people once each request; it may go on like that for a while.
    fn say_refused(&mut self) -> std::io::Result<()> {
        let pool_element = self.session.element().id.to_string();
        let Some(pending) = &mut self.pending else {
            return Ok(());
        };
        pending.refused += 1;
        if self.arguments.format.format() == Format::Json {
            return output::json(&Report::Refused { pool_element });
        }
        if pending.refused == 1 {
            eprintln!("element {pool_element} has too many jobs and refuses this one: asking on");
        }
        Ok(())
    }

    fn say_failover(
        &self,
        from: PoolElementId,
        to: PoolElementId,
        gap: Duration,
        cookie_echoed: bool,
    ) -> std::io::Result<()> {
        let gap_ms = milliseconds(gap);
        if self.arguments.format.format() == Format::Json {
            let (from, to) = (from.to_string(), to.to_string());
            return output::json(&Report::Failover {
                from,
                to,
                gap_ms,
                cookie_echoed,
            });
        }
        let with = if cookie_echoed {
            " with its cookie"
        } else {
            ""
        };
        eprintln!("failover from element {from} to element {to}{with} in {gap_ms:.1} ms");
        Ok(())
    }
}

/// Waits until then; for ever without a time.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// Text as it is, without control characters that would play tricks on a terminal.
fn printable(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data);
    let trimmed = text.trim_end_matches(['\r', '\n']);
    let shown = |c: char| {
        if c.is_control() && c != '\t' {
            '\u{fffd}'
        } else {
            c
        }
    };
    trimmed.chars().map(shown).collect()
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable(b"a\tb\x1b[2Jc\r\n"), "a\tb\u{fffd}[2Jc");
        assert_eq!(printable(b"\xff"), "\u{fffd}");
    }

    #[tokio::test]
    async fn numbered_requests_end_after_their_count() {
        let mut requests = Requests::numbered(Duration::ZERO, Some(2), None);
        assert_eq!(requests.next().await.as_deref(), Some("request 1"));
        assert_eq!(requests.next().await.as_deref(), Some("request 2"));
        assert_eq!(requests.next().await, None);
    }
}
