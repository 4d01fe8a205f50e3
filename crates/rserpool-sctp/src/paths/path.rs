//! One path: is it confirmed, does it answer, and when is it asked next?
//!
//! RFC 9260 §5.4 (verification), §8.2 (failure), §8.3 (heartbeat); RFC 7829 (potentially failed).

use std::time::Duration;

use crate::config::Timers;
use crate::event::PathState;
use crate::heartbeat::{HEARTBEAT_INFO, jittered};
use crate::packet::type_length_value;
use crate::round_trip::RoundTrip;
use crate::route::Route;
use crate::time::Timestamp;

/// The longest wait between two HEARTBEATs to an address that a peer listed and that has never
/// answered. The wait doubles from one RTO up to this: an address that is not the peer's gets
/// some ten packets in the first minute, and then two a minute, whatever the timers.
const UNCONFIRMED_WAIT_MAX: Duration = Duration::from_secs(30);

pub(super) struct Path {
    pub(super) route: Route,
    is_confirmed: bool,
    /// Packets in a row that went unanswered.
    errors: u16,
    /// RFC 9260 §5.4: nobody who has not seen a HEARTBEAT of this path knows it.
    pub(super) nonce: u64,
    /// Of the HEARTBEAT sent last.
    counter: u32,
    /// When it was sent, while it is unanswered.
    asked: Option<Timestamp>,
    due: Timestamp,
    answered: Timestamp,
    /// The jittered HB.interval of this turn.
    interval: Duration,
    round_trip: RoundTrip,
    /// The state that the others know of.
    pub(super) told: PathState,
}

impl Path {
    pub(super) fn new(route: Route, is_confirmed: bool, nonce: u64, timers: &Timers) -> Self {
        Self {
            route,
            is_confirmed,
            errors: 0,
            nonce,
            counter: 0,
            asked: None,
            due: Timestamp::ZERO,
            answered: Timestamp::ZERO,
            interval: timers.heartbeat_interval,
            round_trip: RoundTrip::new(timers),
            told: if is_confirmed {
                PathState::Active
            } else {
                PathState::Unconfirmed
            },
        }
    }

    /// RFC 7829 §3, with PotentiallyFailed.Max.Retrans 0.
    pub(super) fn state(&self, timers: &Timers) -> PathState {
        if !self.is_confirmed {
            PathState::Unconfirmed
        } else if self.errors == 0 {
            PathState::Active
        } else if self.errors <= timers.path_max_retrans {
            PathState::PotentiallyFailed
        } else {
            PathState::Inactive
        }
    }

    pub(super) fn errors(&self) -> u16 {
        self.errors
    }

    pub(super) fn rto(&self) -> Duration {
        self.round_trip.rto()
    }

    pub(super) fn due(&self) -> Timestamp {
        self.due
    }

    /// The association is up. The path is asked at `first`, if it needs to be asked at all.
    pub(super) fn start(&mut self, now: Timestamp, first: Timestamp) {
        self.answered = now;
        self.due = first;
    }

    /// The time of [`Path::due`] has come. The value of a HEARTBEAT to send, if one is to be.
    pub(super) fn on_due(
        &mut self,
        now: Timestamp,
        index: usize,
        timers: &Timers,
        random: u32,
    ) -> Option<Vec<u8>> {
        if self.asked.take().is_some() {
            self.on_unanswered(timers);
        }
        let idle_until = self.answered + self.interval;
        if self.state(timers) == PathState::Active && now < idle_until {
            self.due = idle_until;
            return None;
        }
        self.interval = jittered(timers.heartbeat_interval, random);
        Some(self.ask(now, index, timers))
    }

    /// Asks now, unless it was asked less than one RTO ago.
    pub(super) fn ask_unless_waiting(
        &mut self,
        now: Timestamp,
        index: usize,
        timers: &Timers,
    ) -> Option<Vec<u8>> {
        let rto = self.rto();
        let is_waiting = self
            .asked
            .is_some_and(|asked| now.saturating_duration_since(asked) < rto);
        (!is_waiting).then(|| self.ask(now, index, timers))
    }

    fn ask(&mut self, now: Timestamp, index: usize, timers: &Timers) -> Vec<u8> {
        let rto = self.rto();
        let wait = match self.state(timers) {
            // RFC 7829 §3.2: once per RTO, backed off.
            PathState::Active | PathState::PotentiallyFailed => {
                timers.backed_off(rto, self.errors.into())
            }
            // RFC 9260 §8.3: at the usual rate, and for ever.
            PathState::Inactive => self.interval.max(rto),
            PathState::Unconfirmed => rto
                .saturating_mul(1_u32.checked_shl(self.counter).unwrap_or(u32::MAX))
                .min(UNCONFIRMED_WAIT_MAX.max(rto)),
        };
        self.counter = self.counter.wrapping_add(1);
        self.asked = Some(now);
        self.due = now + wait;
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let mut info = self.nonce.to_be_bytes().to_vec();
        info.extend(index.to_be_bytes());
        info.extend(self.counter.to_be_bytes());
        type_length_value(HEARTBEAT_INFO, &info)
    }

