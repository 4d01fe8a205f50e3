//! The address parameters of INIT and INIT ACK (RFC 9260 §3.3.2.1, §5.1.2).
//!
//! Which of our addresses a peer is told, and which of a peer's are taken. What a peer lists is
//! a claim: `paths` has each of them prove itself before it carries anything.

use std::net::{IpAddr, Ipv6Addr};

use crate::packet::{INIT_FIXED_OCTETS, Packet, Writer, parameters, type_length_value};

/// Addresses of a peer that are kept besides the one it was heard at: a peer with more network
/// interfaces than this has more ways than anybody needs, and each is probed. What it lists
/// beyond is passed over.
pub(crate) const PEER_ADDRESSES_MAX: usize = 7;

/// RFC 9260 §3.3.2.1.1.
const IPV4_ADDRESS: u16 = 5;
/// RFC 9260 §3.3.2.1.2.
const IPV6_ADDRESS: u16 = 6;

/// RFC 9260 §3.3.2.1.4.
const HOST_NAME_ADDRESS: u16 = 11;

/// The largest of them, in octets.
pub(crate) const ADDRESS_PARAMETER_OCTETS_MAX: usize = 20;

/// What a peer heard at `source` lists in its INIT or INIT ACK, without `source`.
pub(crate) fn listed(init: &Packet<'_>, source: IpAddr) -> Vec<IpAddr> {
    let value = init.first().value;
    let mut listed = Vec::new();
    for address in read(value.get(INIT_FIXED_OCTETS..).unwrap_or_default()) {
        let is_new = address != source && !listed.contains(&address);
        if is_new && is_usable(address, source) && listed.len() < PEER_ADDRESSES_MAX {
            listed.push(address);
        }
    }
    listed
}

/// An INIT or INIT ACK that lists those of `local` that are of use to a peer at `to`.
pub(crate) fn with_ours(init: &[u8], local: &[IpAddr], to: IpAddr) -> Option<Vec<u8>> {
    let packet = Packet::parse(init)?;
    let first = packet.first();
    let (fixed, rest) = first.value.split_at_checked(INIT_FIXED_OCTETS)?;
    let mut value = fixed.to_vec();
    value.extend(ours(local, to));
    value.extend(rest);
    let writer = Writer::new(packet.header);
    Some(writer.chunk(first.kind, first.flags, &value).finish())
}

/// Those of `local` that are of use to a peer at `to`, as parameters.
pub(crate) fn ours(local: &[IpAddr], to: IpAddr) -> Vec<u8> {
    let told = local.iter().filter(|address| is_usable(**address, to));
    write(told)
}

pub(crate) fn write<'a>(addresses: impl Iterator<Item = &'a IpAddr>) -> Vec<u8> {
    addresses.fold(Vec::new(), |mut octets, address| {
        octets.extend(match address {
            IpAddr::V4(v4) => type_length_value(IPV4_ADDRESS, &v4.octets()),
            IpAddr::V6(v6) => type_length_value(IPV6_ADDRESS, &v6.octets()),
        });
        octets
    })
}

/// RFC 9260 §5.1.2 B: nobody resolves the names that strangers give.
pub(crate) fn has_host_name(init: &Packet<'_>) -> bool {
    let value = init.first().value;
    parameters(value.get(INIT_FIXED_OCTETS..).unwrap_or_default())
        .any(|(kind, _)| kind == HOST_NAME_ADDRESS)
}

/// The addresses among parameters.
pub(crate) fn read(octets: &[u8]) -> impl Iterator<Item = IpAddr> {
    parameters(octets).filter_map(|(kind, value)| match kind {
        IPV4_ADDRESS => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
        IPV6_ADDRESS => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
        _ => None,
    })
}

