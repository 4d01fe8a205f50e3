//! ASAP_SERVER_ANNOUNCE (RFC 5352 §2.2.10).

use crate::RegistrarId;
use crate::parameter::{EncapsulationPorts, SctpTransport, TcpTransport};
use alloc::vec::Vec;

/// A registrar says where it is (RFC 5352 §2.2.10).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerAnnounce {
    /// The registrar.
    pub registrar: RegistrarId,
    /// Where it speaks ASAP; none means SCTP at the sender's address and port 3863 (§3.6).
    pub transports: Vec<AnnouncedTransport>,
    /// The UDP port of the SCTP transports (`user`) where it is not 9899.
    pub encapsulation_ports: EncapsulationPorts,
}

/// The transports allowed in an announce (RFC 5352 §2.2.10).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum AnnouncedTransport {
    /// SCTP.
    Sctp(SctpTransport),
    /// TCP.
    Tcp(TcpTransport),
}
