//! One choice for all timers.

use std::time::Duration;

/// Every timer of a node: of the protocol, of its associations, and of sessions. A preset sets
/// them together; each can be changed after that.
///
/// | preset | for | a silent pool element is gone after |
/// |---|---|---|
/// | [`Timers::default`] | one site | 2.25 s at most, usually less than 2 s |
/// | [`Timers::fast`] | real-time signalling | 0.35 s at most |
/// | [`Timers::rfc`] | the RFCs' own values; wide areas | minutes |
///
/// A pool element whose process is killed is gone within milliseconds with any of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timers {
    /// ASAP's timers and thresholds (RFC 5352 §7), by the RFC's names.
    pub asap: rserpool_core::Timers,
    /// SCTP's timers (RFC 9260 §16).
    pub sctp: rserpool_sctp::Timers,
    /// A session's patience with pool elements.
    pub session: SessionTimers,
}

/// How long a session waits for pool elements.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionTimers {
    /// A pool element that has not answered a connection attempt for this long is passed over.
    pub connect_timeout: Duration,
    /// A session that has had no pool element for this long is given up.
    pub give_up_after: Duration,
}

impl Timers {
    /// The values of the RFCs, for wide areas: slow to notice a silent host, never wrong about it.
    pub fn rfc() -> Self {
        Self {
            asap: rserpool_core::Timers::rfc(),
            sctp: rserpool_sctp::Timers::rfc(),
            session: SessionTimers {
                connect_timeout: Duration::from_secs(3),
                give_up_after: Duration::from_secs(120),
            },
        }
    }

    /// For real-time signalling within one site: a silent host is noticed within 0.5 s, a
    /// silent pool element by its registrar within 0.35 s.
    pub fn fast() -> Self {
        Self {
            asap: rserpool_core::Timers::fast(),
            sctp: rserpool_sctp::Timers::fast(),
            session: SessionTimers {
                connect_timeout: Duration::from_millis(100),
                give_up_after: Duration::from_secs(10),
            },
        }
    }
}

impl Default for Timers {
    /// For one site: a silent host is noticed within a second or two, at a small price.
    fn default() -> Self {
        Self {
            asap: rserpool_core::Timers::default(),
            sctp: rserpool_sctp::Timers::lan(),
            session: SessionTimers {
                connect_timeout: Duration::from_millis(250),
                give_up_after: Duration::from_secs(30),
            },
        }
    }
}
