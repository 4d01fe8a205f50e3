//! Handle tables (RFC 5353 §3.2.3, §3.6.3): the registrar that is asked for them.
//!
//! A session is a place in the handlespace, in the order of pool handles and identifiers, and a
//! timer. What changes before that place is told by handle updates.
//! Must not know what they are asked for.

use super::{Limit, Registrar, Timer};
use crate::timer_queue::TimerId;
use rserpool_wire::enrp::{
    HandleTable, HandleTableRequest, HandleTableResponse, Message, PoolEntry, Rejected,
};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId};

/// Pool entries in one response, in octets. 100,000 pool elements of 140 octets take 900
/// responses; and one response takes the registrar some 10 µs, its peer below 1 ms, so that
/// nobody else waits for it.
const RESPONSE_OCTETS_MAX: usize = 16_384;

/// Pool elements looked at for one response: a registrar that owns few of many answers with less,
/// or nothing, instead of searching for long.
const SCANNED_MAX: usize = 4_096;

/// A session in which a peer asks for a handle table.
#[derive(Clone, Debug)]
pub(super) struct Serving {
    own_only: bool,
    /// What was looked at last.
    after: (PoolHandle, PoolElementId),
    timer: TimerId,
}

/// A part of a handle table.
struct Part {
    pool_entries: Vec<PoolEntry>,
    /// Where the next one begins, if there is more.
    after: Option<(PoolHandle, PoolElementId)>,
}

impl Registrar {
    /// A peer asks for the handlespace, or for what this registrar owns of it; or for the next
    /// part of it.
    pub(super) fn on_handle_table_request(
        &mut self,
        from: RegistrarId,
        message: &HandleTableRequest,
    ) {
        let own_only = message.own_children_only;
        let session = self.end_serving(from);
        let is_new = session.is_none();
        let after = session
            .filter(|session| session.own_only == own_only)
            .map(|session| session.after);
        // "the mentor peer itself may not be able to provide a handlespace download"
        if !self.may_serve_tables() || (is_new && !self.admit_session()) {
            self.counters.tables_rejected += 1;
            return self.send_handle_table(from, Err(Rejected));
        }
        let Part {
            pool_entries,
            after,
        } = self.part_of_table(own_only, after.as_ref());
        let more_to_send = after.is_some();
        if let Some(after) = after {
            self.keep_session(from, own_only, after);
        }
        self.counters.handle_tables += 1;
        let table = HandleTable {
            more_to_send,
            pool_entries,
        };
        self.send_handle_table(from, Ok(table));
    }

    /// The peer has not asked for the next part in time.
    pub(super) fn fire_table_session(&mut self, peer: RegistrarId) {
        self.end_serving(peer);
    }

    /// Closes the session with a peer, if there is one.
    pub(super) fn end_serving(&mut self, peer: RegistrarId) -> Option<Serving> {
        let sessions = &mut self.peers.by_id.get_mut(&peer)?.tables;
        let mut session = sessions.serving.take()?;
        self.timers
            .stop(&mut session.timer, Timer::TableSession(peer));
        Some(session)
    }

    /// Not while this registrar starts; nor when it has just slept, until those who died meanwhile
    /// had time not to answer: it must not bring back the dead.
    fn may_serve_tables(&self) -> bool {
        self.is_initialized() && self.now >= self.tables_closed_until
    }

    fn admit_session(&mut self) -> bool {
        let peers = self.peers.by_id.values();
        let open = peers.filter(|peer| peer.tables.serving.is_some()).count();
        if open < self.config.limits.table_sessions_max {
            return true;
        }
        self.count_limit(Limit::TableSessions, None);
        false
    }

    /// "it SHOULD start a session timer"
    fn keep_session(
        &mut self,
        peer: RegistrarId,
        own_only: bool,
        after: (PoolHandle, PoolElementId),
    ) {
        let deadline = self.now + self.config.timers.max_time_no_response;
        let Some(known) = self.peers.by_id.get_mut(&peer) else {
            return;
        };
        let mut timer = TimerId::default();
        self.timers
            .start(&mut timer, Timer::TableSession(peer), deadline);
        known.tables.serving = Some(Serving {
            own_only,
            after,
            timer,
        });
    }

    fn part_of_table(&self, own_only: bool, after: Option<&(PoolHandle, PoolElementId)>) -> Part {
        let own = Some(self.config.id);
        let mut pool_entries: Vec<PoolEntry> = Vec::new();
        let mut octets = 0;
        let mut last = None;
        let after = after.map(|(handle, id)| (handle, *id));
        for (scanned, element) in self.handlespace.elements_after(after).enumerate() {
            let is_listed = !own_only || element.home == own;
            let entry = pool_entries.last_mut();
            let same_pool = entry.filter(|entry| entry.pool_handle == *element.pool_handle);
            let handle_octets = match same_pool {
                Some(_) => 0,
                None => element.pool_handle.encoded_len(),
            };
            let more = handle_octets + element.encoded.as_octets().len();
            let is_full = is_listed && octets > 0 && octets + more > RESPONSE_OCTETS_MAX;
            if is_full || scanned == SCANNED_MAX {
                break;
            }
            last = Some((element.pool_handle, element.id));
            if !is_listed {
                continue;
            }
            octets += more;
            match same_pool {
                Some(entry) => entry.pool_elements.push(element.encoded.clone()),
                None => pool_entries.push(PoolEntry {
                    pool_handle: element.pool_handle.clone(),
                    pool_elements: vec![element.encoded.clone()],
                }),
            }
        }
        let is_last = self.handlespace.elements_after(last).next().is_none();
        let after = last.filter(|_| !is_last);
        Part {
            pool_entries,
            after: after.map(|(handle, id)| (handle.clone(), id)),
        }
    }

    fn send_handle_table(&mut self, to: RegistrarId, result: Result<HandleTable, Rejected>) {
        let message = Message::from(HandleTableResponse {
            sender: self.config.id,
            receiver: Some(to),
            result,
        });
        self.send_to_peer(to, message);
    }
}
