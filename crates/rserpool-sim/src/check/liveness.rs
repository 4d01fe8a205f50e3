//! What must hold again once faults have stopped.
//!
//! Must not know what went wrong before.

use super::Rule;
use super::agreement::Snapshots;
use crate::node::{Actor, NodeId, Status, node_at};
use crate::world::World;
use rserpool_core::pool_element::Snapshot;
use rserpool_core::{Machine, RegistrarAddress, pool_element, pool_user};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::collections::BTreeSet;
use std::time::Duration;

/// How often it is looked whether all is well again.
const STEP: Duration = Duration::from_millis(100);

/// What is not well.
pub(super) struct Unwell {
    pub(super) rule: Rule,
    pub(super) node: NodeId,
    pub(super) what: String,
}

impl World {
    /// How long after the last fault all is well again at most.
    ///
    /// The longest way: an association has just gone silent; its end gives up, hunts with timers
    /// that have backed off, connects, and registers again after a rejection. A registration that
    /// only its registrar has lost comes back with T4-reregistration at the latest. Registrars
    /// that were apart take over who is gone, and then their audits find what differs.
    pub fn liveness_bound(&self) -> Duration {
        let timers = &self.timers;
        let transport = self.profile.silence.1 + self.profile.connect.1;
        let hunt = (timers.t5_server_hunt + timers.retran_max) * 2;
        let registration = timers.t2_registration + timers.retran_max * 2;
        // Audits that were in vain, because of a stranger, are tried again after 64 cycles at most.
        let pause = if self.is_confused() { 64 } else { 0 };
        timers.peer_heartbeat_cycle * pause
            + timers.t4_reregistration
            + self.silent_element_bound()
            + transport
            + hunt
            + registration
            + timers.t7_enrp_outdate
            + self.takeover_bound()
            + self.audit_bound() * 2
    }

    /// Lets time go on until all is well again; a violation if that takes too long or does not
    /// stay. How long it took.
    pub fn check_liveness(&mut self) -> Duration {
        let stopped_at = self.now;
        let deadline = stopped_at + self.liveness_bound();
        // Until both ends of what broke last have noticed, all seems well.
        self.run_for(self.profile.silence.1);
        if self.scenario.sessions > 0 {
            self.run_for(self.session_patience());
        }
        while self.first_unwell().is_some() && self.now < deadline && !self.checker.is_full() {
            self.run_for(STEP);
        }
        let took = self.now.since(stopped_at);
        self.statistics.well_after = took;
        self.statistics.takeovers_of_one = self.checker.takeovers_max();
        // Caches may be as old as that.
        let stale = self.timers.stale_cache_value + self.silent_element_bound();
        self.run_for(stale);
        if let Some(unwell) = self.first_unwell() {
            let Unwell { rule, node, what } = unwell;
            self.violate(rule, node, format_args!("{what}"));
        }
        self.count_lost_sessions();
        self.check_resolves();
        self.check_sending();
        self.check_snapshots();
        took
    }

    pub(crate) fn first_trouble(&self) -> Option<String> {
        let unwell = self.first_unwell()?;
        let name = self.roster.name(unwell.node);
        Some(format!("{}: {name} {}", unwell.rule, unwell.what))
    }

    fn first_unwell(&self) -> Option<Unwell> {
        self.unregistered()
            .or_else(|| self.wrongly_listed())
            .or_else(|| {
                let snapshots = self.snapshots();
                let disagreement = self.disagreement(&snapshots);
                disagreement
                    .or_else(|| self.outdated_user(&snapshots))
                    .or_else(|| self.stuck_session(&snapshots))
            })
    }

    /// A living pool element that is not registered at its home registrar.
    fn unregistered(&self) -> Option<Unwell> {
        let elements = self.roster.elements.iter().copied();
        let mut living = elements.filter_map(|node| match &self.nodes[node.index()].actor {
            Actor::Element(element) => Some((node, element.snapshot())),
            Actor::Nobody | Actor::Registrar(_) | Actor::User(..) | Actor::Stranger(_) => None,
        });
        living.find_map(|(node, snapshot)| {
            if self.is_registered(node, &snapshot) {
                return None;
            }
            let Snapshot {
                pool_handle,
                id,
                status,
                home,
                ..
            } = snapshot;
            let what = format!("is not registered: {id} of {pool_handle}, {status:?} at {home:?}");
            Some(Unwell {
                rule: Rule::Registered,
                node,
                what,
            })
        })
    }

    /// Whether a pool element runs and its home registrar lists it.
    pub(crate) fn is_registered_well(&self, node: NodeId) -> bool {
        match &self.nodes[node.index()].actor {
            Actor::Element(element) => self.is_registered(node, &element.snapshot()),
            Actor::Nobody | Actor::Registrar(_) | Actor::User(..) | Actor::Stranger(_) => false,
        }
    }

    fn is_registered(&self, node: NodeId, snapshot: &Snapshot) -> bool {
        let Some(home) = registrar_at(snapshot.home.as_ref()) else {
            return false;
        };
        let view = &self.checker.registrars[home.index()];
        let listed = view.find_own(&snapshot.pool_handle, snapshot.id);
        let end = listed.and_then(|listed| listed.end);
        snapshot.status == pool_element::Status::Registered
            && end.is_some_and(|end| self.node_of(end.other()) == node)
    }

