//! What is no message, or none for the control channel of a session (RFC 5352 §2.2.14).
//!
//! Must not know octets: what to report was decided where they were read.

use rserpool_wire::asap::{self, Message};
use rserpool_wire::parameter::{ErrorCause, OperationError};

/// ASAP_ERROR messages that one association is sent: two ends that find fault with each other
/// must not do so for ever, and nobody learns more from the next one.
pub const CONTROL_ERRORS_MAX: u8 = 8;

/// How many errors this association has been sent.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct ErrorsSent(u8);

impl ErrorsSent {
    /// The report of what was wrong with a message, if anything was and it may still be told.
    pub(super) fn report(&mut self, causes: Vec<ErrorCause>) -> Option<Message> {
        if causes.is_empty() || self.0 >= CONTROL_ERRORS_MAX {
            return None;
        }
        self.0 += 1;
        let error = OperationError { causes };
        Some(asap::Error { error }.into())
    }
}
