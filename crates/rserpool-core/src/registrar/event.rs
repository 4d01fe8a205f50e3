//! What an operator wants to know.

use super::Limit;
use crate::{AssociationId, PeerAddress};
use rserpool_wire::parameter::{ErrorCause, OperationError};
use rserpool_wire::{DecodeError, PoolElementId, PoolHandle, RegistrarId};
use std::fmt;
use std::time::Duration;

/// Something happened at a registrar. The one stream that logs, metrics, dashboards and the
/// simulator share. What happens all the time and changes nothing (keep-alives answered,
/// registrations renewed unchanged) is only counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// An association came up.
    AssociationUp {
        /// Which.
        association: AssociationId,
        /// Whose.
        peer: PeerAddress,
    },
    /// An association is gone.
    AssociationLost {
        /// Which.
        association: AssociationId,
        /// How many pool elements went with it.
        pool_elements: usize,
    },
    /// A pool element joined its pool.
    PoolElementRegistered {
        /// Its pool.
        pool_handle: PoolHandle,
        /// Its identifier.
        pool_element: PoolElementId,
        /// Over which association.
        association: AssociationId,
        /// The pool is new.
        pool_created: bool,
    },
    /// A pool element changed what it registered, or came over another association.
    PoolElementReregistered {
        /// Its pool.
        pool_handle: PoolHandle,
        /// Its identifier.
        pool_element: PoolElementId,
        /// Over which association.
        association: AssociationId,
        /// Over which association it was registered before, if it moved.
        moved_from: Option<AssociationId>,
    },
    /// A pool element left its pool.
    PoolElementRemoved {
        /// Its pool.
        pool_handle: PoolHandle,
        /// Its identifier.
        pool_element: PoolElementId,
        /// Why.
        reason: RemovalReason,
        /// It was the last one; the pool is gone too.
        pool_removed: bool,
    },
    /// A registration was rejected (RFC 5352 §3.1).
    RegistrationRejected {
        /// Over which association it came.
        association: AssociationId,
        /// The pool.
        pool_handle: PoolHandle,
        /// The pool element.
        pool_element: PoolElementId,
        /// What its sender was told.
        cause: ErrorCause,
    },
    /// Addresses that are not the sender's own were taken out of a registration
    /// (RFC 5352 §2.2.1).
    AddressesRemoved {
        /// The pool.
        pool_handle: PoolHandle,
        /// The pool element.
        pool_element: PoolElementId,
    },
    /// A deregistration was rejected: it did not come from the pool element itself
    /// (RFC 5352 §2.2.2).
    DeregistrationRejected {
        /// Over which association it came.
        association: AssociationId,
        /// The pool.
        pool_handle: PoolHandle,
        /// The pool element that stays.
        pool_element: PoolElementId,
    },
    /// A pool element did not answer a keep-alive in time; its removal follows.
    KeepAliveMissed {
        /// The pool.
        pool_handle: PoolHandle,
        /// The pool element.
        pool_element: PoolElementId,
    },
    /// A pool element was reported to be unreachable (RFC 5352 §3.5).
    UnreachableReported {
        /// Who says so.
        association: AssociationId,
        /// The pool.
        pool_handle: PoolHandle,
        /// The pool element.
        pool_element: PoolElementId,
        /// How many different hosts have said so since it last gave a sign of life.
        reporters: usize,
    },
    /// A handle resolution was answered (RFC 5352 §3.3).
    HandleResolved {
        /// Who asked.
        association: AssociationId,
        /// For which pool.
        pool_handle: PoolHandle,
        /// How many pool elements were in the answer; zero if it was negative.
        pool_elements: usize,
    },
    /// A pool user gets dynamic updates of a pool (RFC 5352 §2.2.5).
    SubscriptionStarted {
        /// Who.
        association: AssociationId,
        /// Of which pool.
        pool_handle: PoolHandle,
    },
    /// A pool user gets no more dynamic updates of a pool.
    SubscriptionEnded {
        /// Who.
        association: AssociationId,
        /// Of which pool.
        pool_handle: PoolHandle,
        /// Why.
        reason: SubscriptionEnd,
    },
    /// Octets that are no ASAP message.
    BadMessage {
        /// From whom.
        association: AssociationId,
        /// What is wrong, and where.
        error: DecodeError,
    },
    /// A message that nobody sends to a registrar.
    UnexpectedMessage {
        /// From whom.
        association: AssociationId,
        /// Its number in the Message Type field.
        message_type: u8,
    },
    /// The other end found fault with a message of ours.
    ErrorReceived {
        /// Who.
        association: AssociationId,
        /// What it found.
        error: OperationError,
    },
    /// Somebody reached a limit and was refused.
    LimitReached {
        /// Which limit.
        limit: Limit,
        /// Who; `None` if nobody in particular.
        association: Option<AssociationId>,
    },
    /// Another registrar announces itself.
    RegistrarHeard {
        /// Which.
        registrar: RegistrarId,
    },
    /// Another registrar does not announce itself any more.
    RegistrarOutdated {
        /// Which.
        registrar: RegistrarId,
    },
    /// This registrar itself did not run for a while; nobody is removed before all had time to
    /// be heard again.
    Stalled {
        /// How late it is.
        late: Duration,
    },
    /// The registrar has shut down.
    ShutDown,
}

/// Why a pool element was removed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RemovalReason {
    /// It left (RFC 5352 §3.2).
    Deregistered,
    /// Its registration life ran out (RFC 5352 §2.2.4).
    Expired,
    /// Its association was lost.
    AssociationLost,
    /// It did not answer a keep-alive (RFC 5352 §3.5).
    KeepAliveTimeout,
    /// A keep-alive could not be sent to it (RFC 5352 §3.5).
    SendFailed,
    /// It did not answer, and more than MAX-BAD-PE-REPORT hosts said it is unreachable
    /// (RFC 5352 §3.5).
    ReportedUnreachable,
}

impl RemovalReason {
    /// All reasons, in the order in which they are counted.
    pub const ALL: [Self; 6] = [
        Self::Deregistered,
        Self::Expired,
        Self::AssociationLost,
        Self::KeepAliveTimeout,
        Self::SendFailed,
        Self::ReportedUnreachable,
    ];
}

impl fmt::Display for RemovalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deregistered => "deregistered",
            Self::Expired => "registration life ran out",
            Self::AssociationLost => "association lost",
            Self::KeepAliveTimeout => "keep-alive not answered",
            Self::SendFailed => "keep-alive could not be sent",
            Self::ReportedUnreachable => "reported unreachable",
        })
    }
}

/// Why a subscription ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SubscriptionEnd {
    /// The pool user asked again without the S bit.
    Unsubscribed,
    /// The pool is gone.
    PoolRemoved,
    /// The association is gone.
    AssociationLost,
}

impl fmt::Display for SubscriptionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsubscribed => "unsubscribed",
            Self::PoolRemoved => "pool removed",
            Self::AssociationLost => "association lost",
        })
    }
}
