//! User-space SCTP over UDP (RFC 6951), and over IP itself where that is allowed: the endpoint of
//! `rserpool-sctp` on real sockets, and ICMP.
//!
//! Every decision about associations is the endpoint's; this carries octets and time to it.

use crate::error::NetError;
use crate::error_queue::Unreachable;
use crate::heard_until::HeardUntil;
use crate::network::PeerAddresses;
use crate::raw_ip::RawSockets;
use crate::udp::{Arrival, UDP_ENCAPSULATION_PORT, UdpSockets, UdpStatistics};
use rserpool_core::AssociationId;
use rserpool_sctp::{
    Config, ConnectError, Endpoint, Event, Outgoing, PathState, Remote, SendError, Statistics,
    Timestamp, Transmit,
};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;
use std::time::Duration;

/// When to try again to send what the sockets did not take.
const BACKLOG_RETRY: Duration = Duration::from_millis(1);

/// Endpoints of one node. Two associations with one peer need two of them, as an association is
/// known by addresses and ports; each costs a descriptor and its socket buffers.
const ENDPOINTS_MAX: usize = 256;

/// The endpoint of registrars among themselves, in the numbers of associations.
const ENRP_ENDPOINT: usize = ENDPOINTS_MAX;

/// A node's number of an association: the endpoint's own below this bit, the endpoint above it.
const ENDPOINT_SHIFT: u32 = 40;

/// Above this bit: how often the peer has lost its state. The topmost bit is TCP's.
const RESTARTS_SHIFT: u32 = 49;

/// An association whose peer lost its state more often is aborted.
const RESTARTS_MAX: u64 = (1 << (63 - RESTARTS_SHIFT)) - 1;

/// The SCTP endpoints of a node, each with its UDP port. The first is the one that others know;
/// further ones are for further associations with a peer.
pub(crate) struct SctpOverUdp {
    ports: Vec<Port>,
    /// How often the peers of associations have lost their state; those that never did are not
    /// in here. By the number that the association had at first.
    restarts: BTreeMap<AssociationId, u64>,
}

