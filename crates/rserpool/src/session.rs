//! A session with a pool: an association with one of its pool elements, and with another one
//! whenever that fails (RFC 5351 §2.3).

use crate::{ConnectFailed, ResolveFailed, SendFailed, SessionLost, SessionTimers};
use rserpool_core::pool_user::ResolveFailure;
use rserpool_core::session::PREFERRED_ELEMENTS_MAX;
use rserpool_net::{
    Incoming, Inlet, OpenFailed, Opened, Outlet, PoolUserClient, PoolUserNode, Received,
    SessionControl, Sink, inlet,
};
use rserpool_sctp::DownReason;
use rserpool_wire::asap::BusinessCard;
use rserpool_wire::parameter::{EncodedPoolElement, PoolElement};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// The first pause when no pool element can be had; doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// The longest such pause: a pool that comes back is used again this soon.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// A pool element that closes an association sooner than this is not asked again at once: the two
/// could go on like that for ever.
const SHORT_LIVED: Duration = Duration::from_millis(100);

/// A session with a pool. Dropping it closes it in good order.
#[derive(Debug)]
pub struct Session {
    inlet: Inlet,
    shared: Arc<Mutex<Shared>>,
    /// When the association that was used last was lost.
    lost_at: Option<Instant>,
    control: SessionControl,
    _node: Arc<PoolUserNode>,
}

/// The pool element that a session is with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionElement {
    /// Its identifier.
    pub id: PoolElementId,
    /// Its UDP address.
    pub address: SocketAddr,
}

/// What a session brings.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SessionEvent {
    /// A message.
    Message(Received),
    /// The session is with another pool element. Without a cookie that knows nothing of what was
    /// sent before; with one, what the cookie says. Whatever has not been answered must be sent
    /// again. Nothing else is sent to it before this is taken: now is the time to send what
    /// rebuilds its state.
    Failover {
        /// The pool element that failed.
        from: PoolElementId,
        /// The one that takes its place.
        to: PoolElementId,
        /// From noticing the failure to the new association being up.
        gap: Duration,
        /// Whether it was given the latest cookie, before all else (RFC 5352 §3.8): it goes on
        /// from there.
        cookie_echoed: bool,
    },
}

/// What a session and its senders share.
#[derive(Debug)]
struct Shared {
    element: SessionElement,
    /// Of the association that the application knows of.
    outlet: Outlet,
    ended: Arc<Mutex<Option<SessionLost>>>,
}

impl Session {
    pub(crate) async fn begin(
        node: Arc<PoolUserNode>,
        pool_handle: PoolHandle,
        timers: SessionTimers,
    ) -> Result<Self, ConnectFailed> {
        let (sink, mut inlet) = inlet();
        let (begun, begin) = oneshot::channel();
        let ended = Arc::default();
        let client = node.client().clone();
        let control = SessionControl::new(pool_handle.clone());
        let supervisor = Supervisor {
            client,
            pool_handle,
            timers,
            sink,
            control: control.clone(),
            ended: Arc::clone(&ended),
        };
        node.client().spawn(supervisor.run(begun)).await;
        begin.await.map_err(|_| ConnectFailed::Stopped)??;
        loop {
            match inlet.recv().await.ok_or(ConnectFailed::Stopped)? {
                Incoming::Opened {
                    label,
                    peer,
                    outlet,
                    ..
                } => {
                    let element = SessionElement {
                        id: PoolElementId(label),
                        address: peer,
                    };
                    let shared = Arc::new(Mutex::new(Shared {
                        element,
                        outlet,
                        ended,
                    }));
                    return Ok(Self {
                        inlet,
                        shared,
                        lost_at: None,
                        control,
                        _node: node,
                    });
                }
                // Nothing comes before the association.
                Incoming::Message(_)
                | Incoming::CookieEcho(_)
                | Incoming::BusinessCard(_)
                | Incoming::Closed { .. } => {}
            }
        }
    }

    /// The pool element that it is with, as of the last event taken.
    pub fn element(&self) -> SessionElement {
        lock(&self.shared).element
    }

    /// Sends a message on stream 0 with payload protocol 0; see [`Session::send_with`].
    ///
    /// # Errors
    /// See [`SendFailed`].
    pub async fn send(&self, data: impl Into<Vec<u8>>) -> Result<(), SendFailed> {
        self.send_with(0, 0, data).await
    }

