//! What a node tells about its transport: for logs, dashboards and counters.

use crate::error::NetError;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Something about the transport that an operator may want to know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NetworkEvent {
    /// Something that can be done without is missing: IPv6, multicast on an interface, lifelines.
    Unavailable(NetError),
    /// SCTP over IP itself is missing. It is wanted with [`crate::SctpMode::Udp`], and welcome
    /// with [`crate::SctpMode::Auto`].
    NoRawIp {
        /// Why, and what to do.
        error: NetError,
        /// Whether it was wanted.
        is_wanted: bool,
    },
    /// The lifeline of a peer ended; its association is being probed.
    LifelineLost {
        /// The peer of the association.
        peer: SocketAddr,
    },
    /// The network or the peer's host says that nothing listens there.
    Unreachable {
        /// The peer.
        peer: SocketAddr,
    },
    /// A path of an association is confirmed, failed, or works again.
    Path {
        /// The peer.
        peer: SocketAddr,
        /// Its address at the end of the path.
        address: IpAddr,
        /// How the path is now.
        state: rserpool_sctp::PathState,
    },
    /// A connection or an association with another registrar was closed because its other end
    /// does not read.
    Shed {
        /// The peer.
        peer: SocketAddr,
        /// What was waiting for it, in octets.
        waiting_octets: usize,
    },
    /// A connection was closed because the application here does not take what it brings.
    NotTaken {
        /// The peer.
        peer: SocketAddr,
        /// What was waiting for the application, in octets.
        waiting_octets: usize,
    },
    /// A datagram of a user or pool element over UDP was dropped because the application here does
    /// not take those that came before it. The first few are told; all are counted.
    DatagramDropped {
        /// The peer.
        peer: SocketAddr,
    },
    /// An association was ended because it held most of what incomplete messages may take.
    Incomplete {
        /// The peer.
        peer: SocketAddr,
        /// The memory that its incomplete messages took, in octets.
        octets: usize,
    },
    /// An association was ended because it brought a message that is too large. The first few are
    /// told; all are counted.
    TooLarge {
        /// The peer.
        peer: SocketAddr,
        /// The message's length.
        octets: usize,
    },
    /// A TCP connection was closed because it said nothing in time, or for long while others
    /// found no room.
    Idle {
        /// The peer.
        peer: SocketAddr,
    },
    /// A connection was refused because there are too many.
    TooManyConnections {
        /// The peer.
        peer: SocketAddr,
        /// The limit that was met.
        limit: usize,
    },
    /// A TCP stream broke its framing and was closed.
    BrokenFraming {
        /// The peer.
        peer: SocketAddr,
    },
    /// A datagram of a multicast group was no message of ASAP or ENRP.
    MalformedAnnounce {
        /// Its sender.
        from: SocketAddr,
    },
    /// A message with a payload protocol identifier that has no meaning here was dropped. The
    /// first few are told; all are counted.
    UnexpectedPayloadProtocol {
        /// The peer.
        peer: SocketAddr,
        /// Its payload protocol identifier.
        ppid: u32,
    },
    /// A message could not be queued for an association.
    NotQueued {
        /// The peer.
        peer: Option<SocketAddr>,
        /// The message's length.
        octets: usize,
    },
}

impl fmt::Display for NetworkEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(error) | Self::NoRawIp { error, .. } => error.fmt(f),
            Self::LifelineLost { peer } => {
                write!(f, "the lifeline from {peer} ended; probing its association")
            }
            Self::Unreachable { peer } => write!(f, "nothing listens at UDP {peer}"),
            Self::Path {
                peer,
                address,
                state,
            } => write!(f, "the path to {address} of {peer} is now {state:?}"),
            Self::Shed {
                peer,
                waiting_octets,
            } => write!(
                f,
                "closed {peer}: it does not read ({waiting_octets} octets waited)"
            ),
            Self::NotTaken {
                peer,
                waiting_octets,
            } => write!(
                f,
                "closed {peer}: the application does not take its messages \
                 ({waiting_octets} octets waited)"
            ),
            Self::DatagramDropped { peer } => write!(
                f,
                "dropping datagrams of {peer}: the application does not take them"
            ),
            Self::Incomplete { peer, octets } => write!(
                f,
                "closed {peer}: its incomplete messages took {octets} octets, and all of them too \
                 much"
            ),
            Self::TooLarge { peer, octets } => {
                write!(f, "closed {peer}: it sent a message of {octets} octets")
            }
            Self::Idle { peer } => write!(f, "closed {peer}: it asked nothing"),
            Self::TooManyConnections { peer, limit } => {
                write!(
                    f,
                    "refused {peer}: there are {limit} connections, which is the limit"
                )
            }
            Self::BrokenFraming { peer } => {
                write!(
                    f,
                    "closed {peer}: what it sends is no stream of ASAP messages"
                )
            }
            Self::MalformedAnnounce { from } => {
                write!(
                    f,
                    "ignored a multicast datagram from {from}: it is no message of this group"
                )
            }
            Self::UnexpectedPayloadProtocol { peer, ppid } => {
                write!(
                    f,
                    "dropping messages of {peer} with payload protocol {ppid}"
                )
            }
            Self::NotQueued { peer, octets } => write_not_queued(f, *peer, *octets),
        }
    }
}

fn write_not_queued(
    f: &mut fmt::Formatter<'_>,
    peer: Option<SocketAddr>,
    octets: usize,
) -> fmt::Result {
    write!(f, "a message of {octets} octets ")?;
    match peer {
        Some(peer) => write!(f, "to {peer} found its queue full"),
        None => f.write_str("was for an association that is gone"),
    }
}

/// Counters of a node's transport.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct NetworkStatistics {
    /// The UDP sockets.
    pub udp: crate::udp::UdpStatistics,
    /// The SCTP endpoint.
    pub sctp: rserpool_sctp::Statistics,
    /// The kernel's SCTP.
    pub kernel_sctp: crate::kernel_sctp::KernelSctpStatistics,
    /// The SCTP endpoint of registrars among themselves.
    pub enrp_sctp: rserpool_sctp::Statistics,
    /// Messages with a payload protocol identifier that has no meaning here.
    pub unexpected_payload_protocol: u64,
    /// Datagrams of a multicast group that were no message of ASAP or ENRP.
    pub malformed_announces: u64,
    /// Control channel messages between pool user and pool element that nobody takes.
    pub control_dropped: u64,
    /// TCP connections open.
    pub tcp_connections: usize,
    /// Data channels open over TCP and UDP.
    pub data_channels: usize,
    /// Datagrams of pool users that were dropped: nobody took them in time, or there were too
    /// many users.
    pub datagrams_dropped: u64,
    /// Lifelines open, both directions.
    pub lifelines: usize,
    /// Connections, and associations with other registrars, closed because their other end does
    /// not read.
    pub shed: u64,
}
