//! SCTP packets (RFC 9260 §3): the messages in their DATA and I-DATA chunks (RFC 8260).

use super::{Carrier, Found};
use rserpool_wire::Protocol;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

const COMMON_HEADER_OCTETS: usize = 12;
const CHUNK_DATA: u8 = 0;
const CHUNK_I_DATA: u8 = 64;
const FLAG_END: u8 = 0x01;
const FLAG_BEGIN: u8 = 0x02;
/// RFC 5354 §5: payload protocol identifiers.
const PPID_ASAP: u32 = 11;
const PPID_ENRP: u32 = 12;

/// How many fragments without their whole message are kept; a message has at most 65,536 octets.
const FRAGMENTS_MAX: usize = 4096;
/// How many TSNs are remembered to tell repeated chunks from new ones.
const SEEN_MAX: usize = 65_536;

/// One direction of an association, which may use several addresses; another association between
/// the same ports has another tag.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Direction {
    source_port: u16,
    destination_port: u16,
    verification_tag: u32,
}

/// What a DATA chunk brings.
struct Chunk<'a> {
    flags: u8,
    tsn: u32,
    ppid: u32,
    data: &'a [u8],
}

/// Chunks whose message is not complete, and those that were seen.
#[derive(Default)]
pub(super) struct Reassembly {
    fragments: BTreeMap<(Direction, u32), Fragment>,
    seen: BTreeSet<(Direction, u32)>,
}

struct Fragment {
    flags: u8,
    ppid: u32,
    data: Vec<u8>,
}

impl Reassembly {
    /// The messages that this packet carries or completes.
    pub(super) fn read(
        &mut self,
        source: IpAddr,
        destination: IpAddr,
        carrier: Carrier,
        packet: &[u8],
    ) -> Vec<Found> {
        let mut found = Vec::new();
        let Some((direction, mut rest)) = common_header(packet) else {
            return found;
        };
        let source = SocketAddr::new(source, direction.source_port);
        let destination = SocketAddr::new(destination, direction.destination_port);
        while let Some((kind, flags, value, after)) = next_chunk(rest) {
            rest = after;
            let Some(chunk) = data_chunk(kind, flags, value) else {
                continue;
            };
            let Some((ppid, octets)) = self.complete(direction, &chunk) else {
                continue;
            };
            let protocol = match ppid {
                PPID_ASAP => Protocol::Asap,
                PPID_ENRP => Protocol::Enrp,
                _ => continue,
            };
            found.push(Found {
                protocol,
                carrier,
                source,
                destination,
                octets,
            });
        }
        found
    }

    /// The message that this chunk completes, with its payload protocol identifier.
    fn complete(&mut self, direction: Direction, chunk: &Chunk<'_>) -> Option<(u32, Vec<u8>)> {
        if self.seen.len() >= SEEN_MAX {
            self.seen.clear();
        }
        if !self.seen.insert((direction, chunk.tsn)) {
            return None;
        }
        if chunk.flags & (FLAG_BEGIN | FLAG_END) == FLAG_BEGIN | FLAG_END {
            return Some((chunk.ppid, chunk.data.to_vec()));
        }
        if self.fragments.len() >= FRAGMENTS_MAX {
            self.fragments.clear();
        }
        let Chunk {
            flags,
            tsn,
            ppid,
            data,
        } = *chunk;
        self.fragments.insert(
            (direction, tsn),
            Fragment {
                flags,
                ppid,
                data: data.to_vec(),
            },
        );
        self.join(direction, tsn)
    }

    /// Joins the fragments around this TSN if they reach from the first to the last.
    fn join(&mut self, direction: Direction, tsn: u32) -> Option<(u32, Vec<u8>)> {
        let mut first = tsn;
        while self.fragments.get(&(direction, first))?.flags & FLAG_BEGIN == 0 {
            first = first.wrapping_sub(1);
        }
        let mut last = first;
        while self.fragments.get(&(direction, last))?.flags & FLAG_END == 0 {
            last = last.wrapping_add(1);
        }
        let ppid = self.fragments.get(&(direction, first))?.ppid;
        let mut octets = Vec::new();
        let mut at = first;
        loop {
            octets.extend(self.fragments.remove(&(direction, at))?.data);
            if at == last {
                return Some((ppid, octets));
            }
            at = at.wrapping_add(1);
        }
    }
}

