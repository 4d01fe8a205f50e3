//! Takeover (RFC 5353 §3.5.2): a failed peer's pool elements get a new home.
//!
//! Must not know how it was won.

use super::Registrar;
use super::event::Event;
use super::peer::Status;
use rserpool_wire::RegistrarId;
use rserpool_wire::enrp::{Message, TakeoverServer};

impl Registrar {
    /// "The initiating ENRP server MUST first send, via an announcement, an ENRP_TAKEOVER_SERVER
    /// message to inform all its active peers that the takeover has been enforced."
    pub(super) fn enforce_takeover(&mut self, target: RegistrarId) {
        let message = TakeoverServer {
            sender: self.config.id,
            receiver: None,
            target,
        };
        self.send_to_peers(&Message::from(message));
        self.counters.takeovers_won += 1;
        self.drop_peer(target);
        // Step 1: "mark itself as the Home ENRP server of each of the PEs".
        let pool_elements = self.rehome(target, self.config.id);
        self.emit(Event::TakenOver {
            target,
            winner: self.config.id,
            pool_elements: pool_elements.len(),
        });
        self.start_adoptions(pool_elements);
    }

    /// "When a peer receives the ENRP_TAKEOVER_SERVER message from the initiating server, it
    /// SHOULD update its local peer list and PE cache".
    pub(super) fn on_takeover_server(&mut self, message: &TakeoverServer) {
        let TakeoverServer { sender, target, .. } = *message;
        if target == sender {
            self.counters.enrp_unexpected += 1;
            return;
        }
        if target == self.config.id {
            return self.object_to_takeover(sender);
        }
        let is_alive =
            self.hears(target, self.config.timers.max_time_last_heard) && self.is_live(target);
        if is_alive {
            self.emit(Event::TakeoverRefused {
                target,
                initiator: sender,
            });
            self.ask_peer(target);
            return;
        }
        let status = self.peers.by_id.get(&target).map(|peer| &peer.status);
        if matches!(status, Some(Status::TakingOver { .. })) {
            self.on_takeover_aborted(target, Some(sender));
        }
        self.drop_peer(target);
        let pool_elements = self.rehome(target, sender);
        if !pool_elements.is_empty() {
            // What the target told last may have reached one and not the other. No checksum shows
            // it, and the winner announces only what is new to itself.
            self.owe_resynchronization(sender);
        }
        self.emit(Event::TakenOver {
            target,
            winner: sender,
            pool_elements: pool_elements.len(),
        });
        self.complete_takeovers();
    }
}
