//! How a session is set up.

use super::rebuild::{Rebuild, StateSender};
use super::supervisor::{Failover, First, Supervisor};
use super::{Closing, Session, SessionElement, Shared};
use crate::{ConnectFailed, SessionTimers};
use rserpool_core::session::{PREFERRED_ELEMENTS_MAX, Undelivered};
use rserpool_net::{Incoming, PoolUserNode, SessionControl, inlet};
use rserpool_wire::parameter::{EncodedPoolElement, PoolElement};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// How a session is set up; see [`PoolUser::session`](crate::PoolUser::session).
#[derive(Clone, Debug)]
#[must_use = "call connect"]
pub struct SessionBuilder {
    node: Arc<PoolUserNode>,
    pool_handle: PoolHandle,
    timers: SessionTimers,
    first: First,
    failover: Failover,
    rebuild: Option<Rebuild>,
}

impl SessionBuilder {
    pub(crate) fn new(
        node: Arc<PoolUserNode>,
        pool_handle: PoolHandle,
        timers: SessionTimers,
    ) -> Self {
        Self {
            node,
            pool_handle,
            timers,
            first: First::Selected,
            failover: Failover::Automatic,
            rebuild: None,
        }
    }

    /// Begins with this pool element (RFC 5352 §6.5.3, RFC 3237 §2.10): whoever wants to go on
    /// where it was before. Otherwise with whom the policy of the pool selects.
    pub fn pool_element(mut self, pool_element: PoolElementId) -> Self {
        self.first = First::PoolElement(pool_element);
        self
    }

    /// Begins with one of these, the best first, as far as a registrar knows them; with whom the
    /// policy selects if none of them is there.
    pub(crate) fn recommended(mut self, pool_elements: &[EncodedPoolElement]) -> Self {
        let ids = pool_elements.iter().map(EncodedPoolElement::id);
        self.first = First::Recommended(ids.take(PREFERRED_ELEMENTS_MAX).collect());
        self
    }

    /// Begins with this one, wherever it is from, and ends with it.
    pub(crate) fn only_with(mut self, pool_element: PoolElement) -> Self {
        self.first = First::Known(Box::new(pool_element));
        self.failover = Failover::Never;
        self
    }

    /// Rebuilds what a pool element must know, after each failover (RFC 5351 §2.3): for a session
    /// without cookies, or whose cookies do not hold all. `rebuild` is given a sender to the
    /// pool element that takes over. What it sends comes after the echo of the cookie and before
    /// all else of this session, also what others send and what is sent again. When it has ended,
    /// [`SessionEvent::Failover`](crate::SessionEvent::Failover) follows.
    ///
    /// If that pool element fails meanwhile, it is asked again for the next one.
    pub fn rebuild<F>(mut self, rebuild: impl Fn(StateSender) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.rebuild = Some(Rebuild::new(rebuild));
        self
    }

    /// If its pool element fails, the session stays where it is:
    /// [`SessionEvent::FailoverNecessary`](crate::SessionEvent::FailoverNecessary) tells so, and
    /// nothing happens until [`Session::failover`].
    pub fn manual_failover(mut self) -> Self {
        self.failover = Failover::Manual(Arc::default());
        self
    }

    /// Begins the session.
    ///
    /// Cancelling the future ends the attempt.
    ///
    /// # Errors
    /// See [`ConnectFailed`].
    pub async fn connect(self) -> Result<Session, ConnectFailed> {
        let (sink, mut inlet) = inlet();
        let (begun, begin) = oneshot::channel();
        let ended = Arc::default();
        let control = SessionControl::new(self.pool_handle.clone());
        let supervisor = Supervisor {
            client: self.node.client().clone(),
            pool_handle: self.pool_handle,
            timers: self.timers,
            first: self.first,
            failover: self.failover.clone(),
            sink,
            control: control.clone(),
            ended: Arc::clone(&ended),
        };
        self.node.client().spawn(supervisor.run(begun)).await;
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
                        transport: outlet.transport(),
                    };
                    let shared = Shared {
                        element,
                        outlet,
                        undelivered: Undelivered::default(),
                        ended,
                    };
                    let shared = Arc::new(Mutex::new(shared));
                    return Ok(Session {
                        inlet,
                        _closing: Closing(Arc::clone(&shared)),
                        shared,
                        lost_at: None,
                        returned: VecDeque::new(),
                        failover: self.failover,
                        rebuild: self.rebuild,
                        taking_over: None,
                        control,
                        _node: self.node,
                    });
                }
                // Nothing comes before the association.
                Incoming::Message(_)
                | Incoming::CookieEcho(_)
                | Incoming::BusinessCard(_)
                | Incoming::Moving
                | Incoming::Closed { .. } => {}
            }
        }
    }
}
