//! The application's end of an association between pool user and pool element.
//!
//! Usable from any thread and any runtime: it talks to the node's thread by channels.

use crate::control::Saying;
use crate::user_transport::{DataTransport, data_transport};
use rserpool_core::AssociationId;
use rserpool_sctp::{DownReason, Outgoing};
use rserpool_wire::asap::BusinessCard;
use rserpool_wire::parameter::{COOKIE_OCTETS_MAX, Cookie};
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;
use tokio::sync::{Semaphore, mpsc};

/// Streams in each direction of an association.
pub const STREAMS: u16 = 16;

/// The largest message between pool user and pool element.
pub const DATA_OCTETS_MAX: usize = 72 * 1024;

/// The largest datagram of a data channel over UDP, over IPv4 as over IPv6.
pub const UDP_OCTETS_MAX: usize = 65_507;

/// What one association may hold of messages that its peer has not acknowledged.
pub(crate) const SEND_CREDIT_OCTETS: usize = 256 * 1024;

/// What a message costs beside its octets: a flood of tiny ones is bounded too.
const MESSAGE_OVERHEAD_OCTETS: usize = 128;

/// With so much waiting for the application, the peer has to wait; and until there is so much
/// less. SCTP's receive window, 128 KiB, comes on top.
const PAUSE_ABOVE_OCTETS: usize = 256 * 1024;
const RESUME_BELOW_OCTETS: usize = PAUSE_ABOVE_OCTETS / 2;

/// Entries of an empty queue to an application for which room is kept.
const KEPT_ROOM: usize = 64;

/// A message that arrived; over TCP, some octets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// The message, complete; over TCP whatever has come, without any boundaries.
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
    /// Larger than [`DATA_OCTETS_MAX`], or over UDP than [`UDP_OCTETS_MAX`].
    TooLarge,
    /// SCTP has no empty messages, and TCP no messages.
    Empty,
    /// The stream is not below [`STREAMS`].
    InvalidStream,
    /// Payload protocol 11 is ASAP's own.
    ReservedPayloadProtocol,
    /// TCP and UDP have no streams and no payload protocol.
    NotSctp,
    /// There is no control channel: the user transport of the pool is data only.
    NoControlChannel,
    /// Larger than [`COOKIE_OCTETS_MAX`].
    CookieTooLarge,
    /// The pool element has failed, and as much waits for the next one as is kept.
    TooMuchUndelivered,
}

impl fmt::Display for SendFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the association is gone: connect again"),
            Self::TooLarge => write!(
                f,
                "a message has at most {DATA_OCTETS_MAX} octets, over UDP {UDP_OCTETS_MAX}: \
                 split it"
            ),
            Self::Empty => f.write_str("a message has at least one octet"),
            Self::InvalidStream => write!(f, "streams are numbered from 0 to {}", STREAMS - 1),
            Self::ReservedPayloadProtocol => {
                f.write_str("payload protocol 11 belongs to ASAP: choose another")
            }
            Self::NotSctp => f.write_str(
                "this pool is served by TCP or UDP, which have neither streams nor payload \
                 protocols: use 0 for both",
            ),
            Self::NoControlChannel => f.write_str(
                "this user transport is data only: cookies and business cards need SCTP with a \
                 control channel",
            ),
            Self::CookieTooLarge => write!(
                f,
                "a cookie has at most {COOKIE_OCTETS_MAX} octets: keep the rest where the other \
                 pool elements find it"
            ),
            Self::TooMuchUndelivered => f.write_str(
                "the pool element has failed and too much waits for the next: receive, so that \
                 the session goes on",
            ),
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
    /// What [`Connection::recv`] has passed by.
    cookie_echo: Option<Vec<u8>>,
}

/// What a pool user's association brings.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// A message.
    Message(Received),
    /// The session began at another pool element, whose latest cookie this is: the state to go on
    /// from. It comes before the messages that were sent to this pool element, and at most once.
    ///
    /// It comes from the pool user, who can put in it what it likes: open it with what it was
    /// sealed with.
    CookieEcho(Vec<u8>),
    /// The pool user is a pool element too: its pool, and by whom it can be replaced.
    BusinessCard(BusinessCard),
    /// This pool element leaves its pool, the time that its users were given is over, and this one
    /// goes on elsewhere. What is sent now still arrives: with a last cookie nothing is done
    /// twice. Drop the connection then; it is closed soon in any case.
    Moving,
}

impl Connection {
    pub(crate) fn new(outlet: Outlet, inlet: Inlet, peer: SocketAddr) -> Self {
        Self {
            outlet,
            inlet,
            peer,
            cookie_echo: None,
        }
    }

