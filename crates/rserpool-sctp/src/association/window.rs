//! Flow control (RFC 9260 §6.1, §6.2.1): what happens when a receive window is closed.
//!
//! dcsctp closes its window over messages that are not fetched, but then answers DATA with
//! silence and never says that the window is open again; and its sender takes a window that stays
//! closed for a dead peer. What is missing on both sides is here.

use std::time::Duration;

use super::shutdown::Closing;
use super::{Association, Outputs, Surroundings};
use crate::config::Config;
use crate::event::DownReason;
use crate::packet::{Packet, Writer, chunk_type, read_u16, read_u32};
use crate::route::Route;
use crate::time::Timestamp;

/// Who closes an association waits so long for a peer that answers and takes nothing (RFC 9260
/// §9.2 has it end some time): long enough for an application that is busy.
const CLOSING_PATIENCE: Duration = Duration::from_secs(30);

/// A closed window is asked after at T3-rtx, and then ever more seldom up to this: the peer says by
/// itself when it is open again, and the question is for when that is lost.
const PROBE_PAUSE_MAX: Duration = Duration::from_secs(10);

/// dcsctp drops a chunk, without a word, when it was repeated 65,535 times: the association ends
/// before that, after a week.
const PROBES_MAX: u32 = 60_000;

/// Where the Number of Gap Ack Blocks and the blocks are in a SACK (RFC 9260 §3.3.4).
const GAPS_AT: usize = 8;
const GAP_BLOCKS_AT: usize = 12;

/// The I bit of DATA: to be acknowledged at once (RFC 9260 §3.3.1).
const I_BIT: u8 = 8;

/// Our receive window and the peer's.
#[derive(Default)]
pub(super) struct Window {
    /// Messages stay in the window: whoever is to have them does not take any.
    is_held: bool,
    /// The SACK that told the peer that our window is closed. It says what there is to say for as
    /// long as nothing is taken, since nothing more is accepted.
    closed: Option<Sack>,
    /// The DATA of the latest packet that found it closed.
    probe: Option<Vec<u8>>,
    /// Since when the peer says that its window is closed.
    peer_closed: Option<Timestamp>,
    /// The peer has said so again since T3-rtx expired last.
    has_answered: bool,
    /// How often it has since then.
    answers: u32,
    /// When to ask next, and how long that is after the last time.
    ask_at: Timestamp,
    pause: Duration,
    /// dcsctp may owe the peer a SACK, which its timers send.
    owes_sack: bool,
}

/// What of a SACK does not change while the window is closed.
struct Sack {
    cumulative_tsn_ack: [u8; 4],
    gap_blocks: Vec<u8>,
}

impl Sack {
    fn read(value: &[u8]) -> Option<Self> {
        let gaps = usize::from(read_u16(value, GAPS_AT)?);
        let gap_blocks = value.get(GAP_BLOCKS_AT..GAP_BLOCKS_AT + 4 * gaps)?;
        Some(Self {
            cumulative_tsn_ack: *value.first_chunk()?,
            gap_blocks: gap_blocks.to_vec(),
        })
    }

    fn value(&self, window: u32) -> Vec<u8> {
        let gaps = u16::try_from(self.gap_blocks.len() / 4).unwrap_or_default();
        let mut value = self.cumulative_tsn_ack.to_vec();
        value.extend(window.to_be_bytes());
        value.extend(gaps.to_be_bytes());
        value.extend([0; 2]);
        value.extend(&self.gap_blocks);
        value
    }
}

fn advertised(packet: &Packet<'_>) -> Option<u32> {
    read_u32(packet.find(chunk_type::SACK)?.value, 4)
}

impl Window {
    pub(super) fn is_held(&self) -> bool {
        self.is_held
    }

    /// The peer knows that our window is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// A packet of dcsctp on its way out.
    pub(super) fn on_sack_sent(&mut self, packet: &Packet<'_>) {
        if let Some(window) = advertised(packet) {
            let sack = packet.find(chunk_type::SACK).filter(|_| window == 0);
            self.owes_sack = false;
            self.closed = sack.and_then(|sack| Sack::read(sack.value));
            self.probe = None;
        }
    }

    /// DATA is on its way to dcsctp.
    pub(super) fn on_data(&mut self, packet: &Packet<'_>) {
        self.owes_sack |= packet.find(chunk_type::DATA).is_some();
    }

    /// Until when dcsctp's timers wait, as nothing but the next probe is due.
    fn probe_at(&self) -> Option<Timestamp> {
        let waits = self.peer_closed.is_some() && !self.owes_sack;
        waits.then_some(self.ask_at)
    }

    /// dcsctp's timers have fired.
    pub(super) fn on_timer(&mut self, now: Timestamp, rto_min: Duration) {
        if self.peer_closed.is_some() {
            self.pause = (2 * self.pause).clamp(rto_min, PROBE_PAUSE_MAX);
            self.ask_at = now + self.pause;
        }
    }

