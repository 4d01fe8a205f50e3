//! How peers are connected, and which association is whose.
//!
//! Must not know what is said over it.

use super::{Registrar, Remote};
use crate::{AssociationId, PeerAddress};

impl Registrar {
    pub(super) fn on_connected(
        &mut self,
        association: AssociationId,
        to: Remote,
        peer: PeerAddress,
    ) {
        let _ = to;
        self.on_association_up(association, peer);
    }

    pub(super) fn on_connect_failed(&mut self, to: Remote) {
        let _ = to;
    }
}
