//! A registrar's events that are about other registrars (RFC 5353).

use rserpool_core::registrar::Event;
use rserpool_wire::RegistrarId;
use tracing::Level;

/// How important an event is, and what happened with the peer that [`of`] names.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "its caller has words for all other events"
)]
pub(super) fn what(event: &Event) -> (Level, String) {
    match event {
        Event::Initialized {
            mentor,
            pool_elements,
        } => initialized(mentor.is_some(), *pool_elements),
        Event::PeerJoined { address, .. } => {
            (Level::INFO, format!("is on the peer list, at {address}"))
        }
        Event::PeerSuspected { .. } => (
            Level::INFO,
            "is silent, or cannot be reached; it is asked".into(),
        ),
        Event::PeerAlive { .. } => (Level::INFO, "is alive".into()),
        Event::PeerDead { pool_elements, .. } => (
            Level::WARN,
            format!("does not answer and is given up, with {pool_elements} pool elements"),
        ),
        Event::IdentifierConflict { address, .. } => (
            Level::WARN,
            format!("{address} uses an identifier that is in use and is turned away; restart it"),
        ),
        Event::TakeoverStarted { pool_elements, .. } => (
            Level::INFO,
            format!("asking its peers to take over its {pool_elements} pool elements"),
        ),
        Event::TakeoverAcknowledged { initiator, .. } => {
            (Level::INFO, format!("may be taken over by {initiator}"))
        }
        Event::TakeoverRefused { initiator, .. } => (
            Level::WARN,
            format!("is alive: {initiator} may not take it over"),
        ),
        Event::TakeoverAborted { winner, .. } => aborted(*winner),
        Event::TakenOver {
            winner,
            pool_elements,
            ..
        } => (
            Level::INFO,
            format!("is taken over: {winner} is the home of its {pool_elements} pool elements"),
        ),
        Event::PoolElementAdopted { .. } => (Level::INFO, "adopted".into()),
        Event::PoolElementLearnt { .. } => (Level::DEBUG, "learnt of a peer's".into()),
        Event::PoolElementChanged { previous_home, .. } => changed(*previous_home),
        Event::OwnershipContested { .. } => (
            Level::WARN,
            "is claimed by a peer; the pool element is asked".into(),
        ),
        Event::UpdateRefused { reason, .. } => (
            Level::WARN,
            format!("what a peer says is refused: {reason}"),
        ),
        Event::ChecksumMismatch { told, known, .. } => (
            Level::INFO,
            format!("has the checksum {told}; what is known of it has {known}"),
        ),
        Event::Synchronized {
            changed, removed, ..
        } => (
            Level::INFO,
            format!("synchronised: {changed} pool elements changed, {removed} removed"),
        ),
        Event::SynchronizationFailed { .. } => (
            Level::WARN,
            "did not give its pool elements; it is tried again".into(),
        ),
        other => (Level::DEBUG, format!("{other:?}")),
    }
}

fn initialized(with_mentor: bool, pool_elements: usize) -> (Level, String) {
    let text = if with_mentor {
        format!("initialised, with {pool_elements} pool elements from this mentor")
    } else {
        format!("initialised without a mentor, with {pool_elements} pool elements")
    };
    (Level::INFO, text)
}

fn aborted(winner: Option<RegistrarId>) -> (Level, String) {
    let text = winner.map_or_else(
        || "is alive and not taken over".into(),
        |winner| format!("is left to {winner}, which takes it over"),
    );
    (Level::INFO, text)
}

fn changed(previous_home: Option<RegistrarId>) -> (Level, String) {
    let text = previous_home.map_or_else(
        || "changed at its home".into(),
        |previous| format!("moved to this peer from {previous}"),
    );
    (Level::DEBUG, text)
}

/// The other registrar that an event is about.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all other events are about pool elements and users"
)]
pub(super) fn of(event: &Event) -> Option<RegistrarId> {
    match event {
        Event::Initialized { mentor, .. } => *mentor,
        Event::PeerJoined { peer, .. }
        | Event::PeerSuspected { peer }
        | Event::PeerAlive { peer }
        | Event::PeerDead { peer, .. }
        | Event::UpdateRefused { peer, .. }
        | Event::ChecksumMismatch { peer, .. }
        | Event::Synchronized { peer, .. }
        | Event::SynchronizationFailed { peer } => Some(*peer),
        Event::TakeoverStarted { target, .. }
        | Event::TakeoverAcknowledged { target, .. }
        | Event::TakeoverRefused { target, .. }
        | Event::TakeoverAborted { target, .. }
        | Event::TakenOver { target, .. } => Some(*target),
        Event::PoolElementLearnt { home, .. } | Event::PoolElementChanged { home, .. } => {
            Some(*home)
        }
        Event::OwnershipContested { claimant, .. } => Some(*claimant),
        Event::IdentifierConflict { registrar, .. }
        | Event::RegistrarHeard { registrar }
        | Event::RegistrarOutdated { registrar } => Some(*registrar),
        _ => None,
    }
}
