//! Download of the handlespace (RFC 5353 §3.2.3): the registrar that starts.
//!
//! Must not know how the mentor was found.

use super::Registrar;
use super::event::UpdateRefusal;
use super::handle_update::refusal;
use super::table_session::{Purpose, Transferred};
use rserpool_wire::parameter::EncodedPoolElement;
use rserpool_wire::{PoolHandle, RegistrarId};

/// Why a download did not come to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DownloadFailed {
    /// The mentor rejects it, for now.
    Rejected,
    /// The mentor does not answer, or its association is gone.
    NoResponse,
}

impl Registrar {
    /// Downloads the whole handlespace; ends in `on_download_ended`.
    pub(super) fn start_download(&mut self, mentor: RegistrarId) {
        if !self.start_table_session(mentor, Purpose::Download) {
            self.on_download_ended(mentor, Err(DownloadFailed::NoResponse));
        }
    }

    /// An entry of the mentor's table, with the rules of step 4. What the home itself has said
    /// since the download began is newer than what the mentor lists; so is what this registrar
    /// owns already.
    pub(super) fn transfer_downloaded(
        &mut self,
        mentor: RegistrarId,
        number: u32,
        pool_handle: &PoolHandle,
        pool_element: &EncodedPoolElement,
    ) -> Result<Transferred, UpdateRefusal> {
        let home = pool_element
            .home_registrar()
            .ok_or(UpdateRefusal::NotItsHome)?;
        if home == self.config.id {
            return Ok(Transferred::Nothing);
        }
        self.check_compatible(pool_handle, pool_element)?;
        let known = self.handlespace.find(pool_handle, pool_element.id());
        let element = known.and_then(|key| self.handlespace.element(key));
        if let Some(element) = &element
            && (element.home == Some(self.config.id) || element.data.learnt_in >= number)
        {
            return Ok(Transferred::Nothing);
        }
        let is_equal = element.is_some_and(|element| element.encoded == pool_element);
        if home != mentor && !self.watch_home(home) {
            return Err(UpdateRefusal::NoRoom);
        }
        self.add_foreign(home, pool_handle, pool_element, known)
            .map_err(|error| refusal(&error))?;
        Ok(Transferred::of(is_equal))
    }
}
