//! Copies of the messages that the peer has not acknowledged.
//!
//! dcsctp does not give back what it could not deliver. The copies are what
//! [`crate::Event::SendFailed`] returns, and their octets are what is counted for backpressure.
//! They are bounded by [`crate::Config::send_queue_octets_max`].

use std::collections::BTreeMap;

use crate::event::Outgoing;

#[derive(Default)]
pub(crate) struct Outbox {
    messages: BTreeMap<u64, Kept>,
    octets: usize,
    last: u64,
}

struct Kept {
    message: Outgoing,
    /// All of it has been on the wire once: a restart of the peer loses it.
    sent: bool,
}

impl Outbox {
    /// Keeps `message` under the number returned, which is never 0.
    pub(crate) fn keep(&mut self, message: Outgoing) -> u64 {
        self.last += 1;
        self.octets += message.data.len();
        self.messages.insert(
            self.last,
            Kept {
                message,
                sent: false,
            },
        );
        self.last
    }

    pub(crate) fn on_sent(&mut self, number: u64) {
        if let Some(kept) = self.messages.get_mut(&number) {
            kept.sent = true;
        }
    }

    pub(crate) fn on_acknowledged(&mut self, number: u64) {
        if let Some(kept) = self.messages.remove(&number) {
            self.octets -= kept.message.data.len();
        }
    }

    /// What a restart of the peer loses, in the order of sending.
    pub(crate) fn take_sent(&mut self) -> Vec<Outgoing> {
        let sent: Vec<u64> = self
            .messages
            .iter()
            .filter(|(_, kept)| kept.sent)
            .map(|(number, _)| *number)
            .collect();
        sent.into_iter()
            .filter_map(|number| self.take(number))
            .collect()
    }

    /// Everything, in the order of sending.
    pub(crate) fn take_all(&mut self) -> Vec<Outgoing> {
        self.octets = 0;
        std::mem::take(&mut self.messages)
            .into_values()
            .map(|kept| kept.message)
            .collect()
    }

    /// Octets not acknowledged.
    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    fn take(&mut self, number: u64) -> Option<Outgoing> {
        let message = self.messages.remove(&number)?.message;
        self.octets -= message.data.len();
        Some(message)
    }
}
