//! Once faults stop, all registrars know the same: of pool elements, and of each other.
//!
//! Must not know how they come to agree.

use super::Rule;
use super::liveness::Unwell;
use crate::fault::FaultKind;
use crate::node::{Actor, NodeId};
use crate::world::World;
use rserpool_core::registrar::{PeerStatus, Snapshot};
use rserpool_core::{Machine, registrar};
use rserpool_wire::parameter::Policy;
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId};
use std::collections::{BTreeMap, BTreeSet};

/// What the registrars say at one time.
#[derive(Clone, Debug)]
pub(super) struct Snapshots(BTreeMap<NodeId, Snapshot>);

impl Snapshots {
    /// The pool elements of a pool that a registrar may name.
    pub(super) fn selectable(
        &self,
        node: NodeId,
        handle: &PoolHandle,
    ) -> Option<BTreeSet<PoolElementId>> {
        let never = [
            Policy::WeightedRoundRobin { weight: 0 },
            Policy::WeightedRandom { weight: 0 },
        ]
        .map(|policy| policy.to_string());
        let pools = &self.0.get(&node)?.pools;
        let pool = pools.iter().find(|pool| pool.pool_handle == *handle);
        let elements = pool.into_iter().flat_map(|pool| &pool.pool_elements);
        Some(
            elements
                .filter(|element| !never.contains(&element.policy))
                .map(|element| element.id)
                .collect(),
        )
    }
}

impl World {
    pub(super) fn snapshots(&self) -> Snapshots {
        let registrars = self.roster.registrars.iter();
        Snapshots(
            registrars
                .filter_map(|node| match &self.nodes[node.index()].actor {
                    Actor::Registrar(registrar) => Some((*node, registrar.snapshot())),
                    Actor::Nobody | Actor::Element(_) | Actor::User(..) | Actor::Stranger(_) => {
                        None
                    }
                })
                .collect(),
        )
    }

    /// The registrars of a scope agree; they know nothing of others.
    pub(super) fn disagreement(&self, snapshots: &Snapshots) -> Option<Unwell> {
        if self.scenario.scopes <= 1 {
            return self.disagreement_in_scope(snapshots);
        }
        (0..self.scenario.scopes).find_map(|scope| {
            let mut of_scope = snapshots.clone();
            of_scope.0.retain(|node, _| self.scope_of(*node) == scope);
            self.disagreement_in_scope(&of_scope)
        })
    }

    fn disagreement_in_scope(&self, snapshots: &Snapshots) -> Option<Unwell> {
        let unwell = |node, what| {
            Some(Unwell {
                rule: Rule::Agreement,
                node,
                what,
            })
        };
        for (node, snapshot) in &snapshots.0 {
            if !snapshot.initialized {
                return unwell(*node, String::from("is not initialized"));
            }
            for (other, of_other) in &snapshots.0 {
                if other != node
                    && let Some(what) = wrong_about(snapshot, of_other)
                {
                    return unwell(*node, what);
                }
            }
            if let Some(what) = wrong_peer(snapshot, snapshots) {
                return unwell(*node, what);
            }
        }
        let mut all = snapshots.0.iter();
        let (_, first) = all.next()?;
        // A stranger may have been somebody's mentor, and no checksum covers attributes.
        let with_policies = !self.scenario.faults.contains(FaultKind::FalsePeer);
        let expected = known(first, with_policies);
        all.find_map(|(node, snapshot)| {
            let known = known(snapshot, with_policies);
            (known != expected).then(|| {
                let here: Vec<_> = known.difference(&expected).collect();
                let there: Vec<_> = expected.difference(&known).collect();
                let what = format!("knows {here:?} where the first registrar knows {there:?}");
                Unwell {
                    rule: Rule::Agreement,
                    node: *node,
                    what,
                }
            })
        })
    }
}

/// What is wrong in what a registrar knows of another.
fn wrong_about(own: &Snapshot, other: &Snapshot) -> Option<String> {
    let id = other.id;
    let Some(peer) = own.peers.iter().find(|peer| peer.registrar == Some(id)) else {
        return Some(format!("does not know {id}"));
    };
    if peer.status != PeerStatus::Active || peer.association.is_none() {
        return Some(format!("sees {id} as {}", peer.status));
    }
    if peer.checksum != other.checksum || peer.owned != other.owned {
        return Some(format!(
            "knows {} pool elements of {id} with checksum {}, which says {} and {}",
            peer.owned, peer.checksum, other.owned, other.checksum
        ));
    }
    None
}

/// A peer that is not there and owns something, or is being taken over.
fn wrong_peer(own: &Snapshot, all: &Snapshots) -> Option<String> {
    let living: BTreeSet<RegistrarId> = all.0.values().map(|snapshot| snapshot.id).collect();
    let mut peers = own.peers.iter();
    peers.find_map(|peer| {
        let id = peer.registrar.filter(|id| !living.contains(id))?;
        let is_takeover = matches!(
            peer.status,
            PeerStatus::BeingTakenOver | PeerStatus::NotActive
        );
        (peer.owned > 0 || is_takeover).then(|| {
            let registrar::PeerSnapshot { status, owned, .. } = peer;
            format!("sees {id}, which is gone, as {status} with {owned} pool elements")
        })
    })
}

/// Everything that is to be equal.
fn known(
    snapshot: &Snapshot,
    with_policies: bool,
) -> BTreeSet<(&PoolHandle, PoolElementId, Option<RegistrarId>, &str)> {
    let pools = snapshot.pools.iter();
    pools
        .flat_map(|pool| {
            let elements = pool.pool_elements.iter();
            elements.map(move |e| {
                let policy = if with_policies { e.policy.as_str() } else { "" };
                (&pool.pool_handle, e.id, e.home, policy)
            })
        })
        .collect()
}
