//! Everything a node has of the network, behind one face: associations of any transport come up,
//! bring messages and are lost; announces are heard.
//!
//! Knows associations and octets, no message.

mod arrival;
mod connect;
mod kernel;
mod users;

pub(crate) use arrival::{Arrival, PeerAddresses};

use crate::error::NetError;
use crate::event::{NetworkEvent, NetworkStatistics};
use crate::heard_until::HeardUntil;
use crate::inbox::Inbox;
use crate::interfaces::{Interface, multihomed_addresses, own_addresses, reachable};
use crate::kernel_sctp::{KernelSctp, SctpMode, is_kernel};
use crate::lifeline::Lifelines;
use crate::listen::{listen_for_users, listeners};
use crate::local_address::local_address_toward;
use crate::multicast::{Channel, Listener, Multicast, Sender};
use crate::random::random_seed;
use crate::sctp_over_udp::SctpOverUdp;
use crate::tcp::{SendRefused, TcpConnections, TcpLimits, is_tcp};
use crate::udp::{Port, UdpSockets};
use crate::user_transport::{AwaitUsers, DataTransport, UserTcp, data_transport};
use rserpool_core::{AssociationId, Timestamp};
use rserpool_sctp::{DownReason, Outgoing, SendError};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use users::Users;

/// Payload protocol identifier of ASAP (RFC 5352 §8.3).
pub const ASAP_PPID: u32 = 11;

/// Payload protocol identifier of ENRP (RFC 5353 §5.1).
pub const ENRP_PPID: u32 = 12;

/// How often interfaces that came up are looked for.
const INTERFACES_REFRESH: Duration = Duration::from_secs(10);

/// Sockets that took no more are tried again after this.
const BACKLOG_PAUSE: Duration = Duration::from_millis(1);

/// What strangers do wrong is told this often, and then only counted.
const STRANGERS_TOLD_MAX: u64 = 64;

/// What a node wants of the network.
pub(crate) struct NetworkConfig {
    /// Whose SCTP.
    pub(crate) mode: SctpMode,
    /// Local addresses; none: all.
    pub(crate) addresses: Vec<IpAddr>,
    /// UDP port of SCTP.
    pub(crate) udp_port: Port,
    /// The SCTP endpoint; with port 0 at any port.
    pub(crate) sctp: rserpool_sctp::Config,
    /// A second one at the same UDP port: of registrars among themselves.
    pub(crate) enrp: Option<rserpool_sctp::Config>,
    /// Whether lifelines are accepted.
    pub(crate) lifelines: bool,
    /// Port of ASAP over TCP, if there is to be any.
    pub(crate) tcp_port: Option<Port>,
    /// Where pool users come without SCTP, if they do.
    pub(crate) await_users: Option<AwaitUsers>,
    /// Announces are heard.
    pub(crate) hear: Option<Multicast>,
    /// Announces are sent.
    pub(crate) announce: Option<Multicast>,
    /// Where registrars announce themselves to each other, and hear each other.
    pub(crate) enrp_multicast: Option<Multicast>,
}

pub(crate) struct Network {
    start: Instant,
    mode: SctpMode,
    sctp: SctpOverUdp,
    /// The kernel's, where it is used.
    kernel: Option<KernelSctp>,
    /// Those that the kernel is setting up and user space may try after it.
    attempts: BTreeMap<AssociationId, kernel::Attempt>,
    aliases: kernel::Aliases,
    tcp: TcpConnections,
    lifelines: Lifelines,
    users: Users,
    hears: Vec<Listener>,
    announces: Vec<(Channel, Sender)>,
    /// This host's addresses, kept where there are other registrars to tell apart by them.
    own_addresses: BTreeSet<IpAddr>,
    refresh_at: Timestamp,
    heard_until: HeardUntil,
    inbox: Rc<Inbox>,
    arrivals: VecDeque<Arrival>,
    /// Associations that were asked for and cannot be.
    not_begun: VecDeque<AssociationId>,
    events: VecDeque<NetworkEvent>,
    addresses: Vec<IpAddr>,
    tcp_address: Option<SocketAddr>,
    statistics: NetworkStatistics,
}

