//! Data channels without SCTP (RFC 5354 §3.5, §3.6): TCP connections and UDP flows
//! between pool users and pool elements, which have no control channel. To all above each is an
//! association like any other.
//!
//! Knows octets, no message of ASAP.

mod acknowledged;
mod tcp;
mod udp;

pub(crate) use tcp::{FoundTcp, UserTcp};
pub(crate) use udp::{FoundUdp, UserUdp};

use crate::local_address::local_address_toward;
use crate::udp::Port;
use rserpool_core::AssociationId;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Sets user TCP connections apart from all other associations.
const USER_TCP: u64 = 1 << 62;

/// Sets UDP flows apart.
const USER_UDP: u64 = 1 << 61;

/// Default of how long a flow of datagrams that somebody began lasts when none comes: nothing else
/// tells its end. If one comes later, it is a new flow.
pub const UDP_IDLE_AFTER: Duration = Duration::from_secs(300);

/// By what the data channel between pool user and pool element goes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum DataTransport {
    /// SCTP: messages, streams, and the control channel of RSerPool beside them.
    #[default]
    Sctp,
    /// TCP, data channel alone: octets in their order, without any boundaries. What is sent at
    /// once may come in parts, and what is sent in parts at once.
    Tcp,
    /// UDP, data channel alone: messages that may be lost, doubled or overtaken.
    Udp,
}

impl fmt::Display for DataTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sctp => "SCTP",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// Where pool users are awaited without SCTP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AwaitUsers {
    Tcp {
        port: Port,
    },
    Udp {
        port: Port,
        /// When nothing has come of a user for so long, it is none any more.
        idle_after: Duration,
    },
}

/// From which of our addresses a data channel begins: of those that were given, if any were, the
/// one that the routing table chooses, or the first of that family.
fn source_toward(addresses: &[IpAddr], peer: SocketAddr) -> IpAddr {
    let mut same_family = addresses.iter().filter(|at| at.is_ipv4() == peer.is_ipv4());
    let any = match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let first = same_family.next().copied().unwrap_or(any);
    let routed = local_address_toward(peer);
    routed
        .ok()
        .filter(|at| addresses.contains(at))
        .unwrap_or(first)
}

/// By what an association goes.
pub(crate) fn data_transport(association: AssociationId) -> DataTransport {
    match association.0 >> 61 {
        0b010 => DataTransport::Tcp,
        0b001 => DataTransport::Udp,
        _ => DataTransport::Sctp,
    }
}
