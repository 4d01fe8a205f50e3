//! What pool elements do for sessions: count, answer, and give cookies.
//!
//! Must not know what the pool user has.

use super::World;
use crate::check::Rule;
use crate::network::{Channel, EndId, EndState, Protocol};
use crate::node::{Actor, NodeId};
use crate::octets::OctetsId;
use crate::session::{Data, Interruption, Packet, Progress, ServedSession, SessionId};
use crate::session::{Stage, cookie_interval};
use crate::transcript::Mark;
use rserpool_core::Timestamp;
use rserpool_core::session::{
    PoolElementSessionCommand, PoolElementSessionEvent, PoolElementSessionOutput,
};
use rserpool_wire::parameter::Cookie;

impl World {
    pub(super) fn is_of_a_session(&self, end: EndId) -> bool {
        let association = &self.associations[end.association() as usize];
        association.target.protocol() == Protocol::Session
    }

    /// Something for a session is read.
    pub(super) fn deliver_to_session(&mut self, end: EndId, octets: OctetsId) {
        let packet = Packet::decode(self.octets.octets(octets));
        self.check_packet(end, octets, packet.as_ref());
        self.octets.release(octets);
        let Some(packet) = packet else {
            return;
        };
        self.accept_datagrams(end);
        self.packet_line(end, &packet);
        match &self.nodes[self.node_of(end).index()].actor {
            Actor::User(..) => self.session_received(end, packet),
            Actor::Element(_) => self.service_received(end, packet),
            Actor::Nobody | Actor::Registrar(_) | Actor::Stranger(_) => {}
        }
    }

    fn check_packet(&mut self, end: EndId, octets: OctetsId, packet: Option<&Packet>) {
        self.scratch.clear();
        if let Some(packet) = packet {
            packet.encode_into(&mut self.scratch);
        }
        if self.scratch != self.octets.octets(octets) {
            let octets = self.octets.octets(octets).to_vec();
            let text = format_args!("{octets:02x?} is read as {packet:?}");
            self.violate(Rule::Codec, self.node_of(end), text);
        }
    }

    fn packet_line(&mut self, end: EndId, packet: &Packet) {
        if self.transcript.is_kept() {
            let [sender, node] = [end.other(), end].map(|end| self.node_of(end));
            let [from, to] = [sender, node].map(|node| self.roster.name(node));
            let marks = [(sender, Mark::Sends), (node, Mark::Receives)];
            let text = format_args!("{from} -> {to} {packet}");
            self.transcript.line(self.now, &marks, text);
        }
    }

    /// A pool user's session has come to this pool element.
    pub(super) fn service_up(&mut self, end: EndId) {
        self.sessions.served.insert(end, ServedSession::default());
        self.give_first_card(end);
    }

    pub(crate) fn has_control_channel(&self, end: EndId) -> bool {
        let target = &self.associations[end.association() as usize].target;
        target.channel() == Some(Channel::Control)
    }

    pub(super) fn service_lost(&mut self, end: EndId) {
        let served = self.sessions.served.remove(&end);
        if let Some(card) = served.and_then(|served| served.card) {
            self.call_back(end, &card);
        }
        self.look_after_draining(self.node_of(end));
    }

    fn service_received(&mut self, end: EndId, packet: Packet) {
        let Some(served) = self.sessions.served.get_mut(&end) else {
            return;
        };
        match packet {
            Packet::Control(message) => {
                served.control.handle_message(message);
                self.check_control(end);
                self.settle_served(end);
            }
            Packet::Data(Data::Request { session, number }) if self.has_datagrams(end) => {
                self.serve_datagram(end, session, number);
            }
            Packet::Data(Data::Request { session, number }) => self.serve(end, session, number),
            Packet::Data(Data::Message { number }) => self.read_message(end, number),
            Packet::Data(Data::Answer { .. }) => {
                let node = self.node_of(end);
                self.violate(Rule::SessionState, node, format_args!("is sent an answer"));
            }
        }
    }

    fn serve(&mut self, end: EndId, session: SessionId, number: u64) {
        self.check_request(end, session, number);
        self.check_own_card(end);
        self.note_arrived(session, number);
        self.acknowledge(end);
        let Some(served) = self.sessions.served.get_mut(&end) else {
            return;
        };
        served.has_begun = true;
        let before = served.progress.unwrap_or(Progress::first(session));
        let progress = before.next();
        served.progress = Some(progress);
        if let Some(answer) = Packet::answer_of(progress) {
            self.send_data(end, answer);
        }
        // Who is drained may have to move the session after any answer.
        let is_drained = self.is_draining(self.node_of(end));
        if is_drained || progress.count.is_multiple_of(cookie_interval(session)) {
            self.give_cookie(end);
        }
        self.give_another_card(end);
    }

