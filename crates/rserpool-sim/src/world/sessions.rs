//! What pool users do to hold sessions: find a pool element, give it the cookie, send again what
//! the cookie does not cover, and go on; and all of that again when it is gone.
//!
//! Must not know what pool elements do with it.

use super::World;
use crate::check::Rule;
use crate::network::{Channel, EndId};
use crate::node::{NodeId, Status, association_id};
use crate::schedule::Occurrence;
use crate::session::{
    Data, FailedOver, HeldSession, Interruption, Packet, SessionId, Stage, WINDOW_MAX,
};
use rserpool_core::session::{PoolUserSessionEvent, PoolUserSessionInput, PoolUserSessionOutput};
use rserpool_wire::asap::Message;
use std::time::Duration;

/// How long after its pool user a session begins.
const BEGINNING: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(1));

/// How long the application thinks between two requests.
const THINKING: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(60));

/// An application waits no longer than this for an answer, then it goes elsewhere.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// A pool element that closes an association sooner than this is not asked again at once.
const SHORT_LIVED: Duration = Duration::from_millis(100);

/// The most requests that are sent at once.
const BURST_MAX: u64 = 4;

impl World {
    /// How long a session may be without an answer, while there is a pool element for it: the
    /// loss is noticed, or the answer not awaited any longer, and the next association set up.
    pub(crate) fn session_patience(&self) -> Duration {
        self.profile.silence.1 + ANSWER_MAX + self.profile.connect.1 + self.request_bound()
    }

    /// The sessions of a pool user that has started.
    pub(super) fn begin_sessions(&mut self, node: NodeId) {
        for _ in 0..self.scenario.sessions {
            let pool = self.draw_pool(node);
            self.begin_session(node, pool);
        }
    }

    fn begin_session(&mut self, node: NodeId, pool: usize) {
        let id = self.sessions.next_id();
        let mut held = HeldSession::new(id, node, pool, self.pool_handle(pool));
        held.length = 1 + self.random.below(self.sessions.requests_max);
        held.window = 1 + self.random.below(WINDOW_MAX);
        held.progress_at = self.now;
        self.sessions.held.insert(id, held);
        self.introduce(id);
        self.statistics.sessions.begun += 1;
        self.plan_session(id, BEGINNING);
    }

    /// The session will do something after a while, if nothing happens before.
    pub(super) fn plan_session(&mut self, id: SessionId, (short, long): (Duration, Duration)) {
        let Some(held) = self.sessions.held.get(&id) else {
            return;
        };
        let (session, epoch) = (id.0, held.epoch);
        let at = self.now + self.random.between(short, long);
        self.schedule
            .add(at, Occurrence::Session { session, epoch });
    }

    pub(super) fn on_session(&mut self, session: u32, epoch: u32) {
        let id = SessionId(session);
        let Some(held) = self.sessions.held.get(&id).filter(|own| own.epoch == epoch) else {
            return;
        };
        if self.nodes[held.node.index()].status != Status::Running {
            return self.plan_session(id, THINKING);
        }
        match held.stage {
            Stage::Waiting => self.select(id),
            Stage::Selecting | Stage::Connecting { .. } => {}
            Stage::Up { end, .. } => {
                let waits = held.answered_here < held.sent;
                if waits && held.progress_at + ANSWER_MAX < self.now {
                    return self.give_up(end);
                }
                self.ask_datagrams_again(id);
                self.send_next(id, end);
                self.plan_session(id, THINKING);
            }
        }
    }

    /// Its association is up: the cookie comes first, then what it does not cover.
    pub(super) fn session_up(&mut self, end: EndId) {
        let now = self.now;
        let Some(id) = self.sessions.by_end.get(&end).copied() else {
            return self.sender_up(end);
        };
        let Some(held) = self.sessions.held.get_mut(&id) else {
            return;
        };
        let Stage::Connecting { pool_element, .. } = held.stage else {
            return;
        };
        held.set_stage(Stage::Up { end, pool_element });
        held.tried.clear();
        held.pause = Duration::ZERO;
        held.progress_at = now;
        let failed_over = held.fail_over();
        self.check_failed_over(id, &failed_over);
        self.check_called(id, pool_element);
        self.follow_card(id);
        let association = association_id(end);
        let input = PoolUserSessionInput::AssociationUp { association };
        self.tell_control(id, input);
        let sent = self.settle_held(id);
        self.check_echo(id, &sent);
        self.send_again(id, end, failed_over);
        self.send_next(id, end);
        self.plan_session(id, THINKING);
    }

