//! A registrar's events.

use super::peer;
use rserpool_core::AssociationId;
use rserpool_core::registrar::{Event, RemovalReason};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::time::Duration;
use tracing::{Level, debug, info, warn};

/// Told of a pool element that has them left out.
const FOREIGN_ADDRESSES: &str = "registered with addresses that are not its own; they are left out";

/// Logs an event: what changes the handlespace at `info`, what somebody did wrong at `warn`, what
/// happens all the time, and what peers tell of their pool elements, at `debug`.
pub(super) fn log(event: &Event) {
    let (pool, element) = pool_element(event);
    let pool = pool.map(ToString::to_string);
    let element = element.map(|id| id.to_string());
    let peer = peer::of(event).map(|registrar| registrar.to_string());
    let association = association(event).map(|association| association.0);
    let (level, what) = what(event);
    if level == Level::WARN {
        warn!(pool, element, peer, association, "{what}");
    } else if level == Level::INFO {
        info!(pool, element, peer, association, "{what}");
    } else {
        debug!(pool, element, peer, association, "{what}");
    }
}

/// How important an event is, and what happened.
fn what(event: &Event) -> (Level, String) {
    match event {
        Event::AssociationUp { peer, .. } => (Level::DEBUG, format!("up, from {peer}")),
        Event::AssociationLost { pool_elements, .. } => (
            Level::DEBUG,
            format!("lost, with {pool_elements} pool elements"),
        ),
        Event::PoolElementRegistered { pool_created, .. } => registered(*pool_created),
        Event::PoolElementReregistered { .. } => (Level::DEBUG, "registered again".into()),
        Event::PoolElementRemoved {
            reason,
            pool_removed,
            ..
        } => removed(*reason, *pool_removed),
        Event::RegistrationRejected { cause, .. } => {
            (Level::WARN, format!("registration rejected: {cause}"))
        }
        Event::AddressesRemoved { .. } => (Level::WARN, FOREIGN_ADDRESSES.into()),
        Event::DeregistrationRejected { .. } => (
            Level::WARN,
            "deregistration by somebody else rejected".into(),
        ),
        Event::KeepAliveMissed { .. } => (Level::INFO, "keep-alive not answered".into()),
        Event::UnreachableReported { reporters, .. } => (
            Level::INFO,
            format!("reported unreachable, by {reporters} hosts so far"),
        ),
        Event::HandleResolved { pool_elements, .. } => (
            Level::DEBUG,
            format!("resolved to {pool_elements} pool elements"),
        ),
        Event::SubscriptionStarted { .. } => (Level::DEBUG, "subscribed".into()),
        Event::SubscriptionEnded { reason, .. } => {
            (Level::DEBUG, format!("subscription ended: {reason}"))
        }
        Event::BadMessage { error, .. } => (Level::WARN, format!("no message: {error}")),
        Event::UnexpectedMessage { message_type, .. } => (
            Level::WARN,
            format!("message of type {message_type:#04x} unexpected"),
        ),
        Event::ErrorReceived { error, .. } => (Level::WARN, format!("reports to us: {error}")),
        Event::LimitReached { limit, .. } => (Level::WARN, format!("refused: {limit} is reached")),
        Event::RegistrarHeard { .. } => (Level::INFO, "announces itself".into()),
        Event::RegistrarOutdated { .. } => (Level::INFO, "announces itself no longer".into()),
        Event::Stalled { late } => stalled(*late),
        Event::ShutDown => (Level::INFO, "shut down".into()),
        Event::Initialized { .. }
        | Event::PeerJoined { .. }
        | Event::PeerSuspected { .. }
        | Event::PeerAlive { .. }
        | Event::PeerDead { .. }
        | Event::IdentifierConflict { .. }
        | Event::TakeoverStarted { .. }
        | Event::TakeoverAcknowledged { .. }
        | Event::TakeoverRefused { .. }
        | Event::TakeoverAborted { .. }
        | Event::TakenOver { .. }
        | Event::PoolElementAdopted { .. }
        | Event::PoolElementLearnt { .. }
        | Event::PoolElementChanged { .. }
        | Event::OwnershipContested { .. }
        | Event::UpdateRefused { .. }
        | Event::ChecksumMismatch { .. }
        | Event::Synchronized { .. }
        | Event::SynchronizationFailed { .. } => peer::what(event),
    }
}

fn registered(pool_created: bool) -> (Level, String) {
    let what = if pool_created {
        "registered, and with it the pool"
    } else {
        "registered"
    };
    (Level::INFO, what.into())
}

