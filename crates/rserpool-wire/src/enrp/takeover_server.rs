//! ENRP_TAKEOVER_SERVER (RFC 5353 §2.9).

use crate::RegistrarId;

/// A registrar has taken over a peer's pool elements (RFC 5353 §2.9, §3.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TakeoverServer {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
    /// The registrar that is taken over.
    pub target: RegistrarId,
}
