//! Copies of the messages that the peer has not acknowledged.
//!
//! dcsctp does not give back what it could not deliver. The copies are what
//! [`crate::Event::SendFailed`] returns, and their octets are what is counted for backpressure.
//! They are bounded by [`crate::Config::send_queue_octets_max`].

use std::collections::BTreeMap;

use crate::event::Outgoing;

#[derive(Default)]
pub(crate) struct Outbox {
    messages: BTreeMap<u64, Outgoing>,
    octets: usize,
    last: u64,
}

impl Outbox {
    /// Keeps `message` under the number returned, which is never 0.
    pub(crate) fn keep(&mut self, message: Outgoing) -> u64 {
        self.last += 1;
        self.octets += message.data.len();
        self.messages.insert(self.last, message);
        self.last
    }

    pub(crate) fn on_acknowledged(&mut self, number: u64) {
        if let Some(message) = self.messages.remove(&number) {
            self.octets -= message.data.len();
        }
    }

    /// Everything, in the order of sending.
    pub(crate) fn take_all(&mut self) -> Vec<Outgoing> {
        self.octets = 0;
        std::mem::take(&mut self.messages).into_values().collect()
    }

    /// Octets not acknowledged.
    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}