    /// The next message; `None` when the association is gone and all its messages are taken. An
    /// echoed cookie is put aside for [`Connection::take_cookie_echo`], a business card is
    /// passed over.
    ///
    /// Over TCP, `None` says that the user has closed its side: it may still wait for answers, and
    /// takes them until this is dropped.
    ///
    /// While 256 KiB wait to be taken, the user is made to wait; over the kernel's SCTP and UDP it
    /// cannot be.
    ///
    /// Cancelling the future loses nothing.
    pub async fn recv(&mut self) -> Option<Received> {
        loop {
            match self.recv_event().await? {
                ConnectionEvent::Message(received) => return Some(received),
                ConnectionEvent::CookieEcho(cookie) => self.cookie_echo = Some(cookie),
                ConnectionEvent::BusinessCard(_) | ConnectionEvent::Moving => {}
            }
        }
    }

    /// The next message, echoed cookie, business card or sign; `None` when the association is gone
    /// and all is taken.
    ///
    /// Cancelling the future loses nothing.
    pub async fn recv_event(&mut self) -> Option<ConnectionEvent> {
        loop {
            match self.inlet.recv().await? {
                Incoming::Message(received) => return Some(ConnectionEvent::Message(received)),
                Incoming::CookieEcho(cookie) => return Some(ConnectionEvent::CookieEcho(cookie)),
                Incoming::BusinessCard(card) => return Some(ConnectionEvent::BusinessCard(card)),
                Incoming::Moving => return Some(ConnectionEvent::Moving),
                Incoming::Opened { .. } => {}
                Incoming::Closed { .. } => return None,
            }
        }
    }

    /// The cookie that the pool user echoed before the message that [`Connection::recv`] gave
    /// last; see [`ConnectionEvent::CookieEcho`]. Once.
    pub fn take_cookie_echo(&mut self) -> Option<Vec<u8>> {
        self.cookie_echo.take()
    }

    /// Gives the pool user the state of the session to keep, in place of what it was given before
    /// (RFC 5352 §3.8). If this pool element fails, the next one gets it back before anything
    /// else. Waits like [`Connection::send_with`], and keeps its place among what is sent on
    /// stream 0: what was sent there before has arrived when the cookie has.
    ///
    /// # Errors
    /// See [`SendFailed`].
    pub async fn send_cookie(&self, cookie: impl Into<Vec<u8>>) -> Result<(), SendFailed> {
        let cookie = cookie.into();
        if cookie.len() > COOKIE_OCTETS_MAX {
            return Err(SendFailed::CookieTooLarge);
        }
        let octets = cookie.len();
        self.outlet
            .say(Saying::Cookie(Cookie(cookie)), octets)
            .await
    }

    /// Tells the pool user by which elements of this pool this one would like to be replaced, the
    /// best first (RFC 5352 §3.9). A session goes by it as far as a registrar confirms them.
    ///
    /// # Errors
    /// See [`SendFailed`].
    pub async fn send_business_card(&self, card: BusinessCard) -> Result<(), SendFailed> {
        let octets = card
            .pool_elements
            .iter()
            .map(|element| element.as_octets().len());
        let octets = octets.sum();
        self.outlet.say(Saying::BusinessCard(card), octets).await
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
        self.outlet.send_with(stream, ppid, data).await
    }

    /// Closes the association in good order: what was sent still arrives.
    pub async fn close(mut self) {
        self.outlet.close();
        while self.recv().await.is_some() {}
    }

    /// The address of the peer: of its UDP port if this is SCTP.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// By what it goes.
    pub fn transport(&self) -> DataTransport {
        self.outlet.transport()
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
        /// Counts those of this association from 1.
        number: u64,
    },
    Say {
        association: AssociationId,
        saying: Saying,
        cost: usize,
    },
    Close {
        association: AssociationId,
    },
    /// It has failed, the application says.
    Fail {
        association: AssociationId,
    },
    /// The application has taken what it was paused for.
    Resume {
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
    progress: Arc<Progress>,
    has_control_channel: bool,
}

/// How far the messages of an association are.
#[derive(Default, Debug)]
pub(crate) struct Progress {
    /// How many have been queued; held while one is, so that they are queued in order.
    queued: Mutex<u64>,
    /// How many, from the first one on, are known to have arrived.
    arrived: AtomicU64,
}

impl Progress {
    pub(crate) fn set_arrived(&self, number: u64) {
        self.arrived.store(number, Ordering::Release);
    }
}

impl Outlet {
    pub(crate) fn new(
        association: AssociationId,
        commands: mpsc::UnboundedSender<DataCommand>,
        has_control_channel: bool,
    ) -> (Self, Arc<Semaphore>) {
        let credit = Arc::new(Semaphore::new(SEND_CREDIT_OCTETS));
        (
            Self {
                association,
                credit: Arc::clone(&credit),
                commands,
                progress: Arc::default(),
                has_control_channel,
            },
            credit,
        )
    }

