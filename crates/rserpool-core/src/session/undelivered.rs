//! What a pool user has sent in a session and does not know to have arrived: what is sent again,
//! or given back, when the pool element fails (RFC 5352 §6.5.5).
//!
//! Must not know how it is found out what has arrived.

use super::{OnFailover, SessionMessage};
use std::collections::VecDeque;

/// Octets that are kept for the next pool element. Four times what may be on its way: more comes
/// together only where nobody looks after the session.
pub const UNDELIVERED_OCTETS_MAX: usize = 1 << 20;

/// Messages that are kept: a flood of tiny ones is bounded too.
pub const UNDELIVERED_MESSAGES_MAX: usize = 4096;

/// The messages of a session that are not known to have arrived, in the order in which the
/// application sent them.
#[derive(Default, Debug)]
pub struct Undelivered {
    messages: VecDeque<Kept>,
    octets: usize,
    /// How many of them, the last ones, have not been handed to an association.
    waiting: usize,
}

#[derive(Debug)]
struct Kept {
    /// Its number on the association of now.
    number: Option<u64>,
    message: SessionMessage,
}

impl Undelivered {
    /// Whether another message can be kept.
    pub fn has_room(&self) -> bool {
        self.octets < UNDELIVERED_OCTETS_MAX && self.messages.len() < UNDELIVERED_MESSAGES_MAX
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether all has arrived.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// A message was handed to the association as the one with this number. Numbers grow.
    pub fn add_sent(&mut self, number: u64, message: SessionMessage) {
        debug_assert_eq!(self.waiting, 0, "those that wait are sent before");
        self.octets += message.data.len();
        let number = Some(number);
        self.messages.push_back(Kept { number, message });
    }

    /// A message has to wait for the next pool element, or for those before it.
    pub fn add_waiting(&mut self, message: SessionMessage) {
        self.octets += message.data.len();
        self.waiting += 1;
        let number = None;
        self.messages.push_back(Kept { number, message });
    }

    /// All messages of the association up to this number have arrived.
    pub fn on_arrived(&mut self, up_to: u64) {
        while let Some(kept) = self.messages.front()
            && kept.number.is_some_and(|number| number <= up_to)
        {
            self.octets -= kept.message.data.len();
            self.messages.pop_front();
        }
    }

    /// Another pool element serves. Returned is what is to be given back; all else waits to be
    /// sent again.
    pub fn fail_over(&mut self) -> Vec<SessionMessage> {
        self.fail_over_to(|_| true)
    }

    /// As [`Self::fail_over`], to one that `takes` some messages and not others: those are given
    /// back too, as they would be in the way of the others for ever.
    pub fn fail_over_to(&mut self, takes: impl Fn(&SessionMessage) -> bool) -> Vec<SessionMessage> {
        let (mut returned, mut kept) = (Vec::new(), VecDeque::new());
        for Kept { message, .. } in self.messages.drain(..) {
            if message.on_failover == OnFailover::Return || !takes(&message) {
                self.octets -= message.data.len();
                returned.push(message);
            } else {
                let number = None;
                kept.push_back(Kept { number, message });
            }
        }
        self.waiting = kept.len();
        self.messages = kept;
        returned
    }

    /// The first one that waits to be sent.
    pub fn next_waiting(&self) -> Option<&SessionMessage> {
        let index = self.messages.len() - self.waiting;
        self.messages.get(index).map(|kept| &kept.message)
    }

    /// The first one that waits was handed to the association as the one with this number.
    pub fn sent_next_waiting(&mut self, number: u64) {
        let index = self.messages.len() - self.waiting;
        if let Some(kept) = self.messages.get_mut(index) {
            kept.number = Some(number);
            self.waiting -= 1;
        }
    }

    /// All of them: the session has ended.
    pub fn take(&mut self) -> Vec<SessionMessage> {
        (self.octets, self.waiting) = (0, 0);
        self.messages.drain(..).map(|kept| kept.message).collect()
    }
}
