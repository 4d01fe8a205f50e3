//! A pool element is drained (RFC 3237 §2.7): it leaves its pool, lets the sessions that it has go
//! on, refuses new ones, and closes in good order those that are left at the deadline.
//!
//! Must not know where those go on.

use super::{News, World};
use crate::node::{Actor, NodeId, Status};
use crate::schedule::Occurrence;
use crate::session::Draining;
use crate::transcript::Mark;
use rserpool_core::pool_element::{Command, Event};
use std::time::Duration;

/// How long pool users are still taken while the registrar has not confirmed that the pool is
/// left: until then it may name this pool element and no other.
const LEAVING_MAX: Duration = Duration::from_secs(1);

/// How long a pool element that was drained is away.
const AWAY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

impl World {
    /// A pool element leaves, and stops when its sessions have ended or the deadline has passed;
    /// a little later it is back.
    pub(crate) fn drain(&mut self, node: NodeId, deadline: Duration) {
        let own = &self.nodes[node.index()];
        if own.status != Status::Running || !matches!(own.actor, Actor::Element(_)) {
            return;
        }
        let incarnation = own.incarnation;
        self.line(node, Mark::Fault, "is drained");
        let draining = Draining {
            incarnation,
            leave_by: self.now + LEAVING_MAX,
            deadline: self.now + deadline,
            begun: None,
            moved: 0,
        };
        self.sessions.draining.insert(node, draining);
        for at in [draining.leave_by, draining.deadline] {
            self.schedule.add(at, Occurrence::Draining { node });
        }
        self.checker.element_wants(node, false);
        self.tell(node, News::ElementCommand(Command::Deregister));
        // What is done with the last cookie: from now on, there is one after each answer.
        for end in self.sessions.served_by(&self.nodes[node.index()].ends) {
            self.give_cookie(end);
        }
    }

    pub(crate) fn is_draining(&self, node: NodeId) -> bool {
        self.sessions.draining.contains_key(&node)
    }

    /// Whether a pool element takes new sessions.
    pub(crate) fn takes_sessions(&self, node: NodeId) -> bool {
        let draining = self.sessions.draining.get(&node);
        draining.is_none_or(|draining| draining.begun.is_none())
    }

    /// The registrar has confirmed, or has not known it.
    pub(super) fn on_left(&mut self, node: NodeId, event: &Event) {
        if let (Event::Deregistered, Some(draining)) =
            (event, self.sessions.draining.get_mut(&node))
        {
            draining.leave_by = self.now;
            self.look_after_draining(node);
        }
    }

    /// A session of it has ended, or it has left its pool.
    pub(super) fn look_after_draining(&mut self, node: NodeId) {
        if self.is_draining(node) {
            self.schedule.add(self.now, Occurrence::Draining { node });
        }
    }

    pub(super) fn on_draining(&mut self, node: NodeId) {
        let Some(draining) = self.sessions.draining.get(&node).copied() else {
            return;
        };
        if self.nodes[node.index()].incarnation != draining.incarnation {
            self.sessions.draining.remove(&node);
            return;
        }
        if draining.leave_by > self.now {
            return;
        }
        let ends = self.sessions.served_by(&self.nodes[node.index()].ends);
        let begun = draining.begun.unwrap_or(ends.len());
        let mut moved = draining.moved;
        if draining.deadline <= self.now {
            moved += ends.len();
            for end in &ends {
                self.interrupt(*end);
                self.sessions.served.remove(end);
                self.close_in_good_order(*end);
            }
        }
        if ends.is_empty() || draining.deadline <= self.now {
            return self.end_draining(node, begun, moved);
        }
        if let Some(draining) = self.sessions.draining.get_mut(&node) {
            draining.begun = Some(begun);
        }
    }

    fn end_draining(&mut self, node: NodeId, begun: usize, moved: usize) {
        let statistics = &mut self.statistics.sessions;
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        statistics.drains += 1;
        statistics.moved_draining += count(moved);
        statistics.finished_draining += count(begun - moved);
        self.sessions.draining.remove(&node);
        self.stop(node);
        let at = self.now + self.random.between(AWAY.0, AWAY.1);
        self.schedule.add(at, Occurrence::Start { node });
    }
}
