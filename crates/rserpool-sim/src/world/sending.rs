//! What pool users do to send each message to a pool by itself: select a pool element for it, keep
//! the association, and send again or give back what it may not have.
//!
//! Must not know what pool elements have read.

use super::failover::service_address;
use super::{News, World};
use crate::network::{Channel, EndId, Target};
use crate::node::{Actor, NodeId, Status, association_id, node_at};
use crate::schedule::Occurrence;
use crate::sending::{Doing, Kind, Member, Order, PoolSender, SenderId};
use crate::session::Packet;
use rserpool_core::pool_user::{Command, RequestId};
use rserpool_core::session::{OnFailover, PoolUserSessionInput, PoolUserSessionOutput};
use rserpool_core::{PeerAddress, Timestamp};
use rserpool_wire::asap::Resolution;
use rserpool_wire::parameter::EncodedPoolElement;
use rserpool_wire::{PoolElementId, PoolHandle};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long a sender thinks between two messages.
const THINKING: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(400));

/// How many pool elements who sends to all asks for.
const ALL_ITEMS: u32 = 256;

impl World {
    /// The senders of a pool user that has started.
    pub(super) fn begin_senders(&mut self, node: NodeId) {
        for _ in 0..self.scenario.senders {
            let pools = self.scenario.pools.max(1);
            let pool = self.draw_pool(node);
            // Datagrams say nothing of what has arrived.
            let is_told = Channel::of_pool(pool) != Channel::Datagrams;
            let pool = if is_told { pool } else { self.scope_of(node) };
            let is_element = self.random.percent(30);
            let of_pool = self.roster.elements.iter().skip(pool).step_by(pools);
            let of_pool: Vec<NodeId> = of_pool.copied().collect();
            let own = self.random.pick(&of_pool).copied();
            let id = self.sending.next_sender();
            let sender = PoolSender {
                node,
                pool_handle: self.pool_handle(pool),
                channel: Channel::of_pool(pool),
                own: own.filter(|_| is_element),
                members: BTreeMap::new(),
                last: None,
                order: None,
                again: VecDeque::new(),
            };
            self.sending.senders.insert(id, sender);
            self.plan_sender(id);
        }
    }

    fn plan_sender(&mut self, id: SenderId) {
        let at = self.now + self.random.between(THINKING.0, THINKING.1);
        let sender = id.0;
        self.schedule.add(at, Occurrence::Sender { sender });
    }

    /// The next message, or one that has to go again.
    pub(super) fn on_sender(&mut self, sender: u32) {
        let id = SenderId(sender);
        let Some(sender) = self.sending.senders.get_mut(&id) else {
            return;
        };
        if self.nodes[sender.node.index()].status != Status::Running {
            return self.plan_sender(id);
        }
        if self.quiet {
            return;
        }
        if let Some((message, since)) = sender.again.pop_front() {
            return self.begin_order(id, message, Kind::Selected, since);
        }
        let Some(kind) = self.draw_kind(id) else {
            return;
        };
        let is_to_all = matches!(kind, Kind::All { .. });
        let fates = [OnFailover::Forget, OnFailover::Return, OnFailover::Resend];
        // Of those for all, the others have it: nobody takes the place of one that fails.
        let fate = fates[self.random.index(if is_to_all { 2 } else { 3 })];
        let number = self.sending.next_message();
        self.sending.records.fates.insert(number, fate);
        let statistics = &mut self.statistics.sending;
        statistics.messages += 1;
        statistics.to_all += u64::from(is_to_all);
        let now = self.now;
        self.begin_order(id, number, kind, now);
    }

    /// To whom the next message goes.
    fn draw_kind(&mut self, id: SenderId) -> Option<Kind> {
        let lot = self.random.below(100);
        let sender = self.sending.senders.get(&id)?;
        let last = sender.last.filter(|last| sender.members.contains_key(last));
        let members: Vec<PoolElementId> = sender.members.keys().copied().collect();
        Some(match lot {
            0..50 => Kind::Selected,
            50..70 if last.is_some() => {
                self.statistics.sending.to_last += 1;
                last.map_or(Kind::Selected, Kind::To)
            }
            70..85 => {
                let one = self.random.pick(&members).copied();
                one.map_or(Kind::Selected, Kind::To)
            }
            85.. => Kind::All {
                and_self: lot >= 95,
            },
            _ => Kind::Selected,
        })
    }

