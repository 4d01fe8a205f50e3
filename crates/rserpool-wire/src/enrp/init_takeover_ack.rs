//! ENRP_INIT_TAKEOVER_ACK (RFC 5353 §2.8).

use crate::RegistrarId;

/// A registrar does not object to a takeover (RFC 5353 §2.8, §3.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InitTakeoverAck {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
    /// The registrar that is taken over.
    pub target: RegistrarId,
}