fn common_header(packet: &[u8]) -> Option<(Direction, &[u8])> {
    let (header, rest) = packet.split_at_checked(COMMON_HEADER_OCTETS)?;
    let direction = Direction {
        source_port: u16::from_be_bytes([header[0], header[1]]),
        destination_port: u16::from_be_bytes([header[2], header[3]]),
        verification_tag: number_at(header, 4)?,
    };
    Some((direction, rest))
}

/// The next chunk: type, flags, value, and what follows it.
fn next_chunk(rest: &[u8]) -> Option<(u8, u8, &[u8], &[u8])> {
    let header = rest.first_chunk::<4>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let value = rest.get(4..length)?;
    let after = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((header[0], header[1], value, after))
}

fn data_chunk(kind: u8, flags: u8, value: &[u8]) -> Option<Chunk<'_>> {
    let tsn = number_at(value, 0)?;
    match kind {
        CHUNK_DATA => Some(Chunk {
            flags,
            tsn,
            ppid: number_at(value, 8)?,
            data: value.get(12..)?,
        }),
        CHUNK_I_DATA => Some(Chunk {
            flags,
            tsn,
            ppid: number_at(value, 12)?,
            data: value.get(16..)?,
        }),
        _ => None,
    }
}

fn number_at(octets: &[u8], at: usize) -> Option<u32> {
    octets
        .get(at..)?
        .first_chunk()
        .map(|chunk| u32::from_be_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_whole_message_is_found_once_however_often_it_is_sent() {
        let mut reassembly = Reassembly::default();
        let packet = packet(&[chunk(3, 7, PPID_ASAP, b"abc")]);
        let found = reassembly.read(HOST, HOST, Carrier::Sctp, &packet);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].protocol, found[0].octets.as_slice()),
            (Protocol::Asap, &b"abc"[..])
        );
        assert_eq!(reassembly.read(HOST, HOST, Carrier::Sctp, &packet), []);
    }

    #[test]
    fn fragments_are_joined_in_any_order_and_across_packets() {
        let mut reassembly = Reassembly::default();
        let last = packet(&[chunk(FLAG_END, 0, PPID_ENRP, b"ef")]);
        let others = packet(&[
            chunk(0, u32::MAX, PPID_ENRP, b"cd"),
            chunk(FLAG_BEGIN, u32::MAX - 1, PPID_ENRP, b"ab"),
        ]);
        assert_eq!(reassembly.read(HOST, HOST, Carrier::Sctp, &last), []);
        let found = reassembly.read(HOST, HOST, Carrier::Sctp, &others);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].octets, b"abcdef");
        assert!(reassembly.fragments.is_empty());
    }

    #[test]
    fn other_payload_protocols_are_left_alone() {
        let mut reassembly = Reassembly::default();
        let packet = packet(&[chunk(3, 1, 0, b"user"), chunk(3, 2, PPID_ENRP, b"enrp")]);
        let found = reassembly.read(HOST, HOST, Carrier::Sctp, &packet);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].octets, b"enrp");
    }

    #[test]
    fn a_packet_cut_anywhere_does_no_harm() {
        let whole = packet(&[
            chunk(3, 1, PPID_ASAP, b"abcd"),
            chunk(3, 2, PPID_ASAP, b"efgh"),
        ]);
        for length in 0..whole.len() {
            let mut reassembly = Reassembly::default();
            let found = reassembly.read(HOST, HOST, Carrier::Sctp, &whole[..length]);
            assert!(found.len() < 2, "{length}");
        }
    }

    fn packet(chunks: &[Vec<u8>]) -> Vec<u8> {
        let mut octets = vec![0x0f, 0x17, 0x13, 0x88, 0, 0, 0, 9, 0, 0, 0, 0];
        octets.extend(chunks.concat());
        octets
    }

    fn chunk(flags: u8, tsn: u32, ppid: u32, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(16 + data.len()).unwrap();
        let mut octets = vec![CHUNK_DATA, flags];
        octets.extend(length.to_be_bytes());
        octets.extend(tsn.to_be_bytes());
        octets.extend([0, 0, 0, 0]);
        octets.extend(ppid.to_be_bytes());
        octets.extend(data);
        octets.resize(octets.len().next_multiple_of(4), 0);
        octets
    }
}
