//! What a pool user tells about its sessions, beside what each tells its own application: for
//! logs, dashboards and whoever watches all of them.

use crate::user_transport::DataTransport;
use rserpool_wire::{PoolElementId, PoolHandle};
use std::fmt;
use std::time::Duration;

/// Something happened to a session of a pool user. A session with a transport address
/// (RFC 5352 §6.5.4) has an empty pool handle, and its pool element the identifier 0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionNotification {
    /// With which pool.
    pub pool_handle: PoolHandle,
    /// What happened.
    pub what: SessionNews,
}

/// What happened to a session.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SessionNews {
    /// It has begun.
    Added {
        /// With whom.
        with: PoolElementId,
        /// By what.
        transport: DataTransport,
    },
    /// Its pool element has failed, or does not serve any more, or is left. Unless its
    /// application wants to say when, the session goes on with another one.
    FailoverNecessary {
        /// That pool element.
        from: PoolElementId,
    },
    /// A pool element could not be reached, or refused: when the session began or after a failure.
    /// The next one is tried.
    Refused {
        /// That pool element.
        by: PoolElementId,
    },
    /// It is with another pool element.
    FailoverDone {
        /// The one before.
        from: PoolElementId,
        /// The one of now.
        to: PoolElementId,
        /// Since it began to look for another one.
        after: Duration,
    },
    /// It has had no pool element for too long, or none may take its place, and has ended.
    Lost {
        /// The last one.
        with: PoolElementId,
    },
    /// Its application has closed it.
    Removed {
        /// The last one.
        with: PoolElementId,
    },
}

impl fmt::Display for SessionNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { with, transport } => write!(f, "session with {with} by {transport}"),
            Self::FailoverNecessary { from } => write!(f, "failover from {from} necessary"),
            Self::Refused { by } => write!(f, "refused by {by}"),
            Self::FailoverDone { from, to, after } => {
                let millis = after.as_secs_f64() * 1e3;
                write!(f, "failover from {from} to {to} done after {millis:.1} ms")
            }
            Self::Lost { with } => write!(f, "session lost, the last was {with}"),
            Self::Removed { with } => write!(f, "session with {with} closed"),
        }
    }
}
