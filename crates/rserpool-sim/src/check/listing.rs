//! What a registrar lists and answers.
//!
//! Must not know why somebody is removed.

use super::{Checker, Identity, Rule};
use crate::network::EndId;
use crate::node::{Actor, NodeId, association_id, end_of};
use crate::world::World;
use rserpool_core::{AssociationId, Machine, Timestamp, registrar};
use rserpool_wire::asap::{HandleResolutionResponse, Message, Registration, Resolution};
use rserpool_wire::parameter::Policy;
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a registrar from what it says.
#[derive(Clone, Debug, Default)]
pub(super) struct RegistrarView {
    pub(super) id: Option<RegistrarId>,
    pub(super) listed: BTreeMap<PoolHandle, BTreeMap<PoolElementId, Listed>>,
    by_end: BTreeMap<EndId, BTreeSet<Key>>,
    by_home: BTreeMap<RegistrarId, BTreeSet<Key>>,
    count: usize,
    pub(super) initialized: bool,
    /// The request that is being answered.
    pub(super) answering: Option<(EndId, PoolHandle)>,
    /// Those that wait until the registrar is initialized.
    pub(super) deferred: Vec<(EndId, PoolHandle)>,
    /// The registration that is being answered.
    registering: Option<Key>,
    pub(super) subscribed: BTreeSet<(EndId, PoolHandle)>,
}

/// A pool element's name.
pub(crate) type Key = (PoolHandle, PoolElementId);

/// A pool element as a registrar lists it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Listed {
    pub(super) home: RegistrarId,
    /// The registrar's end of the association over which it is registered; `None` if the
    /// registrar is not its home, or has not reached it yet.
    pub(super) end: Option<EndId>,
    /// Since when it has this home here.
    pub(super) since: Timestamp,
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

    /// What it is the home of under this name, if it is.
    pub(super) fn find_own(&self, handle: &PoolHandle, id: PoolElementId) -> Option<Listed> {
        self.find(handle, id)
            .filter(|listed| Some(listed.home) == self.id)
    }

    pub(super) fn registered_over(&self, end: EndId) -> impl Iterator<Item = &Key> {
        self.by_end.get(&end).into_iter().flatten()
    }

    /// The pool elements of this home.
    pub(super) fn of_home(&self, home: RegistrarId) -> impl Iterator<Item = &Key> {
        self.by_home.get(&home).into_iter().flatten()
    }

    /// How it was listed before.
    fn insert(&mut self, key: &Key, listed: Listed) -> Option<Listed> {
        let pool = self.listed.entry(key.0.clone()).or_default();
        let old = pool.insert(key.1, listed);
        if let Some(old) = old {
            self.unindex(key, old);
            let pool = self.listed.get_mut(&key.0);
            if let Some(kept) = pool.and_then(|pool| pool.get_mut(&key.1))
                && old.home == listed.home
            {
                kept.since = old.since;
            }
        }
        if let Some(end) = listed.end {
            self.by_end.entry(end).or_default().insert(key.clone());
        }
        let of_home = self.by_home.entry(listed.home).or_default();
        of_home.insert(key.clone());
        self.count += usize::from(old.is_none());
        old
    }

    pub(super) fn remove(&mut self, handle: &PoolHandle, id: PoolElementId) -> Option<Listed> {
        let pool = self.listed.get_mut(handle)?;
        let listed = pool.remove(&id)?;
        if pool.is_empty() {
            self.listed.remove(handle);
        }
        self.unindex(&(handle.clone(), id), listed);
        self.count -= 1;
        Some(listed)
    }

    /// Those registered over this are to be reached in another way.
    pub(super) fn forget_end(&mut self, end: EndId) {
        for (handle, id) in self.by_end.remove(&end).unwrap_or_default() {
            let pool = self.listed.get_mut(&handle);
            if let Some(listed) = pool.and_then(|pool| pool.get_mut(&id)) {
                listed.end = None;
            }
        }
    }

    fn unindex(&mut self, key: &Key, listed: Listed) {
        if let Some(end) = listed.end
            && let Some(others) = self.by_end.get_mut(&end)
        {
            others.remove(key);
            if others.is_empty() {
                self.by_end.remove(&end);
            }
        }
        if let Some(others) = self.by_home.get_mut(&listed.home) {
            others.remove(key);
            if others.is_empty() {
                self.by_home.remove(&listed.home);
            }
        }
    }

    /// All pool elements of one home have another one now; they are to be reached first.
    fn rehome(&mut self, from: RegistrarId, to: RegistrarId, since: Timestamp) -> Vec<Key> {
        let keys: Vec<Key> = self.of_home(from).cloned().collect();
        for key in &keys {
            let listed = Listed {
                home: to,
                end: None,
                since,
            };
            self.insert(key, listed);
        }
        keys
    }
}