struct Port {
    endpoint: Endpoint,
    /// Shares the UDP port, at an SCTP port of its own.
    enrp: Option<Endpoint>,
    sockets: UdpSockets,
    retry_at: Option<Timestamp>,
    heard_until: HeardUntil,
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
        let mut endpoints = Self {
            ports: Vec::new(),
            restarts: BTreeMap::new(),
        };
        endpoints.add(config, seed, sockets);
        endpoints
    }

    /// Adds the endpoint of registrars among themselves, at the UDP port that others know. Its
    /// SCTP port must not be the other endpoint's.
    pub(crate) fn add_enrp(&mut self, config: Config, seed: [u8; 32]) {
        self.ports[0].enrp = Some(Endpoint::new(config, seed));
    }

    /// Adds an endpoint for further associations with peers that all others know already.
    pub(crate) fn add(&mut self, config: Config, seed: [u8; 32], mut sockets: UdpSockets) {
        sockets.on_local_addresses(&config.local_addresses);
        let endpoint = Endpoint::new(config, seed);
        self.ports.push(Port {
            endpoint,
            enrp: None,
            sockets,
            retry_at: None,
            heard_until: HeardUntil::default(),
        });
    }

    /// Opens raw IP sockets for the SCTP ports of the endpoints that others know: then peers are
    /// reached, and reach us, without encapsulation too.
    ///
    /// # Errors
    /// See [`RawSockets::open`]; all is as before.
    pub(crate) fn open_raw_ip(&mut self, addresses: &[IpAddr]) -> Result<(), NetError> {
        self.ports[0].open_raw_ip(addresses)
    }

    /// Whether peers are reached without encapsulation.
    pub(crate) fn has_raw_ip(&self) -> bool {
        self.ports[0].sockets.has_raw()
    }

    /// Our addresses, for associations that begin from now on; empty: whichever a peer sees.
    pub(crate) fn set_local_addresses(&mut self, addresses: &[IpAddr]) {
        for port in &mut self.ports {
            port.sockets.on_local_addresses(addresses);
            for endpoint in std::iter::once(&mut port.endpoint).chain(&mut port.enrp) {
                endpoint.set_local_addresses(addresses.to_vec());
            }
        }
    }

    /// Where to look for a peer. Of one that names no encapsulation port it is not known whether
    /// it has the registered one or none: both are tried at once.
    pub(crate) fn candidates(
        &self,
        addresses: &[IpAddr],
        udp_port: Option<u16>,
    ) -> Vec<SocketAddr> {
        let udp = udp_port.unwrap_or(UDP_ENCAPSULATION_PORT);
        let raw = (udp_port.is_none() && self.has_raw_ip()).then_some(0);
        let ports = || std::iter::once(udp).chain(raw);
        let at = |&ip| ports().map(move |port| SocketAddr::new(ip, port));
        let candidates = addresses.iter().flat_map(at);
        candidates.take(rserpool_sctp::CANDIDATES_MAX).collect()
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
        for port in &mut self.ports {
            port.receive(now, &mut unreachable);
        }
    }

    /// The next event, its association numbered as the node does.
    pub(crate) fn poll_event(&mut self) -> Option<(AssociationId, Event)> {
        let mut endpoints = self.ports.iter_mut().enumerate();
        let (index, event) = endpoints.find_map(|(index, port)| {
            let of_enrp = |enrp: &mut Endpoint| Some((ENRP_ENDPOINT, enrp.poll_event()?));
            let event = port.endpoint.poll_event().map(|event| (index, event));
            event.or_else(|| port.enrp.as_mut().and_then(of_enrp))
        })?;
        let (Event::Up { association, .. }
        | Event::Restarted { association, .. }
        | Event::Message { association, .. }
        | Event::ShutdownByPeer { association }
        | Event::Path { association, .. }
        | Event::SendFailed { association, .. }
        | Event::Down { association, .. }) = &event;
        let number = self.number(index, *association);
        if let Event::Down { .. } = event {
            self.restarts.remove(&first_number(index, *association));
        }
        Some((number, event))
    }

    /// The number of an association from now on, as its peer has lost its state: above the
    /// transport a number means one peer and what it knows. `None`: it has had too many.
    pub(crate) fn renumber(&mut self, association: AssociationId) -> Option<AssociationId> {
        let (index, own) = split(association);
        let restarts = self.restarts.entry(first_number(index, own)).or_default();
        if *restarts >= RESTARTS_MAX {
            return None;
        }
        *restarts += 1;
        Some(self.number(index, own))
    }

    /// Takes no more associations that others begin. Those of registrars among themselves are
    /// not meant.
    pub(crate) fn stop_listening(&mut self) {
        for port in &mut self.ports {
            port.endpoint.stop_listening();
        }
    }

    /// Whether the endpoint of an association takes such as others begin.
    pub(crate) fn listens(&self, association: AssociationId) -> bool {
        self.find(association)
            .is_some_and(|(endpoint, _)| endpoint.config().listen)
    }

    /// Sends every datagram that the endpoints have.
    pub(crate) fn flush(&mut self, now: Timestamp) {
        for port in &mut self.ports {
            port.sockets.flush();
            for endpoint in std::iter::once(&mut port.endpoint).chain(&mut port.enrp) {
                while let Some(transmit) = endpoint.poll_transmit() {
                    let Transmit { from, to, payload } = transmit;
                    port.sockets.send(from, to, payload);
                }
            }
            port.retry_at = port.sockets.has_backlog().then(|| now + BACKLOG_RETRY);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        let retries = self.ports.iter().filter_map(|port| port.retry_at);
        let timeouts = self.endpoints().filter_map(Endpoint::poll_timeout);
        timeouts.chain(retries).min()
    }

    /// Begins an association from the first endpoint that has none with this peer.
    pub(crate) fn connect(
        &mut self,
        now: Timestamp,
        remote: &Remote,
    ) -> Result<AssociationId, NoAssociation> {
        for (index, port) in self.ports.iter_mut().enumerate() {
            match port.endpoint.connect(now, remote.clone()) {
                Ok(association) => return Ok(first_number(index, association)),
                Err(ConnectError::AlreadyAssociated(_)) => {}
                Err(error) => return Err(NoAssociation::Refused(error)),
            }
        }
        Err(NoAssociation::AllAssociated)
    }

    /// Begins an association from the SCTP port that clients know.
    pub(crate) fn connect_from_first(
        &mut self,
        now: Timestamp,
        remote: Remote,
    ) -> Result<AssociationId, ConnectError> {
        let association = self.ports[0].endpoint.connect(now, remote)?;
        Ok(first_number(0, association))
    }

    /// Begins an association from the SCTP port that other registrars know, if there is one.
    pub(crate) fn connect_from_enrp(
        &mut self,
        now: Timestamp,
        remote: Remote,
    ) -> Option<Result<AssociationId, ConnectError>> {
        let enrp = self.ports[0].enrp.as_mut()?;
        let begun = enrp.connect(now, remote);
        Some(begun.map(|association| first_number(ENRP_ENDPOINT, association)))
    }

    pub(crate) fn send(
        &mut self,
        now: Timestamp,
        association: AssociationId,
        outgoing: Outgoing,
    ) -> Result<(), SendError> {
        let (endpoint, association) = self
            .find_mut(association)
            .ok_or(SendError::UnknownAssociation)?;
        endpoint.send(now, association, outgoing)
    }

    pub(crate) fn shutdown(&mut self, now: Timestamp, association: AssociationId) {
        if let Some((endpoint, association)) = self.find_mut(association) {
            endpoint.shutdown(now, association);
        }
    }

    pub(crate) fn abort(&mut self, now: Timestamp, association: AssociationId, reason: &str) {
        if let Some((endpoint, association)) = self.find_mut(association) {
            endpoint.abort(now, association, reason);
        }
    }

    /// Leaves the messages of an association in its receive window.
    pub(crate) fn hold(&mut self, association: AssociationId) {
        if let Some((endpoint, association)) = self.find_mut(association) {
            endpoint.hold(association);
        }
    }

    /// Takes them again.
    pub(crate) fn release(&mut self, now: Timestamp, association: AssociationId) {
        if let Some((endpoint, association)) = self.find_mut(association) {
            endpoint.release(now, association);
        }
    }

    pub(crate) fn probe(&mut self, now: Timestamp, association: AssociationId) {
        if let Some((endpoint, association)) = self.find_mut(association) {
            endpoint.probe(now, association);
        }
    }

    pub(crate) fn send_queue_octets(&self, association: AssociationId) -> usize {
        let found = self.find(association);
        found.map_or(0, |(endpoint, association)| {
            endpoint.send_queue_octets(association)
        })
    }

    pub(crate) fn associations(&self) -> usize {
        self.endpoints().map(Endpoint::associations).sum()
    }

    pub(crate) fn remote(&self, association: AssociationId) -> Option<SocketAddr> {
        let (endpoint, association) = self.find(association)?;
        endpoint.remote(association)
    }

    /// The addresses of a peer that is at `remote`: that one, and the others that it has named.
    pub(crate) fn peer_addresses(
        &self,
        association: AssociationId,
        remote: SocketAddr,
    ) -> PeerAddresses {
        let mut addresses = PeerAddresses::default();
        addresses.add(remote.ip(), true);
        if let Some((endpoint, association)) = self.find(association) {
            for path in endpoint.paths(association) {
                let is_confirmed = path.state != PathState::Unconfirmed;
                addresses.add(path.remote.ip(), is_confirmed);
            }
        }
        addresses
    }

    /// Our addresses that peers on other hosts are told; empty where there is but one.
    pub(crate) fn local_addresses(&self) -> &[IpAddr] {
        &self.config().local_addresses
    }

    pub(crate) fn peer_tag(&self, association: AssociationId) -> Option<u32> {
        let (endpoint, association) = self.find(association)?;
        endpoint.peer_tag(association)
    }

    pub(crate) fn association_by_local_tag(&self, tag: u32) -> Option<AssociationId> {
        let ports = self.ports.iter().enumerate();
        let endpoints = ports.map(|(index, port)| (index, &port.endpoint));
        let enrp = self.ports[0].enrp.as_ref();
        let mut endpoints = endpoints.chain(enrp.map(|enrp| (ENRP_ENDPOINT, enrp)));
        endpoints.find_map(|(index, endpoint)| {
            Some(self.number(index, endpoint.association_by_local_tag(tag)?))
        })
    }

    /// The counters of the endpoint that others know, of that of registrars among themselves, and
    /// of their sockets.
    pub(crate) fn statistics(&self) -> (Statistics, Statistics, UdpStatistics) {
        let Port {
            endpoint,
            enrp,
            sockets,
            ..
        } = &self.ports[0];
        let enrp = enrp.as_ref().map(Endpoint::statistics);
        let sctp = endpoint.statistics();
        (sctp, enrp.unwrap_or_default(), sockets.statistics())
    }

    fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        let ports = self.ports.iter();
        ports.flat_map(|port| std::iter::once(&port.endpoint).chain(&port.enrp))
    }

    fn find(
        &self,
        association: AssociationId,
    ) -> Option<(&Endpoint, rserpool_sctp::AssociationId)> {
        let (index, own) = split(association);
        if self.number(index, own) != association {
            return None;
        }
        let endpoint = match index {
            ENRP_ENDPOINT => self.ports[0].enrp.as_ref()?,
            _ => &self.ports.get(index)?.endpoint,
        };
        Some((endpoint, own))
    }

    fn find_mut(
        &mut self,
        association: AssociationId,
    ) -> Option<(&mut Endpoint, rserpool_sctp::AssociationId)> {
        let (index, own) = split(association);
        if self.number(index, own) != association {
            return None;
        }
        let endpoint = match index {
            ENRP_ENDPOINT => self.ports[0].enrp.as_mut()?,
            _ => &mut self.ports.get_mut(index)?.endpoint,
        };
        Some((endpoint, own))
    }

    /// The number that an association has now.
    fn number(&self, index: usize, own: rserpool_sctp::AssociationId) -> AssociationId {
        let first = first_number(index, own);
        let restarts = self.restarts.get(&first).copied().unwrap_or_default();
        AssociationId(first.0 | restarts << RESTARTS_SHIFT)
    }
}

