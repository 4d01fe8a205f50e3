//! Associations: set-up, loss, and trouble, which is what may become loss.

use super::{News, World};
use crate::network::{Association, EndId, EndState, Protocol, Target, is_blocked};
use crate::node::{Actor, NodeId, Status, node_at};
use crate::schedule::Occurrence;
use crate::transcript::Mark;
use rserpool_wire::asap;
use std::time::Duration;

/// What a node that asked to connect does when it hears nothing: it asks again, later each time.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_millis(800);

/// Once an association works again, what was sent before comes late for so long.
pub(super) const AFTERMATH: Duration = Duration::from_millis(400);

impl World {
    /// A node asks for an association; its end.
    pub(super) fn connect(&mut self, initiator: NodeId, target: Target) -> EndId {
        let acceptor = target.addresses().first().copied().and_then(node_at);
        let acceptor = acceptor.filter(|node| node.index() < self.nodes.len());
        let (near, far) = self.profile.delay;
        let delay = self.random.between(near, far);
        let (short, long) = self.profile.connect;
        let give_up_at = self.now + self.random.between(short, long);
        let association = u32::try_from(self.associations.len()).expect("associations fit 32 bits");
        // To nobody: nothing will ever answer.
        let mut new = Association::new(
            initiator,
            acceptor.unwrap_or(initiator),
            target,
            delay,
            give_up_at,
        );
        new.broken = acceptor.is_none();
        self.associations.push(new);
        let end = EndId::of_initiator(association);
        self.statistics.connects += 1;
        if self.has_twin(end) {
            self.nodes[initiator.index()].ends.insert(end);
            let refused = Occurrence::ConnectFailed { association };
            self.schedule.add(self.now, refused);
            return end;
        }
        self.nodes[initiator.index()].ends.insert(end);
        if self.has_datagrams(end) {
            // Whether anybody is there will not be told.
            self.schedule.add(self.now, Occurrence::Up { end });
            return end;
        }
        // A handshake of two round trips (RFC 9260 §5.1): who accepts is up after three ways.
        let at = self.now + delay * 3;
        let attempt = 0;
        self.schedule.add(
            at,
            Occurrence::SetUp {
                association,
                attempt,
            },
        );
        end
    }

    /// Between two pairs of ports there is one association (RFC 9260 §5.2): registrars speak ENRP
    /// from the port at which they listen, and so do pool elements speak ASAP. Others have as
    /// many as they like.
    fn pairing(&self, association: u32) -> Option<(Protocol, [NodeId; 2])> {
        let association = &self.associations[association as usize];
        let nodes = [association.ends[0].node, association.ends[1].node];
        let is_one_of_a_kind = match association.target.as_ref() {
            Target::Peer(_) => nodes.iter().all(|node| self.roster.is_registrar(*node)),
            Target::PoolElement(_) => true,
            Target::Registrar(_) => matches!(self.nodes[nodes[0].index()].actor, Actor::Element(_)),
            Target::Service(..) => false,
        };
        let mut pair = nodes;
        pair.sort_unstable();
        let is_somewhere = pair[0] != pair[1];
        (is_one_of_a_kind && is_somewhere).then_some((association.target.protocol(), pair))
    }

    /// The ends of a node that share their ports with an association that is to be.
    fn twins(&self, of: u32, node: NodeId) -> Vec<EndId> {
        let Some(pairing) = self.pairing(of) else {
            return Vec::new();
        };
        let ends = self.nodes[node.index()].ends.iter().copied();
        ends.filter(|end| end.association() != of)
            .filter(|end| self.pairing(end.association()) == Some(pairing))
            .collect()
    }

    /// Whether who begins an association has one there, or is about to.
    fn has_twin(&self, initiator: EndId) -> bool {
        let node = self.node_of(initiator);
        !self.twins(initiator.association(), node).is_empty()
    }

