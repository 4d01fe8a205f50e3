#![doc = include_str!("../README.md")]

mod error;
mod pool_element;
mod pool_user;
mod registrar;
mod session;
mod timers;

pub use error::{
    ConnectFailed, RegisterFailed, ResolveFailed, SendFailed, SessionLost, StartError,
};
pub use pool_element::{PoolElement, PoolElementBuilder};
pub use pool_user::{PoolUpdate, PoolUser, PoolUserBuilder, Subscription};
pub use registrar::{Registrar, RegistrarBuilder};
pub use session::{Session, SessionElement, SessionEvent, SessionSender};
pub use timers::{SessionTimers, Timers};

pub use rserpool_core::registrar::{Limits, Snapshot};
pub use rserpool_core::{
    InvalidRegistrarAddress, RegistrarAddress, Transport, pool_user::Limits as PoolUserLimits,
};
pub use rserpool_handlespace::{MemberSelection, Policies};
pub use rserpool_net::{
    Connection, EventReceiver, Multicast, NetworkEvent, NetworkStatistics, NodeEvent,
    PoolElementEndpoints, Received, RegistrarEndpoints as Endpoints, Scope,
};
pub use rserpool_wire::asap::Resolution;
pub use rserpool_wire::parameter::{Policy, PolicyType};
pub use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId};

/// What happens at a registrar and its transport.
pub type RegistrarEvent = NodeEvent<rserpool_core::registrar::Event>;
/// What happens at a pool element and its transport.
pub type PoolElementEvent = NodeEvent<rserpool_core::pool_element::Event>;
/// What happens at a pool user and its transport.
pub type PoolUserEvent = NodeEvent<rserpool_core::pool_user::Event>;

/// A random identifier.
fn identifier() -> Result<u32, StartError> {
    rserpool_net::random_u32()
}
