//! A pool user's events.

use rserpool_core::pool_user::Event;
use tracing::{debug, info, warn};

/// Logs an event: where its registrar is at `info`, the rest at `debug`.
pub(super) fn log(event: &Event) {
    match event {
        Event::Resolved {
            pool_handle,
            resolution,
            source,
            ..
        } => {
            let pool_elements = resolution.pool_elements.len();
            debug!(pool = %pool_handle, pool_elements, ?source, "resolved");
        }
        Event::Selected {
            pool_handle,
            pool_element,
            source,
            ..
        } => {
            debug!(pool = %pool_handle, element = %pool_element.id(), ?source, "selected");
        }
        Event::ResolveFailed {
            pool_handle, error, ..
        } => {
            debug!(pool = %pool_handle, %error, "not resolved");
        }
        Event::PoolUpdated {
            pool_handle,
            resolution,
        } => {
            let pool_elements = resolution.as_ref().map_or(0, |r| r.pool_elements.len());
            debug!(pool = %pool_handle, pool_elements, "updated");
        }
        Event::ServerHuntStarted { lost } => {
            let lost = lost.as_ref().map(ToString::to_string);
            info!(lost, "looking for a registrar");
        }
        Event::HomeRegistrarChanged { home } => info!(%home, "home registrar"),
        Event::BadMessage { error } => warn!(%error, "not an ASAP message"),
        Event::UnexpectedMessage { message_type } => warn!(message_type, "unexpected message"),
        Event::ErrorReceived { error } => warn!(%error, "error reported to us"),
    }
}
