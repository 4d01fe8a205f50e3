//! What the messages that an association has not received completely cost in memory.
//!
//! dcsctp counts their user data alone, and a peer that means harm sends it an octet at a time.
//! It does not say what it holds either, but in each SACK (RFC 9260 §3.3.4): the advertised
//! window. Between two SACKs this counts upward.

use crate::packet::{Packet, chunk_type, read_u32};

/// What dcsctp keeps beside the user data of a chunk, rounded up: about 60 octets in a tree whose
/// nodes may be half empty, and an allocation.
const CHUNK_OVERHEAD_OCTETS: usize = 128;

/// Of a DATA chunk, before its user data (RFC 9260 §3.3.1).
const DATA_HEADER_OCTETS: usize = 12;

/// The share of its window that dcsctp advertises at most.
const ADVERTISED_SHARE: f32 = 0.9;

/// An upper bound of what one association holds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Reassembly {
    /// User data.
    octets: usize,
    /// Chunks whose overhead is more than their user data. Those of messages that have been
    /// completed stay counted, until so few octets are held that they cannot be there.
    small_chunks: usize,
}

impl Reassembly {
    /// A packet that goes to dcsctp.
    pub(crate) fn on_packet(&mut self, packet: &Packet<'_>) {
        for chunk in packet.chunks() {
            if chunk.kind == chunk_type::DATA {
                let octets = chunk.value.len().saturating_sub(DATA_HEADER_OCTETS);
                self.octets += octets;
                self.small_chunks += usize::from(octets < CHUNK_OVERHEAD_OCTETS);
            }
        }
    }

    /// A message is complete and has left.
    pub(crate) fn on_message(&mut self, octets: usize) {
        let is_small = octets < CHUNK_OVERHEAD_OCTETS;
        self.small_chunks = self.small_chunks.saturating_sub(usize::from(is_small));
        self.hold(self.octets.saturating_sub(octets));
    }

    /// dcsctp tells what it holds; its window is `window` octets.
    pub(crate) fn on_sack(&mut self, packet: &Packet<'_>, window: usize) {
        let sack = packet.find(chunk_type::SACK);
        let Some(free) = sack.and_then(|sack| read_u32(sack.value, 4)) else {
            return;
        };
        let held = match usize::try_from(free).unwrap_or(usize::MAX) {
            0 => window,
            free => advertised(window).saturating_sub(free),
        };
        self.hold(held);
    }

    /// At least what there is room for in a window of `window` octets.
    pub(crate) fn free(&self, window: usize) -> u32 {
        let free = advertised(window).saturating_sub(self.octets);
        u32::try_from(free).unwrap_or(u32::MAX)
    }

    /// Its memory, in octets.
    pub(crate) fn memory(&self) -> usize {
        2 * self.octets + self.small_chunks * CHUNK_OVERHEAD_OCTETS
    }

    /// Every chunk has at least one octet.
    fn hold(&mut self, octets: usize) {
        self.octets = octets;
        self.small_chunks = self.small_chunks.min(octets);
    }
}

/// What dcsctp advertises of an empty window.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "as dcsctp computes it, or the difference would be wrong by the rounding"
)]
fn advertised(window: usize) -> usize {
    (window as f32 * ADVERTISED_SHARE) as usize
}
