//! The data channel over UDP: each message a datagram, and all those between two addresses a flow,
//! which is an association to all above. Nothing tells that a flow begins or ends.

use super::{USER_UDP, source_toward};
use crate::error::NetError;
use crate::error_queue::Unreachable;
use crate::udp::{Arrival, Port, UdpSockets};
use rserpool_core::{AssociationId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

/// Flows that others began, at one time.
const ACCEPTED_MAX: usize = 4096;

/// Those among them whose other end has not answered anything yet. Anybody can begin one under any
/// address; beyond this the oldest of them makes room, so that a flood of addresses keeps neither
/// new users out nor those that are served.
const STRANGERS_MAX: usize = 1024;

/// When there are as many flows as may be, those that have said nothing for so long go.
const IDLE_WHEN_FULL: Duration = Duration::from_secs(10);

/// How often they are looked for.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// How often those that have said nothing for too long are looked for: a quarter of that time,
/// within these limits.
const SWEEP_INTERVAL_MIN: Duration = Duration::from_millis(20);
const SWEEP_INTERVAL_MAX: Duration = Duration::from_secs(5);

/// Flows that are begun here, at one time: each has a socket of its own.
const BEGUN_MAX: usize = 1024;

/// What the sockets brought.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum FoundUdp {
    /// Somebody began a flow.
    Began {
        association: AssociationId,
        peer: SocketAddr,
    },
    /// A message.
    Received {
        association: AssociationId,
        octets: Vec<u8>,
    },
    /// Nobody is at the other end, as ICMP says.
    Unreachable { association: AssociationId },
    /// Nothing has come for long.
    Idle { association: AssociationId },
    /// There is no room for another flow.
    Refused { peer: SocketAddr },
}

/// The flows with pool users or pool elements of a node.
pub(crate) struct UserUdp {
    next: u64,
    flows: BTreeMap<AssociationId, Flow>,
    by_address: BTreeMap<(PortId, SocketAddr), AssociationId>,
    ports: BTreeMap<PortId, UdpSockets>,
    /// Where others may begin flows.
    listening: Option<PortId>,
    accepted: usize,
    /// Those of whom not more is known than an address.
    strangers: BTreeSet<AssociationId>,
    swept_at: Timestamp,
    /// When it is looked next who has said nothing for too long.
    sweep_at: Timestamp,
    addresses: Vec<IpAddr>,
    /// A flow that somebody else began has ended when nothing has come for so long.
    idle_after: Duration,
}

/// One of our UDP ports: the one where flows are awaited, or that of a flow of ours.
type PortId = u64;

struct Flow {
    port: PortId,
    peer: SocketAddr,
    /// Our address, where it is known.
    local: Option<IpAddr>,
    is_accepted: bool,
    /// Something was sent to its other end.
    is_answered: bool,
    heard: Timestamp,
}

impl UserUdp {
    pub(crate) fn new(addresses: &[IpAddr], idle_after: Duration) -> Self {
        Self {
            next: USER_UDP,
            flows: BTreeMap::new(),
            by_address: BTreeMap::new(),
            ports: BTreeMap::new(),
            listening: None,
            accepted: 0,
            strangers: BTreeSet::new(),
            swept_at: Timestamp::ZERO,
            sweep_at: Timestamp::ZERO,
            addresses: addresses.to_vec(),
            idle_after,
        }
    }

    /// Awaits pool users; gives the port.
    ///
    /// # Errors
    /// A port that cannot be had.
    pub(crate) fn await_users(&mut self, port: Port) -> Result<u16, NetError> {
        let port = match port {
            // That is SCTP's.
            Port::WellKnownIfFree => Port::Any,
            Port::Exactly(_) | Port::Any => port,
        };
        let (sockets, _) = UdpSockets::bind(&self.addresses, port)?;
        let port = sockets.port();
        self.listening = Some(self.next);
        self.ports.insert(self.next, sockets);
        Ok(port)
    }

