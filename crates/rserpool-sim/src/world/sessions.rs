//! What pool users do to hold sessions: find a pool element, give it the cookie, send again what
//! the cookie does not cover, and go on; and all of that again when it is gone.
//!
//! Must not know what pool elements do with it.

use super::{News, World};
use crate::check::Rule;
use crate::network::{EndId, Target};
use crate::node::{Actor, NodeId, Status, association_id};
use crate::schedule::Occurrence;
use crate::session::{Data, HeldSession, Interruption, Packet, SessionId, Stage};
use rserpool_core::pool_user::{Command, RequestId};
use rserpool_core::session::{PoolUserSessionEvent, PoolUserSessionInput, PoolUserSessionOutput};
use rserpool_core::{PeerAddress, Transport};
use rserpool_wire::asap::Message;
use rserpool_wire::parameter::{EncodedPoolElement, UserTransport};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::ops::Range;
use std::time::Duration;

/// How long after its pool user a session begins.
const BEGINNING: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(1));

/// How long the application thinks between two requests.
const THINKING: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(60));

/// An application waits no longer than this for an answer, then it goes elsewhere.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// The first pause when no pool element can be had, doubling up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// A pool element that closes an association sooner than this is not asked again at once.
const SHORT_LIVED: Duration = Duration::from_millis(100);

