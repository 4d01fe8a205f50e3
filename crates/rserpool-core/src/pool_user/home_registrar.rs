//! Finding, losing and changing the home registrar (RFC 5352 §3.6, §3.7).
//!
//! Must not know what is asked of it, only that it is asked again.

use super::{Event, PoolUser};
use crate::server_hunt::ATTEMPTS_MAX;
use crate::{AssociationId, RegistrarAddress};
use rserpool_wire::asap::Message;
use std::net::SocketAddr;

/// The association or connection with the home registrar.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Home {
    pub(super) association: AssociationId,
    pub(super) address: RegistrarAddress,
}

impl PoolUser {
    /// SH3, SH6: the first association that comes up is with the home registrar; also if it was
    /// established beside one that does not answer (RFC 5352 §3.7.2).
    pub(super) fn on_association_up(
        &mut self,
        association: AssociationId,
        address: RegistrarAddress,
    ) {
        if !self.hunt.is_attempting(&address) {
            return self.outputs.close(association);
        }
        if let Some(old) = self.home.take() {
            self.outputs.close(old.association);
        }
        self.hunt.set_home(Some(address.clone()));
        self.hunt.stop();
        self.outputs.emit(Event::HomeRegistrarChanged {
            home: address.clone(),
        });
        self.home = Some(Home {
            association,
            address,
        });
        self.ask_again();
        self.send_waiting_reports();
    }

    pub(super) fn on_association_lost(&mut self, association: AssociationId) {
        if self.is_home(association) {
            self.lose_home();
        }
    }

    /// RFC 5352 §3.7.1: "the ENRP server is unreachable"; another one is looked for.
    pub(super) fn on_send_failed(&mut self, association: AssociationId) {
        if self.is_home(association) {
            self.outputs.close(association);
            self.lose_home();
        }
    }

    pub(super) fn on_announced(&mut self, from: SocketAddr, message: &Message) {
        if let Message::ServerAnnounce(announce) = message {
            self.hunt
                .on_announce(self.now, &mut self.rng, from, announce);
        } else {
            self.discarded += 1;
        }
    }

    /// The home registrar does not answer: "In parallel, the ASAP Endpoint should begin the ENRP
    /// server hunt procedures" (RFC 5352 §3.7.2). Its association counts as one of three (SH1).
    pub(super) fn hunt_beside_home(&mut self) {
        let lost = self.home.as_ref().map(|home| home.address.clone());
        self.start_hunt(lost);
    }

    /// The home registrar has answered: no other is looked for.
    pub(super) fn on_home_heard(&mut self) {
        if self.hunt.is_running() {
            self.hunt.stop();
        }
    }

    /// Looks for a home registrar, unless that is under way.
    pub(super) fn start_hunt(&mut self, lost: Option<RegistrarAddress>) {
        if self.is_stopped || self.hunt.is_running() {
            return;
        }
        let limit = ATTEMPTS_MAX - usize::from(self.home.is_some());
        self.hunt
            .start(self.now, &mut self.rng, lost.as_ref(), limit);
        self.outputs.emit(Event::ServerHuntStarted { lost });
    }

    /// Closes everything.
    pub(super) fn leave_registrar(&mut self) {
        self.hunt.stop();
        self.hunt.set_home(None);
        if let Some(home) = self.home.take() {
            self.outputs.close(home.association);
        }
    }

    pub(super) fn is_home(&self, association: AssociationId) -> bool {
        let home = self.home.as_ref();
        home.is_some_and(|home| home.association == association)
    }

    fn lose_home(&mut self) {
        let lost = self.home.take().map(|home| home.address);
        self.hunt.set_home(None);
        self.on_updates_lost();
        if self.hunt.is_running() {
            self.hunt.set_limit(ATTEMPTS_MAX);
        } else {
            self.start_hunt(lost);
        }
    }
}
