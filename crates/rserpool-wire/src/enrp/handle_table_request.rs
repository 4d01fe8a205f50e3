//! ENRP_HANDLE_TABLE_REQUEST (RFC 5353 §2.2).

use crate::RegistrarId;

/// Asks a peer for its handlespace (RFC 5353 §2.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandleTableRequest {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
    /// W flag: only the pool elements that the receiver owns.
    pub own_children_only: bool,
}
