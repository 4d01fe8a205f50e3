//! The end in good order (RFC 9260 §9.2).
//!
//! dcsctp by itself would send SHUTDOWN, or answer one, as soon as nothing is in flight, over
//! messages that wait in its queue or for their retransmission. So it learns of either only
//! when everything is acknowledged.

use dcsctp::api::DcSctpSocket as _;

use super::{Association, Surroundings};
use crate::event::Event;
use crate::packet::{Packet, Writer, chunk_type};
use crate::time::Timestamp;

/// How far the end has come.
pub(super) enum Closing {
    No,
    /// We are to close as soon as everything is acknowledged.
    WhenAcknowledged,
    /// The peer's SHUTDOWN, held until everything is acknowledged.
    ByPeer(Vec<u8>),
    /// dcsctp is at it.
    Begun,
}

impl Association {
    pub(crate) fn start_shutdown(&mut self, now: Timestamp) {
        if matches!(self.closing, Closing::No) {
            self.begin_patience(now);
            self.closing = Closing::WhenAcknowledged;
        }
    }

    /// RFC 9260 §9.2. A SHUTDOWN also acknowledges (Cumulative TSN Ack), which dcsctp passes
    /// over: it gets a SACK that says the same.
    pub(super) fn on_shutdown(&mut self, packet: &Packet<'_>, around: &mut Surroundings<'_>) {
        // It has nothing more to send, and so nothing to wait with.
        self.deliver_all(around.config, around.outputs);
        if matches!(self.closing, Closing::No | Closing::WhenAcknowledged) {
            let association = self.id;
            around
                .outputs
                .events
                .push_back(Event::ShutdownByPeer { association });
        }
        if self.outbox.is_empty() || matches!(self.closing, Closing::Begun) {
            self.closing = Closing::Begun;
            self.feed(around.now, packet.octets());
            return;
        }
        let mut others = Writer::new(packet.header);
        for chunk in packet.chunks() {
            if chunk.kind == chunk_type::SHUTDOWN {
                let mut sack = chunk.value.to_vec();
                let window = u32::try_from(around.config.receive_window_octets);
                sack.extend(window.unwrap_or(u32::MAX).to_be_bytes());
                sack.extend([0; 4]);
                others = others.chunk(chunk_type::SACK, 0, &sack);
                let alone = Writer::new(packet.header).chunk(chunk.kind, 0, chunk.value);
                self.closing = Closing::ByPeer(alone.finish());
            } else {
                others = others.chunk(chunk.kind, chunk.flags, chunk.value);
            }
        }
        self.feed(around.now, &others.finish());
    }

    /// Lets dcsctp close if it is time. Says whether it did something.
    pub(super) fn continue_closing(&mut self) -> bool {
        if !self.outbox.is_empty() || !self.is_up() {
            return false;
        }
        match std::mem::replace(&mut self.closing, Closing::Begun) {
            Closing::WhenAcknowledged => self.socket.shutdown(),
            Closing::ByPeer(shutdown) => self.socket.handle_input(&shutdown),
            unchanged @ (Closing::No | Closing::Begun) => {
                self.closing = unchanged;
                return false;
            }
        }
        true
    }

    /// The peer has restarted: what it wanted is void, what our owner wanted is not.
    pub(super) fn reset_closing(&mut self) {
        self.closing = match std::mem::replace(&mut self.closing, Closing::No) {
            Closing::No | Closing::ByPeer(_) => Closing::No,
            Closing::WhenAcknowledged | Closing::Begun => Closing::WhenAcknowledged,
        };
    }
}