    /// Takes no more pool users.
    pub(crate) fn stop_listening(&mut self) {
        self.listening = None;
    }

    /// With more addresses of a family, answers come from the one that was asked.
    pub(crate) fn on_local_addresses(&mut self, addresses: &[IpAddr]) {
        for port in self.ports.values_mut() {
            port.on_local_addresses(addresses);
        }
    }

    /// Begins a flow, from a port of its own: what comes late for another one that led there does
    /// not come to this one, nor is it that one to its other end. `None`: there are too many.
    ///
    /// # Errors
    /// A port that cannot be had.
    pub(crate) fn connect(
        &mut self,
        now: Timestamp,
        peer: SocketAddr,
    ) -> Result<Option<AssociationId>, NetError> {
        if self.flows.len() - self.accepted >= BEGUN_MAX {
            return Ok(None);
        }
        let from = source_toward(&self.addresses, peer);
        let (sockets, _) = UdpSockets::bind(&[from], Port::Any)?;
        let port = self.next + 1;
        self.ports.insert(port, sockets);
        Ok(Some(self.begin(Flow {
            port,
            peer,
            local: None,
            is_accepted: false,
            is_answered: false,
            heard: now,
        })))
    }

    fn begin(&mut self, flow: Flow) -> AssociationId {
        self.next += 1;
        let association = AssociationId(self.next);
        self.by_address.insert((flow.port, flow.peer), association);
        if flow.is_accepted {
            self.accepted += 1;
            self.strangers.insert(association);
        }
        self.flows.insert(association, flow);
        association
    }

    /// Forgets a flow; whether there was one.
    pub(crate) fn end(&mut self, association: AssociationId) -> bool {
        let Some(flow) = self.flows.remove(&association) else {
            return false;
        };
        self.by_address.remove(&(flow.port, flow.peer));
        self.strangers.remove(&association);
        if flow.is_accepted {
            self.accepted -= 1;
        } else if let Some(mut port) = self.ports.remove(&flow.port) {
            port.flush();
        }
        true
    }

    /// Sends a datagram; false: there is no such flow.
    pub(crate) fn send(&mut self, association: AssociationId, octets: Vec<u8>) -> bool {
        let Some(flow) = self.flows.get_mut(&association) else {
            return false;
        };
        flow.is_answered = true;
        if let Some(port) = self.ports.get_mut(&flow.port) {
            port.send(flow.local, flow.peer, octets);
        }
        true
    }

    pub(crate) fn flush(&mut self) {
        for port in self.ports.values_mut() {
            port.flush();
        }
    }

    /// Whether something waits until the sockets take more: then flush again soon.
    pub(crate) fn has_backlog(&self) -> bool {
        self.ports.values().any(UdpSockets::has_backlog)
    }

    pub(crate) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let ports = self.ports.values_mut();
        let polls = ports.map(|port| port.poll_ready(context));
        // Every one is polled, so that every one wakes.
        match polls.filter(Poll::is_ready).count() {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ports.values().any(UdpSockets::is_ready)
    }

    /// Takes what the sockets have.
    pub(crate) fn receive(&mut self, now: Timestamp, mut found: impl FnMut(FoundUdp)) {
        let mut arrived = Vec::new();
        for (&port, sockets) in &mut self.ports {
            if sockets.is_ready() {
                sockets.receive(|arrival| {
                    let arrival = match arrival {
                        Arrival::Datagram { from, to, octets } => Ok((from, to, octets.to_vec())),
                        Arrival::Unreachable(Unreachable { to, .. }) => Err(to),
                    };
                    arrived.push((port, arrival));
                });
            }
        }
        for (port, arrival) in arrived {
            match arrival {
                Ok((from, to, octets)) => {
                    self.on_datagram(now, port, (from, to), octets, &mut found);
                }
                Err(to) => {
                    if let Some(&association) = self.by_address.get(&(port, to)) {
                        found(FoundUdp::Unreachable { association });
                    }
                }
            }
        }
    }