impl Port {
    fn open_raw_ip(&mut self, addresses: &[IpAddr]) -> Result<(), NetError> {
        let endpoints = std::iter::once(&self.endpoint).chain(&self.enrp);
        let sctp_ports: Vec<_> = endpoints
            .map(|endpoint| endpoint.config().sctp_port)
            .collect();
        let raw = RawSockets::open(addresses, &sctp_ports)?;
        self.sockets.add_raw(raw)
    }

    fn receive(&mut self, now: Timestamp, unreachable: &mut impl FnMut(SocketAddr)) {
        let Self {
            endpoint,
            enrp,
            sockets,
            heard_until,
            ..
        } = self;
        sockets.receive(|arrival| match arrival {
            Arrival::Datagram { from, to, octets } => {
                let port = sctp_port(octets, DESTINATION_PORT_AT);
                if let Some(endpoint) = whose(endpoint, enrp, port, is_encapsulated(from)) {
                    endpoint.handle_datagram(now, from, to, octets);
                }
            }
            Arrival::Unreachable(found) => {
                let Unreachable { to, original } = found;
                // Who is tried without encapsulation too may well not have it.
                if is_encapsulated(to) {
                    unreachable(to);
                }
                let port = sctp_port(&original, SOURCE_PORT_AT);
                if let Some(endpoint) = whose(endpoint, enrp, port, is_encapsulated(to)) {
                    endpoint.handle_unreachable(now, to, &original);
                }
            }
        });
        heard_until.after_turn(now.0, sockets.is_ready());
        for endpoint in std::iter::once(endpoint).chain(enrp) {
            let deadline = endpoint.poll_timeout();
            if deadline.is_some_and(|at| heard_until.is_past(at.0)) {
                endpoint.handle_timeout(now);
            }
        }
    }
}

