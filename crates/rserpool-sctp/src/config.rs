//! What the owner of an endpoint may choose, and the bounds it is corrected to.

use std::net::IpAddr;
use std::time::Duration;

use dcsctp::api::Options;

/// Candidate addresses of one [`crate::Remote`]: more than any host that registers with a pool
/// has, few enough that one INIT to each is no flood.
pub const CANDIDATES_MAX: usize = 8;

/// Addresses of our own that a peer is told: an INIT ACK with them still fits any packet.
pub const LOCAL_ADDRESSES_MAX: usize = 8;

/// The smallest SCTP packet size taken: RFC 9260 §3.3.3 needs an INIT ACK to fit.
const MTU_MIN: usize = 512;
/// The largest: a UDP payload over IPv4, rounded down to the chunk alignment.
const MTU_MAX: usize = 65_504;
/// No timer below this: a driver cannot be expected to wake more often.
const TIMER_MIN: Duration = Duration::from_millis(5);
/// The endpoint's own header and chunk overhead in a message of one packet.
const CHUNK_OVERHEAD: usize = 64;

/// The protocol parameters of RFC 9260 §16 that have to do with time.
///
/// How soon a silent peer is reported is [`Timers::detection_bound`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timers {
    /// RTO.Initial: the retransmission time-out before the first measurement.
    pub rto_initial: Duration,
    /// RTO.Min.
    pub rto_min: Duration,
    /// RTO.Max: the greatest time-out that a measured round trip can lead to.
    pub rto_max: Duration,
    /// The greatest time-out that doubling (RFC 9260 §6.3.3 E2) can lead to, for data and
    /// heartbeats. Never shorter than the measured RTO.
    pub backoff_max: Duration,
    /// HB.interval: the longest silence of a peer before it is asked whether it is there. Each
    /// wait is drawn between three quarters of it and all of it: associations set up together do
    /// not beat together, and who asks its peer a little more often than this, as a registrar its
    /// pool elements, causes no heartbeats beside that.
    pub heartbeat_interval: Duration,
    /// The longest time an acknowledgement is held back (RFC 9260 §6.2).
    pub sack_delay: Duration,
    /// Association.Max.Retrans: unanswered repetitions after which the peer is lost.
    pub association_max_retrans: u16,
    /// Path.Max.Retrans: unanswered packets in a row after which a path is inactive. Data leaves
    /// a path after the first (RFC 7829 with PotentiallyFailed.Max.Retrans 0), if another works.
    pub path_max_retrans: u16,
    /// Max.Init.Retransmits.
    pub init_max_retrans: u16,
    /// How long a cookie is good for (Valid.Cookie.Life).
    pub cookie_life: Duration,
}

impl Timers {
    /// RFC 9260 §16: RTO 1 s to 60 s, heartbeats every 30 s. A silent peer is lost after
    /// minutes; a wide area is safe.
    #[must_use]
    pub const fn rfc() -> Self {
        Self {
            rto_initial: Duration::from_secs(1),
            rto_min: Duration::from_secs(1),
            rto_max: Duration::from_secs(60),
            backoff_max: Duration::from_secs(60),
            heartbeat_interval: Duration::from_secs(30),
            sack_delay: Duration::from_millis(200),
            association_max_retrans: 10,
            path_max_retrans: 5,
            init_max_retrans: 8,
            cookie_life: Duration::from_secs(60),
        }
    }

    /// One site: RTO 100 ms, a silent peer is lost within 2 s, a busy one is not. The default.
    #[must_use]
    pub const fn lan() -> Self {
        Self {
            rto_initial: Duration::from_millis(100),
            rto_min: Duration::from_millis(100),
            rto_max: Duration::from_secs(1),
            backoff_max: Duration::from_millis(300),
            heartbeat_interval: Duration::from_millis(750),
            sack_delay: Duration::from_millis(20),
            association_max_retrans: 4,
            path_max_retrans: 1,
            init_max_retrans: 4,
            cookie_life: Duration::from_secs(60),
        }
    }

    /// One rack or one machine: RTO 40 ms, a silent peer is lost within 0.5 s. An association with
    /// more traffic than that needs no heartbeats.
    #[must_use]
    pub const fn fast() -> Self {
        Self {
            rto_initial: Duration::from_millis(40),
            rto_min: Duration::from_millis(40),
            rto_max: Duration::from_millis(500),
            backoff_max: Duration::from_millis(50),
            heartbeat_interval: Duration::from_millis(250),
            sack_delay: Duration::from_millis(10),
            association_max_retrans: 4,
            path_max_retrans: 1,
            init_max_retrans: 4,
            cookie_life: Duration::from_secs(60),
        }
    }

    /// The longest time between the last packet of a silent peer and [`crate::DownReason::Lost`],
    /// while the round trip is short of `rto_min`.
    #[must_use]
    pub fn detection_bound(&self) -> Duration {
        let waits = (0..=u32::from(self.association_max_retrans))
            .map(|unanswered| self.backed_off(self.rto_min, unanswered))
            .sum::<Duration>();
        self.heartbeat_interval + waits
    }

    /// `rto` doubled `times` times, up to `backoff_max`, never below `rto`.
    pub(crate) fn backed_off(&self, rto: Duration, times: u32) -> Duration {
        let doubled = rto.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX));
        doubled.min(self.backoff_max.max(rto))
    }

    fn corrected(mut self) -> Self {
        self.rto_min = self.rto_min.max(TIMER_MIN);
        self.rto_max = self.rto_max.max(self.rto_min);
        self.rto_initial = self.rto_initial.clamp(self.rto_min, self.rto_max);
        self.backoff_max = self.backoff_max.max(self.rto_min);
        self.heartbeat_interval = self.heartbeat_interval.max(TIMER_MIN);
        // An acknowledgement held back for as long as the peer waits for it would be repeated.
        self.sack_delay = self.sack_delay.min(self.rto_min / 2);
        self.association_max_retrans = self.association_max_retrans.max(1);
        self
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self::lan()
    }
}

