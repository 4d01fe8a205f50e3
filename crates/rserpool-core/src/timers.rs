//! Timers, variables and thresholds (RFC 5352 §7, RFC 5353 §4) and their three presets.
//!
//! Must not know any machine: these are numbers with the RFC's names.

use std::time::Duration;

/// Every time and threshold that registrar, pool element and pool user go by. All are settable;
/// a preset is where one starts.
///
/// | preset | for |
/// |---|---|
/// | [`rfc`](Self::rfc) | the RFC's own values: wide-area, slow to notice |
/// | [`default`](Self::default) | an operator's LAN: a dead server is gone after 2.25 s at most |
/// | [`fast`](Self::fast) | real-time signalling: gone after 0.35 s at most |
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timers {
    /// T1-ENRPrequest: how long a handle resolution waits before it is sent again.
    pub t1_enrp_request: Duration,
    /// T2-registration: how long the first registration waits for its response; doubles with each
    /// attempt up to [`retran_max`](Self::retran_max).
    pub t2_registration: Duration,
    /// T3-deregistration: how long a deregistration waits for its response.
    pub t3_deregistration: Duration,
    /// T4-reregistration: how long after a registration it is renewed, if its life allows.
    pub t4_reregistration: Duration,
    /// T5-Serverhunt: how long one round of a server hunt lasts; doubles with each round up to
    /// [`retran_max`](Self::retran_max).
    pub t5_server_hunt: Duration,
    /// T6-Serverannounce: the time between two announces in the whole operational scope.
    pub t6_server_announce: Duration,
    /// T7-ENRPoutdate: how long an announce is valid.
    pub t7_enrp_outdate: Duration,
    /// RETRAN-MAX: the ceiling of everything that backs off.
    pub retran_max: Duration,
    /// MAX-REG-ATTEMPT: failed registration attempts in a row before the user is told.
    pub max_reg_attempt: u32,
    /// Whether a pool element keeps trying after MAX-REG-ATTEMPT. The RFC says it SHOULD stop; a
    /// server that was thrown out while all registrars were down then never comes back.
    pub keep_trying: bool,
    /// MAX-REQUEST-RETRANSMIT: how often a request is sent again.
    pub max_request_retransmit: u32,
    /// stale_cache_value: how long a pool user answers from its cache without asking; zero asks
    /// every time.
    pub stale_cache_value: Duration,
    /// How long a pool user that selects a pool element waits for a registrar, if it has an old
    /// answer: then it goes by that one (RFC 5352 §3.3 has no such wait), and by the registrar's
    /// when that comes. Sessions go on this soon when no registrar is left; who selects while the
    /// same registrar is still waited for does not wait again.
    pub stale_answer_after: Duration,
    /// The mean time between two keep-alives to a pool element, each ±50 % (RFC 5352 §3.5).
    pub keep_alive_interval: Duration,
    /// How long a pool element may take to answer a keep-alive before it is removed.
    pub keep_alive_timeout: Duration,
    /// MAX-BAD-PE-REPORT: a pool element that does not answer and of which more than this many
    /// pool users say that it is unreachable gets no full timeout.
    pub max_bad_pe_report: u32,
    /// The registration life that a pool element asks for unless told otherwise.
    pub registration_life: Duration,
    /// The shortest time between two dynamic updates of one pool.
    pub update_coalescing: Duration,
    /// PEER-HEARTBEAT-CYCLE: the time between two ENRP_PRESENCE messages to all peers
    /// (RFC 5353 §4.2).
    pub peer_heartbeat_cycle: Duration,
    /// MAX-TIME-LAST-HEARD: a peer that has been silent for longer is asked whether it is there.
    pub max_time_last_heard: Duration,
    /// MAX-TIME-NO-RESPONSE: how long a peer may take to answer.
    pub max_time_no_response: Duration,
    /// How long a registrar that starts listens on the multicast channel for peers before it
    /// takes itself to be alone. Peers given by configuration do not wait for it.
    pub mentor_discovery: Duration,
}

