//! What an operator wants to know.

use super::Limit;
use crate::{AssociationId, PeerAddress, RegistrarAddress};
use rserpool_wire::parameter::{ErrorCause, OperationError, PeChecksum};
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
    /// The registrar is ready: it has the handlespace of its mentor, or is alone
    /// (RFC 5353 §3.2).
    Initialized {
        /// Whose handlespace it is; `None` if it is alone.
        mentor: Option<RegistrarId>,
        /// How many pool elements it knows now.
        pool_elements: usize,
    },
    /// A peer that was not known, or had been given up, is on the peer list (RFC 5353 §3.4.1).
    PeerJoined {
        /// Which.
        peer: RegistrarId,
        /// Where it speaks ENRP.
        address: RegistrarAddress,
    },
    /// A peer has not been heard for MAX-TIME-LAST-HEARD, or its association is gone; it is asked
    /// (RFC 5353 §3.4.3).
    PeerSuspected {
        /// Which.
        peer: RegistrarId,
    },
    /// A peer that was suspected, or being taken over, is alive.
    PeerAlive {
        /// Which.
        peer: RegistrarId,
    },
    /// A peer does not answer (RFC 5353 §3.4.3).
    PeerDead {
        /// Which.
        peer: RegistrarId,
        /// How many pool elements it owned.
        pool_elements: usize,
    },
    /// Another registrar uses an identifier that is this one's, or that of a live peer
    /// (RFC 5353 §3.2.1); it is turned away.
    IdentifierConflict {
        /// The identifier.
        registrar: RegistrarId,
        /// Over which association it came.
        association: AssociationId,
        /// Who uses it.
        address: PeerAddress,
    },
    /// This registrar begins to take over a dead peer (RFC 5353 §3.5.1).
    TakeoverStarted {
        /// Which.
        target: RegistrarId,
        /// How many pool elements it owns.
        pool_elements: usize,
    },
    /// This registrar has acknowledged that another one takes over a peer (RFC 5353 §3.5.1).
    TakeoverAcknowledged {
        /// Which peer.
        target: RegistrarId,
        /// Who takes it over.
        initiator: RegistrarId,
    },
    /// Another registrar wants to take over a peer, or says that it did, which this one hears to
    /// be alive.
    TakeoverRefused {
        /// Which peer.
        target: RegistrarId,
        /// Who wanted to take it over.
        initiator: RegistrarId,
    },
    /// This registrar does not take over a peer after all (RFC 5353 §3.5.1).
    TakeoverAborted {
        /// Which.
        target: RegistrarId,
        /// Who does instead; `None`: the peer is alive.
        winner: Option<RegistrarId>,
    },
    /// A dead peer's pool elements have a new home (RFC 5353 §3.5.2).
    TakenOver {
        /// Whose they were.
        target: RegistrarId,
        /// Whose they are.
        winner: RegistrarId,
        /// How many.
        pool_elements: usize,
    },
    /// A pool element of a registrar that was taken over has accepted this one as its home.
    PoolElementAdopted {
        /// Its pool.
        pool_handle: PoolHandle,
        /// Its identifier.
        pool_element: PoolElementId,
        /// Over which association.
        association: AssociationId,
    },
    /// A peer's pool element became known (RFC 5353 §3.3.1).
    PoolElementLearnt {
        /// Its pool.
        pool_handle: PoolHandle,
        /// Its identifier.
        pool_element: PoolElementId,
        /// Its home.
        home: RegistrarId,
        /// The pool is new.
        pool_created: bool,
    },
    /// A peer's pool element has other attributes, or another home (RFC 5353 §3.3.1).
    PoolElementChanged {
        /// Its pool.
        pool_handle: PoolHandle,
        /// Its identifier.
        pool_element: PoolElementId,
        /// Its home.
        home: RegistrarId,
        /// Its home before.
        previous_home: Option<RegistrarId>,
    },
    /// A peer claims a pool element that this registrar owns and is in touch with; the pool
    /// element is asked.
    OwnershipContested {
        /// Its pool.
        pool_handle: PoolHandle,
        /// Its identifier.
        pool_element: PoolElementId,
        /// Who claims it.
        claimant: RegistrarId,
    },
    /// What a peer said about a pool element is not believed.
    UpdateRefused {
        /// Who said it.
        peer: RegistrarId,
        /// The pool.
        pool_handle: PoolHandle,
        /// The pool element.
        pool_element: PoolElementId,
        /// Why.
        reason: UpdateRefusal,
    },
    /// A peer's checksum is not that of what is known of its pool elements (RFC 5353 §3.6.1).
    ChecksumMismatch {
        /// Which peer.
        peer: RegistrarId,
        /// What it says.
        told: PeChecksum,
        /// What was calculated.
        known: PeChecksum,
    },
    /// What is known of a peer's pool elements is what it says (RFC 5353 §3.6.3).
    Synchronized {
        /// Which peer.
        peer: RegistrarId,
        /// How many pool elements were new or different.
        changed: usize,
        /// How many were not the peer's any longer.
        removed: usize,
    },
    /// A re-synchronisation with a peer, or a download from it, did not come to its end.
    SynchronizationFailed {
        /// Which peer.
        peer: RegistrarId,
    },
}

/// Why an update of a peer is not believed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum UpdateRefusal {
    /// Only a pool element's home may say so (RFC 5353 §3.3).
    NotItsHome,
    /// The pool has another policy or transport (RFC 5352 §3.1).
    Inconsistent,
    /// A limit of the handlespace is reached.
    NoRoom,
    /// Not all of the scope can read it: see [`Compatibility`](crate::Compatibility).
    Incompatible,
}

impl fmt::Display for UpdateRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotItsHome => "not its home registrar",
            Self::Inconsistent => "inconsistent with its pool",
            Self::NoRoom => "no room",
            Self::Incompatible => "cannot be read by rsplib",
        })
    }
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
    /// Its home registrar said so (RFC 5353 §3.3.2).
    RemovedByHome,
    /// Its home registrar does not list it any longer (RFC 5353 §3.6.3).
    NotListedByHome,
    /// It could not be reached when its home registrar was taken over (RFC 5353 §3.5.2).
    NotAdopted,
}

impl RemovalReason {
    /// All reasons, in the order in which they are counted.
    pub const ALL: [Self; 9] = [
        Self::Deregistered,
        Self::Expired,
        Self::AssociationLost,
        Self::KeepAliveTimeout,
        Self::SendFailed,
        Self::ReportedUnreachable,
        Self::RemovedByHome,
        Self::NotListedByHome,
        Self::NotAdopted,
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
            Self::RemovedByHome => "removed by its home registrar",
            Self::NotListedByHome => "not listed by its home registrar",
            Self::NotAdopted => "not reached after a takeover",
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