    /// A pool element that a registrar is the home of and that is not there.
    fn wrongly_listed(&self) -> Option<Unwell> {
        let registrars = (0_u32..).map(NodeId).zip(&self.checker.registrars);
        for (node, view) in registrars {
            for (handle, pool) in &view.listed {
                for (id, listed) in pool {
                    if Some(listed.home) != view.id {
                        continue;
                    }
                    let owner = listed.end.map(|end| self.node_of(end.other()));
                    let actor = owner.map(|owner| &self.nodes[owner.index()].actor);
                    let is_there = match actor {
                        Some(Actor::Element(element)) => {
                            let snapshot = element.snapshot();
                            let home = registrar_at(snapshot.home.as_ref());
                            snapshot.id == *id && home == Some(node)
                        }
                        Some(
                            Actor::Nobody
                            | Actor::Registrar(_)
                            | Actor::User(..)
                            | Actor::Stranger(_),
                        )
                        | None => false,
                    };
                    if !is_there {
                        let what = format!("lists {id} of {handle}, which is not there");
                        return Some(Unwell {
                            rule: Rule::Registered,
                            node,
                            what,
                        });
                    }
                }
            }
        }
        None
    }

    /// A pool user without a home registrar, or a subscriber that does not know what it lists.
    fn outdated_user(&self, snapshots: &Snapshots) -> Option<Unwell> {
        for node in self.roster.users.iter().copied() {
            let Actor::User(user, activity) = &self.nodes[node.index()].actor else {
                continue;
            };
            let snapshot = user.snapshot();
            if snapshot.home.is_none() {
                return Some(Unwell {
                    rule: Rule::Resolved,
                    node,
                    what: String::from("has no home registrar"),
                });
            }
            for (handle, told) in &activity.subscriptions {
                let home = registrar_at(snapshot.home.as_ref());
                let expected = home.and_then(|home| snapshots.selectable(home, handle));
                let told = told.clone().unwrap_or_default();
                if !self.is_as_expected(&told, expected.as_ref()) {
                    let home = snapshot.home.as_ref();
                    let what = format!(
                        "knows {told:?} of {handle}; its home registrar {home:?} has {expected:?}"
                    );
                    return Some(Unwell {
                        rule: Rule::Subscribed,
                        node,
                        what,
                    });
                }
            }
        }
        None
    }

    /// All that the home registrar has, or as many of them as were asked for.
    fn is_as_expected(
        &self,
        told: &BTreeSet<PoolElementId>,
        expected: Option<&BTreeSet<PoolElementId>>,
    ) -> bool {
        expected.is_some_and(|expected| match self.subscribed_items() {
            None => told == expected,
            Some(items) => {
                let most = usize::try_from(items).unwrap_or(usize::MAX);
                told.is_subset(expected) && told.len() == expected.len().min(most)
            }
        })
    }

    /// Everybody resolves everything, and gets what its home registrar lists.
    fn check_resolves(&mut self) {
        self.quiet = true;
        self.run_for(self.request_bound());
        for node in self.roster.users.clone() {
            if self.nodes[node.index()].status != Status::Running {
                continue;
            }
            for pool in self.pools_of(node) {
                let handle = self.pool_handle(pool);
                let subscribe = self.is_subscribed(node, &handle);
                let items = self.subscribed_items();
                self.ask(node, handle, |request, pool_handle| {
                    pool_user::Command::Resolve {
                        request,
                        pool_handle,
                        items,
                        subscribe,
                    }
                });
                self.run_for(self.profile.delay.1 * 4);
                self.check_resolved(node, pool);
            }
        }
    }

    fn is_subscribed(&self, node: NodeId, handle: &PoolHandle) -> bool {
        match &self.nodes[node.index()].actor {
            Actor::User(_, activity) => activity.subscriptions.contains_key(handle),
            Actor::Nobody | Actor::Registrar(_) | Actor::Element(_) | Actor::Stranger(_) => false,
        }
    }

    fn check_resolved(&mut self, node: NodeId, pool: usize) {
        let handle = self.pool_handle(pool);
        let Actor::User(user, activity) = &self.nodes[node.index()].actor else {
            return;
        };
        let home = user.snapshot().home;
        let registrar = registrar_at(home.as_ref());
        let expected = registrar.and_then(|node| self.snapshots().selectable(node, &handle));
        let answer = activity.last.as_ref().filter(|(last, _)| *last == handle);
        let answer = answer.map(|(_, ids)| ids.iter().copied().collect::<BTreeSet<_>>());
        let told = answer.clone().unwrap_or_default();
        if !activity.pending.is_empty() || !self.is_as_expected(&told, expected.as_ref()) {
            let text = format!("resolves {handle} to {answer:?}; {home:?} has {expected:?}");
            self.violate(Rule::Resolved, node, format_args!("{text}"));
        }
    }
}

fn registrar_at(address: Option<&RegistrarAddress>) -> Option<NodeId> {
    address?.addresses.first().copied().and_then(node_at)
}
