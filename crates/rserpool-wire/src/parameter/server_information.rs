//! Server Information parameter (RFC 5354 §3.11).

use super::{EncapsulationPorts, SctpTransport};
use crate::RegistrarId;

/// How a registrar is reached by its peers (RFC 5354 §3.11).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerInformation {
    /// The registrar.
    pub registrar: RegistrarId,
    /// Its ENRP transport.
    pub transport: SctpTransport,
    /// The UDP port of that transport (`user`) where it is not 9899.
    pub encapsulation_ports: EncapsulationPorts,
}
