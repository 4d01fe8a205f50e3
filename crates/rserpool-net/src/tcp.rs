//! ASAP over TCP for pool users (RFC 5352 §1.5; port 3863): a stream of messages, each framed by
//! its own header. To the core a TCP connection is an association like any other.
//!
//! Knows frames, not messages.

use crate::error::{NetError, Operation};
use crate::event::NetworkEvent;
use crate::framing::Framing;
use crate::inbox::{Found, Inbox};
use crate::write_queue::WriteQueue;
use rserpool_core::AssociationId;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// The TCP port of registrars (IANA: asap-tcp).
pub const ASAP_TCP_PORT: u16 = 3863;

/// How many connections there may be, and who goes when there are too many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TcpLimits {
    /// Connections open at once. Each holds a descriptor and about 1 KiB.
    connections_max: usize,
    /// Connections that have not yet sent a message: a flood of idle ones must leave room for
    /// users. Beyond it the oldest of them goes, as a user asks as soon as it is connected.
    silent_max: usize,
    /// Connections with a subscription that keep their place however long they say nothing: they
    /// wait for what happens to a pool. Less than all, or strangers could hold every place.
    subscribers_kept_max: usize,
    /// Where there is no place left, who has asked nothing for so long goes, the longest first.
    idle_after: Duration,
    /// What may wait for all users together, in octets: of each it may be more than its share, as
    /// few are ever slow. Who has most of it is shed.
    waiting_octets_max: usize,
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self {
            connections_max: 8192,
            silent_max: 1024,
            subscribers_kept_max: 6144,
            idle_after: Duration::from_secs(10),
            waiting_octets_max: 256 << 20,
        }
    }
}

/// A connection must send its first message within this time.
const FIRST_MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// A user that takes nothing of what waits for it for this long does not read.
const STALLED_TIMEOUT: Duration = Duration::from_secs(5);

/// What may wait for a user before it is shed: sixteen of the largest messages.
const WRITE_QUEUE_OCTETS_MAX: usize = 1 << 20;

/// With this much waiting, nothing more is read from the user: its requests wait in its own kernel.
const WRITE_QUEUE_OCTETS_HIGH: usize = 64 << 10;

/// Octets read from one connection before others get their turn.
const READ_OCTETS: usize = 16 << 10;

/// One address of a registrar gets this long before the next is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// Pause after `accept` failed: descriptors are short, and come back.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Sets TCP associations apart from those over SCTP, which count from zero.
const TCP_ASSOCIATIONS: u64 = 1 << 63;

/// Whether an association is a TCP connection.
pub(crate) fn is_tcp(association: AssociationId) -> bool {
    association.0 & TCP_ASSOCIATIONS != 0
}

/// All TCP connections of a node.
pub(crate) struct TcpConnections {
    inbox: Rc<Inbox>,
    next: u64,
    connections: BTreeMap<AssociationId, Rc<Connection>>,
    connecting: BTreeSet<AssociationId>,
    /// Connections with something new to write.
    unflushed: Vec<AssociationId>,
    silent: Rc<Cell<usize>>,
    limits: TcpLimits,
    /// At least what waits for all users. Counted upward only, until it would be too much.
    waiting_upper_bound: usize,
}

/// A connection that somebody opened, and the one that went for it.
pub(crate) struct Accepted {
    pub(crate) association: AssociationId,
    pub(crate) displaced: Option<AssociationId>,
}

/// The user for whom most waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fullest {
    pub(crate) association: AssociationId,
    pub(crate) peer: SocketAddr,
    pub(crate) waiting_octets: usize,
}

