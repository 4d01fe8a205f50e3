//! Faults begin and end, and at last all of them do.

use super::associations::AFTERMATH;
use super::{News, World};
use crate::fault::{Fault, FaultKind};
use crate::network::{EndId, EndState, Partition};
use crate::node::{Actor, FOREVER, NodeId, Status};
use crate::schedule::Occurrence;
use crate::transcript::Mark;
use rserpool_core::pool_element::Command;
use std::time::Duration;

impl World {
    pub(super) fn begin_fault(&mut self, index: u32) {
        if self.healing {
            return;
        }
        let mut fault = self.faults[index as usize].fault.clone();
        self.widen(&mut fault);
        self.faults[index as usize].fault.clone_from(&fault);
        if !self.apply(index, &fault) {
            return;
        }
        if self.is_small {
            self.check_snapshots();
        }
        self.statistics.faults += 1;
        let marks: Vec<_> = fault
            .nodes
            .iter()
            .map(|node| (*node, Mark::Fault))
            .collect();
        let name = fault.nodes.first().map(|node| self.roster.name(*node));
        let others = fault.nodes.len().saturating_sub(1);
        match (name, others) {
            (Some(name), 0) => {
                let text = format_args!("FAULT {name} {fault}");
                self.transcript.line(self.now, &marks, text);
            }
            (Some(name), _) => {
                let text = format_args!("FAULT {name} and {others} more {fault}");
                self.transcript.line(self.now, &marks, text);
            }
            (None, _) => {
                let text = format_args!("FAULT {fault}");
                self.transcript.line(self.now, &marks, text);
            }
        }
        if let Some(lasts) = fault.lasts {
            self.schedule
                .add(self.now + lasts, Occurrence::FaultEnds { index });
        }
    }

    /// Whether it could be done.
    fn apply(&mut self, index: u32, fault: &Fault) -> bool {
        let first = fault.nodes.first().copied();
        let running = first.filter(|node| self.nodes[node.index()].status == Status::Running);
        match (fault.kind, running) {
            (
                FaultKind::Partition | FaultKind::OneWay | FaultKind::Clog | FaultKind::ClogOneWay,
                _,
            ) => self.begin_partition(index, fault),
            (FaultKind::Announces, _) => self.announces_disturbed += 1,
            (
                kind @ (FaultKind::Crash
                | FaultKind::Restart
                | FaultKind::Stop
                | FaultKind::Vanish
                | FaultKind::Hang
                | FaultKind::Pause
                | FaultKind::ClockJump
                | FaultKind::ClockFreeze),
                Some(_),
            ) => {
                for node in &fault.nodes {
                    self.disturb(*node, kind, fault.amount);
                }
            }
            (FaultKind::Cut, Some(node)) => return self.cut(node),
            (FaultKind::Slow, Some(node)) => return self.set_slow(node, fault.amount),
            (FaultKind::Policy, Some(node)) => self.change_policy(node),
            (FaultKind::Leave, Some(node)) => {
                self.checker.element_wants(node, false);
                self.tell(node, News::ElementCommand(Command::Deregister));
            }
            (FaultKind::Liar, Some(node)) => self.set_liar(node, true),
            (FaultKind::SameIdentifier, Some(node)) => {
                return self.take_identifier(node, fault.nodes.get(1).copied());
            }
            (FaultKind::Corrupt, Some(node)) => {
                return self.corrupt(node, fault.nodes.get(1).copied());
            }
            (
                kind @ (FaultKind::Garbage
                | FaultKind::WrongRole
                | FaultKind::Flood
                | FaultKind::FalsePeer),
                Some(node),
            ) => self.begin_mischief(node, kind),
            (
                FaultKind::Crash
                | FaultKind::Restart
                | FaultKind::Vanish
                | FaultKind::Stop
                | FaultKind::Hang
                | FaultKind::Pause
                | FaultKind::ClockJump
                | FaultKind::ClockFreeze
                | FaultKind::Cut
                | FaultKind::Slow
                | FaultKind::Policy
                | FaultKind::Leave
                | FaultKind::Liar
                | FaultKind::Garbage
                | FaultKind::WrongRole
                | FaultKind::Flood
                | FaultKind::SameIdentifier
                | FaultKind::Corrupt
                | FaultKind::FalsePeer,
                None,
            ) => return false,
        }
        true
    }

    /// Something happens to a process.
    fn disturb(&mut self, node: NodeId, kind: FaultKind, amount: Duration) {
        if matches!(self.nodes[node.index()].status, Status::Down | Status::Gone) {
            return;
        }
        if kind == FaultKind::Stop {
            return self.stop(node);
        }
        if kind == FaultKind::ClockJump {
            return self.jump_clock(node, amount);
        }
        if kind == FaultKind::ClockFreeze {
            return self.freeze_clock(node);
        }
        if kind == FaultKind::Hang {
            self.suspend(node, Status::Hung);
        } else if kind == FaultKind::Pause {
            self.suspend(node, Status::Paused);
        } else if kind == FaultKind::Vanish {
            self.kill(node, Status::Gone);
        } else {
            self.kill(node, Status::Down);
        }
        self.check_gone_in_time(node);
    }

