//! Initialization (RFC 5353 §3.2.1, §3.2.2): mentor and peer list.
//!
//! Must not know how the handlespace is downloaded.

use super::download::DownloadFailed;
use super::event::Event;
use super::peer::Status;
use super::{Registrar, Timer, TimerId};
use crate::random::around;
use crate::{AssociationId, Timestamp};
use rserpool_wire::RegistrarId;
use rserpool_wire::enrp::ListResponse;
use std::collections::BTreeSet;
use std::time::Duration;

/// For so many MAX-TIME-NO-RESPONSE a registrar that starts looks for one that helps it. Two that
/// start together reject each other; they must not wait for ever.
const ALONE_AFTER: u32 = 3;

/// How far a registrar has got with its start.
#[derive(Clone, Debug, Default)]
pub(super) struct Initialization {
    phase: Phase,
    /// Mentors that did not help; they are asked again when all others have been.
    tried: BTreeSet<RegistrarId>,
    timer: TimerId,
    /// When it takes itself to be alone.
    alone_at: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Phase {
    /// Nobody is connected who could be the mentor. Timer: alone.
    #[default]
    Searching,
    /// All have been asked. Timer: they are asked again.
    Waiting,
    /// The mentor is asked for its list. Timer: it does not respond.
    Listing(RegistrarId),
    Downloading(RegistrarId),
    Done,
}

impl Registrar {
    /// Whether the handlespace has been downloaded, or there is nobody to download it from.
    pub(super) fn is_initialized(&self) -> bool {
        self.initialization.phase == Phase::Done
    }

    /// "If no existing peer server is specified, the initiating server MUST assume that it is
    /// alone in the operational scope"; unless it can ask on the multicast channel.
    pub(super) fn start_initialization(&mut self) {
        let timers = &self.config.timers;
        let mut patience = timers.max_time_no_response.saturating_mul(ALONE_AFTER);
        if self.config.enrp_multicast {
            self.announce_presence(true);
            self.start_heartbeat();
            if self.config.peers.is_empty() {
                patience = self.config.timers.mentor_discovery;
            }
        } else if self.config.peers.is_empty() {
            return self.complete_initialization(None);
        }
        self.initialization.alone_at = self.now + patience;
        self.start_initialization_timer(patience);
        for address in self.config.peers.clone() {
            if let Some(contact) = self.contact_at(&address, true) {
                self.connect_contact(contact);
            }
        }
    }

    /// Somebody is there after all: time enough to become connected and to be asked.
    pub(super) fn extend_mentor_discovery(&mut self) {
        if self.initialization.phase == Phase::Searching {
            self.wait_for_mentors();
            self.start_initialization_timer(self.time_until_alone());
        }
    }

    /// A peer is connected: the first one becomes the mentor, the others are its backups.
    pub(super) fn on_peer_connected_and_heard(&mut self) {
        if matches!(self.initialization.phase, Phase::Searching | Phase::Waiting) {
            self.seek_mentor();
        }
    }

    fn seek_mentor(&mut self) {
        let tried = &self.initialization.tried;
        let peers = self.peers.by_id.iter();
        let mut connected =
            peers.filter(|(_, peer)| peer.status == Status::Active && peer.association.is_some());
        let mentor = connected
            .find(|(id, _)| !tried.contains(id))
            .map(|(id, _)| *id);
        let Some(mentor) = mentor else {
            return self.wait_for_a_mentor();
        };
        self.initialization.phase = Phase::Listing(mentor);
        self.request_list(mentor);
        self.start_initialization_timer(self.config.timers.max_time_no_response);
    }

    /// "SHOULD either wait for a few seconds and re-send the ENRP_LIST_REQUEST to the mentor
    /// server, or if there is a backup mentor peer available, select another".
    fn wait_for_a_mentor(&mut self) {
        let left = self.time_until_alone();
        if left.is_zero() {
            return self.complete_initialization(None);
        }
        let has_tried = !self.initialization.tried.is_empty();
        self.initialization.phase = if has_tried {
            Phase::Waiting
        } else {
            Phase::Searching
        };
        let pause = around(&mut self.rng, self.config.timers.max_time_no_response / 2);
        self.start_initialization_timer(if has_tried { pause.min(left) } else { left });
    }

    fn time_until_alone(&self) -> Duration {
        self.initialization.alone_at.since(self.now)
    }

    fn wait_for_mentors(&mut self) {
        let patience = self.config.timers.max_time_no_response;
        let alone_at = self.now + patience.saturating_mul(ALONE_AFTER);
        self.initialization.alone_at = self.initialization.alone_at.max(alone_at);
    }

    fn start_initialization_timer(&mut self, delay: Duration) {
        let deadline = self.now + delay;
        let timer = &mut self.initialization.timer;
        self.timers.start(timer, Timer::Initialization, deadline);
    }

    pub(super) fn fire_initialization(&mut self) {
        match self.initialization.phase {
            Phase::Searching => self.complete_initialization(None),
            Phase::Waiting => {
                if self.time_until_alone().is_zero() {
                    return self.complete_initialization(None);
                }
                self.initialization.tried.clear();
                self.seek_mentor();
            }
            // "the initiating server SHOULD abandon the interaction with the current mentor server
            // and send a new server list request to a backup mentor peer, if one is available."
            Phase::Listing(mentor) => self.try_another_mentor(mentor),
            Phase::Downloading(_) | Phase::Done => {}
        }
    }

    fn try_another_mentor(&mut self, mentor: RegistrarId) {
        self.initialization.tried.insert(mentor);
        self.seek_mentor();
    }

    pub(super) fn on_list_response(&mut self, from: AssociationId, message: &ListResponse) {
        let Ok(listed) = &message.result else {
            if self.initialization.phase == Phase::Listing(message.sender) {
                self.try_another_mentor(message.sender);
            }
            return;
        };
        self.on_list(from, listed);
        if self.initialization.phase != Phase::Listing(message.sender) {
            return;
        }
        let timer = &mut self.initialization.timer;
        self.timers.stop(timer, Timer::Initialization);
        self.initialization.phase = Phase::Downloading(message.sender);
        self.start_download(message.sender);
    }

    /// The download from the mentor came to its end (RFC 5353 §3.2.3, step 5), or failed.
    pub(super) fn on_download_ended(
        &mut self,
        mentor: RegistrarId,
        result: Result<(), DownloadFailed>,
    ) {
        if self.initialization.phase != Phase::Downloading(mentor) {
            return;
        }
        match result {
            Ok(()) => self.complete_initialization(Some(mentor)),
            Err(DownloadFailed::Rejected) => self.try_another_mentor(mentor),
            // It helped for a while: others get as much time as at the start.
            Err(DownloadFailed::NoResponse) => {
                self.wait_for_mentors();
                self.try_another_mentor(mentor);
            }
        }
    }

    /// A peer is not connected any longer. A download from it has ended by itself.
    pub(super) fn on_mentor_lost(&mut self, peer: RegistrarId) {
        if self.initialization.phase == Phase::Listing(peer) {
            self.try_another_mentor(peer);
        }
    }

    fn complete_initialization(&mut self, mentor: Option<RegistrarId>) {
        self.initialization.phase = Phase::Done;
        self.initialization.tried.clear();
        let timer = &mut self.initialization.timer;
        self.timers.stop(timer, Timer::Initialization);
        self.emit(Event::Initialized {
            mentor,
            pool_elements: self.handlespace.len(),
        });
        self.start_announces();
        self.answer_deferred_resolutions();
    }
}
