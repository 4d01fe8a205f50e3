//! Takeover arbitration (RFC 5353 §3.5.1): only one registrar takes over a failed peer.
//!
//! Must not know what becomes of the pool elements.

use super::Registrar;
use super::event::Event;
use super::peer::Status;
use crate::random::duration_between;
use rserpool_wire::RegistrarId;
use rserpool_wire::enrp::{InitTakeover, InitTakeoverAck, Message};
use std::collections::BTreeSet;
use std::time::Duration;

/// How often per second all peers are told that this registrar is alive because somebody wants to
/// take it over; beyond that only who wants to is told.
const OBJECTIONS_PER_SECOND: u32 = 10;

/// A taker that has done nothing for so many MAX-TIME-NO-RESPONSE has failed, too. The RFC is
/// silent; without it the pool elements of both would be orphans.
const TAKER_PATIENCE: u32 = 3;

/// An unanswered ENRP_INIT_TAKEOVER is sent again at the latest after this many
/// MAX-TIME-NO-RESPONSE: before peers take the taker for failed.
const RETRY_MAX: u32 = 2;

impl Registrar {
    /// "The initiating server SHOULD first start the takeover arbitration process by sending an
    /// ENRP_INIT_TAKEOVER message to all its peer servers."
    pub(super) fn start_takeover(&mut self, target: RegistrarId) {
        let Some(peer) = self.peers.by_id.get_mut(&target) else {
            return;
        };
        peer.status = Status::TakingOver {
            acknowledged: BTreeSet::new(),
            attempts: 0,
        };
        self.counters.takeovers_started += 1;
        self.emit(Event::TakeoverStarted {
            target,
            pool_elements: self.handlespace.owned(target),
        });
        self.send_init_takeover(target);
        self.complete_takeovers();
    }

    /// To all peers that have not acknowledged, and the target; again after a while, because a
    /// peer that has heard the target itself does not acknowledge yet.
    fn send_init_takeover(&mut self, target: RegistrarId) {
        let Some(peer) = self.peers.by_id.get_mut(&target) else {
            return;
        };
        let Status::TakingOver {
            acknowledged,
            attempts,
        } = &mut peer.status
        else {
            return;
        };
        *attempts = attempts.saturating_add(1);
        let retry = (1_u32 << attempts.saturating_sub(1).min(8)).min(RETRY_MAX);
        let acknowledged = acknowledged.clone();
        let peers = self.peers.by_id.keys();
        let missing: Vec<_> = peers
            .copied()
            .filter(|id| !acknowledged.contains(id))
            .collect();
        for id in missing {
            let message = InitTakeover {
                sender: self.config.id,
                receiver: Some(id),
                target,
            };
            self.send_to_peer(id, Message::from(message));
        }
        let delay = self
            .config
            .timers
            .max_time_no_response
            .saturating_mul(retry);
        self.start_peer_timer(target, delay);
    }

    pub(super) fn fire_init_takeover(&mut self, target: RegistrarId) {
        self.send_init_takeover(target);
        self.complete_takeovers();
    }

    pub(super) fn on_init_takeover(&mut self, message: &InitTakeover) {
        let InitTakeover { sender, target, .. } = *message;
        // Rule 1: "it MUST immediately announce an ENRP_PRESENCE message to all its peer ENRP
        // servers in an attempt to stop this takeover process."
        if target == self.config.id {
            return self.object_to_takeover(sender);
        }
        let hears = self.hears(target, self.config.timers.peer_heartbeat_cycle * 3 / 2);
        let Some(peer) = self.peers.by_id.get_mut(&target) else {
            // Rule 3, for a target that is not on the peer list.
            return self.acknowledge_takeover(sender, target);
        };
        match &mut peer.status {
            Status::TakingOver { .. } => {
                // Rule 2A: "If the peer's server ID is smaller in value than the Sending Server's
                // ID ..., the peer server MUST immediately abort its own take-over attempt".
                // Rule 2B: "Otherwise, the peer MUST ignore the ENRP_INIT_TAKEOVER message."
                if self.config.compatibility.prevails(sender, self.config.id) {
                    self.on_takeover_aborted(target, Some(sender));
                    self.yield_to_initiator(target, sender);
                }
            }
            // Rule 3 would give up a peer that this registrar hears. It is asked first: where only
            // some links are cut, a live registrar must not be taken over.
            Status::Suspected { initiators, .. } if hears => {
                initiators.insert(sender);
            }
            Status::Active if hears => {
                self.suspect_peer(target);
                if let Some(peer) = self.peers.by_id.get_mut(&target)
                    && let Status::Suspected { initiators, .. } = &mut peer.status
                {
                    initiators.insert(sender);
                }
            }
            Status::Unheard
            | Status::Active
            | Status::Suspected { .. }
            | Status::NotActive { .. } => self.yield_to_initiator(target, sender),
        }
    }

    /// This registrar is alive.
    pub(super) fn object_to_takeover(&mut self, initiator: RegistrarId) {
        if self.peers.objections.admit(self.now, OBJECTIONS_PER_SECOND) {
            return self.show_presence();
        }
        let peer = self.peers.by_id.get(&initiator);
        if let Some(association) = peer.and_then(|peer| peer.association) {
            self.send_presence(association, Some(initiator), false);
        }
    }

    /// Rule 3: "a) mark the target server as 'not active' on its internal peer list so that its
    /// status will no longer be monitored by this peer, and b) MUST reply to the initiating server
    /// with an ENRP_INIT_TAKEOVER_ACK message."
    fn yield_to_initiator(&mut self, target: RegistrarId, initiator: RegistrarId) {
        self.yield_to_initiators(target, BTreeSet::from([initiator]));
    }

