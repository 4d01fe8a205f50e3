//! Associations and datagrams between nodes.
//!
//! Must not know what is said.

mod association;
mod datagram;
mod partition;

pub(crate) use association::{Association, Channel, EndId, EndState, Protocol, Target};
pub(crate) use datagram::{ChannelMessage, Datagram, DatagramId, Datagrams};
pub(crate) use partition::{Partition, is_blocked};

use std::time::Duration;

/// How good the network is when nothing is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Profile {
    /// How long a message takes at least, on the nearest and on the farthest path.
    pub(crate) delay: (Duration, Duration),
    /// How much longer it may take.
    pub(crate) jitter: Duration,
    /// How long until an end that hears nothing gives up.
    pub(crate) silence: (Duration, Duration),
    /// How long until an end learns of the death of a process whose host is there.
    pub(crate) notice: (Duration, Duration),
    /// How long until an attempt to set up an association is given up.
    pub(crate) connect: (Duration, Duration),
    /// How long a message waits for its retransmission once a path works again.
    pub(crate) retransmission: (Duration, Duration),
    /// Datagrams lost, of a hundred: on the multicast channel, and between two nodes.
    pub(crate) loss_percent: u64,
    pub(crate) unicast_loss_percent: u64,
    /// Datagrams between two nodes that come twice, of a hundred.
    pub(crate) doubled_percent: u64,
}

impl Profile {
    /// A local network.
    pub(crate) const LAN: Self = Self {
        delay: (Duration::from_micros(50), Duration::from_millis(2)),
        jitter: Duration::from_micros(500),
        silence: (Duration::from_millis(400), Duration::from_secs(6)),
        notice: (Duration::from_micros(100), Duration::from_millis(20)),
        connect: (Duration::from_secs(1), Duration::from_secs(5)),
        retransmission: (Duration::from_millis(1), Duration::from_millis(300)),
        loss_percent: 1,
        unicast_loss_percent: 5,
        doubled_percent: 3,
    };
}
