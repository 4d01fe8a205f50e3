//! What an application asks of a pool user, from any thread and runtime.

use crate::connection::{Outlet, Sink};
use crate::control::SessionControl;
use crate::event::NetworkStatistics;
use crate::node::ask;
use crate::session_notification::SessionNotification;
use rserpool_core::RegistrarAddress;
use rserpool_core::pool_user::{ResolveFailure, Source};
use rserpool_sctp::{ConnectError, DownReason};
use rserpool_wire::asap::Resolution;
use rserpool_wire::parameter::{EncodedPoolElement, PoolElement};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use tokio::sync::{mpsc, oneshot, watch};

/// What can be asked of a pool user. Clones ask the same one; they do not keep it running.
#[derive(Clone, Debug)]
pub struct PoolUserClient {
    pub(super) commands: mpsc::Sender<UserCommand>,
    pub(super) home: watch::Receiver<Option<RegistrarAddress>>,
}

/// Why a pool element could not be reached.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OpenFailed {
    /// It serves its users by something else than SCTP, TCP or UDP.
    ForeignTransport,
    /// It could not be asked.
    Connect(ConnectError),
    /// It did not answer, or would not.
    Down(DownReason),
    /// The pool user has ended.
    Ended,
}

impl fmt::Display for OpenFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForeignTransport => f.write_str(
                "it serves by neither SCTP, TCP nor UDP: resolve, and use sockets of your own",
            ),
            Self::Connect(error) => error.fmt(f),
            Self::Down(reason) => reason.fmt(f),
            Self::Ended => f.write_str("the pool user has ended"),
        }
    }
}

impl std::error::Error for OpenFailed {}

/// An association with a pool element that is up.
#[derive(Debug)]
pub struct Opened {
    /// Sends on it.
    pub outlet: Outlet,
    /// Tells its end.
    pub closed: oneshot::Receiver<DownReason>,
}

impl PoolUserClient {
    /// The pool elements of a pool, and where the answer comes from.
    ///
    /// # Errors
    /// See [`ResolveFailure`].
    pub async fn resolve(
        &self,
        pool_handle: PoolHandle,
        items: Option<u32>,
    ) -> Result<(Resolution, Source), ResolveFailure> {
        let resolve = |reply| UserCommand::Resolve {
            pool_handle,
            items,
            reply,
        };
        ask(&self.commands, resolve)
            .await
            .unwrap_or(Err(ResolveFailure::Stopped))
    }

    /// One pool element of a pool, by its policy.
    ///
    /// # Errors
    /// See [`ResolveFailure`].
    pub async fn select(
        &self,
        pool_handle: PoolHandle,
    ) -> Result<EncodedPoolElement, ResolveFailure> {
        let select = |reply| UserCommand::Select { pool_handle, reply };
        ask(&self.commands, select)
            .await
            .unwrap_or(Err(ResolveFailure::Stopped))
    }

    /// The pool elements of a pool, and every change of them from now on. What changes faster
    /// than it is read is seen in its latest state.
    ///
    /// # Errors
    /// See [`ResolveFailure`].
    pub async fn subscribe(
        &self,
        pool_handle: PoolHandle,
    ) -> Result<watch::Receiver<Option<Resolution>>, ResolveFailure> {
        let subscribe = |reply| UserCommand::Subscribe { pool_handle, reply };
        ask(&self.commands, subscribe)
            .await
            .unwrap_or(Err(ResolveFailure::Stopped))
    }

    /// Reports that a pool element cannot be reached (RFC 5352 §3.5).
    pub async fn report_unreachable(&self, pool_handle: PoolHandle, pool_element: PoolElementId) {
        let report = UserCommand::ReportUnreachable {
            pool_handle,
            pool_element,
        };
        // Nobody to report to any more.
        let _ = self.commands.send(report).await;
    }

    /// A pool element that works is left: for a while another one is better.
    pub async fn avoid(&self, pool_handle: PoolHandle, pool_element: PoolElementId) {
        let avoid = UserCommand::Avoid {
            pool_handle,
            pool_element,
        };
        // Nobody to select any more.
        let _ = self.commands.send(avoid).await;
    }

    /// Tells what happens to a session.
    pub async fn notify(&self, notification: SessionNotification) {
        // Nobody to tell any more.
        let _ = self.commands.send(UserCommand::Notify(notification)).await;
    }

    /// Forgets what is known of a pool (RFC 5352 §6.4).
    pub async fn purge_cache(&self, pool_handle: PoolHandle) {
        // All is forgotten if it has ended.
        let _ = self
            .commands
            .send(UserCommand::PurgeCache(pool_handle))
            .await;
    }

    /// Begins an association with a pool element. What it brings goes to `sink`, with `label` in
    /// its [`crate::Incoming::Opened`]. If `control` has a cookie, its echo is sent before all
    /// else. Dropping the future stops it.
    ///
    /// # Errors
    /// See [`OpenFailed`].
    pub async fn open(
        &self,
        pool_element: PoolElement,
        label: u32,
        sink: Sink,
        control: SessionControl,
    ) -> Result<Opened, OpenFailed> {
        let open = |reply| {
            UserCommand::Open(Box::new(Open {
                pool_element,
                label,
                sink,
                control,
                reply,
            }))
        };
        ask(&self.commands, open)
            .await
            .unwrap_or(Err(OpenFailed::Ended))
    }

    /// Runs a future on the pool user's thread, for as long as that runs.
    pub async fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // The thread being gone, the task has nothing to work with.
        let _ = self.commands.send(UserCommand::Spawn(Box::pin(task))).await;
    }

    /// The home registrar, while there is one.
    pub fn home_registrar(&self) -> Option<RegistrarAddress> {
        self.home.borrow().clone()
    }

    /// Counters of the transport; `None` if it has ended.
    pub async fn statistics(&self) -> Option<NetworkStatistics> {
        ask(&self.commands, UserCommand::Statistics).await
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What an application asks of a pool user.
pub(crate) enum UserCommand {
    Resolve {
        pool_handle: PoolHandle,
        items: Option<u32>,
        reply: oneshot::Sender<Result<(Resolution, Source), ResolveFailure>>,
    },
    Select {
        pool_handle: PoolHandle,
        reply: oneshot::Sender<Result<EncodedPoolElement, ResolveFailure>>,
    },
    Subscribe {
        pool_handle: PoolHandle,
        reply: oneshot::Sender<Result<watch::Receiver<Option<Resolution>>, ResolveFailure>>,
    },
    ReportUnreachable {
        pool_handle: PoolHandle,
        pool_element: PoolElementId,
    },
    Avoid {
        pool_handle: PoolHandle,
        pool_element: PoolElementId,
    },
    PurgeCache(PoolHandle),
    Notify(SessionNotification),
    Open(Box<Open>),
    Spawn(Task),
    Statistics(oneshot::Sender<NetworkStatistics>),
    Stop,
}

pub(crate) struct Open {
    pub(super) pool_element: PoolElement,
    pub(super) label: u32,
    pub(super) sink: Sink,
    pub(super) control: SessionControl,
    pub(super) reply: oneshot::Sender<Result<Opened, OpenFailed>>,
}