impl Network {
    /// Opens every socket. Must be called on the node's thread, within its runtime.
    ///
    /// # Errors
    /// Those without which nothing works: the UDP port, or the TCP port that was asked for.
    pub(crate) fn start(mut config: NetworkConfig) -> Result<Self, NetError> {
        let (kernel, no_kernel) = kernel::start(
            config.mode,
            &config.addresses,
            &mut config.sctp,
            config.enrp.as_ref(),
        )?;
        let has_udp = config.mode != SctpMode::Kernel;
        let (sockets, missing) = if has_udp {
            UdpSockets::bind(&config.addresses, config.udp_port)?
        } else {
            (UdpSockets::none(), Vec::new())
        };
        let missing = missing.into_iter().chain(no_kernel);
        let mut events: VecDeque<_> = missing.map(NetworkEvent::Unavailable).collect();
        let inbox = Inbox::new();
        let lifelines = Lifelines::new(&inbox);
        if config.lifelines && has_udp {
            for listener in listeners(&config.addresses, sockets.port()) {
                match listener {
                    Ok((listener, _)) => lifelines.listen(listener),
                    Err(error) => events.push_back(NetworkEvent::Unavailable(error)),
                }
            }
        }
        let tcp_address = match config.tcp_port {
            Some(port) => Some(listen_for_users(&config.addresses, port, &inbox)?),
            None => None,
        };
        let silence_max = config.sctp.timers.detection_bound();
        let users = UserTcp::new(&inbox, silence_max);
        let users = Users::start(users, &config.addresses, config.await_users)?;
        let mut network = Self {
            start: Instant::now(),
            mode: config.mode,
            kernel,
            attempts: BTreeMap::new(),
            aliases: kernel::Aliases::default(),
            sctp: SctpOverUdp::new(config.sctp, random_seed()?, sockets),
            tcp: TcpConnections::new(&inbox, TcpLimits::default()),
            lifelines,
            users,
            hears: Vec::new(),
            announces: Vec::new(),
            own_addresses: BTreeSet::new(),
            refresh_at: Timestamp::ZERO + INTERFACES_REFRESH,
            heard_until: HeardUntil::default(),
            inbox,
            arrivals: VecDeque::new(),
            not_begun: VecDeque::new(),
            events,
            addresses: config.addresses,
            tcp_address,
            statistics: NetworkStatistics::default(),
        };
        if let Some(enrp) = config.enrp {
            network.sctp.add_enrp(enrp, random_seed()?);
            network.own_addresses = own_addresses();
        }
        if has_udp {
            network.open_raw_ip();
        }
        network.tell_local_addresses();
        network.hear(Channel::Asap, config.hear);
        network.start_announcing(Channel::Asap, config.announce);
        network.hear(Channel::Enrp, config.enrp_multicast.clone());
        network.start_announcing(Channel::Enrp, config.enrp_multicast);
        Ok(network)
    }

    /// Who may not does without, and whose kernel does it needs none.
    fn open_raw_ip(&mut self) {
        let Err(error) = self.sctp.open_raw_ip(&self.addresses) else {
            return;
        };
        if self.kernel.is_none() {
            let is_wanted = self.mode == SctpMode::Udp && !error.is_quota();
            let event = NetworkEvent::NoRawIp { error, is_wanted };
            self.events.push_back(event);
        }
    }

    fn tell_local_addresses(&mut self) {
        let addresses = multihomed_addresses(&self.addresses);
        self.sctp.set_local_addresses(&addresses);
        self.users.udp.on_local_addresses(&addresses);
    }

    fn hear(&mut self, channel: Channel, config: Option<Multicast>) {
        if let Some(config) = config.filter(Multicast::is_on) {
            let (hears, warnings) = Listener::start(config, channel, &self.inbox);
            self.hears.push(hears);
            self.events
                .extend(warnings.into_iter().map(NetworkEvent::Unavailable));
        }
    }

    fn start_announcing(&mut self, channel: Channel, config: Option<Multicast>) {
        if let Some(config) = config.filter(Multicast::is_on) {
            let (announces, warnings) = Sender::start(config);
            self.announces.push((channel, announces));
            self.events
                .extend(warnings.into_iter().map(NetworkEvent::Unavailable));
        }
    }