fn stalled(late: Duration) -> (Level, String) {
    let ms = late.as_millis();
    let what = format!("did not run for {ms} ms; is the host overloaded?");
    (Level::WARN, what)
}

fn removed(reason: RemovalReason, pool_removed: bool) -> (Level, String) {
    let level = match reason {
        RemovalReason::RemovedByHome | RemovalReason::NotListedByHome => Level::DEBUG,
        RemovalReason::Deregistered
        | RemovalReason::Expired
        | RemovalReason::AssociationLost
        | RemovalReason::KeepAliveTimeout
        | RemovalReason::SendFailed
        | RemovalReason::ReportedUnreachable
        | RemovalReason::NotAdopted => Level::INFO,
    };
    let pool = if pool_removed {
        ", and with it the pool"
    } else {
        ""
    };
    (level, format!("removed{pool}: {reason}"))
}

/// Whom an event is about.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most events are about no pool element"
)]
fn pool_element(event: &Event) -> (Option<&PoolHandle>, Option<PoolElementId>) {
    match event {
        Event::PoolElementRegistered {
            pool_handle,
            pool_element,
            ..
        }
        | Event::PoolElementReregistered {
            pool_handle,
            pool_element,
            ..
        }
        | Event::PoolElementRemoved {
            pool_handle,
            pool_element,
            ..
        }
        | Event::RegistrationRejected {
            pool_handle,
            pool_element,
            ..
        }
        | Event::AddressesRemoved {
            pool_handle,
            pool_element,
        }
        | Event::DeregistrationRejected {
            pool_handle,
            pool_element,
            ..
        }
        | Event::KeepAliveMissed {
            pool_handle,
            pool_element,
        }
        | Event::UnreachableReported {
            pool_handle,
            pool_element,
            ..
        }
        | Event::PoolElementAdopted {
            pool_handle,
            pool_element,
            ..
        }
        | Event::PoolElementLearnt {
            pool_handle,
            pool_element,
            ..
        }
        | Event::PoolElementChanged {
            pool_handle,
            pool_element,
            ..
        }
        | Event::OwnershipContested {
            pool_handle,
            pool_element,
            ..
        }
        | Event::UpdateRefused {
            pool_handle,
            pool_element,
            ..
        } => (Some(pool_handle), Some(*pool_element)),
        _ => (pool(event), None),
    }
}

/// Which pool as a whole an event is about.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most events are about no pool"
)]
fn pool(event: &Event) -> Option<&PoolHandle> {
    match event {
        Event::HandleResolved { pool_handle, .. }
        | Event::SubscriptionStarted { pool_handle, .. }
        | Event::SubscriptionEnded { pool_handle, .. } => Some(pool_handle),
        _ => None,
    }
}

/// Over which association it came about.
fn association(event: &Event) -> Option<AssociationId> {
    match event {
        Event::AssociationUp { association, .. }
        | Event::AssociationLost { association, .. }
        | Event::PoolElementRegistered { association, .. }
        | Event::PoolElementReregistered { association, .. }
        | Event::RegistrationRejected { association, .. }
        | Event::DeregistrationRejected { association, .. }
        | Event::UnreachableReported { association, .. }
        | Event::HandleResolved { association, .. }
        | Event::SubscriptionStarted { association, .. }
        | Event::SubscriptionEnded { association, .. }
        | Event::BadMessage { association, .. }
        | Event::UnexpectedMessage { association, .. }
        | Event::IdentifierConflict { association, .. }
        | Event::PoolElementAdopted { association, .. }
        | Event::ErrorReceived { association, .. } => Some(*association),
        Event::LimitReached { association, .. } => *association,
        Event::PoolElementRemoved { .. }
        | Event::AddressesRemoved { .. }
        | Event::KeepAliveMissed { .. }
        | Event::RegistrarHeard { .. }
        | Event::RegistrarOutdated { .. }
        | Event::Initialized { .. }
        | Event::PeerJoined { .. }
        | Event::PeerSuspected { .. }
        | Event::PeerAlive { .. }
        | Event::PeerDead { .. }
        | Event::TakeoverStarted { .. }
        | Event::TakeoverAcknowledged { .. }
        | Event::TakeoverRefused { .. }
        | Event::TakeoverAborted { .. }
        | Event::TakenOver { .. }
        | Event::ChecksumMismatch { .. }
        | Event::Synchronized { .. }
        | Event::SynchronizationFailed { .. }
        | Event::PoolElementLearnt { .. }
        | Event::PoolElementChanged { .. }
        | Event::OwnershipContested { .. }
        | Event::UpdateRefused { .. }
        | Event::Stalled { .. }
        | Event::ShutDown => None,
    }
}