impl Timers {
    /// The values of RFC 5352 §7. Where it has none: keep-alives every 5 s and a timeout of 5 s,
    /// three bad reports, a cache that is stale after 30 s and used no earlier than T1-ENRPrequest
    /// has run out for good, a registration life of 20 min.
    pub fn rfc() -> Self {
        Self {
            t1_enrp_request: Duration::from_secs(15),
            t2_registration: Duration::from_secs(30),
            t3_deregistration: Duration::from_secs(30),
            t4_reregistration: Duration::from_secs(600),
            t5_server_hunt: Duration::from_secs(10),
            t6_server_announce: Duration::from_secs(1),
            t7_enrp_outdate: Duration::from_secs(5),
            retran_max: Duration::from_secs(60),
            max_reg_attempt: 2,
            keep_trying: false,
            max_request_retransmit: 2,
            stale_cache_value: Duration::from_secs(30),
            stale_answer_after: Duration::from_secs(45),
            keep_alive_interval: Duration::from_secs(5),
            keep_alive_timeout: Duration::from_secs(5),
            max_bad_pe_report: 3,
            registration_life: Duration::from_secs(1200),
            update_coalescing: Duration::from_millis(100),
            peer_heartbeat_cycle: Duration::from_secs(30),
            max_time_last_heard: Duration::from_secs(61),
            max_time_no_response: Duration::from_secs(5),
            mentor_discovery: Duration::from_secs(1),
        }
    }

    /// Real-time signalling: everything within 0.35 s, at the price of 7 keep-alives per second
    /// and pool element.
    pub fn fast() -> Self {
        Self {
            t1_enrp_request: Duration::from_millis(100),
            t2_registration: Duration::from_millis(150),
            t3_deregistration: Duration::from_millis(150),
            t4_reregistration: Duration::from_secs(5),
            t5_server_hunt: Duration::from_secs(1),
            t6_server_announce: Duration::from_millis(250),
            t7_enrp_outdate: Duration::from_millis(1500),
            retran_max: Duration::from_secs(1),
            stale_cache_value: Duration::from_millis(100),
            stale_answer_after: Duration::from_millis(50),
            keep_alive_interval: Duration::from_millis(150),
            keep_alive_timeout: Duration::from_millis(100),
            registration_life: Duration::from_secs(30),
            update_coalescing: Duration::from_millis(5),
            peer_heartbeat_cycle: Duration::from_millis(150),
            max_time_last_heard: Duration::from_millis(400),
            max_time_no_response: Duration::from_millis(100),
            mentor_discovery: Duration::from_millis(50),
            ..Self::default()
        }
    }
}

impl Default for Timers {
    /// An operator's LAN: a silent pool element is gone after 1.5 + 0.75 s, a lost registrar is
    /// replaced within 1.5 s, and all pool elements return to an empty registrar within 3 s.
    fn default() -> Self {
        Self {
            t1_enrp_request: Duration::from_millis(400),
            t2_registration: Duration::from_millis(750),
            t3_deregistration: Duration::from_millis(750),
            t4_reregistration: Duration::from_secs(20),
            t5_server_hunt: Duration::from_secs(2),
            t6_server_announce: Duration::from_secs(1),
            t7_enrp_outdate: Duration::from_secs(5),
            retran_max: Duration::from_secs(2),
            max_reg_attempt: 2,
            keep_trying: true,
            max_request_retransmit: 2,
            stale_cache_value: Duration::from_secs(1),
            stale_answer_after: Duration::from_millis(150),
            keep_alive_interval: Duration::from_secs(1),
            keep_alive_timeout: Duration::from_millis(750),
            max_bad_pe_report: 3,
            registration_life: Duration::from_secs(60),
            update_coalescing: Duration::from_millis(20),
            peer_heartbeat_cycle: Duration::from_secs(1),
            max_time_last_heard: Duration::from_millis(2500),
            max_time_no_response: Duration::from_millis(500),
            mentor_discovery: Duration::from_millis(200),
        }
    }
}