impl World {
    /// A message is about to be read.
    pub(crate) fn check_arrival(&mut self, end: EndId, message: &Message) {
        let node = self.node_of(end);
        if !self.roster.is_registrar(node) {
            return;
        }
        let view = &mut self.checker.registrars[node.index()];
        if let Message::Registration(registration) = message {
            let id = registration.pool_element.id;
            view.registering = Some((registration.pool_handle.clone(), id));
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
        // Who registers under another name has given the one before up.
        let latest = Some((registration.pool_handle.clone(), id));
        let previous = std::mem::replace(&mut elements.entry(node).or_default().latest, latest);
        let previous = previous.filter(|(_, before)| *before != id);
        if let Some(identity) = previous.and_then(|previous| identities.get_mut(&previous)) {
            identity.deregistered |= identity.node == node;
        }
    }

    /// Who is told to be registered is.
    fn check_granted(&mut self, end: EndId, handle: &PoolHandle, id: PoolElementId) {
        let node = self.node_of(end);
        let key = (handle.clone(), id);
        let view = &mut self.checker.registrars[node.index()];
        let is_asked = view.registering.take().as_ref() == Some(&key);
        let listed = view.find_own(handle, id);
        if let Some(listed) = listed.filter(|_| is_asked) {
            let end = Some(end);
            view.insert(&key, Listed { end, ..listed });
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
        use registrar::{Event, UpdateRefusal};
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "only some events tell of the handlespace"
        )]
        match event {
            Event::PoolElementRegistered {
                pool_handle,
                pool_element,
                association,
                ..
            } => self.note_registered(node, pool_handle, *pool_element, *association),
            Event::PoolElementReregistered {
                pool_handle,
                pool_element,
                association,
                ..
            }
            | Event::PoolElementAdopted {
                pool_handle,
                pool_element,
                association,
            } => self.note_reregistered(node, pool_handle, *pool_element, *association),
            Event::PoolElementRemoved {
                pool_handle,
                pool_element,
                reason,
                ..
            } => self.check_removed(node, pool_handle, *pool_element, *reason),
            Event::UpdateRefused {
                pool_handle,
                pool_element,
                reason: UpdateRefusal::Inconsistent,
                ..
            } => self.note_inconsistent(node, (pool_handle.clone(), *pool_element)),
            Event::PoolElementLearnt {
                pool_handle,
                pool_element,
                home,
                ..
            } => self.note_learnt(node, (pool_handle, *pool_element), *home, true),
            Event::PoolElementChanged {
                pool_handle,
                pool_element,
                home,
                ..
            } => self.note_learnt(node, (pool_handle, *pool_element), *home, false),
            Event::TakenOver {
                target,
                winner,
                pool_elements,
            } => self.note_taken_over(node, *target, *winner, *pool_elements),
            Event::Initialized { .. } => self.checker.registrars[node.index()].initialized = true,
            _ => {}
        }
    }

    fn note_registered(
        &mut self,
        node: NodeId,
        handle: &PoolHandle,
        id: PoolElementId,
        association: AssociationId,
    ) {
        let view = &self.checker.registrars[node.index()];
        let (Some(end), Some(home)) = (end_of(association), view.id) else {
            return;
        };
        let listed = Listed {
            home,
            end: Some(end),
            since: self.now,
        };
        self.note_listed(node, &(handle.clone(), id), listed, true);
        if !self.is_from_a_stranger(end) {
            self.statistics.registered_at.push(self.now);
            self.check_replicated_soon(node, handle, id);
        }
    }

