//! The sockets under user-space SCTP: one UDP port (RFC 6951), one socket per local address, and
//! raw IP sockets beside them. Without encapsulation the UDP port of an address is 0.
//!
//! Knows nothing of SCTP: datagrams in, datagrams out, and the errors that ICMP brought.

use crate::error::{NetError, Operation};
use crate::error_queue::{self, Unreachable};
use crate::local_address::local_address_toward;
use crate::packet_info::{self, Received};
use crate::raw_ip::{self, Held, RawSockets};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The UDP port for SCTP over UDP (RFC 6951 §5.1).
pub const UDP_ENCAPSULATION_PORT: u16 = 9899;

/// Socket buffers, each way: 10,000 small messages at once must fit until the thread gets to them
/// (the kernel charges about 800 octets for each). The kernel caps it at its own maximum.
const SOCKET_BUFFER_OCTETS: usize = 4 << 20;

/// Datagrams read before others get their turn. A pool user over TCP waits for as many while a
/// flood goes on, and each may cost an INIT ACK.
const RECEIVE_BATCH: usize = 16;

/// What ICMP says is told after the datagrams that were there before, the last words perhaps of
/// who is gone; but after so many batches at the latest, whoever floods the socket.
const REFUSED_WAIT_BATCHES: usize = 64;

/// Refusals that wait at a time; the kernel keeps the others.
const REFUSED_MAX: usize = 1024;

/// Datagrams kept while the socket takes no more. Beyond, they are dropped as a network would,
/// and SCTP sends them again.
const SEND_BACKLOG_DATAGRAMS_MAX: usize = 16 * 1024;

/// Tries to find one port that is free at every address.
const EPHEMERAL_ATTEMPTS: usize = 16;

/// The largest UDP datagram.
const DATAGRAM_OCTETS_MAX: usize = 0xffff;

/// Which port to bind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Port {
    /// The registered one (UDP 9899, TCP 3863) when it is free, else one that the system chooses:
    /// a registrar's way, so that a host can have several.
    WellKnownIfFree,
    /// Just this one, or fail.
    Exactly(u16),
    /// One that the system chooses: the way of pool elements and pool users, which must not take
    /// the well-known port from the host's registrar.
    Any,
}

impl Port {
    /// The one to try first.
    pub(crate) fn first(self, well_known: u16) -> u16 {
        match self {
            Self::WellKnownIfFree => well_known,
            Self::Exactly(port) => port,
            Self::Any => 0,
        }
    }
}

/// What a socket brought.
pub(crate) enum Arrival<'a> {
    Datagram {
        from: SocketAddr,
        /// Our address, where it is known.
        to: Option<IpAddr>,
        octets: &'a [u8],
    },
    Unreachable(Unreachable),
}

/// Counters of the sockets.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct UdpStatistics {
    /// Datagrams received.
    pub datagrams_received: u64,
    /// Datagrams sent.
    pub datagrams_sent: u64,
    /// Datagrams that the system refused to send.
    pub send_errors: u64,
    /// Datagrams dropped because the backlog was full.
    pub backlog_dropped: u64,
    /// ICMP port or protocol unreachable received.
    pub unreachable: u64,
}

thread_local! {
    /// Where a datagram is read to. One for all nodes of a thread: it is empty between two reads.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; DATAGRAM_OCTETS_MAX]);
}

pub(crate) struct UdpSockets {
    sockets: Vec<Bound>,
    port: u16,
    /// The SCTP ports that raw IP sockets are for.
    held: Vec<Held>,
    backlog: VecDeque<Waiting>,
    statistics: UdpStatistics,
}

/// A datagram that the sockets did not take yet.
struct Waiting {
    from: Option<IpAddr>,
    to: SocketAddr,
    payload: Vec<u8>,
}

struct Bound {
    /// Of the system a raw socket has the same calls.
    socket: Rc<UdpSocket>,
    /// Unspecified where it is bound to all; port 0 where it is raw.
    local: SocketAddr,
    /// The system says beside each datagram which address it was for, and is told from which to
    /// send. Without, where we have one address, it is faster.
    has_packet_info: bool,
    ready: Readiness,
    is_ready: bool,
    /// What ICMP said, until the datagrams before it are read.
    refused: Vec<Unreachable>,
    /// For how many batches they have waited.
    refused_for: usize,
}