/// The most requests of a session, and of those that wait for their answer.
const REQUESTS_MAX: u64 = 400;
const WINDOW_MAX: u64 = 8;

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
            self.begin_session(node);
        }
    }

    fn begin_session(&mut self, node: NodeId) {
        // Sessions have a control channel, and that needs SCTP; each third pool speaks TCP.
        let pools = (0..self.scenario.pools).filter(|pool| pool % 3 != 2);
        let pools: Vec<usize> = pools.collect();
        let Some(pool) = self.random.pick(&pools).copied() else {
            return;
        };
        let id = self.sessions.next_id();
        let mut held = HeldSession::new(id, node, self.pool_handle(pool));
        held.length = 1 + self.random.below(REQUESTS_MAX);
        held.window = 1 + self.random.below(WINDOW_MAX);
        held.progress_at = self.now;
        self.sessions.held.insert(id, held);
        self.statistics.sessions.begun += 1;
        self.plan_session(id, BEGINNING);
    }

    /// The session will do something after a while, if nothing happens before.
    fn plan_session(&mut self, id: SessionId, (short, long): (Duration, Duration)) {
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
                self.send_next(id, end);
                self.plan_session(id, THINKING);
            }
        }
    }

    /// Asks for a pool element.
    fn select(&mut self, id: SessionId) {
        let Some(held) = self.sessions.held.get_mut(&id) else {
            return;
        };
        let (node, pool_handle) = (held.node, held.pool_handle.clone());
        let Actor::User(_, activity) = &self.nodes[node.index()].actor else {
            return;
        };
        if self.quiet {
            return;
        }
        held.set_stage(Stage::Selecting);
        // The answer may come before the question has been asked to its end.
        let request = RequestId(activity.next_request + 1);
        self.sessions.by_request.insert((node, request), id);
        self.ask(node, pool_handle, |request, pool_handle| Command::Select {
            request,
            pool_handle,
        });
    }

    /// A pool element was selected, or none can be.
    pub(crate) fn on_selected(
        &mut self,
        node: NodeId,
        request: RequestId,
        selected: Option<&EncodedPoolElement>,
    ) {
        let Some(id) = self.sessions.by_request.remove(&(node, request)) else {
            return;
        };
        let Some(held) = self.sessions.held.get_mut(&id) else {
            return;
        };
        let selected = selected.map(EncodedPoolElement::decode);
        let selected = selected.filter(|selected| !held.tried.contains(&selected.id));
        let found = selected.and_then(|selected| {
            let address = service_address(selected.user_transport)?;
            Some((selected.id, address))
        });
        let Some((pool_element, address)) = found else {
            return self.pause(id);
        };
        held.tried.push(pool_element);
        let end = self.connect(node, Target::Service(address));
        if let Some(held) = self.sessions.held.get_mut(&id) {
            held.set_stage(Stage::Connecting { end, pool_element });
            self.sessions.by_end.insert(end, id);
        }
    }

    /// All that were selected have been tried, or there is none: later again.
    fn pause(&mut self, id: SessionId) {
        if let Some(held) = self.sessions.held.get_mut(&id) {
            held.tried.clear();
            held.pause = (held.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
            let pause = held.pause;
            held.set_stage(Stage::Waiting);
            self.plan_session(id, (pause, pause));
        }
    }

    /// Its association is up: the cookie comes first, then what it does not cover.
    pub(super) fn session_up(&mut self, end: EndId) {
        let now = self.now;
        let Some(id) = self.sessions.by_end.get(&end).copied() else {
            return;
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
        let again = held.fail_over();
        let association = association_id(end);
        held.control
            .handle_input(PoolUserSessionInput::AssociationUp { association });
        let sent = self.settle_held(id);
        self.check_echo(id, &sent);
        self.send_again(id, end, again);
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

    /// What rebuilds the state comes first, then what may not have arrived.
    fn send_again(&mut self, session: SessionId, end: EndId, again: Range<u64>) {
        for number in again {
            if let Some(held) = self.sessions.held.get_mut(&session) {
                held.handed += 1;
            }
            self.send_data(end, Data::Request { session, number });
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
        if let Some(id) = self.sessions.by_end.remove(&end) {
            self.report_and_select(id);
        }
    }

    /// The pool element is gone, or has closed the association.
    pub(super) fn session_lost(&mut self, end: EndId) {
        let Some(id) = self.sessions.by_end.remove(&end) else {
            return;
        };
        self.forget_arrived(id, end);
        self.sessions.silenced.remove(&end);
        self.sessions.arrived.remove(&end);
        self.note_interruption(id);
        let association = association_id(end);
        if let Some(held) = self.sessions.held.get_mut(&id) {
            held.control
                .handle_input(PoolUserSessionInput::AssociationDown { association });
        }
        let lost = &self.associations[end.association() as usize];
        if !lost.is_closed_in_good_order {
            return self.report_and_select(id);
        }
        // It is reachable; it only does not want to be used.
        let rest = SHORT_LIVED.saturating_sub(self.now.since(lost.up_at));
        if let Some(held) = self.sessions.held.get_mut(&id) {
            held.set_stage(Stage::Waiting);
            self.plan_session(id, (rest, rest));
        }
    }

    /// No answer for too long, though the association is up.
    fn give_up(&mut self, end: EndId) {
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

    fn report_and_select(&mut self, id: SessionId) {
        let Some(held) = self.sessions.held.get_mut(&id) else {
            return;
        };
        let (Stage::Connecting { pool_element, .. } | Stage::Up { pool_element, .. }) = held.stage
        else {
            return;
        };
        held.set_stage(Stage::Waiting);
        let (node, pool_handle) = (held.node, held.pool_handle.clone());
        self.report_of_session(node, pool_handle, pool_element);
        self.select(id);
    }

    fn report_of_session(
        &mut self,
        node: NodeId,
        pool_handle: PoolHandle,
        pool_element: PoolElementId,
    ) {
        self.statistics.reports += 1;
        let command = Command::ReportUnreachable {
            pool_handle,
            pool_element,
        };
        self.tell(node, News::UserCommand(command));
    }

    /// Something for a session arrived at its pool user.
    pub(super) fn session_received(&mut self, end: EndId, packet: Packet) {
        let Some(id) = self.sessions.by_end.get(&end).copied() else {
            return;
        };
        match packet {
            Packet::Control(message) => {
                let from = association_id(end);
                if let Some(held) = self.sessions.held.get_mut(&id) {
                    let input = PoolUserSessionInput::Received { from, message };
                    held.control.handle_input(input);
                }
                self.settle_held(id);
            }
            Packet::Data(Data::Answer { number, state }) => {
                self.forget_arrived(id, end);
                self.check_session_answer(id, number, state);
                let held = self.sessions.held.get(&id);
                if held.is_some_and(|held| held.answered >= held.length) {
                    self.finish(id, end);
                }
            }
            Packet::Data(Data::Request { .. }) => {
                let node = self.node_of(end);
                self.violate(Rule::SessionState, node, format_args!("is sent a request"));
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
            self.begin_session(held.node);
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
                PoolUserSessionOutput::Event(PoolUserSessionEvent::CookieEchoed { .. }) => {}
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
        let sessions = &mut self.sessions;
        sessions.by_request.retain(|(user, _), _| *user != node);
        sessions
            .by_end
            .retain(|_, id| sessions.held.contains_key(id));
        sessions
            .silenced
            .retain(|end, _| sessions.by_end.contains_key(end));
        sessions
            .arrived
            .retain(|end, _| sessions.by_end.contains_key(end));
    }

    /// A message leaves this end on the control channel.
    pub(super) fn send_control(&mut self, end: EndId, message: &Message) {
        self.send_written(end, |buffer| Packet::encode_control(message, buffer));
    }

    pub(super) fn send_data(&mut self, end: EndId, data: Data) {
        self.send_written(end, |buffer| Packet::encode_data(data, buffer));
    }

    fn send_packet(&mut self, end: EndId, packet: &[u8]) {
        self.send_written(end, |buffer| buffer.extend_from_slice(packet));
    }

    fn send_written(&mut self, end: EndId, write: impl FnOnce(&mut Vec<u8>)) {
        if self.is_up(end) {
            let octets = self.octets.store(write);
            self.send_octets(end, octets);
        }
    }
}

/// Where a pool element serves sessions, if it speaks SCTP.
fn service_address(transport: UserTransport) -> Option<PeerAddress> {
    let UserTransport::Sctp(sctp) = transport else {
        return None;
    };
    Some(PeerAddress {
        transport: Transport::Sctp,
        addresses: sctp.addresses,
        port: sctp.port,
        udp_port: None,
    })
}
