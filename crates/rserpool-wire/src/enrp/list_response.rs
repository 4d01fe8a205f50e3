//! ENRP_LIST_RESPONSE (RFC 5353 §2.6).

use super::Rejected;
use crate::RegistrarId;
use crate::parameter::ServerInformation;
use alloc::vec::Vec;

/// The registrars that a peer knows (RFC 5353 §2.6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListResponse {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
    /// The registrars; `Err`: rejected (R flag).
    pub result: Result<Vec<ServerInformation>, Rejected>,
}
