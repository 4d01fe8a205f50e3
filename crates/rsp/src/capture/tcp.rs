//! TCP connections to port 3863: messages one after the other, each as long as its header says,
//! rounded up to 4 octets.

use super::{Carrier, Found};
use rserpool_wire::Protocol;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// How many directions of connections are followed at a time.
const STREAMS_MAX: usize = 4096;

/// The directions of all connections seen.
#[derive(Default)]
pub(super) struct Streams {
    streams: BTreeMap<(SocketAddr, SocketAddr), Stream>,
}

/// One direction: what has arrived in order, from the start of a message.
struct Stream {
    next: u32,
    octets: Vec<u8>,
}

impl Streams {
    /// The messages that this segment completes. After a gap in the capture, reading goes on with
    /// the next segment as if a message began there.
    pub(super) fn read(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        number: u32,
        syn: bool,
        payload: &[u8],
    ) -> Vec<Found> {
        if self.streams.len() >= STREAMS_MAX {
            self.streams.clear();
        }
        let stream = self
            .streams
            .entry((source, destination))
            .or_insert_with(|| Stream {
                next: number,
                octets: Vec::new(),
            });
        if syn {
            *stream = Stream {
                next: number.wrapping_add(1),
                octets: Vec::new(),
            };
        }
        stream.append(number, payload);
        let mut found = Vec::new();
        while let Some(octets) = stream.next_message() {
            let (protocol, carrier) = (Protocol::Asap, Carrier::Tcp);
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
}

impl Stream {
    fn append(&mut self, number: u32, payload: &[u8]) {
        let repeated = self.next.wrapping_sub(number);
        let new = if repeated < u32::MAX / 2 {
            let repeated = usize::try_from(repeated).unwrap_or(usize::MAX);
            payload.get(repeated..).unwrap_or_default()
        } else {
            self.octets.clear();
            self.next = number;
            payload
        };
        self.octets.extend(new);
        // A segment has at most 65,535 octets, so that nothing is lost here.
        self.next = self
            .next
            .wrapping_add(u32::try_from(new.len()).unwrap_or_default());
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        let header = self.octets.first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]])).max(4);
        let padded = length.next_multiple_of(4);
        if self.octets.len() < padded {
            return None;
        }
        let rest = self.octets.split_off(padded);
        Some(std::mem::replace(&mut self.octets, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_by_their_own_lengths_whatever_the_segments() {
        let octets = [5, 0, 0, 6, 1, 2, 0, 0, 9, 0, 0, 4];
        for cut in 0..=octets.len() {
            let (first, second) = octets.split_at(cut);
            let mut streams = Streams::default();
            let mut found = read(&mut streams, 1000, first);
            found.extend(read(
                &mut streams,
                1000 + u32::try_from(cut).unwrap(),
                second,
            ));
            assert_eq!(found, [octets[..8].to_vec(), octets[8..].to_vec()], "{cut}");
        }
    }

    #[test]
    fn what_is_sent_again_counts_once() {
        let mut streams = Streams::default();
        assert_eq!(read(&mut streams, u32::MAX, &[9, 0, 0]), [[0; 0]; 0]);
        assert_eq!(read(&mut streams, u32::MAX, &[9, 0, 0, 4]), [[9, 0, 0, 4]]);
    }

    fn read(streams: &mut Streams, number: u32, payload: &[u8]) -> Vec<Vec<u8>> {
        let (a, b) = (
            "10.0.0.1:3863".parse().unwrap(),
            "10.0.0.2:999".parse().unwrap(),
        );
        let found = streams.read(a, b, number, false, payload);
        found.into_iter().map(|found| found.octets).collect()
    }
}
