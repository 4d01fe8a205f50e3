//! What dashboards and `rsp status` read.

use super::event::RemovalReason;
use super::{Limit, Registrar, Timer};
use crate::{AssociationId, RegistrarAddress, Timestamp};
use rserpool_handlespace::ElementKey;
use rserpool_wire::parameter::PeChecksum;
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId};
use std::collections::BTreeMap;
use std::fmt;
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
    /// It has the handlespace of its mentor, or is alone (RFC 5353 §3.2).
    pub initialized: bool,
    /// How many pool elements it is the home of.
    pub owned: usize,
    /// Its PE checksum: over the pool elements that it is the home of (RFC 5353 §3.6.2).
    pub checksum: PeChecksum,
    /// The peer list, and static peers that have not answered yet.
    pub peers: Vec<PeerSnapshot>,
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

/// A peer, or an address at which one is expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerSnapshot {
    /// Its identifier, once it has said it.
    pub registrar: Option<RegistrarId>,
    /// Where it speaks ENRP, if that is known.
    pub address: Option<RegistrarAddress>,
    /// The administrator named it.
    pub is_static: bool,
    /// How it is.
    pub status: PeerStatus,
    /// The association with it.
    pub association: Option<AssociationId>,
    /// How long ago it was last heard.
    pub last_heard: Option<Duration>,
    /// How many pool elements it is known to be the home of.
    pub owned: usize,
    /// The checksum of these.
    pub checksum: PeChecksum,
    /// The checksum that it told last.
    pub checksum_told: Option<PeChecksum>,
    /// A re-synchronisation with it is running.
    pub synchronizing: bool,
}

/// How a peer is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PeerStatus {
    /// Not heard yet.
    Unknown,
    /// Heard.
    Active,
    /// Silent, or its association is gone; it is asked.
    Suspected,
    /// This registrar is taking it over.
    BeingTakenOver,
    /// Another registrar is taking it over: "not active" (RFC 5353 §3.5.1).
    NotActive,
    /// Given up.
    Dead,
}

impl fmt::Display for PeerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unknown => "unknown",
            Self::Active => "active",
            Self::Suspected => "suspected",
            Self::BeingTakenOver => "being taken over",
            Self::NotActive => "not active",
            Self::Dead => "dead",
        })
    }
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
    /// Over which association it is registered; `None` if at a peer, or not adopted yet.
    pub association: Option<AssociationId>,
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
    /// ENRP_PRESENCE messages sent, each peer counted.
    pub presences: u64,
    /// ENRP_HANDLE_UPDATE messages sent, each peer counted.
    pub handle_updates: u64,
    /// ENRP_HANDLE_UPDATE messages received and believed.
    pub handle_updates_received: u64,
    /// ENRP_HANDLE_UPDATE messages received and not believed.
    pub handle_updates_refused: u64,
    /// ENRP_HANDLE_TABLE_REQUEST messages answered with pool entries.
    pub handle_tables: u64,
    /// ENRP_HANDLE_TABLE_REQUEST and ENRP_LIST_REQUEST messages rejected.
    pub tables_rejected: u64,
    /// Checksums that did not match.
    pub checksum_mismatches: u64,
    /// Re-synchronisations that came to their end.
    pub synchronizations: u64,
    /// Takeovers begun.
    pub takeovers_started: u64,
    /// Takeovers that this registrar won.
    pub takeovers_won: u64,
    /// Takeovers aborted: the target lives, or another registrar won.
    pub takeovers_aborted: u64,
    /// Identifiers used by two registrars.
    pub identifier_conflicts: u64,
    /// Pool elements that answered a keep-alive after they had been removed for not answering, and
    /// were registered again as they were.
    pub reinstatements: u64,
    /// ENRP_ERROR messages that came with this registrar's own identifier as the sender's, as
    /// rsplib sends them back.
    pub enrp_errors_returned: u64,
    /// Checksums that matched only as rsplib calculates them.
    pub checksums_of_rsplib: u64,
    /// ENRP messages that were not expected: over TCP, of another sender than before.
    pub enrp_unexpected: u64,
}

impl Registrar {
    /// Panics if an index of the handlespace, or a checksum, is not what it would be if it were
    /// made from scratch. Takes time in proportion to the size of the handlespace.
    pub fn check_invariants(&self) {
        self.handlespace.check_invariants();
    }

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
            initialized: self.is_initialized(),
            owned: self.handlespace.owned(self.config.id),
            checksum: self.checksum(self.config.id),
            peers: self.peer_snapshots(),
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
            association: state.association(),
            life_left: life.map(|deadline| deadline.since(self.now)),
            last_heard: self.now.since(state.heard_at.into()),
            keep_alive_outstanding: state.outstanding,
            reporters: state.reporters(),
        })
    }
}
