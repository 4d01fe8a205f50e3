//! A registrar's events.

use rserpool_core::registrar::Event;
use tracing::{debug, info, warn};

/// Logs an event: what changes the handlespace at `info`, what somebody did wrong at `warn`, what
/// happens all the time at `debug`.
pub(super) fn log(event: &Event) {
    match event {
        Event::AssociationUp { association, peer } => {
            debug!(association = association.0, %peer, "up")
        }
        Event::AssociationLost {
            association,
            pool_elements,
        } => {
            debug!(association = association.0, pool_elements, "lost");
        }
        Event::PoolElementRegistered {
            pool_handle,
            pool_element,
            association,
            pool_created,
        } => {
            info!(
                pool = %pool_handle, element = %pool_element, association = association.0, pool_created,
                "registered"
            );
        }
        Event::PoolElementReregistered {
            pool_handle,
            pool_element,
            association,
            moved_from,
        } => {
            let moved = moved_from.is_some();
            debug!(
                pool = %pool_handle, element = %pool_element, association = association.0, moved,
                "registered again"
            );
        }
        Event::PoolElementRemoved {
            pool_handle,
            pool_element,
            reason,
            pool_removed,
        } => {
            info!(pool = %pool_handle, element = %pool_element, %reason, pool_removed, "removed");
        }
        Event::RegistrationRejected {
            association,
            pool_handle,
            pool_element,
            cause,
        } => {
            warn!(
                pool = %pool_handle, element = %pool_element, association = association.0, %cause,
                "registration rejected"
            );
        }
        Event::AddressesRemoved {
            pool_handle,
            pool_element,
        } => {
            warn!(
                pool = %pool_handle, element = %pool_element,
                "addresses that are not the sender's were taken out of a registration"
            );
        }
        Event::DeregistrationRejected {
            association,
            pool_handle,
            pool_element,
        } => {
            warn!(
                pool = %pool_handle, element = %pool_element, association = association.0,
                "deregistration by somebody else rejected"
            );
        }
        Event::KeepAliveMissed {
            pool_handle,
            pool_element,
        } => {
            info!(pool = %pool_handle, element = %pool_element, "keep-alive not answered");
        }
        Event::UnreachableReported {
            association,
            pool_handle,
            pool_element,
            reporters,
        } => {
            info!(
                pool = %pool_handle, element = %pool_element, association = association.0, reporters,
                "reported unreachable"
            );
        }
        Event::HandleResolved {
            association,
            pool_handle,
            pool_elements,
        } => {
            debug!(pool = %pool_handle, association = association.0, pool_elements, "resolved");
        }
        Event::SubscriptionStarted {
            association,
            pool_handle,
        } => {
            debug!(pool = %pool_handle, association = association.0, "subscribed");
        }
        Event::SubscriptionEnded {
            association,
            pool_handle,
            reason,
        } => {
            debug!(pool = %pool_handle, association = association.0, %reason, "subscription ended");
        }
        Event::BadMessage { .. }
        | Event::UnexpectedMessage { .. }
        | Event::ErrorReceived { .. }
        | Event::LimitReached { .. } => log_misbehaviour(event),
        Event::RegistrarHeard { registrar } => {
            info!(%registrar, "another registrar announces itself");
        }
        Event::RegistrarOutdated { registrar } => {
            info!(%registrar, "another registrar has fallen silent");
        }
        Event::Stalled { late } => {
            let late_ms = late.as_millis();
            warn!(
                late_ms,
                "this registrar did not run for a while; is the host overloaded?"
            );
        }
        Event::ShutDown => info!("shut down"),
    }
}

fn log_misbehaviour(event: &Event) {
    if let Event::BadMessage { association, error } = event {
        warn!(association = association.0, %error, "not an ASAP message");
    } else if let Event::UnexpectedMessage {
        association,
        message_type,
    } = event
    {
        warn!(
            association = association.0,
            message_type, "unexpected message"
        );
    } else if let Event::ErrorReceived { association, error } = event {
        warn!(association = association.0, %error, "error reported to us");
    } else if let Event::LimitReached { limit, association } = event {
        let association = association.map(|association| association.0);
        warn!(%limit, association, "limit reached: somebody was refused");
    }
}
