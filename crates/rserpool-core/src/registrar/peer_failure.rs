//! Detecting the failure of a peer (RFC 5353 §3.4.3).
//!
//! Must not know what a takeover is.

use super::Registrar;
use super::event::Event;
use super::peer::Status;
use rserpool_wire::RegistrarId;
use std::collections::BTreeSet;

/// Between two stalls of this registrar that give peers more time there are at least so many
/// MAX-TIME-NO-RESPONSE: one that stalls again and again must notice failures all the same.
const STALL_SPACING: u32 = 4;

impl Registrar {
    /// "peer_last_heard": "a message of any type (point-to-point or announcement) is received".
    /// Announcements do not count here: anybody can send them.
    pub(super) fn on_peer_heard(&mut self, id: RegistrarId) {
        let Some(peer) = self.peers.by_id.get_mut(&id) else {
            return;
        };
        peer.last_heard = self.now;
        if peer.status == Status::Active {
            return;
        }
        let status = std::mem::replace(&mut peer.status, Status::Active);
        self.start_last_heard_timer(id);
        match status {
            Status::Active | Status::Unheard => {}
            Status::Suspected { initiators, .. } => {
                self.emit(Event::PeerAlive { peer: id });
                self.refuse_takeover(id, initiators);
            }
            Status::TakingOver { .. } => {
                self.on_takeover_aborted(id, None);
                self.emit(Event::PeerAlive { peer: id });
            }
            Status::NotActive { .. } => self.emit(Event::PeerAlive { peer: id }),
        }
    }

    pub(super) fn start_last_heard_timer(&mut self, id: RegistrarId) {
        self.start_peer_timer(id, self.config.timers.max_time_last_heard);
    }

    /// What the timer is for depends on how the peer is.
    pub(super) fn fire_peer(&mut self, id: RegistrarId) {
        let Some(peer) = self.peers.by_id.get(&id) else {
            return;
        };
        match peer.status {
            Status::Unheard if self.handlespace.owned(id) == 0 => self.drop_peer(id),
            Status::Unheard => self.suspect_peer(id),
            Status::Active => self.fire_last_heard(id),
            Status::Suspected { .. } => self.give_up_peer(id),
            Status::TakingOver { .. } => self.fire_init_takeover(id),
            Status::NotActive { .. } => self.on_taker_failed(id),
        }
    }

    /// Messages do not restart the timer; it looks how long ago the last one came.
    fn fire_last_heard(&mut self, id: RegistrarId) {
        let Some(peer) = self.peers.by_id.get(&id) else {
            return;
        };
        let max = self.config.timers.max_time_last_heard;
        let left = max.saturating_sub(self.now.since(peer.last_heard));
        if left.is_zero() {
            self.suspect_peer(id);
        } else {
            self.start_peer_timer(id, left);
        }
    }

    /// "the ENRP server MUST immediately send a point-to-point ENRP_PRESENCE with the
    /// Reply_request flag set to '1' to that peer." If it is not connected, it is connected.
    pub(super) fn suspect_peer(&mut self, id: RegistrarId) {
        let Some(peer) = self.peers.by_id.get_mut(&id) else {
            return;
        };
        peer.status = Status::Suspected {
            initiators: BTreeSet::new(),
            was_heard: peer.status != Status::Unheard,
        };
        let contact = peer.contact;
        self.emit(Event::PeerSuspected { peer: id });
        if !self.ask_peer(id)
            && let Some(contact) = contact
        {
            self.connect_contact(contact);
        }
        self.start_peer_timer(id, self.config.timers.max_time_no_response);
    }

    /// The association with a peer is gone.
    pub(super) fn on_peer_disconnected(&mut self, id: RegistrarId) {
        let Some(peer) = self.peers.by_id.get(&id) else {
            return;
        };
        let contact = peer.contact;
        let was_active = peer.status == Status::Active;
        if was_active {
            self.suspect_peer(id);
        } else if let Some(contact) = contact {
            self.connect_contact(contact);
        }
        self.on_mentor_lost(id);
    }

    /// "If the send fails or the peer does not reply after MAX-TIME-NO-RESPONSE seconds, the ENRP
    /// server MUST consider the peer server dead". A registrar that has not started yet knows too
    /// few others to take anybody over.
    pub(super) fn give_up_peer(&mut self, id: RegistrarId) {
        if !self.is_initialized() {
            return self.start_peer_timer(id, self.config.timers.max_time_no_response);
        }
        let Some(peer) = self.peers.by_id.get_mut(&id) else {
            return;
        };
        if let Status::Suspected { initiators, .. } = &mut peer.status
            && !initiators.is_empty()
        {
            let initiators = std::mem::take(initiators);
            return self.yield_to_initiators(id, initiators);
        }
        self.on_peer_dead(id);
    }

    /// Another registrar answers where this one was.
    pub(super) fn on_peer_replaced(&mut self, id: RegistrarId) {
        let Some(peer) = self.peers.by_id.get(&id) else {
            return;
        };
        match peer.status {
            Status::Unheard | Status::Active | Status::Suspected { .. } => self.on_peer_dead(id),
            Status::TakingOver { .. } | Status::NotActive { .. } => {}
        }
    }

    /// Nobody needs to take over a peer that owns nothing.
    fn on_peer_dead(&mut self, id: RegistrarId) {
        let pool_elements = self.handlespace.owned(id);
        self.emit(Event::PeerDead {
            peer: id,
            pool_elements,
        });
        if pool_elements > 0 {
            return self.start_takeover(id);
        }
        self.drop_peer(id);
        self.complete_takeovers();
    }

    /// This registrar did not run for a while: whoever seems silent has perhaps been heard and
    /// not yet been read, and the others may have settled everything meanwhile.
    pub(super) fn on_stall(&mut self) {
        let patience = self.config.timers.max_time_no_response;
        let spacing = patience.saturating_mul(STALL_SPACING);
        let before = self.peers.stalled_at.replace(self.now);
        if before.is_some_and(|before| self.now.since(before) < spacing) {
            self.peers.stalled_at = before;
            return;
        }
        let ids: Vec<_> = self.peers.by_id.keys().copied().collect();
        for id in ids {
            let Some(peer) = self.peers.by_id.get(&id) else {
                continue;
            };
            match peer.status {
                Status::Unheard | Status::Active => {
                    let max = self.config.timers.max_time_last_heard;
                    let left = max.saturating_sub(self.now.since(peer.last_heard));
                    self.start_peer_timer(id, left.max(patience));
                }
                Status::Suspected { .. } => {
                    self.ask_peer(id);
                    self.start_peer_timer(id, patience);
                }
                Status::TakingOver { .. } => self.suspect_peer(id),
                Status::NotActive { .. } => self.start_taker_timer(id),
            }
        }
    }
}
