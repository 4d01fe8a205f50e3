//! Audit (RFC 5353 §3.6.1): is what is known of a peer's pool elements what the peer knows?
//!
//! Must not know how it is mended.

use super::Registrar;
use rserpool_wire::RegistrarId;
use rserpool_wire::parameter::PeChecksum;

impl Registrar {
    /// A presence told the peer's checksum.
    pub(super) fn on_peer_checksum(&mut self, peer: RegistrarId, told: PeChecksum) {
        let _ = (peer, told);
    }
}
