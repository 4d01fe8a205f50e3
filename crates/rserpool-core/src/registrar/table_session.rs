//! Asking a peer for a handle table (RFC 5353 §3.2.3, §3.6.3): one request, one response, and
//! again while there is more.
//!
//! Neither requests nor responses say which session they belong to. After a session that did not
//! come to its end, the peer may take the next request for its continuation; what comes then is
//! true, but not all. So a session is whole only if nothing of an earlier one was left, and one
//! that is not is followed by another.
//! Must not know what is done with the entries.

use super::download::DownloadFailed;
use super::event::Event;
use super::handle_table::Serving;
use super::{Registrar, Timer};
use crate::Timestamp;
use crate::timer_queue::TimerId;
use rserpool_wire::RegistrarId;
use rserpool_wire::enrp::{
    HandleTable, HandleTableRequest, HandleTableResponse, Message, PoolEntry, Rejected,
};

/// Responses in a row that bring nothing new before a session is ended: a peer that repeats
/// itself must not do so for ever. A registrar that owns the last of very many pool elements
/// answers often with nothing.
const BARREN_RESPONSES_MAX: u32 = 256;

/// The sessions with one peer in which handle tables are asked for and sent.
#[derive(Clone, Debug, Default)]
pub(super) struct TableSessions {
    /// In which this registrar asks.
    asking: Option<Asking>,
    response_timer: TimerId,
    /// Requests over this association that have not been answered.
    unanswered: u32,
    /// When the latest request was sent.
    asked_at: Timestamp,
    /// The peer may still have a session that did not come to its end.
    is_open_there: bool,
    /// A re-synchronisation that is due whatever the checksums say has not been whole yet.
    pub(super) is_owed: bool,
    /// In which the peer asks.
    pub(super) serving: Option<Serving>,
    /// Before this time, a checksum that does not match starts no re-synchronisation.
    pub(super) audit_not_before: Timestamp,
    /// Heartbeat cycles from a re-synchronisation without effect to the next one.
    pub(super) audit_pause: u32,
    /// The latest re-synchronisation has come to its end, and no checksum has come since.
    pub(super) is_to_be_confirmed: bool,
}

/// A session in which this registrar asks a peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking {
    pub(super) purpose: Purpose,
    /// Sessions are numbered in the order of their beginning.
    pub(super) number: u32,
    /// It began at the beginning of the peer's table.
    is_whole: bool,
    /// Pool elements that were new or different.
    pub(super) changed: usize,
    /// Responses in a row without any that had not been listed in this session.
    barren: u32,
}

/// What a handle table is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// RFC 5353 §3.2.3: everything the mentor knows.
    Download,
    /// RFC 5353 §3.6.3: what the peer owns.
    Resynchronization,
}

/// What became of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Transferred {
    /// It was new or different.
    Changed,
    /// It was known as it is.
    Confirmed,
    /// It was listed before, is known from its home, or not believed.
    Nothing,
}

impl TableSessions {
    /// Whether a re-synchronisation with the peer, or a download from it, is running.
    pub(super) fn is_synchronizing(&self) -> bool {
        self.asking.is_some()
    }
}

impl Registrar {
    /// Begins a session, unless one for the same purpose is running. False if the peer is not
    /// connected.
    pub(super) fn start_table_session(&mut self, peer: RegistrarId, purpose: Purpose) -> bool {
        let Some(known) = self.peers.by_id.get_mut(&peer) else {
            return false;
        };
        let sessions = &mut known.tables;
        let running = sessions.asking.as_ref().map(|asking| asking.purpose);
        if running.is_some_and(|running| running == purpose || running == Purpose::Download) {
            return true;
        }
        // Who has not answered for so long never will.
        if self.now.since(sessions.asked_at) >= self.config.timers.max_time_no_response {
            sessions.unanswered = 0;
        }
        self.table_session = self.table_session.saturating_add(1);
        let asking = Asking {
            purpose,
            number: self.table_session,
            is_whole: sessions.unanswered == 0 && !sessions.is_open_there,
            changed: 0,
            barren: 0,
        };
        self.request_table(peer, asking)
    }

    fn request_table(&mut self, peer: RegistrarId, asking: Asking) -> bool {
        let request = HandleTableRequest {
            sender: self.config.id,
            receiver: Some(peer),
            own_children_only: asking.purpose == Purpose::Resynchronization,
        };
        if !self.send_to_peer(peer, Message::from(request)) {
            return false;
        }
        let deadline = self.now + self.config.timers.max_time_no_response;
        let Some(known) = self.peers.by_id.get_mut(&peer) else {
            return false;
        };
        let sessions = &mut known.tables;
        sessions.asking = Some(asking);
        sessions.asked_at = self.now;
        sessions.unanswered = sessions.unanswered.saturating_add(1);
        sessions.is_open_there = true;
        let timer = &mut sessions.response_timer;
        self.timers
            .start(timer, Timer::TableResponse(peer), deadline);
        true
    }