    /// Who accepts an association may have had one with the same ports: of an earlier process,
    /// which is gone with it; or it has begun one itself, which becomes the same.
    fn settle_twins(&mut self, index: u32) {
        let acceptor = self.associations[index as usize].ends[1].node;
        for twin in self.twins(index, acceptor) {
            let association = &mut self.associations[twin.association() as usize];
            match association.ends[twin.side()].state {
                EndState::Up => self.on_lost(twin),
                EndState::Opening if self.random.percent(50) => {
                    association.ends[twin.side()].state = EndState::Gone;
                    let target = association.target.clone();
                    self.nodes[acceptor.index()].ends.remove(&twin);
                    self.associations[index as usize].wanted_by_acceptor = Some(target);
                }
                EndState::Opening => {
                    let association = twin.association();
                    let refused = Occurrence::ConnectFailed { association };
                    self.schedule.add(self.now, refused);
                }
                EndState::Gone => {}
            }
        }
    }

    /// The request gets to who is to accept it.
    pub(super) fn on_set_up(&mut self, association: u32, attempt: u32) {
        let asked = &self.associations[association as usize];
        let [initiator, acceptor] = [asked.ends[0].node, asked.ends[1].node];
        if asked.ends[0].state != EndState::Opening {
            return;
        }
        let blocked = asked.broken
            || is_blocked(&self.partitions, initiator, acceptor)
            || is_blocked(&self.partitions, acceptor, initiator)
            || self.nodes[initiator.index()].status == Status::Paused;
        let back = self.now + asked.delay;
        let accepts = self.accepts(acceptor, &asked.target);
        match self.nodes[acceptor.index()].status {
            Status::Running | Status::Hung if !blocked && accepts => self.accept(association),
            Status::Running | Status::Hung | Status::Down if !blocked => {
                self.schedule
                    .add(back, Occurrence::ConnectFailed { association });
            }
            Status::Running | Status::Hung | Status::Paused | Status::Down | Status::Gone => {
                let pause = RETRY_FIRST
                    .saturating_mul(1 << attempt.min(3))
                    .min(RETRY_LAST);
                let again_at = self.now + pause;
                let give_up_at = self.associations[association as usize].give_up_at;
                let occurrence = if again_at >= give_up_at {
                    Occurrence::ConnectFailed { association }
                } else {
                    let attempt = attempt + 1;
                    Occurrence::SetUp {
                        association,
                        attempt,
                    }
                };
                self.schedule.add(again_at.min(give_up_at), occurrence);
            }
        }
    }

    /// Whether somebody listens there: for others, the host refuses.
    fn accepts(&self, node: NodeId, target: &Target) -> bool {
        match (&self.nodes[node.index()].actor, target) {
            (Actor::Registrar(_), Target::Registrar(_) | Target::Peer(_))
            | (Actor::Element(_), Target::PoolElement(_))
            | (Actor::Stranger(_), Target::Peer(_)) => true,
            (Actor::Element(_), Target::Service(..)) => self.takes_sessions(node),
            (
                Actor::Nobody
                | Actor::Registrar(_)
                | Actor::Element(_)
                | Actor::User(..)
                | Actor::Stranger(_),
                _,
            ) => false,
        }
    }

    pub(super) fn accepts_at(&self, end: EndId) -> bool {
        let target = &self.associations[end.association() as usize].target;
        self.accepts(self.node_of(end), target)
    }

    fn accept(&mut self, index: u32) {
        self.settle_twins(index);
        let [initiator, acceptor] = [EndId::of_initiator(index), EndId::of_acceptor(index)];
        let association = &mut self.associations[index as usize];
        let back = self.now + association.delay;
        association.ends[0].latest_arrival = back;
        association.ends[1].state = EndState::Up;
        let node = association.ends[1].node;
        self.nodes[node.index()].ends.insert(acceptor);
        self.schedule.add(back, Occurrence::Up { end: initiator });
        self.tell_up(acceptor);
    }