    /// A message that wants no answer.
    fn read_message(&mut self, end: EndId, number: u64) {
        self.check_read(end, number);
        self.acknowledge(end);
        if let Some(served) = self.sessions.served.get_mut(&end) {
            served.has_begun = true;
        }
        self.give_another_card(end);
    }

    /// The transport of who sent it will know that it has arrived.
    fn acknowledge(&mut self, end: EndId) {
        let at = self.now + self.associations[end.association() as usize].delay;
        let arrived = self.sessions.arrived.entry(end.other()).or_default();
        arrived.acknowledge(at);
    }

    /// A request has got to a pool element.
    pub(super) fn note_arrived(&mut self, session: SessionId, number: u64) {
        if let Some(held) = self.sessions.held.get_mut(&session) {
            held.reached = held.reached.max(number);
        }
    }

    /// A cookie, if it says anything new and there is a channel for it.
    pub(super) fn give_cookie(&mut self, end: EndId) {
        let has_channel = self.has_control_channel(end);
        if let Some(served) = self.sessions.served.get_mut(&end).filter(|_| has_channel)
            && let Some(progress) = served.progress
            && progress.count > served.covered
        {
            served.covered = progress.count;
            let command = PoolElementSessionCommand::SendCookie(progress.cookie());
            served.control.handle_command(command);
            self.settle_served(end);
        }
    }

    /// Does what the control channel wants.
    pub(super) fn settle_served(&mut self, end: EndId) {
        while let Some(served) = self.sessions.served.get_mut(&end) {
            match served.control.poll_output() {
                None => break,
                Some(PoolElementSessionOutput::Send(message)) => self.send_control(end, &message),
                Some(PoolElementSessionOutput::Event(PoolElementSessionEvent::CookieEcho(
                    cookie,
                ))) => self.on_cookie_echo(end, &cookie),
                Some(PoolElementSessionOutput::Event(PoolElementSessionEvent::BusinessCard(
                    card,
                ))) => self.on_own_card(end, card),
                Some(PoolElementSessionOutput::Event(event)) => {
                    let node = self.node_of(end);
                    let text = format_args!("serves a session that tells {event:?}");
                    self.violate(Rule::SessionState, node, text);
                }
            }
        }
    }

    /// The session was somewhere else before.
    fn on_cookie_echo(&mut self, end: EndId, cookie: &Cookie) {
        let progress = Progress::of_cookie(cookie);
        self.check_echoed(end, cookie, progress);
        if let Some(served) = self.sessions.served.get_mut(&end) {
            served.progress = progress;
            served.covered = progress.map_or(0, |progress| progress.count);
        }
    }

    /// A process dies: its ends of sessions are gone, and the other ends will notice.
    pub(super) fn end_services_of(&mut self, node: NodeId) {
        let ends = self.sessions.served_by(&self.nodes[node.index()].ends);
        for end in &ends {
            self.sessions.served.remove(end);
            self.interrupt(*end);
            self.silence(end.other());
        }
        self.statistics.sessions.kills += u64::from(!ends.is_empty());
    }

    /// Of what was under way to this end, the rest gets lost: nobody sends it again.
    fn silence(&mut self, end: EndId) {
        let association = &self.associations[end.association() as usize];
        let latest = association.ends[end.side()].latest_arrival.max(self.now);
        let until = self.random.between(self.now.0, latest.0);
        self.sessions.silenced.insert(end, Timestamp(until));
    }

    /// Whether what arrives at this end now would have had to be sent again.
    pub(super) fn is_silenced(&self, end: EndId) -> bool {
        let until = self.sessions.silenced.get(&end);
        until.is_some_and(|until| *until < self.now)
    }

    /// From now on, nothing comes from this end of a session.
    pub(super) fn interrupt(&mut self, served: EndId) {
        let died_at = Some(self.now);
        let id = self.sessions.by_end.get(&served.other());
        let held = id.and_then(|id| self.sessions.held.get_mut(id));
        if let Some(held) = held.filter(|held| matches!(held.stage, Stage::Up { .. })) {
            held.interruption.get_or_insert(Interruption {
                died_at,
                noticed_at: None,
            });
        }
    }

    /// The pool elements that have sessions now.
    pub(crate) fn serving(&self) -> Vec<NodeId> {
        let is_up = |end: &EndId| {
            let association = &self.associations[end.association() as usize];
            association.ends.iter().all(|end| end.state == EndState::Up)
        };
        let ends = self.sessions.served.keys().copied().filter(is_up);
        let mut nodes: Vec<NodeId> = ends.map(|end| self.node_of(end)).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}
