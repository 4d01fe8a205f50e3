//! What must always hold, and what must hold again once faults stop.
//!
//! | file | what is checked |
//! |---|---|
//! | `listing` | what a registrar lists and answers: nobody removed, nobody twice, no weight 0 |
//! | `removal` | nobody alive is removed, whoever is dead is, and in time |
//! | `replica` | what registrars know from each other; nobody takes over who is alive |
//! | `request` | each request of a pool user has one answer, and nobody gets updates unasked |
//! | `session` | sessions go on with their state, and repeat no more than a cookie interval |
//! | `delivery` | of a session's requests, none is lost: sent again or given back |
//! | `sending` | messages to pools: none read twice, none lost, one for all gets to all |
//! | `card` | business cards say who comes next, and nothing else |
//! | `liveness` | all who live are registered, all resolve, all subscriptions are up to date |
//! | `agreement` | all registrars know the same |
//!
//! The checks see what is said between nodes and the machines' events. They must not know how a
//! machine comes to its decisions.

mod agreement;
mod card;
mod delivery;
mod listing;
mod liveness;
mod removal;
mod replica;
mod request;
mod sending;
mod session;
mod violation;

pub use violation::{Rule, Violation};

use crate::network::EndId;
use crate::node::{NodeId, Roster};
use crate::world::World;
pub(crate) use listing::Key;
use listing::RegistrarView;
use rserpool_core::{Timestamp, pool_user::RequestId};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A run ends after so many violations: what follows is mostly a consequence.
const VIOLATIONS_MAX: usize = 10;

/// What is known of the run that no single machine knows.
#[derive(Debug)]
pub(crate) struct Checker {
    violations: Vec<Violation>,
    registrars: Vec<RegistrarView>,
    identities: BTreeMap<(PoolHandle, PoolElementId), Identity>,
    elements: BTreeMap<NodeId, ElementView>,
    /// By end: whether its node knows that it is gone.
    gone: Vec<bool>,
    send_failed: BTreeSet<EndId>,
    put_off: Vec<Check>,
    /// How often a registrar took over each pool element.
    takeovers: BTreeMap<Key, u32>,
    /// Replicas that were corrupted on purpose, with whose.
    corrupted: BTreeSet<(NodeId, Key)>,
    /// When what a registrar said of a pool element did not go with its pool at another one.
    inconsistent: BTreeMap<(NodeId, Key), Timestamp>,
}

/// Who registers under an identifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Identity {
    node: NodeId,
    incarnation: u32,
    /// It has asked to be removed.
    deregistered: bool,
}

/// What a pool element's user wants, and what it was called last.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct ElementView {
    wants_registration: bool,
    latest: Option<Key>,
}

/// A check that waits for its time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Check {
    /// A pool element that fell silent is not listed any more.
    GoneInTime {
        registrar: NodeId,
        registrar_id: Option<RegistrarId>,
        pool_handle: PoolHandle,
        pool_element: PoolElementId,
        /// Over which association it was registered.
        end: EndId,
        node: NodeId,
        incarnation: u32,
    },
    /// A pool element that registered is known to all registrars that are connected to its home.
    Replicated {
        home: NodeId,
        home_id: RegistrarId,
        pool_handle: PoolHandle,
        pool_element: PoolElementId,
        since: Timestamp,
    },
    /// What was corrupted on purpose is right again.
    Repaired {
        registrar: NodeId,
        home: NodeId,
        home_id: RegistrarId,
        pool_handle: PoolHandle,
        pool_element: PoolElementId,
    },
    /// A message to all has got to a pool element.
    Reached {
        message: u64,
        /// The processes of who sent it, and of who is to read it.
        user: (NodeId, u32),
        element: (NodeId, u32),
        since: Timestamp,
    },
    /// A request of a pool user has been answered.
    Answered {
        node: NodeId,
        incarnation: u32,
        request: RequestId,
    },
}

impl Checker {
    pub(crate) fn new(roster: &Roster) -> Self {
        let registrars = roster.registrars.iter().map(|_| RegistrarView::default());
        Self {
            violations: Vec::new(),
            registrars: registrars.collect(),
            identities: BTreeMap::new(),
            elements: BTreeMap::new(),
            gone: Vec::new(),
            send_failed: BTreeSet::new(),
            put_off: Vec::new(),
            takeovers: BTreeMap::new(),
            corrupted: BTreeSet::new(),
            inconsistent: BTreeMap::new(),
        }
    }

    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    pub(crate) fn into_violations(self) -> Vec<Violation> {
        self.violations
    }

