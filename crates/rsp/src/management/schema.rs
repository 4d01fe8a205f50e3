//! What `/api/v1/status` says, as JSON. Fields are only added; a change of meaning is a new
//! schema number.

use rserpool_core::registrar::{PeerSnapshot, PoolElementSnapshot, PoolSnapshot, Snapshot};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The schema that this program writes and reads.
pub(crate) const SCHEMA: u32 = 1;

/// A registrar's state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) schema: u32,
    /// The program's version.
    pub(crate) version: String,
    /// The registrar's identifier, as in `0x1a2b3c4d`.
    pub(crate) registrar: String,
    pub(crate) uptime_ms: u64,
    /// Where it is reached, as `--registrar` takes it.
    pub(crate) reached_at: Vec<String>,
    pub(crate) associations: usize,
    pub(crate) subscriptions: usize,
    /// Other registrars that announce themselves.
    pub(crate) registrars_heard: Vec<String>,
    pub(crate) shutting_down: bool,
    /// It has the handlespace of its mentor, or is alone.
    #[serde(default)]
    pub(crate) initialized: bool,
    /// How many pool elements it is the home of.
    #[serde(default)]
    pub(crate) owned: usize,
    /// The checksum of these.
    #[serde(default)]
    pub(crate) checksum: String,
    /// The other registrars of its operational scope, and where one is expected.
    #[serde(default)]
    pub(crate) peers: Vec<Peer>,
    pub(crate) pools: Vec<Pool>,
    /// What has happened since the start.
    pub(crate) counters: BTreeMap<String, u64>,
}

/// Another registrar, or an address at which one is expected.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Peer {
    /// Its identifier, once it has said it.
    pub(crate) registrar: Option<String>,
    /// Where it speaks ENRP, as `--peer` takes it.
    pub(crate) address: Option<String>,
    /// It was named by `--peer`.
    #[serde(rename = "static")]
    pub(crate) is_static: bool,
    /// `unknown`, `active`, `suspected`, `being taken over`, `not active` or `dead`.
    pub(crate) status: String,
    /// The number of the association with it.
    pub(crate) association: Option<u64>,
    pub(crate) last_heard_ms: Option<u64>,
    /// How many pool elements it is known to be the home of.
    pub(crate) owned: usize,
    /// The checksum of these.
    pub(crate) checksum: String,
    /// The checksum that it told last.
    pub(crate) checksum_told: Option<String>,
    /// Whether both are equal; absent as long as it has told none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) checksums_equal: Option<bool>,
    /// What is known of its pool elements is being compared.
    pub(crate) synchronizing: bool,
}

/// A pool.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Pool {
    pub(crate) pool_handle: String,
    pub(crate) policy: String,
    pub(crate) subscribers: usize,
    pub(crate) pool_elements: Vec<PoolElement>,
}

/// A pool element.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct PoolElement {
    pub(crate) id: String,
    pub(crate) home: Option<String>,
    pub(crate) policy: String,
    /// How long the registration still holds; absent: for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) life_left_ms: Option<u64>,
    pub(crate) last_heard_ms: u64,
    pub(crate) keep_alive_outstanding: bool,
    pub(crate) reporters: usize,
}

impl Status {
    /// A snapshot as JSON has it.
    pub(crate) fn new(snapshot: &Snapshot, reached_at: Vec<String>) -> Self {
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            registrar: snapshot.id.to_string(),
            uptime_ms: milliseconds(snapshot.at.0),
            reached_at,
            associations: snapshot.associations,
            subscriptions: snapshot.subscriptions,
            registrars_heard: snapshot
                .registrars_heard
                .iter()
                .map(ToString::to_string)
                .collect(),
            shutting_down: snapshot.shutting_down,
            initialized: snapshot.initialized,
            owned: snapshot.owned,
            checksum: snapshot.checksum.to_string(),
            peers: snapshot.peers.iter().map(Peer::new).collect(),
            pools: snapshot.pools.iter().map(Pool::new).collect(),
            counters: counters(snapshot),
        }
    }
}

