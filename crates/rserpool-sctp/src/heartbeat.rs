//! Is the peer still there? (RFC 9260 §8.1, §8.3)
//!
//! Two departures from a plain heartbeat timer, both towards quick detection with few packets:
//! anything heard from the peer counts as a sign of life, so of two ends only one needs to ask;
//! and an unanswered HEARTBEAT is repeated after one RTO, not after another interval.
//!
//! Knows octets and time; building packets and ending the association is for others.

use std::time::Duration;

use crate::config::Timers;
use crate::packet::{read_u16, read_u32, type_length_value};
use crate::round_trip::RoundTrip;
use crate::time::Timestamp;

/// The Heartbeat Info parameter, RFC 9260 §3.3.5.
pub(crate) const HEARTBEAT_INFO: u16 = 1;
/// Unanswered, a probe is repeated after each RTO; after so many the peer is lost.
const PROBE_RTOS: u32 = 3;
/// And it is repeated this long after its start, where that is sooner: a process that dies does
/// not close all its sockets at one time, and a HEARTBEAT that comes in between is swallowed
/// where the next one is answered by ICMP.
const PROBE_REPEATS: [Duration; 3] = [
    Duration::from_millis(2),
    Duration::from_millis(10),
    Duration::from_millis(50),
];
/// Probes of one association are at least this far apart: the hints that cause them may come
/// from anybody.
const PROBE_PAUSE: Duration = Duration::from_secs(1);

/// What to do when [`Heartbeat::deadline`] has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// Nothing yet.
    Nothing,
    /// Send a HEARTBEAT chunk with this value.
    Ask(Vec<u8>),
    /// Too many went unanswered.
    Lost,
}

pub(crate) struct Heartbeat {
    last_heard: Timestamp,
    /// The jittered HB.interval of this turn.
    interval: Duration,
    series: Option<Series>,
    /// Nobody but the peer has seen it: an ACK without it is forged or not ours.
    nonce: u32,
    /// Of the HEARTBEAT sent last.
    counter: u32,
    round_trip: RoundTrip,
    last_probe: Option<Timestamp>,
}

/// HEARTBEATs without an answer.
struct Series {
    first_counter: u32,
    sent: u32,
    last_sent: Timestamp,
    due: Timestamp,
    probe: bool,
}

impl Heartbeat {
    /// `draw` gives random numbers.
    pub(crate) fn new(now: Timestamp, timers: &Timers, mut draw: impl FnMut() -> u32) -> Self {
        Self {
            last_heard: now,
            interval: jittered(timers.heartbeat_interval, draw()),
            series: None,
            nonce: draw(),
            counter: 0,
            round_trip: RoundTrip::new(timers),
            last_probe: None,
        }
    }

    pub(crate) fn deadline(&self) -> Timestamp {
        self.series
            .as_ref()
            .map_or(self.last_heard + self.interval, |series| series.due)
    }

    /// A packet with the right tag arrived.
    pub(crate) fn on_packet(&mut self, now: Timestamp) {
        self.last_heard = now;
        // A probe asks whether the peer lives *now*: what was on its way before is no answer.
        if self.series.as_ref().is_some_and(|series| !series.probe) {
            self.series = None;
        }
    }

    /// A HEARTBEAT ACK arrived. Says whether it answers one of ours.
    pub(crate) fn on_ack(&mut self, now: Timestamp, value: &[u8], timers: &Timers) -> bool {
        let is_ours =
            read_u16(value, 0) == Some(HEARTBEAT_INFO) && read_u32(value, 4) == Some(self.nonce);
        let (true, Some(counter)) = (is_ours, read_u32(value, 8)) else {
            return false;
        };
        let Some(series) = &self.series else {
            return true;
        };
        let behind = counter.wrapping_sub(series.first_counter);
        if behind >= series.sent {
            return true;
        }
        if counter == self.counter {
            let measured = now.saturating_duration_since(series.last_sent);
            self.round_trip.observe(measured, timers);
        }
        self.series = None;
        true
    }

    /// Begins to ask at once. `false` if this was done a moment ago.
    pub(crate) fn start_probe(&mut self, now: Timestamp) -> bool {
        let too_soon = self
            .last_probe
            .is_some_and(|last| now.saturating_duration_since(last) < PROBE_PAUSE);
        if too_soon {
            return false;
        }
        self.last_probe = Some(now);
        self.series = Some(Series {
            first_counter: self.counter.wrapping_add(1),
            sent: 0,
            last_sent: now,
            due: now,
            probe: true,
        });
        true
    }