impl TcpConnections {
    pub(crate) fn new(inbox: &Rc<Inbox>, limits: TcpLimits) -> Self {
        Self {
            silent: Rc::default(),
            limits,
            waiting_upper_bound: 0,
            inbox: Rc::clone(inbox),
            next: TCP_ASSOCIATIONS,
            connections: BTreeMap::new(),
            connecting: BTreeSet::new(),
            unflushed: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(crate) fn peer(&self, association: AssociationId) -> Option<SocketAddr> {
        Some(self.connections.get(&association)?.peer)
    }

    /// Takes a connection that somebody opened, unless there are too many. The caller closes the
    /// one that is displaced.
    pub(crate) fn accept(
        &mut self,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> Result<Accepted, NetworkEvent> {
        let limit = self.limits.connections_max;
        let displaced = self
            .make_room()
            .map_err(|NoRoom| NetworkEvent::TooManyConnections { peer, limit })?;
        let association = self.new_association();
        let silent = Silent::new(&self.silent);
        self.start(association, stream, peer, Some(silent));
        Ok(Accepted {
            association,
            displaced,
        })
    }

    /// Who has to go for another connection.
    fn make_room(&self) -> Result<Option<AssociationId>, NoRoom> {
        let connections = || self.connections.iter();
        if self.silent.get() >= self.limits.silent_max {
            // Numbers rise, so that the first is the oldest.
            let mut silent = connections().filter(|(_, connection)| connection.is_silent());
            return Ok(silent.next().map(|(association, _)| *association));
        }
        if self.connections.len() < self.limits.connections_max {
            return Ok(None);
        }
        let is_subscriber = |connection: &Connection| connection.subscriptions.get() > 0;
        let subscribers = connections().filter(|(_, connection)| is_subscriber(connection));
        let keeps_subscribers = subscribers.count() <= self.limits.subscribers_kept_max;
        let idlest = connections()
            .filter(|(_, connection)| !(keeps_subscribers && is_subscriber(connection)))
            .min_by_key(|(_, connection)| connection.heard.get());
        match idlest {
            Some((association, connection))
                if connection.heard.get().elapsed() >= self.limits.idle_after =>
            {
                Ok(Some(*association))
            }
            Some(_) | None => Err(NoRoom),
        }
    }

    /// The user of a connection has a subscription more, or one less.
    pub(crate) fn count_subscription(&self, association: AssociationId, is_more: bool) {
        if let Some(connection) = self.connections.get(&association) {
            let subscriptions = connection.subscriptions.get();
            connection.subscriptions.set(if is_more {
                subscriptions + 1
            } else {
                subscriptions.saturating_sub(1)
            });
        }
    }

    /// Opens a connection to the first of `addresses` that answers; the inbox tells the outcome.
    pub(crate) fn connect(&mut self, addresses: Vec<IpAddr>, port: u16) -> AssociationId {
        let association = self.new_association();
        self.connecting.insert(association);
        let inbox = Rc::clone(&self.inbox);
        tokio::task::spawn_local(async move {
            inbox
                .put(connect_first(association, &addresses, port).await)
                .await;
        });
        association
    }

    /// Goes on with a connection that [`Self::connect`] opened; false if it is no longer wanted.
    pub(crate) fn connected(
        &mut self,
        association: AssociationId,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> bool {
        let is_wanted = self.connecting.remove(&association);
        if is_wanted {
            self.start(association, stream, peer, None);
        }
        is_wanted
    }

    /// Queues a message: `encode` appends it. Written by [`Self::flush`].
    ///
    /// # Errors
    /// The connection is gone, or was shed because too much waits for it.
    pub(crate) fn send(
        &mut self,
        association: AssociationId,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), SendRefused> {
        let connection = self
            .connections
            .get(&association)
            .ok_or(SendRefused::Gone)?;
        let mut waiting = connection.waiting.borrow_mut();
        if waiting.len() > WRITE_QUEUE_OCTETS_MAX {
            let peer = connection.peer;
            return Err(SendRefused::Shed {
                peer,
                waiting_octets: waiting.len(),
            });
        }
        let before = waiting.len();
        encode(waiting.end());
        self.waiting_upper_bound += waiting.len() - before;
        if !connection.is_unflushed.replace(true) {
            self.unflushed.push(association);
        }
        Ok(())
    }

    /// If too much waits for all users: the one for whom most does, to be closed by the caller. To
    /// be repeated. An eighth is made free, so that it is not counted for every message.
    pub(crate) fn fullest(&mut self) -> Option<Fullest> {
        if self.waiting_upper_bound <= self.limits.waiting_octets_max {
            return None;
        }
        let waiting = |connection: &Connection| connection.waiting.borrow().len();
        let sum = self.connections.values().map(|one| waiting(one)).sum();
        if sum <= self.limits.waiting_octets_max / 8 * 7 {
            self.waiting_upper_bound = sum;
            return None;
        }
        let fullest = self
            .connections
            .iter()
            .max_by_key(|(_, one)| waiting(one))?;
        let (association, connection) = fullest;
        Some(Fullest {
            association: *association,
            peer: connection.peer,
            waiting_octets: waiting(connection),
        })
    }

    /// Writes what the connections take at once; their tasks write the rest.
    pub(crate) fn flush(&mut self) {
        for association in self.unflushed.drain(..) {
            let Some(connection) = self.connections.get(&association) else {
                continue;
            };
            connection.is_unflushed.set(false);
            // An error ends the task's next read or write, which reports it.
            if !matches!(connection.write(), Ok(true)) {
                connection.wake.notify_one();
            }
        }
    }

    /// Ends a connection; what it does not take at once is lost.
    pub(crate) fn close(&mut self, association: AssociationId) {
        self.connecting.remove(&association);
        if let Some(connection) = self.connections.remove(&association) {
            let _ = connection.write();
            connection.is_closing.set(true);
            connection.silent.take();
            connection.wake.notify_one();
        }
    }

    /// A number that no association has had.
    pub(crate) fn new_association(&mut self) -> AssociationId {
        self.next += 1;
        AssociationId(self.next)
    }

    fn start(
        &mut self,
        association: AssociationId,
        stream: TcpStream,
        peer: SocketAddr,
        silent: Option<Silent>,
    ) {
        // Requests and answers are small and somebody waits for each.
        let _ = stream.set_nodelay(true);
        let connection = Rc::new(Connection {
            stream,
            peer,
            waiting: RefCell::default(),
            is_unflushed: Cell::new(false),
            is_closing: Cell::new(false),
            silent: RefCell::new(silent),
            heard: Cell::new(Instant::now()),
            subscriptions: Cell::new(0),
            wake: Notify::new(),
        });
        self.connections.insert(association, Rc::clone(&connection));
        let inbox = Rc::clone(&self.inbox);
        tokio::task::spawn_local(async move {
            let event = serve(&connection, association, &inbox).await;
            if !connection.is_closing.get() {
                inbox.put(Found::TcpEnded { association, event }).await;
            }
        });
    }
}

/// Everybody who is connected is busy or waits for something.
struct NoRoom;

/// Why a message was not queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SendRefused {
    Gone,
    Shed {
        peer: SocketAddr,
        waiting_octets: usize,
    },
}

/// Accepts connections until the node ends.
pub(crate) async fn listen(
    listener: TcpListener,
    inbox: Rc<Inbox>,
    accepted: impl Fn(TcpStream, SocketAddr) -> Found,
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => inbox.put(accepted(stream, peer)).await,
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    waiting: RefCell<WriteQueue>,
    is_unflushed: Cell<bool>,
    is_closing: Cell<bool>,
    /// Somebody opened it and has sent no message yet.
    silent: RefCell<Option<Silent>>,
    /// When its last message came.
    heard: Cell<Instant>,
    subscriptions: Cell<usize>,
    /// Something is left to write, or the connection is closing.
    wake: Notify,
}

impl Connection {
    fn is_silent(&self) -> bool {
        self.silent.borrow().is_some()
    }

    /// Writes what the socket takes; whether that was all.
    fn write(&self) -> io::Result<bool> {
        self.waiting.borrow_mut().write_to(&self.stream)
    }
}

/// Reads and writes until the connection ends; says why, if it did not end by itself.
async fn serve(
    connection: &Connection,
    association: AssociationId,
    inbox: &Inbox,
) -> Option<NetworkEvent> {
    let peer = connection.peer;
    let mut framing = Framing::default();
    let mut first_message_until = connection
        .is_silent()
        .then(|| Instant::now() + FIRST_MESSAGE_TIMEOUT);
    let mut stalled_until = None;
    let mut waited = 0;
    loop {
        let waiting = connection.waiting.borrow().len();
        if waiting == 0 {
            stalled_until = None;
        } else if stalled_until.is_none() || waiting < waited {
            stalled_until = Some(Instant::now() + STALLED_TIMEOUT);
        }
        waited = waiting;
        tokio::select! {
            ready = connection.stream.ready(interest(waiting)) => {
                ready.ok()?;
            }
            () = connection.wake.notified() => {}
            () = until(stalled_until) => {
                return Some(NetworkEvent::Shed { peer, waiting_octets: waiting });
            }
            () = until(first_message_until) => return Some(NetworkEvent::Idle { peer }),
        }
        if connection.is_closing.get() {
            return None;
        }
        connection.write().ok()?;
        if connection.waiting.borrow().len() > WRITE_QUEUE_OCTETS_HIGH {
            continue;
        }
        match read(connection, association, inbox, &mut framing).await {
            Ok(0) => {}
            Ok(_) => {
                first_message_until = None;
                connection.silent.take();
                connection.heard.set(Instant::now());
            }
            Err(ReadEnd::Closed) => return None,
            Err(ReadEnd::BrokenFraming) => return Some(NetworkEvent::BrokenFraming { peer }),
        }
    }
}

fn interest(waiting: usize) -> Interest {
    match waiting {
        0 => Interest::READABLE,
        1..=WRITE_QUEUE_OCTETS_HIGH => Interest::READABLE | Interest::WRITABLE,
        _ => Interest::WRITABLE,
    }
}

/// For ever if there is no deadline.
pub(crate) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

enum ReadEnd {
    Closed,
    BrokenFraming,
}

/// Reads once; how many messages that completed.
async fn read(
    connection: &Connection,
    association: AssociationId,
    inbox: &Inbox,
    framing: &mut Framing,
) -> Result<usize, ReadEnd> {
    let mut found = Vec::new();
    {
        let mut buffer = [0; READ_OCTETS];
        let len = match connection.stream.try_read(&mut buffer) {
            Ok(0) => return Err(ReadEnd::Closed),
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(_) => return Err(ReadEnd::Closed),
        };
        let fed = framing.feed(&buffer[..len], |message| found.push(message.to_vec()));
        fed.map_err(|_| ReadEnd::BrokenFraming)?;
    }
    let count = found.len();
    for octets in found {
        inbox
            .put(Found::TcpReceived {
                association,
                octets,
            })
            .await;
    }
    Ok(count)
}

async fn connect_first(association: AssociationId, addresses: &[IpAddr], port: u16) -> Found {
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let mut last = None;
    for &address in addresses {
        let peer = SocketAddr::new(address, port);
        last = Some(peer);
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(peer)).await {
            Ok(Ok(stream)) => {
                return Found::TcpConnected {
                    association,
                    stream,
                    peer,
                };
            }
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    let error = NetError::new(Operation::ConnectTcp, last, failure);
    Found::TcpConnectFailed { association, error }
}

/// Counts the connections that have sent no message yet.
struct Silent(Rc<Cell<usize>>);

impl Silent {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::LocalSet;

    const LIMITS: TcpLimits = TcpLimits {
        connections_max: 4,
        silent_max: 3,
        subscribers_kept_max: 2,
        idle_after: Duration::ZERO,
        waiting_octets_max: 8000,
    };

    struct Strangers {
        listener: TcpListener,
        connections: TcpConnections,
        streams: Vec<TcpStream>,
    }

    impl Strangers {
        async fn new(limits: TcpLimits) -> Self {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let connections = TcpConnections::new(&Inbox::new(), limits);
            let streams = Vec::new();
            Self {
                listener,
                connections,
                streams,
            }
        }

        /// One more; it has asked something unless it is silent.
        async fn come(&mut self, is_silent: bool) -> Result<Accepted, NetworkEvent> {
            let at = self.listener.local_addr().unwrap();
            self.streams.push(TcpStream::connect(at).await.unwrap());
            let (stream, peer) = self.listener.accept().await.unwrap();
            let accepted = self.connections.accept(stream, peer)?;
            if let Some(displaced) = accepted.displaced {
                self.connections.close(displaced);
            }
            let connection = &self.connections.connections[&accepted.association];
            if !is_silent {
                connection.silent.take();
            }
            Ok(accepted)
        }
    }

    #[tokio::test]
    async fn the_oldest_silent_connection_goes_for_another() {
        let strangers = async {
            let mut strangers = Strangers::new(LIMITS).await;
            let first = strangers.come(true).await.unwrap();
            strangers.come(true).await.unwrap();
            strangers.come(true).await.unwrap();
            for _ in 0..2 {
                assert!(strangers.come(true).await.unwrap().displaced.is_some());
            }
            let gone = strangers.connections.peer(first.association);
            assert_eq!((gone, strangers.connections.len()), (None, 3));
        };
        LocalSet::new().run_until(strangers).await;
    }

    #[tokio::test]
    async fn idle_strangers_go_before_subscribers_and_the_longest_idle_first() {
        let strangers = async {
            let mut strangers = Strangers::new(LIMITS).await;
            let mut came = Vec::new();
            for _ in 0..4 {
                came.push(strangers.come(false).await.unwrap().association);
            }
            for subscriber in &came[..2] {
                strangers.connections.count_subscription(*subscriber, true);
            }
            let displaced = strangers.come(false).await.unwrap().displaced;
            assert_eq!(displaced, Some(came[2]));
            // Those beyond the number that is kept have no privilege.
            strangers.connections.count_subscription(came[3], true);
            let displaced = strangers.come(false).await.unwrap().displaced;
            assert_eq!(displaced, Some(came[0]));
            strangers.connections.count_subscription(came[1], false);
            let displaced = strangers.come(false).await.unwrap().displaced;
            assert_eq!(displaced, Some(came[1]));
        };
        LocalSet::new().run_until(strangers).await;
    }

    #[tokio::test]
    async fn nobody_goes_who_has_just_asked() {
        let strangers = async {
            let limits = TcpLimits {
                idle_after: Duration::from_secs(60),
                ..LIMITS
            };
            let mut strangers = Strangers::new(limits).await;
            for _ in 0..4 {
                strangers.come(false).await.unwrap();
            }
            let refused = strangers.come(false).await.err().unwrap();
            assert!(refused.to_string().contains("4 connections"), "{refused}");
        };
        LocalSet::new().run_until(strangers).await;
    }

    #[tokio::test]
    async fn the_user_for_whom_most_waits_goes_when_all_together_are_too_slow() {
        let strangers = async {
            let mut strangers = Strangers::new(LIMITS).await;
            let mut came = Vec::new();
            for _ in 0..3 {
                came.push(strangers.come(false).await.unwrap().association);
            }
            let connections = &mut strangers.connections;
            let mut wait = |to: usize, octets: usize| {
                let sent = connections.send(came[to], |out| out.resize(out.len() + octets, 0));
                assert_eq!(sent, Ok(()));
                connections.fullest()
            };
            assert_eq!(wait(0, 2000), None);
            assert_eq!(wait(1, 4000), None);
            let fullest = wait(2, 3000).unwrap();
            assert_eq!(
                (fullest.association, fullest.waiting_octets),
                (came[1], 4000)
            );
            strangers.connections.close(came[1]);
            assert_eq!(strangers.connections.fullest(), None);
        };
        LocalSet::new().run_until(strangers).await;
    }
}