/// How an endpoint behaves. What is out of bounds is corrected by [`crate::Endpoint::new`];
/// [`crate::Endpoint::config`] tells what is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Our SCTP port, for associations in both directions.
    pub sctp_port: u16,
    /// Accept associations. Without it an INIT is refused, except from a peer that we are
    /// connecting to (RFC 9260 §5.2.1).
    pub listen: bool,
    /// Streams offered in each direction; the peer may have fewer. At least 1.
    pub streams: u16,
    /// Our addresses, for the peer to use besides the one it hears first (RFC 9260 §5.1.2).
    /// Empty: nothing is said, and the peer uses only that one. At most
    /// [`LOCAL_ADDRESSES_MAX`]; an association takes those of when it begins.
    pub local_addresses: Vec<IpAddr>,
    /// Time-outs and how often to try.
    pub timers: Timers,
    /// The largest message that may be sent, in octets.
    pub message_octets_max: usize,
    /// What one association may hold of received and not yet complete messages, in octets. At
    /// least one and a half of the largest message. Only user data is counted.
    pub receive_window_octets: usize,
    /// Memory for not yet complete messages of all associations, in octets. Here the overhead of
    /// fragments is counted too: a peer that means harm sends them of one octet. When there is
    /// more, the association that holds most ends, [`crate::DownReason::OutOfResource`]. At least
    /// four receive windows.
    pub reassembly_octets_max: usize,
    /// What one association may hold of messages not yet acknowledged, in octets. At least the
    /// largest message.
    pub send_queue_octets_max: usize,
    /// Associations at a time, in set-up or up. Beyond it an INIT is refused with "out of
    /// resource".
    pub associations_max: usize,
    /// Size of an SCTP packet, in octets: a link's MTU less the IP and UDP headers.
    pub mtu: usize,
}

impl Config {
    /// The defaults, for SCTP port `sctp_port`.
    #[must_use]
    pub fn new(sctp_port: u16) -> Self {
        Self {
            sctp_port,
            ..Self::default()
        }
    }

    pub(crate) fn corrected(mut self) -> Self {
        self.timers = self.timers.corrected();
        self.streams = self.streams.max(1);
        self.local_addresses.truncate(LOCAL_ADDRESSES_MAX);
        self.message_octets_max = self.message_octets_max.max(1);
        self.send_queue_octets_max = self.send_queue_octets_max.max(self.message_octets_max);
        let least_window = self.message_octets_max + self.message_octets_max / 2;
        self.receive_window_octets = self
            .receive_window_octets
            .max(least_window)
            .clamp(MTU_MIN, usize::try_from(u32::MAX).unwrap_or(usize::MAX));
        let least_reassembly = self.receive_window_octets.saturating_mul(4);
        self.reassembly_octets_max = self.reassembly_octets_max.max(least_reassembly);
        self.mtu = self.mtu.clamp(MTU_MIN, MTU_MAX) / 4 * 4;
        self
    }

    /// What the association machinery is told. `peer_port` is the peer's SCTP port.
    pub(crate) fn options(&self, peer_port: u16) -> Options {
        let timers = &self.timers;
        Options {
            local_port: self.sctp_port,
            remote_port: peer_port,
            announced_maximum_incoming_streams: self.streams,
            announced_maximum_outgoing_streams: self.streams,
            mtu: self.mtu,
            max_message_size: self.message_octets_max,
            max_receiver_window_buffer_size: self.receive_window_octets,
            // The endpoint counts what is unacknowledged and refuses before this is reached.
            max_send_buffer_size: self.send_queue_octets_max + CHUNK_OVERHEAD,
            per_stream_send_queue_limit: self.send_queue_octets_max + CHUNK_OVERHEAD,
            rtt_max: timers.rto_max,
            rto_initial: timers.rto_initial,
            rto_max: timers.rto_max,
            rto_min: timers.rto_min,
            t1_init_timeout: timers.rto_initial,
            t1_cookie_timeout: timers.rto_initial,
            t2_shutdown_timeout: timers.rto_initial,
            max_timer_backoff_duration: Some(timers.backoff_max),
            // The endpoint beats itself (heartbeat.rs): with jitter, and sooner when in doubt.
            heartbeat_interval: Duration::ZERO,
            delayed_ack_max_timeout: timers.sack_delay,
            // The least variance becomes half of it on top of the measured round trip: room for
            // the peer's held-back acknowledgement, and no more, or the RTO cannot fall.
            min_rtt_variance: timers.sack_delay * 2,
            max_retransmissions: Some(u32::from(timers.association_max_retrans)),
            max_init_retransmits: Some(u32::from(timers.init_max_retrans)),
            // Not offered: nobody here sends messages that may be dropped, and it spares the
            // state that FORWARD TSN chunks can make a receiver keep.
            enable_partial_reliability: false,
            // Every packet has passed the endpoint's own check before it gets there.
            disable_checksum_verification: true,
            ..Options::default()
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sctp_port: 9899,
            listen: false,
            streams: 16,
            local_addresses: Vec::new(),
            timers: Timers::default(),
            message_octets_max: 72 * 1024,
            receive_window_octets: 128 * 1024,
            // 10,000 peers in the middle of a message of several packets, or 450 of them in the
            // middle of one of 72 KiB.
            reassembly_octets_max: 64 << 20,
            send_queue_octets_max: 256 * 1024,
            associations_max: 16_384,
            // Ethernet less the IPv6 and UDP headers; right for IPv4 too.
            mtu: 1452,
        }
    }
}