    /// Some requests at once, but no more than may wait.
    fn send_next(&mut self, session: SessionId, end: EndId) {
        for _ in 0..=self.random.below(BURST_MAX) {
            let Some(held) = self.sessions.held.get_mut(&session) else {
                return;
            };
            if let Some(number) = held.next_request() {
                let octets = held.hand_over(number);
                self.send_packet(end, &octets);
            }
        }
    }

    /// Those over TCP and UDP have no control channel.
    fn tell_control(&mut self, id: SessionId, input: PoolUserSessionInput) {
        if let Some(held) = self.sessions.held.get_mut(&id)
            && held.channel == Channel::Control
        {
            held.control.handle_input(input);
        }
    }

    /// What rebuilds the state comes first, then what may not have arrived.
    fn send_again(&mut self, session: SessionId, end: EndId, failed_over: FailedOver) {
        for number in failed_over.rebuilt {
            if let Some(held) = self.sessions.held.get_mut(&session) {
                held.handed += 1;
            }
            self.send_data(end, Data::Request { session, number });
        }
        for number in failed_over.returned {
            if let Some(held) = self.sessions.held.get_mut(&session) {
                let octets = held.hand_over(number);
                self.send_packet(end, &octets);
            }
        }
        while let Some(octets) = self
            .sessions
            .held
            .get_mut(&session)
            .and_then(HeldSession::hand_over_again)
        {
            self.send_packet(end, &octets);
        }
    }

    /// What is known to have arrived need not be sent again.
    fn forget_arrived(&mut self, id: SessionId, end: EndId) {
        let until = self.sessions.silenced.get(&end).copied();
        let until = until.map_or(self.now, |until| until.min(self.now));
        if let Some(arrived) = self.sessions.arrived.get_mut(&end)
            && let Some(held) = self.sessions.held.get_mut(&id)
        {
            let known = arrived.by(until);
            held.undelivered.on_arrived(known);
            self.check_undelivered(id, known);
        }
    }

    /// The association could not be set up.
    pub(super) fn session_not_up(&mut self, end: EndId) {
        match self.sessions.by_end.remove(&end) {
            Some(id) => self.report_and_select(id),
            None => self.sender_not_up(end),
        }
    }

    /// The pool element is gone, or has closed the association.
    pub(super) fn session_lost(&mut self, end: EndId) {
        let Some(id) = self.sessions.by_end.remove(&end) else {
            return self.sender_lost(end);
        };
        self.forget_arrived(id, end);
        self.sessions.silenced.remove(&end);
        self.sessions.arrived.remove(&end);
        self.note_interruption(id);
        self.check_in_good_order(id, end);
        let association = association_id(end);
        self.tell_control(id, PoolUserSessionInput::AssociationDown { association });
        let lost = &self.associations[end.association() as usize];
        if !lost.is_closed_in_good_order {
            return self.report_and_select(id);
        }
        // It is reachable; it only does not want to be used.
        let rest = SHORT_LIVED.saturating_sub(self.now.since(lost.up_at));
        self.avoid_last(id);
        if let Some(held) = self.sessions.held.get_mut(&id) {
            held.set_stage(Stage::Waiting);
            self.plan_session(id, (rest, rest));
        }
    }

    /// No answer for too long, though the association is up.
    fn give_up(&mut self, end: EndId) {
        self.statistics.sessions.given_up += 1;
        self.close(end);
        self.session_lost(end);
    }

    fn note_interruption(&mut self, id: SessionId) {
        self.check_at_stake(id);
        self.statistics.sessions.moves += 1;
        let now = self.now;
        if let Some(held) = self.sessions.held.get_mut(&id) {
            let interruption = held.interruption.get_or_insert(Interruption {
                died_at: None,
                noticed_at: None,
            });
            interruption.noticed_at.get_or_insert(now);
        }
    }

