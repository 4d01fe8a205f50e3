//! What a session over UDP has: datagrams that may be lost, doubled or late. Who sends them is told
//! of nothing; an application that waits for an answer too long draws its own conclusions.
//!
//! Must not know what is in them.

use super::World;
use crate::network::{EndId, EndState, is_blocked};
use crate::octets::OctetsId;
use crate::schedule::Occurrence;
use crate::session::{Packet, Progress, SessionId};
use std::time::Duration;

/// How much later than others a datagram may come.
const LATE_MAX: Duration = Duration::from_millis(5);

/// How long an application waits for an answer before it asks again.
const ASK_AGAIN: Duration = Duration::from_millis(200);

impl World {
    pub(super) fn has_datagrams(&self, end: EndId) -> bool {
        self.associations[end.association() as usize].has_datagrams()
    }

    /// It gets there once, twice or never, and at any time.
    pub(super) fn send_datagram(&mut self, from: EndId, octets: OctetsId) {
        let [sender, to] = [from, from.other()].map(|end| self.node_of(end));
        let association = &self.associations[from.association() as usize];
        let is_lost = association.broken
            || association.ends[from.other().side()].state == EndState::Gone
            || is_blocked(&self.partitions, sender, to)
            || self.random.percent(self.profile.unicast_loss_percent);
        let copies = 1 + u32::from(self.random.percent(self.profile.doubled_percent));
        let end = from.other();
        for _ in 0..if is_lost { 0 } else { copies } {
            let way = self.associations[end.association() as usize].delay;
            let at = self.now + way + self.random.between(Duration::ZERO, LATE_MAX);
            let copy = self.octets.octets(octets).to_vec();
            let octets = self.octets.store(|buffer| buffer.extend_from_slice(&copy));
            self.schedule.add(at, Occurrence::Arrival { end, octets });
        }
        self.octets.release(octets);
    }

    /// The first datagram of a session has come to its pool element, if that takes new ones.
    pub(super) fn accept_datagrams(&mut self, end: EndId) {
        let state = self.associations[end.association() as usize].ends[end.side()].state;
        if end.is_of_initiator() || state != EndState::Opening || !self.accepts_at(end) {
            return;
        }
        let node = self.node_of(end);
        self.associations[end.association() as usize].ends[end.side()].state = EndState::Up;
        self.nodes[node.index()].ends.insert(end);
        self.service_up(end);
    }

    /// A pool user is gone. Its pool element will hear nothing more of it, and after a while
    /// forgets it; here it does so at once.
    pub(super) fn forget_datagrams_of(&mut self, end: EndId) {
        if !end.is_of_initiator() || !self.has_datagrams(end) {
            return;
        }
        let other = end.other();
        let association = &mut self.associations[end.association() as usize];
        let served = &mut association.ends[other.side()];
        served.state = EndState::Gone;
        let node = served.node;
        self.nodes[node.index()].ends.remove(&other);
        self.checker.told_gone(node, other);
        self.sessions.served.remove(&other);
        self.look_after_draining(node);
    }

    /// Requests whose answers do not come are asked again, all of them.
    pub(super) fn ask_datagrams_again(&mut self, id: SessionId) {
        let now = self.now;
        if let Some(held) = self.sessions.held.get_mut(&id)
            && held.asked_at.max(held.progress_at) + ASK_AGAIN < now
        {
            held.asked_here = held.answered_here;
            held.asked_at = now;
        }
    }

    /// A request that came twice or too early counts nothing; the answer says what does.
    pub(super) fn serve_datagram(&mut self, end: EndId, session: SessionId, number: u64) {
        let Some(served) = self.sessions.served.get_mut(&end) else {
            return;
        };
        let before = served.progress.unwrap_or(Progress::first(session));
        let is_next = number == before.count + 1;
        let progress = if is_next { before.next() } else { before };
        if is_next {
            served.progress = Some(progress);
            self.note_arrived(session, number);
        }
        if let Some(answer) = Packet::answer_of(progress) {
            self.send_data(end, answer);
        }
    }
}