    /// Queues a message, as soon as there is room, and gives its number on this association.
    /// Cancelling the future before it is ready queues nothing.
    ///
    /// # Errors
    /// See [`SendFailed`].
    pub async fn send(&self, outgoing: Outgoing) -> Result<u64, SendFailed> {
        self.check_message(&outgoing)?;
        let cost = self.make_room(outgoing.data.len()).await?;
        let association = self.association;
        let queued = self.progress.queued.lock();
        let mut queued = queued.unwrap_or_else(PoisonError::into_inner);
        let number = *queued + 1;
        let command = DataCommand::Send {
            association,
            outgoing,
            cost,
            number,
        };
        let sent = self.commands.send(command);
        sent.map_err(|_| SendFailed::Closed)?;
        *queued = number;
        Ok(number)
    }

    /// Queues a message that is ordered and that nobody asks after; otherwise as [`Outlet::send`].
    ///
    /// # Errors
    /// See [`SendFailed`].
    pub async fn send_with(
        &self,
        stream: u16,
        ppid: u32,
        data: impl Into<Vec<u8>>,
    ) -> Result<(), SendFailed> {
        let outgoing = Outgoing {
            stream,
            ppid,
            unordered: false,
            data: data.into(),
        };
        self.send(outgoing).await.map(drop)
    }

    /// By what the association goes.
    pub fn transport(&self) -> DataTransport {
        data_transport(self.association)
    }

    /// All messages up to this number are known to have arrived: their peer's SCTP or TCP has
    /// acknowledged them. It is known only now and then: whenever nothing is on its way. UDP does
    /// not tell, nor does TCP elsewhere than on Linux: there, what the system has taken counts as
    /// arrived (RFC 5352 §6.5.5).
    pub fn arrived(&self) -> u64 {
        self.progress.arrived.load(Ordering::Acquire)
    }

    /// Waits until nothing is on its way.
    ///
    /// # Errors
    /// The association is gone.
    pub async fn wait_until_arrived(&self) -> Result<(), SendFailed> {
        let all = u32::try_from(SEND_CREDIT_OCTETS).expect("SEND_CREDIT_OCTETS fits 32 bits");
        let room = self.credit.acquire_many(all).await;
        room.map(drop).map_err(|_| SendFailed::Closed)
    }

    pub(crate) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Whether both are of one association.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.progress, &other.progress)
    }

    /// Says something on the control channel, as soon as there is room.
    pub(crate) async fn say(&self, saying: Saying, octets: usize) -> Result<(), SendFailed> {
        if !self.has_control_channel {
            return Err(SendFailed::NoControlChannel);
        }
        let cost = self.make_room(octets).await?;
        let association = self.association;
        let command = DataCommand::Say {
            association,
            saying,
            cost,
        };
        self.commands.send(command).map_err(|_| SendFailed::Closed)
    }

    /// Says what a [`crate::SessionControl`] was told to, if the association is its.
    ///
    /// # Errors
    /// See [`SendFailed`].
    pub async fn say_waiting(&self) -> Result<(), SendFailed> {
        self.say(Saying::Waiting, 0).await
    }

    /// Takes the room for a message, which is given back when it has arrived.
    async fn make_room(&self, octets: usize) -> Result<usize, SendFailed> {
        let cost = (octets + MESSAGE_OVERHEAD_OCTETS).min(SEND_CREDIT_OCTETS);
        let permits = u32::try_from(cost).expect("SEND_CREDIT_OCTETS fits 32 bits");
        let room = self.credit.acquire_many(permits).await;
        room.map_err(|_| SendFailed::Closed)?.forget();
        Ok(cost)
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

    /// Ends the association at once, as one that has failed: its peer does not answer, the
    /// application says (RFC 5352 §6.9.2).
    pub fn fail(&self) {
        let association = self.association;
        // The thread being gone, so is the association.
        let _ = self.commands.send(DataCommand::Fail { association });
    }

    /// Whether a message can be sent at all.
    ///
    /// # Errors
    /// See [`SendFailed`].
    pub fn check_message(&self, outgoing: &Outgoing) -> Result<(), SendFailed> {
        let transport = self.transport();
        let octets_max = match transport {
            DataTransport::Sctp | DataTransport::Tcp => DATA_OCTETS_MAX,
            DataTransport::Udp => UDP_OCTETS_MAX,
        };
        let is_plain = outgoing.stream == 0 && outgoing.ppid == 0;
        if outgoing.data.is_empty() {
            Err(SendFailed::Empty)
        } else if outgoing.data.len() > octets_max {
            Err(SendFailed::TooLarge)
        } else if transport != DataTransport::Sctp && !is_plain {
            Err(SendFailed::NotSctp)
        } else if outgoing.stream >= STREAMS {
            Err(SendFailed::InvalidStream)
        } else if outgoing.ppid == crate::network::ASAP_PPID {
            Err(SendFailed::ReservedPayloadProtocol)
        } else {
            Ok(())
        }
    }
}