    fn begin_order(&mut self, id: SenderId, message: u64, kind: Kind, since: Timestamp) {
        let Some(sender) = self.sending.senders.get_mut(&id) else {
            return;
        };
        sender.order = Some(Order {
            message,
            kind,
            since,
            failed: Vec::new(),
            doing: Doing::Asking,
        });
        if let Kind::To(element) = kind
            && sender.members.contains_key(&element)
        {
            return self.connected_to(id, vec![element], BTreeMap::new());
        }
        self.ask_for_order(id);
    }

    fn ask_for_order(&mut self, id: SenderId) {
        let Some(sender) = self.sending.senders.get_mut(&id) else {
            return;
        };
        let Some(order) = &mut sender.order else {
            return;
        };
        order.doing = Doing::Asking;
        let selects = order.kind == Kind::Selected;
        let (node, pool_handle) = (sender.node, sender.pool_handle.clone());
        let Actor::User(_, activity) = &self.nodes[node.index()].actor else {
            return;
        };
        // The answer may come before the question has been asked to its end.
        let request = RequestId(activity.next_request + 1);
        self.sending.by_request.insert((node, request), id);
        self.ask(node, pool_handle, |request, pool_handle| {
            if selects {
                Command::Select {
                    request,
                    pool_handle,
                }
            } else {
                Command::Resolve {
                    request,
                    pool_handle,
                    items: Some(ALL_ITEMS),
                    subscribe: false,
                }
            }
        });
    }

    /// A pool element was selected for a message, or none can be.
    pub(super) fn sender_selected(&mut self, id: SenderId, selected: Option<&EncodedPoolElement>) {
        let found = selected.map(EncodedPoolElement::decode);
        let found = found.and_then(|one| Some((one.id, service_address(one.user_transport)?)));
        match found {
            Some(found) => self.connect_for_order(id, vec![found]),
            None => self.refuse_order(id),
        }
    }

    /// The pool elements of the pool: all of them get a message, or the one that is meant.
    pub(super) fn sender_listed(&mut self, id: SenderId, listed: &Resolution) {
        let Some(sender) = self.sending.senders.get(&id) else {
            return;
        };
        let Some(order) = &sender.order else {
            return;
        };
        let own = sender.own.and_then(|own| self.checker.latest_id(own));
        let is_meant = |id: &PoolElementId| match order.kind {
            Kind::To(meant) => meant == *id,
            Kind::All { and_self } => and_self || own != Some(*id),
            Kind::Selected => false,
        };
        let elements = listed.pool_elements.iter().map(EncodedPoolElement::decode);
        let meant = elements.filter(|element| is_meant(&element.id));
        let targets: Vec<_> = meant
            .filter_map(|element| Some((element.id, service_address(element.user_transport)?)))
            .collect();
        if targets.is_empty() {
            return self.refuse_order(id);
        }
        if matches!(order.kind, Kind::All { .. }) {
            self.expect_to_reach(
                sender.node,
                order.message,
                self.whereabouts(sender, &targets),
            );
        }
        self.connect_for_order(id, targets);
    }

    /// Where these pool elements are: strangers say of some that they are elsewhere.
    fn whereabouts(
        &self,
        sender: &PoolSender,
        targets: &[(PoolElementId, PeerAddress)],
    ) -> Vec<((PoolHandle, PoolElementId), NodeId)> {
        let place = |id: &PoolElementId, address: &PeerAddress| match sender.members.get(id) {
            Some(member) => Some(self.node_of(member.end.other())),
            None => address.addresses.first().copied().and_then(node_at),
        };
        let targets = targets.iter();
        targets
            .filter_map(|(id, address)| {
                let key = (sender.pool_handle.clone(), *id);
                Some((key, place(id, address)?))
            })
            .collect()
    }

    /// Sets up the associations that are missing, all at once.
    fn connect_for_order(&mut self, id: SenderId, targets: Vec<(PoolElementId, PeerAddress)>) {
        let Some(sender) = self.sending.senders.get(&id) else {
            return;
        };
        let (node, channel) = (sender.node, sender.channel);
        let ids: Vec<PoolElementId> = targets.iter().map(|(id, _)| *id).collect();
        let members: Vec<PoolElementId> = sender.members.keys().copied().collect();
        let mut missing = BTreeMap::new();
        for (element, address) in targets {
            if !members.contains(&element) {
                let end = self.connect(node, Target::Service(channel, address));
                self.sending.by_end.insert(end, id);
                missing.insert(end, element);
            }
        }
        self.connected_to(id, ids, missing);
    }

