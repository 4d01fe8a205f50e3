//! Deregistration (RFC 5352 §3.2), and the end of a registration life (§2.2.4).
//!
//! Must not know who else is told that a pool element left.

use super::Registrar;
use super::Timer;
use super::event::{Event, RemovalReason};
use crate::{AssociationId, Timestamp};
use rserpool_handlespace::ElementKey;
use rserpool_wire::asap::{Deregistration, DeregistrationResponse};
use rserpool_wire::parameter::{ErrorCause, OperationError};
use std::time::Duration;

impl Registrar {
    pub(super) fn on_deregistration(&mut self, from: AssociationId, message: &Deregistration) {
        let Deregistration {
            pool_handle,
            pool_element,
        } = message;
        self.forget_slow_element(from, pool_handle, *pool_element);
        let known = self.handlespace.find(pool_handle, *pool_element);
        let owner = known
            .and_then(|key| self.handlespace.element(key))
            .and_then(|element| element.data.association());
        let error = match known {
            // "If the ENRP server fails to find any record of the PE in its handlespace, it
            // SHOULD consider the de-registration granted and completed."
            None => None,
            // One that is to be adopted leaves instead.
            Some(key)
                if owner == Some(from)
                    || (self.is_to_be_adopted(key) && self.is_recorded_sender(from, key)) =>
            {
                self.remove(key, RemovalReason::Deregistered);
                None
            }
            // RFC 5352 §2.2.2: "de-registration is NOT allowed by proxy"; and only at its home,
            // which alone is believed when it tells of it.
            Some(_) => {
                self.counters.deregistrations_rejected += 1;
                self.emit(Event::DeregistrationRejected {
                    association: from,
                    pool_handle: pool_handle.clone(),
                    pool_element: *pool_element,
                });
                Some(OperationError::from(ErrorCause::RejectedDueToSecurity))
            }
        };
        let response = DeregistrationResponse {
            pool_handle: pool_handle.clone(),
            pool_element: *pool_element,
            error,
        };
        self.send(from, response);
    }

    /// A registration life ran out (RFC 5352 §2.2.4, §3.2). It stood still while this registrar
    /// slept, and nobody could renew it.
    pub(super) fn fire_registration_life(&mut self, key: ElementKey, deadline: Timestamp) {
        let slept = self.slept;
        let Some(state) = self.handlespace.data_mut(key) else {
            return;
        };
        let stood_still = slept.saturating_sub(std::mem::replace(&mut state.slept, slept));
        if stood_still > 0 {
            let timer = Timer::RegistrationLife(key);
            let later = deadline + Duration::from_secs(u64::from(stood_still));
            self.timers.start(&mut state.life_timer, timer, later);
            return;
        }
        if let Some(removed) = self.remove(key, RemovalReason::Expired)
            && let Some(association) = removed.data.association()
        {
            self.tell_removed(association, removed.pool_handle, removed.encoded.id());
        }
    }
}
