//! ENRP_LIST_REQUEST (RFC 5353 §2.5).

use crate::RegistrarId;

/// Asks a peer for the registrars it knows (RFC 5353 §2.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListRequest {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
}
