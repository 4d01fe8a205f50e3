//! The authenticated State Cookie (RFC 9260 §5.1.3, §5.1.5).
//!
//! dcsctp's own cookie is 48 octets without authentication: anybody could write one. The INIT
//! ACK leaves with that cookie, the time it was made, the further addresses that the peer listed,
//! and an HMAC-SHA256 over all that, the ports and the peer's address. The COOKIE ECHO is checked
//! and the additions are taken off again.
//!
//! Knows no association: the cookie is all the state there is before COOKIE ECHO.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::addresses::{self, ADDRESS_PARAMETER_OCTETS_MAX, PEER_ADDRESSES_MAX};
use crate::packet::{
    CHUNK_HEADER_OCTETS, HEADER_OCTETS, Header, INIT_FIXED_OCTETS, Packet, Writer, chunk_type,
    parameters, read_u32, read_u64, type_length_value,
};
use crate::time::Timestamp;

/// dcsctp's cookie.
const INNER_OCTETS: usize = 48;
/// Where dcsctp keeps the peer's tag.
const INNER_PEER_TAG_AT: usize = 8;
/// Where dcsctp keeps the tag that it gave itself.
const INNER_LOCAL_TAG_AT: usize = 12;
/// When the cookie was made: microseconds of the driver's time.
const TIME_OCTETS: usize = 8;
/// HMAC-SHA256.
const MAC_OCTETS: usize = 32;
/// Without further addresses of the peer.
const SEALED_OCTETS: usize = INNER_OCTETS + TIME_OCTETS + MAC_OCTETS;
/// With as many as there may be. What is longer is no cookie of ours, and not worth a MAC.
const SEALED_OCTETS_MAX: usize = SEALED_OCTETS + PEER_ADDRESSES_MAX * ADDRESS_PARAMETER_OCTETS_MAX;
/// The State Cookie parameter, RFC 9260 §3.3.3.
const STATE_COOKIE_PARAMETER: u16 = 7;
/// Keeps this use of the key apart from any other.
const LABEL: &[u8] = b"rserpool-sctp state cookie 1";

/// Whose cookie it is. A cookie sent back from elsewhere does not verify.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Binding {
    pub(crate) peer: SocketAddr,
    pub(crate) local_port: u16,
    pub(crate) peer_port: u16,
}

/// What came of a COOKIE ECHO.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Opened {
    /// Made here, for this peer.
    Authentic {
        /// The packet as dcsctp wants it.
        packet: Vec<u8>,
        /// The tag that we gave ourselves.
        local_tag: u32,
        /// The tag that the peer gave itself.
        peer_tag: u32,
        /// The addresses that the peer listed in its INIT.
        listed: Vec<IpAddr>,
        /// How much older than its life it is, if it is.
        stale_by: Option<Duration>,
    },
    /// Not ours, or not for this peer.
    Bad,
}

/// Makes and checks cookies with one secret key.
pub(crate) struct CookieJar {
    mac: Hmac<Sha256>,
    life: Duration,
}

impl CookieJar {
    pub(crate) fn new(key: &[u8; 32], life: Duration) -> Self {
        let mac = Hmac::new_from_slice(key).expect("HMAC takes a key of any length");
        Self { mac, life }
    }

    /// Puts a sealed cookie in place of dcsctp's into an INIT ACK. `None` if it has none.
    /// `listed` is what the peer listed in its INIT, `local` what we list in the INIT ACK.
    pub(crate) fn seal(
        &self,
        now: Timestamp,
        init_ack: &[u8],
        to: Binding,
        listed: &[IpAddr],
        local: &[IpAddr],
    ) -> Option<Vec<u8>> {
        let packet = Packet::parse(init_ack)?;
        let value = packet.first().value;
        let fixed = value.get(..INIT_FIXED_OCTETS)?;
        let mut sealed = fixed.to_vec();
        sealed.extend(addresses::ours(local, to.peer.ip()));
        let mut found = false;
        for (kind, parameter) in parameters(value.get(INIT_FIXED_OCTETS..)?) {
            if kind == STATE_COOKIE_PARAMETER {
                let cookie = self.sealed_cookie(now, parameter.try_into().ok()?, to, listed);
                sealed.extend(type_length_value(kind, &cookie));
                found = true;
            } else {
                sealed.extend(type_length_value(kind, parameter));
            }
        }
        let header = Header {
            source_port: to.local_port,
            destination_port: to.peer_port,
            verification_tag: packet.header.verification_tag,
        };
        found.then(|| {
            Writer::new(header)
                .chunk(chunk_type::INIT_ACK, 0, &sealed)
                .finish()
        })
    }

