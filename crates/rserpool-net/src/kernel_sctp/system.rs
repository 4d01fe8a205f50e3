//! The kernel's SCTP on Linux: the associations of a node's sockets, by the node's numbers.

mod received;

use super::association::{Association, Flushed, State};
use super::socket::KernelSocket;
use super::{KERNEL, KernelSctpStatistics};
use crate::error::NetError;
use crate::event::NetworkEvent;
use crate::network::PeerAddresses;
use oxirush_sctp::{NotificationOrData, PathState};
use rserpool_core::AssociationId;
use rserpool_sctp::{Config, DownReason, Event, Outgoing, SendError, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Sockets of one node. Two associations with one peer need two of them.
const SOCKETS_MAX: usize = 256;

/// Records read of a socket before others get their turn.
const RECEIVE_BATCH: usize = 64;

/// When to try again to hand over what a socket did not take.
const SEND_RETRY: Duration = Duration::from_millis(2);

/// Why no association was begun.
pub(crate) enum NotBegun {
    /// There are as many as there may be.
    TooMany,
    /// The kernel does not see how, or there is one with this peer already.
    Failed,
}

/// A node's sockets of the kernel's SCTP. The first is the one that others know.
pub(crate) struct KernelSctp {
    addresses: Vec<IpAddr>,
    config: Config,
    sockets: Vec<KernelSocket>,
    /// Index of the one of registrars among themselves.
    enrp: Option<usize>,
    associations: BTreeMap<AssociationId, Association>,
    /// By socket and the kernel's number.
    numbers: BTreeMap<(usize, i32), AssociationId>,
    next: u64,
    received: Vec<(usize, NotificationOrData)>,
    has_more: bool,
    /// What the kernel could not deliver comes after the end.
    ended: Vec<(AssociationId, DownReason)>,
    events: VecDeque<(AssociationId, Event)>,
    told: VecDeque<NetworkEvent>,
    /// Those with something to hand over.
    sending: BTreeSet<AssociationId>,
    retry_at: Option<Timestamp>,
    statistics: KernelSctpStatistics,
}

impl KernelSctp {
    /// Opens the socket that others know, at the SCTP port of `config`; 0: any.
    ///
    /// # Errors
    /// The kernel has no SCTP, or not this port.
    pub(crate) fn start(addresses: &[IpAddr], config: Config) -> Result<Self, NetError> {
        let first = KernelSocket::open(addresses, &config)?;
        Ok(Self {
            addresses: addresses.to_vec(),
            config,
            sockets: vec![first],
            enrp: None,
            associations: BTreeMap::new(),
            numbers: BTreeMap::new(),
            next: 0,
            received: Vec::new(),
            has_more: false,
            ended: Vec::new(),
            events: VecDeque::new(),
            told: VecDeque::new(),
            sending: BTreeSet::new(),
            retry_at: None,
            statistics: KernelSctpStatistics::default(),
        })
    }

    /// Adds the socket of registrars among themselves.
    pub(crate) fn add_enrp(&mut self, config: &Config) -> Result<(), NetError> {
        self.sockets
            .push(KernelSocket::open(&self.addresses, config)?);
        self.enrp = Some(self.sockets.len() - 1);
        Ok(())
    }

    /// The SCTP port that others know.
    pub(crate) fn port(&self) -> u16 {
        self.sockets[0].port
    }

    /// Begins an association from the first socket that has none with this peer.
    pub(crate) fn connect(
        &mut self,
        now: Timestamp,
        to: &[IpAddr],
        port: u16,
    ) -> Result<AssociationId, NotBegun> {
        for index in 0..self.sockets.len() {
            if Some(index) == self.enrp {
                continue;
            }
            if let Some(begun) = self.connect_at(now, index, to, port)? {
                return Ok(begun);
            }
        }
        if self.sockets.len() >= SOCKETS_MAX {
            return Err(NotBegun::TooMany);
        }
        // A pool element listens here, too: who takes it over knows only the port that it
        // registered from.
        let config = Config {
            sctp_port: 0,
            ..self.config.clone()
        };
        let socket = match KernelSocket::open(&self.addresses, &config) {
            Ok(socket) => socket,
            Err(error) => {
                self.told.push_back(NetworkEvent::Unavailable(error));
                return Err(NotBegun::TooMany);
            }
        };
        self.sockets.push(socket);
        let begun = self.connect_at(now, self.sockets.len() - 1, to, port)?;
        begun.ok_or(NotBegun::Failed)
    }

    /// Begins an association from the socket that clients know.
    pub(crate) fn connect_from_first(
        &mut self,
        now: Timestamp,
        to: &[IpAddr],
        port: u16,
    ) -> Result<AssociationId, NotBegun> {
        self.connect_at(now, 0, to, port)?.ok_or(NotBegun::Failed)
    }

    /// Begins an association from the socket that other registrars know.
    pub(crate) fn connect_from_enrp(
        &mut self,
        now: Timestamp,
        to: &[IpAddr],
        port: u16,
    ) -> Result<AssociationId, NotBegun> {
        let index = self.enrp.ok_or(NotBegun::Failed)?;
        self.connect_at(now, index, to, port)?
            .ok_or(NotBegun::Failed)
    }

    /// `None`: this socket has an association with this peer.
    fn connect_at(
        &mut self,
        now: Timestamp,
        index: usize,
        to: &[IpAddr],
        port: u16,
    ) -> Result<Option<AssociationId>, NotBegun> {
        if self.associations.len() >= self.config.associations_max {
            return Err(NotBegun::TooMany);
        }
        let socket = &self.sockets[index];
        let to = socket.reachable(to, port);
        match socket.endpoint.connect(&to) {
            Ok(id) if self.numbers.contains_key(&(index, id)) => Ok(None),
            Ok(id) => {
                let state = State::Connecting { since: now };
                Ok(Some(self.insert(Association::new(index, id, state))))
            }
            Err(error) if is_associated(&error) => Ok(None),
            Err(_) => Err(NotBegun::Failed),
        }
    }

    fn insert(&mut self, association: Association) -> AssociationId {
        let number = self.new_number();
        let at = (association.socket, association.id);
        self.numbers.insert(at, number);
        self.associations.insert(number, association);
        number
    }

    fn new_number(&mut self) -> AssociationId {
        self.next += 1;
        AssociationId(KERNEL | self.next)
    }

    /// Waits until a socket has something. Cancelling loses nothing.
    pub(crate) async fn ready(&mut self) {
        poll_fn(|context| {
            // Every one is polled, so that every one wakes.
            self.read(context);
            if self.received.is_empty() && self.ended.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }

    /// Whether the sockets may have more than was received.
    pub(crate) fn is_ready(&self) -> bool {
        self.has_more
    }

    fn read(&mut self, context: &mut Context<'_>) {
        let mut records = Vec::new();
        self.has_more = false;
        for (index, socket) in self.sockets.iter().enumerate() {
            match socket
                .endpoint
                .poll_recv_many(context, &mut records, RECEIVE_BATCH)
            {
                Poll::Ready(Ok(_)) => self.has_more = true,
                // What was assembled took too much: the kernel's association ends.
                Poll::Ready(Err(_)) => {
                    self.statistics.incomplete_dropped += 1;
                    self.has_more = true;
                }
                Poll::Pending => {}
            }
            self.received
                .extend(records.drain(..).map(|record| (index, record)));
        }
    }

    /// Takes what the sockets have, up to a batch of each.
    pub(crate) fn receive(&mut self, now: Timestamp) {
        if self.received.is_empty() {
            self.read(&mut Context::from_waker(Waker::noop()));
        }
        for (socket, record) in std::mem::take(&mut self.received) {
            match record {
                NotificationOrData::Data(data) => self.on_data(socket, data),
                NotificationOrData::Notification(told) => self.on_notification(now, socket, told),
                _ => {}
            }
        }
        // The kernel gives back what it could not deliver at the moment that the end is told.
        self.read(&mut Context::from_waker(Waker::noop()));
        if self.received.is_empty() {
            for (number, reason) in std::mem::take(&mut self.ended) {
                self.end(number, reason);
            }
        }
    }

    fn end(&mut self, number: AssociationId, reason: DownReason) {
        let Some(mut association) = self.associations.remove(&number) else {
            return;
        };
        self.numbers.remove(&(association.socket, association.id));
        self.sending.remove(&number);
        for outgoing in association.take_queue() {
            let event = Event::SendFailed {
                association: own(number),
                stream: outgoing.stream,
                ppid: outgoing.ppid,
                data: outgoing.data,
            };
            self.events.push_back((number, event));
        }
        let association = own(number);
        self.events.push_back((
            number,
            Event::Down {
                association,
                reason,
            },
        ));
    }

    pub(crate) fn poll_event(&mut self) -> Option<(AssociationId, Event)> {
        self.events.pop_front()
    }

    /// The next thing to tell the operator.
    pub(crate) fn poll_told(&mut self) -> Option<NetworkEvent> {
        self.told.pop_front()
    }

    /// The number of an association from now on, as its peer has lost its state.
    pub(crate) fn renumber(&mut self, number: AssociationId) -> Option<AssociationId> {
        let association = self.associations.remove(&number)?;
        self.sending.remove(&number);
        Some(self.insert(association))
    }

    /// Takes no more associations that others begin. Those of registrars among themselves are
    /// not meant.
    pub(crate) fn stop_listening(&mut self) {
        self.config.listen = false;
        for (index, socket) in self.sockets.iter_mut().enumerate() {
            if Some(index) != self.enrp {
                socket.stop_listening();
            }
        }
    }

    /// Whether the socket of an association takes such as others begin.
    pub(crate) fn listens(&self, number: AssociationId) -> bool {
        let association = self.associations.get(&number);
        association.is_some_and(|association| self.sockets[association.socket].is_listening)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        self.retry_at
    }

    pub(crate) fn send(
        &mut self,
        number: AssociationId,
        outgoing: Outgoing,
    ) -> Result<(), SendError> {
        let association = self.associations.get_mut(&number);
        let association = association.ok_or(SendError::UnknownAssociation)?;
        association.send(&self.sockets[association.socket], outgoing)?;
        self.sending.insert(number);
        Ok(())
    }

    /// Hands over what the sockets take.
    pub(crate) fn flush(&mut self, now: Timestamp) {
        let mut full = BTreeSet::new();
        for number in std::mem::take(&mut self.sending) {
            let Some(association) = self.associations.get_mut(&number) else {
                continue;
            };
            if full.contains(&association.socket) {
                self.sending.insert(number);
                continue;
            }
            let (flushed, sent) = association.flush(&self.sockets[association.socket]);
            self.statistics.messages_sent += sent;
            if flushed == Flushed::Full {
                full.insert(association.socket);
                self.sending.insert(number);
            }
        }
        let retry_at = Timestamp(now.0 + SEND_RETRY);
        self.retry_at = (!self.sending.is_empty()).then_some(retry_at);
    }

    /// Ends an association in good order: what is queued is delivered first.
    pub(crate) fn shutdown(&mut self, number: AssociationId) {
        match self.associations.get_mut(&number) {
            Some(association) if association.state == State::Up => {
                association.state = State::Closing;
                self.sending.insert(number);
            }
            Some(Association {
                state: State::Connecting { .. },
                ..
            }) => self.abort(number, "no longer wanted"),
            Some(_) | None => {}
        }
    }

    /// Ends an association at once, or stops setting it up.
    pub(crate) fn abort(&mut self, number: AssociationId, reason: &str) {
        if let Some(association) = self.associations.get(&number) {
            let endpoint = &self.sockets[association.socket].endpoint;
            // Gone already, it has ended all the same.
            let _ = endpoint.abort(association.id, reason.as_bytes());
            self.end(number, DownReason::LocalAbort);
        }
    }

    /// What an association has not acknowledged, in octets.
    pub(crate) fn send_queue_octets(&self, number: AssociationId) -> usize {
        let association = self.associations.get(&number);
        association.map_or(0, Association::waiting_octets)
    }

    pub(crate) fn associations(&self) -> usize {
        self.associations.len()
    }

    /// The peer's first address; its port is 0, as it is not encapsulated.
    pub(crate) fn remote(&self, number: AssociationId) -> Option<SocketAddr> {
        let first = self.associations.get(&number)?.addresses.first()?;
        Some(SocketAddr::new(*first, 0))
    }

    /// All addresses of the peer. One of which the kernel does not say how it is has not been
    /// confirmed; the first one is that at which the association was set up.
    pub(crate) fn peer_addresses(&self, number: AssociationId) -> PeerAddresses {
        let mut addresses = PeerAddresses::default();
        let Some(association) = self.associations.get(&number) else {
            return addresses;
        };
        let endpoint = &self.sockets[association.socket].endpoint;
        let paths = endpoint.paths(association.id).unwrap_or_default();
        for path in &paths {
            let is_confirmed = path.state != PathState::Unconfirmed;
            addresses.add(path.address.ip().to_canonical(), is_confirmed);
        }
        for (index, address) in association.addresses.iter().enumerate() {
            let is_first = index == 0 && paths.is_empty();
            addresses.add(*address, is_first);
        }
        addresses
    }

    /// All our addresses that the peer of an association knows.
    pub(crate) fn local_addresses(&self, number: AssociationId) -> Vec<IpAddr> {
        let Some(association) = self.associations.get(&number) else {
            return Vec::new();
        };
        let endpoint = &self.sockets[association.socket].endpoint;
        let addresses = endpoint.local_addrs(association.id).unwrap_or_default();
        addresses.iter().map(|at| at.ip().to_canonical()).collect()
    }

    pub(crate) fn statistics(&self) -> KernelSctpStatistics {
        KernelSctpStatistics {
            associations: self.associations.len(),
            ..self.statistics
        }
    }
}

/// One with this peer is up, or in set-up.
fn is_associated(error: &std::io::Error) -> bool {
    use nix::errno::Errno;
    let associated = [Errno::EISCONN as i32, Errno::EALREADY as i32];
    error
        .raw_os_error()
        .is_some_and(|code| associated.contains(&code))
}

/// IPv4 addresses come as IPv6 ones where a socket has both.
fn canonical(at: SocketAddr) -> SocketAddr {
    SocketAddr::new(at.ip().to_canonical(), at.port())
}

/// Events name an association by the node's number.
fn own(number: AssociationId) -> rserpool_sctp::AssociationId {
    rserpool_sctp::AssociationId(number.0)
}
