//! What registrars know from each other: what one knows, its peers know soon; what a home has
//! not removed stays; nobody takes over who is alive.
//!
//! Must not know how registrars tell each other.

use super::listing::Key;
use super::{Check, Rule};
use crate::fault::FaultKind;
use crate::network::{EndState, Protocol};
use crate::node::{NodeId, Status};
use crate::world::World;
use rserpool_core::registrar::RemovalReason;
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId};
use std::time::Duration;

/// What registrars may take on top of their timers.
const MARGIN: Duration = Duration::from_millis(100);

impl World {
    /// How long after a disturbance registrars may know different things: whatever an update
    /// missed is found by the audit at the next heartbeat, and repaired by a few messages; a
    /// re-synchronisation that is under way is given up first.
    pub(crate) fn audit_bound(&self) -> Duration {
        let timers = &self.timers;
        timers.peer_heartbeat_cycle * 3 + timers.max_time_no_response * 2 + MARGIN
    }

    /// How long until a registrar that does not answer any more is taken over at most.
    pub(crate) fn takeover_bound(&self) -> Duration {
        let timers = &self.timers;
        let detection = timers.max_time_last_heard + timers.max_time_no_response;
        // Somebody who promised to take over may die, and is waited for.
        detection * 2 + timers.max_time_no_response * 8 + timers.peer_heartbeat_cycle
    }

    /// A registrar forgets a pool element of another one: right if its home has removed it, or
    /// if they have not understood each other lately.
    pub(super) fn may_be_forgotten(
        &self,
        registrar: NodeId,
        handle: &PoolHandle,
        id: PoolElementId,
        home: RegistrarId,
    ) -> bool {
        let key = (handle.clone(), id);
        if self.checker.corrupted.contains(&(registrar, key)) {
            return true;
        }
        if self
            .checker
            .inconsistent
            .get(&(registrar, (handle.clone(), id)))
            == Some(&self.now)
        {
            return true;
        }
        let Some(node) = self.registrar_node(home) else {
            return true;
        };
        let listed = self.checker.registrars[node.index()].find_own(handle, id);
        let grace = self.audit_bound();
        let is_kept = listed.is_some_and(|listed| listed.since + grace < self.now);
        !(is_kept && self.is_in_touch(registrar, node, grace))
    }

    /// A false peer had said something else of it, which does not go with what its home says: the
    /// one is removed with the next audit, the other comes with the one after that.
    pub(super) fn note_inconsistent(&mut self, registrar: NodeId, key: Key) {
        if self.scenario.faults.contains(FaultKind::FalsePeer) {
            self.checker.inconsistent.insert((registrar, key), self.now);
        }
    }

    /// Whether a pool element is registered at another registrar, over an association of its own:
    /// what this one has under its name is somebody else's.
    fn is_served_elsewhere(
        &self,
        registrar: NodeId,
        handle: &PoolHandle,
        id: PoolElementId,
        node: NodeId,
    ) -> bool {
        let mut others = self.roster.registrars.iter();
        others.any(|other| {
            let own = self.checker.registrars[other.index()].find_own(handle, id);
            let end = own.and_then(|own| own.end);
            *other != registrar && end.is_some_and(|end| self.node_of(end.other()) == node)
        })
    }

    /// A registrar gives a pool element up that it has taken over and not reached.
    pub(super) fn may_be_given_up(
        &self,
        registrar: NodeId,
        handle: &PoolHandle,
        id: PoolElementId,
        reason: RemovalReason,
    ) -> bool {
        let Some(identity) = self.checker.identities.get(&(handle.clone(), id)) else {
            return true;
        };
        let node = &self.nodes[identity.node.index()];
        let is_there = node.status == Status::Running && node.incarnation == identity.incarnation;
        let patience = self.silent_element_bound() + self.profile.connect.1;
        // The way there may be blocked, and the pool element comes back by itself.
        let is_cut_off = !self.partitions.is_empty()
            || self.latest_healing + patience > self.now
            || node.disturbed_until + patience > self.now;
        // What a stranger invented under its name is not there.
        let is_forged = self.scenario.faults.contains(FaultKind::FalsePeer);
        !is_there
            || self.is_served_elsewhere(registrar, handle, id, identity.node)
            || is_cut_off
            || is_forged
            || reason == RemovalReason::AssociationLost
            || reason == RemovalReason::Expired
            || identity.deregistered
    }

    /// The registrar that has this identifier, if exactly one has.
    pub(crate) fn registrar_node(&self, id: RegistrarId) -> Option<NodeId> {
        let mut nodes = self.roster.registrars.iter().copied();
        let mut found = nodes.by_ref().filter(|node| {
            let view = &self.checker.registrars[node.index()];
            view.id == Some(id)
        });
        found.next().filter(|_| found.next().is_none())
    }

    /// Whether two registrars have understood each other for so long: both run undisturbed, and
    /// an association between them too.
    pub(crate) fn is_in_touch(&self, one: NodeId, other: NodeId, since: Duration) -> bool {
        let is_well = |node: NodeId| {
            let own = &self.nodes[node.index()];
            own.status == Status::Running
                && own.disturbed_until + since < self.now
                && self.checker.registrars[node.index()].initialized
        };
        is_well(one)
            && is_well(other)
            && self.nodes[one.index()].ends.iter().any(|end| {
                let association = &self.associations[end.association() as usize];
                let is_up = association.ends.iter().all(|e| e.state == EndState::Up);
                association.target.protocol() == Protocol::Enrp
                    && self.node_of(end.other()) == other
                    && is_up
                    && association.up_at + since < self.now
                    && association.disturbed_until + since < self.now
            })
    }

