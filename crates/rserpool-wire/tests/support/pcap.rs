//! Messages as a capture file that tshark reads: SCTP DATA chunks in IPv4, announces in UDP.

use super::samples;
use rserpool_wire::{Protocol, asap};

/// How a message travels.
pub(crate) enum Carrier {
    /// A DATA chunk with this protocol's payload protocol identifier.
    Sctp(Protocol),
    /// A datagram to the ASAP port.
    AsapOverUdp,
}

/// One of every message, as it travels.
pub(crate) fn all_messages() -> Vec<(Carrier, Vec<u8>)> {
    let asap = samples::asap().into_iter().map(|message| {
        let carrier = if let asap::Message::ServerAnnounce(_) = message {
            Carrier::AsapOverUdp
        } else {
            Carrier::Sctp(Protocol::Asap)
        };
        (carrier, message.encode())
    });
    let enrp = samples::enrp().into_iter();
    asap.chain(enrp.map(|message| (Carrier::Sctp(Protocol::Enrp), message.encode())))
        .collect()
}

/// A capture of these messages, one packet each, one millisecond apart.
pub(crate) fn capture(messages: &[(Carrier, Vec<u8>)]) -> Vec<u8> {
    const LINKTYPE_RAW_IP: u32 = 101;
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_be_bytes());
    file.extend([0, 2, 0, 4]);
    file.extend([0; 8]);
    file.extend(0x4_0000_u32.to_be_bytes());
    file.extend(LINKTYPE_RAW_IP.to_be_bytes());
    for (number, (carrier, message)) in (0_u32..).zip(messages) {
        let packet = match carrier {
            Carrier::Sctp(protocol) => ip(132, &sctp(*protocol, number, message)),
            Carrier::AsapOverUdp => ip(17, &udp(message)),
        };
        let length = u32::try_from(packet.len()).expect("an IPv4 packet");
        file.extend((number / 1000).to_be_bytes());
        file.extend((number % 1000 * 1000).to_be_bytes());
        file.extend(length.to_be_bytes());
        file.extend(length.to_be_bytes());
        file.extend(packet);
    }
    file
}

const SOURCE: [u8; 4] = [10, 1, 0, 1];
const DESTINATION: [u8; 4] = [10, 1, 0, 2];

fn ip(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).expect("an IPv4 packet");
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
    packet.extend(SOURCE);
    packet.extend(DESTINATION);
    let checksum = internet_checksum(&packet);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend(payload);
    packet
}

fn udp(message: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    datagram.extend(3863_u16.to_be_bytes());
    datagram.extend(3863_u16.to_be_bytes());
    let length = u16::try_from(8 + message.len()).expect("a datagram");
    datagram.extend(length.to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(message);
    datagram
}

/// One packet with one unfragmented DATA chunk on stream 0.
fn sctp(protocol: Protocol, number: u32, message: &[u8]) -> Vec<u8> {
    let (port, payload_protocol) = match protocol {
        Protocol::Asap => (3863_u16, 11_u32),
        Protocol::Enrp => (9901, 12),
    };
    let mut packet = Vec::new();
    packet.extend(port.to_be_bytes());
    packet.extend(port.to_be_bytes());
    packet.extend(0x1234_5678_u32.to_be_bytes());
    packet.extend([0; 4]);
    let length = u16::try_from(16 + message.len()).expect("a chunk");
    packet.extend([0, 0b0000_0011]);
    packet.extend(length.to_be_bytes());
    packet.extend((number + 1).to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(payload_protocol.to_be_bytes());
    packet.extend(message);
    let checksum = crc32c(&packet);
    packet[8..12].copy_from_slice(&checksum.to_le_bytes());
    packet
}

fn internet_checksum(octets: &[u8]) -> u16 {
    let mut sum: u32 = octets
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}

/// RFC 9260 appendix A, bit by bit.
fn crc32c(octets: &[u8]) -> u32 {
    const REVERSED_POLYNOMIAL: u32 = 0x82f6_3b78;
    !octets.iter().fold(u32::MAX, |mut crc, octet| {
        crc ^= u32::from(*octet);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (REVERSED_POLYNOMIAL * (crc & 1));
        }
        crc
    })
}
