//! What a registrar lists and answers.
//!
//! Must not know why somebody is removed.

use super::{Checker, Identity, Rule};
use crate::network::EndId;
use crate::node::{Actor, NodeId, association_id, end_of};
use crate::world::World;
use rserpool_core::{AssociationId, Machine, registrar};
use rserpool_wire::asap::{HandleResolutionResponse, Message, Registration, Resolution};
use rserpool_wire::parameter::Policy;
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a registrar from what it says.
#[derive(Clone, Debug, Default)]
pub(super) struct RegistrarView {
    pub(super) id: Option<RegistrarId>,
    pub(super) listed: BTreeMap<PoolHandle, BTreeMap<PoolElementId, Listed>>,
    by_end: BTreeMap<EndId, BTreeSet<(PoolHandle, PoolElementId)>>,
    count: usize,
    /// The request that is being answered.
    pub(super) answering: Option<(EndId, PoolHandle)>,
    /// The registration that is being answered, and whether it offers to be selected.
    registering: Option<(PoolHandle, PoolElementId, bool)>,
    pub(super) subscribed: BTreeSet<(EndId, PoolHandle)>,
}

/// A pool element as a registrar lists it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Listed {
    /// The registrar's end of the association over which it is registered.
    pub(super) end: EndId,
    /// Its weight is not 0.
    pub(super) selectable: bool,
}

