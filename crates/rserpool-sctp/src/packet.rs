//! SCTP packets as octets: a view that walks chunks (RFC 9260 §3), and a writer of small ones.
//!
//! Knows no association. What is parsed here came from anybody.

/// Common header, RFC 9260 §3.1.
pub(crate) const HEADER_OCTETS: usize = 12;
/// Chunk header, RFC 9260 §3.2.
pub(crate) const CHUNK_HEADER_OCTETS: usize = 4;
/// Fixed part of INIT and INIT ACK, RFC 9260 §3.3.2.
pub(crate) const INIT_FIXED_OCTETS: usize = 16;
/// Where the verification tag is.
const TAG_AT: usize = 4;
/// Where the checksum is.
const CHECKSUM_AT: usize = 8;

/// Chunk types that the endpoint itself looks at, RFC 9260 §3.2.
pub(crate) mod chunk_type {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const INIT: u8 = 1;
    pub(crate) const INIT_ACK: u8 = 2;
    pub(crate) const SACK: u8 = 3;
    pub(crate) const HEARTBEAT: u8 = 4;
    pub(crate) const HEARTBEAT_ACK: u8 = 5;
    pub(crate) const ABORT: u8 = 6;
    pub(crate) const SHUTDOWN: u8 = 7;
    pub(crate) const SHUTDOWN_ACK: u8 = 8;
    pub(crate) const ERROR: u8 = 9;
    pub(crate) const COOKIE_ECHO: u8 = 10;
    pub(crate) const COOKIE_ACK: u8 = 11;
    pub(crate) const SHUTDOWN_COMPLETE: u8 = 14;
}

/// Error causes that the endpoint itself sends or reads, RFC 9260 §3.3.10.
pub(crate) mod error_cause {
    pub(crate) const INVALID_STREAM_IDENTIFIER: u16 = 1;
    pub(crate) const STALE_COOKIE: u16 = 3;
    pub(crate) const OUT_OF_RESOURCE: u16 = 4;
    pub(crate) const UNRESOLVABLE_ADDRESS: u16 = 5;
    pub(crate) const RESTART_WITH_NEW_ADDRESSES: u16 = 11;
    pub(crate) const USER_INITIATED_ABORT: u16 = 12;
}

/// The T bit of ABORT and SHUTDOWN COMPLETE: the verification tag is reflected.
pub(crate) const T_BIT: u8 = 1;

/// The ports and tag of a packet, RFC 9260 §3.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) verification_tag: u32,
}

impl Header {
    /// The header in the first octets; for ICMP, which returns no more than those.
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        Some(Self {
            source_port: read_u16(octets, 0)?,
            destination_port: read_u16(octets, 2)?,
            verification_tag: read_u32(octets, TAG_AT)?,
        })
    }
}

/// A packet whose chunks all lie within it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    octets: &'a [u8],
    pub(crate) header: Header,
}

/// One chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk<'a> {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    /// What follows the chunk header, without padding.
    pub(crate) value: &'a [u8],
}

impl<'a> Packet<'a> {
    /// `None` when the octets are no packet with at least one chunk.
    pub(crate) fn parse(octets: &'a [u8]) -> Option<Self> {
        let header = Header::read(octets)?;
        let mut rest = octets.get(HEADER_OCTETS..)?;
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            rest = split_chunk(rest)?.1;
        }
        Some(Self { octets, header })
    }

    /// RFC 9260 §6.8, appendix A.
    pub(crate) fn checksum_is_right(&self) -> bool {
        self.octets.get(CHECKSUM_AT..HEADER_OCTETS) == Some(&checksum(self.octets)[..])
    }

    pub(crate) fn octets(&self) -> &'a [u8] {
        self.octets
    }

    pub(crate) fn chunks(&self) -> impl Iterator<Item = Chunk<'a>> + use<'a> {
        let mut rest = self.octets.get(HEADER_OCTETS..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (chunk, next) = split_chunk(rest)?;
            rest = next;
            Some(chunk)
        })
    }

    /// The octets of all chunks after the first.
    pub(crate) fn after_first_chunk(&self) -> &'a [u8] {
        let chunks = self.octets.get(HEADER_OCTETS..).unwrap_or_default();
        split_chunk(chunks).map_or(&[], |(_, rest)| rest)
    }

    pub(crate) fn first(&self) -> Chunk<'a> {
        self.chunks()
            .next()
            .expect("parse() saw at least one chunk")
    }

    pub(crate) fn find(&self, kind: u8) -> Option<Chunk<'a>> {
        self.chunks().find(|chunk| chunk.kind == kind)
    }

    pub(crate) fn is_alone(&self) -> bool {
        self.after_first_chunk().is_empty()
    }
}

impl Chunk<'_> {
    pub(crate) fn tag_is_reflected(&self) -> bool {
        self.flags & T_BIT != 0
    }

    /// The first error cause of an ABORT or ERROR: code and value.
    pub(crate) fn first_cause(&self) -> Option<(u16, &[u8])> {
        let code = read_u16(self.value, 0)?;
        let length = usize::from(read_u16(self.value, 2)?);
        Some((code, self.value.get(4..length)?))
    }
}

/// Writes a packet with one or more chunks.
pub(crate) struct Writer {
    octets: Vec<u8>,
}

impl Writer {
    pub(crate) fn new(header: Header) -> Self {
        let mut octets = Vec::with_capacity(64);
        octets.extend(header.source_port.to_be_bytes());
        octets.extend(header.destination_port.to_be_bytes());
        octets.extend(header.verification_tag.to_be_bytes());
        octets.extend([0; 4]);
        Self { octets }
    }

