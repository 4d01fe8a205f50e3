//! Re-synchronisation (RFC 5353 §3.6.3).
//!
//! Instead of a mark that is set on all of a peer's pool elements, each knows the latest session
//! that had begun when it was learnt: those that are older than this session are marked.
//! Must not know what was wrong.

use super::Registrar;
use super::download::DownloadFailed;
use super::event::{Event, RemovalReason, UpdateRefusal};
use super::handle_update::refusal;
use super::table_session::{Asking, Purpose, Transferred};
use rserpool_handlespace::ElementKey;
use rserpool_wire::parameter::EncodedPoolElement;
use rserpool_wire::{PoolHandle, RegistrarId};

impl Registrar {
    /// The association with a known peer was re-established: updates may have been lost.
    pub(super) fn force_resynchronization(&mut self, peer: RegistrarId) {
        if self.is_initialized() {
            self.owe_resynchronization(peer);
            self.start_table_session(peer, Purpose::Resynchronization);
        }
    }

    /// Whatever the checksums say, until one is whole: the peer's presences remind of it.
    pub(super) fn owe_resynchronization(&mut self, peer: RegistrarId) {
        if let Some(known) = self.peers.by_id.get_mut(&peer) {
            known.tables.is_owed = true;
        }
    }

    /// An entry of the peer's list of what it owns (step 4). "If a PE entry being transferred
    /// already exists in its local database, the ENRP server MUST replace the entry", unless
    /// another live registrar is its home: then they have to agree first.
    pub(super) fn transfer_listed(
        &mut self,
        peer: RegistrarId,
        number: u32,
        pool_handle: &PoolHandle,
        pool_element: &EncodedPoolElement,
    ) -> Result<Transferred, UpdateRefusal> {
        if pool_element.home_registrar() != Some(peer) {
            return Err(UpdateRefusal::NotItsHome);
        }
        self.check_claim(pool_handle, pool_element)?;
        let known = self.handlespace.find(pool_handle, pool_element.id());
        let mut is_equal = false;
        if let Some((key, element)) =
            known.and_then(|key| Some((key, self.handlespace.element(key)?)))
        {
            if element.home == Some(peer) && element.data.learnt_in >= number {
                return Ok(Transferred::Nothing);
            }
            is_equal = element.encoded == pool_element;
            if element.home != Some(peer) && self.is_held(key) {
                self.claim(key, peer, pool_element);
                return Ok(Transferred::Nothing);
            }
        }
        self.add_foreign(peer, pool_handle, pool_element, known)
            .map_err(|error| refusal(&error))?;
        Ok(Transferred::of(is_equal))
    }

    /// Whether the home of a pool element is a live peer, or this registrar and in touch with it.
    fn is_held(&self, key: ElementKey) -> bool {
        if self.is_own(key) {
            return self.is_in_touch(key);
        }
        let element = self.handlespace.element(key);
        let home = element.and_then(|element| element.home);
        home.is_some_and(|home| self.is_live(home))
    }

    /// Step 5: "if there are still PE entries that remain "marked" ... the ENRP server SHOULD
    /// silently remove those".
    pub(super) fn complete_resynchronization(&mut self, peer: RegistrarId, asking: Asking) {
        if let Some(known) = self.peers.by_id.get_mut(&peer) {
            known.tables.is_owed = false;
        }
        let marked = self.handlespace.owned_by(peer).filter(|key| {
            let element = self.handlespace.element(*key);
            element.is_some_and(|element| element.data.learnt_in < asking.number)
        });
        let marked: Vec<ElementKey> = marked.collect();
        let mut removed = 0;
        for key in marked {
            if self.remove(key, RemovalReason::NotListedByHome).is_some() {
                removed += 1;
            }
        }
        self.counters.synchronizations += 1;
        self.emit(Event::Synchronized {
            peer,
            changed: asking.changed,
            removed,
        });
        self.confirm_with_next_checksum(peer);
    }

    /// Its next checksum tells whether to try again. A peer that rejects will not do so for long;
    /// one that does not answer is asked less and less.
    pub(super) fn fail_resynchronization(&mut self, peer: RegistrarId, failed: DownloadFailed) {
        if failed == DownloadFailed::NoResponse {
            self.confirm_with_next_checksum(peer);
        }
    }
}

impl Transferred {
    /// What became of an entry that was taken.
    pub(super) fn of(is_equal: bool) -> Self {
        if is_equal {
            Self::Confirmed
        } else {
            Self::Changed
        }
    }
}
