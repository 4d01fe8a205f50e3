//! Every ENRP message takes this way (RFC 5353).
//!
//! Must not know what any message means.

use super::Registrar;
use crate::AssociationId;
use rserpool_wire::enrp::Message;
use rserpool_wire::{Decoded, Undecodable};
use std::net::SocketAddr;

impl Registrar {
    pub(super) fn on_enrp_received(
        &mut self,
        from: AssociationId,
        message: Result<Decoded<Message>, Undecodable>,
    ) {
        let _ = (from, message);
        self.counters.enrp_unexpected += 1;
    }

    /// A hint where a peer may be, and no more: anybody can send it (RFC 5353 §6.2).
    pub(super) fn on_enrp_announced(&mut self, from: SocketAddr, message: Message) {
        let _ = (from, message);
    }
}