    /// A pool element has registered here: soon all know it.
    pub(super) fn check_replicated_soon(
        &mut self,
        home: NodeId,
        handle: &PoolHandle,
        id: PoolElementId,
    ) {
        if self.is_confused() || self.roster.registrars.len() < 2 {
            return;
        }
        let Some(home_id) = self.checker.registrars[home.index()].id else {
            return;
        };
        let until = self.now + self.audit_bound() + MARGIN;
        let check = Check::Replicated {
            home,
            home_id,
            pool_handle: handle.clone(),
            pool_element: id,
            since: self.now,
        };
        self.put_off(until, check);
    }

    /// Whether registrars may have good reasons not to believe each other: a stranger can be
    /// first with another policy, or claim what is another's; two with one identifier confuse
    /// everybody.
    pub(super) fn is_confused(&self) -> bool {
        let kinds = &self.scenario.faults;
        kinds.iter().any(FaultKind::is_of_a_stranger) || kinds.contains(FaultKind::SameIdentifier)
    }

    pub(super) fn check_replicated(&mut self, check: Check) {
        let again = check.clone();
        let Check::Replicated {
            home,
            home_id,
            pool_handle,
            pool_element,
            since,
        } = check
        else {
            return;
        };
        let view = &self.checker.registrars[home.index()];
        let listed = view.find_own(&pool_handle, pool_element);
        let is_kept = listed.is_some_and(|listed| listed.since <= since);
        if view.id != Some(home_id) || !is_kept {
            return;
        }
        let bound = self.audit_bound();
        for node in self.roster.registrars.clone() {
            let known = self.checker.registrars[node.index()].find(&pool_handle, pool_element);
            let knows = known.is_some_and(|known| known.home == home_id);
            // What was corrupted since then has its own time.
            let key = (pool_handle.clone(), pool_element);
            let is_corrupted = self.checker.corrupted.contains(&(node, key));
            let is_wrong = node != home && !knows && !is_corrupted;
            if is_wrong && self.is_in_touch(node, home, bound) {
                // It has just changed its home: then the former one is to know that soon.
                if known.is_some_and(|known| known.since + bound > self.now) {
                    return self.put_off(self.now + bound, again);
                }
                let home = self.roster.name(home);
                let text = format_args!(
                    "has {known:?} as {pool_element} of {pool_handle}, at {home} since {since}"
                );
                self.violate(Rule::Replicated, node, text);
            }
        }
    }

    /// A registrar's replica is corrupted on purpose: by its next audit it is right again.
    pub(crate) fn check_repaired_soon(&mut self, registrar: NodeId, home: NodeId, key: Key) {
        let Some(home_id) = self.checker.registrars[home.index()].id else {
            return;
        };
        self.checker.corrupted.insert((registrar, key.clone()));
        let (pool_handle, pool_element) = key;
        let check = Check::Repaired {
            registrar,
            home,
            home_id,
            pool_handle,
            pool_element,
        };
        let until = self.now + self.audit_bound();
        self.put_off(until, check);
    }

    pub(super) fn check_repaired(&mut self, check: Check) {
        let Check::Repaired {
            registrar,
            home,
            home_id,
            pool_handle,
            pool_element,
        } = check
        else {
            return;
        };
        let key = (pool_handle.clone(), pool_element);
        self.checker.corrupted.remove(&(registrar, key));
        if self.is_confused() {
            return;
        }
        let view = &self.checker.registrars[home.index()];
        let bound = self.audit_bound();
        if view.id != Some(home_id) || !self.is_in_touch(registrar, home, bound) {
            return;
        }
        let right = view.find_own(&pool_handle, pool_element);
        let known = self.checker.registrars[registrar.index()].find(&pool_handle, pool_element);
        let known = known.filter(|known| known.home == home_id);
        let is_new = right.is_some_and(|right| right.since + bound > self.now);
        if right.is_some() != known.is_some() && !is_new {
            let text = format_args!(
                "still has {known:?} as {pool_element} of {pool_handle}, not {right:?}"
            );
            self.violate(Rule::Repaired, registrar, text);
        }
    }

    pub(super) fn count_takeover(&mut self, keys: Vec<Key>) {
        self.statistics.takeovers += 1;
        for key in keys {
            *self.checker.takeovers.entry(key).or_default() += 1;
        }
    }

    /// Nobody takes over a registrar, nor believes that somebody did, which lives and is
    /// connected.
    pub(super) fn check_takeover(
        &mut self,
        registrar: NodeId,
        target: RegistrarId,
        winner: RegistrarId,
    ) {
        if self.scenario.faults.contains(FaultKind::SameIdentifier) {
            return;
        }
        let Some(node) = self.registrar_node(target) else {
            return;
        };
        let patience = self.takeover_bound();
        if self.is_in_touch(registrar, node, patience) {
            let text = format_args!("sees {target} taken over by {winner}, which is alive");
            self.violate(Rule::FalseTakeover, registrar, text);
        }
    }

    /// Since when nothing has been in the way of anybody.
    pub(crate) fn note_healing(&mut self) {
        self.latest_healing = self.now;
    }
}