    /// Checks the COOKIE ECHO that `packet` begins with (RFC 9260 §5.1.5, steps 1 to 4).
    pub(crate) fn open(&self, now: Timestamp, packet: &Packet<'_>, from: Binding) -> Opened {
        let cookie = packet.first().value;
        if !(SEALED_OCTETS..=SEALED_OCTETS_MAX).contains(&cookie.len()) {
            return Opened::Bad;
        }
        let (signed, mac) = cookie.split_at(cookie.len() - MAC_OCTETS);
        // `verify_slice` compares in constant time, and the whole length.
        if self.mac(signed, from).verify_slice(mac).is_err() {
            return Opened::Bad;
        }
        let (inner, rest) = signed.split_at(INNER_OCTETS);
        let tags = (
            read_u32(inner, INNER_LOCAL_TAG_AT),
            read_u32(inner, INNER_PEER_TAG_AT),
        );
        let (Some(local_tag), Some(peer_tag)) = tags else {
            return Opened::Bad;
        };
        if packet.header.verification_tag != local_tag {
            return Opened::Bad;
        }
        let made = read_u64(rest, 0).unwrap_or_default();
        let age = now.saturating_duration_since(Timestamp(Duration::from_micros(made)));
        let stale_by = (age > self.life).then(|| age.saturating_sub(self.life));
        let packet = Writer::new(packet.header)
            .chunk(chunk_type::COOKIE_ECHO, 0, inner)
            .raw(packet.after_first_chunk())
            .finish();
        Opened::Authentic {
            packet,
            local_tag,
            peer_tag,
            listed: addresses::read(&rest[TIME_OCTETS..]).collect(),
            stale_by,
        }
    }

    fn sealed_cookie(
        &self,
        now: Timestamp,
        inner: &[u8; INNER_OCTETS],
        to: Binding,
        listed: &[IpAddr],
    ) -> Vec<u8> {
        let mut cookie = Vec::with_capacity(SEALED_OCTETS);
        cookie.extend(inner);
        cookie.extend(
            u64::try_from(now.0.as_micros())
                .unwrap_or(u64::MAX)
                .to_be_bytes(),
        );
        cookie.extend(addresses::write(listed.iter()));
        let mac = self.mac(&cookie, to).finalize().into_bytes();
        cookie.extend(mac);
        cookie
    }

    fn mac(&self, signed: &[u8], binding: Binding) -> Hmac<Sha256> {
        let address = match binding.peer.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        let mut mac = self.mac.clone();
        mac.update(LABEL);
        mac.update(&address.octets());
        for port in [binding.peer.port(), binding.local_port, binding.peer_port] {
            mac.update(&port.to_be_bytes());
        }
        mac.update(signed);
        mac
    }
}

