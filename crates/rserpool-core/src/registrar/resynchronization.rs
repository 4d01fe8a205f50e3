//! Re-synchronisation (RFC 5353 §3.6.3).
//!
//! Must not know what was wrong.

use super::Registrar;
use rserpool_wire::RegistrarId;

impl Registrar {
    /// The association with a known peer was re-established: updates may have been lost.
    pub(super) fn force_resynchronization(&mut self, peer: RegistrarId) {
        let _ = peer;
    }

    /// The association with a peer is gone, or the peer itself: no session with it goes on.
    pub(super) fn stop_table_sessions(&mut self, peer: RegistrarId) {
        let _ = peer;
    }
}