    /// A registrar lists a pool element, new or under another home.
    fn note_listed(&mut self, node: NodeId, key: &Key, listed: Listed, is_new: bool) {
        let limit = self.elements_max();
        let view = &mut self.checker.registrars[node.index()];
        let was_new = view.insert(key, listed).is_none();
        let count = view.len();
        if was_new != is_new {
            let (handle, id) = key;
            let text = format_args!("tells of {id} of {handle}: new {is_new}, was {was_new}");
            self.violate(Rule::Listing, node, text);
        }
        if count > limit {
            self.violate(Rule::Limit, node, format_args!("lists {count}"));
        }
    }

    /// A pool element that is known registers at this registrar, or accepts it as its home.
    fn note_reregistered(
        &mut self,
        node: NodeId,
        handle: &PoolHandle,
        id: PoolElementId,
        association: AssociationId,
    ) {
        let view = &self.checker.registrars[node.index()];
        let (Some(end), Some(home)) = (end_of(association), view.id) else {
            return;
        };
        let listed = Listed {
            home,
            end: Some(end),
            since: self.now,
        };
        self.note_listed(node, &(handle.clone(), id), listed, false);
        if !self.is_from_a_stranger(end) {
            self.check_replicated_soon(node, handle, id);
        }
    }

    fn note_learnt(
        &mut self,
        node: NodeId,
        (handle, id): (&PoolHandle, PoolElementId),
        home: RegistrarId,
        is_new: bool,
    ) {
        let view = &self.checker.registrars[node.index()];
        let before = view.find(handle, id);
        let listed = Listed {
            home,
            // Its own, with other attributes only.
            end: before
                .filter(|old| old.home == home)
                .and_then(|old| old.end),
            since: self.now,
        };
        self.note_listed(node, &(handle.clone(), id), listed, is_new);
    }

    fn note_taken_over(
        &mut self,
        node: NodeId,
        target: RegistrarId,
        winner: RegistrarId,
        pool_elements: usize,
    ) {
        let view = &mut self.checker.registrars[node.index()];
        let is_winner = view.id == Some(winner);
        let rehomed = view.rehome(target, winner, self.now);
        if rehomed.len() != pool_elements {
            let known = rehomed.len();
            let text = format_args!("takes over {pool_elements} of {target}, it listed {known}");
            self.violate(Rule::Listing, node, text);
        }
        if is_winner {
            self.count_takeover(rehomed);
        }
        self.check_takeover(node, target, winner);
    }

    pub(super) fn is_from_a_stranger(&self, end: EndId) -> bool {
        let client = self.node_of(end.other());
        matches!(self.nodes[client.index()].actor, Actor::Stranger(_))
    }

    /// A registrar's snapshot tells of the same pool elements as its events and answers.
    pub(crate) fn check_snapshots(&mut self) {
        for node in self.roster.registrars.clone() {
            let Actor::Registrar(registrar) = &self.nodes[node.index()].actor else {
                continue;
            };
            // Every index and every checksum, made from scratch.
            registrar.check_invariants();
            let snapshot = registrar.snapshot();
            let told: BTreeMap<_, _> = snapshot
                .pools
                .iter()
                .flat_map(|pool| {
                    let elements = pool.pool_elements.iter();
                    elements.map(|element| {
                        let key = (pool.pool_handle.clone(), element.id);
                        (key, (element.home, element.association))
                    })
                })
                .collect();
            let view = &self.checker.registrars[node.index()];
            let known: BTreeMap<_, _> = view
                .listed
                .iter()
                .flat_map(|(handle, pool)| {
                    pool.iter().map(|(id, listed)| {
                        let association = listed.end.map(association_id);
                        ((handle.clone(), *id), (Some(listed.home), association))
                    })
                })
                .collect();
            if told != known {
                let only_told: Vec<_> = told
                    .iter()
                    .filter(|(key, told)| known.get(*key) != Some(*told))
                    .collect();
                let only_known: Vec<_> = known
                    .iter()
                    .filter(|(key, known)| told.get(*key) != Some(*known))
                    .collect();
                let text = format_args!("has {only_told:?} and said {only_known:?}");
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