impl RegistrarView {
    pub(super) fn of(id: RegistrarId) -> Self {
        Self {
            id: Some(id),
            ..Self::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn find(&self, handle: &PoolHandle, id: PoolElementId) -> Option<Listed> {
        self.listed.get(handle)?.get(&id).copied()
    }

    /// Those that can be selected.
    pub(super) fn selectable(&self, handle: &PoolHandle) -> BTreeSet<PoolElementId> {
        let pool = self.listed.get(handle).into_iter().flatten();
        pool.filter(|(_, listed)| listed.selectable)
            .map(|(id, _)| *id)
            .collect()
    }

    pub(super) fn is_registered_over(&self, end: EndId) -> bool {
        self.by_end
            .get(&end)
            .is_some_and(|listed| !listed.is_empty())
    }

    /// Whether it was not listed before.
    fn insert(&mut self, handle: &PoolHandle, id: PoolElementId, listed: Listed) -> bool {
        let old = self
            .listed
            .entry(handle.clone())
            .or_default()
            .insert(id, listed);
        let key = (handle.clone(), id);
        if let Some(others) = old.and_then(|old| self.by_end.get_mut(&old.end)) {
            others.remove(&key);
        }
        self.by_end.entry(listed.end).or_default().insert(key);
        self.count += usize::from(old.is_none());
        old.is_none()
    }

    pub(super) fn remove(&mut self, handle: &PoolHandle, id: PoolElementId) -> Option<Listed> {
        let pool = self.listed.get_mut(handle)?;
        let listed = pool.remove(&id)?;
        if pool.is_empty() {
            self.listed.remove(handle);
        }
        if let Some(others) = self.by_end.get_mut(&listed.end) {
            others.remove(&(handle.clone(), id));
            if others.is_empty() {
                self.by_end.remove(&listed.end);
            }
        }
        self.count -= 1;
        Some(listed)
    }
}

impl World {
    /// A message is about to be read.
    pub(crate) fn check_arrival(&mut self, end: EndId, message: &Message) {
        if end.is_of_client() {
            return;
        }
        let node = self.node_of(end);
        let view = &mut self.checker.registrars[node.index()];
        if let Message::Registration(registration) = message {
            view.registering = Some((
                registration.pool_handle.clone(),
                registration.pool_element.id,
                is_selectable(&registration.pool_element.policy),
            ));
        } else if let Message::HandleResolution(resolution) = message {
            let key = (end, resolution.pool_handle.clone());
            if resolution.subscribe {
                view.subscribed.insert(key.clone());
            } else {
                view.subscribed.remove(&key);
            }
            view.answering = Some(key);
        }
    }

    /// A machine sends a message.
    pub(crate) fn check_sent(&mut self, end: EndId, message: &Message) {
        let node = self.node_of(end);
        if let Message::Registration(registration) = message {
            self.note_identity(node, registration);
        } else if let Message::Deregistration(deregistration) = message {
            let handle = deregistration.pool_handle.clone();
            let key = (handle, deregistration.pool_element);
            if let Some(identity) = self.checker.identities.get_mut(&key) {
                identity.deregistered |= identity.node == node;
            }
        } else if let Message::RegistrationResponse(response) = message {
            if response.result.is_ok() {
                self.check_granted(end, &response.pool_handle, response.pool_element);
            }
        } else if let Message::HandleResolutionResponse(response) = message {
            self.check_resolution_response(end, response);
        }
    }

    fn note_identity(&mut self, node: NodeId, registration: &Registration) {
        let id = registration.pool_element.id;
        let incarnation = self.nodes[node.index()].incarnation;
        let Checker {
            identities,
            elements,
            ..
        } = &mut self.checker;
        let key = (registration.pool_handle.clone(), id);
        let identity = identities.entry(key).or_insert(Identity {
            node,
            incarnation,
            deregistered: false,
        });
        if identity.node != node || identity.incarnation != incarnation {
            *identity = Identity {
                node,
                incarnation,
                deregistered: false,
            };
        }
        elements.entry(node).or_default().latest_id = Some(id);
    }

    /// Who is told to be registered is.
    fn check_granted(&mut self, end: EndId, handle: &PoolHandle, id: PoolElementId) {
        let node = self.node_of(end);
        let view = &mut self.checker.registrars[node.index()];
        let offered = view.registering.take();
        let selectable = offered
            .as_ref()
            .is_some_and(|(_, _, selectable)| *selectable);
        let is_asked =
            offered.is_some_and(|(offered, number, _)| offered == *handle && number == id);
        let is_listed = view.find(handle, id).is_some();
        if is_listed && is_asked {
            view.insert(handle, id, Listed { end, selectable });
        } else {
            let text = format_args!("tells {id} of {handle} that it is registered");
            self.violate(Rule::Listing, node, text);
        }
    }

    /// Everything in an answer is registered, is there once, and can be selected.
    pub(super) fn check_resolution(
        &mut self,
        node: NodeId,
        handle: &PoolHandle,
        resolution: &Resolution,
    ) {
        let mut seen = BTreeSet::new();
        for encoded in &resolution.pool_elements {
            let id = encoded.id();
            if !seen.insert(id) {
                let text = format_args!("names {id} of {handle} twice in one answer");
                self.violate(Rule::ListedTwice, node, text);
            }
            let view = &self.checker.registrars[node.index()];
            if view.find(handle, id).is_none() {
                let text = format_args!("names {id} of {handle}, which it has removed");
                self.violate(Rule::ListedAfterRemoval, node, text);
            }
            let policy = encoded.decode().policy;
            if !is_selectable(&policy) {
                let text = format_args!("names {id} of {handle} with {policy}");
                self.violate(Rule::WeightZero, node, text);
            }
        }
    }

    pub(crate) fn check_registrar_event(&mut self, node: NodeId, event: &registrar::Event) {
        use registrar::Event;
        if let Event::PoolElementRegistered {
            pool_handle,
            pool_element,
            association,
            ..
        } = event
        {
            self.note_registered(node, pool_handle, *pool_element, *association);
        } else if let Event::PoolElementReregistered {
            pool_handle,
            pool_element,
            ..
        } = event
        {
            let view = &self.checker.registrars[node.index()];
            if view.find(pool_handle, *pool_element).is_none() {
                let text = format_args!("renews {pool_element} of {pool_handle}, unlisted");
                self.violate(Rule::Listing, node, text);
            }
        } else if let Event::PoolElementRemoved {
            pool_handle,
            pool_element,
            reason,
            ..
        } = event
        {
            self.check_removed(node, pool_handle, *pool_element, *reason);
        }
    }

    fn note_registered(
        &mut self,
        node: NodeId,
        handle: &PoolHandle,
        id: PoolElementId,
        association: AssociationId,
    ) {
        let Some(end) = end_of(association) else {
            return;
        };
        let limit = self.elements_max();
        let listed = Listed {
            end,
            selectable: true,
        };
        let view = &mut self.checker.registrars[node.index()];
        let is_new = view.insert(handle, id, listed);
        let count = view.len();
        if !is_new {
            let text = format_args!("registers {id} of {handle}, which it lists already");
            self.violate(Rule::Listing, node, text);
        }
        if count > limit {
            self.violate(Rule::Limit, node, format_args!("lists {count}"));
        }
        if !self.is_from_a_stranger(end) {
            self.statistics.registered_at.push(self.now);
        }
    }

    pub(super) fn is_from_a_stranger(&self, end: EndId) -> bool {
        let client = EndId::of_client(end.association());
        let client = self.node_of(client);
        matches!(self.nodes[client.index()].actor, Actor::Stranger(_))
    }

    /// A registrar's snapshot tells of the same pool elements as its events and answers.
    pub(crate) fn check_snapshots(&mut self) {
        for node in self.roster.registrars.clone() {
            let Actor::Registrar(registrar) = &self.nodes[node.index()].actor else {
                continue;
            };
            let snapshot = registrar.snapshot();
            let told: BTreeMap<_, _> = snapshot
                .pools
                .iter()
                .flat_map(|pool| {
                    let elements = pool.pool_elements.iter();
                    elements.map(|e| ((pool.pool_handle.clone(), e.id), e.association))
                })
                .collect();
            let view = &self.checker.registrars[node.index()];
            let known: BTreeMap<_, _> = view
                .listed
                .iter()
                .flat_map(|(handle, pool)| {
                    pool.iter()
                        .map(|(id, listed)| ((handle.clone(), *id), association_id(listed.end)))
                })
                .collect();
            if told != known {
                let text = format_args!("has {told:?} and said {known:?}");
                self.violate(Rule::Listing, node, text);
            }
        }
    }

    pub(super) fn check_resolution_response(
        &mut self,
        end: EndId,
        response: &HandleResolutionResponse,
    ) {
        let node = self.node_of(end);
        if let Ok(resolution) = &response.result {
            self.check_resolution(node, &response.pool_handle, resolution);
        }
        self.check_asked(end, response);
    }
}

/// Whether a pool element with this policy can be selected (RFC 5356 §4.2, §4.4).
fn is_selectable(policy: &Policy) -> bool {
    !matches!(
        policy,
        Policy::WeightedRoundRobin { weight: 0 } | Policy::WeightedRandom { weight: 0 }
    )
}
