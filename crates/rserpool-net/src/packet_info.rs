//! Which of our addresses a datagram was sent to, and from which one an answer goes: a host with
//! several must be heard at the address that it was asked at.
//!
//! On Linux the kernel says it beside the datagram (`IP_PKTINFO`, RFC 3542 `IPV6_PKTINFO`).
//! Elsewhere a socket at a wildcard address does not know, and the routing table chooses; a socket
//! at each address does (docs/deviations.md).

use std::net::{IpAddr, SocketAddr};

/// What was received, in the caller's buffer.
pub(crate) struct Received {
    pub(crate) len: usize,
    pub(crate) from: SocketAddr,
    /// Our address; `None`: it is not known, or it is not ours alone (a broadcast).
    pub(crate) to: Option<IpAddr>,
}

#[cfg(target_os = "linux")]
pub(crate) use linux::{enable, receive, send};

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{enable, receive, send};

#[cfg(target_os = "linux")]
mod linux {
    use super::Received;
    use crate::error_queue::socket_address;
    use nix::libc;
    use nix::sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrLike,
        SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
    };
    use std::io::{self, IoSlice, IoSliceMut};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::os::fd::{AsFd, AsRawFd};

    /// Room for either kind of packet information, and for the alignment of both.
    const CONTROL_OCTETS: usize = 64;

    /// Asks for [`Received::to`]; false: this system does not tell.
    pub(crate) fn enable(socket: &impl AsFd, ipv6: bool) -> io::Result<bool> {
        if ipv6 {
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        }
        Ok(true)
    }

    /// Receives one datagram.
    ///
    /// # Errors
    /// The system's; `WouldBlock` when there is none.
    pub(crate) fn receive(socket: &impl AsRawFd, buffer: &mut [u8]) -> io::Result<Received> {
        let mut control = [0; CONTROL_OCTETS];
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message =
            recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
        let from = message.address.as_ref().and_then(socket_address);
        let from = from.ok_or(io::ErrorKind::InvalidData)?;
        let to = message.cmsgs()?.find_map(|control| destination(&control));
        let len = message.bytes;
        Ok(Received { len, from, to })
    }

    fn destination(control: &ControlMessageOwned) -> Option<IpAddr> {
        if let ControlMessageOwned::Ipv4PacketInfo(info) = control {
            // They differ where the datagram was for more hosts than this one.
            let is_ours = info.ipi_addr.s_addr == info.ipi_spec_dst.s_addr;
            let to = Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr));
            is_ours.then_some(to.into())
        } else if let ControlMessageOwned::Ipv6PacketInfo(info) = control {
            let to = Ipv6Addr::from(info.ipi6_addr.s6_addr);
            (!to.is_multicast()).then_some(to.into())
        } else {
            None
        }
    }

    /// Sends one datagram from `from`.
    ///
    /// # Errors
    /// The system's; `AddrNotAvailable` or `InvalidInput` when `from` is not, or no longer, ours.
    pub(crate) fn send(
        socket: &impl AsRawFd,
        from: IpAddr,
        to: SocketAddr,
        payload: &[u8],
    ) -> io::Result<()> {
        match (from, to) {
            (IpAddr::V4(from), SocketAddr::V4(to)) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr {
                        s_addr: u32::from(from).to_be(),
                    },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                let control = ControlMessage::Ipv4PacketInfo(&info);
                send_with(socket, control, &SockaddrIn::from(to), payload)
            }
            (IpAddr::V6(from), SocketAddr::V6(to)) => {
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr {
                        s6_addr: from.octets(),
                    },
                    ipi6_ifindex: 0,
                };
                let control = ControlMessage::Ipv6PacketInfo(&info);
                send_with(socket, control, &SockaddrIn6::from(to), payload)
            }
            (IpAddr::V4(_), SocketAddr::V6(_)) | (IpAddr::V6(_), SocketAddr::V4(_)) => {
                Err(io::ErrorKind::InvalidInput.into())
            }
        }
    }

    fn send_with(
        socket: &impl AsRawFd,
        control: ControlMessage<'_>,
        to: &impl SockaddrLike,
        payload: &[u8],
    ) -> io::Result<()> {
        let parts = [IoSlice::new(payload)];
        let flags = MsgFlags::MSG_DONTWAIT;
        sendmsg(socket.as_raw_fd(), &parts, &[control], flags, Some(to))?;
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::Received;
    use std::io;
    use std::net::{IpAddr, SocketAddr};

    pub(crate) fn enable<S>(_socket: &S, _ipv6: bool) -> io::Result<bool> {
        Ok(false)
    }

    pub(crate) fn receive<S>(_socket: &S, _buffer: &mut [u8]) -> io::Result<Received> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn send<S>(
        _socket: &S,
        _from: IpAddr,
        _to: SocketAddr,
        _payload: &[u8],
    ) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
