//! The parameters of RFC 5354 §3 and the policies of RFC 5356, one file each.

mod encapsulation_ports;
mod operation_error;
mod policy;
mod pool_element;
mod server_information;
mod transport;

pub use encapsulation_ports::EncapsulationPorts;
pub use operation_error::{ErrorCause, OperationError};
pub use policy::{Policy, PolicyType};
pub use pool_element::{EncodedPoolElement, PoolElement};
pub use server_information::ServerInformation;
pub use transport::{
    DatagramTransport, DccpTransport, SctpTransport, TcpTransport, TransportUse, UserTransport,
};

/// A cookie (RFC 5354 §3.13): octets that only the pool elements of its pool understand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cookie(pub alloc::vec::Vec<u8>);

/// The checksum over all pool elements that a registrar owns (RFC 5354 §3.15, RFC 5353 §3.6.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeChecksum(pub u16);