    pub(crate) fn is_full(&self) -> bool {
        self.violations.len() >= VIOLATIONS_MAX
    }

    /// An end's node knows that the association is gone.
    pub(crate) fn told_gone(&mut self, node: NodeId, end: EndId) {
        if let Some(view) = self.registrars.get_mut(node.index()) {
            view.deferred.retain(|(waiting, _)| *waiting != end);
        }
        let index = end.0 as usize;
        if self.gone.len() <= index {
            self.gone.resize(index + 1, false);
        }
        self.gone[index] = true;
    }

    pub(crate) fn is_told_gone(&self, end: EndId) -> bool {
        self.gone.get(end.0 as usize).copied().unwrap_or(false)
    }

    /// An end's node was told that a message could not be sent.
    pub(crate) fn on_send_failed(&mut self, end: EndId) {
        self.send_failed.insert(end);
    }

    /// A registrar starts, with an empty handlespace.
    pub(crate) fn registrar_started(&mut self, node: NodeId, id: RegistrarId) {
        self.registrars[node.index()] = RegistrarView::of(id);
    }

    pub(crate) fn node_died(&mut self, node: NodeId) {
        if let Some(view) = self.registrars.get_mut(node.index()) {
            *view = RegistrarView::default();
        }
    }

    /// A pool element is told to register, or to leave.
    pub(crate) fn element_wants(&mut self, node: NodeId, registration: bool) {
        self.elements.entry(node).or_default().wants_registration = registration;
    }

    /// Whether a pool element's user wants it to be registered.
    pub(crate) fn wants_registration(&self, node: NodeId) -> bool {
        let view = self.elements.get(&node);
        view.is_some_and(|view| view.wants_registration)
    }

    /// The identifier under which a pool element registered last.
    pub(crate) fn latest_id(&self, node: NodeId) -> Option<PoolElementId> {
        self.latest_key(node).map(|(_, id)| id)
    }

    /// The pool and the identifier under which a pool element registered last.
    pub(crate) fn latest_key(&self, node: NodeId) -> Option<Key> {
        self.elements.get(&node)?.latest.clone()
    }

    /// What a registrar is the home of.
    pub(crate) fn owned(&self, registrar: NodeId) -> Vec<Key> {
        let view = self.registrars.get(registrar.index());
        let own = view.and_then(|view| Some((view, view.id?)));
        let keys = own.into_iter().flat_map(|(view, id)| view.of_home(id));
        keys.cloned().collect()
    }

    /// The most takeovers of one pool element.
    pub(crate) fn takeovers_max(&self) -> u32 {
        self.takeovers.values().copied().max().unwrap_or(0)
    }

    /// The identifier of a registrar, while it runs.
    pub(crate) fn registrar_id(&self, node: NodeId) -> Option<RegistrarId> {
        self.registrars.get(node.index())?.id
    }

    /// How many pool elements a registrar lists.
    pub(crate) fn listed(&self, registrar: NodeId) -> usize {
        self.registrars
            .get(registrar.index())
            .map_or(0, RegistrarView::len)
    }
}

impl World {
    /// Something has happened that must not.
    pub(crate) fn violate(&mut self, rule: Rule, node: NodeId, what: fmt::Arguments<'_>) {
        let detail = format!("{} {what}", self.roster.name(node));
        let text = format_args!("VIOLATION {rule}: {detail}");
        self.transcript.line(self.now, &[], text);
        let violation = Violation::new(self.seed, &self.scenario, self.now, rule, detail);
        if !self.checker.is_full() {
            self.checker.violations.push(violation);
        }
    }

    /// Checks something later.
    pub(crate) fn put_off(&mut self, until: Timestamp, check: Check) {
        let index = u32::try_from(self.checker.put_off.len()).unwrap_or(u32::MAX);
        self.checker.put_off.push(check);
        self.schedule
            .add(until, crate::schedule::Occurrence::Check { index });
    }

    pub(crate) fn on_deferred_check(&mut self, index: u32) {
        let check = self.checker.put_off[index as usize].clone();
        match check {
            Check::GoneInTime { .. } => self.check_gone(check),
            Check::Replicated { .. } => self.check_replicated(check),
            Check::Repaired { .. } => self.check_repaired(check),
            Check::Reached { .. } => self.check_reached(&check),
            Check::Answered {
                node,
                incarnation,
                request,
            } => self.check_answered(node, incarnation, request),
        }
    }
}
