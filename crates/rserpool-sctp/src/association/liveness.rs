//! Timers, and whether the peer is still there.

use super::{Association, Surroundings};
use crate::event::DownReason;
use crate::heartbeat::Due;
use crate::packet::{Packet, chunk_type, error_cause};
use crate::route::Route;

impl Association {
    /// The time set by [`Association::deadline`] has come.
    pub(crate) fn fire(
        &mut self,
        random: u32,
        around: &mut Surroundings<'_>,
    ) -> Option<DownReason> {
        if self.timers_due() <= around.now {
            self.advance_with_paths(around);
            let rto_min = around.config.timers.rto_min;
            self.window.on_timer(around.now, rto_min);
        }
        let down = self.collect(around, None);
        self.is_on_timer = false;
        if down.is_some() {
            return down;
        }
        if !self.is_up() {
            return None;
        }
        let timers = &around.config.timers;
        let random = match &mut self.paths {
            None => random,
            Some(paths) => {
                paths.fire(around.now, timers, around.random);
                self.apply_path_effects(around);
                // The heartbeats of the paths come sooner, if one of them works.
                u32::MAX
            }
        };
        match self.heartbeat.on_deadline(around.now, timers, random) {
            Due::Nothing => None,
            Due::Ask(value) => {
                self.ask_everywhere(&value, around);
                None
            }
            Due::Lost => {
                self.send_abort(error_cause::USER_INITIATED_ABORT, b"no answer", around);
                Some(DownReason::Lost)
            }
        }
    }

    /// RFC 9260 §8.3. Most packets of an idle association are one HEARTBEAT or HEARTBEAT ACK, and
    /// need no more than this. Says whether the packet is done with.
    pub(super) fn on_heartbeat_chunks(
        &mut self,
        packet: &Packet<'_>,
        source: Route,
        around: &mut Surroundings<'_>,
    ) -> bool {
        let timers = &around.config.timers;
        for chunk in packet.chunks() {
            if chunk.kind != chunk_type::HEARTBEAT_ACK {
                continue;
            }
            let of_path = self
                .paths
                .as_mut()
                .is_some_and(|paths| paths.on_heartbeat_ack(around.now, chunk.value, timers));
            if !of_path && !self.heartbeat.on_ack(around.now, chunk.value, timers) {
                around.outputs.statistics.protocol_errors += 1;
            }
        }
        let first = packet.first();
        let is_small = packet.octets().len() <= around.config.mtu;
        if packet.is_alone() && first.kind == chunk_type::HEARTBEAT && self.is_up() && is_small {
            let answer =
                self.writer(around.config)
                    .chunk(chunk_type::HEARTBEAT_ACK, 0, first.value);
            let answer = source.carry(answer.finish());
            around.outputs.transmits.push_back(answer);
            return true;
        }
        packet.is_alone() && first.kind == chunk_type::HEARTBEAT_ACK
    }
}