    /// Sends a message. Waits while too much is unacknowledged; returns when it is queued, not
    /// when it has arrived: only an answer says that. If the pool element has failed and
    /// [`Session::recv`] has not yet said so, the message shares the fate of those that were under
    /// way, and is to be sent again after [`SessionEvent::Failover`] like them.
    ///
    /// Cancelling the future before it is ready sends nothing.
    ///
    /// # Errors
    /// See [`SendFailed`]; [`SendFailed::Closed`] once the session is lost.
    pub async fn send_with(
        &self,
        stream: u16,
        ppid: u32,
        data: impl Into<Vec<u8>>,
    ) -> Result<(), SendFailed> {
        self.sender().send_with(stream, ppid, data).await
    }

    /// Tells the pool element of now, and all that follow, by whom this process can be replaced,
    /// which is a pool element too (RFC 5352 §3.9).
    pub async fn set_business_card(&self, card: BusinessCard) {
        self.control.set_business_card(card);
        let outlet = lock(&self.shared).outlet.clone();
        // The association being gone, the next pool element is told when there is one.
        let _ = outlet.say_waiting().await;
    }

    /// A sender that other tasks can use.
    pub fn sender(&self) -> SessionSender {
        SessionSender {
            shared: Arc::clone(&self.shared),
        }
    }

    /// The next message or failover.
    ///
    /// Cancelling the future loses nothing.
    ///
    /// # Errors
    /// The session is lost: no pool element for too long.
    pub async fn recv(&mut self) -> Result<SessionEvent, SessionLost> {
        loop {
            match self.inlet.recv().await {
                Some(Incoming::Message(received)) => return Ok(SessionEvent::Message(received)),
                Some(Incoming::Closed { at, .. }) => self.lost_at = Some(at),
                Some(Incoming::Opened {
                    label,
                    peer,
                    outlet,
                    at,
                    cookie_echoed,
                }) => {
                    let element = SessionElement {
                        id: PoolElementId(label),
                        address: peer,
                    };
                    let gap = self.lost_at.map_or(Duration::ZERO, |lost| at - lost);
                    let mut shared = lock(&self.shared);
                    let from = std::mem::replace(&mut shared.element, element).id;
                    shared.outlet = outlet;
                    return Ok(SessionEvent::Failover {
                        from,
                        to: element.id,
                        gap,
                        cookie_echoed,
                    });
                }
                // They go to pool elements only.
                Some(Incoming::CookieEcho(_) | Incoming::BusinessCard(_)) => {}
                None => return Err(self.lost()),
            }
        }
    }

    fn lost(&self) -> SessionLost {
        let ended = Arc::clone(&lock(&self.shared).ended);
        let lost = lock(&ended).clone();
        let stopped = || SessionLost {
            without_element: Duration::ZERO,
            last: ConnectFailed::Stopped,
        };
        lost.unwrap_or_else(stopped)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        lock(&self.shared).outlet.close();
    }
}

/// Sends on a session; clones share it.
#[derive(Clone, Debug)]
pub struct SessionSender {
    shared: Arc<Mutex<Shared>>,
}

impl SessionSender {
    /// As [`Session::send`].
    ///
    /// # Errors
    /// As there.
    pub async fn send(&self, data: impl Into<Vec<u8>>) -> Result<(), SendFailed> {
        self.send_with(0, 0, data).await
    }

