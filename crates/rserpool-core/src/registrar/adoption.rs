//! Adoption (RFC 5353 §3.5.2, step 2): pool elements that were taken over are asked to take this
//! registrar as their home.
//!
//! Must not know why they were taken over.

use super::Registrar;
use crate::AssociationId;
use rserpool_handlespace::ElementKey;

impl Registrar {
    /// A pool element that was taken over has accepted this registrar as its home.
    pub(super) fn on_adoption_acknowledged(&mut self, key: ElementKey, association: AssociationId) {
        self.adopt(key, association);
    }
}
