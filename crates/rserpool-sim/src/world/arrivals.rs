//! Messages and datagrams on their way and at their end. Everything is encoded when it is sent
//! and decoded when it arrives.

use super::{News, World};
use crate::check::Rule;
use crate::network::{ChannelMessage, Datagram, DatagramId, EndId, EndState, Protocol, is_blocked};
use crate::node::{Actor, NodeId, Status, first_address};
use crate::octets::OctetsId;
use crate::schedule::Occurrence;
use crate::transcript::{Mark, Transcript};
use rserpool_core::{ASAP_PORT, ENRP_PORT};
use rserpool_wire::{Undecodable, asap, enrp};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// Messages of one end that are kept after its association broke; more tell nobody more.
const UNSENT_MAX: usize = 8;

/// In large scopes, one message of so many is checked to encode again to the same octets.
const CODEC_CHECKED: u64 = 16;

impl World {
    /// A message leaves this end.
    pub(super) fn send(&mut self, from: EndId, message: &asap::Message) {
        let octets = self.octets.store(|buffer| message.encode_into(buffer));
        self.send_octets(from, octets);
    }

    /// An ENRP message leaves this end.
    pub(super) fn send_enrp(&mut self, from: EndId, message: &enrp::Message) {
        let octets = self.octets.store(|buffer| message.encode_into(buffer));
        self.send_octets(from, octets);
    }

