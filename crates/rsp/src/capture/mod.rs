//! From a packet capture to the ASAP and ENRP messages in it: file, link layer, IP, then SCTP
//! (alone or in UDP), TCP or UDP.
//!
//! Knows where messages lie, not what they mean: it hands out octets.

mod file;
mod link;
mod sctp;
mod tcp;

pub(crate) use file::{Frame, is_capture, read_frames};

use etherparse::{SlicedPacket, TransportSlice};
use rserpool_wire::Protocol;
use std::net::{IpAddr, SocketAddr};

/// IANA: SCTP's number among the IP protocols.
const IP_PROTOCOL_SCTP: u8 = 132;
/// ASAP over TCP, and the announces' multicast channel (RFC 5352 §8).
const ASAP_PORT: u16 = 3863;
/// Where rsplib multicasts ENRP presences (RFC 5353 §7).
const ENRP_PORT: u16 = 9901;
/// SCTP in UDP (RFC 6951).
const ENCAPSULATION_PORT: u16 = 9899;

/// What carried a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Carrier {
    Sctp,
    SctpInUdp,
    Tcp,
    Udp,
}

/// The octets of one message, and where they were found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    pub(crate) protocol: Protocol,
    pub(crate) carrier: Carrier,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) octets: Vec<u8>,
}

/// What has been seen of the associations and connections of a capture.
pub(crate) struct Reader {
    udp_ports: Vec<u16>,
    sctp: sctp::Reassembly,
    tcp: tcp::Streams,
}

impl Reader {
    /// A reader that looks for SCTP in UDP at port 9899 and at these.
    pub(crate) fn new(udp_ports: &[u16]) -> Self {
        let mut udp_ports = udp_ports.to_vec();
        udp_ports.push(ENCAPSULATION_PORT);
        Self {
            udp_ports,
            sctp: sctp::Reassembly::default(),
            tcp: tcp::Streams::default(),
        }
    }

    /// The messages that this frame carries or completes. What is not ours, or cut short by the
    /// capture, gives none.
    pub(crate) fn read(&mut self, frame: &Frame) -> Vec<Found> {
        let Some(packet) = link::network_packet(frame.link, &frame.octets) else {
            return Vec::new();
        };
        let Ok(packet) = SlicedPacket::from_ip(packet) else {
            return Vec::new();
        };
        let Some((source, destination)) = addresses(&packet) else {
            return Vec::new();
        };
        match &packet.transport {
            Some(TransportSlice::Udp(udp)) => {
                let source = SocketAddr::new(source, udp.source_port());
                let destination = SocketAddr::new(destination, udp.destination_port());
                self.read_udp(source, destination, udp.payload())
            }
            Some(TransportSlice::Tcp(segment)) => {
                let source = SocketAddr::new(source, segment.source_port());
                let destination = SocketAddr::new(destination, segment.destination_port());
                if source.port() != ASAP_PORT && destination.port() != ASAP_PORT {
                    return Vec::new();
                }
                let (number, syn) = (segment.sequence_number(), segment.syn());
                self.tcp
                    .read(source, destination, number, syn, segment.payload())
            }
            Some(
                TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_) | TransportSlice::Igmp(_),
            ) => Vec::new(),
            None => self.read_ip(&packet, source, destination),
        }
    }

    fn read_ip(&mut self, packet: &SlicedPacket<'_>, source: IpAddr, to: IpAddr) -> Vec<Found> {
        let payload = packet.net.as_ref().and_then(|net| net.ip_payload_ref());
        match payload {
            Some(payload) if payload.ip_number.0 == IP_PROTOCOL_SCTP && !payload.fragmented => {
                self.sctp.read(source, to, Carrier::Sctp, payload.payload)
            }
            _ => Vec::new(),
        }
    }

    fn read_udp(&mut self, source: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<Found> {
        let is_at = |port: u16| source.port() == port || to.port() == port;
        if self.udp_ports.iter().any(|port| is_at(*port)) {
            return self
                .sctp
                .read(source.ip(), to.ip(), Carrier::SctpInUdp, payload);
        }
        let protocol = match to.port() {
            ASAP_PORT => Protocol::Asap,
            ENRP_PORT => Protocol::Enrp,
            _ => return Vec::new(),
        };
        let octets = payload.to_vec();
        vec![Found {
            protocol,
            carrier: Carrier::Udp,
            source,
            destination: to,
            octets,
        }]
    }
}

fn addresses(packet: &SlicedPacket<'_>) -> Option<(IpAddr, IpAddr)> {
    match packet.net.as_ref()? {
        etherparse::NetSlice::Ipv4(ip) => {
            let header = ip.header();
            Some((
                header.source_addr().into(),
                header.destination_addr().into(),
            ))
        }
        etherparse::NetSlice::Ipv6(ip) => {
            let header = ip.header();
            Some((
                header.source_addr().into(),
                header.destination_addr().into(),
            ))
        }
        etherparse::NetSlice::Arp(_) => None,
    }
}
