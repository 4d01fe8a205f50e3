//! Listening for TCP: pool users, and lifelines.

use crate::error::{NetError, Operation};
use crate::inbox::{Found, Inbox};
use crate::tcp;
use crate::udp::Port;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use tokio::net::TcpListener;

/// What waits to be accepted: a burst of 10,000 pool users or lifelines must not be refused.
const LISTEN_BACKLOG: i32 = 4096;

/// Listens for pool users of ASAP at every address.
pub(crate) fn listen_for_users(
    addresses: &[IpAddr],
    port: Port,
    inbox: &Rc<Inbox>,
) -> Result<SocketAddr, NetError> {
    let mut opened = open_listeners(addresses, port.first(tcp::ASAP_TCP_PORT));
    if port == Port::WellKnownIfFree && opened.as_ref().is_err_and(NetError::is_in_use) {
        opened = open_listeners(addresses, 0);
    }
    let (listeners, at) = opened?;
    for listener in listeners {
        let accepted = |stream, peer| Found::TcpAccepted { stream, peer };
        tokio::task::spawn_local(tcp::listen(listener, Rc::clone(inbox), accepted));
    }
    Ok(at)
}

/// Listeners at every address, and the first one's; one that fails is one too many, as it was
/// asked for.
pub(crate) fn open_listeners(
    addresses: &[IpAddr],
    port: u16,
) -> Result<(Vec<TcpListener>, SocketAddr), NetError> {
    let mut listening = Vec::new();
    let mut first = None;
    for listener in listeners(addresses, port) {
        match listener {
            Ok((listener, at)) => {
                first = first.or(Some(at));
                listening.push(listener);
            }
            // A host without IPv6.
            Err(error) if addresses.is_empty() && first.is_some() && error.is_missing_family() => {}
            Err(error) => return Err(error),
        }
    }
    let none = || {
        NetError::new(
            Operation::ListenTcp,
            None,
            io::ErrorKind::AddrNotAvailable.into(),
        )
    };
    Ok((listening, first.ok_or_else(none)?))
}

pub(crate) type Listening = Result<(TcpListener, SocketAddr), NetError>;

/// Listeners at each address, or at all of both families; with port 0 all get the first one's.
pub(crate) fn listeners(addresses: &[IpAddr], mut port: u16) -> Vec<Listening> {
    let any = [
        IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::from(Ipv6Addr::UNSPECIFIED),
    ];
    let mut listening = Vec::new();
    for &address in if addresses.is_empty() {
        &any[..]
    } else {
        addresses
    } {
        let at = SocketAddr::new(address, port);
        let listener =
            listen_at(at).map_err(|error| NetError::new(Operation::ListenTcp, at, error));
        if let Ok((_, at)) = &listener {
            port = at.port();
        }
        listening.push(listener);
    }
    listening
}

fn listen_at(at: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A registrar that restarts must get its port back while old connections linger.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(LISTEN_BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    let at = listener.local_addr()?;
    Ok((listener, at))
}
