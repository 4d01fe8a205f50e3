//! Handle tables (RFC 5353 §3.2.3, §3.6.3): the registrar that is asked for them.
//!
//! Must not know what they are asked for.

use super::Registrar;
use rserpool_wire::RegistrarId;
use rserpool_wire::enrp::HandleTableRequest;

impl Registrar {
    /// A peer asks for the handlespace, or for what this registrar owns of it.
    pub(super) fn on_handle_table_request(
        &mut self,
        from: RegistrarId,
        message: HandleTableRequest,
    ) {
        let _ = (from, message);
    }
}