/// Whether `address` can mean the same host to both ends of an association, of which one is at
/// `other`. A loopback address does so only where the association itself is on loopback, and there
/// nothing else is of use: what ends the loopback interface ends the host. A link-local address
/// says nothing without its interface.
pub(crate) fn is_usable(address: IpAddr, other: IpAddr) -> bool {
    let is_host = match address {
        IpAddr::V4(v4) => {
            let is_this_network = v4.octets()[0] == 0;
            let is_reserved = v4.octets()[0] >= 240;
            !is_this_network && !is_reserved && !v4.is_multicast() && !v4.is_link_local()
        }
        IpAddr::V6(v6) => {
            let is_mapped = v6.to_ipv4_mapped().is_some();
            !v6.is_multicast() && !v6.is_unspecified() && !is_mapped && !is_link_local(v6)
        }
    };
    is_host && address.is_loopback() == other.is_loopback()
}

fn is_link_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Header, chunk_type};

    const HEADER: Header = Header {
        source_port: 5000,
        destination_port: 3863,
        verification_tag: 0,
    };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn init(parameters: &[u8]) -> Vec<u8> {
        let mut value = vec![1; INIT_FIXED_OCTETS];
        value.extend(parameters);
        Writer::new(HEADER)
            .chunk(chunk_type::INIT, 0, &value)
            .finish()
    }

    fn listed_by(source: &str, addresses: &[&str]) -> Vec<IpAddr> {
        let addresses: Vec<_> = addresses.iter().map(|text| ip(text)).collect();
        let init = init(&write(addresses.iter()));
        listed(&Packet::parse(&init).unwrap(), ip(source))
    }

    #[test]
    fn rfc_9260_5_1_2_c_addresses_of_both_families_are_taken() {
        let found = listed_by("192.0.2.1", &["192.0.2.1", "198.51.100.7", "2001:db8::7"]);
        assert_eq!(found, [ip("198.51.100.7"), ip("2001:db8::7")]);
    }

    #[test]
    fn addresses_that_are_no_host_to_both_ends_are_passed_over() {
        let hostile = [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "169.254.1.1",
            "::",
            "::1",
            "ff02::1",
            "fe80::1",
            "::ffff:192.0.2.9",
        ];
        assert!(listed_by("192.0.2.1", &hostile).is_empty());
        assert_eq!(
            listed_by("127.0.0.1", &hostile),
            [ip("::1")],
            "127.0.0.1 is the source"
        );
    }

    #[test]
    fn a_list_is_taken_up_to_its_bound_and_once() {
        let long: Vec<String> = (0..200).map(|n| format!("10.0.0.{}", n / 2)).collect();
        let long: Vec<&str> = long.iter().map(String::as_str).collect();
        let found = listed_by("192.0.2.1", &long);
        assert_eq!(found.len(), PEER_ADDRESSES_MAX);
        assert_eq!((found[0], found[1]), (ip("10.0.0.0"), ip("10.0.0.1")));
    }

    #[test]
    fn forged_lengths_are_no_addresses() {
        let mut parameters = type_length_value(IPV4_ADDRESS, &[10, 0, 0, 1, 9]);
        parameters.extend(type_length_value(IPV6_ADDRESS, &[10, 0, 0, 1]));
        parameters.extend([0, 5, 0, 200, 10, 0, 0, 1]);
        let init = init(&parameters);
        let found = listed(&Packet::parse(&init).unwrap(), ip("192.0.2.1"));
        assert!(found.is_empty());
    }

    #[test]
    fn what_is_told_is_what_is_read() {
        let ours = [ip("192.0.2.1"), ip("127.0.0.1"), ip("2001:db8::1")];
        let told = with_ours(
            &init(&[0x80, 8, 0, 5, 130, 0, 0, 0]),
            &ours,
            ip("192.0.2.9"),
        );
        let told = told.unwrap();
        let packet = Packet::parse(&told).unwrap();
        assert!(packet.checksum_is_right());
        assert_eq!(packet.header, HEADER);
        assert_eq!(
            listed(&packet, ip("192.0.2.1")),
            [ip("2001:db8::1")],
            "loopback is for loopback"
        );
        assert!(
            packet
                .first()
                .value
                .ends_with(&[0x80, 8, 0, 5, 130, 0, 0, 0])
        );
    }
}
