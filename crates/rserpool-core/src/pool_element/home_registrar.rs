//! Finding, losing and changing the home registrar (RFC 5352 §3.6, §3.7).
//!
//! Must not know what is said to it.

use super::{Event, Goal, PoolElement, Timer};
use crate::server_hunt::ATTEMPTS_MAX;
use crate::{AssociationId, RegistrarAddress};
use rserpool_wire::RegistrarId;
use rserpool_wire::asap::Message;
use std::net::{IpAddr, SocketAddr};

/// Registrars that have connected by themselves and are not the home registrar. One is enough to
/// be taken over; strangers fill this and no more, the oldest makes room.
const VISITORS_MAX: usize = 4;

/// An association with a registrar.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Home {
    pub(super) association: AssociationId,
    pub(super) address: RegistrarAddress,
    /// The addresses of this end.
    pub(super) local: Vec<IpAddr>,
    /// Who it is, once it has said so.
    pub(super) registrar: Option<RegistrarId>,
}

impl Home {
    pub(super) fn new(
        association: AssociationId,
        address: RegistrarAddress,
        local: Vec<IpAddr>,
    ) -> Self {
        Self {
            association,
            address,
            local,
            registrar: None,
        }
    }
}

impl PoolElement {
    /// SH3, SH6: the first association that comes up is with the home registrar.
    pub(super) fn on_association_up(&mut self, mut up: Home) {
        if self.home.is_none() && self.hunt.is_attempting(&up.address) {
            up.registrar = self.hunt.registrar_id(&up.address);
            return self.adopt(up);
        }
        // Perhaps it came up while it was being stopped; mostly it was established by a registrar,
        // which wants to take this pool element over (RFC 5353 §3.5.2).
        if self.goal == Goal::Nothing {
            return self.outputs.close(up.association);
        }
        if self.visitors.len() >= VISITORS_MAX {
            let oldest = self.visitors.remove(0);
            self.outputs.close(oldest.association);
        }
        self.visitors.push(up);
    }

    pub(super) fn on_connect_failed(&mut self, registrar: &RegistrarAddress) {
        self.hunt
            .on_connect_failed(self.now, &mut self.rng, registrar);
    }

    pub(super) fn on_association_lost(&mut self, association: AssociationId) {
        if self.is_home(association) {
            self.lose_home();
        } else {
            self.visitors
                .retain(|visitor| visitor.association != association);
        }
    }

    /// RFC 5352 §3.7.1: "the ENRP server is unreachable"; another one is looked for.
    pub(super) fn on_send_failed(&mut self, association: AssociationId) {
        if self.is_home(association) {
            self.abandon_home();
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

    /// Makes a registrar the home registrar, and registers there at once.
    pub(super) fn adopt(&mut self, home: Home) {
        if let Some(old) = self.home.take() {
            self.outputs.close(old.association);
        }
        self.visitors
            .retain(|visitor| visitor.association != home.association);
        self.stop_waiting();
        self.is_due = true;
        self.hunt.set_home(Some(home.address.clone()));
        self.hunt.stop();
        self.rounds_counted = 0;
        self.outputs.emit(Event::HomeRegistrarChanged {
            home: home.address.clone(),
            registrar: home.registrar,
        });
        self.home = Some(home);
    }

    /// The home registrar does not answer: closes the association and looks for another.
    pub(super) fn abandon_home(&mut self) {
        if let Some(home) = &self.home {
            let association = home.association;
            self.outputs.close(association);
            self.lose_home();
        }
    }

    /// The association with the home registrar is gone, and the registration with it.
    fn lose_home(&mut self) {
        let Some(home) = self.home.take() else {
            return;
        };
        self.stop_waiting();
        self.is_registered = false;
        self.hunt.set_home(None);
        if self.goal != Goal::Nothing {
            self.start_hunt(Some(home.address));
        }
    }

    /// Looks for a home registrar, unless that is under way.
    pub(super) fn start_hunt(&mut self, lost: Option<RegistrarAddress>) {
        if self.hunt.is_running() {
            return;
        }
        self.hunt
            .start(self.now, &mut self.rng, lost.as_ref(), ATTEMPTS_MAX);
        self.rounds_counted = 0;
        self.outputs.emit(Event::ServerHuntStarted { lost });
    }

    /// A round of the hunt in which no registrar could be reached is a failed attempt.
    pub(super) fn count_hunt_rounds(&mut self) {
        while self.rounds_counted < self.hunt.rounds_failed() {
            self.rounds_counted += 1;
            self.count_failed_attempt();
        }
    }

    /// Closes everything.
    pub(super) fn leave_registrars(&mut self) {
        self.hunt.stop();
        self.hunt.set_home(None);
        self.stop_waiting();
        self.timers.clear();
        self.is_registered = false;
        let home = self.home.take();
        for leaving in home.into_iter().chain(std::mem::take(&mut self.visitors)) {
            self.outputs.close(leaving.association);
        }
    }

    /// Whatever was asked of the home registrar is not waited for any longer.
    pub(super) fn stop_waiting(&mut self) {
        self.outstanding = None;
        for timer in [
            Timer::T2Registration,
            Timer::T3Deregistration,
            Timer::T4Reregistration,
            Timer::Retry,
        ] {
            self.timers.stop(&timer);
        }
    }

    pub(super) fn is_home(&self, association: AssociationId) -> bool {
        let home = self.home.as_ref();
        home.is_some_and(|home| home.association == association)
    }

    /// The registrar at the other end of an association.
    pub(super) fn registrar_of(&mut self, association: AssociationId) -> Option<&mut Home> {
        let all = self.home.iter_mut().chain(&mut self.visitors);
        all.into_iter()
            .find(|registrar| registrar.association == association)
    }
}
