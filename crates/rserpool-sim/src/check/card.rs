//! Business cards say who comes next, and nothing else (RFC 5352 §3.9).
//!
//! Must not know how a session is set up.

use super::Rule;
use crate::network::EndId;
use crate::node::{NodeId, Status};
use crate::session::{HeldSession, SessionId};
use crate::world::World;
use rserpool_wire::PoolElementId;
use rserpool_wire::asap::{BusinessCard, Resolution};

impl World {
    /// The order of failover is that of the latest card of the pool element of now, if it is one
    /// of this pool.
    pub(crate) fn check_order(&mut self, id: SessionId) {
        let Some(held) = self.sessions.held.get(&id) else {
            return;
        };
        if held.control.preferred() != held.card {
            let (order, card) = (held.control.preferred().to_vec(), held.card.clone());
            let text = format_args!("session {} prefers {order:?}, not {card:?}", id.0);
            self.violate(Rule::BusinessCard, held.node, text);
        }
    }

    /// Who is tried next is in the card, in its order, but not who has failed; and is in the pool.
    pub(crate) fn check_candidates(&mut self, id: SessionId, listed: &Resolution) {
        let Some(held) = self.sessions.held.get(&id) else {
            return;
        };
        let is_listed = |id| listed.pool_elements.iter().any(|own| own.id() == id);
        let expected = held.card.iter().copied();
        let expected = expected.filter(|id| Some(*id) != held.failed && is_listed(*id));
        if !held.candidates.iter().map(|(id, _)| *id).eq(expected) {
            let (card, tried) = (held.card.clone(), held.candidates.clone());
            let text = format_args!("session {} will try {tried:?} by {card:?}", id.0);
            return self.violate(Rule::BusinessCard, held.node, text);
        }
        let count = u64::try_from(held.candidates.len()).unwrap_or(u64::MAX);
        self.statistics.sessions.ordered += u64::from(count > 0);
    }

    /// Who takes a call is in the card of who is called, after nobody else who is there.
    pub(crate) fn check_called(&mut self, id: SessionId, pool_element: PoolElementId) {
        let Some(held) = self.sessions.held.get(&id) else {
            return;
        };
        if held.recommended.is_empty() {
            return;
        }
        let place = held.recommended.iter().position(|own| *own == pool_element);
        let before = &held.recommended[..place.unwrap_or(held.recommended.len())];
        let is_passed_over = |own: &PoolElementId| self.is_there_for_long(held, *own);
        let passed_over = before.iter().copied().find(is_passed_over);
        let node = held.node;
        self.statistics.sessions.calls_recommended += u64::from(place.is_some());
        self.statistics.sessions.calls_checked += u64::from(!before.is_empty());
        if let Some(other) = passed_over {
            let text = format_args!("calls {pool_element}, though {other} comes first in the card");
            self.violate(Rule::BusinessCard, node, text);
        }
    }

    /// Whether a pool element has been well for so long that nobody can have a reason to pass it
    /// over.
    fn is_there_for_long(&self, held: &HeldSession, id: PoolElementId) -> bool {
        let key = (held.pool_handle.clone(), id);
        let Some(identity) = self.checker.identities.get(&key) else {
            return false;
        };
        let patience = self.session_patience() + self.silent_element_bound() * 2;
        let is_well = |node: NodeId| {
            let own = &self.nodes[node.index()];
            own.status == Status::Running
                && own.disturbed_until + patience < self.now
                && own.changed_at + patience < self.now
        };
        self.nodes[identity.node.index()].incarnation == identity.incarnation
            && is_well(identity.node)
            && is_well(held.node)
            && self.is_registered_well(identity.node)
            && self.takes_sessions(identity.node)
            && self.partitions.is_empty()
            && self.latest_healing + patience < self.now
            && self.roster.registrars.iter().all(|node| is_well(*node))
    }

    /// The first request has come: a pool user that is a pool element has said so before.
    pub(crate) fn check_own_card(&mut self, end: EndId) {
        let served = self.sessions.served.get(&end).map(|served| &served.card);
        let held = self.holder(end).map(|held| &held.own_card);
        if let (Some(served), Some(held)) = (served, held)
            && served != held
        {
            let count = |card: &Option<BusinessCard>| {
                let elements = card.as_ref().map(|card| card.pool_elements.len());
                elements.map_or_else(|| "none".to_owned(), |count| format!("one of {count}"))
            };
            let (served, held) = (count(served), count(held));
            let text = format_args!("has {served} as the card of its user, not {held}");
            self.violate(Rule::BusinessCard, self.node_of(end), text);
        }
    }

    /// Over UDP, nobody says that the other end is gone.
    pub(crate) fn check_is_told(&mut self, end: EndId) {
        let association = &self.associations[end.association() as usize];
        if association.has_datagrams() {
            let text = format_args!("is told of the loss of what has datagrams only");
            self.violate(Rule::DataOnly, self.node_of(end), text);
        }
    }

    /// Over TCP and UDP there are data and nothing else.
    pub(crate) fn check_control(&mut self, end: EndId) {
        if !self.has_control_channel(end) {
            let text = format_args!("has a control channel without SCTP");
            self.violate(Rule::DataOnly, self.node_of(end), text);
        }
    }
}
