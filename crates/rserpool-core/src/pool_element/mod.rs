//! Pool element: keeps one registration alive (RFC 5352).
//!
//! | file | procedure |
//! |---|---|
//! | `registration` | RFC 5352 §3.1: T2 and T4 |
//! | `deregistration` | §3.2: T3 |
//! | `keep_alive` | §3.4 |
//! | `home_registrar` | §3.6, §3.7: finding, losing and changing it |
//! | `bad_message` | §2.2.14 |
//!
//! Must not know octets, sockets, clocks, or what is said to pool users.

mod config;
mod event;

pub use config::{Config, UserProtocol, UserTransportTemplate};
pub use event::Event;

use crate::{AssociationId, RegistrarAddress};
use rserpool_wire::asap::Message;
use rserpool_wire::parameter::Policy;
use rserpool_wire::{Decoded, Undecodable};
use std::net::{IpAddr, SocketAddr};

/// What happens to a pool element.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A message arrived over an association, or what should have been one.
    Received {
        /// Over which association.
        from: AssociationId,
        /// The message.
        message: Result<Decoded<Message>, Undecodable>,
    },
    /// An association came up: one that was asked for, or one that a registrar established to
    /// take this pool element over (RFC 5353 §3.5).
    AssociationUp {
        /// Its number, never used before.
        association: AssociationId,
        /// The registrar, as in [`Output::Connect`] if it was asked for.
        registrar: RegistrarAddress,
        /// The addresses of this end.
        local: Vec<IpAddr>,
    },
    /// One that was asked for could not be established.
    ConnectFailed {
        /// The registrar, as in [`Output::Connect`].
        registrar: RegistrarAddress,
    },
    /// An association ended, in whatever way.
    AssociationLost {
        /// Which.
        association: AssociationId,
    },
    /// A message could not be sent (RFC 5352 §3.7.1).
    SendFailed {
        /// To whom.
        association: AssociationId,
    },
    /// A message was heard on the multicast channel.
    Announced {
        /// From where.
        from: SocketAddr,
        /// The message.
        message: Message,
    },
    /// The user wants something.
    Command(Command),
}

/// What the user of a pool element can want.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Register, and stay registered.
    Register,
    /// Another policy value; a registered pool element registers it at once.
    SetPolicy(Policy),
    /// Leave the pool.
    Deregister,
    /// The end: all associations are closed. Does not deregister.
    Stop,
}

/// What a pool element wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Establish an association with a registrar.
    Connect {
        /// How it is reached.
        registrar: RegistrarAddress,
    },
    /// Stop establishing it; nothing happens if it is up or has failed already.
    StopConnecting {
        /// How it is reached.
        registrar: RegistrarAddress,
    },
    /// Send a message.
    Send {
        /// To whom.
        to: AssociationId,
        /// The message.
        message: Message,
    },
    /// Close an association after everything before has been sent.
    Close {
        /// Which.
        association: AssociationId,
    },
    /// Tell whoever wants to know.
    Event(Event),
}

/// A pool element.
#[derive(Debug)]
pub struct PoolElement {}
