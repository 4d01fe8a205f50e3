//! A session with a pool: an association with one of its pool elements, and with another one
//! whenever that fails (RFC 5351 §2.3).

mod builder;
mod rebuild;
mod sender;
mod supervisor;

pub use builder::SessionBuilder;
pub use rebuild::StateSender;
pub use sender::SessionSender;

use crate::{ConnectFailed, SendFailed, SessionLost};
use rebuild::{Rebuild, Rebuilding};
use rserpool_core::session::{SessionMessage, Undelivered};
use rserpool_net::{
    DataTransport, Incoming, Inlet, Outlet, PoolUserNode, Received, SessionControl,
};
use rserpool_sctp::Outgoing;
use rserpool_wire::PoolElementId;
use rserpool_wire::asap::BusinessCard;
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use supervisor::Failover;

/// A session with a pool. Dropping it closes it in good order.
#[derive(Debug)]
pub struct Session {
    /// Dropped before the association is closed: that the application is gone is known before its
    /// association ends, so that the pool element is not taken for one that does not serve.
    inlet: Inlet,
    _closing: Closing,
    shared: Arc<Mutex<Shared>>,
    /// When the association that was used last was lost.
    lost_at: Option<Instant>,
    /// What the pool element that failed may not have, and no other one shall get.
    returned: VecDeque<SessionMessage>,
    failover: Failover,
    rebuild: Option<Rebuild>,
    taking_over: Option<TakingOver>,
    control: SessionControl,
    _node: Arc<PoolUserNode>,
}

/// A pool element that takes the session over while its state is rebuilt. The application and its
/// senders do not know of it yet.
struct TakingOver {
    by: SessionElement,
    outlet: Outlet,
    at: Instant,
    cookie_echoed: bool,
    /// Nobody locks it: so that a session can be shared by threads, which this future cannot.
    rebuilding: Option<Mutex<Rebuilding>>,
}

impl fmt::Debug for TakingOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("TakingOver");
        fields.field("by", &self.by).finish_non_exhaustive()
    }
}

/// The pool element that a session is with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionElement {
    /// Its identifier.
    pub id: PoolElementId,
    /// Its address: of its UDP port if this is SCTP.
    pub address: SocketAddr,
    /// By what the session goes. By TCP or UDP it is a data channel alone: no cookie, and over TCP
    /// no boundaries of messages.
    pub transport: DataTransport,
}

/// What a session brings. What happens to all sessions of a pool user, also while nobody receives,
/// is told by [`PoolUser::events`](crate::PoolUser::events): [`SessionNews`](crate::SessionNews).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SessionEvent {
    /// A message.
    Message(Received),
    /// The session is with another pool element. Without a cookie that knows nothing of what was
    /// sent before; with one, what the cookie says. Whatever has not been answered must be sent
    /// again, except messages with [`OnFailover::Resend`]: those that may not have arrived are
    /// sent again when [`Session::recv`] is called next. Nothing else is sent to it before this is
    /// taken: now is the time to send what rebuilds its state.
    ///
    /// [`OnFailover::Resend`]: crate::OnFailover::Resend
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
    /// The pool element of a session with
    /// [`SessionBuilder::manual_failover`] has failed, or does not serve any more, or has been
    /// left; see [`Session::failover`].
    FailoverNecessary {
        /// That pool element.
        from: PoolElementId,
    },
    /// A message with [`OnFailover::Return`] that the pool element which failed may not have
    /// (RFC 5352 §6.7, §6.9), or one with [`OnFailover::Resend`] that the user transport of the
    /// next one does not take: after SCTP, TCP has no streams. It follows
    /// [`SessionEvent::Failover`].
    ///
    /// [`OnFailover::Return`]: crate::OnFailover::Return
    /// [`OnFailover::Resend`]: crate::OnFailover::Resend
    Undelivered(SessionMessage),
}

/// What a session and its senders share.
#[derive(Debug)]
struct Shared {
    element: SessionElement,
    /// Of the association that the application knows of.
    outlet: Outlet,
    undelivered: Undelivered,
    ended: Arc<Mutex<Option<SessionLost>>>,
}

impl Shared {
    /// Forgets what has arrived.
    fn forget_arrived(&mut self) {
        self.undelivered.on_arrived(self.outlet.arrived());
    }

    /// Whether there will be no other pool element.
    fn is_lost(&self) -> bool {
        lock(&self.ended).is_some()
    }
}

impl Session {
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

    /// Sends a message that is not lost with its pool element: it is sent again to the next one,
    /// or given back; see [`OnFailover`]. Waits like [`Session::send_with`], and while as much as
    /// is kept may not have arrived
    /// ([`UNDELIVERED_OCTETS_MAX`](rserpool_core::session::UNDELIVERED_OCTETS_MAX)).
    ///
    /// [`OnFailover`]: crate::OnFailover
    ///
    /// Cancelling the future before it is ready sends nothing.
    ///
    /// # Errors
    /// See [`SendFailed`]; [`SendFailed::Closed`] once the session is lost.
    pub async fn send_message(&self, message: SessionMessage) -> Result<(), SendFailed> {
        self.sender().send_message(message).await
    }

    /// Goes on with another pool element, in a session with
    /// [`SessionBuilder::manual_failover`]: after [`SessionEvent::FailoverNecessary`], or away
    /// from a pool element that serves. [`SessionEvent::Failover`] tells when it is done. In other
    /// sessions it does nothing.
    pub fn failover(&self) {
        if let Failover::Manual(wanted) = &self.failover {
            wanted.notify_one();
        }
    }

