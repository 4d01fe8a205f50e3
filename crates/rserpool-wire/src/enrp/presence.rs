//! ENRP_PRESENCE (RFC 5353 §2.1).

use crate::RegistrarId;
use crate::parameter::{PeChecksum, ServerInformation};

/// A registrar's heartbeat (RFC 5353 §2.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Presence {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
    /// Flag 0x01: the receiver must answer with its presence (§3.4).
    pub reply_required: bool,
    /// The checksum over the sender's own pool elements.
    pub checksum: Option<PeChecksum>,
    /// How the sender is reached.
    pub server_information: Option<ServerInformation>,
}
