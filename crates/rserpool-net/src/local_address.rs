//! Which of this host's addresses a peer sees.

use crate::error::{NetError, Operation};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The local address that the routing table chooses toward `remote`.
///
/// A throw-away UDP socket is connected and asked; no datagram is sent.
///
/// # Errors
/// When there is no route, or no IPv6 at all.
pub fn local_address_toward(remote: SocketAddr) -> Result<IpAddr, NetError> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let local = || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(remote)?;
        socket.local_addr()
    };
    local()
        .map(|at| at.ip())
        .map_err(|error| NetError::new(Operation::Route, remote, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toward_loopback_it_is_loopback() {
        let remote = "127.0.0.1:9899".parse().unwrap();
        assert_eq!(
            local_address_toward(remote).unwrap(),
            IpAddr::from(Ipv4Addr::LOCALHOST)
        );
    }
}
