//! The associations that a machine asked for and that are not up yet.

use rserpool_core::AssociationId;
use std::collections::BTreeMap;

/// By their numbers, whom they lead to as the machine named it.
pub(crate) struct Connecting<T>(BTreeMap<AssociationId, T>);

impl<T> Default for Connecting<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: PartialEq> Connecting<T> {
    pub(crate) fn add(&mut self, association: AssociationId, to: T) {
        self.0.insert(association, to);
    }

    /// It came up, or ended: whom it was to lead to, if it was asked for.
    pub(crate) fn remove(&mut self, association: AssociationId) -> Option<T> {
        self.0.remove(&association)
    }

    /// It is not asked for any longer.
    pub(crate) fn stop(&mut self, to: &T) -> Option<AssociationId> {
        let (association, _) = self.0.iter().find(|(_, wanted)| *wanted == to)?;
        let association = *association;
        self.0.remove(&association);
        Some(association)
    }
}
