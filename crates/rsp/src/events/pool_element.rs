//! A pool element's events.

use rserpool_core::pool_element::Event;
use tracing::{info, warn};

/// Logs an event: what its registration goes through at `info`, what it should not at `warn`.
pub(super) fn log(event: &Event) {
    match event {
        Event::ServerHuntStarted { lost } => {
            let lost = lost.as_ref().map(ToString::to_string);
            info!(lost, "looking for a registrar");
        }
        Event::HomeRegistrarChanged { home, registrar } => {
            let registrar = registrar.map(|registrar| registrar.to_string());
            info!(%home, registrar, "home registrar");
        }
        Event::Registered { home, id, warning } => {
            let warning = warning.as_ref().map(ToString::to_string);
            info!(element = %id, %home, warning, "registered");
        }
        Event::RegistrationRejected { error, will_retry } => {
            let error = error.as_ref().map(ToString::to_string);
            warn!(error, will_retry, "registration rejected");
        }
        Event::RegistrationFailed {
            attempts,
            will_retry,
        } => {
            warn!(
                attempts,
                will_retry, "no registrar answers; is one running?"
            );
        }
        Event::Expired => warn!("the registrar had removed this element; it registers again"),
        Event::Deregistered => info!("deregistered"),
        Event::DeregistrationRejected { error } => warn!(%error, "deregistration rejected"),
        Event::DeregistrationFailed { attempts } => {
            warn!(
                attempts,
                "deregistration not answered; the registration ends with its life"
            );
        }
        Event::BadMessage { error } => warn!(%error, "not an ASAP message"),
        Event::UnexpectedMessage { message_type } => warn!(message_type, "unexpected message"),
        Event::ErrorReceived { error } => warn!(%error, "error reported to us"),
    }
}