/// The endpoint that has this SCTP port. What is for none comes to us alone over UDP, and the
/// first endpoint refuses it; over IP it may be another process's, or its answer.
fn whose<'a>(
    first: &'a mut Endpoint,
    enrp: &'a mut Option<Endpoint>,
    sctp_port: Option<u16>,
    is_encapsulated: bool,
) -> Option<&'a mut Endpoint> {
    match enrp {
        Some(enrp) if sctp_port == Some(enrp.config().sctp_port) => Some(enrp),
        Some(_) | None if is_encapsulated => Some(first),
        Some(_) | None => Some(first).filter(|first| sctp_port == Some(first.config().sctp_port)),
    }
}

fn is_encapsulated(remote: SocketAddr) -> bool {
    remote.port() != 0
}

/// RFC 9260 §3.1.
const SOURCE_PORT_AT: usize = 0;
const DESTINATION_PORT_AT: usize = 2;

fn sctp_port(packet: &[u8], at: usize) -> Option<u16> {
    let port = packet.get(at..)?.first_chunk()?;
    Some(u16::from_be_bytes(*port))
}

/// The number that an association has as long as its peer keeps its state.
fn first_number(index: usize, association: rserpool_sctp::AssociationId) -> AssociationId {
    let index = u64::try_from(index).expect("ENDPOINTS_MAX fits 64 bits");
    AssociationId(index << ENDPOINT_SHIFT | association.0)
}

fn split(association: AssociationId) -> (usize, rserpool_sctp::AssociationId) {
    let index = association.0 >> ENDPOINT_SHIFT & ((1 << (RESTARTS_SHIFT - ENDPOINT_SHIFT)) - 1);
    let index = usize::try_from(index).expect("nine bits");
    let own = association.0 & ((1 << ENDPOINT_SHIFT) - 1);
    (index, rserpool_sctp::AssociationId(own))
}