/// What arrives at an application, in order.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// An association is open; a session has one after the other.
    Opened {
        /// What its opener called it.
        label: u32,
        /// The address of the peer: of its UDP port if this is SCTP.
        peer: SocketAddr,
        /// Sends on it.
        outlet: Outlet,
        /// When it came up.
        at: Instant,
        /// Whether it began with the cookie of another pool element.
        cookie_echoed: bool,
    },
    /// A message.
    Message(Received),
    /// The cookie of another pool element.
    CookieEcho(Vec<u8>),
    /// By whom a peer that is a pool element too can be replaced.
    BusinessCard(BusinessCard),
    /// This pool element leaves, and its user is about to be moved.
    Moving,
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
            Self::CookieEcho(cookie) => cookie.len() + MESSAGE_OVERHEAD_OCTETS,
            Self::BusinessCard(card) => {
                let elements = card.pool_elements.iter();
                let octets: usize = elements
                    .map(|element| element.as_octets().len() + MESSAGE_OVERHEAD_OCTETS)
                    .sum();
                octets + MESSAGE_OVERHEAD_OCTETS
            }
            Self::Opened { .. } | Self::Moving | Self::Closed { .. } => 0,
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
    /// Those that share the queue and are paused: at most as many as bring messages to it.
    paused: Vec<Paused>,
}

/// An association that brings nothing more until its queue is almost empty.
#[derive(Debug)]
struct Paused {
    association: AssociationId,
    commands: mpsc::UnboundedSender<DataCommand>,
}

impl Queue {
    fn pop(&mut self) -> Option<Incoming> {
        let incoming = self.incoming.pop_front()?;
        self.octets -= incoming.cost();
        self.resume();
        if self.incoming.is_empty() {
            self.incoming.shrink_to(KEPT_ROOM);
        }
        Some(incoming)
    }

    /// What waits, in octets.
    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    /// What was paused goes on, if there is room for it.
    fn resume(&mut self) {
        if self.octets >= RESUME_BELOW_OCTETS {
            return;
        }
        for paused in std::mem::take(&mut self.paused) {
            let association = paused.association;
            // The thread being gone, so is the association.
            let _ = paused.commands.send(DataCommand::Resume { association });
        }
    }

    /// Drops the messages; what opened and closed is still told.
    pub(crate) fn discard(&mut self) {
        self.incoming.retain(|incoming| incoming.cost() == 0);
        self.incoming.shrink_to(KEPT_ROOM);
        self.octets = 0;
        self.resume();
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

    /// Associations that have opened, which the application has not been told of.
    pub fn openings_waiting(&self) -> usize {
        let queue = lock(&self.queue);
        let incoming = queue.incoming.iter();
        let is_opened = |incoming: &&Incoming| matches!(incoming, Incoming::Opened { .. });
        incoming.filter(is_opened).count()
    }

    /// Whether an association should pause, as much waits: `commands` tell when to go on.
    pub(crate) fn has_to_pause(
        &self,
        association: AssociationId,
        commands: &mpsc::UnboundedSender<DataCommand>,
    ) -> bool {
        let mut queue = lock(&self.queue);
        let has_to_pause = queue.octets > PAUSE_ABOVE_OCTETS && !self.is_closed();
        let mut paused = queue.paused.iter();
        if has_to_pause && !paused.any(|paused| paused.association == association) {
            queue.paused.push(Paused {
                association,
                commands: commands.clone(),
            });
        }
        has_to_pause
    }

    /// An association has ended: it need not go on.
    pub(crate) fn forget_paused(&self, association: AssociationId) {
        let mut queue = lock(&self.queue);
        queue
            .paused
            .retain(|paused| paused.association != association);
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
        queue.resume();
    }
}
