//! The services of `rsp serve`: those of RFC 862 to 867 that suit messages, and two that keep their
//! state in cookies.

mod calc;
mod calc_message;
mod load;
mod ping_pong;
mod settings;

pub(crate) use calc::Jobs;
pub(crate) use calc_message::{CALC_PPID, CalcMessage, Job, Kind};
pub(crate) use load::Load;
pub(crate) use ping_pong::{PING_PONG_PPID, ping, read_pong};
pub(crate) use settings::{ServiceOptions, Settings};

use rserpool::{Connection, DataTransport};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The characters of chargen, in their order (RFC 864).
const CHARGEN_FIRST: u8 = b' ';
const CHARGEN_COUNT: usize = 95;
const CHARGEN_LINE: usize = 72;

/// A service.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Service {
    /// Sends back what it gets (RFC 862)
    Echo,
    /// Answers with the time (RFC 867)
    Daytime,
    /// Takes everything, answers nothing (RFC 863)
    Discard,
    /// Sends lines as fast as they are taken (RFC 864)
    Chargen,
    /// Answers with the number of the answer, and goes on with it at another element by a cookie;
    /// for rsplib's pingpongclient, `rsp connect --service ping-pong`, and plain text
    #[value(alias = "pingpong")]
    PingPong,
    /// Works on jobs that take their time, with their progress in a cookie; for rsplib's
    /// calcappclient and `rsp connect --service calc`
    Calc,
}

impl Service {
    /// Its name, and that of its pool unless told otherwise.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Daytime => "daytime",
            Self::Discard => "discard",
            Self::Chargen => "chargen",
            Self::PingPong => "ping-pong",
            Self::Calc => "calc",
        }
    }

    /// Whether it has cookies and a payload protocol.
    pub(crate) fn needs_sctp(self) -> bool {
        matches!(self, Self::PingPong | Self::Calc)
    }

    /// Serves one user to the end of its session.
    pub(crate) async fn serve(self, connection: &mut Connection, settings: &Settings, jobs: &Jobs) {
        loop {
            let answer = match self {
                Self::Chargen => return chargen(connection).await,
                Self::PingPong => return ping_pong::serve(connection, settings).await,
                Self::Calc => return calc::serve(connection, settings, jobs).await,
                Self::Echo => connection.recv().await.map(|received| received.data),
                Self::Daytime => {
                    let asked = connection.recv().await;
                    asked.map(|_| line(now_text().into_bytes(), connection.transport()))
                }
                Self::Discard => connection.recv().await.map(|_| Vec::new()),
            };
            let Some(answer) = answer else {
                return;
            };
            if !answer.is_empty() && connection.send(answer).await.is_err() {
                // The user has gone; so has the session.
                return;
            }
        }
    }
}

async fn chargen(connection: &Connection) {
    let mut first = 0;
    // Sending waits while the user does not read, and fails when it is gone.
    let transport = connection.transport();
    let send = |first| connection.send(line(chargen_line(first), transport));
    while send(first).await.is_ok() {
        first = (first + 1) % CHARGEN_COUNT;
    }
}

/// A line; where nothing else keeps it apart from the next one, with its end.
fn line(mut text: Vec<u8>, transport: DataTransport) -> Vec<u8> {
    if transport == DataTransport::Tcp {
        text.extend(b"\r\n");
    }
    text
}

/// The line of RFC 864 that begins with this character.
fn chargen_line(first: usize) -> Vec<u8> {
    let characters = (CHARGEN_FIRST..=b'~').cycle();
    characters.skip(first).take(CHARGEN_LINE).collect()
}

/// The time of day in UTC, as in `2026-11-22 18:30:00 UTC`.
fn now_text() -> String {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    date_text(since_1970.as_secs())
}

/// Seconds since 1970 as date and time (the proleptic Gregorian calendar).
fn date_text(seconds: u64) -> String {
    let (days, seconds) = (seconds / 86_400, seconds % 86_400);
    // Counted from 1 March of year 0, so that the leap day is a year's last day.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date_text(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date_text(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(date_text(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(date_text(1_735_689_599), "2024-12-31 23:59:59 UTC");
        assert_eq!(date_text(4_107_542_400), "2100-03-01 00:00:00 UTC");
    }

    #[test]
    fn chargen_lines_are_those_of_the_rfc() {
        let first = String::from_utf8(chargen_line(0)).unwrap();
        assert!(first.starts_with(" !\"#$%&'()*+,-./0123456789"), "{first}");
        assert_eq!(first.len(), 72);
        let last = String::from_utf8(chargen_line(94)).unwrap();
        assert!(last.starts_with("~ !\""), "{last}");
    }
}
