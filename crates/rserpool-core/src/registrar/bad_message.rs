//! What is no message, or none for a registrar (RFC 5352 §2.2.14, RFC 5354 §3.12).
//!
//! Must not know octets: what to report was decided where they were read.

use super::event::Event;
use super::{Limit, Registrar};
use crate::AssociationId;
use rserpool_wire::Undecodable;
use rserpool_wire::asap::{self, Message};
use rserpool_wire::parameter::{ErrorCause, OperationError};

impl Registrar {
    pub(super) fn on_undecodable(&mut self, from: AssociationId, undecodable: Undecodable) {
        self.counters.bad_messages += 1;
        self.emit(Event::BadMessage {
            association: from,
            error: undecodable.error,
        });
        self.send_error(from, undecodable.report);
    }

    /// Parameters that were skipped and must be reported. Never for an ASAP_ERROR: two ends would
    /// answer each other for ever.
    pub(super) fn report_unrecognized(&mut self, from: AssociationId, causes: Vec<ErrorCause>) {
        self.send_error(from, causes);
    }

    pub(super) fn on_unexpected(&mut self, from: AssociationId, message: &Message) {
        self.counters.unexpected_messages += 1;
        self.emit(Event::UnexpectedMessage {
            association: from,
            message_type: message.message_type(),
        });
    }

    pub(super) fn on_error(&mut self, from: AssociationId, message: asap::Error) {
        self.counters.errors_received += 1;
        self.emit(Event::ErrorReceived {
            association: from,
            error: message.error,
        });
    }

    fn send_error(&mut self, to: AssociationId, causes: Vec<ErrorCause>) {
        if self.admit_error(to, &causes) {
            let error = OperationError { causes };
            self.send(to, asap::Error { error });
        }
    }

    /// Whether there is something to report, and not too much has been reported already.
    pub(super) fn admit_error(&mut self, to: AssociationId, causes: &[ErrorCause]) -> bool {
        if causes.is_empty() {
            return false;
        }
        let rate = self.config.limits.errors_per_second;
        let admitted = self
            .associations
            .get_mut(&to)
            .is_some_and(|association| association.errors.admit(self.now, rate));
        if admitted {
            self.counters.errors_sent += 1;
        } else {
            self.count_limit(Limit::Errors, Some(to));
        }
        admitted
    }
}
