//! The application's end of an association between pool user and pool element.
//!
//! Usable from any thread and any runtime: it talks to the node's thread by channels.

use rserpool_core::AssociationId;
use rserpool_sctp::{DownReason, Outgoing};
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;
use tokio::sync::{Semaphore, mpsc};

/// Streams in each direction of an association.
pub const STREAMS: u16 = 16;

/// The largest message between pool user and pool element.
pub const DATA_OCTETS_MAX: usize = 72 * 1024;

/// What one association may hold of messages that its peer has not acknowledged.
pub(crate) const SEND_CREDIT_OCTETS: usize = 256 * 1024;

/// What a message costs beside its octets: a flood of tiny ones is bounded too.
const MESSAGE_OVERHEAD_OCTETS: usize = 128;

/// Entries of an empty queue to an application for which room is kept.
const KEPT_ROOM: usize = 64;

/// A message that arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// The message, complete.
    pub data: Vec<u8>,
    /// The stream it came on: messages of one stream keep their order.
    pub stream: u16,
    /// Payload protocol identifier, the sender's choice; never 11, which is ASAP's.
    pub ppid: u32,
}

/// Why a message was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SendFailed {
    /// The association is gone.
    Closed,
    /// Larger than [`DATA_OCTETS_MAX`].
    TooLarge,
    /// SCTP has no empty messages.
    Empty,
    /// The stream is not below [`STREAMS`].
    InvalidStream,
    /// Payload protocol 11 is ASAP's own.
    ReservedPayloadProtocol,
}

impl fmt::Display for SendFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the association is gone: connect again"),
            Self::TooLarge => write!(
                f,
                "a message has at most {DATA_OCTETS_MAX} octets: split it"
            ),
            Self::Empty => f.write_str("a message has at least one octet"),
            Self::InvalidStream => write!(f, "streams are numbered from 0 to {}", STREAMS - 1),
            Self::ReservedPayloadProtocol => {
                f.write_str("payload protocol 11 belongs to ASAP: choose another")
            }
        }
    }
}

impl std::error::Error for SendFailed {}

/// An association with a pool user or a pool element. Dropping it closes it in good order.
#[derive(Debug)]
pub struct Connection {
    outlet: Outlet,
    inlet: Inlet,
    peer: SocketAddr,
}

impl Connection {
    pub(crate) fn new(outlet: Outlet, inlet: Inlet, peer: SocketAddr) -> Self {
        Self {
            outlet,
            inlet,
            peer,
        }
    }

    /// The next message; `None` when the association is gone and all its messages are taken.
    ///
    /// Cancelling the future loses nothing.
    pub async fn recv(&mut self) -> Option<Received> {
        loop {
            match self.inlet.recv().await? {
                Incoming::Message(received) => return Some(received),
                Incoming::Opened { .. } => {}
                Incoming::Closed { .. } => return None,
            }
        }
    }

    /// Sends a message on stream 0 with payload protocol 0; see [`Connection::send_with`].
    ///
    /// # Errors
    /// See [`SendFailed`].
    pub async fn send(&self, data: impl Into<Vec<u8>>) -> Result<(), SendFailed> {
        self.send_with(0, 0, data).await
    }

    /// Sends a message. Waits while too much is unacknowledged; returns when the message is
    /// queued, not when it has arrived.
    ///
    /// Cancelling the future before it is ready sends nothing.
    ///
    /// # Errors
    /// See [`SendFailed`].
    pub async fn send_with(
        &self,
        stream: u16,
        ppid: u32,
        data: impl Into<Vec<u8>>,
    ) -> Result<(), SendFailed> {
        self.outlet.send(stream, ppid, data.into()).await
    }

    /// Closes the association in good order: what was sent still arrives.
    pub async fn close(mut self) {
        self.outlet.close();
        while self.recv().await.is_some() {}
    }

    /// The UDP address of the peer.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.outlet.close();
    }
}

/// What a node's thread is asked to do with an association.
#[derive(Debug)]
pub(crate) enum DataCommand {
    Send {
        association: AssociationId,
        outgoing: Outgoing,
        cost: usize,
    },
    Close {
        association: AssociationId,
    },
}

/// The sending half of a connection. Cloning it shares the credit.
#[derive(Clone, Debug)]
pub struct Outlet {
    association: AssociationId,
    /// Octets that may still be queued; closed when the association is gone.
    credit: Arc<Semaphore>,
    /// Bounded by the credit.
    commands: mpsc::UnboundedSender<DataCommand>,
}

impl Outlet {
    pub(crate) fn new(
        association: AssociationId,
        commands: mpsc::UnboundedSender<DataCommand>,
    ) -> (Self, Arc<Semaphore>) {
        let credit = Arc::new(Semaphore::new(SEND_CREDIT_OCTETS));
        (
            Self {
                association,
                credit: Arc::clone(&credit),
                commands,
            },
            credit,
        )
    }

    /// Queues a message, as soon as there is room.
    ///
    /// # Errors
    /// See [`SendFailed`].
    pub async fn send(&self, stream: u16, ppid: u32, data: Vec<u8>) -> Result<(), SendFailed> {
        check(stream, ppid, &data)?;
        let cost = (data.len() + MESSAGE_OVERHEAD_OCTETS).min(SEND_CREDIT_OCTETS);
        let permits = u32::try_from(cost).expect("SEND_CREDIT_OCTETS fits 32 bits");
        let room = self
            .credit
            .acquire_many(permits)
            .await
            .map_err(|_| SendFailed::Closed)?;
        room.forget();
        let association = self.association;
        let outgoing = Outgoing {
            stream,
            ppid,
            unordered: false,
            data,
        };
        let command = DataCommand::Send {
            association,
            outgoing,
            cost,
        };
        self.commands.send(command).map_err(|_| SendFailed::Closed)
    }

