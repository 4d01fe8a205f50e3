//! Initialization (RFC 5353 §3.2.1, §3.2.2): mentor and peer list.
//!
//! Must not know how the handlespace is downloaded.

use super::Registrar;

impl Registrar {
    /// Whether the handlespace has been downloaded, or there is nobody to download it from.
    pub(super) fn is_initialized(&self) -> bool {
        true
    }

    pub(super) fn start_initialization(&mut self) {
        self.start_announces();
    }

    /// The download from the mentor came to its end (RFC 5353 §3.2.3, step 5), or failed.
    pub(super) fn on_download_ended(
        &mut self,
        mentor: rserpool_wire::RegistrarId,
        result: Result<(), super::download::DownloadFailed>,
    ) {
        let _ = (mentor, result);
    }
}