type Readiness = Pin<Box<dyn Future<Output = ()>>>;

impl UdpSockets {
    /// Binds a socket at each address, or at all of both families when there are none given.
    /// The second value: what is missing, but can be done without (a host with no IPv6).
    pub(crate) fn bind(
        addresses: &[IpAddr],
        port: Port,
    ) -> Result<(Self, Vec<NetError>), NetError> {
        let mut bound = bind_all(addresses, port.first(UDP_ENCAPSULATION_PORT));
        for _ in 0..EPHEMERAL_ATTEMPTS {
            if matches!(port, Port::Exactly(_)) || !bound.as_ref().is_err_and(NetError::is_in_use) {
                break;
            }
            bound = bind_all(addresses, 0);
        }
        let (sockets, port, missing) = bound?;
        let sockets = Self {
            sockets,
            port,
            held: Vec::new(),
            backlog: VecDeque::new(),
            statistics: UdpStatistics::default(),
        };
        Ok((sockets, missing))
    }

    /// None at all: where the kernel's SCTP is used alone.
    pub(crate) fn none() -> Self {
        Self {
            sockets: Vec::new(),
            port: 0,
            held: Vec::new(),
            backlog: VecDeque::new(),
            statistics: UdpStatistics::default(),
        }
    }

    /// Adds raw IP sockets, for what is not encapsulated.
    ///
    /// # Errors
    /// The runtime's.
    pub(crate) fn add_raw(&mut self, raw: RawSockets) -> Result<(), NetError> {
        for (socket, address) in raw.sockets {
            let local = SocketAddr::new(address, 0);
            let bound = Bound::new(socket, local);
            let failed = |error| NetError::new(Operation::OpenRawIp, None, error);
            self.sockets.push(bound.map_err(failed)?);
        }
        self.held.extend(raw.held);
        Ok(())
    }

    /// Whether something can be sent that is not encapsulated.
    pub(crate) fn has_raw(&self) -> bool {
        self.sockets.iter().any(Bound::is_raw)
    }

    /// Our addresses: with more than one of a family, answers must come from the one that was
    /// asked.
    pub(crate) fn on_local_addresses(&mut self, addresses: &[IpAddr]) {
        for bound in &mut self.sockets {
            let same_family = |at: &&IpAddr| at.is_ipv4() == bound.local.is_ipv4();
            let has_several = addresses.iter().filter(same_family).count() > 1;
            if has_several && bound.local.ip().is_unspecified() && !bound.has_packet_info {
                // Failing that, the routing table chooses.
                bound.has_packet_info =
                    packet_info::enable(&*bound.socket, bound.local.is_ipv6()).unwrap_or(false);
            }
        }
    }

