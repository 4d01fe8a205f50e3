//! A node: one process on its own host, with its own clock.
//!
//! Must not know what its machine says.

use crate::clock::Clock;
use crate::network::EndId;
use crate::schedule::Occurrence;
use crate::stranger::Stranger;
use crate::user::UserActivity;
use rserpool_core::{AssociationId, Machine, PoolElement, PoolUser, Registrar, Timestamp};
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// A node of the simulated scope; numbered from 0, registrars first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Who is who.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    pub(crate) registrars: Vec<NodeId>,
    pub(crate) elements: Vec<NodeId>,
    pub(crate) users: Vec<NodeId>,
    pub(crate) strangers: Vec<NodeId>,
}

impl Roster {
    pub(crate) fn new(registrars: usize, elements: usize, users: usize, strangers: usize) -> Self {
        let mut numbers = (0..u32::MAX).map(NodeId);
        let mut take = |count| numbers.by_ref().take(count).collect();
        Self {
            registrars: take(registrars),
            elements: take(elements),
            users: take(users),
            strangers: take(strangers),
        }
    }

    pub(crate) fn len(&self) -> usize {
        let [registrars, elements] = [&self.registrars, &self.elements].map(Vec::len);
        registrars + elements + self.users.len() + self.strangers.len()
    }

    pub(crate) fn is_registrar(&self, node: NodeId) -> bool {
        node.index() < self.registrars.len()
    }

    pub(crate) fn is_stranger(&self, node: NodeId) -> bool {
        self.strangers.contains(&node)
    }

    /// A name that says what it is: `r1`, `e12`, `u3`, `s1`.
    pub(crate) fn name(&self, node: NodeId) -> Name {
        let mut number = node.index();
        for (letter, nodes) in [
            ('r', &self.registrars),
            ('e', &self.elements),
            ('u', &self.users),
        ] {
            match number.checked_sub(nodes.len()) {
                Some(rest) => number = rest,
                None => return Name(letter, number + 1),
            }
        }
        Name('s', number + 1)
    }
}

/// A node's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Name(char, usize);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0, self.1)
    }
}

/// One process on its own host.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) actor: Actor,
    pub(crate) status: Status,
    pub(crate) clock: Clock,
    /// Counts starts, so that nothing of an earlier life reaches a later one.
    pub(crate) incarnation: u32,
    /// When the machine is called next; the schedule has an entry for then.
    pub(crate) wake: Option<Timestamp>,
    /// Calls of `handle_timeout` since local time last went on.
    pub(crate) timeouts_at_once: u32,
    /// What waits because the node is hung or paused.
    pub(crate) inbox: VecDeque<Occurrence>,
    /// The ends of its associations that it has, or is setting up.
    pub(crate) ends: BTreeSet<EndId>,
    /// Associations of its earlier lives whose other ends have not noticed yet.
    pub(crate) remnants: Vec<u32>,
    /// Until when something was wrong with it; the end of time while it is.
    pub(crate) disturbed_until: Timestamp,
    /// When it was started, or when it went down.
    pub(crate) changed_at: Timestamp,
}

/// What a node does with what arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    Running,
    /// Its transport works, its machine does not run.
    Hung,
    /// Nothing of it runs.
    Paused,
    /// There is no process. The host answers for it.
    Down,
    /// There is no host.
    Gone,
}

/// What runs on a node.
#[derive(Debug)]
pub(crate) enum Actor {
    Nobody,
    Registrar(Box<Registrar>),
    Element(Box<PoolElement>),
    User(Box<PoolUser>, Box<UserActivity>),
    Stranger(Box<Stranger>),
}

impl Node {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            actor: Actor::Nobody,
            status: Status::Down,
            clock,
            incarnation: 0,
            wake: None,
            timeouts_at_once: 0,
            inbox: VecDeque::new(),
            ends: BTreeSet::new(),
            remnants: Vec::new(),
            disturbed_until: Timestamp::ZERO,
            changed_at: Timestamp::ZERO,
        }
    }

    /// When the machine wants to be called, by its own clock.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.actor {
            Actor::Registrar(registrar) => registrar.poll_timeout(),
            Actor::Element(element) => element.poll_timeout(),
            Actor::User(user, _) => user.poll_timeout(),
            Actor::Nobody | Actor::Stranger(_) => None,
        }
    }

    pub(crate) fn is_disturbed(&self) -> bool {
        self.disturbed_until == FOREVER
    }
}

/// The end of time.
pub(crate) const FOREVER: Timestamp = Timestamp(std::time::Duration::MAX);

/// The address that a node speaks from.
pub(crate) fn first_address(node: NodeId) -> IpAddr {
    address(10, node)
}

/// The addresses of a node; every fourth has two.
pub(crate) fn addresses(node: NodeId) -> Vec<IpAddr> {
    let mut addresses = vec![first_address(node)];
    if node.0.is_multiple_of(4) {
        addresses.push(address(11, node));
    }
    addresses
}

/// The node that has this address, if there is one.
pub(crate) fn node_at(address: IpAddr) -> Option<NodeId> {
    let IpAddr::V4(address) = address else {
        return None;
    };
    let [10 | 11, high, middle, low] = address.octets() else {
        return None;
    };
    u32::from_be_bytes([0, high, middle, low])
        .checked_sub(1)
        .map(NodeId)
}

fn address(network: u8, node: NodeId) -> IpAddr {
    let [_, high, middle, low] = (node.0 + 1).to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(network, high, middle, low))
}

/// The number that a machine knows an end of an association by.
pub(crate) fn association_id(end: EndId) -> AssociationId {
    AssociationId(u64::from(end.0) + 1)
}

/// The end that a machine means by this number.
pub(crate) fn end_of(association: AssociationId) -> Option<EndId> {
    let number = association.0.checked_sub(1)?;
    u32::try_from(number).ok().map(EndId)
}
