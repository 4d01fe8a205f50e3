//! Errors of the operating system, with what was asked of it, where, and what to do about it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// What the operating system was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Operation {
    /// Binding the UDP socket that carries SCTP (RFC 6951).
    BindUdp,
    /// Opening raw IP sockets for SCTP that is not encapsulated.
    OpenRawIp,
    /// Using the kernel's SCTP, at an SCTP port.
    UseKernelSctp,
    /// Listening for TCP: pool users, or lifelines.
    ListenTcp,
    /// Awaiting pool users at a TCP or UDP port.
    AwaitUsers,
    /// Opening a TCP connection to a registrar.
    ConnectTcp,
    /// Taking an SCTP port for ENRP.
    UseEnrpPort,
    /// Finding the local address toward a peer.
    Route,
    /// Hearing the multicast group of the announces.
    JoinMulticast,
    /// Sending an announce by multicast.
    SendMulticast,
    /// Listing the network interfaces.
    ListInterfaces,
    /// Reading random octets for tags and identifiers.
    Randomness,
    /// Starting the thread or its runtime.
    StartThread,
}

/// An operation of the operating system that failed: which, at which address, and why.
///
/// [`fmt::Display`] gives one line that ends with what to do next.
#[derive(Clone, Debug)]
pub struct NetError {
    /// What failed.
    pub operation: Operation,
    /// The address it was about, if it was about one.
    pub address: Option<SocketAddr>,
    /// What the operating system said.
    pub source: Arc<io::Error>,
}

impl NetError {
    pub(crate) fn new(
        operation: Operation,
        address: impl Into<Option<SocketAddr>>,
        source: io::Error,
    ) -> Self {
        Self {
            operation,
            address: address.into(),
            source: Arc::new(source),
        }
    }

    /// Whether the same call may succeed later with nothing changed: the network may come back,
    /// descriptors may be freed. A port that is in use or a missing right needs somebody to act.
    pub fn is_temporary(&self) -> bool {
        !matches!(
            self.source.kind(),
            io::ErrorKind::AddrInUse
                | io::ErrorKind::AddrNotAvailable
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::Unsupported
                | io::ErrorKind::InvalidInput
        )
    }

    /// A limit of ours, met by a process with many nodes.
    pub(crate) fn is_quota(&self) -> bool {
        self.source.kind() == io::ErrorKind::QuotaExceeded
    }

    pub(crate) fn is_in_use(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }

    /// The host has no IPv6, or no IPv4.
    pub(crate) fn is_missing_family(&self) -> bool {
        #[cfg(unix)]
        {
            let missing = nix::errno::Errno::EAFNOSUPPORT as i32;
            self.source.kind() == io::ErrorKind::AddrNotAvailable
                || self.source.raw_os_error() == Some(missing)
        }
        #[cfg(not(unix))]
        {
            self.source.kind() == io::ErrorKind::AddrNotAvailable
        }
    }

