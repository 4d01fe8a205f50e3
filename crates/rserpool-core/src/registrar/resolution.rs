//! Handle resolution (RFC 5352 §3.3).
//!
//! Must not know policies: which pool elements, and in which order, is the handlespace's.

use super::event::{Event, SubscriptionEnd};
use super::{Limit, Registrar};
use crate::AssociationId;
use rserpool_handlespace::ResolveError;
use rserpool_wire::PoolHandle;
use rserpool_wire::asap::{HandleResolution, HandleResolutionResponse, Message};
use rserpool_wire::parameter::{ErrorCause, OperationError};

/// Pool elements in one response: more than 65,535 octets can hold, the smallest being 28 long.
pub(super) const ITEMS_MAX: usize = 2_340;

impl Registrar {
    pub(super) fn on_handle_resolution(&mut self, from: AssociationId, message: HandleResolution) {
        if self.defers(from, &message) {
            return;
        }
        self.answer_earlier(from, &message.pool_handle);
        self.answer(from, message);
    }

    /// Answers with what is known.
    fn answer(&mut self, from: AssociationId, message: HandleResolution) {
        let HandleResolution {
            pool_handle,
            subscribe,
            items,
        } = message;
        let items = self.items(items);
        let result = self.handlespace.resolve(&pool_handle, items);
        let pool_exists = result != Err(ResolveError::UnknownPool);
        let updates_accepted = if subscribe && pool_exists {
            self.subscribe(from, &pool_handle, items)
        } else {
            // RFC 5352 §2.2.5: "If a negative response is returned, no further updates to the
            // Pool (when it is created) will occur"; without the S bit none are requested.
            let reason = if pool_exists {
                SubscriptionEnd::Unsubscribed
            } else {
                SubscriptionEnd::PoolRemoved
            };
            self.unsubscribe(from, &pool_handle, reason);
            false
        };
        let pool_elements = result
            .as_ref()
            .map_or(0, |resolution| resolution.pool_elements.len());
        if result.is_ok() {
            self.counters.resolutions += 1;
        } else {
            self.counters.resolutions_negative += 1;
        }
        self.send(
            from,
            HandleResolutionResponse {
                pool_handle: pool_handle.clone(),
                updates_accepted,
                result: result.map_err(negative_answer),
            },
        );
        self.emit(Event::HandleResolved {
            association: from,
            pool_handle,
            pool_elements,
        });
    }

    /// The handlespace has been downloaded: whoever waited for it is answered.
    pub(super) fn answer_deferred_resolutions(&mut self) {
        for (from, message) in std::mem::take(&mut self.deferred_resolutions) {
            if self.associations.contains_key(&from) {
                self.on_handle_resolution(from, message);
            }
        }
    }

    /// Answers keep their order: what the same one has asked before of the same pool, and what
    /// still waits, comes first. Else an old request for updates would undo a newer one for none.
    fn answer_earlier(&mut self, from: AssociationId, pool_handle: &PoolHandle) {
        if self.handlespace.pool_len(pool_handle) == 0 {
            return;
        }
        let is_same = |(association, waiting): &(AssociationId, HandleResolution)| {
            *association == from && waiting.pool_handle == *pool_handle
        };
        while let Some(index) = self.deferred_resolutions.iter().position(is_same) {
            if let Some((from, earlier)) = self.deferred_resolutions.remove(index) {
                self.on_handle_resolution(from, earlier);
            }
        }
    }

    /// rsplib takes answers for those to its requests in their order, whatever they name: before
    /// anything else is answered, so is what still waits.
    pub(super) fn answer_in_order(&mut self, from: AssociationId, message: &Message) {
        let is_answered = match message {
            Message::Registration(_) | Message::Deregistration(_) => true,
            Message::HandleResolution(resolution) => {
                self.handlespace.pool_len(&resolution.pool_handle) > 0
            }
            Message::RegistrationResponse(_)
            | Message::DeregistrationResponse(_)
            | Message::HandleResolutionResponse(_)
            | Message::EndpointKeepAlive(_)
            | Message::EndpointKeepAliveAck(_)
            | Message::EndpointUnreachable(_)
            | Message::ServerAnnounce(_)
            | Message::Cookie(_)
            | Message::CookieEcho(_)
            | Message::BusinessCard(_)
            | Message::Error(_) => false,
        };
        if !is_answered || !self.config.compatibility.is_rsplib() {
            return;
        }
        let is_theirs = |(association, _): &(AssociationId, HandleResolution)| *association == from;
        while let Some(index) = self.deferred_resolutions.iter().position(is_theirs) {
            if let Some((from, earlier)) = self.deferred_resolutions.remove(index) {
                self.answer(from, earlier);
            }
        }
    }

    /// While this registrar starts, it does not know what it does not know: who asks for a pool
    /// that is not known yet waits, if there is room.
    fn defers(&mut self, from: AssociationId, message: &HandleResolution) -> bool {
        if self.is_initialized() || self.handlespace.pool_len(&message.pool_handle) > 0 {
            return false;
        }
        if self.deferred_resolutions.len() >= self.config.limits.deferred_resolutions_max {
            self.count_limit(Limit::DeferredResolutions, Some(from));
            return false;
        }
        let message = message.clone();
        self.deferred_resolutions.push_back((from, message));
        true
    }

    /// How many pool elements are wanted: "the ENRP server SHOULD list all the PEs currently
    /// registered in this pool", unless the request says how many.
    fn items(&self, wanted: Option<u32>) -> usize {
        let wanted = wanted.filter(|items| *items != 0).map_or_else(
            || {
                self.config
                    .compatibility
                    .items_default(self.config.items_default)
            },
            |items| usize::try_from(items).unwrap_or(usize::MAX),
        );
        wanted.clamp(1, ITEMS_MAX)
    }
}

/// Why a resolution has no pool elements. The RFC names no cause for a pool that exists and has
/// nothing to select; what it lacks is capacity.
pub(super) fn negative_answer(error: ResolveError) -> OperationError {
    OperationError::from(match error {
        ResolveError::UnknownPool => ErrorCause::UnknownPoolHandle,
        ResolveError::NothingSelectable => ErrorCause::LackOfResources,
    })
}