    /// `random` makes the jitter of the next turn.
    pub(crate) fn on_deadline(&mut self, now: Timestamp, timers: &Timers, random: u32) -> Due {
        if now < self.deadline() {
            return Due::Nothing;
        }
        let limit = u32::from(timers.association_max_retrans) + 1;
        let next_counter = self.counter.wrapping_add(1);
        let rto = self.round_trip.rto();
        let series = self.series.get_or_insert(Series {
            first_counter: next_counter,
            sent: 0,
            last_sent: now,
            due: now,
            probe: false,
        });
        let wait = if series.probe {
            probe_wait(series.sent, rto)
        } else {
            (series.sent < limit).then(|| timers.backed_off(rto, series.sent))
        };
        let Some(wait) = wait else {
            return Due::Lost;
        };
        if series.sent == 0 {
            self.interval = jittered(timers.heartbeat_interval, random);
        }
        series.sent += 1;
        series.last_sent = now;
        series.due = now + wait;
        self.counter = next_counter;
        let mut info = self.nonce.to_be_bytes().to_vec();
        info.extend(self.counter.to_be_bytes());
        Due::Ask(type_length_value(HEARTBEAT_INFO, &info))
    }
}

/// `sent` HEARTBEATs of a probe have gone unanswered: how long to wait for an answer to the next;
/// `None` when there is no next.
fn probe_wait(sent: u32, rto: Duration) -> Option<Duration> {
    let sooner = PROBE_REPEATS.into_iter().filter(|repeat| *repeat < rto);
    let rtos = (1..=PROBE_RTOS).map(|count| rto * count);
    let mut ends = std::iter::once(Duration::ZERO).chain(sooner).chain(rtos);
    let start = ends.nth(usize::try_from(sent).ok()?)?;
    ends.next().map(|end| end - start)
}

/// Between three quarters of `interval` and all of it.
pub(crate) fn jittered(interval: Duration, random: u32) -> Duration {
    let quarter = interval / 4;
    interval - quarter + quarter.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp(Duration::from_millis(millis))
    }

    /// Without jitter: every draw is the greatest.
    fn heartbeat() -> Heartbeat {
        Heartbeat::new(at(0), &Timers::lan(), || u32::MAX)
    }

    #[test]
    fn unanswered_heartbeats_end_within_the_bound() {
        let timers = Timers::lan();
        let mut heartbeat = heartbeat();
        let mut asked = Vec::new();
        let lost = loop {
            let now = heartbeat.deadline();
            match heartbeat.on_deadline(now, &timers, u32::MAX) {
                Due::Ask(_) => asked.push(now),
                Due::Lost => break now,
                Due::Nothing => panic!("the deadline was said to be now"),
            }
        };
        assert_eq!(asked, [at(750), at(850), at(1050), at(1350), at(1650)]);
        assert_eq!(lost.0, timers.detection_bound());
    }

    #[test]
    fn an_answer_ends_the_series_and_is_measured() {
        let timers = Timers::lan();
        let mut heartbeat = heartbeat();
        let Due::Ask(info) = heartbeat.on_deadline(at(750), &timers, u32::MAX) else {
            panic!()
        };
        assert!(heartbeat.on_ack(at(810), &info, &timers));
        assert_eq!(heartbeat.round_trip.rto(), Duration::from_millis(180));
        heartbeat.on_packet(at(810));
        assert_eq!(heartbeat.deadline(), at(1560));
    }

    #[test]
    fn an_answer_without_our_nonce_is_not_ours() {
        let timers = Timers::lan();
        let mut heartbeat = heartbeat();
        let Due::Ask(mut info) = heartbeat.on_deadline(at(750), &timers, 0) else {
            panic!()
        };
        info[5] ^= 1;
        assert!(!heartbeat.on_ack(at(760), &info, &timers));
        assert!(!heartbeat.on_ack(at(760), &[], &timers));
        assert!(heartbeat.series.is_some());
    }

    #[test]
    fn probe_ends_after_three_rtos_whatever_else_arrives() {
        let timers = Timers::lan();
        let mut heartbeat = heartbeat();
        assert!(heartbeat.start_probe(at(10)));
        assert!(!heartbeat.start_probe(at(20)), "one a second");
        for millis in [10, 12, 20, 60, 110, 210] {
            assert!(matches!(
                heartbeat.on_deadline(at(millis), &timers, 0),
                Due::Ask(_)
            ));
            heartbeat.on_packet(at(millis + 1));
        }
        assert_eq!(heartbeat.on_deadline(at(310), &timers, 0), Due::Lost);
    }
}