    /// Says that the pool element does not answer (RFC 5352 §6.9.2): the session leaves it as if
    /// its association had been lost, and it is reported to the registrar (RFC 5352 §3.5). SCTP,
    /// and as far as it can TCP, notices by itself that a pool element is gone; UDP only if its
    /// host says so. What the application has waited for in vain is its own to know.
    pub fn report_failure(&self) {
        lock(&self.shared).outlet.fail();
    }

    /// What has not arrived, or may not have, of messages that are sent again or given back, in
    /// their order. For a session that is lost: nobody sends them any more.
    pub fn take_undelivered(&mut self) -> Vec<SessionMessage> {
        let mut undelivered = Vec::from(std::mem::take(&mut self.returned));
        let mut shared = lock(&self.shared);
        shared.forget_arrived();
        undelivered.extend(shared.undelivered.take());
        undelivered
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
        SessionSender::new(Arc::clone(&self.shared))
    }

    /// The next message or failover. Meanwhile sends what has to be sent again.
    ///
    /// Cancelling the future loses nothing.
    ///
    /// # Errors
    /// The session is lost: no pool element for too long.
    pub async fn recv(&mut self) -> Result<SessionEvent, SessionLost> {
        loop {
            if let Some(message) = self.returned.pop_front() {
                return Ok(SessionEvent::Undelivered(message));
            }
            if let Some(event) = self.take_over().await {
                return Ok(event);
            }
            match self.next_incoming().await {
                Some(Incoming::Message(received)) => return Ok(SessionEvent::Message(received)),
                Some(Incoming::Closed { at, .. }) => {
                    self.lost_at = Some(at);
                    if let Failover::Manual(_) = self.failover {
                        let from = self.element().id;
                        return Ok(SessionEvent::FailoverNecessary { from });
                    }
                }
                Some(Incoming::Opened {
                    label,
                    peer,
                    outlet,
                    at,
                    cookie_echoed,
                }) => self.begin_taking_over(label, peer, outlet, at, cookie_echoed),
                // They go to pool elements only.
                Some(Incoming::CookieEcho(_) | Incoming::BusinessCard(_) | Incoming::Moving) => {}
                None => return Err(self.lost()),
            }
        }
    }

    fn begin_taking_over(
        &mut self,
        label: u32,
        address: SocketAddr,
        outlet: Outlet,
        at: Instant,
        cookie_echoed: bool,
    ) {
        let by = SessionElement {
            id: PoolElementId(label),
            address,
            transport: outlet.transport(),
        };
        let rebuilding = self.rebuild.as_ref().map(|rebuild| {
            Mutex::new(rebuild.begin(StateSender {
                outlet: outlet.clone(),
                id: by.id,
                cookie_echoed,
            }))
        });
        self.taking_over = Some(TakingOver {
            by,
            outlet,
            at,
            cookie_echoed,
            rebuilding,
        });
    }

    /// Rebuilds the state at the pool element that takes over, if there is one; then it is the
    /// session's. If it has failed meanwhile, the next one's turn comes with what is next received.
    async fn take_over(&mut self) -> Option<SessionEvent> {
        let taking_over = self.taking_over.as_mut()?;
        if let Some(rebuilding) = &mut taking_over.rebuilding {
            let rebuilding = rebuilding.get_mut();
            rebuilding.unwrap_or_else(PoisonError::into_inner).await;
            taking_over.rebuilding = None;
        }
        let taken_over = self.taking_over.take()?;
        Some(self.on_failover(taken_over))
    }

    /// What comes next; until then, what waits is sent.
    async fn next_incoming(&mut self) -> Option<Incoming> {
        loop {
            let waiting = {
                let shared = lock(&self.shared);
                let waiting = shared.undelivered.next_waiting();
                let waiting = waiting.filter(|_| !shared.outlet.is_closed());
                waiting.map(|message| (shared.outlet.clone(), outgoing(message)))
            };
            let Some((outlet, outgoing)) = waiting else {
                return self.inlet.recv().await;
            };
            tokio::select! {
                incoming = self.inlet.recv() => return incoming,
                // If it fails, so has this pool element, too.
                sent = outlet.send(outgoing) => if let Ok(number) = sent {
                    lock(&self.shared).undelivered.sent_next_waiting(number);
                },
            }
        }
    }

    fn on_failover(&mut self, taken_over: TakingOver) -> SessionEvent {
        let TakingOver {
            by,
            outlet,
            at,
            cookie_echoed,
            ..
        } = taken_over;
        let gap = self.lost_at.map_or(Duration::ZERO, |lost| at - lost);
        let mut shared = lock(&self.shared);
        shared.forget_arrived();
        let takes = |message: &SessionMessage| outlet.check_message(&outgoing(message)).is_ok();
        self.returned.extend(shared.undelivered.fail_over_to(takes));
        let from = std::mem::replace(&mut shared.element, by).id;
        shared.outlet = outlet;
        SessionEvent::Failover {
            from,
            to: by.id,
            gap,
            cookie_echoed,
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

/// Closes the association when the session is dropped.
#[derive(Debug)]
struct Closing(Arc<Mutex<Shared>>);

impl Drop for Closing {
    fn drop(&mut self) {
        lock(&self.0).outlet.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn outgoing(message: &SessionMessage) -> Outgoing {
    Outgoing {
        stream: message.stream,
        ppid: message.ppid,
        unordered: message.unordered,
        data: message.data.clone(),
    }
}
