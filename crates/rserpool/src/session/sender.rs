//! Sending on a session, from any task.

use super::{Shared, lock, outgoing};
use crate::SendFailed;
use rserpool_core::session::{OnFailover, SessionMessage};
use rserpool_net::Outlet;
use rserpool_sctp::Outgoing;
use std::sync::{Arc, Mutex};

/// Sends on a session; clones share it.
#[derive(Clone, Debug)]
pub struct SessionSender {
    shared: Arc<Mutex<Shared>>,
}

/// Where a message goes.
enum Place {
    /// It is sent when it is its turn.
    Kept,
    /// To this association.
    Association(Outlet),
    /// To this association, once what is kept has arrived.
    Full(Outlet),
}

impl SessionSender {
    pub(super) fn new(shared: Arc<Mutex<Shared>>) -> Self {
        Self { shared }
    }

    /// As [`Session::send`](crate::Session::send).
    ///
    /// # Errors
    /// As there.
    pub async fn send(&self, data: impl Into<Vec<u8>>) -> Result<(), SendFailed> {
        self.send_with(0, 0, data).await
    }

    /// As [`Session::send_with`](crate::Session::send_with).
    ///
    /// # Errors
    /// As there.
    pub async fn send_with(
        &self,
        stream: u16,
        ppid: u32,
        data: impl Into<Vec<u8>>,
    ) -> Result<(), SendFailed> {
        let message = SessionMessage::new(data).stream(stream).ppid(ppid);
        self.send_message(message).await
    }

    /// As [`Session::send_message`](crate::Session::send_message).
    ///
    /// # Errors
    /// As there.
    pub async fn send_message(&self, message: SessionMessage) -> Result<(), SendFailed> {
        let outgoing = outgoing(&message);
        if message.on_failover == OnFailover::Forget {
            return self.send_once(outgoing).await;
        }
        loop {
            let outlet = match self.place(&message, &outgoing)? {
                Place::Kept => return Ok(()),
                Place::Association(outlet) => outlet,
                Place::Full(outlet) => {
                    // If the association ends, there is another place next.
                    let _ = outlet.wait_until_arrived().await;
                    continue;
                }
            };
            let Ok(number) = outlet.send(outgoing.clone()).await else {
                continue;
            };
            let mut shared = lock(&self.shared);
            if shared.outlet.is_same(&outlet) && shared.undelivered.next_waiting().is_none() {
                shared.undelivered.add_sent(number, message);
                return Ok(());
            }
            // There was a failover in between.
            if message.on_failover == OnFailover::Return {
                return Err(SendFailed::Closed);
            }
        }
    }

    /// Whether both are of one session.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Where a message goes that must not be lost.
    fn place(&self, message: &SessionMessage, outgoing: &Outgoing) -> Result<Place, SendFailed> {
        let mut shared = lock(&self.shared);
        // After a failover, the user transport may be another one.
        shared.outlet.check_message(outgoing)?;
        shared.forget_arrived();
        let is_closed = shared.outlet.is_closed();
        // Some wait for the next pool element: this one too, so that they keep their order.
        let has_to_wait = is_closed || shared.undelivered.next_waiting().is_some();
        match (shared.undelivered.has_room(), has_to_wait) {
            (_, true) if is_closed && shared.is_lost() => Err(SendFailed::Closed),
            (true, true) => {
                shared.undelivered.add_waiting(message.clone());
                Ok(Place::Kept)
            }
            (false, true) => Err(SendFailed::TooMuchUndelivered),
            (true, false) => Ok(Place::Association(shared.outlet.clone())),
            (false, false) => Ok(Place::Full(shared.outlet.clone())),
        }
    }

    /// Sends what shares the fate of its pool element.
    async fn send_once(&self, outgoing: Outgoing) -> Result<(), SendFailed> {
        let outlet = lock(&self.shared).outlet.clone();
        let sent = outlet.send(outgoing).await;
        if sent == Err(SendFailed::Closed) && !lock(&self.shared).is_lost() {
            // Who goes on sending must not keep the failover from being taken.
            tokio::task::yield_now().await;
            return Ok(());
        }
        sent.map(drop)
    }
}