    /// The time since the node started.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.start.elapsed())
    }

    /// Waits until there is something to [`Self::receive`], or `until`. Cancelling loses nothing.
    pub(crate) async fn ready(&mut self, until: Option<Timestamp>) {
        let own = self.sctp.poll_timeout().map(|at| Timestamp(at.0));
        let kernel = self.kernel.as_ref().and_then(KernelSctp::poll_timeout);
        let own = own.into_iter().chain(kernel.map(|at| Timestamp(at.0)));
        let users = self.users.udp.has_backlog();
        let own = own.chain(users.then(|| self.now() + BACKLOG_PAUSE));
        let own = own.chain(self.users.udp.poll_timeout());
        let until = until.into_iter().chain(own).chain([self.refresh_at]).min();
        let deadline = until.map_or(self.start, |until| self.start + until.0);
        tokio::select! {
            biased;
            () = self.sctp.ready() => {}
            () = kernel_ready(&mut self.kernel) => {}
            () = self.inbox.ready() => {}
            () = poll_fn(|context| self.users.poll_ready(context)) => {}
            () = sleep_until(deadline) => {}
        }
    }

    /// Lets the tasks run, those of TCP connections first of all, when datagrams come faster than
    /// they are taken: [`Self::ready`] would never let them.
    pub(crate) async fn give_way(&self) {
        if self.is_behind() {
            tokio::task::yield_now().await;
        }
    }

    /// Whether more datagrams have come than [`Self::receive`] took.
    pub(crate) fn is_behind(&self) -> bool {
        self.sctp.is_ready()
            || self.users.udp.is_ready()
            || self.kernel.as_ref().is_some_and(KernelSctp::is_ready)
    }

    /// Takes what the sockets and the tasks have, for [`Self::poll_arrival`].
    pub(crate) fn receive(&mut self) {
        let now = self.now();
        let events = &mut self.events;
        self.sctp.receive(sctp_time(now), |peer| {
            events.push_back(NetworkEvent::Unreachable { peer });
        });
        self.receive_by_kernel();
        self.receive_from_users(now);
        while let Some(found) = self.inbox.take() {
            self.on_found(now, found);
        }
        if self.users.udp.poll_timeout().is_some_and(|at| at <= now) {
            self.sweep_users(now);
        }
        if self.refresh_at <= now {
            self.refresh_interfaces(now);
        }
        let is_behind = self.is_behind();
        self.heard_until.after_turn(now.0, is_behind);
    }

    /// Whether all that had arrived at this time was received: a timer that expires then may run.
    pub(crate) fn has_heard_until(&self, deadline: Timestamp) -> bool {
        self.heard_until.is_past(deadline.0)
    }

    fn refresh_interfaces(&mut self, now: Timestamp) {
        self.refresh_at = now + INTERFACES_REFRESH;
        let joined = self.hears.iter_mut().flat_map(Listener::join);
        let senders = self.announces.iter_mut();
        let sent = senders.filter_map(|(_, sender)| sender.refresh());
        let warnings = joined.chain(sent).map(NetworkEvent::Unavailable);
        self.events.extend(warnings);
        self.tell_local_addresses();
        if !self.own_addresses.is_empty() {
            self.own_addresses = own_addresses();
        }
    }

    /// The next thing that the network brought.
    pub(crate) fn poll_arrival(&mut self) -> Option<Arrival> {
        while self.arrivals.is_empty() {
            if let Some((association, event)) = self.sctp.poll_event() {
                self.on_sctp_event(association, event);
            } else if let Some((association, event)) = self.poll_kernel_event() {
                self.on_kernel_event(association, event);
            } else if let Some(association) = self.not_begun.pop_front() {
                self.down(association, DownReason::Unreachable);
            } else {
                return None;
            }
        }
        let arrival = self.arrivals.pop_front()?;
        Some(self.aliases.translate(arrival))
    }

    fn poll_kernel_event(&mut self) -> Option<(AssociationId, rserpool_sctp::Event)> {
        self.kernel.as_mut()?.poll_event()
    }

    /// The next thing to tell the operator.
    pub(crate) fn poll_event(&mut self) -> Option<NetworkEvent> {
        self.events.pop_front()
    }

    pub(crate) fn tell(&mut self, event: NetworkEvent) {
        self.events.push_back(event);
    }

    /// Sends all that was queued.
    pub(crate) fn flush(&mut self) {
        let now = sctp_time(self.now());
        self.sctp.flush(now);
        if let Some(kernel) = &mut self.kernel {
            kernel.flush(now);
        }
        self.tcp.flush();
        self.users.flush();
    }

    /// Queues an ASAP message: `encode` appends its octets.
    pub(crate) fn send_asap(
        &mut self,
        association: AssociationId,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), SendError> {
        if !is_tcp(association) {
            let mut data = Vec::new();
            encode(&mut data);
            // Rules of ordering are ASAP's own; one stream keeps requests in their order.
            let outgoing = Outgoing {
                stream: 0,
                ppid: ASAP_PPID,
                unordered: false,
                data,
            };
            return self.send(association, outgoing);
        }
        let sent = match self.tcp.send(association, encode) {
            Ok(()) => Ok(()),
            Err(SendRefused::Gone) => Err(SendError::UnknownAssociation),
            Err(SendRefused::Shed {
                peer,
                waiting_octets,
            }) => {
                self.shed_tcp(association, peer, waiting_octets);
                Err(SendError::QueueFull)
            }
        };
        while let Some(fullest) = self.tcp.fullest() {
            self.shed_tcp(fullest.association, fullest.peer, fullest.waiting_octets);
        }
        sent
    }

    fn shed_tcp(&mut self, association: AssociationId, peer: SocketAddr, waiting_octets: usize) {
        self.statistics.shed += 1;
        self.events.push_back(NetworkEvent::Shed {
            peer,
            waiting_octets,
        });
        self.tcp.close(association);
        self.down(association, DownReason::LocalAbort);
    }

    /// Queues a message for an association, of those of TCP only one with a pool user or element.
    pub(crate) fn send(
        &mut self,
        association: AssociationId,
        outgoing: Outgoing,
    ) -> Result<(), SendError> {
        if data_transport(association) != DataTransport::Sctp {
            return self.users.send(association, outgoing);
        }
        let now = sctp_time(self.now());
        let association = self.aliases.inner(association);
        match self.kernel_of(association) {
            Some(kernel) => kernel.send(association, outgoing),
            None => self.sctp.send(now, association, outgoing),
        }
    }

    /// What an association has not acknowledged yet, in octets; where nothing tells that, what the
    /// system has not taken yet.
    pub(crate) fn send_queue_octets(&self, association: AssociationId) -> usize {
        if data_transport(association) != DataTransport::Sctp {
            return self.users.tcp.send_queue_octets(association);
        }
        let association = self.aliases.inner(association);
        match &self.kernel {
            Some(kernel) if is_kernel(association) => kernel.send_queue_octets(association),
            Some(_) | None => self.sctp.send_queue_octets(association),
        }
    }

    /// Ends an association in good order: what is queued is delivered first.
    pub(crate) fn close(&mut self, association: AssociationId) {
        if data_transport(association) != DataTransport::Sctp {
            return self.close_user(association);
        }
        let now = sctp_time(self.now());
        let association = self.aliases.inner(association);
        if is_tcp(association) {
            self.tcp.close(association);
            self.down(association, DownReason::Closed);
        } else if let Some(kernel) = self.kernel_of(association) {
            kernel.shutdown(association);
        } else {
            self.sctp.shutdown(now, association);
        }
    }

    /// Ends an association at once, or stops setting it up.
    pub(crate) fn abort(&mut self, association: AssociationId, reason: &str) {
        if data_transport(association) != DataTransport::Sctp {
            return self.abort_user(association);
        }
        if is_tcp(association) {
            return self.close(association);
        }
        let now = sctp_time(self.now());
        let association = self.aliases.inner(association);
        match self.kernel_of(association) {
            Some(kernel) => kernel.abort(association, reason),
            None => self.sctp.abort(now, association, reason),
        }
    }

    /// Takes no more associations that others begin: they are refused, and need not wait to ask
    /// another. Those that there are go on.
    pub(crate) fn stop_listening(&mut self) {
        self.sctp.stop_listening();
        self.users.stop_listening();
        if let Some(kernel) = &mut self.kernel {
            kernel.stop_listening();
        }
    }

    /// Multicasts to each interface what `octets` makes for it, given its addresses.
    pub(crate) fn announce(&mut self, on: Channel, mut octets: impl FnMut(&Interface) -> Vec<u8>) {
        for (channel, sender) in &mut self.announces {
            if *channel == on {
                let failed = sender.send(&mut octets);
                self.events
                    .extend(failed.into_iter().map(NetworkEvent::Unavailable));
            }
        }
    }

    /// A peer has a subscription more, or one less: it may say nothing for as long as it likes.
    pub(crate) fn count_subscription(&self, association: AssociationId, is_more: bool) {
        self.tcp.count_subscription(association, is_more);
    }

    /// Our addresses that are told to the peer of an association: the one that it sees, and the
    /// others that SCTP has told it.
    pub(crate) fn local_addresses_of(
        &self,
        association: AssociationId,
        remote: SocketAddr,
    ) -> Vec<IpAddr> {
        let association = self.aliases.inner(association);
        match &self.kernel {
            Some(kernel) if is_kernel(association) => {
                reachable(&kernel.local_addresses(association))
            }
            Some(_) | None => {
                let mut addresses = self.local_addresses_toward(remote);
                let others = self.sctp.local_addresses().iter();
                let others = others.filter(|_| !is_tcp(association) && !remote.ip().is_loopback());
                let others: Vec<_> = others.filter(|at| !addresses.contains(at)).collect();
                addresses.extend(others);
                addresses
            }
        }
    }

    /// The address that the peer of an association sees.
    pub(crate) fn local_addresses_toward(&self, remote: SocketAddr) -> Vec<IpAddr> {
        let same_family = |at: &&IpAddr| at.is_ipv4() == remote.is_ipv4();
        let bound: Vec<_> = self.addresses.iter().filter(same_family).copied().collect();
        if bound.is_empty() {
            local_address_toward(remote).into_iter().collect()
        } else {
            bound
        }
    }

    pub(crate) fn peer(&self, association: AssociationId) -> Option<SocketAddr> {
        let association = self.aliases.inner(association);
        let kernel = self.kernel.as_ref();
        self.tcp
            .peer(association)
            .or_else(|| kernel.and_then(|kernel| kernel.remote(association)))
            .or_else(|| self.users.peer(association))
            .or_else(|| self.sctp.remote(association))
    }

    /// The SCTP port that others know.
    pub(crate) fn sctp_port(&self) -> u16 {
        self.sctp.config().sctp_port
    }

    /// 0: SCTP is not encapsulated.
    pub(crate) fn udp_port(&self) -> u16 {
        self.sctp.udp_port()
    }

    /// The addresses of the UDP sockets; unspecified where they are bound to all.
    pub(crate) fn udp_addresses(&self) -> Vec<IpAddr> {
        if self.mode == SctpMode::Kernel && !self.addresses.is_empty() {
            return self.addresses.clone();
        }
        self.sctp.udp_addresses().collect()
    }

    pub(crate) fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp_address
    }

    pub(crate) fn associations(&self) -> usize {
        let kernel = self.kernel.as_ref().map_or(0, KernelSctp::associations);
        self.sctp.associations() + kernel + self.tcp.len() + self.users.len()
    }

    pub(crate) fn statistics(&self) -> NetworkStatistics {
        let (sctp, enrp_sctp, udp) = self.sctp.statistics();
        NetworkStatistics {
            udp,
            sctp,
            enrp_sctp,
            kernel_sctp: self
                .kernel
                .as_ref()
                .map(KernelSctp::statistics)
                .unwrap_or_default(),
            tcp_connections: self.tcp.len(),
            data_channels: self.users.len(),
            lifelines: self.lifelines.len(),
            ..self.statistics
        }
    }

    /// A datagram of a multicast group was no message of its channel.
    pub(crate) fn on_malformed_announce(&mut self, from: SocketAddr) {
        self.statistics.malformed_announces += 1;
        if self.statistics.malformed_announces <= STRANGERS_TOLD_MAX {
            self.events
                .push_back(NetworkEvent::MalformedAnnounce { from });
        }
    }

    /// A message whose payload protocol has no meaning here.
    pub(crate) fn on_unexpected_payload_protocol(&mut self, from: AssociationId, ppid: u32) {
        self.statistics.unexpected_payload_protocol += 1;
        if self.statistics.unexpected_payload_protocol <= STRANGERS_TOLD_MAX
            && let Some(peer) = self.peer(from)
        {
            self.events
                .push_back(NetworkEvent::UnexpectedPayloadProtocol { peer, ppid });
        }
    }

    /// A control channel message between pool user and pool element that nobody takes.
    pub(crate) fn on_control_dropped(&mut self) {
        self.statistics.control_dropped += 1;
    }

    /// Ends an association whose peer does not take what is sent to it.
    pub(crate) fn shed(&mut self, association: AssociationId) {
        self.statistics.shed += 1;
        if let Some(peer) = self.peer(association) {
            let waiting_octets = self.send_queue_octets(association);
            self.events.push_back(NetworkEvent::Shed {
                peer,
                waiting_octets,
            });
        }
        self.abort(association, "it does not read");
    }

    /// A message found no room.
    pub(crate) fn on_not_sent(&mut self, to: AssociationId, octets: usize, error: SendError) {
        // An association that is ending is no news.
        if error != SendError::UnknownAssociation && error != SendError::NotConnected {
            let peer = self.peer(to);
            self.events
                .push_back(NetworkEvent::NotQueued { peer, octets });
        }
    }
}

/// Never ready where there is none.
async fn kernel_ready(kernel: &mut Option<KernelSctp>) {
    match kernel {
        Some(kernel) => kernel.ready().await,
        None => std::future::pending().await,
    }
}

pub(crate) fn sctp_time(now: Timestamp) -> rserpool_sctp::Timestamp {
    rserpool_sctp::Timestamp(now.0)
}
