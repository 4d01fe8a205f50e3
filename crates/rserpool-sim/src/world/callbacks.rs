//! A pool element calls back a pool user that is a pool element too and has died: at one of those
//! that its business card recommends (RFC 5352 §3.9, BC1 and BC2).
//!
//! Must not know how a session goes on.

use super::World;
use crate::network::EndId;
use crate::node::Status;
use crate::session::{HeldSession, WINDOW_MAX};
use rserpool_core::session::PREFERRED_ELEMENTS_MAX;
use rserpool_wire::asap::BusinessCard;
use rserpool_wire::parameter::EncodedPoolElement;
use std::time::Duration;

/// The most requests of a call.
const REQUESTS_MAX: u64 = 20;

impl World {
    /// A session of a pool element has ended. If the process of its user is no more, whoever can
    /// take its place is called.
    pub(super) fn call_back(&mut self, served: EndId, card: &BusinessCard) {
        let user = self.node_of(served.other());
        let is_gone = matches!(self.nodes[user.index()].status, Status::Down | Status::Gone);
        let Some(caller) = self.own_user(self.node_of(served)) else {
            return;
        };
        let is_awake = self.nodes[caller.index()].status == Status::Running;
        let pools = self.pools_of(caller).into_iter();
        let pool = pools
            .filter(|_| is_gone && is_awake)
            .find(|pool| self.pool_handle(*pool) == card.pool_handle);
        let Some(pool) = pool.filter(|_| !card.pool_elements.is_empty()) else {
            return;
        };
        let id = self.sessions.next_id();
        let mut held = HeldSession::new(id, caller, pool, card.pool_handle.clone());
        held.is_call = true;
        held.length = 1 + self.random.below(REQUESTS_MAX);
        held.window = 1 + self.random.below(WINDOW_MAX);
        held.progress_at = self.now;
        let order = card.pool_elements.iter().map(EncodedPoolElement::id);
        held.recommended = order.take(PREFERRED_ELEMENTS_MAX).collect();
        held.card.clone_from(&held.recommended);
        self.sessions.held.insert(id, held);
        self.statistics.sessions.begun += 1;
        self.statistics.sessions.calls += 1;
        self.plan_session(id, (Duration::ZERO, Duration::ZERO));
    }
}
