//! Re-synchronisation (RFC 5353 §3.6.3).
//!
//! Must not know what was wrong.

use super::Registrar;
use rserpool_wire::RegistrarId;
use rserpool_wire::enrp::HandleTableResponse;

/// The sessions with one peer in which handle tables are asked for and sent.
#[derive(Clone, Debug, Default)]
pub(super) struct TableSessions {}

impl TableSessions {
    /// Whether a re-synchronisation with the peer, or a download from it, is running.
    pub(super) fn is_synchronizing(&self) -> bool {
        false
    }
}

impl Registrar {
    /// A peer sends a part of a handle table.
    pub(super) fn on_handle_table_response(
        &mut self,
        from: RegistrarId,
        message: HandleTableResponse,
    ) {
        let _ = (from, message);
    }

    /// The association with a known peer was re-established: updates may have been lost.
    pub(super) fn force_resynchronization(&mut self, peer: RegistrarId) {
        let _ = peer;
    }

    /// The association with a peer is gone, or the peer itself: no session with it goes on. A
    /// download from it ends in `on_download_ended`.
    pub(super) fn stop_table_sessions(&mut self, peer: RegistrarId) {
        let _ = peer;
    }
}
