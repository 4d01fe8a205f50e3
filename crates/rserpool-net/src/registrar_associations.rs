//! The associations of a pool element or a pool user with registrars: those that its machine asked
//! for and those that are up.

use crate::connecting::Connecting;
use crate::network::Network;
use rserpool_core::{AssociationId, RegistrarAddress};
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct RegistrarAssociations {
    connecting: Connecting<RegistrarAddress>,
    up: BTreeMap<AssociationId, RegistrarAddress>,
}

/// What the end of an association means to the machine.
pub(crate) enum Ended {
    ConnectFailed(RegistrarAddress),
    Lost,
}

impl RegistrarAssociations {
    pub(crate) fn connect(&mut self, network: &mut Network, registrar: RegistrarAddress) {
        let association = network.connect(&registrar);
        self.connecting.add(association, registrar);
    }

    pub(crate) fn stop_connecting(&mut self, network: &mut Network, registrar: &RegistrarAddress) {
        if let Some(association) = self.connecting.stop(registrar) {
            network.abort(association, "another registrar answered first");
        }
    }

    /// An association is up: with which registrar, if it was asked for.
    pub(crate) fn on_up(&mut self, association: AssociationId) -> Option<RegistrarAddress> {
        let registrar = self.connecting.remove(association)?;
        self.up.insert(association, registrar.clone());
        Some(registrar)
    }

    /// A registrar began this association.
    pub(crate) fn add(&mut self, association: AssociationId, registrar: RegistrarAddress) {
        self.up.insert(association, registrar);
    }

    pub(crate) fn is_up(&self, association: AssociationId) -> bool {
        self.up.contains_key(&association)
    }

    pub(crate) fn on_down(&mut self, association: AssociationId) -> Option<Ended> {
        if let Some(registrar) = self.connecting.remove(association) {
            return Some(Ended::ConnectFailed(registrar));
        }
        self.up.remove(&association).map(|_| Ended::Lost)
    }
}
