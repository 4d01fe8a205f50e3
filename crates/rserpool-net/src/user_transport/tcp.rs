//! The data channel over TCP: whatever octets the application sends, as on any TCP connection.

use super::acknowledged::{Acknowledged, Silent};
use super::{USER_TCP, source_toward};
use crate::error::NetError;
use crate::inbox::{Found, Inbox};
use crate::listen::open_listeners;
use crate::sock_diag::SockDiag;
use crate::tcp::{listen, until};
use crate::udp::Port;
use crate::write_queue::WriteQueue;
use rserpool_core::AssociationId;
use rserpool_sctp::{DownReason, SendError};
use socket2::{SockRef, TcpKeepalive};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

/// Connections that others opened, at one time: as many as SCTP associations.
const ACCEPTED_MAX: usize = 16_384;

/// Octets read from one connection before others get their turn.
const READ_OCTETS: usize = 16 << 10;

/// How long a pool element may take to answer; whoever asks has less patience as a rule.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How long the peer may take to close its side when ours is closed, or to take something of what
/// was sent before that.
const CLOSING_MAX: Duration = Duration::from_secs(30);

/// The shortest time that the system takes for keep-alive probes.
const PROBE_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Probes without an answer after which a peer is gone: one may be lost.
const PROBES_MIN: u32 = 2;
const PROBES_MAX: u32 = 10;

/// What the tasks of the connections found.
pub(crate) enum FoundTcp {
    /// Somebody opened a connection.
    Accepted { stream: TcpStream, peer: SocketAddr },
    /// One that was asked for is open.
    Connected {
        association: AssociationId,
        stream: TcpStream,
        peer: SocketAddr,
    },
    /// Octets.
    Received {
        association: AssociationId,
        octets: Vec<u8>,
    },
    /// Some that were sent have been acknowledged, or taken by a system that does not tell that.
    Acknowledged,
    /// Nothing more comes; the peer may still read.
    Finished { association: AssociationId },
    /// A connection ended, or could not be opened.
    Ended {
        association: AssociationId,
        reason: DownReason,
    },
}

impl FoundTcp {
    fn not_connected(association: AssociationId, is_refused: bool) -> Self {
        let reason = if is_refused {
            DownReason::Unreachable
        } else {
            DownReason::Lost
        };
        Self::Ended {
            association,
            reason,
        }
    }
}

/// The connections with pool users or pool elements of a node.
pub(crate) struct UserTcp {
    inbox: Rc<Inbox>,
    next: u64,
    connections: BTreeMap<AssociationId, Rc<Connection>>,
    connecting: BTreeMap<AssociationId, AbortHandle>,
    listening: Vec<AbortHandle>,
    /// Connections with something new to write.
    unflushed: Vec<AssociationId>,
    /// [`FoundTcp::Acknowledged`] is in the inbox.
    is_told: Rc<Cell<bool>>,
    /// Of a node without such connections there is none.
    diag: OnceCell<Rc<SockDiag>>,
    /// A peer that does not answer for so long is gone.
    silence_max: Duration,
}

impl UserTcp {
    pub(crate) fn new(inbox: &Rc<Inbox>, silence_max: Duration) -> Self {
        Self {
            inbox: Rc::clone(inbox),
            next: USER_TCP,
            connections: BTreeMap::new(),
            connecting: BTreeMap::new(),
            listening: Vec::new(),
            unflushed: Vec::new(),
            is_told: Rc::default(),
            diag: OnceCell::new(),
            silence_max,
        }
    }

    /// Awaits pool users; gives the port.
    ///
    /// # Errors
    /// A port that cannot be had.
    pub(crate) fn await_users(
        &mut self,
        addresses: &[IpAddr],
        port: Port,
    ) -> Result<u16, NetError> {
        let (listeners, at) = open_listeners(addresses, port.first(0))?;
        for listener in listeners {
            let accepted = |stream, peer| Found::UserTcp(FoundTcp::Accepted { stream, peer });
            let listen = listen(listener, Rc::clone(&self.inbox), accepted);
            let task = tokio::task::spawn_local(listen);
            self.listening.push(task.abort_handle());
        }
        Ok(at.port())
    }

    /// Takes no more pool users.
    pub(crate) fn stop_listening(&mut self) {
        for listening in self.listening.drain(..) {
            listening.abort();
        }
    }