    /// A chunk of `kind` with `value`, padded. Too long a value is cut.
    pub(crate) fn chunk(mut self, kind: u8, flags: u8, value: &[u8]) -> Self {
        let length = u16::try_from(value.len() + CHUNK_HEADER_OCTETS).unwrap_or(u16::MAX);
        let taken = usize::from(length) - CHUNK_HEADER_OCTETS;
        self.octets.extend([kind, flags]);
        self.octets.extend(length.to_be_bytes());
        self.octets.extend(&value[..taken]);
        self.octets.resize(self.octets.len().next_multiple_of(4), 0);
        self
    }

    /// Chunks that are already octets.
    pub(crate) fn raw(mut self, chunks: &[u8]) -> Self {
        self.octets.extend(chunks);
        self
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        write_checksum(&mut self.octets);
        self.octets
    }
}

/// An error cause, or a parameter: both are type, length, value, padding (RFC 9260 §3.2.1).
pub(crate) fn type_length_value(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    let mut octets = Vec::with_capacity(value.len() + 8);
    octets.extend(kind.to_be_bytes());
    octets.extend(length.to_be_bytes());
    octets.extend(&value[..usize::from(length) - 4]);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// The parameters of a chunk, RFC 9260 §3.2.1.
pub(crate) fn parameters(mut octets: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let kind = read_u16(octets, 0)?;
        let length = usize::from(read_u16(octets, 2)?);
        let value = octets.get(4..length)?;
        octets = octets.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// Puts the right CRC32c into a packet.
pub(crate) fn write_checksum(packet: &mut [u8]) {
    let sum = checksum(packet);
    if let Some(field) = packet.get_mut(CHECKSUM_AT..HEADER_OCTETS) {
        field.copy_from_slice(&sum);
    }
}

fn checksum(packet: &[u8]) -> [u8; 4] {
    let (before, rest) = packet.split_at(CHECKSUM_AT.min(packet.len()));
    let after = rest.get(4..).unwrap_or_default();
    let crc = crc32c::crc32c(before);
    let crc = crc32c::crc32c_append(crc, &[0; 4]);
    // RFC 9260 appendix A: the CRC goes out with its least significant octet first.
    crc32c::crc32c_append(crc, after).to_le_bytes()
}

fn split_chunk(octets: &[u8]) -> Option<(Chunk<'_>, &[u8])> {
    let length = usize::from(read_u16(octets, 2)?);
    let value = octets.get(CHUNK_HEADER_OCTETS..length)?;
    // RFC 9260 §3.2: the padding is not counted, and a receiver takes a last chunk without it.
    let next = octets.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((
        Chunk {
            kind: octets[0],
            flags: octets[1],
            value,
        },
        next,
    ))
}

pub(crate) fn read_u16(octets: &[u8], at: usize) -> Option<u16> {
    octets
        .get(at..)?
        .first_chunk()
        .map(|two| u16::from_be_bytes(*two))
}

pub(crate) fn read_u32(octets: &[u8], at: usize) -> Option<u32> {
    octets
        .get(at..)?
        .first_chunk()
        .map(|four| u32::from_be_bytes(*four))
}

pub(crate) fn read_u64(octets: &[u8], at: usize) -> Option<u64> {
    octets
        .get(at..)?
        .first_chunk()
        .map(|eight| u64::from_be_bytes(*eight))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        source_port: 0x04d2,
        destination_port: 0x10e1,
        verification_tag: 0x697e_3a4e,
    };

    /// RFC 9260 appendix A, against a packet taken from a wire: COOKIE ACK and SACK.
    #[test]
    fn checksum_is_that_of_another_implementation() {
        let sack = [0xae, 0xa9, 0x52, 0x52, 0x00, 0x02, 0x00, 0x00, 0, 0, 0, 0];
        let packet = Writer::new(HEADER)
            .chunk(chunk_type::COOKIE_ACK, 0, &[])
            .chunk(chunk_type::SACK, 0, &sack)
            .finish();
        assert_eq!(packet[8..12], [0xc0, 0x6e, 0x8b, 0x36]);
        assert!(Packet::parse(&packet).unwrap().checksum_is_right());
    }

    #[test]
    fn chunks_are_walked_with_their_padding() {
        let packet = Writer::new(HEADER)
            .chunk(chunk_type::ERROR, 0, &[1, 2, 3])
            .chunk(chunk_type::ABORT, T_BIT, &[])
            .finish();
        let packet = Packet::parse(&packet).unwrap();
        let kinds: Vec<_> = packet
            .chunks()
            .map(|chunk| (chunk.kind, chunk.value.len()))
            .collect();
        assert_eq!(kinds, [(chunk_type::ERROR, 3), (chunk_type::ABORT, 0)]);
        assert!(packet.find(chunk_type::ABORT).unwrap().tag_is_reflected());
        assert!(!packet.is_alone());
    }

    #[test]
    fn chunk_longer_than_the_packet_is_no_packet() {
        let mut packet = Writer::new(HEADER)
            .chunk(chunk_type::ERROR, 0, &[1, 2, 3, 4])
            .finish();
        packet[15] = 9;
        assert!(Packet::parse(&packet).is_none());
        packet[15] = 3;
        assert!(Packet::parse(&packet).is_none());
        assert!(Packet::parse(&packet[..12]).is_none());
        assert!(Packet::parse(&[]).is_none());
    }
}
