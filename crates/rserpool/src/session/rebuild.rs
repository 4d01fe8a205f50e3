//! Rebuilding state at the pool element that takes a session over.

use crate::SendFailed;
use rserpool_net::Outlet;
use rserpool_wire::PoolElementId;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Sends to the pool element that takes a session over, before all others; see
/// [`SessionBuilder::rebuild`](crate::SessionBuilder::rebuild).
#[derive(Debug)]
pub struct StateSender {
    pub(super) outlet: Outlet,
    pub(super) id: PoolElementId,
    pub(super) cookie_echoed: bool,
}

impl StateSender {
    /// The pool element that takes over.
    pub fn id(&self) -> PoolElementId {
        self.id
    }

    /// Whether it has the latest cookie: what that holds need not be rebuilt.
    pub fn cookie_echoed(&self) -> bool {
        self.cookie_echoed
    }

    /// Sends a message on stream 0 with payload protocol 0; see [`StateSender::send_with`].
    ///
    /// # Errors
    /// See [`SendFailed`].
    pub async fn send(&self, data: impl Into<Vec<u8>>) -> Result<(), SendFailed> {
        self.send_with(0, 0, data).await
    }

    /// Sends a message. Waits while too much is unacknowledged.
    ///
    /// # Errors
    /// See [`SendFailed`]; [`SendFailed::Closed`] if this pool element has failed too: there will
    /// be another sender.
    pub async fn send_with(
        &self,
        stream: u16,
        ppid: u32,
        data: impl Into<Vec<u8>>,
    ) -> Result<(), SendFailed> {
        self.outlet.send_with(stream, ppid, data).await
    }
}

pub(super) type Rebuilding = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the application does with a [`StateSender`].
#[derive(Clone)]
pub(super) struct Rebuild(Arc<dyn Fn(StateSender) -> Rebuilding + Send + Sync>);

impl Rebuild {
    pub(super) fn new<F>(rebuild: impl Fn(StateSender) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(move |sender| Box::pin(rebuild(sender))))
    }

    pub(super) fn begin(&self, sender: StateSender) -> Rebuilding {
        (self.0)(sender)
    }
}

impl fmt::Debug for Rebuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rebuild")
    }
}
