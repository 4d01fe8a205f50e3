//! A process starts, dies, hangs, sleeps and goes on.

use super::{News, World};
use crate::network::EndState;
use crate::node::{Actor, FOREVER, NodeId, Status};
use crate::schedule::Occurrence;
use crate::transcript::{Column, Mark};
use rserpool_core::{Timestamp, pool_element, pool_user};

impl World {
    /// A process starts, for the first time or again.
    pub(super) fn on_start(&mut self, node: NodeId) {
        if !matches!(self.nodes[node.index()].status, Status::Down | Status::Gone) {
            return;
        }
        let actor = self.new_actor(node);
        let own = &mut self.nodes[node.index()];
        own.actor = actor;
        own.incarnation += 1;
        own.changed_at = self.now;
        own.disturbed_until = self.now;
        self.set_status(node, Status::Running);
        self.line(node, Mark::Fault, "starts");
        // Its host answers for what it knows nothing of any more.
        for association in std::mem::take(&mut self.nodes[node.index()].remnants) {
            self.end_trouble(association);
        }
        match &self.nodes[node.index()].actor {
            Actor::Element(_) => {
                let command = pool_element::Command::Register;
                self.checker.element_wants(node, true);
                self.tell(node, News::ElementCommand(command));
            }
            Actor::User(..) => {
                self.plan_activity(node);
                self.begin_sessions(node);
                self.begin_senders(node);
            }
            Actor::Registrar(_) | Actor::Stranger(_) | Actor::Nobody => {}
        }
        self.settle(node);
    }

    /// A process ends in order.
    pub(super) fn stop(&mut self, node: NodeId) {
        self.line(node, Mark::Fault, "is stopped");
        let news = match &self.nodes[node.index()].actor {
            Actor::Registrar(_) => News::Shutdown,
            Actor::Element(_) => News::ElementCommand(pool_element::Command::Stop),
            Actor::User(..) => News::UserCommand(pool_user::Command::Stop),
            Actor::Nobody | Actor::Stranger(_) => return,
        };
        self.tell(node, news);
        self.kill(node, Status::Down);
        self.check_gone_in_time(node);
    }

    /// A process dies. Its host says so to everybody who is connected, or is gone as well.
    pub(super) fn kill(&mut self, node: NodeId, status: Status) {
        self.line(node, Mark::Fault, "dies");
        self.forget_inbox(node);
        self.end_services_of(node);
        self.end_sessions_of(node);
        let own = &mut self.nodes[node.index()];
        own.actor = Actor::Nobody;
        own.clock.unfreeze();
        own.wake = None;
        own.changed_at = self.now;
        let ends = std::mem::take(&mut own.ends);
        self.set_status(node, status);
        for end in ends {
            let association = &mut self.associations[end.association() as usize];
            let own = &mut association.ends[end.side()];
            own.state = EndState::Gone;
            for octets in own.held.take().into_iter().chain(own.unsent.take()) {
                self.octets.release(octets);
            }
            self.checker.told_gone(node, end);
            let latest_arrival = association.ends[end.other().side()].latest_arrival;
            let has_datagrams = association.has_datagrams();
            self.forget_datagrams_of(end);
            if has_datagrams {
                continue;
            }
            if status == Status::Gone {
                self.begin_trouble(end.association());
                self.nodes[node.index()].remnants.push(end.association());
            } else {
                let (short, long) = self.profile.notice;
                let at = self.now + self.random.between(short, long);
                let at = at.max(latest_arrival);
                if self.associations[end.association() as usize].troubles == 0 {
                    self.schedule.add(at, Occurrence::Lost { end: end.other() });
                }
            }
        }
        self.checker.node_died(node);
    }

    /// A process does not do anything any more, with its transport or without it.
    pub(super) fn suspend(&mut self, node: NodeId, status: Status) {
        self.set_status(node, status);
        let own = &mut self.nodes[node.index()];
        own.disturbed_until = FOREVER;
        own.changed_at = self.now;
        own.wake = None;
        if status == Status::Paused {
            let troubled: Vec<u32> = own.ends.iter().map(|end| end.association()).collect();
            for association in troubled {
                self.begin_trouble(association);
                self.nodes[node.index()].remnants.push(association);
            }
        }
    }

    /// It goes on: what has arrived meanwhile is read, and its timers are late. Which comes first
    /// is chance.
    pub(super) fn resume(&mut self, node: NodeId) {
        self.set_status(node, Status::Running);
        let own = &mut self.nodes[node.index()];
        if !own.clock.is_frozen() {
            own.disturbed_until = self.now;
        }
        own.changed_at = self.now;
        for association in std::mem::take(&mut own.remnants) {
            self.end_trouble(association);
        }
        if self.random.percent(50) {
            self.plan_wake(node);
            self.call_late_timer(node);
        }
        let inbox = std::mem::take(&mut self.nodes[node.index()].inbox);
        for occurrence in inbox {
            self.tell_of(node, occurrence);
        }
        self.plan_wake(node);
        if matches!(self.nodes[node.index()].actor, Actor::User(..)) {
            self.plan_activity(node);
        }
    }

    fn call_late_timer(&mut self, node: NodeId) {
        if self.nodes[node.index()].wake == Some(self.now) {
            self.on_timer(node);
        }
    }

    fn forget_inbox(&mut self, node: NodeId) {
        for occurrence in std::mem::take(&mut self.nodes[node.index()].inbox) {
            if let Occurrence::Arrival { octets, .. } = occurrence {
                self.octets.release(octets);
            } else if let Occurrence::Datagram { datagram, .. } = occurrence {
                self.datagrams.release(datagram);
            }
        }
    }

    fn set_status(&mut self, node: NodeId, status: Status) {
        self.nodes[node.index()].status = status;
        let column = match status {
            Status::Running => Column::Running,
            Status::Hung => Column::Hung,
            Status::Paused => Column::Paused,
            Status::Down | Status::Gone => Column::Down,
        };
        self.transcript.set_column(node, column);
    }

    pub(super) fn line(&mut self, node: NodeId, mark: Mark, what: &str) {
        let name = self.roster.name(node);
        let text = format_args!("{name} {what}");
        self.transcript.line(self.now, &[(node, mark)], text);
    }

    /// Since when a node is as it is.
    pub(crate) fn unchanged_since(&self, node: NodeId) -> Timestamp {
        self.nodes[node.index()].changed_at
    }
}
