//! Reliable Server Pooling on real sockets and with a real clock: associations by user-space SCTP
//! over UDP and by TCP, announces by multicast, lifelines, and the frame that drives the machines
//! of `rserpool-core`.
//!
//! Every decision about the protocol is `rserpool-core`'s, every decision about SCTP is
//! `rserpool-sctp`'s. Applications use the `rserpool` crate, which is made of this one.
//!
//! | file | |
//! |---|---|
//! | `driver` | the frame: octets to messages to the machine, and back |
//! | `registrar`, `pool_element`, `pool_user` | the three machines in it |
//! | `network` | all transports behind one face |
//! | `sctp_over_udp`, `udp`, `error_queue` | user-space SCTP, its sockets, and ICMP |
//! | `heard_until` | what is late, and what only seems to be |
//! | `raw_ip`, `packet_info` | SCTP without UDP; from and to which of our addresses |
//! | `kernel_sctp` | the kernel's SCTP |
//! | `tcp`, `framing` | ASAP over TCP |
//! | `user_transport`, `sock_diag` | data channels over TCP and UDP; what TCP has acknowledged |
//! | `lifeline` | the hint that a process has died |
//! | `multicast`, `interfaces` | announces, of ASAP and of ENRP |
//! | `event`, `session_notification` | what applications and operators are told |
//! | `node`, `threads`, `connection`, `control`, `data`, `unread` | threads, queues, their limits |

mod connecting;
mod connection;
mod control;
mod data;
mod driver;
mod error;
mod error_queue;
mod event;
mod framing;
mod heard_until;
mod inbox;
mod interfaces;
mod kernel_sctp;
mod lifeline;
mod listen;
mod local_address;
mod multicast;
mod network;
mod node;
mod open_files;
mod packet_info;
mod pool_element;
mod pool_user;
mod random;
mod raw_ip;
mod registrar;
mod registrar_associations;
#[cfg(test)]
mod registrar_transport_tests;
mod sctp_over_udp;
mod session_notification;
mod sock_diag;
mod tcp;
mod threads;
mod udp;
mod unread;
mod user_transport;
mod write_queue;

pub use connection::{
    Connection, ConnectionEvent, DATA_OCTETS_MAX, Incoming, Inlet, Outlet, Received, STREAMS,
    SendFailed, Sink, UDP_OCTETS_MAX, inlet,
};
pub use control::SessionControl;
pub use error::{NetError, Operation};
pub use event::{NetworkEvent, NetworkStatistics};
pub use kernel_sctp::{InvalidSctpMode, KernelSctpStatistics, SctpMode};
pub use local_address::local_address_toward;
pub use multicast::{ANNOUNCE_GROUP_V4, ANNOUNCE_PORT, ENRP_GROUP_V4, Multicast, Scope};
pub use network::{ASAP_PPID, ENRP_PPID};
pub use node::{EventReceiver, NodeEvent};
pub use open_files::raise_open_files_limit;
pub use pool_element::{
    Drained, PoolElementConfig, PoolElementEndpoints, PoolElementNode, RegisterFailed,
    Registration, ServeAt,
};
pub use pool_user::{OpenFailed, Opened, PoolUserClient, PoolUserConfig, PoolUserNode};
pub use random::random_u32;
pub use registrar::{RegistrarConfig, RegistrarEndpoints, RegistrarNode};
pub use session_notification::{SessionNews, SessionNotification};
pub use tcp::ASAP_TCP_PORT;
pub use udp::{Port, UDP_ENCAPSULATION_PORT, UdpStatistics};
pub use unread::UNREAD_OCTETS_MAX;
pub use user_transport::{DataTransport, UDP_IDLE_AFTER};