    fn on_datagram(
        &mut self,
        now: Timestamp,
        port: PortId,
        (peer, local): (SocketAddr, Option<IpAddr>),
        octets: Vec<u8>,
        found: &mut impl FnMut(FoundUdp),
    ) {
        if let Some(&association) = self.by_address.get(&(port, peer)) {
            if let Some(flow) = self.flows.get_mut(&association) {
                flow.heard = now;
                if flow.is_answered {
                    // Its other end has had what was sent to it, and so is where it says.
                    self.strangers.remove(&association);
                }
            }
            return found(FoundUdp::Received {
                association,
                octets,
            });
        }
        // From whom nothing is awaited.
        if self.listening != Some(port) {
            return;
        }
        if self.strangers.len() >= STRANGERS_MAX
            && let Some(&oldest) = self.strangers.first()
        {
            self.end(oldest);
            found(FoundUdp::Idle {
                association: oldest,
            });
        }
        if self.accepted >= ACCEPTED_MAX && self.swept_at + SWEEP_PAUSE <= now {
            self.swept_at = now;
            self.end_idle(now, IDLE_WHEN_FULL, found);
        }
        if self.accepted >= ACCEPTED_MAX {
            return found(FoundUdp::Refused { peer });
        }
        let association = self.begin(Flow {
            port,
            peer,
            local,
            is_accepted: true,
            is_answered: false,
            heard: now,
        });
        found(FoundUdp::Began { association, peer });
        found(FoundUdp::Received {
            association,
            octets,
        });
    }

