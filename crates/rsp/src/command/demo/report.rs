//! What the demo's children tell on their standard output, a line of JSON each.
//!
//! The same lines as `rsp registrar|serve|resolve --watch|connect --every-ms` print with
//! `-o json`: written there, read here.

use serde::{Deserialize, Serialize};

/// A line of a child.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Report {
    /// A registrar serves.
    Serving {
        /// Its identifier.
        registrar: String,
        /// Where it is reached, as `--registrar` takes it.
        reached_at: Vec<String>,
        /// Where other registrars reach it, as `--peer` takes it.
        reached_by_peers_at: String,
        /// Where its management interface listens.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        management: Option<String>,
        /// The peers that it was told of.
        peers: Vec<String>,
    },
    /// A registrar has the pools of its peers, or is alone.
    Initialized {
        /// From whom it has them.
        mentor: Option<String>,
        pool_elements: usize,
    },
    /// A pool element is registered.
    Registered {
        pool_handle: String,
        pool_element: String,
        /// Its home registrar.
        home: String,
    },
    /// A pool element begins to leave its pool.
    Leaving {
        pool_handle: String,
        pool_element: String,
        /// Sessions that are open.
        sessions: usize,
        /// How long they may take to end by themselves.
        drain_ms: u64,
    },
    /// A pool element has left its pool.
    Deregistered {
        pool_handle: String,
        pool_element: String,
    },
    /// Sessions of a pool element that has left its pool are still open.
    Draining {
        sessions: usize,
        /// Until they are moved.
        left_ms: u64,
    },
    /// All sessions of a pool element that has left its pool have ended.
    Drained {
        /// By themselves.
        finished: usize,
        /// To other pool elements.
        moved: usize,
        /// Whether a registrar has confirmed that the pool is left.
        deregistered: bool,
    },
    /// A pool as it is.
    Pool {
        pool_handle: String,
        /// The identifiers of its pool elements; none: there is no such pool.
        pool_elements: Vec<String>,
    },
    /// A session has its first pool element.
    Connected {
        pool_element: String,
        address: String,
        transport: String,
    },
    /// An answer came.
    Answer {
        pool_element: String,
        /// Without control characters.
        answer: String,
        /// How long after the request was first sent.
        after_ms: f64,
    },
    /// A pool element would not do what it was asked; the pool is asked again.
    Refused { pool_element: String },
    /// The session goes on at another pool element.
    Failover {
        from: String,
        to: String,
        gap_ms: f64,
        /// Whether the other one was given the session's cookie.
        cookie_echoed: bool,
    },
}
