//! Download of the handlespace (RFC 5353 §3.2.3): the registrar that starts.
//!
//! Must not know how the mentor was found.

use super::Registrar;
use rserpool_wire::RegistrarId;

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
        let _ = mentor;
    }
}