    /// A peer sends a part of a handle table.
    pub(super) fn on_handle_table_response(
        &mut self,
        from: RegistrarId,
        message: HandleTableResponse,
    ) {
        let Some(known) = self.peers.by_id.get_mut(&from) else {
            return;
        };
        let sessions = &mut known.tables;
        // Nobody asked for it.
        let Some(unanswered) = sessions.unanswered.checked_sub(1) else {
            self.counters.enrp_unexpected += 1;
            return;
        };
        let is_more = matches!(&message.result, Ok(table) if table.more_to_send);
        sessions.unanswered = unanswered;
        sessions.is_open_there = is_more || unanswered > 0;
        let Some(asking) = sessions.asking.take() else {
            // It comes too late.
            self.counters.enrp_unexpected += 1;
            return;
        };
        self.timers
            .stop(&mut sessions.response_timer, Timer::TableResponse(from));
        match message.result {
            Ok(table) => self.on_handle_table(from, asking, &table),
            Err(Rejected) => self.fail_table_session(from, asking, DownloadFailed::Rejected),
        }
    }

    fn on_handle_table(&mut self, from: RegistrarId, mut asking: Asking, table: &HandleTable) {
        asking.barren += 1;
        for entry in &table.pool_entries {
            self.transfer_entry(from, &mut asking, entry);
        }
        if !table.more_to_send {
            return self.complete_table_session(from, asking);
        }
        let goes_on = asking.barren <= BARREN_RESPONSES_MAX && self.request_table(from, asking);
        if !goes_on {
            self.fail_table_session(from, asking, DownloadFailed::NoResponse);
        }
    }

    fn transfer_entry(&mut self, from: RegistrarId, asking: &mut Asking, entry: &PoolEntry) {
        for pool_element in &entry.pool_elements {
            let handle = &entry.pool_handle;
            let number = asking.number;
            let result = match asking.purpose {
                Purpose::Download => self.transfer_downloaded(from, number, handle, pool_element),
                Purpose::Resynchronization => {
                    self.transfer_listed(from, number, handle, pool_element)
                }
            };
            match result {
                Ok(Transferred::Changed) => {
                    asking.changed += 1;
                    asking.barren = 0;
                }
                Ok(Transferred::Confirmed) => asking.barren = 0,
                Ok(Transferred::Nothing) => {}
                Err(reason) => self.emit(Event::UpdateRefused {
                    peer: from,
                    pool_handle: handle.clone(),
                    pool_element: pool_element.id(),
                    reason,
                }),
            }
        }
    }

    fn complete_table_session(&mut self, peer: RegistrarId, asking: Asking) {
        if !asking.is_whole {
            // The next one is, if all requests have been answered. Else it is not begun at once:
            // who never answers one of them would be asked for ever.
            let known = self.peers.by_id.get(&peer);
            let is_settled = known.is_some_and(|known| known.tables.unanswered == 0);
            if is_settled && self.start_table_session(peer, asking.purpose) {
                return;
            }
            return self.fail_table_session(peer, asking, DownloadFailed::NoResponse);
        }
        match asking.purpose {
            Purpose::Download => self.on_download_ended(peer, Ok(())),
            Purpose::Resynchronization => self.complete_resynchronization(peer, asking),
        }
    }

    fn fail_table_session(&mut self, peer: RegistrarId, asking: Asking, failed: DownloadFailed) {
        self.emit(Event::SynchronizationFailed { peer });
        match asking.purpose {
            Purpose::Download => self.on_download_ended(peer, Err(failed)),
            Purpose::Resynchronization => self.fail_resynchronization(peer, failed),
        }
    }

    /// The peer has not answered in time.
    pub(super) fn fire_table_response(&mut self, peer: RegistrarId) {
        let known = self.peers.by_id.get_mut(&peer);
        if let Some(asking) = known.and_then(|known| known.tables.asking.take()) {
            self.fail_table_session(peer, asking, DownloadFailed::NoResponse);
        }
    }

    /// The association with a peer is gone, or the peer itself: no session with it goes on. A
    /// download from it ends in `on_download_ended`.
    pub(super) fn stop_table_sessions(&mut self, peer: RegistrarId) {
        self.end_serving(peer);
        let Some(known) = self.peers.by_id.get_mut(&peer) else {
            return;
        };
        let sessions = &mut known.tables;
        self.timers
            .stop(&mut sessions.response_timer, Timer::TableResponse(peer));
        sessions.unanswered = 0;
        sessions.is_open_there = false;
        if let Some(asking) = sessions.asking.take() {
            self.fail_table_session(peer, asking, DownloadFailed::NoResponse);
        }
    }
}