    /// All are acknowledged; of several, the one that prevails goes on.
    pub(super) fn yield_to_initiators(
        &mut self,
        target: RegistrarId,
        initiators: BTreeSet<RegistrarId>,
    ) {
        let compatibility = self.config.compatibility;
        let taker = initiators.iter().copied().reduce(|one, other| {
            let is_first = compatibility.prevails(one, other);
            if is_first { one } else { other }
        });
        let Some(taker) = taker else {
            return;
        };
        if let Some(peer) = self.peers.by_id.get_mut(&target) {
            // Who suspected it by itself and was slower had others waiting: they go on, too.
            let waiting = match &mut peer.status {
                Status::Suspected { initiators, .. } => std::mem::take(initiators),
                Status::Unheard
                | Status::Active
                | Status::TakingOver { .. }
                | Status::NotActive { .. } => BTreeSet::new(),
            };
            peer.status = Status::NotActive {
                taker,
                is_taker_asked: false,
            };
            self.start_taker_timer(target);
            for initiator in waiting.difference(&initiators) {
                self.acknowledge_takeover(*initiator, target);
            }
        }
        for initiator in initiators {
            self.acknowledge_takeover(initiator, target);
        }
        // It is not waited for any longer by other takeovers.
        self.complete_takeovers();
    }

    fn acknowledge_takeover(&mut self, initiator: RegistrarId, target: RegistrarId) {
        let message = InitTakeoverAck {
            sender: self.config.id,
            receiver: Some(initiator),
            target,
        };
        self.send_to_peer(initiator, Message::from(message));
        self.emit(Event::TakeoverAcknowledged { target, initiator });
    }

    pub(super) fn start_taker_timer(&mut self, target: RegistrarId) {
        let patience = self.config.timers.max_time_no_response;
        // The last of them is for its answer.
        let most = patience.saturating_mul(TAKER_PATIENCE);
        let delay = duration_between(&mut self.rng, patience * (TAKER_PATIENCE - 1), most);
        self.start_peer_timer(target, delay);
    }

    /// Neither has the taker enforced the takeover, nor does the target live. Or it has and told
    /// nobody, as rsplib's: before anything else it is asked which pool elements it owns.
    pub(super) fn on_taker_failed(&mut self, target: RegistrarId) {
        if self.handlespace.owned(target) > 0
            && let Some(peer) = self.peers.by_id.get_mut(&target)
            && let Status::NotActive {
                taker,
                is_taker_asked,
            } = &mut peer.status
        {
            let (taker, was_asked) = (*taker, std::mem::replace(is_taker_asked, true));
            if !was_asked {
                if self.is_live(taker) {
                    self.force_resynchronization(taker);
                }
                let patience = self.config.timers.max_time_no_response;
                return self.start_peer_timer(target, patience);
            }
        }
        if self.handlespace.owned(target) > 0 {
            return self.start_takeover(target);
        }
        self.drop_peer(target);
        self.complete_takeovers();
    }

    pub(super) fn on_init_takeover_ack(&mut self, message: &InitTakeoverAck) {
        let Some(peer) = self.peers.by_id.get_mut(&message.target) else {
            return;
        };
        let Status::TakingOver { acknowledged, .. } = &mut peer.status else {
            return;
        };
        acknowledged.insert(message.sender);
        self.complete_takeovers();
    }

    /// "Once the initiating server has received the ENRP_INIT_TAKEOVER_ACK message from all of its
    /// currently known peers (except for the target server), it MUST consider that it has won".
    pub(super) fn complete_takeovers(&mut self) {
        while let Some(target) = self.takeover_won() {
            self.enforce_takeover(target);
        }
    }

    fn takeover_won(&self) -> Option<RegistrarId> {
        let peers = &self.peers.by_id;
        let is_won = |target: &RegistrarId, acknowledged: &BTreeSet<RegistrarId>| {
            let mut others = peers.iter().filter(|(id, _)| *id != target);
            others.all(|(id, peer)| acknowledged.contains(id) || !peer.status.has_a_say())
        };
        let mut won = peers.iter().filter(|(id, peer)| match &peer.status {
            Status::TakingOver { acknowledged, .. } => is_won(id, acknowledged),
            Status::Unheard
            | Status::Active
            | Status::Suspected { .. }
            | Status::NotActive { .. } => false,
        });
        won.next().map(|(id, _)| *id)
    }

    /// Another registrar wins, or the target is alive: "it MUST immediately stop the takeover
    /// process".
    pub(super) fn on_takeover_aborted(&mut self, target: RegistrarId, winner: Option<RegistrarId>) {
        self.counters.takeovers_aborted += 1;
        self.emit(Event::TakeoverAborted { target, winner });
    }

    /// The target has answered: who wanted to take it over gets no acknowledgement.
    pub(super) fn refuse_takeover(
        &mut self,
        target: RegistrarId,
        initiators: BTreeSet<RegistrarId>,
    ) {
        for initiator in initiators {
            self.emit(Event::TakeoverRefused { target, initiator });
        }
    }

    /// Whether a peer is connected and has been heard within this time.
    pub(super) fn hears(&self, id: RegistrarId, within: Duration) -> bool {
        self.peers.by_id.get(&id).is_some_and(|peer| {
            let has_spoken = peer.status != Status::Unheard;
            has_spoken && peer.association.is_some() && self.now.since(peer.last_heard) <= within
        })
    }
}

impl Status {
    /// Whether a takeover of another registrar waits for its acknowledgement: it is there, or may
    /// be; what is not is noticed within MAX-TIME-NO-RESPONSE.
    fn has_a_say(&self) -> bool {
        match self {
            Self::Active => true,
            Self::Suspected { was_heard, .. } => *was_heard,
            Self::Unheard | Self::TakingOver { .. } | Self::NotActive { .. } => false,
        }
    }
}