    /// Takes a connection that somebody opened.
    ///
    /// # Errors
    /// There are too many: the limit.
    pub(crate) fn accept(
        &mut self,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> Result<AssociationId, usize> {
        if self.connections.len() >= ACCEPTED_MAX {
            return Err(ACCEPTED_MAX);
        }
        let association = self.new_association();
        self.start(association, stream, peer, true);
        Ok(association)
    }

    /// Opens a connection; the inbox tells the outcome.
    pub(crate) fn connect(&mut self, addresses: &[IpAddr], peer: SocketAddr) -> AssociationId {
        let association = self.new_association();
        let inbox = Rc::clone(&self.inbox);
        let from = SocketAddr::new(source_toward(addresses, peer), 0);
        let task = tokio::task::spawn_local(async move {
            let found = match timeout(CONNECT_MAX, connect(from, peer)).await {
                Ok(Ok(stream)) => FoundTcp::Connected {
                    association,
                    stream,
                    peer,
                },
                Ok(Err(error)) => {
                    let is_refused = error.kind() == io::ErrorKind::ConnectionRefused;
                    FoundTcp::not_connected(association, is_refused)
                }
                Err(_) => FoundTcp::not_connected(association, false),
            };
            inbox.put(Found::UserTcp(found)).await;
        });
        self.connecting.insert(association, task.abort_handle());
        association
    }

    /// Goes on with a connection that [`Self::connect`] opened; false if it is no longer wanted.
    pub(crate) fn connected(
        &mut self,
        association: AssociationId,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> bool {
        let is_wanted = self.connecting.remove(&association).is_some();
        if is_wanted {
            self.start(association, stream, peer, false);
        }
        is_wanted
    }

    /// Queues octets. Written by [`Self::flush`].
    ///
    /// # Errors
    /// The connection is gone, or closing.
    pub(crate) fn send(
        &mut self,
        association: AssociationId,
        octets: &[u8],
    ) -> Result<(), SendError> {
        let open = self.connections.get(&association);
        let connection = open.ok_or(SendError::UnknownAssociation)?;
        if connection.is_closing.get() {
            return Err(SendError::NotConnected);
        }
        let mut waiting = connection.waiting.borrow_mut();
        waiting.end().extend_from_slice(octets);
        if !connection.is_unflushed.replace(true) {
            self.unflushed.push(association);
        }
        Ok(())
    }

    /// What the peer has not acknowledged yet; where the system does not tell that, what the
    /// system has not taken.
    pub(crate) fn send_queue_octets(&self, association: AssociationId) -> usize {
        let connection = self.connections.get(&association);
        connection.map_or(0, |connection| connection.unacknowledged())
    }

    /// Writes what the connections take at once; their tasks write the rest.
    pub(crate) fn flush(&mut self) {
        for association in self.unflushed.drain(..) {
            let Some(connection) = self.connections.get(&association) else {
                continue;
            };
            connection.is_unflushed.set(false);
            // An error ends the task's next read or write, which reports it.
            let _ = connection.write(&self.inbox);
            connection.wake.notify_one();
        }
    }

    /// [`FoundTcp::Acknowledged`] has been taken.
    pub(crate) fn on_acknowledged(&self) {
        self.is_told.set(false);
    }

    /// Reads nothing of a connection, so that its peer has to wait; or goes on.
    pub(crate) fn pause(&self, association: AssociationId, is_paused: bool) {
        if let Some(connection) = self.connections.get(&association) {
            connection.is_paused.set(is_paused);
            connection.wake.notify_one();
        }
    }

    /// Closes a connection when what was sent is written; the inbox tells when that is done.
    pub(crate) fn close(&mut self, association: AssociationId) {
        if let Some(connection) = self.connections.get(&association) {
            connection.is_closing.set(true);
            connection.wake.notify_one();
        }
    }

    /// Resets a connection, or stops opening it; whether there was one.
    pub(crate) fn abort(&mut self, association: AssociationId) -> bool {
        if let Some(connecting) = self.connecting.remove(&association) {
            connecting.abort();
            return true;
        }
        let connection = self.connections.remove(&association);
        let Some(connection) = connection else {
            return false;
        };
        connection.reset();
        true
    }

    /// A connection has ended; whether it was still one.
    pub(crate) fn on_ended(&mut self, association: AssociationId) -> bool {
        let was_connecting = self.connecting.remove(&association).is_some();
        self.connections.remove(&association).is_some() || was_connecting
    }

    pub(crate) fn peer(&self, association: AssociationId) -> Option<SocketAddr> {
        Some(self.connections.get(&association)?.peer)
    }

    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    fn new_association(&mut self) -> AssociationId {
        self.next += 1;
        AssociationId(self.next)
    }

    fn start(
        &mut self,
        association: AssociationId,
        stream: TcpStream,
        peer: SocketAddr,
        is_accepted: bool,
    ) {
        // Requests and answers are small and somebody waits for each.
        let _ = stream.set_nodelay(true);
        probe_when_idle(&stream, self.silence_max);
        let diag = self.diag.get_or_init(|| Rc::new(SockDiag::open()));
        let connection = Rc::new(Connection {
            acknowledged: Acknowledged::new(diag, &stream, self.silence_max),
            stream,
            peer,
            is_accepted,
            waiting: RefCell::default(),
            is_unflushed: Cell::new(false),
            is_paused: Cell::new(false),
            is_finished: Cell::new(false),
            is_closing: Cell::new(false),
            is_reset: Cell::new(false),
            is_told: Rc::clone(&self.is_told),
            wake: Notify::new(),
        });
        self.connections.insert(association, Rc::clone(&connection));
        let inbox = Rc::clone(&self.inbox);
        tokio::task::spawn_local(async move {
            let reason = connection.serve(association, &inbox).await;
            if !connection.is_reset.get() {
                let ended = FoundTcp::Ended {
                    association,
                    reason,
                };
                inbox.put(Found::UserTcp(ended)).await;
            }
        });
    }
}

impl Drop for UserTcp {
    fn drop(&mut self) {
        self.stop_listening();
        for connecting in self.connecting.values() {
            connecting.abort();
        }
        for connection in self.connections.values() {
            connection.reset();
        }
    }
}

/// A host that has gone while nothing is under way is noticed as an SCTP peer is, as far as the
/// system can: it counts in seconds. While something is, see [`Acknowledged`].
fn probe_when_idle(stream: &TcpStream, silence_max: Duration) {
    let idle = (silence_max / 4).max(PROBE_INTERVAL_MIN);
    let interval = (silence_max / 8).max(PROBE_INTERVAL_MIN);
    let probes = (silence_max.saturating_sub(idle).as_secs() / interval.as_secs().max(1)).max(1);
    let probes = u32::try_from(probes).unwrap_or(u32::MAX);
    let keep_alive = TcpKeepalive::new()
        .with_time(idle)
        .with_interval(interval)
        .with_retries(probes.clamp(PROBES_MIN, PROBES_MAX));
    // Failing that, the application has to notice.
    let _ = SockRef::from(stream).set_tcp_keepalive(&keep_alive);
}

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    is_accepted: bool,
    /// Bounded by the credit of whoever sends.
    waiting: RefCell<WriteQueue>,
    acknowledged: Acknowledged,
    is_unflushed: Cell<bool>,
    is_paused: Cell<bool>,
    /// Nothing more comes.
    is_finished: Cell<bool>,
    is_closing: Cell<bool>,
    /// Nobody wants to know any more how it ends.
    is_reset: Cell<bool>,
    is_told: Rc<Cell<bool>>,
    /// One of the above has changed, or something is left to write.
    wake: Notify,
}

impl Connection {
    /// Reads and writes until the connection ends; says why.
    async fn serve(&self, association: AssociationId, inbox: &Inbox) -> DownReason {
        let mut closed_at = None;
        let mut left = usize::MAX;
        loop {
            let waiting = self.waiting.borrow().len();
            if self.is_closing.get() && waiting < left {
                left = waiting;
                closed_at = Some(Instant::now());
                if waiting == 0 {
                    // If the peer has gone, reading says so.
                    let _ = SockRef::from(&self.stream).shutdown(Shutdown::Write);
                }
            }
            if self.is_finished.get() && left == 0 {
                return DownReason::Closed;
            }
            tokio::select! {
                ready = self.ready(waiting) => if let Err(error) = ready {
                    return reason_of(&error);
                },
                () = self.wake.notified() => {}
                () = until(self.acknowledged.look_at()) => if let Err(Silent) = self.look(inbox) {
                    return DownReason::Lost;
                },
                () = until(closed_at.map(|at| at + CLOSING_MAX)) => return DownReason::Lost,
            }
            if self.is_reset.get() {
                return DownReason::LocalAbort;
            }
            if let Err(error) = self.write(inbox) {
                return reason_of(&error);
            }
            if self.reads()
                && let Err(reason) = self.read(association, inbox).await
            {
                return reason;
            }
        }
    }

