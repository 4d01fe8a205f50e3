//! The UDP sockets under user-space SCTP (RFC 6951): one port, one socket per local address.
//!
//! Knows nothing of SCTP: datagrams in, datagrams out, and the errors that ICMP brought.

use crate::error::{NetError, Operation};
use crate::error_queue::{self, Unreachable};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
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
    Datagram { from: SocketAddr, octets: &'a [u8] },
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
    /// ICMP port unreachable received.
    pub unreachable: u64,
}

pub(crate) struct UdpSockets {
    sockets: Vec<Bound>,
    port: u16,
    backlog: VecDeque<(SocketAddr, Vec<u8>)>,
    buffer: Vec<u8>,
    statistics: UdpStatistics,
}

struct Bound {
    socket: Rc<UdpSocket>,
    local: SocketAddr,
    ready: Readiness,
    is_ready: bool,
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
            backlog: VecDeque::new(),
            buffer: vec![0; DATAGRAM_OCTETS_MAX],
            statistics: UdpStatistics::default(),
        };
        Ok((sockets, missing))
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The addresses of the sockets; unspecified where they are bound to all.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.sockets.iter().map(|bound| bound.local.ip())
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
    pub(crate) fn receive(&mut self, mut arrived: impl FnMut(Arrival<'_>)) {
        for bound in self.sockets.iter_mut().filter(|bound| bound.is_ready) {
            while let Ok(error) = bound.read_error() {
                if let Some(unreachable) = error {
                    self.statistics.unreachable += 1;
                    arrived(Arrival::Unreachable(unreachable));
                }
            }
            for _ in 0..RECEIVE_BATCH {
                match bound.socket.try_recv_from(&mut self.buffer) {
                    Ok((len, from)) => {
                        self.statistics.datagrams_received += 1;
                        arrived(Arrival::Datagram {
                            from,
                            octets: &self.buffer[..len],
                        });
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        bound.is_ready = false;
                        break;
                    }
                    // The error that ICMP brought, once more; the queue had its details.
                    Err(_) => {}
                }
            }
        }
    }

    /// Sends a datagram, or keeps it for [`Self::flush`] while the socket is full.
    pub(crate) fn send(&mut self, to: SocketAddr, payload: Vec<u8>) {
        if !self.backlog.is_empty() || !self.try_send(to, &payload) {
            if self.backlog.len() < SEND_BACKLOG_DATAGRAMS_MAX {
                self.backlog.push_back((to, payload));
            } else {
                self.statistics.backlog_dropped += 1;
            }
        }
    }

    /// Sends of the backlog what the sockets take.
    pub(crate) fn flush(&mut self) {
        while let Some((to, payload)) = self.backlog.pop_front() {
            if !self.try_send(to, &payload) {
                self.backlog.push_front((to, payload));
                return;
            }
        }
    }

    /// Whether something waits until the sockets take more: then flush again soon.
    pub(crate) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// False: the socket is full.
    fn try_send(&mut self, to: SocketAddr, payload: &[u8]) -> bool {
        let Some(bound) = self.socket_toward(to) else {
            self.statistics.send_errors += 1;
            return true;
        };
        // Past tokio's own readiness: that starts as "not writable", and the first INIT would wait
        // for a retransmission.
        let socket = SockRef::from(&*bound.socket);
        let address = SockAddr::from(to);
        let mut sent = socket.send_to(payload, &address);
        if sent
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        {
            // ICMP's answer to an earlier datagram, perhaps to another peer: told once, then gone.
            sent = socket.send_to(payload, &address);
        }
        match sent {
            Ok(_) => self.statistics.datagrams_sent += 1,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(_) => self.statistics.send_errors += 1,
        }
        true
    }

    /// The socket of this family; of several, one that is loopback just when the peer is.
    fn socket_toward(&self, to: SocketAddr) -> Option<&Bound> {
        let family = || {
            self.sockets
                .iter()
                .filter(|bound| bound.local.is_ipv4() == to.is_ipv4())
        };
        let is_loopback = to.ip().is_loopback();
        let same_scope = family().find(|bound| bound.local.ip().is_loopback() == is_loopback);
        same_scope.or_else(|| family().next())
    }
}

impl Bound {
    fn read_error(&self) -> io::Result<Option<Unreachable>> {
        self.socket
            .try_io(Interest::ERROR, || error_queue::read(&*self.socket))
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
    // Smaller buffers work too, with more retransmissions under a burst.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_OCTETS);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_OCTETS);
    error_queue::enable(&socket, at.is_ipv6())?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    let socket = Rc::new(UdpSocket::from_std(socket.into())?);
    let local = socket.local_addr()?;
    Ok(Bound {
        ready: readiness(&socket),
        is_ready: false,
        socket,
        local,
    })
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

    #[tokio::test]
    async fn the_first_datagram_is_sent_at_once() {
        let (mut a, _) = sockets();
        let (mut b, to) = sockets();
        a.send(to, b"first".to_vec());
        assert!(a.backlog.is_empty());
        assert_eq!(next(&mut b).await.unwrap(), b"first");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_peer_that_died_is_reported_with_the_datagram_that_found_it() {
        let (mut a, at_a) = sockets();
        let (b, to) = sockets();
        drop(b);
        a.send(to, b"anybody there?".to_vec());
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
        a.send(at_c, b"on".to_vec());
        assert_eq!(next(&mut c).await.unwrap(), b"on");
        c.send(at_a, b"and on".to_vec());
        assert_eq!(next(&mut a).await.unwrap(), b"and on");
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