    /// The UDP port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The addresses of the UDP sockets; unspecified where they are bound to all.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let udp = self.sockets.iter().filter(|bound| !bound.is_raw());
        udp.map(|bound| bound.local.ip())
    }

    pub(crate) fn statistics(&self) -> UdpStatistics {
        self.statistics
    }

    /// Ready when a socket has something, and until it has been read.
    pub(crate) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut any = false;
        for bound in &mut self.sockets {
            if !bound.is_ready && bound.ready.as_mut().poll(context).is_ready() {
                bound.is_ready = true;
                bound.ready = readiness(&bound.socket);
            }
            any |= bound.is_ready;
        }
        if any { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether [`Self::poll_ready`] is ready without waiting.
    pub(crate) fn is_ready(&self) -> bool {
        self.sockets.iter().any(|bound| bound.is_ready)
    }

    /// Reads what is there, up to a batch; what is left makes [`Self::poll_ready`] ready at once.
    pub(crate) fn receive(&mut self, arrived: impl FnMut(Arrival<'_>)) {
        BUFFER.with_borrow_mut(|buffer| self.receive_with(buffer, arrived));
    }

    fn receive_with(&mut self, buffer: &mut [u8], mut arrived: impl FnMut(Arrival<'_>)) {
        for bound in self.sockets.iter_mut().filter(|bound| bound.is_ready) {
            bound.read_refused();
            for _ in 0..RECEIVE_BATCH {
                match bound.receive(buffer) {
                    Ok(Received { len, from, to }) => {
                        self.statistics.datagrams_received += 1;
                        let octets = &buffer[..len];
                        if let Some(arrival) = bound.arrival(from, to, octets) {
                            arrived(arrival);
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        bound.is_ready = false;
                        break;
                    }
                    // The error that ICMP brought, once more; the queue had its details.
                    Err(_) => {}
                }
            }
            for unreachable in bound.take_refused() {
                self.statistics.unreachable += 1;
                arrived(Arrival::Unreachable(unreachable));
            }
        }
    }

    /// Sends a datagram, or keeps it for [`Self::flush`] while the socket is full. `from`: our
    /// address; `None`: as the routing table has it.
    pub(crate) fn send(&mut self, from: Option<IpAddr>, to: SocketAddr, payload: Vec<u8>) {
        if !self.backlog.is_empty() || !self.try_send(from, to, &payload) {
            if self.backlog.len() < SEND_BACKLOG_DATAGRAMS_MAX {
                self.backlog.push_back(Waiting { from, to, payload });
            } else {
                self.statistics.backlog_dropped += 1;
            }
        }
    }

    /// Sends of the backlog what the sockets take.
    pub(crate) fn flush(&mut self) {
        while let Some(waiting) = self.backlog.pop_front() {
            if !self.try_send(waiting.from, waiting.to, &waiting.payload) {
                self.backlog.push_front(waiting);
                return;
            }
        }
    }

    /// Whether something waits until the sockets take more: then flush again soon.
    pub(crate) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// False: the socket is full.
    fn try_send(&mut self, from: Option<IpAddr>, to: SocketAddr, payload: &[u8]) -> bool {
        let Some(bound) = self.socket_toward(from, to) else {
            self.statistics.send_errors += 1;
            return true;
        };
        let mut sent = bound.send(from, to, payload);
        if sent
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        {
            // ICMP's answer to an earlier datagram, perhaps to another peer: told once, then gone.
            sent = bound.send(from, to, payload);
        }
        match sent {
            Ok(()) => self.statistics.datagrams_sent += 1,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(_) => self.statistics.send_errors += 1,
        }
        true
    }

    /// The socket of this family, encapsulated or not as the peer is, that has the address `from`
    /// or that of the route. Failing that, of several one that is loopback just when the peer is.
    fn socket_toward(&self, from: Option<IpAddr>, to: SocketAddr) -> Option<&Bound> {
        let suiting = || {
            let suits = |bound: &&Bound| {
                bound.local.is_ipv4() == to.is_ipv4() && bound.is_raw() == (to.port() == 0)
            };
            self.sockets.iter().filter(suits)
        };
        let mut all = suiting();
        let first = all.next()?;
        if all.next().is_none() {
            return Some(first);
        }
        let from = from.or_else(|| local_address_toward(to).ok());
        let at_from = suiting().find(|bound| Some(bound.local.ip()) == from);
        let is_loopback = to.ip().is_loopback();
        let same_scope = || suiting().find(|bound| bound.local.ip().is_loopback() == is_loopback);
        at_from.or_else(same_scope).or(Some(first))
    }
}

impl Bound {
    fn new(socket: Socket, local: SocketAddr) -> io::Result<Self> {
        // Smaller buffers work too, with more retransmissions under a burst.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_OCTETS);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_OCTETS);
        socket.set_nonblocking(true)?;
        let socket = Rc::new(UdpSocket::from_std(socket.into())?);
        Ok(Self {
            ready: readiness(&socket),
            is_ready: false,
            socket,
            local,
            has_packet_info: false,
            refused: Vec::new(),
            refused_for: 0,
        })
    }

    fn is_raw(&self) -> bool {
        self.local.port() == 0
    }

    /// Reads what ICMP said before the datagrams are read, so that none of these comes after it.
    fn read_refused(&mut self) {
        while self.refused.len() < REFUSED_MAX {
            let read = || error_queue::read(&*self.socket);
            match self.socket.try_io(Interest::ERROR, read) {
                Ok(refused) => self.refused.extend(refused),
                Err(_) => return,
            }
        }
    }

    /// What ICMP said, once the datagrams before it are read.
    fn take_refused(&mut self) -> Vec<Unreachable> {
        if self.is_ready && self.refused_for < REFUSED_WAIT_BATCHES {
            self.refused_for += usize::from(!self.refused.is_empty());
            return Vec::new();
        }
        self.refused_for = 0;
        std::mem::take(&mut self.refused)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        if self.has_packet_info {
            let receive = || packet_info::receive(&*self.socket, buffer);
            return self.socket.try_io(Interest::READABLE, receive);
        }
        let (len, from) = self.socket.try_recv_from(buffer)?;
        let to = Some(self.local.ip()).filter(|ip| !ip.is_unspecified());
        Ok(Received { len, from, to })
    }

    /// `None`: the system gave something that is no packet.
    fn arrival<'a>(
        &self,
        mut from: SocketAddr,
        mut to: Option<IpAddr>,
        mut octets: &'a [u8],
    ) -> Option<Arrival<'a>> {
        if self.is_raw() {
            from.set_port(0);
            if self.local.is_ipv4() {
                let (destination, packet) = raw_ip::split_ipv4(octets)?;
                (to, octets) = (Some(destination), packet);
            }
        }
        Some(Arrival::Datagram { from, to, octets })
    }

    fn send(&self, from: Option<IpAddr>, to: SocketAddr, payload: &[u8]) -> io::Result<()> {
        // Past tokio's own readiness: that starts as "not writable", and the first INIT would wait
        // for a retransmission.
        if let Some(from) = from
            && self.has_packet_info
        {
            return packet_info::send(&*self.socket, from, to, payload);
        }
        let socket = SockRef::from(&*self.socket);
        socket.send_to(payload, &SockAddr::from(to)).map(|_| ())
    }
}

fn readiness(socket: &Rc<UdpSocket>) -> Readiness {
    let socket = Rc::clone(socket);
    Box::pin(async move {
        // An error here is the runtime's end; the socket is then never ready again.
        if socket
            .ready(Interest::READABLE | Interest::ERROR)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    })
}

type Bindings = (Vec<Bound>, u16, Vec<NetError>);

fn bind_all(addresses: &[IpAddr], mut port: u16) -> Result<Bindings, NetError> {
    let any = [
        IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::from(Ipv6Addr::UNSPECIFIED),
    ];
    let is_any = addresses.is_empty();
    let mut sockets = Vec::new();
    let mut missing = Vec::new();
    for &address in if is_any { &any[..] } else { addresses } {
        let at = SocketAddr::new(address, port);
        match bind_one(at) {
            Ok(bound) => {
                port = bound.local.port();
                sockets.push(bound);
            }
            Err(error) => {
                let error = NetError::new(Operation::BindUdp, at, error);
                if !is_any || !error.is_missing_family() {
                    return Err(error);
                }
                missing.push(error);
            }
        }
    }
    match missing.pop() {
        Some(error) if sockets.is_empty() => Err(error),
        error => {
            missing.extend(error);
            Ok((sockets, port, missing))
        }
    }
}

fn bind_one(at: SocketAddr) -> io::Result<Bound> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    error_queue::enable(&socket, at.is_ipv6())?;
    socket.bind(&at.into())?;
    let mut local = at;
    local.set_port(socket.local_addr()?.as_socket().map_or(0, |at| at.port()));
    Bound::new(socket, local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn loopback() -> Vec<IpAddr> {
        vec![Ipv4Addr::LOCALHOST.into()]
    }

    fn sockets() -> (UdpSockets, SocketAddr) {
        let sockets = UdpSockets::bind(&loopback(), Port::Any).unwrap().0;
        let at = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), sockets.port());
        (sockets, at)
    }

    async fn next(sockets: &mut UdpSockets) -> Result<Vec<u8>, Unreachable> {
        let mut found = None;
        while found.is_none() {
            let ready = std::future::poll_fn(|context| sockets.poll_ready(context));
            tokio::time::timeout(Duration::from_secs(5), ready)
                .await
                .unwrap();
            sockets.receive(|arrival| {
                found = Some(match arrival {
                    Arrival::Datagram { octets, .. } => Ok(octets.to_vec()),
                    Arrival::Unreachable(unreachable) => Err(unreachable),
                });
            });
        }
        found.unwrap()
    }

    async fn next_addresses(sockets: &mut UdpSockets) -> (SocketAddr, Option<IpAddr>) {
        let mut found = None;
        while found.is_none() {
            std::future::poll_fn(|context| sockets.poll_ready(context)).await;
            sockets.receive(|arrival| {
                if let Arrival::Datagram { from, to, .. } = arrival {
                    found = Some((from, to));
                }
            });
        }
        found.unwrap()
    }

    #[tokio::test]
    async fn the_first_datagram_is_sent_at_once() {
        let (mut a, _) = sockets();
        let (mut b, to) = sockets();
        a.send(None, to, b"first".to_vec());
        assert!(a.backlog.is_empty());
        assert_eq!(next(&mut b).await.unwrap(), b"first");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_peer_that_died_is_reported_with_the_datagram_that_found_it() {
        let (mut a, at_a) = sockets();
        let (b, to) = sockets();
        drop(b);
        a.send(None, to, b"anybody there?".to_vec());
        let found = next(&mut a).await.unwrap_err();
        assert_eq!(
            found,
            Unreachable {
                to,
                original: b"anybody there?".to_vec()
            }
        );
        // The socket is as good as before, both ways.
        let (mut c, at_c) = sockets();
        a.send(None, at_c, b"on".to_vec());
        assert_eq!(next(&mut c).await.unwrap(), b"on");
        c.send(None, at_a, b"and on".to_vec());
        assert_eq!(next(&mut a).await.unwrap(), b"and on");
    }

    /// More than a batch, and ICMP is there before any of it has been read.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_last_words_of_a_peer_come_before_its_end() {
        let (mut a, at_a) = sockets();
        let (mut b, to) = sockets();
        let words: Vec<_> = (0..RECEIVE_BATCH * 2).map(|n| n.to_string()).collect();
        for word in &words {
            b.send(None, at_a, word.clone().into_bytes());
        }
        drop(b);
        a.send(None, to, b"anybody there?".to_vec());
        let mut found = Vec::new();
        while found.last().is_none_or(|last| last != "refused") {
            std::future::poll_fn(|context| a.poll_ready(context)).await;
            a.receive(|arrival| {
                found.push(match arrival {
                    Arrival::Datagram { octets, .. } => String::from_utf8(octets.to_vec()).unwrap(),
                    Arrival::Unreachable(_) => "refused".into(),
                });
            });
        }
        assert_eq!(found[..words.len()], words);
        assert_eq!(found.len(), words.len() + 1);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_answer_comes_from_the_address_that_was_asked() {
        let wildcard = [Ipv4Addr::UNSPECIFIED.into()];
        let mut b = UdpSockets::bind(&wildcard, Port::Any).unwrap().0;
        b.on_local_addresses(&[[10, 1, 0, 1].into(), [10, 2, 0, 1].into()]);
        let (mut a, at_a) = sockets();
        let asked = SocketAddr::from(([127, 0, 0, 2], b.port()));
        a.send(None, asked, b"who?".to_vec());
        let (from, to) = next_addresses(&mut b).await;
        assert_eq!((from, to), (at_a, Some(asked.ip())));
        b.send(to, from, b"me".to_vec());
        assert_eq!(next_addresses(&mut a).await, (asked, Some(at_a.ip())));
    }

    #[tokio::test]
    async fn of_several_sockets_the_one_with_the_address_sends() {
        let addresses = [[127, 0, 0, 1].into(), [127, 0, 0, 2].into()];
        let Ok((mut a, _)) = UdpSockets::bind(&addresses, Port::Any) else {
            eprintln!("skipped: this system has one loopback address");
            return;
        };
        let (mut b, at_b) = sockets();
        for from in addresses {
            a.send(Some(from), at_b, b"me".to_vec());
            assert_eq!(next_addresses(&mut b).await.0.ip(), from);
        }
        a.send(None, at_b, b"me".to_vec());
        assert_eq!(next_addresses(&mut b).await.0.ip(), addresses[0]);
    }

    #[tokio::test]
    async fn a_port_in_use_is_an_error_only_when_it_was_asked_for() {
        let (held, at) = sockets();
        let error = UdpSockets::bind(&loopback(), Port::Exactly(at.port()))
            .err()
            .unwrap();
        assert!(error.to_string().contains("in use"), "{error}");
        assert_ne!(sockets().0.port(), held.port());
    }

    #[tokio::test]
    async fn both_families_share_one_port() {
        let (sockets, missing) = UdpSockets::bind(&[], Port::Any).unwrap();
        if !missing.is_empty() {
            eprintln!("skipped: {}", missing[0]);
            return;
        }
        let ports: Vec<_> = sockets
            .sockets
            .iter()
            .map(|bound| bound.local.port())
            .collect();
        assert_eq!(ports, [sockets.port(), sockets.port()]);
    }
}
