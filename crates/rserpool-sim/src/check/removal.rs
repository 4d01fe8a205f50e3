//! Nobody alive is removed; whoever is gone is, and in time.
//!
//! Must not know how a registrar finds out.

use super::{Check, Checker, Rule};
use crate::network::{EndId, EndState};
use crate::node::{NodeId, Status};
use crate::world::World;
use rserpool_core::Timestamp;
use rserpool_core::registrar::RemovalReason;
use rserpool_wire::{PoolElementId, PoolHandle};
use std::time::Duration;

/// What a registrar may take on top of interval and timeout, beside the way of a message.
const MARGIN: Duration = Duration::from_millis(50);

impl Checker {
    /// Where a node's registrations are listed.
    pub(crate) fn listings_of(&self, node: NodeId, incarnation: u32) -> Vec<Check> {
        let own = self
            .identities
            .iter()
            .filter(|(_, identity)| identity.node == node);
        let listings = own.flat_map(|((pool_handle, pool_element), _)| {
            let registrars = (0_u32..).zip(&self.registrars);
            registrars.filter_map(move |(number, view)| {
                let end = view.find_own(pool_handle, *pool_element)?.end?;
                Some(Check::GoneInTime {
                    registrar: NodeId(number),
                    registrar_id: view.id,
                    pool_handle: pool_handle.clone(),
                    pool_element: *pool_element,
                    end,
                    node,
                    incarnation,
                })
            })
        });
        listings.collect()
    }
}

impl World {
    /// How long a pool element that fell silent may be listed: one and a half intervals until it
    /// is asked, and the timeout (RFC 5352 §3.5).
    pub(crate) fn silent_element_bound(&self) -> Duration {
        let timers = &self.timers;
        let way = (self.profile.delay.1 + self.profile.jitter) * 2;
        timers.keep_alive_interval * 3 / 2 + timers.keep_alive_timeout + way + MARGIN
    }

    /// A registrar has removed a pool element.
    pub(super) fn check_removed(
        &mut self,
        registrar: NodeId,
        handle: &PoolHandle,
        id: PoolElementId,
        reason: RemovalReason,
    ) {
        *self.statistics.removals.entry(reason).or_default() += 1;
        let view = &mut self.checker.registrars[registrar.index()];
        let Some(listed) = view.remove(handle, id) else {
            let text = format_args!("removes {id} of {handle}, which it does not list");
            return self.violate(Rule::Listing, registrar, text);
        };
        let is_own = view.id == Some(listed.home);
        let is_right = match listed.end {
            Some(end) if is_own => self.may_be_removed(registrar, handle, id, end, reason),
            // It was to be reached, and never was.
            None if is_own => self.may_be_given_up(registrar, handle, id, reason),
            _ => self.may_be_forgotten(registrar, handle, id, listed.home),
        };
        if is_right {
            return;
        }
        let text = format_args!("removes {id} of {handle}, which is there ({reason})");
        self.violate(Rule::FalseRemoval, registrar, text);
    }

    fn may_be_removed(
        &self,
        registrar: NodeId,
        handle: &PoolHandle,
        id: PoolElementId,
        end: EndId,
        reason: RemovalReason,
    ) -> bool {
        let Some(identity) = self.checker.identities.get(&(handle.clone(), id)) else {
            return true;
        };
        let node = &self.nodes[identity.node.index()];
        let association = &self.associations[end.association() as usize];
        let is_there = node.status == Status::Running
            && node.incarnation == identity.incarnation
            && association.ends[end.other().side()].node == identity.node
            && association.ends[end.other().side()].state == EndState::Up;
        if !is_there {
            return true;
        }
        let timers = &self.timers;
        let patience = match reason {
            RemovalReason::Deregistered => return identity.deregistered,
            RemovalReason::AssociationLost => return self.checker.is_told_gone(end),
            RemovalReason::SendFailed if self.checker.send_failed.contains(&end) => return true,
            RemovalReason::Expired => timers.registration_life + timers.keep_alive_timeout,
            // Nobody else decides that.
            RemovalReason::RemovedByHome | RemovalReason::NotListedByHome => return false,
            RemovalReason::SendFailed
            | RemovalReason::NotAdopted
            | RemovalReason::KeepAliveTimeout
            | RemovalReason::ReportedUnreachable => timers.keep_alive_timeout * 2,
        };
        // A registrar whose clock stood still asked before that, perhaps while something else was
        // wrong, and has waited since.
        let disturbed_until = self.nodes[registrar.index()].disturbed_until;
        let disturbed_until = disturbed_until.max(node.disturbed_until);
        disturbed_until.max(association.disturbed_until) + patience >= self.now
    }

