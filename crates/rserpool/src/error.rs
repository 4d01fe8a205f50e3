//! What can fail, what to do about it, and whether trying again helps.

use rserpool_core::pool_user::ResolveFailure;
use rserpool_wire::PoolElementId;
use rserpool_wire::parameter::OperationError;
use std::error::Error;
use std::fmt;
use std::time::Duration;

pub use rserpool_net::{NetError as StartError, RegisterFailed, SendFailed};

/// Why a pool handle was not resolved.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ResolveFailed {
    /// There is no such pool.
    UnknownPool,
    /// No registrar could be reached.
    NoRegistrar,
    /// The registrar did not answer, however often it was asked.
    Timeout,
    /// The registrar would not answer.
    Rejected(OperationError),
    /// Too many requests wait for an answer.
    TooManyRequests,
    /// The pool user has ended.
    Stopped,
}

impl ResolveFailed {
    /// Whether asking again with nothing changed may succeed. A pool that is unknown may be there
    /// a moment later: that is for the application to judge, and not what this means.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::NoRegistrar | Self::Timeout | Self::TooManyRequests
        )
    }
}

impl From<ResolveFailure> for ResolveFailed {
    fn from(failure: ResolveFailure) -> Self {
        match failure {
            ResolveFailure::UnknownPool => Self::UnknownPool,
            ResolveFailure::NoRegistrar => Self::NoRegistrar,
            ResolveFailure::Timeout => Self::Timeout,
            ResolveFailure::Rejected(error) => Self::Rejected(error),
            ResolveFailure::TooManyRequests => Self::TooManyRequests,
            ResolveFailure::Stopped => Self::Stopped,
        }
    }
}

impl fmt::Display for ResolveFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPool => {
                f.write_str("no such pool: check the pool handle, or start a pool element")
            }
            Self::NoRegistrar => f.write_str(
                "no registrar was found: start one (`rsp registrar`), or name one by its address",
            ),
            Self::Timeout => f.write_str("the registrar does not answer: try again"),
            Self::Rejected(error) => write!(f, "the registrar refuses: {error}"),
            Self::TooManyRequests => f.write_str("too many requests at one time: wait for answers"),
            Self::Stopped => f.write_str("the pool user has ended: start a new one"),
        }
    }
}

impl Error for ResolveFailed {}

/// Why a session did not begin.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConnectFailed {
    /// The pool handle was not resolved.
    Resolve(ResolveFailed),
    /// No pool element of the pool could be reached; the last one that was tried.
    Unreachable(PoolElementId),
    /// The pool element serves its users by neither SCTP, TCP nor UDP.
    ForeignTransport(PoolElementId),
    /// This pool user has as many associations as it can: with one pool element 256 over SCTP,
    /// with all of them 4096.
    TooManyAssociations(PoolElementId),
    /// The pool user has ended.
    Stopped,
}

impl ConnectFailed {
    /// Whether connecting again with nothing changed may succeed.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Resolve(failed) => failed.is_temporary(),
            Self::Unreachable(_) | Self::TooManyAssociations(_) => true,
            Self::ForeignTransport(_) | Self::Stopped => false,
        }
    }
}

impl fmt::Display for ConnectFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(failed) => failed.fmt(f),
            Self::Unreachable(last) => {
                write!(
                    f,
                    "no pool element can be reached, the last one tried is {last}: try again"
                )
            }
            Self::ForeignTransport(id) => write!(
                f,
                "pool element {id} serves by neither SCTP, TCP nor UDP: use primary_server and \
                 sockets of your own"
            ),
            Self::TooManyAssociations(id) => write!(
                f,
                "there is no room for another association with pool element {id}: end sessions, \
                 or start another pool user"
            ),
            Self::Stopped => f.write_str("the pool user has ended: start a new one"),
        }
    }
}

impl Error for ConnectFailed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        if let Self::Resolve(failed) = self {
            Some(failed)
        } else {
            None
        }
    }
}

/// A session has had no pool element for too long, and has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SessionLost {
    /// How long it has been without.
    pub without_element: Duration,
    /// What failed last.
    pub last: ConnectFailed,
}

impl SessionLost {
    /// Whether a new session with the same pool may succeed.
    pub fn is_temporary(&self) -> bool {
        self.last.is_temporary() || self.last == ConnectFailed::Resolve(ResolveFailed::UnknownPool)
    }
}

impl fmt::Display for SessionLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.without_element.as_secs_f64();
        write!(
            f,
            "the session has had no pool element for {seconds:.1} s: {}",
            self.last
        )
    }
}

impl Error for SessionLost {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.last)
    }
}
