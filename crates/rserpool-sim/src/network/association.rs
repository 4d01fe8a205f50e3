//! Associations: reliable and ordered with a delay, then suddenly lost, each end being told in
//! its own time.
//!
//! Must not know SCTP: what an association's user sees of it is all there is.

use crate::node::{FOREVER, NodeId};
use crate::octets::OctetsId;
use rserpool_core::{PeerAddress, RegistrarAddress, Timestamp, Transport};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// What is spoken over an association or a multicast channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    Asap,
    Enrp,
    /// Data and the control channel of a session.
    Session,
}

/// Whom somebody wants an association with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// A client wants a registrar.
    Registrar(RegistrarAddress),
    /// A registrar wants another one.
    Peer(RegistrarAddress),
    /// A registrar wants a pool element that it takes over (RFC 5353 §3.5.2).
    PoolElement(PeerAddress),
    /// A pool user wants a pool element for a session.
    Service(Channel, PeerAddress),
}

/// What a session has between a pool user and a pool element (RFC 5352 §2.2.10 in its pool
/// element's transport).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Channel {
    /// SCTP: data and control channel.
    Control,
    /// TCP: data only, reliable and ordered, and its loss is noticed.
    Stream,
    /// UDP: data only, which may be lost, doubled or late; nobody says that the other end is gone.
    Datagrams,
}

impl Channel {
    /// What the pool elements of a pool speak with pool users.
    pub(crate) fn of_pool(pool: usize) -> Self {
        match pool % 4 {
            0 | 1 => Self::Control,
            2 => Self::Stream,
            _ => Self::Datagrams,
        }
    }
}

impl Target {
    pub(crate) fn protocol(&self) -> Protocol {
        match self {
            Self::Registrar(_) | Self::PoolElement(_) => Protocol::Asap,
            Self::Peer(_) => Protocol::Enrp,
            Self::Service(..) => Protocol::Session,
        }
    }

    pub(crate) fn addresses(&self) -> &[IpAddr] {
        match self {
            Self::Registrar(address) | Self::Peer(address) => &address.addresses,
            Self::PoolElement(address) | Self::Service(_, address) => &address.addresses,
        }
    }

    pub(crate) fn transport(&self) -> Transport {
        match self {
            Self::Registrar(address) | Self::Peer(address) => address.transport,
            Self::PoolElement(address) | Self::Service(_, address) => address.transport,
        }
    }

    /// What a session has; `None`: this is for none.
    pub(crate) fn channel(&self) -> Option<Channel> {
        match self {
            Self::Service(channel, _) => Some(*channel),
            Self::Registrar(_) | Self::Peer(_) | Self::PoolElement(_) => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registrar(address) => address.fmt(f),
            Self::Peer(address) => write!(f, "peer {address}"),
            Self::PoolElement(address) => write!(f, "pool element {address}"),
            Self::Service(_, address) => write!(f, "service {address}"),
        }
    }
}

/// One end of an association: that of who began it (even) or that of who accepted it (odd).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct EndId(pub(crate) u32);

impl EndId {
    pub(crate) fn of_initiator(association: u32) -> Self {
        Self(association * 2)
    }

    pub(crate) fn of_acceptor(association: u32) -> Self {
        Self(association * 2 + 1)
    }

    pub(crate) fn association(self) -> u32 {
        self.0 / 2
    }

    pub(crate) fn is_of_initiator(self) -> bool {
        self.0.is_multiple_of(2)
    }

    pub(crate) fn other(self) -> Self {
        Self(self.0 ^ 1)
    }

    pub(crate) fn side(self) -> usize {
        (self.0 % 2) as usize
    }
}

/// An association, from the attempt to set it up until both ends are gone.
#[derive(Debug)]
pub(crate) struct Association {
    /// The end of who began it, and of who accepted it.
    pub(crate) ends: [End; 2],
    /// Whom the one wanted.
    pub(crate) target: Box<Target>,
    /// Who accepted it had begun one itself, and has it now (RFC 9260 §5.2.1): as it wanted it.
    pub(crate) wanted_by_acceptor: Option<Box<Target>>,
    pub(crate) delay: Duration,
    /// A slow link adds this.
    pub(crate) slow: Duration,
    /// When it came up.
    pub(crate) up_at: Timestamp,
    /// When the attempt to set it up is given up.
    pub(crate) give_up_at: Timestamp,
    /// Nothing arrives any more; the ends will notice.
    pub(crate) broken: bool,
    /// The pool element did not want it any more, and was there.
    pub(crate) is_closed_in_good_order: bool,
    /// What keeps the ends from hearing each other, counted.
    pub(crate) troubles: u32,
    /// Changes with the first trouble and with the end of the last one.
    pub(crate) epoch: u32,
    /// Until when something was wrong with it; the end of time while it is.
    pub(crate) disturbed_until: Timestamp,
}

/// One end.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) node: NodeId,
    pub(crate) state: EndState,
    /// Nothing that is sent now arrives here before this: associations are ordered.
    pub(crate) latest_arrival: Timestamp,
    /// What is sent to this end cannot get through now; counted.
    pub(crate) blocked: u32,
    /// What waits for the path to this end.
    pub(crate) held: Kept,
    /// What this end sent and the other never gets.
    pub(crate) unsent: Kept,
}

/// Messages that wait. Mostly there are none, and there are many associations: so it is small.
#[derive(Debug, Default)]
pub(crate) struct Kept(Option<Box<Messages>>);

#[derive(Debug, Default)]
struct Messages {
    octets: Vec<OctetsId>,
}

impl Kept {
    pub(crate) fn push(&mut self, octets: OctetsId) {
        self.0.get_or_insert_default().octets.push(octets);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |kept| kept.octets.len())
    }

    pub(crate) fn take(&mut self) -> Vec<OctetsId> {
        self.0
            .take()
            .map_or_else(Vec::new, |messages| messages.octets)
    }
}

/// The state of one end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EndState {
    Opening,
    Up,
    Gone,
}

impl Association {
    pub(crate) fn new(
        initiator: NodeId,
        acceptor: NodeId,
        target: Target,
        delay: Duration,
        give_up_at: Timestamp,
    ) -> Self {
        Self {
            ends: [End::new(initiator), End::new(acceptor)],
            target: Box::new(target),
            wanted_by_acceptor: None,
            delay,
            slow: Duration::ZERO,
            up_at: Timestamp::ZERO,
            give_up_at,
            broken: false,
            is_closed_in_good_order: false,
            troubles: 0,
            epoch: 0,
            disturbed_until: Timestamp::ZERO,
        }
    }

    /// Nobody looks after it, so that nobody is told of its loss.
    pub(crate) fn has_datagrams(&self) -> bool {
        self.target.channel() == Some(Channel::Datagrams)
    }

    pub(crate) fn is_disturbed(&self) -> bool {
        self.broken || self.troubles > 0 || !self.slow.is_zero()
    }

    /// Something about it has changed.
    pub(crate) fn update_disturbance(&mut self, now: Timestamp, aftermath: Duration) {
        if self.is_disturbed() {
            self.disturbed_until = FOREVER;
        } else if self.disturbed_until == FOREVER {
            self.disturbed_until = now + aftermath;
        }
    }
}

impl End {
    fn new(node: NodeId) -> Self {
        Self {
            node,
            state: EndState::Opening,
            latest_arrival: Timestamp::ZERO,
            blocked: 0,
            held: Kept::default(),
            unsent: Kept::default(),
        }
    }
}