    /// Whether the association is gone.
    pub fn is_closed(&self) -> bool {
        self.credit.is_closed()
    }

    /// Closes the association in good order.
    pub fn close(&self) {
        let association = self.association;
        // The thread being gone, so is the association.
        let _ = self.commands.send(DataCommand::Close { association });
    }
}

fn check(stream: u16, ppid: u32, data: &[u8]) -> Result<(), SendFailed> {
    if data.is_empty() {
        Err(SendFailed::Empty)
    } else if data.len() > DATA_OCTETS_MAX {
        Err(SendFailed::TooLarge)
    } else if stream >= STREAMS {
        Err(SendFailed::InvalidStream)
    } else if ppid == crate::network::ASAP_PPID {
        Err(SendFailed::ReservedPayloadProtocol)
    } else {
        Ok(())
    }
}

/// What arrives at an application, in order.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// An association is open; a session has one after the other.
    Opened {
        /// What its opener called it.
        label: u32,
        /// The UDP address of the peer.
        peer: SocketAddr,
        /// Sends on it.
        outlet: Outlet,
        /// When it came up.
        at: Instant,
    },
    /// A message.
    Message(Received),
    /// The association is gone; nothing more of it follows.
    Closed {
        /// Why.
        reason: DownReason,
        /// When that was noticed.
        at: Instant,
    },
}

impl Incoming {
    /// What it takes of the room for what waits, in octets.
    pub(crate) fn cost(&self) -> usize {
        match self {
            Self::Message(received) => received.data.len() + MESSAGE_OVERHEAD_OCTETS,
            Self::Opened { .. } | Self::Closed { .. } => 0,
        }
    }
}

/// A queue from the node's thread to an application. It has no limit by itself: the thread looks
/// at what waits, and makes the peer wait or ends the association.
pub fn inlet() -> (Sink, Inlet) {
    let queue = Arc::<Mutex<Queue>>::default();
    let (wake, woken) = mpsc::channel(1);
    (
        Sink {
            queue: Arc::clone(&queue),
            wake,
        },
        Inlet { queue, woken },
    )
}

/// What an application has not taken.
#[derive(Default, Debug)]
pub(crate) struct Queue {
    incoming: VecDeque<Incoming>,
    octets: usize,
}

impl Queue {
    fn pop(&mut self) -> Option<Incoming> {
        let incoming = self.incoming.pop_front()?;
        self.octets -= incoming.cost();
        if self.incoming.is_empty() {
            self.incoming.shrink_to(KEPT_ROOM);
        }
        Some(incoming)
    }

    /// What waits, in octets.
    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    /// Drops the messages; what opened and closed is still told.
    pub(crate) fn discard(&mut self) {
        self.incoming
            .retain(|incoming| !matches!(incoming, Incoming::Message(_)));
        self.incoming.shrink_to(KEPT_ROOM);
        self.octets = 0;
    }
}

/// A queue stays valid whatever happened to who held it.
pub(crate) fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread's end of a queue to an application.
#[derive(Clone, Debug)]
pub struct Sink {
    queue: Arc<Mutex<Queue>>,
    /// Full: the application has been woken already.
    wake: mpsc::Sender<()>,
}

impl Sink {
    /// Whether the application has dropped its end.
    pub fn is_closed(&self) -> bool {
        self.wake.is_closed()
    }

    /// Waits until the application has dropped its end.
    pub async fn closed(&self) {
        self.wake.closed().await;
    }

    /// Adds something; false if the application has gone.
    pub(crate) fn put(&self, incoming: Incoming) -> bool {
        if self.is_closed() {
            return false;
        }
        let mut queue = lock(&self.queue);
        queue.octets += incoming.cost();
        queue.incoming.push_back(incoming);
        drop(queue);
        let _ = self.wake.try_send(());
        true
    }

    /// What the application has not taken, in octets.
    pub(crate) fn waiting_octets(&self) -> usize {
        lock(&self.queue).octets()
    }

    /// Watches the queue without keeping it.
    pub(crate) fn queue(&self) -> Weak<Mutex<Queue>> {
        Arc::downgrade(&self.queue)
    }
}

/// The application's end of a queue from the thread.
#[derive(Debug)]
pub struct Inlet {
    queue: Arc<Mutex<Queue>>,
    woken: mpsc::Receiver<()>,
}

impl Inlet {
    /// The next thing; `None` when nothing can come any more. Cancelling loses nothing.
    pub async fn recv(&mut self) -> Option<Incoming> {
        loop {
            if let Some(incoming) = lock(&self.queue).pop() {
                return Some(incoming);
            }
            if self.woken.recv().await.is_none() {
                // What was put in before the last sink went.
                return lock(&self.queue).pop();
            }
        }
    }
}

impl Drop for Inlet {
    /// Sinks may live on; nobody takes anything any more.
    fn drop(&mut self) {
        self.woken.close();
        let mut queue = lock(&self.queue);
        queue.incoming.clear();
        queue.octets = 0;
    }
}