    /// When to [`Self::sweep`].
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        (self.accepted > 0).then_some(self.sweep_at)
    }

    /// Ends the flows of which nothing has come for too long.
    pub(crate) fn sweep(&mut self, now: Timestamp, mut found: impl FnMut(FoundUdp)) {
        let pause = self.idle_after / 4;
        self.sweep_at = now + pause.clamp(SWEEP_INTERVAL_MIN, SWEEP_INTERVAL_MAX);
        self.end_idle(now, self.idle_after, &mut found);
    }

    fn end_idle(&mut self, now: Timestamp, idle: Duration, found: &mut impl FnMut(FoundUdp)) {
        let flows = self.flows.iter();
        let idle = flows.filter(|(_, flow)| flow.is_accepted && flow.heard + idle <= now);
        let idle: Vec<_> = idle.map(|(&association, _)| association).collect();
        for association in idle {
            self.end(association);
            found(FoundUdp::Idle { association });
        }
    }

    pub(crate) fn peer(&self, association: AssociationId) -> Option<SocketAddr> {
        Some(self.flows.get(&association)?.peer)
    }

    pub(crate) fn len(&self) -> usize {
        self.flows.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const PORT: PortId = 0;
    const IDLE_AFTER: Duration = Duration::from_secs(300);

    fn peer(number: usize) -> SocketAddr {
        let [.., a, b] = u32::try_from(number).unwrap().to_be_bytes();
        SocketAddr::from(([10, 0, a, b], 1000))
    }

    /// What a datagram of this peer leads to.
    fn come(udp: &mut UserUdp, at: u64, from: SocketAddr) -> Vec<FoundUdp> {
        let mut found = Vec::new();
        let now = Timestamp(Duration::from_secs(at));
        udp.on_datagram(now, PORT, (from, None), vec![1], &mut |one| found.push(one));
        found
    }

    fn began(found: &[FoundUdp]) -> AssociationId {
        let Some(FoundUdp::Began { association, .. }) = found.iter().rev().nth(1) else {
            panic!("{found:?}");
        };
        *association
    }

    fn is_received(found: &[FoundUdp]) -> bool {
        matches!(found, [FoundUdp::Received { .. }])
    }

    fn listening() -> UserUdp {
        UserUdp {
            listening: Some(PORT),
            ..UserUdp::new(&[], IDLE_AFTER)
        }
    }

    /// One whose other end has answered.
    fn come_to_stay(udp: &mut UserUdp, at: u64, from: SocketAddr) {
        let association = began(&come(udp, at, from));
        udp.flows.get_mut(&association).unwrap().is_answered = true;
        assert!(is_received(&come(udp, at, from)));
    }

    #[test]
    fn a_flood_of_addresses_takes_the_place_of_strangers_alone() {
        let mut udp = listening();
        come_to_stay(&mut udp, 1, peer(0));
        let oldest = began(&come(&mut udp, 1, peer(1)));
        for number in 2..=STRANGERS_MAX {
            assert_eq!(come(&mut udp, 1, peer(number)).len(), 2);
        }
        let found = come(&mut udp, 1, peer(STRANGERS_MAX + 1));
        assert_eq!(
            found[0],
            FoundUdp::Idle {
                association: oldest
            }
        );
        for number in 0..10 * STRANGERS_MAX {
            come(&mut udp, 2, peer(2 * STRANGERS_MAX + number));
        }
        assert_eq!(udp.len(), STRANGERS_MAX + 1);
        assert_eq!(udp.by_address.len(), STRANGERS_MAX + 1);
        assert!(is_received(&come(&mut udp, 3, peer(0))));
    }

    #[test]
    fn when_there_are_too_many_users_those_that_are_silent_go() {
        let mut udp = listening();
        for number in 0..ACCEPTED_MAX {
            come_to_stay(&mut udp, 1, peer(number));
        }
        let one_more = peer(ACCEPTED_MAX);
        let refused = [FoundUdp::Refused { peer: one_more }];
        assert_eq!(come(&mut udp, 2, one_more), refused);
        assert!(is_received(&come(&mut udp, 8, peer(7))));
        // All have been silent for ten seconds but one.
        let found = come(&mut udp, 12, one_more);
        assert_eq!(found.len(), ACCEPTED_MAX - 1 + 2);
        assert_eq!(udp.len(), 2);
        assert!(is_received(&come(&mut udp, 12, peer(7))));
    }

    #[test]
    fn a_flow_that_is_silent_ends_and_the_next_datagram_begins_another() {
        let mut udp = listening();
        let association = began(&come(&mut udp, 0, peer(1)));
        let mut found = Vec::new();
        udp.sweep(Timestamp(IDLE_AFTER - Duration::from_secs(1)), |one| {
            found.push(one);
        });
        assert_eq!(found, []);
        udp.sweep(Timestamp(IDLE_AFTER), |one| found.push(one));
        assert_eq!(found, [FoundUdp::Idle { association }]);
        assert_eq!(come(&mut udp, 301, peer(1)).len(), 2);
    }

    #[test]
    fn who_does_not_listen_hears_only_whom_it_speaks_to() {
        let mut udp = UserUdp::new(&[], IDLE_AFTER);
        assert_eq!(come(&mut udp, 0, peer(1)), []);
        let flow = Flow {
            port: PORT,
            peer: peer(1),
            local: None,
            is_accepted: false,
            is_answered: false,
            heard: Timestamp::ZERO,
        };
        udp.begin(flow);
        assert!(is_received(&come(&mut udp, 0, peer(1))));
        assert_eq!(come(&mut udp, 0, peer(2)), []);
    }

    #[tokio::test]
    async fn each_flow_begins_from_a_port_of_its_own_which_goes_with_it() {
        let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
        let mut udp = UserUdp::new(&[loopback], IDLE_AFTER);
        let to = SocketAddr::new(loopback, 9);
        let mut begin = || udp.connect(Timestamp::ZERO, to).unwrap().unwrap();
        let (one, other) = (begin(), begin());
        let ports: BTreeSet<_> = udp.ports.values().map(UdpSockets::port).collect();
        assert_eq!(ports.len(), 2);
        assert!(udp.end(one) && udp.end(other) && !udp.end(one));
        assert!(udp.ports.is_empty());
    }
}
