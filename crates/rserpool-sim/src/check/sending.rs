//! Messages that are sent to a pool each by itself (RFC 5352 §6.5): over an association each is
//! read once at most and in order; what may not have arrived is sent again, given back or
//! forgotten, as its sender wanted; and one for all gets to all.
//!
//! Must not know how a pool element is found.

use super::{Check, Rule};
use crate::network::EndId;
use crate::node::{NodeId, Status};
use crate::sending::number_of;
use crate::session::Data;
use crate::world::World;
use rserpool_core::Timestamp;
use rserpool_core::session::{OnFailover, SessionMessage};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::time::Duration;

/// How long a message to all may take to a pool element that is well, beside setting up the
/// associations with those that are not.
const REACHED: Duration = Duration::from_secs(1);

impl World {
    /// A pool element reads a message.
    pub(crate) fn check_read(&mut self, served: EndId, message: u64) {
        let node = self.node_of(served);
        let records = &mut self.sending.records;
        let passage = records.passages.entry(served.other()).or_default();
        let expected = passage.handed.get(passage.read).copied();
        passage.read += 1;
        let of = passage.to;
        if expected != Some(message) {
            let text = format_args!("reads message {message}, when {expected:?} is the next");
            return self.violate(Rule::ReadOnce, node, text);
        }
        let process = (node, self.nodes[node.index()].incarnation);
        self.statistics.sending.read += 1;
        if self.sending.records.note_read(process, message, of) {
            return;
        }
        // What is sent again by itself may get to the same process: RFC 5352 §6.5.5 knows no
        // other way to learn of its arrival than its transport's.
        if self.sending.records.on_failover(message) == OnFailover::Resend {
            self.statistics.sending.read_twice += 1;
        } else {
            let text = format_args!("reads message {message} a second time");
            self.violate(Rule::ReadOnce, node, text);
        }
    }

    /// Exactly what is not to be forgotten and not known to have arrived is kept.
    pub(crate) fn check_passage(&mut self, end: EndId, known: u64, kept: usize) {
        let unknown = self.sending.records.unknown(end, known);
        let passage = self.sending.records.passages.get_mut(&end);
        let read = passage.map_or(0, |passage| {
            passage.known = known;
            passage.read
        });
        let is_known = usize::try_from(known).is_ok_and(|known| known <= read);
        if !is_known || kept != unknown.len() {
            let node = self.node_of(end);
            let text = format_args!(
                "keeps {kept} messages, of which {unknown:?} may not have arrived; {read} were \
                 read and {known} are known to have been"
            );
            self.violate(Rule::Undelivered, node, text);
        }
    }

    /// An association of a sender is gone. Given back, or sent again, is each message that may not
    /// have arrived, in their order; those that are sent again.
    pub(crate) fn check_passage_over(
        &mut self,
        end: EndId,
        undelivered: &[SessionMessage],
    ) -> Vec<u64> {
        let known = self.sending.records.known(end);
        let expected = self.sending.records.unknown(end, known);
        let told: Vec<u64> = undelivered.iter().filter_map(number_of).collect();
        if told != expected {
            let node = self.node_of(end);
            let text = format_args!("is given back {told:?}, not {expected:?}");
            self.violate(Rule::Undelivered, node, text);
        }
        let records = &mut self.sending.records;
        let handed = records.passages.get_mut(&end).map_or(0, |passage| {
            passage.is_over = true;
            passage.handed.len()
        });
        let (again, back): (Vec<_>, Vec<_>) = told
            .into_iter()
            .partition(|message| records.on_failover(*message) == OnFailover::Resend);
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let statistics = &mut self.statistics.sending;
        statistics.resent += count(again.len());
        statistics.given_back += count(back.len());
        let kept = count(again.len() + back.len());
        statistics.forgotten += count(handed).saturating_sub(known + kept);
        again
    }

    /// Nobody answers who was not asked.
    pub(crate) fn check_nothing_asked(&mut self, end: EndId, data: Data) {
        let text = format_args!("is sent {data:?}, though a message wants no answer");
        self.violate(Rule::ReadOnce, self.node_of(end), text);
    }

    /// A message goes to all of these: those that are well read it soon.
    pub(crate) fn expect_to_reach(
        &mut self,
        user: NodeId,
        message: u64,
        targets: Vec<((PoolHandle, PoolElementId), NodeId)>,
    ) {
        let until = self.now + self.profile.connect.1 + REACHED;
        for (key, node) in targets {
            let identity = self.checker.identities.get(&key);
            let Some(identity) = identity.filter(|identity| identity.node == node) else {
                continue;
            };
            let check = Check::Reached {
                message,
                user: (user, self.nodes[user.index()].incarnation),
                element: (identity.node, identity.incarnation),
                since: self.now,
            };
            self.put_off(until, check);
        }
    }

    pub(super) fn check_reached(&mut self, check: &Check) {
        let Check::Reached {
            message,
            user,
            element,
            since,
        } = *check
        else {
            return;
        };
        if !self.were_well(user, element, since) {
            return;
        }
        self.statistics.sending.reach_checked += 1;
        if !self.sending.records.has_read(element, message) {
            let name = self.roster.name(element.0);
            let text = format_args!("sent message {message} to all at {since}, and {name} not it");
            self.violate(Rule::SentToAll, user.0, text);
        }
    }

    /// Whether two processes, and all between them, have been well for so long.
    fn were_well(&self, one: (NodeId, u32), other: (NodeId, u32), since: Timestamp) -> bool {
        let is_well = |(node, incarnation): (NodeId, u32)| {
            let own = &self.nodes[node.index()];
            own.status == Status::Running
                && own.incarnation == incarnation
                && own.changed_at < since
                && own.disturbed_until < since
                && self.takes_sessions(node)
        };
        let mut between = self.sessions_between(one.0, other.0);
        is_well(one)
            && is_well(other)
            && self.partitions.is_empty()
            && self.latest_healing < since
            && between.all(|association| {
                let association = &self.associations[association as usize];
                association.disturbed_until < since && !association.is_closed_in_good_order
            })
    }

    /// The associations of senders at a pool user with a pool element, of now and before.
    fn sessions_between(&self, user: NodeId, element: NodeId) -> impl Iterator<Item = u32> {
        let ends = self.sending.records.passages.keys().copied();
        ends.filter(move |end| self.node_of(*end) == user && self.node_of(end.other()) == element)
            .map(EndId::association)
    }

    /// At last: nothing waits any more, and what went over associations that are there was read.
    pub(super) fn check_sending(&mut self) {
        let patience = self.session_patience() + self.request_bound() * 2;
        let now = self.now;
        let mut wrong = Vec::new();
        for sender in self.sending.senders.values() {
            let again = sender.again.front().copied();
            let order = sender.order.as_ref().map(|own| (own.message, own.since));
            for (message, since) in again.into_iter().chain(order) {
                if since + patience < now {
                    wrong.push((sender.node, format!("has not sent message {message} again")));
                }
            }
        }
        for (end, passage) in &self.sending.records.passages {
            let node = self.node_of(*end);
            let unread = passage.handed.get(passage.read..).unwrap_or_default();
            if !passage.is_over && !unread.is_empty() && self.sending.by_end.contains_key(end) {
                wrong.push((node, format!("is told nothing of {unread:?}, never read")));
            }
        }
        for (node, what) in wrong {
            self.violate(Rule::Undelivered, node, format_args!("{what}"));
        }
    }
}
