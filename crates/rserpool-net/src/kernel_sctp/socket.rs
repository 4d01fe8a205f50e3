//! A one-to-many socket of the kernel's SCTP, with a node's timers.

use crate::error::{NetError, Operation};
use nix::sys::socket::{setsockopt, sockopt};
use oxirush_sctp::{
    AssociationParams, BindxFlags, Event, InitParams, OneToManyEndpoint, PeerAddressParams,
    RtoInfo, SackInfo, Socket, SocketToAssociation, SubscribeEventAssocId,
};
use rserpool_sctp::Config;
use socket2::SockRef;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Socket buffers, each way. All associations of a socket share them, unless the system has
/// `net.sctp.sndbuf_policy` and `net.sctp.rcvbuf_policy` set; the kernel caps it at its own
/// maximum, except for root.
const SOCKET_BUFFER_OCTETS: usize = 4 << 20;

/// What an association's end and its messages are told by.
const EVENTS: [Event; 5] = [
    Event::Association,
    Event::Address,
    Event::SendFailureEvent,
    Event::Shutdown,
    Event::SenderDry,
];

/// SCTP acknowledges every second packet at once (RFC 9260 §6.2).
const SACK_FREQUENCY: u32 = 2;

/// One-to-many sockets have no queue of associations to accept: any number but 0 listens.
const LISTEN: i32 = 1;

/// A socket, and what is fixed with it.
pub(super) struct KernelSocket {
    pub(super) endpoint: OneToManyEndpoint,
    pub(super) port: u16,
    /// Without it, IPv4 alone.
    pub(super) has_ipv6: bool,
    pub(super) is_listening: bool,
    /// The largest message taken, in octets.
    pub(super) message_octets_max: usize,
    /// What an association may hold of messages that are not acknowledged, in octets.
    pub(super) send_queue_octets_max: usize,
}

impl KernelSocket {
    /// Binds the addresses, or all of them, to the port; 0: any.
    pub(super) fn open(addresses: &[IpAddr], config: &Config) -> Result<Self, NetError> {
        let at = addresses.first().copied();
        let at = SocketAddr::new(at.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), config.sctp_port);
        let failed = |error| NetError::new(Operation::UseKernelSctp, at, error);
        let wants_ipv6 = addresses.is_empty() || addresses.iter().any(IpAddr::is_ipv6);
        match open(addresses, config, wants_ipv6) {
            // A host without IPv6.
            Err(error) if addresses.is_empty() && error.kind() != io::ErrorKind::AddrInUse => {
                open(addresses, config, false).map_err(failed)
            }
            opened => opened.map_err(failed),
        }
    }

    /// Takes no more associations. If the system would not, who begins one is refused above.
    pub(super) fn stop_listening(&mut self) {
        if SockRef::from(&self.endpoint).listen(0).is_ok() {
            self.is_listening = false;
        }
    }

    /// Of a peer's addresses, those that this socket can reach, with its port.
    pub(super) fn reachable(&self, addresses: &[IpAddr], port: u16) -> Vec<SocketAddr> {
        let addresses = addresses.iter().filter(|at| self.has_ipv6 || at.is_ipv4());
        addresses.map(|&at| SocketAddr::new(at, port)).collect()
    }
}

fn open(addresses: &[IpAddr], config: &Config, has_ipv6: bool) -> io::Result<KernelSocket> {
    let style = SocketToAssociation::OneToMany;
    let socket = if has_ipv6 {
        Socket::new_v6(style)?
    } else {
        Socket::new_v4(style)?
    };
    configure(&socket, config)?;
    let any: IpAddr = if has_ipv6 {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    };
    let any = [any];
    let addresses = if addresses.is_empty() {
        &any
    } else {
        addresses
    };
    bind(&socket, addresses, config.sctp_port)?;
    let port = socket.local_addr()?.port();
    let endpoint = socket.into_endpoint(LISTEN)?;
    if !config.listen {
        // Becoming an endpoint listens; a backlog of 0 ends that again.
        SockRef::from(&endpoint).listen(0)?;
    }
    Ok(KernelSocket {
        endpoint,
        port,
        has_ipv6,
        is_listening: config.listen,
        message_octets_max: config.message_octets_max,
        send_queue_octets_max: config.send_queue_octets_max,
    })
}

/// The first address decides the port.
fn bind(socket: &Socket, addresses: &[IpAddr], port: u16) -> io::Result<()> {
    let mut port = port;
    for &address in addresses {
        socket.bindx(&[SocketAddr::new(address, port)], BindxFlags::Add)?;
        port = socket.local_addr()?.port();
    }
    Ok(())
}

fn configure(socket: &Socket, config: &Config) -> io::Result<()> {
    let options = socket.options();
    let timers = &config.timers;
    options.subscribe_events(&EVENTS, SubscribeEventAssocId::All)?;
    options.set_nodelay(true)?;
    options.set_init_params(InitParams {
        max_attempts: timers.init_max_retrans,
        max_init_timeout: u16::try_from(milliseconds(timers.backoff_max)).unwrap_or(u16::MAX),
        ..InitParams::streams(config.streams, config.streams)
    })?;
    // The kernel has one bound for what a round trip and what doubling can lead to. The one that
    // decides how soon a peer is lost counts.
    let rto_max = timers.backoff_max.max(timers.rto_initial);
    options.set_rto_info(RtoInfo::new(
        milliseconds(timers.rto_initial),
        milliseconds(rto_max),
        milliseconds(timers.rto_min),
    ))?;
    options.set_association_params(AssociationParams {
        max_retransmissions: timers.association_max_retrans,
        cookie_life: milliseconds(timers.cookie_life),
        ..AssociationParams::default()
    })?;
    let every_path = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
    let mut path = PeerAddressParams::new(0, every_path);
    path.heartbeat_interval = Duration::from_millis(milliseconds(timers.heartbeat_interval).into());
    path.path_max_retrans = timers.path_max_retrans;
    options.set_peer_address_params(path)?;
    options.set_sack_info(SackInfo {
        assoc_id: 0,
        delay: milliseconds(timers.sack_delay),
        frequency: SACK_FREQUENCY,
    })?;
    // Longer ones are looked at when they are complete; what is not complete has this bound.
    options.set_max_message_size(config.reassembly_octets_max);
    options.set_max_assembly(config.reassembly_octets_max);
    set_buffers(socket)
}

/// The larger ones take CAP_NET_ADMIN.
fn set_buffers(socket: &Socket) -> io::Result<()> {
    if setsockopt(socket, sockopt::SndBufForce, &SOCKET_BUFFER_OCTETS).is_err() {
        socket
            .options()
            .set_send_buffer_size(SOCKET_BUFFER_OCTETS)?;
    }
    if setsockopt(socket, sockopt::RcvBufForce, &SOCKET_BUFFER_OCTETS).is_err() {
        socket
            .options()
            .set_recv_buffer_size(SOCKET_BUFFER_OCTETS)?;
    }
    Ok(())
}

/// At least one: to the kernel, zero means to leave it as it is.
fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1)
}