/// The Initiate Tag of a packet that begins with INIT or INIT ACK; also of the few octets of it
/// that an ICMP message returns.
pub(crate) fn initiate_tag(packet: &[u8]) -> Option<u32> {
    read_u32(packet, HEADER_OCTETS + CHUNK_HEADER_OCTETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(60);
    const LOCAL_TAG: u32 = 0x0102_0304;
    const NOW: Timestamp = Timestamp(Duration::from_secs(100));

    fn jar() -> CookieJar {
        CookieJar::new(&[7; 32], LIFE)
    }

    fn binding() -> Binding {
        Binding {
            peer: "192.0.2.1:9899".parse().unwrap(),
            local_port: 3863,
            peer_port: 5000,
        }
    }

    fn init_ack() -> Vec<u8> {
        let mut inner = [0x55; INNER_OCTETS];
        inner[INNER_LOCAL_TAG_AT..][..4].copy_from_slice(&LOCAL_TAG.to_be_bytes());
        let mut value = vec![9; INIT_FIXED_OCTETS];
        value.extend(type_length_value(0x8008, &[130]));
        value.extend(type_length_value(STATE_COOKIE_PARAMETER, &inner));
        let header = Header {
            source_port: 0,
            destination_port: 0,
            verification_tag: 77,
        };
        Writer::new(header)
            .chunk(chunk_type::INIT_ACK, 0, &value)
            .finish()
    }

    /// The COOKIE ECHO that a peer makes of an INIT ACK.
    fn echo_of(init_ack: &[u8]) -> Vec<u8> {
        let packet = Packet::parse(init_ack).unwrap();
        let cookie = parameters(&packet.first().value[INIT_FIXED_OCTETS..])
            .find_map(|(kind, value)| (kind == STATE_COOKIE_PARAMETER).then_some(value))
            .unwrap();
        let header = Header {
            source_port: 5000,
            destination_port: 3863,
            verification_tag: LOCAL_TAG,
        };
        Writer::new(header)
            .chunk(chunk_type::COOKIE_ECHO, 0, cookie)
            .chunk(chunk_type::ERROR, 0, &[])
            .finish()
    }

    fn open(now: Timestamp, echo: &[u8], from: Binding) -> Opened {
        jar().open(now, &Packet::parse(echo).unwrap(), from)
    }

    #[test]
    fn sealed_cookie_opens_for_its_peer_with_what_was_bundled() {
        let sealed = jar().seal(NOW, &init_ack(), binding(), &[], &[]).unwrap();
        let packet = Packet::parse(&sealed).unwrap();
        assert!(packet.checksum_is_right());
        assert_eq!(
            (packet.header.source_port, packet.header.destination_port),
            (3863, 5000)
        );
        let opened = open(NOW, &echo_of(&sealed), binding());
        let Opened::Authentic {
            packet,
            local_tag,
            peer_tag,
            listed,
            stale_by: None,
        } = opened
        else {
            panic!("a good cookie");
        };
        assert_eq!((local_tag, peer_tag), (LOCAL_TAG, 0x5555_5555));
        assert!(listed.is_empty());
        let packet = Packet::parse(&packet).unwrap();
        assert_eq!(packet.first().value.len(), INNER_OCTETS);
        assert!(packet.find(chunk_type::ERROR).is_some());
    }

    #[test]
    fn cookie_is_bound_to_address_ports_and_key() {
        let sealed = jar().seal(NOW, &init_ack(), binding(), &[], &[]).unwrap();
        let echo = echo_of(&sealed);
        let elsewhere = Binding {
            peer: "192.0.2.1:9900".parse().unwrap(),
            ..binding()
        };
        let other_host = Binding {
            peer: "192.0.2.2:9899".parse().unwrap(),
            ..binding()
        };
        for from in [
            elsewhere,
            other_host,
            Binding {
                local_port: 3864,
                ..binding()
            },
            Binding {
                peer_port: 5001,
                ..binding()
            },
        ] {
            assert_eq!(open(NOW, &echo, from), Opened::Bad);
        }
        let other = CookieJar::new(&[8; 32], LIFE);
        assert_eq!(
            other.open(NOW, &Packet::parse(&echo).unwrap(), binding()),
            Opened::Bad
        );
    }

    fn peer_addresses() -> Vec<IpAddr> {
        let many = (0..PEER_ADDRESSES_MAX).map(|n| format!("2001:db8::{n}"));
        many.map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn rfc_9260_5_1_3_the_addresses_of_the_peer_travel_in_the_cookie() {
        let ours = ["198.51.100.1".parse().unwrap(), "::1".parse().unwrap()];
        let listed = peer_addresses();
        let sealed = jar().seal(NOW, &init_ack(), binding(), &listed, &ours);
        let sealed = sealed.unwrap();
        let told = &Packet::parse(&sealed).unwrap().first().value[INIT_FIXED_OCTETS..];
        let told: Vec<_> = addresses::read(told).collect();
        assert_eq!(told, ours[..1], "loopback is for loopback");
        let Opened::Authentic {
            listed: opened,
            packet,
            ..
        } = open(NOW, &echo_of(&sealed), binding())
        else {
            panic!("a good cookie");
        };
        assert_eq!(opened, listed);
        let inner = Packet::parse(&packet).unwrap().first().value.len();
        assert_eq!(inner, INNER_OCTETS);
    }

    #[test]
    fn the_longest_init_ack_fits_the_smallest_packet() {
        let ours = peer_addresses();
        let sealed = jar().seal(NOW, &init_ack(), binding(), &ours, &ours);
        assert!(sealed.unwrap().len() <= 512 - 20);
    }

    #[test]
    fn every_octet_of_the_cookie_is_authenticated() {
        let sealed = jar().seal(NOW, &init_ack(), binding(), &peer_addresses()[..1], &[]);
        let echo = echo_of(&sealed.unwrap());
        for at in 16..16 + SEALED_OCTETS + ADDRESS_PARAMETER_OCTETS_MAX {
            let mut forged = echo.clone();
            forged[at] ^= 0x10;
            assert_eq!(open(NOW, &forged, binding()), Opened::Bad, "octet {at}");
        }
    }

    #[test]
    fn rfc_9260_5_1_5_cookie_is_good_for_its_life_and_stale_after_it() {
        let sealed = jar().seal(NOW, &init_ack(), binding(), &[], &[]).unwrap();
        let echo = echo_of(&sealed);
        let staleness = |now| match open(now, &echo, binding()) {
            Opened::Authentic { stale_by, .. } => stale_by,
            Opened::Bad => panic!("authentic at any time"),
        };
        assert_eq!(staleness(NOW + LIFE), None);
        let by = Duration::from_millis(5);
        assert_eq!(staleness(NOW + LIFE + by), Some(by));
    }
}