    /// A HEARTBEAT ACK with this path's nonce. One to an earlier HEARTBEAT shows as well that the
    /// path works; what it took is measured with the last one only.
    pub(super) fn on_heartbeat_ack(&mut self, now: Timestamp, counter: u32, timers: &Timers) {
        if let (true, Some(asked)) = (counter == self.counter, self.asked) {
            let measured = now.saturating_duration_since(asked);
            self.round_trip.observe(measured, timers);
        }
        self.is_confirmed = true;
        self.on_answered(now);
    }

    /// RFC 9260 §8.2: what was sent on this path has been acknowledged.
    pub(super) fn on_answered(&mut self, now: Timestamp) {
        self.errors = 0;
        self.asked = None;
        self.answered = now;
        self.due = now + self.interval;
    }

    /// RFC 9260 §8.2: T3-rtx expired for data on this path.
    pub(super) fn on_expiry(&mut self) {
        self.errors = self.errors.saturating_add(1);
    }

    /// The network says that nobody is there.
    pub(super) fn on_unreachable(&mut self, timers: &Timers) {
        self.errors = self.errors.max(timers.path_max_retrans.saturating_add(1));
    }

    /// RFC 9260 §8.3: of an inactive path, HEARTBEATs are not counted any more. Nor, before
    /// verification, are there errors: those only slow it down.
    fn on_unanswered(&mut self, timers: &Timers) {
        if self.is_confirmed && self.errors <= timers.path_max_retrans {
            self.errors += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp(Duration::from_millis(millis))
    }

    fn path(is_confirmed: bool, timers: &Timers) -> Path {
        let remote = "192.0.2.2:9899".parse().unwrap();
        let route = Route {
            local: None,
            remote,
        };
        let mut path = Path::new(route, is_confirmed, 7, timers);
        path.start(at(0), at(0));
        path
    }

    /// When it asks, up to `end`, and its state after each.
    fn asks(path: &mut Path, timers: &Timers, end: Timestamp) -> Vec<(Timestamp, PathState)> {
        let mut asks = Vec::new();
        while path.due() <= end {
            let now = path.due();
            if path.on_due(now, 0, timers, u32::MAX).is_some() {
                asks.push((now, path.state(timers)));
            }
        }
        asks
    }

    #[test]
    fn rfc_9260_5_4_an_address_that_never_answers_is_asked_less_and_less() {
        let timers = Timers::lan();
        let mut path = path(false, &timers);
        let asked = asks(&mut path, &timers, at(60_000));
        let asked_at: Vec<_> = asked.iter().map(|(at, _)| at.0.as_millis()).collect();
        assert_eq!(
            asked_at,
            [0, 100, 300, 700, 1500, 3100, 6300, 12_700, 25_500, 51_100]
        );
        assert!(
            asked
                .iter()
                .all(|(_, state)| *state == PathState::Unconfirmed)
        );
        let later = asks(&mut path, &timers, at(600_000));
        assert_eq!(later.len(), 18, "two a minute");
    }

    #[test]
    fn rfc_7829_3_2_a_silent_path_has_potentially_failed_and_then_failed() {
        let timers = Timers::rfc();
        let mut path = path(true, &timers);
        let asked = asks(&mut path, &timers, at(200_000));
        let states: Vec<_> = asked
            .iter()
            .map(|(at, state)| (at.0.as_secs(), *state))
            .collect();
        assert_eq!(
            states,
            [
                (30, PathState::Active),
                (31, PathState::PotentiallyFailed),
                (33, PathState::PotentiallyFailed),
                (37, PathState::PotentiallyFailed),
                (45, PathState::PotentiallyFailed),
                (61, PathState::PotentiallyFailed),
                (93, PathState::Inactive),
                (123, PathState::Inactive),
                (153, PathState::Inactive),
                (183, PathState::Inactive),
            ]
        );
    }

    #[test]
    fn rfc_9260_8_3_an_answer_makes_it_active_again_and_is_measured() {
        let timers = Timers::lan();
        let mut path = path(true, &timers);
        asks(&mut path, &timers, at(2000));
        assert_eq!(path.state(&timers), PathState::Inactive);
        let asked = path.asked.unwrap();
        path.on_heartbeat_ack(asked + Duration::from_millis(60), path.counter, &timers);
        assert_eq!(path.state(&timers), PathState::Active);
        assert_eq!(path.rto(), Duration::from_millis(180));
        path.on_heartbeat_ack(asked + Duration::from_secs(9), path.counter - 1, &timers);
        assert_eq!(path.rto(), Duration::from_millis(180), "not its own");
    }
}