    pub(super) fn send_octets(&mut self, from: EndId, octets: OctetsId) {
        self.statistics.messages += 1;
        if self.has_datagrams(from) {
            return self.send_datagram(from, octets);
        }
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
        // Nothing comes before the first datagram.
        let is_there = match own.state {
            EndState::Up => true,
            EndState::Opening => association.has_datagrams(),
            EndState::Gone => false,
        };
        if !is_there || association.broken || self.is_silenced(end) {
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
        match self.associations[end.association() as usize]
            .target
            .protocol()
        {
            Protocol::Asap => {
                let message = asap::Message::decode(read);
                let known = message.as_ref().map(|decoded| &decoded.message);
                self.check_codec(end, octets, known.ok(), asap::Message::encode_into);
                self.received_line(end, known);
                self.octets.release(octets);
                if let Ok(decoded) = &message {
                    self.check_arrival(end, &decoded.message);
                }
                self.tell_received(node, end, message);
                self.check_answered_at_once(node);
            }
            Protocol::Enrp => {
                let message = enrp::Message::decode(read);
                let known = message.as_ref().map(|decoded| &decoded.message);
                self.check_codec(end, octets, known.ok(), enrp::Message::encode_into);
                self.received_line(end, known);
                self.octets.release(octets);
                self.tell_enrp_received(node, end, message);
            }
            Protocol::Session => self.deliver_to_session(end, octets),
        }
    }

    fn received_line<M: fmt::Display>(&mut self, end: EndId, message: Result<&M, &Undecodable>) {
        if !self.transcript.is_kept() {
            return;
        }
        let [sender, node] = [end.other(), end].map(|end| self.node_of(end));
        let [from, to] = [sender, node].map(|node| self.roster.name(node));
        let marks = [(sender, Mark::Sends), (node, Mark::Receives)];
        match message {
            Ok(message) => {
                let text = format_args!("{from} -> {to} {message}");
                self.transcript.line(self.now, &marks, text);
            }
            Err(error) => {
                let text = format_args!("{from} -> {to} no message: {error}");
                self.transcript.line(self.now, &marks, text);
            }
        }
    }

    /// What a machine of ours sent is read as the same message, and completely.
    fn check_codec<M: fmt::Debug>(
        &mut self,
        end: EndId,
        octets: OctetsId,
        message: Option<&M>,
        encode_into: impl FnOnce(&M, &mut Vec<u8>),
    ) {
        if !self.is_small && !self.statistics.messages.is_multiple_of(CODEC_CHECKED) {
            return;
        }
        let sender = self.node_of(end.other());
        if matches!(self.nodes[sender.index()].actor, Actor::Stranger(_)) {
            return;
        }
        self.scratch.clear();
        if let Some(message) = message {
            encode_into(message, &mut self.scratch);
        }
        if self.scratch != self.octets.octets(octets) {
            let octets = self.octets.octets(octets).to_vec();
            let text = format_args!("{octets:02x?} is read as {message:?}");
            self.violate(Rule::Codec, self.node_of(end), text);
        }
    }

    /// A datagram leaves for everybody who listens.
    pub(super) fn multicast(&mut self, from: NodeId, message: &ChannelMessage) {
        if !self.scenario.multicast {
            return;
        }
        let octets = message.encode();
        let decoded = message.decode(&octets);
        let Some(message) = decoded.filter(|decoded| decoded.encode() == octets) else {
            let text = format_args!("multicasts {message:?} as {octets:02x?}");
            return self.violate(Rule::Codec, from, text);
        };
        let listeners = match &message {
            ChannelMessage::Asap(_) => self.roster.len() - self.roster.strangers.len(),
            ChannelMessage::Enrp(_) => self.roster.registrars.len(),
        };
        let datagram = self.datagrams.add(Datagram {
            from,
            message,
            digest: Transcript::digest_of(&octets),
        });
        for number in 0..u32::try_from(listeners).unwrap_or(u32::MAX) {
            let to = NodeId(number);
            let is_running = self.nodes[to.index()].status == Status::Running;
            let hears = self.are_in_one_scope(from, to) && !is_blocked(&self.partitions, from, to);
            if to != from && is_running && hears {
                self.send_copies(to, datagram);
            }
        }
        self.datagrams.release(datagram);
    }

    /// A datagram may be lost or doubled, and each copy takes its own time.
    fn send_copies(&mut self, to: NodeId, datagram: DatagramId) {
        let disturbed = self.announces_disturbed > 0;
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
        let (near, far) = self.profile.delay;
        let far = if disturbed { far * 200 } else { far };
        for _ in 0..copies {
            let at = self.now + self.random.between(near, far);
            self.statistics.datagrams += 1;
            self.datagrams.claim(datagram);
            self.schedule.add(at, Occurrence::Datagram { to, datagram });
        }
    }

    pub(super) fn on_datagram(&mut self, to: NodeId, datagram: DatagramId) {
        match self.nodes[to.index()].status {
            Status::Running => self.deliver_datagram(to, datagram),
            Status::Hung | Status::Paused => {
                let occurrence = Occurrence::Datagram { to, datagram };
                self.nodes[to.index()].inbox.push_back(occurrence);
            }
            Status::Down | Status::Gone => self.datagrams.release(datagram),
        }
    }

    pub(super) fn deliver_datagram(&mut self, to: NodeId, id: DatagramId) {
        let datagram = self.datagrams.get(id).cloned();
        self.datagrams.release(id);
        let Some(datagram) = datagram else {
            return;
        };
        let Datagram {
            from,
            message,
            digest,
        } = datagram;
        self.transcript.digest_number(digest ^ u64::from(to.0));
        if self.transcript.is_kept() {
            let names = [from, to].map(|node| self.roster.name(node));
            let said: &dyn fmt::Display = match &message {
                ChannelMessage::Asap(message) => message,
                ChannelMessage::Enrp(message) => message,
            };
            self.transcript.line(
                self.now,
                &[(from, Mark::Sends), (to, Mark::Receives)],
                format_args!("{} => {} {said}", names[0], names[1]),
            );
        }
        let port = match &message {
            ChannelMessage::Asap(_) => ASAP_PORT,
            ChannelMessage::Enrp(_) => ENRP_PORT,
        };
        let from = SocketAddr::new(first_address(from), port);
        self.tell(to, News::Heard { from, message });
    }
}