    /// T3-rtx has expired: whether that is no fault, as the probe of a closed window was answered
    /// (RFC 9260 §6.1).
    pub(super) fn excuses_expiry(&mut self) -> bool {
        std::mem::take(&mut self.has_answered) && self.peer_closed.is_some()
    }
}

impl Association {
    /// From now on messages stay where they are, until [`Association::release`].
    pub(crate) fn hold(&mut self) {
        self.window.is_held = true;
    }

    /// Messages go out again, and the peer is told at once that there is room.
    pub(crate) fn release(&mut self, around: &mut Surroundings<'_>) -> Option<DownReason> {
        self.window.is_held = false;
        let Some(probe) = self.window.probe.take() else {
            return self.collect(around, None);
        };
        // Its window of one packet (RFC 9260 §7.2.3) is taken by the probe, until that expires:
        // what tells the peer that there is room acknowledges it.
        self.window.closed = None;
        let down = self.collect(around, None);
        if let Some(packet) = Packet::parse(&probe) {
            self.reassembly.on_packet(&packet);
        }
        self.feed(around.now, &probe);
        down.or_else(|| self.collect(around, None))
    }

    /// The association ends: whatever was acknowledged goes out.
    pub(crate) fn deliver_all(&mut self, config: &Config, outputs: &mut Outputs) {
        self.window.is_held = false;
        // Nothing more comes, and so nobody has to know that there is room.
        self.window.closed = None;
        self.window.probe = None;
        self.fetch_messages(usize::MAX, config, outputs);
    }

    /// Room has been made in our window. Without being told, the peer would find out by a probe.
    pub(super) fn tell_window_open(&mut self, config: &Config, outputs: &mut Outputs) {
        let window = self.reassembly.free(config.receive_window_octets);
        if window > 0
            && let Some(sack) = self.window.closed.take()
        {
            let value = sack.value(window);
            let sack = self.writer(config).chunk(chunk_type::SACK, 0, &value);
            self.transmit(sack.finish(), outputs);
        }
    }

    /// RFC 9260 §6.2: DATA that finds the window closed is dropped and answered with a SACK, so
    /// that the peer knows that we are here. The latest is kept, for when there is room.
    pub(super) fn answer_probe(
        &mut self,
        packet: &Packet<'_>,
        source: Route,
        around: &mut Surroundings<'_>,
    ) {
        if let Some(sack) = &self.window.closed
            && packet.find(chunk_type::DATA).is_some()
        {
            let writer = self.writer(around.config);
            let answer = writer.chunk(chunk_type::SACK, 0, &sack.value(0)).finish();
            around.outputs.transmits.push_back(source.carry(answer));
            if self.window.is_held && packet.octets().len() <= around.config.mtu {
                let of_data = packet
                    .chunks()
                    .filter(|chunk| chunk.kind == chunk_type::DATA);
                let probe = of_data.fold(Writer::new(packet.header), |probe, chunk| {
                    probe.chunk(chunk.kind, chunk.flags | I_BIT, chunk.value)
                });
                self.window.probe = Some(probe.finish());
            }
        }
    }

    /// When dcsctp's timers are due.
    pub(super) fn timers_due(&self) -> Timestamp {
        let due = self.socket_deadline();
        match self.window.probe_at() {
            // Who closes is in a hurry.
            Some(probe_at) if matches!(self.closing, Closing::No) => due.max(probe_at),
            Some(_) | None => due,
        }
    }

    /// Before dcsctp learns that the peer's window is open: its clock has stood still while it
    /// waited to ask.
    pub(super) fn before_window_opens(&mut self, packet: &Packet<'_>, now: Timestamp) {
        if self.window.peer_closed.is_some() && advertised(packet).is_some_and(|free| free > 0) {
            self.advance(now);
        }
    }

    /// RFC 9260 §6.1: as long as a peer whose window is closed answers, the association goes on.
    pub(super) fn on_peer_window(&mut self, packet: &Packet<'_>, around: &Surroundings<'_>) {
        let Some(window) = advertised(packet) else {
            return;
        };
        if window > 0 {
            self.window.peer_closed = None;
            self.window.answers = 0;
            self.window.pause = Duration::ZERO;
            return;
        }
        self.window.has_answered = true;
        self.window.answers += 1;
        let since = *self.window.peer_closed.get_or_insert(around.now);
        let waited = around.now.saturating_duration_since(since);
        let is_closing = !matches!(self.closing, Closing::No);
        if self.window.answers <= PROBES_MAX && (!is_closing || waited < CLOSING_PATIENCE) {
            self.reset_error_counter(around);
        }
    }

    /// Patience begins when it is asked for.
    pub(super) fn begin_patience(&mut self, now: Timestamp) {
        if let Some(since) = &mut self.window.peer_closed {
            *since = now;
        }
    }
}
