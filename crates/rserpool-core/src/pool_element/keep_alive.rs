//! Endpoint keep-alive (RFC 5352 §3.4): KA1 and KA2.
//!
//! Must not know how registrations are sent.

use super::PoolElement;
use crate::AssociationId;
use rserpool_wire::asap::{EndpointKeepAlive, EndpointKeepAliveAck};

/// Keep-alives answered per second, and as many in a burst (RFC 5355 §2.14). The shortest
/// interval of any preset asks for seven.
const ACKS_PER_SECOND: u32 = 50;

impl PoolElement {
    pub(super) fn on_endpoint_keep_alive(
        &mut self,
        from: AssociationId,
        message: &EndpointKeepAlive,
    ) {
        // KA1: a wrong pool handle is silently discarded. So is one for another pool element, and
        // any before the first registration or after the last.
        let is_for_us = message.pool_handle == self.config.pool_handle
            && message.pool_element.is_none_or(|id| id == self.id)
            && (self.is_registered || self.outstanding.is_some() || self.granted.is_some());
        if !is_for_us || !self.acks.admit(self.now, ACKS_PER_SECOND) {
            self.discarded += 1;
            return;
        }
        // KA2.1 to KA2.3.
        let ack = EndpointKeepAliveAck {
            pool_handle: self.config.pool_handle.clone(),
            pool_element: self.id,
        };
        self.outputs.send(from, ack);
        let is_home = self.is_home(from);
        let Some(sender) = self.registrar_of(from) else {
            return;
        };
        sender.registrar = Some(message.registrar);
        // KA2.4: adopt the sender of a keep-alive with the H flag, unless it is the home
        // registrar already.
        if message.home && !is_home {
            let home = sender.clone();
            self.adopt(home);
        }
    }
}
