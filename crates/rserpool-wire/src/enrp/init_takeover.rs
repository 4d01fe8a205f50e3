//! ENRP_INIT_TAKEOVER (RFC 5353 §2.7).

use crate::RegistrarId;

/// A registrar wants to take over a peer's pool elements (RFC 5353 §2.7, §3.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InitTakeover {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
    /// The registrar that is taken over.
    pub target: RegistrarId,
}
