//! Raw IP sockets for SCTP that is not encapsulated (protocol 132), and who may have them.
//!
//! Every raw socket of a host gets every packet of its protocol, and no kernel keeps SCTP ports
//! apart. Three rules make processes of one host share it:
//! - where the kernel has SCTP itself there is none: it would answer what is for us with ABORT;
//! - a process holds each SCTP port that it uses under a name that the host knows but once;
//! - the kernel passes a socket only what is for its ports, and what is for others is never
//!   answered.
//!
//! Each packet costs the kernel a look at every raw socket, and so a process has them for few
//! nodes.
//!
//! Linux alone, and it takes CAP_NET_RAW.

use crate::error::NetError;
use socket2::Socket;
use std::net::IpAddr;

/// The sockets, and the SCTP ports that are held as long as this lives.
pub(crate) struct RawSockets {
    /// Each with the address that it is bound to.
    pub(crate) sockets: Vec<(Socket, IpAddr)>,
    pub(crate) held: Vec<Held>,
}

impl RawSockets {
    /// Opens a socket at each address, or at all of both families when there are none given, for
    /// packets to `sctp_ports`.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW; `Unsupported` where the kernel has SCTP, or is not
    /// Linux; `AddrInUse` where another node of this host has one of the ports; `QuotaExceeded`
    /// where as many nodes as may have raw sockets.
    pub(crate) fn open(addresses: &[IpAddr], sctp_ports: &[u16]) -> Result<Self, NetError> {
        system::open(addresses, sctp_ports)
    }
}

/// Our address and the SCTP packet in what an IPv4 raw socket gives: the IP header comes first
/// (RFC 791 §3.1). `None`: it is no whole IPv4 packet.
pub(crate) fn split_ipv4(packet: &[u8]) -> Option<(IpAddr, &[u8])> {
    const HEADER_OCTETS_MIN: usize = 20;
    const DESTINATION_AT: usize = 16;
    let first = *packet.first()?;
    let header_octets = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header_octets < HEADER_OCTETS_MIN {
        return None;
    }
    let destination: [u8; 4] = *packet.get(DESTINATION_AT..)?.first_chunk()?;
    Some((destination.into(), packet.get(header_octets..)?))
}

#[cfg(target_os = "linux")]
pub(crate) use system::Held;

/// Nobody holds a port where there are no raw sockets.
#[cfg(not(target_os = "linux"))]
pub(crate) enum Held {}