    fn jump_clock(&mut self, node: NodeId, amount: Duration) {
        let own = &mut self.nodes[node.index()];
        own.clock.jump(amount);
        own.changed_at = self.now;
        own.disturbed_until = own.disturbed_until.max(self.now);
        self.plan_wake(node);
    }

    fn freeze_clock(&mut self, node: NodeId) {
        let own = &mut self.nodes[node.index()];
        own.clock.freeze(self.now);
        own.changed_at = self.now;
        own.disturbed_until = FOREVER;
    }

    pub(super) fn end_fault(&mut self, index: u32) {
        let fault = self.faults[index as usize].fault.clone();
        let Fault { kind, nodes, .. } = fault;
        match kind {
            FaultKind::Partition | FaultKind::OneWay | FaultKind::Clog | FaultKind::ClogOneWay => {
                self.end_partition(index);
            }
            FaultKind::SameIdentifier => self.take_own_identifier(nodes[0]),
            FaultKind::Announces => {
                self.announces_disturbed = self.announces_disturbed.saturating_sub(1);
            }
            FaultKind::Crash
            | FaultKind::Restart
            | FaultKind::Vanish
            | FaultKind::Stop
            | FaultKind::Hang
            | FaultKind::Pause
            | FaultKind::ClockFreeze
            | FaultKind::Slow
            | FaultKind::Leave
            | FaultKind::Liar
            | FaultKind::Garbage
            | FaultKind::WrongRole
            | FaultKind::Flood
            | FaultKind::FalsePeer => {
                for node in nodes {
                    self.heal_of(node, kind);
                }
            }
            FaultKind::ClockJump | FaultKind::Cut | FaultKind::Policy | FaultKind::Corrupt => {}
        }
    }

    fn heal_of(&mut self, node: NodeId, kind: FaultKind) {
        let status = self.nodes[node.index()].status;
        match (kind, status) {
            (
                FaultKind::Crash | FaultKind::Vanish | FaultKind::Stop | FaultKind::Restart,
                Status::Down | Status::Gone,
            ) if !self.healing => self.on_start(node),
            (FaultKind::Hang, Status::Hung) | (FaultKind::Pause, Status::Paused) => {
                self.line(node, Mark::Fault, "goes on");
                self.resume(node);
            }
            (FaultKind::ClockFreeze, _) => self.unfreeze(node),
            (FaultKind::Slow, _) => {
                self.set_slow(node, Duration::ZERO);
            }
            (FaultKind::Leave, Status::Running) => {
                self.checker.element_wants(node, true);
                self.tell(node, News::ElementCommand(Command::Register));
            }
            (FaultKind::Liar, _) => self.set_liar(node, false),
            (
                FaultKind::Garbage | FaultKind::WrongRole | FaultKind::Flood | FaultKind::FalsePeer,
                _,
            ) => self.end_mischief(node, kind),
            _ => {}
        }
    }

    fn unfreeze(&mut self, node: NodeId) {
        let own = &mut self.nodes[node.index()];
        own.clock.unfreeze();
        if own.status == Status::Running {
            own.disturbed_until = own.disturbed_until.min(self.now);
            self.plan_wake(node);
        }
    }

