//! Of a session's requests that have not arrived, none is forgotten: it is sent again or given
//! back, as its sender wanted (RFC 5352 §6.5.5).
//!
//! Must not know what an answer is to be.

use super::Rule;
use crate::network::EndId;
use crate::session::{FailedOver, SessionId};
use crate::world::World;
use rserpool_core::session::OnFailover;

impl World {
    /// Another pool element serves. Requests that may not have arrived: all of them are sent again
    /// by themselves, or all of them are given back, in their order. All others have arrived.
    pub(crate) fn check_failed_over(&mut self, id: SessionId, failed_over: &FailedOver) {
        let Some(held) = self.sessions.held.get(&id) else {
            return;
        };
        let unknown: Vec<u64> = match held.fate {
            OnFailover::Forget => Vec::new(),
            OnFailover::Resend | OnFailover::Return => (held.arrived + 1..=held.sent).collect(),
        };
        let (returned, waiting) = match held.fate {
            OnFailover::Return => (unknown.as_slice(), [].as_slice()),
            OnFailover::Forget | OnFailover::Resend => ([].as_slice(), unknown.as_slice()),
        };
        let is_complete = failed_over.returned == returned
            && failed_over.first_waiting == waiting.first().copied()
            && failed_over.waiting == waiting.len();
        let counted = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.statistics.sessions.returned += counted(failed_over.returned.len());
        self.statistics.sessions.resent += counted(failed_over.waiting);
        if !is_complete || held.arrived > held.reached {
            let (arrived, reached, sent) = (held.arrived, held.reached, held.sent);
            let text = format_args!(
                "session {} has {failed_over:?}; {sent} requests sent, {reached} arrived, of \
                 which {arrived} are known to have",
                id.0
            );
            self.violate(Rule::Undelivered, held.node, text);
        }
    }

    /// The association is gone. Who closed it in good order, as its draining came to an end, has
    /// given a cookie after all its answers: nothing will be repeated.
    pub(crate) fn check_in_good_order(&mut self, id: SessionId, end: EndId) {
        let association = &self.associations[end.association() as usize];
        if !association.is_closed_in_good_order || !self.has_control_channel(end) {
            return;
        }
        let Some(held) = self.sessions.held.get(&id) else {
            return;
        };
        let at_stake = held.at_stake();
        if at_stake > 0 {
            let text = format_args!("session {} repeats {at_stake} after a draining", id.0);
            self.violate(Rule::DrainedRepeats, held.node, text);
        }
    }
}
