//! Who is a pool element's home.
//!
//! Must not know why a home changes.

use super::Registrar;
use crate::AssociationId;
use rserpool_handlespace::ElementKey;
use rserpool_wire::RegistrarId;

impl Registrar {
    /// All pool elements of one registrar get another one as their home, in one step. If it is
    /// this one, they are its own without an association until they are [adopted](Self::adopt):
    /// neither their keep-alives nor their registration lives run.
    pub(super) fn rehome(&mut self, from: RegistrarId, to: RegistrarId) -> Vec<ElementKey> {
        let _ = (from, to);
        Vec::new()
    }

    /// A pool element that is this registrar's own without an association answers over this one:
    /// from now on it is watched like any other. False if it is not such a pool element.
    pub(super) fn adopt(&mut self, key: ElementKey, association: AssociationId) -> bool {
        let _ = (key, association);
        false
    }

    /// Whether a pool element is this registrar's own and has no association yet.
    pub(super) fn is_to_be_adopted(&self, key: ElementKey) -> bool {
        let _ = key;
        false
    }
}
