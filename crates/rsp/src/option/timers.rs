//! `--timers`, and every timer by itself.

use clap::ValueEnum;
use rserpool::Timers;
use std::time::Duration;

/// Where the timers start from, and those that are set by themselves.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct TimerOptions {
    /// The timers: `default` for a LAN (a silent element is gone in 2 s, a silent registrar in
    /// 3 s), `fast` (0.35 s, 0.5 s), or `rfc` (the RFCs' own: 10 s, 66 s); each can be set by
    /// itself, see --help
    #[arg(
        long,
        value_enum,
        default_value = "default",
        value_name = "PRESET",
        env = "RSP_TIMERS"
    )]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    timers: Preset,
    #[command(flatten)]
    single: Single,
    /// MAX-REG-ATTEMPT: failed registrations in a row before it is reported
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = HEADING)]
    max_reg_attempt: Option<u32>,
    /// MAX-REQUEST-RETRANSMIT: how often a request is sent again
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = HEADING)]
    max_request_retransmit: Option<u32>,
    /// MAX-BAD-PE-REPORT: how many pool users may report a silent element before it is removed
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = HEADING)]
    max_bad_pe_report: Option<u32>,
}

const HEADING: &str = "Single timers and thresholds";

/// A preset of all timers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Preset {
    Default,
    Fast,
    Rfc,
}

impl Preset {
    /// Its timers.
    pub(crate) fn timers(self) -> Timers {
        match self {
            Self::Default => Timers::default(),
            Self::Fast => Timers::fast(),
            Self::Rfc => Timers::rfc(),
        }
    }

    /// As `--timers` takes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Fast => "fast",
            Self::Rfc => "rfc",
        }
    }
}

/// Declares the options in milliseconds, and the timer that each one sets.
macro_rules! single_timers {
    ($($(#[$about:meta])+ $option:ident sets $($timer:ident).+;)+) => {
        #[derive(clap::Args, Clone, Debug)]
        struct Single {
            $($(#[$about])+
            #[arg(long, value_name = "MS", value_parser = milliseconds)]
            #[arg(hide_short_help = true, help_heading = HEADING)]
            $option: Option<Duration>,)+
        }

        impl Single {
            fn apply(&self, timers: &mut Timers) {
                $(if let Some(duration) = self.$option {
                    timers.$($timer).+ = duration;
                })+
            }
        }
    };
}

single_timers! {
    /// T1: how long a handle resolution waits for its response
    t1_enrp_request_ms sets asap.t1_enrp_request;
    /// T2: how long a registration waits for its response
    t2_registration_ms sets asap.t2_registration;
    /// T3: how long a deregistration waits for its response
    t3_deregistration_ms sets asap.t3_deregistration;
    /// T4: how long after a registration it is renewed
    t4_reregistration_ms sets asap.t4_reregistration;
    /// T5: how long one round of the hunt for a registrar lasts
    t5_server_hunt_ms sets asap.t5_server_hunt;
    /// T6: the time between two announces of registrars
    t6_server_announce_ms sets asap.t6_server_announce;
    /// T7: how long an announce is valid
    t7_enrp_outdate_ms sets asap.t7_enrp_outdate;
    /// RETRAN-MAX: the ceiling of everything that backs off
    retran_max_ms sets asap.retran_max;
    /// How long a pool user answers from its cache without asking
    stale_cache_value_ms sets asap.stale_cache_value;
    /// How long a session waits for a registrar before it goes by an old answer
    stale_answer_after_ms sets asap.stale_answer_after;
    /// The mean time between two keep-alives to an element
    keep_alive_interval_ms sets asap.keep_alive_interval;
    /// How long an element may take to answer a keep-alive
    keep_alive_timeout_ms sets asap.keep_alive_timeout;
    /// How long a registration holds unless it is renewed
    registration_life_ms sets asap.registration_life;
    /// The shortest time between two updates of one pool to a subscriber
    update_coalescing_ms sets asap.update_coalescing;
    /// PEER-HEARTBEAT-CYCLE: the time between two signs of life to every peer
    peer_heartbeat_cycle_ms sets asap.peer_heartbeat_cycle;
    /// MAX-TIME-LAST-HEARD: how long a peer may be silent before it is asked
    max_time_last_heard_ms sets asap.max_time_last_heard;
    /// MAX-TIME-NO-RESPONSE: how long a peer may take to answer before it is taken over
    max_time_no_response_ms sets asap.max_time_no_response;
    /// How long a registrar that starts listens for peers on the multicast channel
    mentor_discovery_ms sets asap.mentor_discovery;
    /// How long an element may take to accept a session before the next one is tried
    connect_timeout_ms sets session.connect_timeout;
    /// How long a session may be without any element before it is given up
    give_up_after_ms sets session.give_up_after;
}

impl TimerOptions {
    /// The timers that the options name.
    pub(crate) fn timers(&self) -> Timers {
        let mut timers = self.timers.timers();
        self.single.apply(&mut timers);
        let asap = &mut timers.asap;
        asap.max_reg_attempt = self.max_reg_attempt.unwrap_or(asap.max_reg_attempt);
        asap.max_request_retransmit = self
            .max_request_retransmit
            .unwrap_or(asap.max_request_retransmit);
        asap.max_bad_pe_report = self.max_bad_pe_report.unwrap_or(asap.max_bad_pe_report);
        timers
    }
}

fn milliseconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        timers: TimerOptions,
    }

    #[test]
    fn single_timers_change_the_preset() {
        let line = ["rsp", "--timers", "fast", "--keep-alive-interval-ms", "77"];
        let timers = Line::parse_from(line).timers.timers();
        let mut expected = Timers::fast();
        expected.asap.keep_alive_interval = Duration::from_millis(77);
        assert_eq!(timers, expected);
        assert_eq!(Line::parse_from(["rsp"]).timers.timers(), Timers::default());
    }
}