    /// From now on nothing goes wrong any more; what has, is put right. Pool elements and pool
    /// users that are gone stay away.
    pub fn stop_faults(&mut self) {
        self.healing = true;
        self.note_healing();
        let text = format_args!("FAULTS STOP");
        self.transcript.line(self.now, &[], text);
        for fault in self.partitions.iter().map(|p| p.fault).collect::<Vec<_>>() {
            self.end_partition(fault);
        }
        self.announces_disturbed = 0;
        for number in 0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX) {
            let node = NodeId(number);
            self.unfreeze(node);
            for kind in [
                FaultKind::Slow,
                FaultKind::Hang,
                FaultKind::Pause,
                FaultKind::Leave,
                FaultKind::Liar,
            ] {
                self.heal_of(node, kind);
            }
            if self.roster.is_registrar(node) {
                self.take_own_identifier(node);
                self.on_start(node);
            }
            for kind in FaultKind::OF_STRANGERS {
                self.end_mischief(node, kind);
            }
        }
        self.send_strangers_home();
    }

    fn begin_partition(&mut self, index: u32, fault: &Fault) {
        let mut partition = Partition {
            fault: index,
            side: fault.nodes.iter().copied().collect(),
            others: None,
            one_way: matches!(fault.kind, FaultKind::OneWay | FaultKind::ClogOneWay),
            blocked: Vec::new(),
        };
        if let (FaultKind::Clog | FaultKind::ClogOneWay, [one, other]) =
            (fault.kind, fault.nodes.as_slice())
        {
            partition.side = [*one].into();
            partition.others = Some(*other);
        }
        for association in 0..u32::try_from(self.associations.len()).unwrap_or(u32::MAX) {
            let ends = [
                EndId::of_initiator(association),
                EndId::of_acceptor(association),
            ];
            let is_up = ends.iter().any(|end| self.state_of(*end) == EndState::Up);
            let [initiator, acceptor] = ends.map(|end| self.node_of(end));
            if !is_up {
                continue;
            }
            if partition.blocks(initiator, acceptor) {
                partition.blocked.push(ends[1]);
            }
            if partition.blocks(acceptor, initiator) {
                partition.blocked.push(ends[0]);
            }
        }
        // Without acknowledgements, neither direction works for long.
        for end in &partition.blocked {
            self.block(*end);
            self.begin_trouble(end.association());
        }
        self.partitions.push(partition);
    }

    fn end_partition(&mut self, fault: u32) {
        let found = self.partitions.iter().position(|p| p.fault == fault);
        let Some(index) = found else {
            return;
        };
        let partition = self.partitions.remove(index);
        self.note_healing();
        self.transcript
            .line(self.now, &[], format_args!("a partition is healed"));
        for end in partition.blocked {
            self.unblock(end);
            self.end_trouble(end.association());
        }
    }

    /// A registrar starts again with the identifier of another one.
    fn take_identifier(&mut self, node: NodeId, other: Option<NodeId>) -> bool {
        let Some(id) = other.and_then(|other| self.checker.registrar_id(other)) else {
            return false;
        };
        if self.borrowed_ids.contains_key(&node) {
            return false;
        }
        self.kill(node, Status::Down);
        self.check_gone_in_time(node);
        self.borrowed_ids.insert(node, id);
        self.on_start(node);
        self.nodes[node.index()].disturbed_until = FOREVER;
        true
    }

    /// It starts again with an identifier of its own.
    fn take_own_identifier(&mut self, node: NodeId) {
        if self.borrowed_ids.remove(&node).is_none() {
            return;
        }
        let status = self.nodes[node.index()].status;
        if !matches!(status, Status::Down | Status::Gone) {
            self.kill(node, Status::Down);
            self.on_start(node);
        }
    }

    /// One association of a node breaks.
    fn cut(&mut self, node: NodeId) -> bool {
        let ends: Vec<EndId> = self.nodes[node.index()].ends.iter().copied().collect();
        let Some(end) = self.random.pick(&ends).copied() else {
            return false;
        };
        let association = &mut self.associations[end.association() as usize];
        if association.broken {
            return false;
        }
        association.broken = true;
        association.update_disturbance(self.now, AFTERMATH);
        for end in [end, end.other()] {
            if self.state_of(end) == EndState::Up {
                let at = self.now + self.random.between(Duration::ZERO, self.profile.silence.1);
                self.schedule.add(at, Occurrence::Lost { end });
            }
        }
        true
    }

    /// All associations that a node has become slow, or quick again.
    fn set_slow(&mut self, node: NodeId, slow: Duration) -> bool {
        let ends: Vec<EndId> = self.nodes[node.index()].ends.iter().copied().collect();
        for end in &ends {
            let association = &mut self.associations[end.association() as usize];
            if association.slow != slow {
                let aftermath = AFTERMATH + association.slow * 2;
                association.slow = slow;
                association.update_disturbance(self.now, aftermath);
            }
        }
        !ends.is_empty()
    }

    fn change_policy(&mut self, node: NodeId) {
        let index = self.roster.elements.binary_search(&node).unwrap_or(0);
        let policy = self.draw_policy(index % self.scenario.pools.max(1));
        self.tell(node, News::ElementCommand(Command::SetPolicy(policy)));
    }

    fn set_liar(&mut self, node: NodeId, lies: bool) {
        if let Actor::User(_, activity) = &mut self.nodes[node.index()].actor {
            activity.lies = lies;
            if lies {
                self.plan_activity(node);
            }
        }
    }

    /// What is gone or silent is to vanish from all handlespaces in time.
    pub(super) fn check_gone_in_time(&mut self, node: NodeId) {
        let deadline = self.now + self.silent_element_bound();
        let incarnation = self.nodes[node.index()].incarnation;
        for check in self.checker.listings_of(node, incarnation) {
            self.put_off(deadline, check);
        }
    }

    fn state_of(&self, end: EndId) -> EndState {
        self.associations[end.association() as usize].ends[end.side()].state
    }
}
