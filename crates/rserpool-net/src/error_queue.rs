//! ICMP errors of a socket: which destination is unreachable, and the datagram that found it.
//!
//! On Linux the kernel keeps them in the socket's error queue. Elsewhere there is no such queue for
//! an unconnected socket: there, a process that died is noticed by SCTP's silence alone
//! (docs/deviations.md), or by the end of its lifeline and the silence after it.

use std::net::SocketAddr;

/// A datagram that the peer's host refused: nothing listens at that UDP port, or for SCTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Unreachable {
    /// Where it was sent.
    pub(crate) to: SocketAddr,
    /// Its payload, as far as the ICMP message quotes it.
    pub(crate) original: Vec<u8>,
}

#[cfg(target_os = "linux")]
pub(crate) use linux::{enable, read, socket_address};

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{enable, read};

#[cfg(target_os = "linux")]
mod linux {
    use super::Unreachable;
    use nix::libc;
    use nix::sys::socket::{
        ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
    };
    use std::io::{self, IoSliceMut};
    use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
    use std::os::fd::{AsFd, AsRawFd};

    /// As much of a datagram as is worth keeping: the SCTP common header and the first chunk's
    /// header and tag tell the association.
    const QUOTED_OCTETS_MAX: usize = 576;

    /// Asks the kernel to keep ICMP errors of `socket`.
    pub(crate) fn enable(socket: &impl AsFd, ipv6: bool) -> io::Result<()> {
        if ipv6 {
            setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
        }
        Ok(())
    }

    /// Takes one error from the queue; `Ok(None)` is one that does not say that the peer is gone.
    ///
    /// # Errors
    /// `WouldBlock` when the queue is empty.
    pub(crate) fn read(socket: &impl AsRawFd) -> io::Result<Option<Unreachable>> {
        let mut quoted = [0; QUOTED_OCTETS_MAX];
        let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        let mut parts = [IoSliceMut::new(&mut quoted)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let received =
            recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
        let to = received.address.as_ref().and_then(socket_address);
        let refused = received.cmsgs()?.any(|message| is_refusal(&message));
        let len = received.bytes;
        Ok(to.filter(|_| refused).map(|to| Unreachable {
            to,
            original: quoted[..len].to_vec(),
        }))
    }

    fn is_refusal(message: &ControlMessageOwned) -> bool {
        // RFC 792: type 3, code 3 (port) and 2 (protocol). RFC 4443 §3.1: type 1 code 4 (port),
        // §3.4: type 4 code 1 (next header). Others (no route, a filter, too big) may pass by
        // themselves and do not prove that the process is gone.
        if let ControlMessageOwned::Ipv4RecvErr(error, _) = message {
            let kind = (error.ee_type, error.ee_code);
            error.ee_origin == libc::SO_EE_ORIGIN_ICMP && matches!(kind, (3, 2 | 3))
        } else if let ControlMessageOwned::Ipv6RecvErr(error, _) = message {
            let kind = (error.ee_type, error.ee_code);
            error.ee_origin == libc::SO_EE_ORIGIN_ICMP6 && matches!(kind, (1, 4) | (4, 1))
        } else {
            false
        }
    }

    pub(crate) fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
        let v4 = address
            .as_sockaddr_in()
            .map(|v4| SocketAddrV4::from(*v4).into());
        v4.or_else(|| {
            address
                .as_sockaddr_in6()
                .map(|v6| SocketAddrV6::from(*v6).into())
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::Unreachable;
    use std::io;

    pub(crate) fn enable<S>(_socket: &S, _ipv6: bool) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn read<S>(_socket: &S) -> io::Result<Option<Unreachable>> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}