    /// Once no association is missing, the message is handed over.
    fn connected_to(
        &mut self,
        id: SenderId,
        targets: Vec<PoolElementId>,
        missing: BTreeMap<EndId, PoolElementId>,
    ) {
        if missing.is_empty() {
            return self.hand_over_to(id, &targets);
        }
        let sender = self.sending.senders.get_mut(&id);
        if let Some(order) = sender.and_then(|sender| sender.order.as_mut()) {
            order.doing = Doing::Connecting { targets, missing };
        }
    }

    fn hand_over_to(&mut self, id: SenderId, targets: &[PoolElementId]) {
        let Some(order) = self.order_of(id) else {
            return;
        };
        let (message, kind) = (order.message, order.kind);
        for element in targets {
            let is_sent = self.hand_over(id, *element, message);
            if matches!(kind, Kind::All { .. }) {
                let statistics = &mut self.statistics.sending;
                statistics.copies += u64::from(is_sent);
                statistics.not_reached += u64::from(!is_sent);
            } else if !is_sent {
                return self.try_another(id, *element);
            }
        }
        self.end_order(id);
    }

    /// Another pool element may do better, unless this one came a second time.
    fn try_another(&mut self, id: SenderId, failed: PoolElementId) {
        let sender = self.sending.senders.get_mut(&id);
        let Some(order) = sender.and_then(|sender| sender.order.as_mut()) else {
            return;
        };
        if order.kind != Kind::Selected || order.failed.contains(&failed) {
            return self.refuse_order(id);
        }
        order.failed.push(failed);
        self.ask_for_order(id);
    }

    fn hand_over(&mut self, id: SenderId, element: PoolElementId, message: u64) -> bool {
        self.forget_arrived_at(id, element);
        let on_failover = self.sending.records.on_failover(message);
        let Some(sender) = self.sending.senders.get_mut(&id) else {
            return false;
        };
        let Some(member) = sender.members.get_mut(&element) else {
            return false;
        };
        let end = member.end;
        let octets = member.hand_over(message, on_failover);
        sender.last = Some(element);
        let passage = self.sending.records.passages.entry(end).or_default();
        passage.handed.push(message);
        passage.to = Some(element);
        self.send_packet(end, &octets);
        true
    }

    /// Nobody can have it: who sends is told so.
    fn refuse_order(&mut self, id: SenderId) {
        self.statistics.sending.refused += 1;
        self.end_order(id);
    }

    fn end_order(&mut self, id: SenderId) {
        if let Some(sender) = self.sending.senders.get_mut(&id) {
            sender.order = None;
            self.plan_sender(id);
        }
    }

    fn order_of(&self, id: SenderId) -> Option<&Order> {
        self.sending.senders.get(&id)?.order.as_ref()
    }

    /// An association of a sender is up.
    pub(super) fn sender_up(&mut self, end: EndId) {
        let Some(id) = self.sending.by_end.get(&end).copied() else {
            return;
        };
        let Some((element, is_last)) = self.no_longer_missing(id, end) else {
            return;
        };
        if let Some(sender) = self.sending.senders.get_mut(&id) {
            let mut member = Member::new(end, sender.pool_handle.clone());
            let association = association_id(end);
            let input = PoolUserSessionInput::AssociationUp { association };
            member.control.handle_input(input);
            sender.members.insert(element, member);
            self.settle_member(id, element);
        }
        self.go_on_if(is_last, id);
    }

    /// An association of a sender could not be set up.
    pub(super) fn sender_not_up(&mut self, end: EndId) {
        let Some(id) = self.sending.by_end.remove(&end) else {
            return;
        };
        let Some((element, is_last)) = self.no_longer_missing(id, end) else {
            return;
        };
        self.tell_failed(id, element, false);
        self.go_on_if(is_last, id);
    }

    fn no_longer_missing(&mut self, id: SenderId, end: EndId) -> Option<(PoolElementId, bool)> {
        let order = self.sending.senders.get_mut(&id)?.order.as_mut()?;
        let Doing::Connecting { missing, .. } = &mut order.doing else {
            return None;
        };
        let element = missing.remove(&end)?;
        Some((element, missing.is_empty()))
    }

