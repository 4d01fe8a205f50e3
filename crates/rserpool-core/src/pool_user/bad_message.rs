//! What is no message, or none for a pool user (RFC 5352 §2.2.14).
//!
//! Must not know octets: what to report was decided where they were read.

use super::{Event, PoolUser};
use crate::AssociationId;
use rserpool_wire::Undecodable;
use rserpool_wire::asap::Message;

impl PoolUser {
    pub(super) fn on_undecodable(&mut self, from: AssociationId, undecodable: Undecodable) {
        self.outputs.emit(Event::BadMessage {
            error: undecodable.error,
        });
        self.outputs.send_error(self.now, from, undecodable.report);
    }

    pub(super) fn on_unexpected(&mut self, message: &Message) {
        self.outputs.emit(Event::UnexpectedMessage {
            message_type: message.message_type(),
        });
    }
}