    /// As [`Session::send_with`].
    ///
    /// # Errors
    /// As there.
    pub async fn send_with(
        &self,
        stream: u16,
        ppid: u32,
        data: impl Into<Vec<u8>>,
    ) -> Result<(), SendFailed> {
        let outlet = lock(&self.shared).outlet.clone();
        let sent = outlet.send(stream, ppid, data.into()).await;
        if sent == Err(SendFailed::Closed) {
            let ended = Arc::clone(&lock(&self.shared).ended);
            if lock(&ended).is_none() {
                return Ok(());
            }
        }
        sent
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a session on a pool element, on the pool user's thread.
struct Supervisor {
    client: PoolUserClient,
    pool_handle: PoolHandle,
    timers: SessionTimers,
    sink: Sink,
    control: SessionControl,
    ended: Arc<Mutex<Option<SessionLost>>>,
}

impl Supervisor {
    async fn run(self, begun: oneshot::Sender<Result<(), ConnectFailed>>) {
        let begin = tokio::select! {
            opened = self.open_any(None) => opened,
            () = self.sink.closed() => return,
        };
        let mut current = match begin {
            Ok(current) => current,
            // Who asked may have stopped waiting, here and below.
            Err(failed) => return drop(begun.send(Err(failed))),
        };
        let _ = begun.send(Ok(()));
        loop {
            let opened_at = Instant::now();
            let (id, Opened { outlet, closed }) = current;
            let reason = tokio::select! {
                reason = closed => reason,
                () = self.sink.closed() => return outlet.close(),
            };
            if matches!(reason, Ok(DownReason::Closed)) {
                // Closed in good order, it is reachable; it only does not want to be used.
                sleep(SHORT_LIVED.saturating_sub(opened_at.elapsed())).await;
            } else {
                self.client
                    .report_unreachable(self.pool_handle.clone(), id)
                    .await;
            }
            let found = tokio::select! {
                found = self.open_until_given_up(id) => found,
                () = self.sink.closed() => return,
            };
            match found {
                Ok(next) => current = next,
                Err(lost) => {
                    *lock(&self.ended) = Some(lost);
                    return;
                }
            }
        }
    }

    async fn open_until_given_up(
        &self,
        failed: PoolElementId,
    ) -> Result<(PoolElementId, Opened), SessionLost> {
        let start = Instant::now();
        let mut pause = PAUSE_MIN;
        loop {
            let last = match self.open_any(Some(failed)).await {
                Ok(opened) => return Ok(opened),
                Err(failed) => failed,
            };
            let without_element = start.elapsed();
            let is_stopped = matches!(
                last,
                ConnectFailed::Stopped | ConnectFailed::Resolve(ResolveFailed::Stopped)
            );
            if is_stopped || without_element >= self.timers.give_up_after {
                return Err(SessionLost {
                    without_element,
                    last,
                });
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Tries one pool element after the other, until one answers or one comes a second time:
    /// first those that the one that failed recommends, then by the policy of the pool.
    async fn open_any(
        &self,
        failed: Option<PoolElementId>,
    ) -> Result<(PoolElementId, Opened), ConnectFailed> {
        for element in self.preferred(failed).await {
            let id = element.id;
            if let Some(opened) = self.open(element).await? {
                return Ok((id, opened));
            }
        }
        let mut tried = Vec::new();
        loop {
            let selected = self.client.select(self.pool_handle.clone()).await;
            let element = match selected {
                Ok(encoded) => encoded.decode(),
                Err(ResolveFailure::Stopped) => return Err(ConnectFailed::Stopped),
                Err(failure) => return Err(ConnectFailed::Resolve(failure.into())),
            };
            let id = element.id;
            if tried.contains(&id) {
                return Err(ConnectFailed::Unreachable(id));
            }
            tried.push(id);
            if let Some(opened) = self.open(element).await? {
                return Ok((id, opened));
            }
        }
    }

    /// Those that the pool element that failed recommends, as far as a registrar knows them: its
    /// word sends nobody anywhere (RFC 5352 §3.9).
    async fn preferred(&self, failed: Option<PoolElementId>) -> Vec<PoolElement> {
        let mut preferred = self.control.preferred();
        preferred.retain(|id| Some(*id) != failed);
        if preferred.is_empty() {
            return Vec::new();
        }
        let items = u32::try_from(PREFERRED_ELEMENTS_MAX).ok();
        let pool_handle = self.pool_handle.clone();
        let Ok((resolution, _)) = self.client.resolve(pool_handle, items).await else {
            return Vec::new();
        };
        let known = |id| {
            let mut elements = resolution.pool_elements.iter();
            elements.find(|element| element.id() == id)
        };
        let known = preferred.into_iter().filter_map(known);
        known.map(EncodedPoolElement::decode).collect()
    }

    /// An association with this pool element, if it can be reached; if not, that is reported.
    async fn open(&self, element: PoolElement) -> Result<Option<Opened>, ConnectFailed> {
        let id = element.id;
        let (sink, control) = (self.sink.clone(), self.control.clone());
        let open = self.client.open(element, id.0, sink, control);
        match timeout(self.timers.connect_timeout, open).await {
            Ok(Ok(opened)) => Ok(Some(opened)),
            Ok(Err(OpenFailed::Ended)) => Err(ConnectFailed::Stopped),
            Ok(Err(OpenFailed::NoSctp)) => Err(ConnectFailed::NoSctp(id)),
            Ok(Err(_)) | Err(_) => {
                self.client
                    .report_unreachable(self.pool_handle.clone(), id)
                    .await;
                Ok(None)
            }
        }
    }
}
