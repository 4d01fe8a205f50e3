//! What is no message, or none for a pool element (RFC 5352 §2.2.14).
//!
//! Must not know octets: what to report was decided where they were read.

use super::{Event, PoolElement};
use crate::AssociationId;
use rserpool_wire::Undecodable;
use rserpool_wire::asap::{self, Message};
use rserpool_wire::parameter::{ErrorCause, OperationError};

/// ASAP_ERROR messages per second: two ends that find fault with each other must not do so for
/// ever.
const ERRORS_PER_SECOND: u32 = 10;

impl PoolElement {
    pub(super) fn on_undecodable(&mut self, from: AssociationId, undecodable: Undecodable) {
        self.emit(Event::BadMessage {
            error: undecodable.error,
        });
        self.send_error(from, undecodable.report);
    }

    pub(super) fn on_unexpected(&mut self, message: &Message) {
        self.emit(Event::UnexpectedMessage {
            message_type: message.message_type(),
        });
    }

    pub(super) fn send_error(&mut self, to: AssociationId, causes: Vec<ErrorCause>) {
        if !causes.is_empty() && self.errors.admit(self.now, ERRORS_PER_SECOND) {
            let error = OperationError { causes };
            self.send(to, asap::Error { error });
        }
    }
}
