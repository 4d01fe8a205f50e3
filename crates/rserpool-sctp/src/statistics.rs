//! What an endpoint has seen, as counters that only grow.

/// Counters since the endpoint was made. Every packet that is not taken is in one of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// Packets handed in.
    pub packets_in: u64,
    /// Packets given out.
    pub packets_out: u64,
    /// Associations that came up.
    pub associations_up: u64,
    /// Associations that ended after they had been up.
    pub associations_down: u64,
    /// Associations that a peer set up again without ending them.
    pub restarts: u64,
    /// Dropped: no SCTP packet, or chunks that RFC 9260 forbids in this place.
    pub malformed: u64,
    /// Dropped: wrong CRC32c (RFC 9260 §6.8).
    pub bad_checksum: u64,
    /// Answered or dropped: verification tag, ports or address fit no association
    /// (RFC 9260 §8.4).
    pub out_of_the_blue: u64,
    /// Answers to strangers not sent because too many were due.
    pub responses_suppressed: u64,
    /// INITs answered with INIT ACK.
    pub inits_answered: u64,
    /// INITs refused because nobody listens.
    pub inits_refused: u64,
    /// INITs and cookies refused because of `associations_max`.
    pub out_of_resource: u64,
    /// Associations ended because of `reassembly_octets_max`.
    pub out_of_memory: u64,
    /// Dropped: a cookie that this endpoint did not make, or not for this peer.
    pub bad_cookie: u64,
    /// Answered with "Stale Cookie": the cookie is too old.
    pub stale_cookie: u64,
    /// Dropped: the cookie of an association that has already ended.
    pub replayed_cookie: u64,
    /// INITs refused because a peer that restarts lists addresses that it did not have
    /// (RFC 9260 §5.2.2).
    pub restarts_refused: u64,
    /// Data that took another path because its own failed.
    pub failovers: u64,
    /// Peers that moved to another UDP address.
    pub address_changes: u64,
    /// Associations ended because the peer used a stream it had not negotiated.
    pub invalid_streams: u64,
    /// ICMP messages that matched no association.
    pub icmp_ignored: u64,
    /// Heartbeats sent.
    pub heartbeats_out: u64,
    /// Things that a peer did against RFC 9260 and that were passed over.
    pub protocol_errors: u64,
}