#[cfg(target_os = "linux")]
mod system {
    use super::RawSockets;
    use crate::error::{NetError, Operation};
    use crate::error_queue;
    use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};
    use std::io;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// The IP protocol number of SCTP.
    const SCTP: i32 = 132;

    /// SCTP ports of one process over raw IP: those of a few registrars, elements and users. In a
    /// process with thousands of them every packet would cost thousands of looks.
    const HELD_MAX: usize = 64;

    static HELD: AtomicUsize = AtomicUsize::new(0);

    /// An SCTP port is held by a Unix socket of this name in the abstract namespace: it is the
    /// network namespace's own, and gone with the process.
    pub(crate) struct Held {
        _socket: UnixDatagram,
    }

    impl Drop for Held {
        fn drop(&mut self) {
            HELD.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(super) fn open(addresses: &[IpAddr], sctp_ports: &[u16]) -> Result<RawSockets, NetError> {
        let any = [
            IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::from(Ipv6Addr::UNSPECIFIED),
        ];
        let is_any = addresses.is_empty();
        let mut sockets = Vec::new();
        for &address in if is_any { &any[..] } else { addresses } {
            match open_at(address, sctp_ports).map_err(failed) {
                Ok(socket) => sockets.push((socket, address)),
                // A host without IPv6.
                Err(error) if !sockets.is_empty() && is_any && error.is_missing_family() => {}
                Err(error) => return Err(error),
            }
        }
        // Not before it is clear that we may: asking can make the kernel load SCTP.
        if kernel_has_sctp() {
            return Err(failed(io::ErrorKind::Unsupported.into()));
        }
        let held = sctp_ports.iter().map(|port| hold(*port).map_err(failed));
        let held = held.collect::<Result<_, _>>()?;
        Ok(RawSockets { sockets, held })
    }

    fn failed(error: io::Error) -> NetError {
        NetError::new(Operation::OpenRawIp, None, error)
    }

    fn open_at(address: IpAddr, sctp_ports: &[u16]) -> io::Result<Socket> {
        let at = SocketAddr::new(address, 0);
        let domain = Domain::for_address(at);
        let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(SCTP)))?;
        socket.attach_filter(&filter(at.is_ipv6(), sctp_ports))?;
        error_queue::enable(&socket, at.is_ipv6())?;
        socket.bind(&SockAddr::from(at))?;
        Ok(socket)
    }

    fn kernel_has_sctp() -> bool {
        Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::from(SCTP))).is_ok()
    }

    fn hold(sctp_port: u16) -> io::Result<Held> {
        let name = format!("rserpool/sctp/{sctp_port}");
        let address = UnixAddress::from_abstract_name(name)?;
        let socket = UnixDatagram::bind_addr(&address)?;
        let before = HELD.fetch_add(1, Ordering::Relaxed);
        let held = Held { _socket: socket };
        if before < HELD_MAX {
            Ok(held)
        } else {
            Err(io::ErrorKind::QuotaExceeded.into())
        }
    }

    /// Passes packets whose destination port (RFC 9260 §3.1) is one of `sctp_ports`.
    ///
    /// The socket sees IPv4 packets from the IP header on, IPv6 packets from the SCTP header on.
    fn filter(ipv6: bool, sctp_ports: &[u16]) -> Vec<SockFilter> {
        const LOAD_IPV4_HEADER_LENGTH: u16 = 0xb1; // BPF_LDX | BPF_B | BPF_MSH
        const LOAD_HALF_AFTER_IT: u16 = 0x48; // BPF_LD | BPF_H | BPF_IND
        const LOAD_HALF: u16 = 0x28; // BPF_LD | BPF_H | BPF_ABS
        const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
        const RETURN: u16 = 0x06; // BPF_RET | BPF_K
        const DESTINATION_PORT_AT: u32 = 2;
        let mut program = if ipv6 {
            vec![SockFilter::new(LOAD_HALF, 0, 0, DESTINATION_PORT_AT)]
        } else {
            vec![
                SockFilter::new(LOAD_IPV4_HEADER_LENGTH, 0, 0, 0),
                SockFilter::new(LOAD_HALF_AFTER_IT, 0, 0, DESTINATION_PORT_AT),
            ]
        };
        for port in sctp_ports {
            program.push(SockFilter::new(JUMP_IF_EQUAL, 0, 1, u32::from(*port)));
            program.push(SockFilter::new(RETURN, 0, 0, u32::MAX));
        }
        program.push(SockFilter::new(RETURN, 0, 0, 0));
        program
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::RawSockets;
    use crate::error::{NetError, Operation};
    use std::io;
    use std::net::IpAddr;

    pub(super) fn open(_: &[IpAddr], _: &[u16]) -> Result<RawSockets, NetError> {
        let source = io::ErrorKind::Unsupported.into();
        Err(NetError::new(Operation::OpenRawIp, None, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_791_3_1_the_header_says_how_long_it_is() {
        let mut packet = vec![0x46; 24];
        packet[16..20].copy_from_slice(&[10, 1, 0, 2]);
        packet.extend_from_slice(b"sctp");
        let (to, payload) = split_ipv4(&packet).unwrap();
        assert_eq!((to, payload), ([10, 1, 0, 2].into(), &b"sctp"[..]));
    }

    #[test]
    fn what_is_no_whole_ipv4_packet_is_nothing() {
        assert_eq!(split_ipv4(&[]), None);
        assert_eq!(split_ipv4(&[0x65; 40]), None);
        assert_eq!(split_ipv4(&[0x44; 40]), None);
        assert_eq!(split_ipv4(&[0x45; 19]), None);
        assert_eq!(split_ipv4(&[0x4f; 59]), None);
        assert!(split_ipv4(&[0x4f; 60]).unwrap().1.is_empty());
    }
}
