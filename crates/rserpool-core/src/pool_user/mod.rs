//! Pool user: resolves pool handles at its home registrar (RFC 5352).
//!
//! | file | procedure |
//! |---|---|
//! | `resolution` | RFC 5352 §3.3, §3.7.2: requests and T1 |
//! | `cache` | §3.3, C1 to C4 |
//! | `subscription` | §2.2.5: dynamic updates |
//! | `unreachable` | §3.5: reports |
//! | `home_registrar` | §3.6, §3.7: finding, losing and changing it |
//! | `bad_message` | §2.2.14 |
//!
//! Must not know octets, sockets, clocks, or what is said to pool elements.

mod config;
mod event;

pub use config::{Config, Limits};
pub use event::{Event, ResolveFailure, Source};

use crate::{AssociationId, RegistrarAddress};
use rserpool_wire::asap::Message;
use rserpool_wire::{Decoded, PoolElementId, PoolHandle, Undecodable};
use std::net::SocketAddr;

/// A request, as its user numbers it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// What happens to a pool user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A message arrived over an association, or what should have been one.
    Received {
        /// Over which association.
        from: AssociationId,
        /// The message.
        message: Result<Decoded<Message>, Undecodable>,
    },
    /// An association or connection that was asked for came up.
    AssociationUp {
        /// Its number, never used before.
        association: AssociationId,
        /// The registrar, as in [`Output::Connect`].
        registrar: RegistrarAddress,
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

/// What the user of a pool user can want.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// The pool elements of a pool: answered by [`Event::Resolved`] or [`Event::ResolveFailed`].
    Resolve {
        /// The user's number for it.
        request: RequestId,
        /// The pool.
        pool_handle: PoolHandle,
        /// How many are wanted; `None`: as many as the registrar likes.
        items: Option<u32>,
        /// Updates are wanted from now on: [`Event::PoolUpdated`].
        subscribe: bool,
    },
    /// One pool element of a pool, by its policy: answered by [`Event::Selected`] or
    /// [`Event::ResolveFailed`].
    Select {
        /// The user's number for it.
        request: RequestId,
        /// The pool.
        pool_handle: PoolHandle,
    },
    /// No more updates are wanted.
    Unsubscribe {
        /// Of which pool.
        pool_handle: PoolHandle,
    },
    /// A pool element could not be reached (RFC 5352 §3.5).
    ReportUnreachable {
        /// The pool.
        pool_handle: PoolHandle,
        /// The pool element.
        pool_element: PoolElementId,
    },
    /// The end: all requests fail, all associations are closed.
    Stop,
}

/// What a pool user wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Establish an association or connection with a registrar.
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

/// A pool user.
#[derive(Debug)]
pub struct PoolUser {}
