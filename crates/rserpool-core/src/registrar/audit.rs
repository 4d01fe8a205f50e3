//! Audit (RFC 5353 §3.6.1): is what is known of a peer's pool elements what the peer knows?
//!
//! Must not know how it is mended.

use super::Registrar;
use super::event::Event;
use super::table_session::Purpose;
use crate::{Compatibility, Timestamp};
use rserpool_wire::RegistrarId;
use rserpool_wire::parameter::PeChecksum;

/// Heartbeat cycles between two attempts to mend what does not let itself be mended: two
/// registrars have each a pool of one name, but different policies; or a peer lies.
const PAUSE_MAX: u32 = 64;

impl Registrar {
    /// A presence told the peer's checksum. Updates come over the same association, so both
    /// are of the same time.
    pub(super) fn on_peer_checksum(&mut self, peer: RegistrarId, told: PeChecksum) {
        if !self.is_initialized() {
            return;
        }
        let known = self.checksum_as_told(peer, told);
        let cycle = self.config.timers.peer_heartbeat_cycle;
        let Some(sessions) = self.peers.by_id.get_mut(&peer).map(|peer| &mut peer.tables) else {
            return;
        };
        if sessions.is_synchronizing() {
            return;
        }
        let was_in_vain = std::mem::take(&mut sessions.is_to_be_confirmed);
        // Step 4: "If the two values match, ... it should take no further actions." Unless a
        // re-synchronisation is owed: what was lost with an association may have made up for what
        // came with the next, as different elements can have one checksum.
        if told == known && !sessions.is_owed {
            sessions.audit_pause = 0;
            sessions.audit_not_before = Timestamp::ZERO;
            return;
        }
        self.counters.checksum_mismatches += u64::from(told != known);
        if was_in_vain {
            sessions.audit_pause = (sessions.audit_pause * 2).clamp(1, PAUSE_MAX);
            // A little less than whole cycles, because heartbeats vary.
            let pause = cycle.saturating_mul(sessions.audit_pause) - cycle / 2;
            sessions.audit_not_before = self.now + pause;
        }
        if self.now < sessions.audit_not_before {
            return;
        }
        if told != known {
            self.emit(Event::ChecksumMismatch { peer, told, known });
        }
        // Step 5: "a re-synchronization process SHOULD be carried out immediately".
        self.start_table_session(peer, Purpose::Resynchronization);
    }

    /// The checksum of what is known of a registrar's pool elements, in this scope's form.
    pub(super) fn checksum(&self, of: RegistrarId) -> PeChecksum {
        match self.config.compatibility {
            Compatibility::Rfc => self.handlespace.checksum(of),
            Compatibility::Rsplib => self.handlespace.rsplib_checksum(of),
        }
    }

    /// The same, in the form in which the peer may have told it: with very many pool elements
    /// rsplib's is another one.
    fn checksum_as_told(&mut self, peer: RegistrarId, told: PeChecksum) -> PeChecksum {
        let rfcs = self.handlespace.checksum(peer);
        let rsplibs = self.handlespace.rsplib_checksum(peer);
        if told == rfcs {
            return rfcs;
        }
        if told == rsplibs {
            self.counters.checksums_of_rsplib += 1;
            return rsplibs;
        }
        self.checksum(peer)
    }

    /// Whether the latest re-synchronisation was of use is seen at the next checksum.
    pub(super) fn confirm_with_next_checksum(&mut self, peer: RegistrarId) {
        if let Some(known) = self.peers.by_id.get_mut(&peer) {
            known.tables.is_to_be_confirmed = true;
        }
    }
}