    fn reads(&self) -> bool {
        !self.is_paused.get() && !self.is_finished.get()
    }

    async fn ready(&self, waiting: usize) -> io::Result<()> {
        let interest = match (self.reads(), waiting) {
            (false, 0) => Interest::ERROR,
            (false, _) => Interest::WRITABLE,
            (true, 0) => Interest::READABLE,
            (true, _) => Interest::READABLE | Interest::WRITABLE,
        };
        self.stream.ready(interest).await?;
        if interest != Interest::ERROR {
            return Ok(());
        }
        // Neither read nor written, it would be ready for ever.
        let error = || self.stream.take_error()?.map_or_else(nothing, Err);
        match self.stream.try_io(Interest::ERROR, error) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            ended => ended,
        }
    }

    fn unacknowledged(&self) -> usize {
        self.waiting.borrow().len() + self.acknowledged.octets()
    }

    /// Writes what the socket takes.
    fn write(&self, inbox: &Inbox) -> io::Result<()> {
        let before = self.unacknowledged();
        let written = {
            let mut waiting = self.waiting.borrow_mut();
            let before = waiting.len();
            let written = waiting.write_to(&self.stream);
            self.acknowledged.on_written(before - waiting.len());
            written
        };
        self.tell_acknowledged(self.unacknowledged() < before, inbox);
        written.map(drop)
    }

