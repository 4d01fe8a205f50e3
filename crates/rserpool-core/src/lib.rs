//! Registrar, pool element and pool user of Reliable Server Pooling as pure state machines
//! (RFC 5352, RFC 5353).
//!
//! - [`registrar`]: keeps the handlespace, answers resolutions, watches pool elements.
//! - [`pool_element`]: keeps one registration alive.
//! - [`pool_user`]: resolves pool handles, with a cache and dynamic updates.
//! - [`session`]: cookies and business cards between a pool user and a pool element, and messages
//!   that may not have arrived.
//! - [`two_call`]: which server is next, for applications with their own sockets (RFC 5351 §4.1).
//!
//! Each is a [`Machine`]: inputs and a time go in, outputs and a deadline come out. This crate
//! has no clock, no socket, no runtime and no log; the same seed and inputs give the same outputs.

mod address;
mod client;
mod compatibility;
mod keyed_timers;
mod machine;
pub mod pool_element;
pub mod pool_user;
mod random;
mod rate_limit;
pub mod registrar;
mod server_hunt;
pub mod session;
mod timer_queue;
mod timers;
mod timestamp;
pub mod two_call;

pub use address::{
    ASAP_PORT, AssociationId, ENRP_PORT, InvalidRegistrarAddress, PeerAddress, RegistrarAddress,
    SCTP_UDP_PORT, Transport,
};
pub use client::ClientOutput;
pub use compatibility::Compatibility;
pub use machine::Machine;
pub use pool_element::PoolElement;
pub use pool_user::PoolUser;
pub use registrar::Registrar;
pub use timer_queue::{TimerId, TimerQueue};
pub use timers::Timers;
pub use timestamp::Timestamp;
