//! Packets that belong to no association (RFC 9260 §8.4), and how many of them are answered.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::packet::{Header, Packet, T_BIT, Writer, chunk_type, error_cause, type_length_value};

/// Answers to strangers in a second, and in one burst. After a restart every peer of the old
/// process needs one to learn of it: 10,000 peers learn within seconds. An answer is never
/// longer than the packet that asked for it, so this is no amplifier.
pub(crate) const RESPONSES_PER_SECOND: u32 = 2_000;

/// What RFC 9260 §8.4 has us answer, rules 5 to 8. INIT and COOKIE ECHO are handled before.
pub(crate) fn answer(packet: &Packet<'_>) -> Option<Vec<u8>> {
    // Rule 2, and a packet that nobody could have meant for an association.
    if packet.find(chunk_type::ABORT).is_some() || packet.header.verification_tag == 0 {
        return None;
    }
    // Rule 5.
    if packet.find(chunk_type::SHUTDOWN_ACK).is_some() {
        let header = packet.header.reversed();
        let complete = Writer::new(header).chunk(chunk_type::SHUTDOWN_COMPLETE, T_BIT, &[]);
        return Some(complete.finish());
    }
    // Rules 6 and 7.
    let is_stale_cookie = packet
        .find(chunk_type::ERROR)
        .and_then(|error| error.first_cause().map(|(code, _)| code))
        == Some(error_cause::STALE_COOKIE);
    let is_silent = packet.find(chunk_type::SHUTDOWN_COMPLETE).is_some()
        || packet.find(chunk_type::COOKIE_ACK).is_some()
        || is_stale_cookie;
    // Rule 8.
    (!is_silent).then(|| {
        Writer::new(packet.header.reversed())
            .chunk(chunk_type::ABORT, T_BIT, &[])
            .finish()
    })
}

/// ABORT with one error cause, the tag not reflected.
pub(crate) fn abort(header: Header, cause: u16, value: &[u8]) -> Vec<u8> {
    let cause = type_length_value(cause, value);
    Writer::new(header)
        .chunk(chunk_type::ABORT, 0, &cause)
        .finish()
}

/// RFC 9260 §8.4 rule 1: nothing goes to an address that is not one host's.
pub(crate) fn is_unicast(address: SocketAddr) -> bool {
    let to_many = match address.ip() {
        IpAddr::V4(ip) => ip.is_broadcast() || ip.is_multicast() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_multicast() || ip.is_unspecified(),
    };
    !to_many
}

impl Header {
    /// For a packet back to the sender, with the same tag.
    pub(crate) fn reversed(self) -> Self {
        Self {
            source_port: self.destination_port,
            destination_port: self.source_port,
            verification_tag: self.verification_tag,
        }
    }
}

/// Time in the units of a Stale Cookie error: microseconds (RFC 9260 §3.3.10.3).
pub(crate) fn staleness(by: Duration) -> [u8; 4] {
    u32::try_from(by.as_micros())
        .unwrap_or(u32::MAX)
        .to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        source_port: 1,
        destination_port: 2,
        verification_tag: 0x0a0b_0c0d,
    };

    fn answer_to(kind: u8, value: &[u8]) -> Option<(u8, u8, Header)> {
        let packet = Writer::new(HEADER).chunk(kind, 0, value).finish();
        let answer = answer(&Packet::parse(&packet).unwrap())?;
        assert!(answer.len() <= packet.len().max(16));
        let answer = Packet::parse(&answer).unwrap();
        assert!(answer.checksum_is_right());
        Some((answer.first().kind, answer.first().flags, answer.header))
    }

    #[test]
    fn rfc_9260_8_4_rule_2_abort_is_never_answered() {
        assert_eq!(answer_to(chunk_type::ABORT, &[]), None);
    }

    #[test]
    fn rfc_9260_8_4_rule_5_shutdown_ack_is_completed_with_the_tag_reflected() {
        let expected = (chunk_type::SHUTDOWN_COMPLETE, T_BIT, HEADER.reversed());
        assert_eq!(answer_to(chunk_type::SHUTDOWN_ACK, &[]), Some(expected));
    }

    #[test]
    fn rfc_9260_8_4_rules_6_and_7_are_silent() {
        assert_eq!(answer_to(chunk_type::SHUTDOWN_COMPLETE, &[]), None);
        assert_eq!(answer_to(chunk_type::COOKIE_ACK, &[]), None);
        let stale = type_length_value(error_cause::STALE_COOKIE, &[0; 4]);
        assert_eq!(answer_to(chunk_type::ERROR, &stale), None);
    }

    #[test]
    fn rfc_9260_8_4_rule_8_the_rest_is_aborted_with_the_tag_reflected() {
        let expected = (chunk_type::ABORT, T_BIT, HEADER.reversed());
        assert_eq!(answer_to(chunk_type::DATA, &[0; 16]), Some(expected));
        assert_eq!(answer_to(chunk_type::HEARTBEAT, &[0; 8]), Some(expected));
        let other_error = type_length_value(error_cause::OUT_OF_RESOURCE, &[]);
        assert_eq!(answer_to(chunk_type::ERROR, &other_error), Some(expected));
    }
}