impl Peer {
    fn new(peer: &PeerSnapshot) -> Self {
        Self {
            registrar: peer.registrar.map(|registrar| registrar.to_string()),
            address: peer.address.as_ref().map(ToString::to_string),
            is_static: peer.is_static,
            status: peer.status.to_string(),
            association: peer.association.map(|association| association.0),
            last_heard_ms: peer.last_heard.map(milliseconds),
            owned: peer.owned,
            checksum: peer.checksum.to_string(),
            checksum_told: peer.checksum_told.map(|checksum| checksum.to_string()),
            checksums_equal: peer.checksum_told.map(|told| told == peer.checksum),
            synchronizing: peer.synchronizing,
        }
    }
}

impl Pool {
    fn new(pool: &PoolSnapshot) -> Self {
        Self {
            pool_handle: pool.pool_handle.to_string(),
            policy: pool.policy.clone(),
            subscribers: pool.subscribers,
            pool_elements: pool.pool_elements.iter().map(PoolElement::new).collect(),
        }
    }
}

impl PoolElement {
    fn new(element: &PoolElementSnapshot) -> Self {
        Self {
            id: element.id.to_string(),
            home: element.home.map(|home| home.to_string()),
            policy: element.policy.clone(),
            life_left_ms: element.life_left.map(milliseconds),
            last_heard_ms: milliseconds(element.last_heard),
            keep_alive_outstanding: element.keep_alive_outstanding,
            reporters: element.reporters,
        }
    }
}

fn counters(snapshot: &Snapshot) -> BTreeMap<String, u64> {
    let counters = &snapshot.counters;
    let named = [
        ("registrations", counters.registrations),
        ("reregistrations_changed", counters.reregistrations_changed),
        (
            "reregistrations_unchanged",
            counters.reregistrations_unchanged,
        ),
        ("registrations_rejected", counters.registrations_rejected),
        (
            "deregistrations_rejected",
            counters.deregistrations_rejected,
        ),
        ("resolutions", counters.resolutions),
        ("resolutions_negative", counters.resolutions_negative),
        ("updates", counters.updates),
        ("keep_alives", counters.keep_alives),
        ("keep_alive_acks", counters.keep_alive_acks),
        ("keep_alive_acks_ignored", counters.keep_alive_acks_ignored),
        ("unreachable_reports", counters.unreachable_reports),
        ("announces", counters.announces),
        ("bad_messages", counters.bad_messages),
        ("unexpected_messages", counters.unexpected_messages),
        ("errors_sent", counters.errors_sent),
        ("errors_received", counters.errors_received),
        ("presences", counters.presences),
        ("handle_updates", counters.handle_updates),
        ("handle_updates_received", counters.handle_updates_received),
        ("handle_updates_refused", counters.handle_updates_refused),
        ("handle_tables", counters.handle_tables),
        ("tables_rejected", counters.tables_rejected),
        ("checksum_mismatches", counters.checksum_mismatches),
        ("synchronizations", counters.synchronizations),
        ("takeovers_started", counters.takeovers_started),
        ("takeovers_won", counters.takeovers_won),
        ("takeovers_aborted", counters.takeovers_aborted),
        ("identifier_conflicts", counters.identifier_conflicts),
        ("reinstatements", counters.reinstatements),
        ("enrp_errors_returned", counters.enrp_errors_returned),
        ("checksums_of_rsplib", counters.checksums_of_rsplib),
        ("enrp_unexpected", counters.enrp_unexpected),
    ];
    let removals = counters
        .removals
        .iter()
        .map(|(reason, count)| (format!("removals: {reason}"), *count));
    let limits = counters
        .limits_reached
        .iter()
        .map(|(limit, count)| (format!("limit reached: {limit}"), *count));
    let named = named
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count));
    named.chain(removals).chain(limits).collect()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
