//! User-space SCTP over UDP (RFC 6951): the endpoint of `rserpool-sctp` on real sockets, and ICMP.
//!
//! Every decision about associations is the endpoint's; this carries octets and time to it.

use crate::udp::{Arrival, UdpSockets, UdpStatistics};
use rserpool_core::AssociationId;
use rserpool_sctp::{
    Config, ConnectError, Endpoint, Event, Outgoing, Remote, SendError, Statistics, Timestamp,
};
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;
use std::time::Duration;

/// When to try again to send what the sockets did not take.
const BACKLOG_RETRY: Duration = Duration::from_millis(1);

/// Endpoints of one node. Two associations with one peer need two of them, as an association is
/// known by addresses and ports; each costs a descriptor and its socket buffers.
const ENDPOINTS_MAX: usize = 256;

/// A node's number of an association: the endpoint above this bit, the endpoint's own below.
const ENDPOINT_SHIFT: u32 = 40;

/// The SCTP endpoints of a node, each with its UDP port. The first is the one that others know;
/// further ones are for further associations with a peer.
pub(crate) struct SctpOverUdp {
    ports: Vec<Port>,
}

struct Port {
    endpoint: Endpoint,
    sockets: UdpSockets,
    retry_at: Option<Timestamp>,
}

/// Why no association was begun.
pub(crate) enum NoAssociation {
    /// Another endpoint is needed: see [`SctpOverUdp::add`].
    AllAssociated,
    /// It cannot be.
    Refused(ConnectError),
}

impl SctpOverUdp {
    pub(crate) fn new(config: Config, seed: [u8; 32], sockets: UdpSockets) -> Self {
        let mut endpoints = Self { ports: Vec::new() };
        endpoints.add(config, seed, sockets);
        endpoints
    }

    /// Adds an endpoint for further associations with peers that all others know already.
    pub(crate) fn add(&mut self, config: Config, seed: [u8; 32], sockets: UdpSockets) {
        let endpoint = Endpoint::new(config, seed);
        self.ports.push(Port {
            endpoint,
            sockets,
            retry_at: None,
        });
    }

    pub(crate) fn is_full(&self) -> bool {
        self.ports.len() >= ENDPOINTS_MAX
    }

    pub(crate) fn config(&self) -> &Config {
        self.ports[0].endpoint.config()
    }

    pub(crate) fn udp_port(&self) -> u16 {
        self.ports[0].sockets.port()
    }