    fn look(&self, inbox: &Inbox) -> Result<(), Silent> {
        let is_more = self.acknowledged.look()?;
        self.tell_acknowledged(is_more, inbox);
        Ok(())
    }

    /// Whoever waits for room must know.
    fn tell_acknowledged(&self, is_more: bool, inbox: &Inbox) {
        if is_more && !self.is_told.replace(true) {
            inbox.put_now(Found::UserTcp(FoundTcp::Acknowledged));
        }
    }

    /// Reads once.
    async fn read(&self, association: AssociationId, inbox: &Inbox) -> Result<(), DownReason> {
        let octets = {
            let mut buffer = [0; READ_OCTETS];
            match self.stream.try_read(&mut buffer) {
                Ok(len) => buffer[..len].to_vec(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(reason_of(&error)),
            }
        };
        let found = if octets.is_empty() {
            self.on_finished(association)?
        } else {
            FoundTcp::Received {
                association,
                octets,
            }
        };
        inbox.put(Found::UserTcp(found)).await;
        // Whether there is room for more is known when this has been taken.
        tokio::task::yield_now().await;
        Ok(())
    }

    /// The peer has closed its side. A user may still wait for answers; a pool element that ends
    /// its side does not serve any more.
    fn on_finished(&self, association: AssociationId) -> Result<FoundTcp, DownReason> {
        if self.is_accepted && !self.is_closing.get() {
            self.is_finished.set(true);
            return Ok(FoundTcp::Finished { association });
        }
        // A process that was killed looks like one that closes, but for what it has not read.
        let is_known = self.acknowledged.look().is_ok();
        Err(if is_known && self.unacknowledged() == 0 {
            DownReason::Closed
        } else {
            DownReason::Lost
        })
    }

    /// Ends at once, and tells the peer that it was not in good order.
    fn reset(&self) {
        // Failing that, the peer sees an ordinary end.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        self.is_reset.set(true);
        self.wake.notify_one();
    }
}

fn nothing() -> io::Result<()> {
    Err(io::ErrorKind::WouldBlock.into())
}

async fn connect(from: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = match to {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Where any will do, the system chooses with the way in view.
    if !from.ip().is_unspecified() {
        socket.bind(from)?;
    }
    socket.connect(to).await
}

fn reason_of(error: &io::Error) -> DownReason {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    if [ConnectionReset, ConnectionAborted, BrokenPipe].contains(&error.kind()) {
        DownReason::PeerAborted {
            cause: None,
            reason: String::new(),
        }
    } else {
        DownReason::Lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_connection_that_is_idle_costs_little() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let peer = listener.local_addr().unwrap();
        let stream = TcpStream::connect(peer).await.unwrap();
        let inbox = Inbox::new();
        let serving = async {
            let mut connections = UserTcp::new(&inbox, Duration::from_secs(2));
            let association = connections.accept(stream, peer).unwrap();
            let connection = Rc::clone(&connections.connections[&association]);
            size_of_val(&connection.serve(association, &inbox))
        };
        let octets = tokio::task::LocalSet::new().run_until(serving).await;
        assert!(octets < 2048, "{octets} octets");
    }
}