    pub(super) fn on_up(&mut self, end: EndId) {
        let association = &mut self.associations[end.association() as usize];
        if association.ends[end.side()].state != EndState::Opening {
            return;
        }
        association.ends[end.side()].state = EndState::Up;
        association.up_at = self.now;
        let epoch = association.epoch;
        if association.has_datagrams() {
            return self.tell_up(end);
        }
        if association.ends[end.other().side()].state == EndState::Gone {
            let at = self.now + association.delay;
            self.schedule.add(at, Occurrence::Lost { end });
        } else if association.troubles > 0 || association.broken {
            let (short, long) = self.profile.silence;
            let at = self.now + self.random.between(short, long);
            let occurrence = if association.broken {
                Occurrence::Lost { end }
            } else {
                Occurrence::Silence { end, epoch }
            };
            self.schedule.add(at, occurrence);
        }
        self.tell_up(end);
    }

    fn tell_up(&mut self, end: EndId) {
        let node = self.node_of(end);
        let other = self.roster.name(self.node_of(end.other()));
        let name = self.roster.name(node);
        self.transcript.line(
            self.now,
            &[(node, Mark::Up)],
            format_args!(
                "{name} association {} with {other} is up",
                end.association()
            ),
        );
        self.tell_or_defer(node, Occurrence::Up { end });
    }

    pub(super) fn on_connect_failed(&mut self, association: u32) {
        let end = EndId::of_initiator(association);
        let state = &mut self.associations[association as usize].ends[0].state;
        if *state != EndState::Opening {
            return;
        }
        *state = EndState::Gone;
        let node = self.node_of(end);
        self.nodes[node.index()].ends.remove(&end);
        let name = self.roster.name(node);
        let target = &self.associations[association as usize].target;
        self.transcript.line(
            self.now,
            &[(node, Mark::Lost)],
            format_args!("{name} cannot connect to {target}"),
        );
        self.tell_or_defer(node, Occurrence::ConnectFailed { association });
    }

