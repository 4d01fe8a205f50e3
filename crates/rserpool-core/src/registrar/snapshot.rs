//! What dashboards and `rsp status` read.

use super::event::RemovalReason;
use super::{Limit, Registrar, Timer};
use crate::{AssociationId, Timestamp};
use rserpool_handlespace::ElementKey;
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId};
use std::collections::BTreeMap;
use std::time::Duration;

/// A registrar's state at one time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// When: the latest call before.
    pub at: Timestamp,
    /// Whose.
    pub id: RegistrarId,
    /// The pools, by pool handle.
    pub pools: Vec<PoolSnapshot>,
    /// Associations that are up.
    pub associations: usize,
    /// Subscriptions that are running.
    pub subscriptions: usize,
    /// Other registrars whose announces are heard.
    pub registrars_heard: Vec<RegistrarId>,
    /// The registrar is shutting down.
    pub shutting_down: bool,
    /// What has happened so far.
    pub counters: Counters,
}

/// A pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoolSnapshot {
    /// Its handle.
    pub pool_handle: PoolHandle,
    /// Its policy as text.
    pub policy: String,
    /// How many pool users get its updates.
    pub subscribers: usize,
    /// Its pool elements, by identifier.
    pub pool_elements: Vec<PoolElementSnapshot>,
}

/// A pool element.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoolElementSnapshot {
    /// Its identifier.
    pub id: PoolElementId,
    /// Its home registrar.
    pub home: Option<RegistrarId>,
    /// Its policy and values as text.
    pub policy: String,
    /// Over which association it is registered.
    pub association: AssociationId,
    /// How long its registration still holds; `None`: for ever.
    pub life_left: Option<Duration>,
    /// How long ago it last gave a sign of life.
    pub last_heard: Duration,
    /// A keep-alive waits for its answer.
    pub keep_alive_outstanding: bool,
    /// How many hosts say that it is unreachable.
    pub reporters: usize,
}

/// What has happened since the registrar started.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// New pool elements.
    pub registrations: u64,
    /// Registrations of known pool elements with other values.
    pub reregistrations_changed: u64,
    /// Registrations of known pool elements with the same values.
    pub reregistrations_unchanged: u64,
    /// Registrations rejected.
    pub registrations_rejected: u64,
    /// Deregistrations rejected.
    pub deregistrations_rejected: u64,
    /// Pool elements removed, by reason.
    pub removals: BTreeMap<RemovalReason, u64>,
    /// Resolutions answered with pool elements.
    pub resolutions: u64,
    /// Resolutions answered with an error.
    pub resolutions_negative: u64,
    /// Dynamic updates sent.
    pub updates: u64,
    /// Keep-alives sent.
    pub keep_alives: u64,
    /// Keep-alives answered.
    pub keep_alive_acks: u64,
    /// Keep-alive answers that nobody waited for, or from another association than the pool
    /// element's.
    pub keep_alive_acks_ignored: u64,
    /// Reports of unreachable pool elements.
    pub unreachable_reports: u64,
    /// Announces sent.
    pub announces: u64,
    /// Octets that were no ASAP message.
    pub bad_messages: u64,
    /// Messages that nobody sends to a registrar, or over an association that is not up.
    pub unexpected_messages: u64,
    /// ASAP_ERROR messages sent.
    pub errors_sent: u64,
    /// ASAP_ERROR messages received.
    pub errors_received: u64,
    /// Limits reached, by limit.
    pub limits_reached: BTreeMap<Limit, u64>,
}

impl Registrar {
    pub(super) fn take_snapshot(&self) -> Snapshot {
        Snapshot {
            at: self.now,
            id: self.config.id,
            pools: self
                .handlespace
                .pools()
                .map(|pool| self.pool_snapshot(pool.handle, pool.policy.to_string()))
                .collect(),
            associations: self.associations.len(),
            subscriptions: self.subscriptions.len(),
            registrars_heard: self.announces.heard().collect(),
            shutting_down: self.shutting_down,
            counters: self.counters.clone(),
        }
    }

    fn pool_snapshot(&self, pool_handle: &PoolHandle, policy: String) -> PoolSnapshot {
        let keys = self.handlespace.elements_of(pool_handle);
        PoolSnapshot {
            pool_handle: pool_handle.clone(),
            policy,
            subscribers: self.subscriptions.len_of(pool_handle),
            pool_elements: keys
                .filter_map(|key| self.pool_element_snapshot(key))
                .collect(),
        }
    }

    fn pool_element_snapshot(&self, key: ElementKey) -> Option<PoolElementSnapshot> {
        let element = self.handlespace.element(key)?;
        let state = element.data;
        let life = self
            .timers
            .deadline(state.life_timer, Timer::RegistrationLife(key));
        Some(PoolElementSnapshot {
            id: element.id,
            home: element.home,
            policy: element.encoded.decode().policy.to_string(),
            association: state.association,
            life_left: life.map(|deadline| deadline.since(self.now)),
            last_heard: self.now.since(state.heard_at.into()),
            keep_alive_outstanding: state.outstanding,
            reporters: state.reporters(),
        })
    }
}
