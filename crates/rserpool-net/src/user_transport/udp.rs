//! The data channel over UDP: each message a datagram, and all those between two addresses a flow,
//! which is an association to all above. Nothing tells that a flow begins or ends.

use super::{UDP_IDLE_AFTER, USER_UDP};
use crate::error::NetError;
use crate::error_queue::Unreachable;
use crate::udp::{Arrival, Port, UdpSockets};
use rserpool_core::{AssociationId, Timestamp};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

/// Flows that others began, at one time. Anybody can begin one, under any address.
const ACCEPTED_MAX: usize = 4096;

/// When there are as many, those that have said nothing for so long go.
const IDLE_WHEN_FULL: Duration = Duration::from_secs(10);

/// How often they are looked for.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Ports of our own from which flows begin: one suffices unless several lead to one address.
const PORTS_MAX: usize = 256;

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
#[derive(Default)]
pub(crate) struct UserUdp {
    next: u64,
    flows: BTreeMap<AssociationId, Flow>,
    by_address: BTreeMap<(usize, SocketAddr), AssociationId>,
    ports: Vec<UdpSockets>,
    /// Where others may begin flows.
    listening: Option<usize>,
    accepted: usize,
    swept_at: Timestamp,
    addresses: Vec<IpAddr>,
}

struct Flow {
    port: usize,
    peer: SocketAddr,
    /// Our address, where it is known.
    local: Option<IpAddr>,
    is_accepted: bool,
    heard: Timestamp,
}

