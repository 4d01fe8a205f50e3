//! What the user of a pool user wants to know.

use super::RequestId;
use crate::RegistrarAddress;
use rserpool_wire::asap::Resolution;
use rserpool_wire::parameter::{EncodedPoolElement, OperationError};
use rserpool_wire::{DecodeError, PoolHandle};
use std::fmt;

/// Something happened at a pool user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A resolution was answered.
    Resolved {
        /// Which request.
        request: RequestId,
        /// Of which pool.
        pool_handle: PoolHandle,
        /// Its pool elements.
        resolution: Resolution,
        /// Whether, and how well, the cache answered.
        source: Source,
    },
    /// A pool element was selected (RFC 5356: by the pool user's side of the policy).
    Selected {
        /// Which request.
        request: RequestId,
        /// Of which pool.
        pool_handle: PoolHandle,
        /// The pool element.
        pool_element: EncodedPoolElement,
        /// Whether, and how well, the cache answered.
        source: Source,
    },
    /// A request was not answered.
    ResolveFailed {
        /// Which request.
        request: RequestId,
        /// Of which pool.
        pool_handle: PoolHandle,
        /// Why.
        error: ResolveFailure,
    },
    /// A pool that is subscribed to has changed.
    PoolUpdated {
        /// Which.
        pool_handle: PoolHandle,
        /// Its pool elements; `None`: there are none to be had. The subscription goes on.
        resolution: Option<Resolution>,
    },
    /// No home registrar: one is looked for (RFC 5352 §3.6).
    ServerHuntStarted {
        /// The registrar that was lost, or does not answer.
        lost: Option<RegistrarAddress>,
    },
    /// There is a home registrar, and it was not there before.
    HomeRegistrarChanged {
        /// Where it is.
        home: RegistrarAddress,
    },
    /// Octets that are no ASAP message.
    BadMessage {
        /// What is wrong, and where.
        error: DecodeError,
    },
    /// A message that nobody sends to a pool user.
    UnexpectedMessage {
        /// Its number in the Message Type field.
        message_type: u8,
    },
    /// A registrar found fault with a message of ours.
    ErrorReceived {
        /// What it found.
        error: OperationError,
    },
}

/// Where an answer comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    /// A registrar, just now.
    Registrar,
    /// The cache, not older than stale_cache_value or kept up to date by a subscription.
    Cache,
    /// The cache, older than that: no registrar answered.
    StaleCache,
}

/// Why a request was not answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ResolveFailure {
    /// There is no such pool.
    UnknownPool,
    /// No registrar could be reached.
    NoRegistrar,
    /// The registrar did not answer, however often it was asked.
    Timeout,
    /// The registrar would not answer.
    Rejected(OperationError),
    /// More requests than `requests_max` at one time.
    TooManyRequests,
    /// The pool user was stopped.
    Stopped,
}

impl fmt::Display for ResolveFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPool => {
                f.write_str("no such pool: check the pool handle, or start a pool element")
            }
            Self::NoRegistrar => {
                f.write_str("no registrar can be reached: check its address, or start one")
            }
            Self::Timeout => f.write_str("the registrar does not answer: try again"),
            Self::Rejected(error) => write!(f, "the registrar refuses: {error}"),
            Self::TooManyRequests => f.write_str("too many requests at one time: wait for answers"),
            Self::Stopped => f.write_str("the pool user was stopped"),
        }
    }
}

impl std::error::Error for ResolveFailure {}
