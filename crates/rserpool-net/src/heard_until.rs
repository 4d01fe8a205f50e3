//! Until when all that has arrived was read. Timers go by that and not by the clock: while more
//! has arrived than was read, whoever seems silent may have been heard.

use std::time::Duration;

/// Turns after which timers run although the sockets were never found empty: a flood must not stop
/// time. With 16 datagrams in each, these are several times as many as one peer that keeps to its
/// receive window has on their way.
const TURNS_MAX: u32 = 32;

/// Times are since the node started.
#[derive(Default)]
pub(crate) struct HeardUntil {
    at: Duration,
    turns: u32,
}

impl HeardUntil {
    /// A turn of reading that began at `now` is over; `is_behind`: more is there than was read.
    pub(crate) fn after_turn(&mut self, now: Duration, is_behind: bool) {
        self.turns += 1;
        if !is_behind || self.turns >= TURNS_MAX {
            self.turns = 0;
            self.at = now;
        }
    }

    /// Whether a timer that expires at this time may run.
    pub(crate) fn is_past(&self, deadline: Duration) -> bool {
        deadline <= self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_timer_runs_once_all_that_came_before_its_deadline_is_read() {
        let mut heard = HeardUntil::default();
        heard.after_turn(at(10), false);
        assert!(heard.is_past(at(10)));
        assert!(!heard.is_past(at(11)));
        heard.after_turn(at(500), true);
        assert!(!heard.is_past(at(11)), "an answer may wait to be read");
        heard.after_turn(at(501), false);
        assert!(heard.is_past(at(501)));
    }

    #[test]
    fn a_flood_that_never_ends_does_not_stop_time() {
        let mut heard = HeardUntil::default();
        let turns = (1..=u64::from(TURNS_MAX)).map(at);
        for now in turns {
            assert!(!heard.is_past(at(1)));
            heard.after_turn(now, true);
        }
        assert!(heard.is_past(at(1)));
        heard.after_turn(at(1_000), true);
        assert!(!heard.is_past(at(1_000)));
    }
}