impl UserUdp {
    pub(crate) fn new(addresses: &[IpAddr]) -> Self {
        Self {
            next: USER_UDP,
            addresses: addresses.to_vec(),
            ..Self::default()
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
        self.listening = Some(self.ports.len());
        self.ports.push(sockets);
        Ok(port)
    }

    /// Takes no more pool users.
    pub(crate) fn stop_listening(&mut self) {
        self.listening = None;
    }

    /// With more addresses of a family, answers come from the one that was asked.
    pub(crate) fn on_local_addresses(&mut self, addresses: &[IpAddr]) {
        for port in &mut self.ports {
            port.on_local_addresses(addresses);
        }
    }

    /// Begins a flow; `None`: there are too many that lead there.
    ///
    /// # Errors
    /// A port that cannot be had.
    pub(crate) fn connect(
        &mut self,
        now: Timestamp,
        peer: SocketAddr,
    ) -> Result<Option<AssociationId>, NetError> {
        let port = self.port_toward(peer)?;
        let flow = |port| Flow {
            port,
            peer,
            local: None,
            is_accepted: false,
            heard: now,
        };
        Ok(port.map(|port| self.begin(flow(port))))
    }

    /// One of our ports from which no flow leads there yet.
    fn port_toward(&mut self, peer: SocketAddr) -> Result<Option<usize>, NetError> {
        let own = (0..self.ports.len()).filter(|port| self.listening != Some(*port));
        let mut free = own.filter(|&port| !self.by_address.contains_key(&(port, peer)));
        if let Some(port) = free.next() {
            return Ok(Some(port));
        }
        if self.ports.len() >= PORTS_MAX {
            return Ok(None);
        }
        let (sockets, _) = UdpSockets::bind(&self.addresses, Port::Any)?;
        self.ports.push(sockets);
        Ok(Some(self.ports.len() - 1))
    }

    fn begin(&mut self, flow: Flow) -> AssociationId {
        self.next += 1;
        let association = AssociationId(self.next);
        self.by_address.insert((flow.port, flow.peer), association);
        self.accepted += usize::from(flow.is_accepted);
        self.flows.insert(association, flow);
        association
    }

    /// Forgets a flow; whether there was one.
    pub(crate) fn end(&mut self, association: AssociationId) -> bool {
        let Some(flow) = self.flows.remove(&association) else {
            return false;
        };
        self.by_address.remove(&(flow.port, flow.peer));
        self.accepted -= usize::from(flow.is_accepted);
        true
    }

    /// Sends a datagram; false: there is no such flow.
    pub(crate) fn send(&mut self, association: AssociationId, octets: Vec<u8>) -> bool {
        let Some(flow) = self.flows.get(&association) else {
            return false;
        };
        self.ports[flow.port].send(flow.local, flow.peer, octets);
        true
    }

    pub(crate) fn flush(&mut self) {
        for port in &mut self.ports {
            port.flush();
        }
    }

    /// Whether something waits until the sockets take more: then flush again soon.
    pub(crate) fn has_backlog(&self) -> bool {
        self.ports.iter().any(UdpSockets::has_backlog)
    }

    pub(crate) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let polls = self.ports.iter_mut().map(|port| port.poll_ready(context));
        // Every one is polled, so that every one wakes.
        match polls.filter(Poll::is_ready).count() {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ports.iter().any(UdpSockets::is_ready)
    }

    /// Takes what the sockets have.
    pub(crate) fn receive(&mut self, now: Timestamp, mut found: impl FnMut(FoundUdp)) {
        for port in 0..self.ports.len() {
            if !self.ports[port].is_ready() {
                continue;
            }
            let mut arrived = Vec::new();
            self.ports[port].receive(|arrival| {
                arrived.push(match arrival {
                    Arrival::Datagram { from, to, octets } => Ok((from, to, octets.to_vec())),
                    Arrival::Unreachable(Unreachable { to, .. }) => Err(to),
                });
            });
            for arrival in arrived {
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
    }

    fn on_datagram(
        &mut self,
        now: Timestamp,
        port: usize,
        (peer, local): (SocketAddr, Option<IpAddr>),
        octets: Vec<u8>,
        found: &mut impl FnMut(FoundUdp),
    ) {
        if let Some(&association) = self.by_address.get(&(port, peer)) {
            if let Some(flow) = self.flows.get_mut(&association) {
                flow.heard = now;
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
            heard: now,
        });
        found(FoundUdp::Began { association, peer });
        found(FoundUdp::Received {
            association,
            octets,
        });
    }

    /// Ends the flows of which nothing has come for [`UDP_IDLE_AFTER`]. To be called now and then.
    pub(crate) fn sweep(&mut self, now: Timestamp, mut found: impl FnMut(FoundUdp)) {
        self.end_idle(now, UDP_IDLE_AFTER, &mut found);
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

    const PORT: usize = 0;

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

    fn full() -> UserUdp {
        let mut udp = UserUdp {
            listening: Some(PORT),
            ..UserUdp::new(&[])
        };
        for number in 0..ACCEPTED_MAX {
            assert_eq!(come(&mut udp, 1, peer(number)).len(), 2);
        }
        udp
    }

    #[test]
    fn a_flood_of_addresses_fills_the_limit_and_no_more_and_hurts_no_flow_that_is_used() {
        let mut udp = full();
        for number in ACCEPTED_MAX..ACCEPTED_MAX + 1000 {
            let peer = peer(number);
            assert_eq!(come(&mut udp, 2, peer), [FoundUdp::Refused { peer }]);
        }
        assert_eq!(
            (udp.len(), udp.by_address.len()),
            (ACCEPTED_MAX, ACCEPTED_MAX)
        );
        let used = come(&mut udp, 8, peer(7));
        assert!(matches!(used[..], [FoundUdp::Received { .. }]), "{used:?}");
        // All have been silent for ten seconds but one.
        let found = come(&mut udp, 12, peer(ACCEPTED_MAX));
        assert_eq!(found.len(), ACCEPTED_MAX - 1 + 2);
        assert_eq!(udp.len(), 2);
        let used = come(&mut udp, 12, peer(7));
        assert!(matches!(used[..], [FoundUdp::Received { .. }]), "{used:?}");
    }

    #[test]
    fn a_flow_that_is_silent_ends_and_the_next_datagram_begins_another() {
        let mut udp = UserUdp {
            listening: Some(PORT),
            ..UserUdp::new(&[])
        };
        let [FoundUdp::Began { association, .. }, _] = come(&mut udp, 0, peer(1))[..] else {
            panic!("the first datagram begins a flow");
        };
        let mut found = Vec::new();
        let idle = Timestamp(UDP_IDLE_AFTER);
        udp.sweep(Timestamp(UDP_IDLE_AFTER - Duration::from_secs(1)), |one| {
            found.push(one)
        });
        assert_eq!(found, []);
        udp.sweep(idle, |one| found.push(one));
        assert_eq!(found, [FoundUdp::Idle { association }]);
        assert_eq!(come(&mut udp, 301, peer(1)).len(), 2);
    }

    #[test]
    fn who_does_not_listen_hears_only_whom_it_speaks_to() {
        let mut udp = UserUdp::new(&[]);
        assert_eq!(come(&mut udp, 0, peer(1)), []);
        let flow = Flow {
            port: PORT,
            peer: peer(1),
            local: None,
            is_accepted: false,
            heard: Timestamp::ZERO,
        };
        udp.begin(flow);
        assert_eq!(come(&mut udp, 0, peer(1)).len(), 1);
        assert_eq!(come(&mut udp, 0, peer(2)), []);
    }
}
