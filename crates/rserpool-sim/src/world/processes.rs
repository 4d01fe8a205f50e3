//! What belongs together: the nodes of an operational scope (RFC 3237 §2.7), and those of one
//! process, which is a pool element of several pools, or a pool user too (RFC 3237 §2.3).
//!
//! Must not know what they do.

use super::World;
use crate::fault::{Fault, FaultKind};
use crate::node::NodeId;

impl World {
    /// Registrars, pools and pool users are dealt to the scopes in turn, pool elements to pools.
    pub(crate) fn scope_of(&self, node: NodeId) -> usize {
        let roster = &self.roster;
        let lists = [&roster.registrars, &roster.elements, &roster.users];
        let mut indices = lists
            .into_iter()
            .filter_map(|list| list.binary_search(&node).ok());
        indices.next().unwrap_or(0) % self.scopes()
    }

    fn scopes(&self) -> usize {
        self.scenario.scopes.max(1)
    }

    /// One of the pools of a node's scope.
    pub(super) fn draw_pool(&mut self, node: NodeId) -> usize {
        let scopes = self.scopes();
        let pool = self.random.index(self.scenario.pools / scopes);
        pool * scopes + self.scope_of(node)
    }

    /// The pools of a node's scope.
    pub(crate) fn pools_of(&self, node: NodeId) -> Vec<usize> {
        let scope = self.scope_of(node);
        let pools = scope..self.scenario.pools;
        pools.step_by(self.scopes()).collect()
    }

    /// Whether these have anything to do with each other. Strangers are everywhere.
    pub(crate) fn are_in_one_scope(&self, one: NodeId, other: NodeId) -> bool {
        self.scopes() == 1 || self.scope_of(one) == self.scope_of(other)
    }

    /// The pool element that a pool user is, too.
    pub(super) fn own_element(&self, user: NodeId) -> Option<NodeId> {
        let index = self.roster.users.binary_search(&user).ok();
        let element = self.roster.elements.get(index?).copied();
        element.filter(|_| self.scenario.peers)
    }

    /// The pool user that a pool element is, too.
    pub(super) fn own_user(&self, element: NodeId) -> Option<NodeId> {
        let index = self.roster.elements.binary_search(&element).ok();
        let user = self.roster.users.get(index?).copied();
        user.filter(|_| self.scenario.peers)
    }

    /// What happens to a process happens to all that it is.
    pub(super) fn widen(&self, fault: &mut Fault) {
        let is_of_processes = matches!(
            fault.kind,
            FaultKind::Crash
                | FaultKind::Vanish
                | FaultKind::Stop
                | FaultKind::Restart
                | FaultKind::Hang
                | FaultKind::Pause
                | FaultKind::ClockJump
                | FaultKind::ClockFreeze
                | FaultKind::Partition
                | FaultKind::OneWay
        );
        if !is_of_processes || (self.scopes() == 1 && !self.scenario.peers) {
            return;
        }
        for node in fault.nodes.clone() {
            for own in self.process_of(node) {
                if !fault.nodes.contains(&own) {
                    fault.nodes.push(own);
                }
            }
        }
    }

    /// The nodes of a node's process: of as many pool elements one after the other as there are
    /// scopes, so that each is in a scope of its own, and of the pool users that they are.
    fn process_of(&self, node: NodeId) -> Vec<NodeId> {
        let scopes = self.scopes();
        let roster = &self.roster;
        let users = if self.scenario.peers {
            roster.users.as_slice()
        } else {
            &[]
        };
        let mut lists = [roster.elements.as_slice(), users].into_iter();
        let index = lists.find_map(|list| list.binary_search(&node).ok());
        let Some(index) = index else {
            return Vec::new();
        };
        let first = index - index % scopes;
        let of = |list: &[NodeId]| {
            let nodes = list.iter().skip(first).take(scopes).copied();
            nodes.collect::<Vec<_>>()
        };
        [of(&roster.elements), of(users)].concat()
    }
}