    fn go_on_if(&mut self, is_last: bool, id: SenderId) {
        if is_last
            && let Some(Order {
                doing: Doing::Connecting { targets, .. },
                ..
            }) = self.order_of(id)
        {
            let targets = targets.clone();
            self.hand_over_to(id, &targets);
        }
    }

    /// The pool element is gone, or has closed the association: what it may not have goes to
    /// another one or back to the application.
    pub(super) fn sender_lost(&mut self, end: EndId) {
        let Some(id) = self.sending.by_end.remove(&end) else {
            return;
        };
        let Some(element) = self.element_at(id, end) else {
            return;
        };
        self.forget_arrived_at(id, element);
        self.sessions.silenced.remove(&end);
        self.sessions.arrived.remove(&end);
        let sender = self.sending.senders.get_mut(&id);
        let Some(mut member) = sender.and_then(|sender| sender.members.remove(&element)) else {
            return;
        };
        let undelivered = member.undelivered.take();
        let again = self.check_passage_over(end, &undelivered);
        let now = self.now;
        if let Some(sender) = self.sending.senders.get_mut(&id) {
            let again = again.into_iter().map(|message| (message, now));
            sender.again.extend(again);
        }
        let lost = &self.associations[end.association() as usize];
        self.tell_failed(id, element, lost.is_closed_in_good_order);
    }

    fn element_at(&self, id: SenderId, end: EndId) -> Option<PoolElementId> {
        let mut members = self.sending.senders.get(&id)?.members.iter();
        let (element, _) = members.find(|(_, member)| member.end == end)?;
        Some(*element)
    }

    fn tell_failed(&mut self, id: SenderId, pool_element: PoolElementId, is_there: bool) {
        let Some(sender) = self.sending.senders.get(&id) else {
            return;
        };
        let (node, pool_handle) = (sender.node, sender.pool_handle.clone());
        let command = if is_there {
            Command::Avoid {
                pool_handle,
                pool_element,
            }
        } else {
            self.statistics.reports += 1;
            Command::ReportUnreachable {
                pool_handle,
                pool_element,
            }
        };
        self.tell(node, News::UserCommand(command));
    }

    /// What is known to have arrived is not kept any longer.
    fn forget_arrived_at(&mut self, id: SenderId, element: PoolElementId) {
        let sender = self.sending.senders.get_mut(&id);
        let Some(member) = sender.and_then(|sender| sender.members.get_mut(&element)) else {
            return;
        };
        let end = member.end;
        let until = self.sessions.silenced.get(&end).copied();
        let until = until.map_or(self.now, |until| until.min(self.now));
        let arrived = self.sessions.arrived.get_mut(&end);
        let known = arrived.map_or(0, |arrived| arrived.by(until));
        member.undelivered.on_arrived(known);
        let kept = member.undelivered.len();
        self.check_passage(end, known, kept);
    }

    /// Something arrived over an association of a sender: a business card at most.
    pub(super) fn sender_received(&mut self, end: EndId, packet: Packet) {
        let Some(id) = self.sending.by_end.get(&end).copied() else {
            return;
        };
        let Some(element) = self.element_at(id, end) else {
            return;
        };
        match packet {
            Packet::Control(message) => {
                self.check_control(end);
                let sender = self.sending.senders.get_mut(&id);
                if let Some(member) = sender.and_then(|own| own.members.get_mut(&element)) {
                    let from = association_id(end);
                    let input = PoolUserSessionInput::Received { from, message };
                    member.control.handle_input(input);
                }
                self.settle_member(id, element);
            }
            Packet::Data(data) => self.check_nothing_asked(end, data),
        }
    }

    fn settle_member(&mut self, id: SenderId, element: PoolElementId) {
        while let Some(member) = self
            .sending
            .senders
            .get_mut(&id)
            .and_then(|sender| sender.members.get_mut(&element))
        {
            let end = member.end;
            match member.control.poll_output() {
                None => break,
                Some(PoolUserSessionOutput::Send { message, .. }) => {
                    self.send_control(end, &message);
                }
                Some(PoolUserSessionOutput::Event(_)) => {}
            }
        }
    }
}