    /// The addresses of the UDP sockets; unspecified where they are bound to all.
    pub(crate) fn udp_addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.ports[0].sockets.addresses()
    }

    /// Waits until a socket has something. Cancelling loses nothing.
    pub(crate) async fn ready(&mut self) {
        poll_fn(|context| {
            let polls = self
                .ports
                .iter_mut()
                .map(|port| port.sockets.poll_ready(context));
            // Every one is polled, so that every one wakes.
            let ready = polls.filter(Poll::is_ready).count();
            if ready > 0 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Whether a socket has more than was received.
    pub(crate) fn is_ready(&self) -> bool {
        self.ports.iter().any(|port| port.sockets.is_ready())
    }

    /// Hands the endpoints what the sockets have, and the time.
    pub(crate) fn receive(&mut self, now: Timestamp, mut unreachable: impl FnMut(SocketAddr)) {
        for Port {
            endpoint, sockets, ..
        } in &mut self.ports
        {
            sockets.receive(|arrival| match arrival {
                Arrival::Datagram { from, octets } => endpoint.handle_datagram(now, from, octets),
                Arrival::Unreachable(found) => {
                    unreachable(found.to);
                    endpoint.handle_unreachable(now, found.to, &found.original);
                }
            });
            if endpoint.poll_timeout().is_some_and(|at| at <= now) {
                endpoint.handle_timeout(now);
            }
        }
    }

    /// The next event, its association numbered as the node does.
    pub(crate) fn poll_event(&mut self) -> Option<(AssociationId, Event)> {
        self.ports.iter_mut().enumerate().find_map(|(index, port)| {
            let event = port.endpoint.poll_event()?;
            let own = match &event {
                Event::Up { association, .. }
                | Event::Restarted { association, .. }
                | Event::Message { association, .. }
                | Event::ShutdownByPeer { association }
                | Event::SendFailed { association, .. }
                | Event::Down { association, .. } => number(index, *association),
            };
            Some((own, event))
        })
    }

    /// Sends every datagram that the endpoints have.
    pub(crate) fn flush(&mut self, now: Timestamp) {
        for Port {
            endpoint,
            sockets,
            retry_at,
        } in &mut self.ports
        {
            sockets.flush();
            while let Some(transmit) = endpoint.poll_transmit() {
                sockets.send(transmit.to, transmit.payload);
            }
            *retry_at = sockets.has_backlog().then(|| now + BACKLOG_RETRY);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        let ports = self.ports.iter();
        ports
            .flat_map(|port| {
                port.endpoint
                    .poll_timeout()
                    .into_iter()
                    .chain(port.retry_at)
            })
            .min()
    }

    /// Begins an association from the first endpoint that has none with this peer.
    pub(crate) fn connect(
        &mut self,
        now: Timestamp,
        remote: &Remote,
    ) -> Result<AssociationId, NoAssociation> {
        for (index, port) in self.ports.iter_mut().enumerate() {
            match port.endpoint.connect(now, remote.clone()) {
                Ok(association) => return Ok(number(index, association)),
                Err(ConnectError::AlreadyAssociated(_)) => {}
                Err(error) => return Err(NoAssociation::Refused(error)),
            }
        }
        Err(NoAssociation::AllAssociated)
    }

    pub(crate) fn send(
        &mut self,
        now: Timestamp,
        association: AssociationId,
        outgoing: Outgoing,
    ) -> Result<(), SendError> {
        let (port, association) = self
            .find_mut(association)
            .ok_or(SendError::UnknownAssociation)?;
        port.endpoint.send(now, association, outgoing)
    }

    pub(crate) fn shutdown(&mut self, now: Timestamp, association: AssociationId) {
        if let Some((port, association)) = self.find_mut(association) {
            port.endpoint.shutdown(now, association);
        }
    }

    pub(crate) fn abort(&mut self, now: Timestamp, association: AssociationId, reason: &str) {
        if let Some((port, association)) = self.find_mut(association) {
            port.endpoint.abort(now, association, reason);
        }
    }

    pub(crate) fn probe(&mut self, now: Timestamp, association: AssociationId) {
        if let Some((port, association)) = self.find_mut(association) {
            port.endpoint.probe(now, association);
        }
    }

    pub(crate) fn send_queue_octets(&self, association: AssociationId) -> usize {
        let found = self.find(association);
        found.map_or(0, |(port, association)| {
            port.endpoint.send_queue_octets(association)
        })
    }

    pub(crate) fn associations(&self) -> usize {
        self.ports
            .iter()
            .map(|port| port.endpoint.associations())
            .sum()
    }

    pub(crate) fn remote(&self, association: AssociationId) -> Option<SocketAddr> {
        let (port, association) = self.find(association)?;
        port.endpoint.remote(association)
    }

    pub(crate) fn peer_tag(&self, association: AssociationId) -> Option<u32> {
        let (port, association) = self.find(association)?;
        port.endpoint.peer_tag(association)
    }

    pub(crate) fn association_by_local_tag(&self, tag: u32) -> Option<AssociationId> {
        self.ports.iter().enumerate().find_map(|(index, port)| {
            Some(number(index, port.endpoint.association_by_local_tag(tag)?))
        })
    }

    /// The counters of the endpoint that others know.
    pub(crate) fn statistics(&self) -> (Statistics, UdpStatistics) {
        (
            self.ports[0].endpoint.statistics(),
            self.ports[0].sockets.statistics(),
        )
    }

    fn find(&self, association: AssociationId) -> Option<(&Port, rserpool_sctp::AssociationId)> {
        let (index, own) = split(association)?;
        Some((self.ports.get(index)?, own))
    }

    fn find_mut(
        &mut self,
        association: AssociationId,
    ) -> Option<(&mut Port, rserpool_sctp::AssociationId)> {
        let (index, own) = split(association)?;
        Some((self.ports.get_mut(index)?, own))
    }
}

fn number(index: usize, association: rserpool_sctp::AssociationId) -> AssociationId {
    let index = u64::try_from(index).expect("ENDPOINTS_MAX fits 64 bits");
    AssociationId(index << ENDPOINT_SHIFT | association.0)
}

fn split(association: AssociationId) -> Option<(usize, rserpool_sctp::AssociationId)> {
    let index = usize::try_from(association.0 >> ENDPOINT_SHIFT).ok()?;
    let own = association.0 & ((1 << ENDPOINT_SHIFT) - 1);
    Some((index, rserpool_sctp::AssociationId(own)))
}