    fn advice(&self) -> &'static str {
        use io::ErrorKind::{
            AddrInUse, AddrNotAvailable, PermissionDenied, QuotaExceeded, Unsupported,
        };
        match (self.operation, self.source.kind()) {
            (Operation::BindUdp, AddrInUse) => {
                "another registrar on this host? choose another port with --udp-port, \
                 or leave it out and let the system choose"
            }
            (Operation::ListenTcp, AddrInUse) => {
                "another process on this host has this port: choose another with --tcp-port, or \
                 with --udp-port where it is the port of lifelines"
            }
            (Operation::AwaitUsers, AddrInUse) => {
                "another process has this port: choose another, or let the system choose"
            }
            (
                Operation::BindUdp | Operation::ListenTcp | Operation::AwaitUsers,
                AddrNotAvailable,
            ) => "no interface has this address; `ip address` lists those that there are",
            (
                Operation::BindUdp | Operation::ListenTcp | Operation::AwaitUsers,
                PermissionDenied,
            ) => "ports below 1024 need a privilege; choose a higher one",
            (Operation::BindUdp | Operation::ListenTcp | Operation::AwaitUsers, _) => {
                "check that the address belongs to this host"
            }
            (Operation::OpenRawIp, PermissionDenied) => {
                "raw IP takes root or CAP_NET_RAW; SCTP over UDP takes neither"
            }
            (Operation::OpenRawIp, AddrInUse) => {
                "another process on this host has this SCTP port over raw IP: choose another"
            }
            (Operation::OpenRawIp, Unsupported) => {
                "where the kernel has SCTP it would abort what user space begins: use the \
                 kernel's SCTP, or UDP; and systems other than Linux have UDP alone"
            }
            (Operation::OpenRawIp, QuotaExceeded) => {
                "a process has few of them, for each costs all packets of the host; use UDP"
            }
            (Operation::UseKernelSctp, AddrInUse) => {
                "another process has this SCTP port of the kernel: choose another with \
                 --sctp-port or --enrp-port"
            }
            (Operation::UseKernelSctp, AddrNotAvailable) => {
                "no interface has this address; `ip address` lists those that there are"
            }
            (Operation::UseKernelSctp, PermissionDenied) => {
                "ports below 1024 need a privilege; choose a higher one"
            }
            (Operation::UseKernelSctp, _) => {
                "load SCTP with `modprobe sctp`, where this kernel has it; or use SCTP in user \
                 space with --sctp udp"
            }
            (Operation::OpenRawIp, _) => "check that the address belongs to this host",
            (Operation::ConnectTcp, _) => "is a registrar running there, listening for TCP?",
            (Operation::UseEnrpPort, _) => {
                "ASAP has this SCTP port: choose another for one of them"
            }
            (Operation::Route, _) => "there is no route to it; check the address and the network",
            (Operation::JoinMulticast | Operation::SendMulticast, _) => {
                "announces do not reach this interface; name registrars by --registrar, \
                 or turn multicast off"
            }
            (Operation::ListInterfaces, _) => "announces stay off; name registrars by --registrar",
            (Operation::Randomness, _) => "the system's random number generator must work",
            (Operation::StartThread, _) => "the system is out of threads, memory or descriptors",
        }
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address;
        match (self.operation, address) {
            (Operation::BindUdp, Some(at)) => write_port(f, "UDP", at, &self.source)?,
            (Operation::ListenTcp, Some(at)) => write_port(f, "TCP", at, &self.source)?,
            (operation, Some(at)) => write!(f, "cannot {operation} {at}: {}", self.source)?,
            (operation, None) => write!(f, "cannot {operation}: {}", self.source)?,
        }
        write!(f, "; {}", self.advice())
    }
}

fn write_port(
    f: &mut fmt::Formatter<'_>,
    protocol: &str,
    at: SocketAddr,
    source: &io::Error,
) -> fmt::Result {
    if source.kind() == io::ErrorKind::AddrInUse {
        write!(f, "{protocol} port {} is in use at {}", at.port(), at.ip())
    } else {
        write!(
            f,
            "cannot use {protocol} port {} at {}: {source}",
            at.port(),
            at.ip()
        )
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BindUdp => "bind UDP",
            Self::OpenRawIp => "open raw IP sockets for SCTP",
            Self::UseKernelSctp => "use the kernel's SCTP at",
            Self::ListenTcp => "listen for TCP at",
            Self::AwaitUsers => "await users at",
            Self::ConnectTcp => "connect by TCP to",
            Self::UseEnrpPort => "speak ENRP at the SCTP port that was chosen",
            Self::Route => "find the way to",
            Self::JoinMulticast => "join the multicast group at",
            Self::SendMulticast => "send to the multicast group from",
            Self::ListInterfaces => "list the network interfaces",
            Self::Randomness => "read random octets",
            Self::StartThread => "start a thread",
        })
    }
}

impl std::error::Error for NetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_says_which_and_what_to_do() {
        let at = "0.0.0.0:9899".parse::<SocketAddr>().unwrap();
        let error = NetError::new(Operation::BindUdp, at, io::ErrorKind::AddrInUse.into());
        assert_eq!(
            error.to_string(),
            "UDP port 9899 is in use at 0.0.0.0; another registrar on this host? choose another \
             port with --udp-port, or leave it out and let the system choose"
        );
        assert!(!error.is_temporary());
    }
}
