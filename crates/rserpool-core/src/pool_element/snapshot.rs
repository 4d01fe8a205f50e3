//! What dashboards and `rsp status` read.

use super::{Goal, PoolElement, Timer};
use crate::{RegistrarAddress, Timestamp};
use rserpool_wire::parameter::Policy;
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId};
use std::time::Duration;

/// A pool element's state at one time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// When: the latest call before.
    pub at: Timestamp,
    /// Its pool.
    pub pool_handle: PoolHandle,
    /// Its identifier.
    pub id: PoolElementId,
    /// Its policy and values.
    pub policy: Policy,
    /// How far it is.
    pub status: Status,
    /// The home registrar's address.
    pub home: Option<RegistrarAddress>,
    /// The home registrar's identifier, once it has said it.
    pub home_registrar: Option<RegistrarId>,
    /// The registrars that are known.
    pub registrars: Vec<RegistrarAddress>,
    /// Failed attempts in a row.
    pub attempts: u32,
    /// How long until the registration is renewed.
    pub renewal_in: Option<Duration>,
    /// Messages that were discarded silently: not for this pool element, or out of turn.
    pub discarded: u64,
    /// Announces that were not remembered because there were too many.
    pub announces_dropped: u64,
}

/// How far a pool element is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Status {
    /// Nothing is wanted, or nothing more is tried.
    Idle,
    /// A home registrar is looked for.
    Hunting,
    /// A registration waits for its response, or to be tried again.
    Registering,
    /// Registered.
    Registered,
    /// A deregistration waits for its response.
    Deregistering,
}

impl PoolElement {
    pub(super) fn take_snapshot(&self) -> Snapshot {
        let renewal = self.timers.deadline(&Timer::T4Reregistration);
        Snapshot {
            at: self.now,
            pool_handle: self.config.pool_handle.clone(),
            id: self.id,
            policy: self.config.policy.clone(),
            status: self.status(),
            home: self.home.as_ref().map(|home| home.address.clone()),
            home_registrar: self.home.as_ref().and_then(|home| home.registrar),
            registrars: self.hunt.known().cloned().collect(),
            attempts: self.attempts,
            renewal_in: renewal.map(|deadline| deadline.since(self.now)),
            discarded: self.discarded,
            announces_dropped: self.hunt.announces_dropped(),
        }
    }

    fn status(&self) -> Status {
        match self.goal {
            Goal::Nothing => Status::Idle,
            Goal::Registered | Goal::Deregistered if self.home.is_none() => Status::Hunting,
            Goal::Registered if self.is_registered => Status::Registered,
            Goal::Registered => Status::Registering,
            Goal::Deregistered => Status::Deregistering,
        }
    }
}