    /// Something for a session arrived at its pool user.
    pub(super) fn session_received(&mut self, end: EndId, packet: Packet) {
        let Some(id) = self.sessions.by_end.get(&end).copied() else {
            return self.sender_received(end, packet);
        };
        match packet {
            Packet::Control(message) => {
                self.check_control(end);
                self.note_card(id, &message);
                let from = association_id(end);
                self.tell_control(id, PoolUserSessionInput::Received { from, message });
                self.settle_held(id);
                self.check_order(id);
            }
            Packet::Data(Data::Answer { number, state }) => {
                self.forget_arrived(id, end);
                self.check_session_answer(id, number, state);
                let held = self.sessions.held.get(&id);
                if held.is_some_and(|held| held.answered >= held.length) {
                    self.finish(id, end);
                }
            }
            Packet::Data(data @ (Data::Request { .. } | Data::Message { .. })) => {
                let node = self.node_of(end);
                self.violate(Rule::SessionState, node, format_args!("is sent {data:?}"));
            }
        }
    }

    fn finish(&mut self, id: SessionId, end: EndId) {
        self.sessions.silenced.remove(&end);
        self.sessions.arrived.remove(&end);
        self.close(end);
        self.sessions.by_end.remove(&end);
        if let Some(held) = self.sessions.held.remove(&id) {
            self.statistics.sessions.finished += 1;
            self.statistics.sessions.calls_finished += u64::from(held.is_call);
            if !held.is_call {
                self.begin_session(held.node, held.pool);
            }
        }
    }

    /// Does what the control channel wants; what it sent.
    fn settle_held(&mut self, id: SessionId) -> Vec<Message> {
        let mut sent = Vec::new();
        while let Some(held) = self.sessions.held.get_mut(&id) {
            let Some(output) = held.control.poll_output() else {
                break;
            };
            match output {
                PoolUserSessionOutput::Send { to, message } => {
                    let Stage::Up { end, .. } = held.stage else {
                        continue;
                    };
                    let node = held.node;
                    if association_id(end) != to {
                        let text = format_args!("sends {message} over another association");
                        self.violate(Rule::GoneAssociation, node, text);
                    }
                    self.send_control(end, &message);
                    sent.push(message);
                }
                PoolUserSessionOutput::Event(PoolUserSessionEvent::CookieStored { .. }) => {
                    self.check_cookie(id);
                }
                PoolUserSessionOutput::Event(
                    PoolUserSessionEvent::CookieEchoed { .. }
                    | PoolUserSessionEvent::FailoverOrder { .. },
                ) => {}
                PoolUserSessionOutput::Event(PoolUserSessionEvent::ForeignBusinessCard {
                    pool_handle,
                }) if pool_handle != held.pool_handle => {
                    self.statistics.sessions.foreign_cards += 1;
                }
                PoolUserSessionOutput::Event(event) => {
                    let node = held.node;
                    let text = format_args!("session {} tells {event:?}", id.0);
                    self.violate(Rule::SessionState, node, text);
                }
            }
        }
        sent
    }

    /// The process of a pool user, and with it its sessions, ends.
    pub(super) fn end_sessions_of(&mut self, node: NodeId) {
        for id in self.sessions.held_by(node) {
            self.sessions.held.remove(&id);
            self.statistics.sessions.ended_with_user += 1;
        }
        self.sending.end_of(node);
        let (sessions, senders) = (&mut self.sessions, &self.sending.by_end);
        sessions.by_request.retain(|(user, _), _| *user != node);
        sessions
            .by_end
            .retain(|_, id| sessions.held.contains_key(id));
        sessions
            .silenced
            .retain(|end, _| sessions.by_end.contains_key(end) || senders.contains_key(end));
        sessions
            .arrived
            .retain(|end, _| sessions.by_end.contains_key(end) || senders.contains_key(end));
    }

    /// A message leaves this end on the control channel.
    pub(super) fn send_control(&mut self, end: EndId, message: &Message) {
        self.send_written(end, |buffer| Packet::encode_control(message, buffer));
    }

    pub(super) fn send_data(&mut self, end: EndId, data: Data) {
        self.send_written(end, |buffer| Packet::encode_data(data, buffer));
    }

    pub(super) fn send_packet(&mut self, end: EndId, packet: &[u8]) {
        self.send_written(end, |buffer| buffer.extend_from_slice(packet));
    }

    fn send_written(&mut self, end: EndId, write: impl FnOnce(&mut Vec<u8>)) {
        if self.is_up(end) {
            let octets = self.octets.store(write);
            self.send_octets(end, octets);
        }
    }
}
