//! The parameters of RFC 5354 §3 and the policies of RFC 5356, one file each.

mod address;
mod cookie;
mod datagram_transport;
mod dccp_transport;
mod encapsulation_ports;
pub(crate) mod item_count;
mod kind;
mod operation_error;
mod pe_checksum;
mod pe_identifier;
mod policy;
mod pool_element;
mod pool_handle;
mod sctp_transport;
mod server_information;
mod tcp_transport;
mod user_transport;

pub use address::ADDRESSES_MAX;
pub use cookie::{COOKIE_OCTETS_MAX, Cookie};
pub use datagram_transport::DatagramTransport;
pub use dccp_transport::DccpTransport;
pub use encapsulation_ports::EncapsulationPorts;
pub use kind::ParameterType;
pub(crate) use operation_error::OPERATION_ERROR_OCTETS_MAX;
pub use operation_error::{
    CAUSE_INFORMATION_OCTETS_MAX, ERROR_CAUSES_MAX, ErrorCause, OperationError,
};
pub use pe_checksum::PeChecksum;
pub use pe_identifier::PoolElementId;
pub use policy::{POLICY_DATA_OCTETS_MAX, Policy, PolicyType};
pub use pool_element::{
    EncodedPoolElement, POOL_ELEMENT_OCTETS_MAX, PoolElement, PoolElementEncoding,
};
pub use pool_handle::{POOL_HANDLE_OCTETS_MAX, PoolHandle};
pub use sctp_transport::{SctpTransport, TransportUse};
pub use server_information::ServerInformation;
pub use tcp_transport::TcpTransport;
pub use user_transport::{OPAQUE_TRANSPORT_OCTETS_MAX, UserTransport};
