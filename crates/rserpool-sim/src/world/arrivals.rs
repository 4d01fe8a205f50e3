//! Messages and datagrams on their way and at their end. Everything is encoded when it is sent
//! and decoded when it arrives.

use super::{News, World};
use crate::check::Rule;
use crate::network::{EndId, EndState, is_blocked};
use crate::node::{Actor, NodeId, Status, addresses};
use crate::octets::OctetsId;
use crate::schedule::Occurrence;
use crate::transcript::Mark;
use rserpool_core::ASAP_PORT;
use rserpool_wire::asap::Message;
use std::net::SocketAddr;
use std::time::Duration;

/// Messages of one end that are kept after its association broke; more tell nobody more.
const UNSENT_MAX: usize = 8;

/// In large scopes, one message of so many is checked to encode again to the same octets.
const CODEC_CHECKED: u64 = 16;

impl World {
    /// A message leaves this end.
    pub(super) fn send(&mut self, from: EndId, message: &Message) {
        let octets = self.octets.store(|buffer| message.encode_into(buffer));
        self.send_octets(from, octets);
    }

    pub(super) fn send_octets(&mut self, from: EndId, octets: OctetsId) {
        self.statistics.messages += 1;
        let association = &mut self.associations[from.association() as usize];
        let broken = association.broken;
        let way = association.delay + association.slow;
        let to = &mut association.ends[from.other().side()];
        if broken || to.state == EndState::Gone {
            let unsent = &mut association.ends[from.side()].unsent;
            if unsent.len() < UNSENT_MAX {
                unsent.push(octets);
            } else {
                self.octets.release(octets);
            }
            return;
        }
        if to.blocked > 0 {
            to.held.push(octets);
            return;
        }
        let jitter = self.random.between(Duration::ZERO, self.profile.jitter);
        let at = to.latest_arrival.max(self.now + way + jitter);
        to.latest_arrival = at;
        let end = from.other();
        self.schedule.add(at, Occurrence::Arrival { end, octets });
    }

    pub(super) fn on_arrival(&mut self, end: EndId, octets: OctetsId) {
        let association = &self.associations[end.association() as usize];
        let own = &association.ends[end.side()];
        if own.state != EndState::Up || association.broken {
            self.octets.release(octets);
            return;
        }
        match self.nodes[own.node.index()].status {
            Status::Running => self.deliver(end, octets),
            Status::Hung | Status::Paused => {
                let occurrence = Occurrence::Arrival { end, octets };
                self.nodes[own.node.index()].inbox.push_back(occurrence);
            }
            Status::Down | Status::Gone => self.octets.release(octets),
        }
    }

    /// A message is read.
    pub(super) fn deliver(&mut self, end: EndId, octets: OctetsId) {
        let node = self.node_of(end);
        let read = self.octets.octets(octets);
        self.transcript.digest_octets(self.now, node, read);
        self.statistics.octets += u64::try_from(read.len()).unwrap_or(u64::MAX);
        let message = Message::decode(read);
        let sender = self.node_of(end.other());
        let is_own = !matches!(self.nodes[sender.index()].actor, Actor::Stranger(_));
        let is_checked = self.is_small || self.statistics.messages.is_multiple_of(CODEC_CHECKED);
        if is_own && is_checked {
            self.check_codec(node, octets, message.as_ref().ok().map(|m| &m.message));
        }
        if self.transcript.is_kept() {
            let (from, to) = (self.roster.name(sender), self.roster.name(node));
            let marks = [(sender, Mark::Sends), (node, Mark::Receives)];
            match &message {
                Ok(decoded) => {
                    let text = format_args!("{from} -> {to} {}", decoded.message);
                    self.transcript.line(self.now, &marks, text);
                }
                Err(error) => {
                    let text = format_args!("{from} -> {to} no message: {error}");
                    self.transcript.line(self.now, &marks, text);
                }
            }
        }
        self.octets.release(octets);
        if let Ok(decoded) = &message {
            self.check_arrival(end, &decoded.message);
        }
        self.tell_received(node, end, message);
        self.check_answered_at_once(node);
    }

    /// What a machine of ours sent is read as the same message, and completely.
    fn check_codec(&mut self, node: NodeId, octets: OctetsId, message: Option<&Message>) {
        self.scratch.clear();
        if let Some(message) = message {
            message.encode_into(&mut self.scratch);
        }
        if self.scratch != self.octets.octets(octets) {
            let octets = self.octets.octets(octets).to_vec();
            self.violate(
                Rule::Codec,
                node,
                format_args!("{octets:02x?} is read as {message:?}"),
            );
        }
    }

    /// A datagram leaves for everybody who listens.
    pub(super) fn multicast(&mut self, from: NodeId, message: &Message) {
        if !self.scenario.multicast {
            return;
        }
        let disturbed = self.announces_disturbed > 0;
        let encoded = message.encode();
        let listeners = self.roster.len() - self.roster.strangers.len();
        for number in 0..u32::try_from(listeners).unwrap_or(u32::MAX) {
            let to = NodeId(number);
            let is_running = self.nodes[to.index()].status == Status::Running;
            if to == from || !is_running || is_blocked(&self.partitions, from, to) {
                continue;
            }
            let loss = if disturbed {
                60
            } else {
                self.profile.loss_percent
            };
            let copies = match self.random.below(100) {
                lot if lot < loss => 0,
                lot if disturbed && lot >= 80 => 2,
                _ => 1,
            };
            for _ in 0..copies {
                self.send_datagram(from, to, &encoded, disturbed);
            }
        }
    }

    fn send_datagram(&mut self, from: NodeId, to: NodeId, encoded: &[u8], disturbed: bool) {
        let (near, far) = self.profile.delay;
        let far = if disturbed { far * 200 } else { far };
        let at = self.now + self.random.between(near, far);
        let octets = self
            .octets
            .store(|buffer| buffer.extend_from_slice(encoded));
        self.statistics.datagrams += 1;
        self.schedule
            .add(at, Occurrence::Datagram { to, from, octets });
    }

    pub(super) fn on_datagram(&mut self, to: NodeId, from: NodeId, octets: OctetsId) {
        match self.nodes[to.index()].status {
            Status::Running => self.deliver_datagram(to, from, octets),
            Status::Hung | Status::Paused => {
                let occurrence = Occurrence::Datagram { to, from, octets };
                self.nodes[to.index()].inbox.push_back(occurrence);
            }
            Status::Down | Status::Gone => self.octets.release(octets),
        }
    }

    pub(super) fn deliver_datagram(&mut self, to: NodeId, from: NodeId, octets: OctetsId) {
        let read = self.octets.octets(octets);
        self.transcript.digest_octets(self.now, to, read);
        let message = Message::decode(read);
        self.octets.release(octets);
        let Ok(decoded) = message else {
            return;
        };
        let message = decoded.message;
        if self.transcript.is_kept() {
            let names = [from, to].map(|node| self.roster.name(node));
            self.transcript.line(
                self.now,
                &[(from, Mark::Sends), (to, Mark::Receives)],
                format_args!("{} => {} {message}", names[0], names[1]),
            );
        }
        let from = SocketAddr::new(addresses(from)[0], ASAP_PORT);
        self.tell(to, News::Announced { from, message });
    }
}