    /// Whether a pool element is where whoever resolves it would look.
    pub(crate) fn is_there(&self, handle: &PoolHandle, id: PoolElementId) -> bool {
        let identity = self.checker.identities.get(&(handle.clone(), id));
        identity.is_some_and(|identity| {
            let node = &self.nodes[identity.node.index()];
            node.status == Status::Running && node.incarnation == identity.incarnation
        })
    }

    /// A registrar was told that an association is gone: so are those registered over it.
    pub(crate) fn check_lost_at_once(&mut self, end: EndId) {
        let node = self.node_of(end);
        if !self.roster.is_registrar(node) {
            return;
        }
        let has_slept = self.nodes[node.index()].disturbed_until + self.audit_bound() > self.now;
        let view = &self.checker.registrars[node.index()];
        let mut registered = view.registered_over(end);
        let is_elsewhere = registered.all(|(handle, id)| self.is_there(handle, *id));
        drop(registered);
        let is_strange = self.roster.is_stranger(self.node_of(end.other()));
        if has_slept || is_elsewhere || is_strange {
            // Perhaps another registrar has them, and is about to say so.
            self.checker.registrars[node.index()].forget_end(end);
        } else {
            let text = format_args!(
                "still lists who was registered over association {}",
                end.association()
            );
            self.violate(Rule::GoneAtOnce, node, text);
        }
    }

    /// A pool element that fell silent a while ago is not listed any more.
    pub(super) fn check_gone(&mut self, check: Check) {
        let Check::GoneInTime {
            registrar,
            registrar_id,
            ref pool_handle,
            pool_element,
            end,
            node,
            incarnation,
        } = check
        else {
            return;
        };
        let view = &self.checker.registrars[registrar.index()];
        let listed = view.find(pool_handle, pool_element);
        let is_listed = view.id == registrar_id && listed.is_some_and(|l| l.end == Some(end));
        let silent = &self.nodes[node.index()];
        let is_back = silent.incarnation == incarnation && silent.status == Status::Running;
        if !is_listed || is_back {
            return;
        }
        if let Some(later) = self.excused_until(registrar, node, end) {
            return self.put_off(later, check);
        }
        let since = self.unchanged_since(node);
        let text = format_args!("lists {pool_element} of {pool_handle}, silent since {since}");
        self.violate(Rule::GoneInTime, registrar, text);
    }

    /// Until when a registrar may still list a silent pool element: it did not run itself, or
    /// what the other had sent before came late.
    fn excused_until(&self, registrar: NodeId, silent: NodeId, end: EndId) -> Option<Timestamp> {
        let bound = self.silent_element_bound();
        let own = &self.nodes[registrar.index()];
        if own.is_disturbed() {
            return Some(self.now + bound);
        }
        let association = &self.associations[end.association() as usize];
        let last_heard = association.ends[end.side()].latest_arrival;
        // After it did not run itself, a registrar gives everybody one more timeout, twice.
        let patient = own.disturbed_until + bound + self.timers.keep_alive_timeout * 3;
        let changed = self.unchanged_since(silent) + bound;
        let until = patient.max(last_heard + bound).max(changed);
        let was_disturbed = own.disturbed_until > self.unchanged_since(silent);
        let until = if was_disturbed {
            until
        } else {
            (last_heard + bound).max(changed)
        };
        (until > self.now).then_some(until)
    }
}