    /// A node does not want an association any more that is not up yet.
    pub(super) fn stop_connecting(&mut self, initiator: NodeId, target: &Target) {
        let ends = self.nodes[initiator.index()].ends.iter().copied();
        let opening = ends.filter(|end| {
            let association = &self.associations[end.association() as usize];
            end.is_of_initiator()
                && association.ends[0].state == EndState::Opening
                && *association.target == *target
        });
        for end in opening.collect::<Vec<_>>() {
            self.close(end);
        }
        // How it went, if nobody has read that yet, is of no interest any more.
        let associations = &self.associations;
        let mut unwanted = Vec::new();
        self.nodes[initiator.index()].inbox.retain(|occurrence| {
            let is_meant = |number: u32| *associations[number as usize].target == *target;
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "only these two tell how an attempt went"
            )]
            match occurrence {
                Occurrence::ConnectFailed { association } => !is_meant(*association),
                Occurrence::Up { end } if end.is_of_initiator() && is_meant(end.association()) => {
                    unwanted.push(*end);
                    false
                }
                _ => true,
            }
        });
        for end in unwanted {
            if self.associations[end.association() as usize].ends[end.side()].state == EndState::Up
            {
                self.close(end);
            }
        }
    }

    /// A node closes its end of a session, so that the other one knows that it is not lost.
    pub(super) fn close_in_good_order(&mut self, end: EndId) {
        self.associations[end.association() as usize].is_closed_in_good_order = true;
        self.close(end);
    }

    /// A node closes its end; the other is told after everything that was sent before.
    pub(super) fn close(&mut self, end: EndId) {
        let association = &mut self.associations[end.association() as usize];
        let own = &mut association.ends[end.side()];
        own.state = EndState::Gone;
        let node = own.node;
        for octets in own.held.take().into_iter().chain(own.unsent.take()) {
            self.octets.release(octets);
        }
        self.nodes[node.index()].ends.remove(&end);
        self.checker.told_gone(node, end);
        self.announce_loss(end);
        self.forget_datagrams_of(end);
    }

    /// Tells the other end that this one is gone, if that can get there.
    fn announce_loss(&mut self, end: EndId) {
        let association = &self.associations[end.association() as usize];
        let other = &association.ends[end.other().side()];
        let is_reachable = other.blocked == 0
            && !association.broken
            && self.nodes[other.node.index()].status != Status::Paused;
        if other.state == EndState::Up && is_reachable {
            let at = other.latest_arrival.max(self.now + association.delay);
            self.schedule.add(at, Occurrence::Lost { end: end.other() });
        }
    }

    /// An end learns that its association is gone.
    pub(super) fn on_lost(&mut self, end: EndId) {
        let association = &mut self.associations[end.association() as usize];
        let has_datagrams = association.has_datagrams();
        let own = &mut association.ends[end.side()];
        if own.state != EndState::Up || has_datagrams {
            return;
        }
        own.state = EndState::Gone;
        let node = own.node;
        for octets in own.held.take() {
            self.octets.release(octets);
        }
        self.nodes[node.index()].ends.remove(&end);
        self.statistics.associations_lost += 1;
        self.announce_loss(end);
        let (name, other) = (
            self.roster.name(node),
            self.roster.name(self.node_of(end.other())),
        );
        self.transcript.line(
            self.now,
            &[(node, Mark::Lost)],
            format_args!(
                "{name} association {} with {other} is lost",
                end.association()
            ),
        );
        self.tell_or_defer(node, Occurrence::Lost { end });
    }

    pub(super) fn on_silence(&mut self, end: EndId, epoch: u32) {
        let association = &self.associations[end.association() as usize];
        let node = association.ends[end.side()].node;
        // A process that does not run does not notice either.
        let is_awake = self.nodes[node.index()].status != Status::Paused;
        if association.epoch != epoch || association.troubles == 0 {
            return;
        }
        if is_awake {
            self.on_lost(end);
        } else {
            // It may be awake before the trouble is over.
            let at = self.now + self.profile.silence.1;
            self.schedule.add(at, Occurrence::Silence { end, epoch });
        }
    }

    /// Hands over an input, or keeps it until the node goes on.
    fn tell_or_defer(&mut self, node: NodeId, occurrence: Occurrence) {
        match self.nodes[node.index()].status {
            Status::Running => self.tell_of(node, occurrence),
            Status::Hung | Status::Paused => {
                self.nodes[node.index()].inbox.push_back(occurrence);
            }
            Status::Down | Status::Gone => {}
        }
    }

    /// Hands over what has happened to an association.
    pub(super) fn tell_of(&mut self, node: NodeId, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Up { end } if self.is_of_a_session(end) => self.tell_session_up(end),
            Occurrence::Up { end } => self.tell(node, News::Up { end }),
            Occurrence::ConnectFailed { association }
                if self.is_of_a_session(EndId::of_initiator(association)) =>
            {
                self.session_not_up(EndId::of_initiator(association));
            }
            Occurrence::ConnectFailed { association } => {
                let target = Target::clone(&self.associations[association as usize].target);
                self.tell(node, News::ConnectFailed { target });
            }
            Occurrence::Lost { end } if self.is_of_a_session(end) => {
                self.checker.told_gone(node, end);
                self.tell_session_lost(end);
            }
            Occurrence::Lost { end } => {
                self.tell_unsent(node, end);
                self.checker.told_gone(node, end);
                self.tell(node, News::Lost { end });
                self.check_lost_at_once(end);
            }
            // Nobody reads from an association that it has closed meanwhile.
            Occurrence::Arrival { end, octets } if self.checker.is_told_gone(end) => {
                self.octets.release(octets);
            }
            Occurrence::Arrival { end, octets } => self.deliver(end, octets),
            Occurrence::Datagram { to, datagram } => self.deliver_datagram(to, datagram),
            Occurrence::Timer { node } => self.on_timer(node),
            Occurrence::SetUp { .. }
            | Occurrence::Silence { .. }
            | Occurrence::Start { .. }
            | Occurrence::Activity { .. }
            | Occurrence::Session { .. }
            | Occurrence::Sender { .. }
            | Occurrence::Draining { .. }
            | Occurrence::Fault { .. }
            | Occurrence::FaultEnds { .. }
            | Occurrence::Check { .. } => {}
        }
    }

    fn tell_session_up(&mut self, end: EndId) {
        if end.is_of_initiator() {
            self.session_up(end);
        } else {
            self.service_up(end);
        }
    }

    fn tell_session_lost(&mut self, end: EndId) {
        self.check_is_told(end);
        let association = &mut self.associations[end.association() as usize];
        for octets in association.ends[end.side()].unsent.take() {
            self.octets.release(octets);
        }
        if end.is_of_initiator() {
            self.session_lost(end);
        } else {
            self.service_lost(end);
        }
    }

    /// Messages that never got through come back, some of them.
    fn tell_unsent(&mut self, node: NodeId, end: EndId) {
        let association = &mut self.associations[end.association() as usize];
        let is_asap = association.target.protocol() == Protocol::Asap;
        let mut unsent = association.ends[end.side()].unsent.take();
        unsent.append(&mut association.ends[end.other().side()].held.take());
        for octets in unsent {
            if self.random.percent(50) {
                let octets = self.octets.octets(octets);
                let message = asap::Message::decode(octets).ok().filter(|_| is_asap);
                let message = message.map(|decoded| decoded.message);
                let message = message.filter(|_| self.random.percent(70));
                self.checker.on_send_failed(end);
                self.tell(node, News::SendFailed { end, message });
            }
            self.octets.release(octets);
        }
    }

    /// The ends cannot hear each other any more; if that lasts, each gives up in its own time.
    pub(super) fn begin_trouble(&mut self, association: u32) {
        let troubled = &mut self.associations[association as usize];
        troubled.troubles += 1;
        if troubled.troubles > 1 {
            return;
        }
        troubled.epoch += 1;
        troubled.update_disturbance(self.now, AFTERMATH);
        let epoch = troubled.epoch;
        let (short, long) = self.profile.silence;
        for end in [
            EndId::of_initiator(association),
            EndId::of_acceptor(association),
        ] {
            if troubled.ends[end.side()].state == EndState::Up {
                let at = self.now + self.random.between(short, long);
                self.schedule.add(at, Occurrence::Silence { end, epoch });
            }
        }
    }

    /// The ends hear each other again, unless something else is still in the way. An end whose
    /// other end has given up meanwhile learns it from the first thing it sends.
    pub(super) fn end_trouble(&mut self, association: u32) {
        let troubled = &mut self.associations[association as usize];
        troubled.troubles -= 1;
        if troubled.troubles > 0 {
            return;
        }
        troubled.epoch += 1;
        troubled.update_disturbance(self.now, AFTERMATH);
        for end in [
            EndId::of_initiator(association),
            EndId::of_acceptor(association),
        ] {
            let [own, other] = [end, end.other()].map(|end| &troubled.ends[end.side()]);
            if own.state == EndState::Up && other.state == EndState::Gone {
                let (short, long) = self.profile.retransmission;
                let at = self.now + self.random.between(short, long);
                let at = at.max(own.latest_arrival);
                self.schedule.add(at, Occurrence::Lost { end });
            }
        }
    }

    /// What was sent to this end cannot get there now.
    pub(super) fn block(&mut self, end: EndId) {
        self.associations[end.association() as usize].ends[end.side()].blocked += 1;
    }

    /// What was sent to this end gets there again, unless something else is still in the way.
    pub(super) fn unblock(&mut self, end: EndId) {
        let association = &mut self.associations[end.association() as usize];
        let own = &mut association.ends[end.side()];
        own.blocked -= 1;
        if own.blocked > 0 || own.held.len() == 0 {
            return;
        }
        let (short, long) = self.profile.retransmission;
        let at = self.now + association.delay + self.random.between(short, long);
        let at = at.max(own.latest_arrival);
        own.latest_arrival = at;
        for octets in own.held.take() {
            self.schedule.add(at, Occurrence::Arrival { end, octets });
        }
    }

    pub(crate) fn node_of(&self, end: EndId) -> NodeId {
        self.associations[end.association() as usize].ends[end.side()].node
    }
}
