//! Handle updates (RFC 5353 §3.3): what changes at one registrar changes at all.
//!
//! Must not know why it changed.

use super::Registrar;
use rserpool_wire::RegistrarId;
use rserpool_wire::enrp::HandleUpdate;

impl Registrar {
    /// A peer tells of a pool element.
    pub(super) fn on_handle_update(&mut self, from: RegistrarId, message: HandleUpdate) {
        let _ = (from, message);
    }
}
