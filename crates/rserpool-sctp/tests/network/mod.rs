//! A network in virtual time: delay, loss, duplication, reordering, cuts, address translation.
//! One seed decides everything.

#![allow(dead_code, reason = "every test file uses its own part of the network")]
#![allow(clippy::unwrap_used, reason = "helpers of tests, which may panic")]
#![allow(unreachable_pub, reason = "shared by test files as a module")]

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use rserpool_sctp::{
    AssociationId, Config, DownReason, Endpoint, Event, Outgoing, Remote, Timers, Timestamp,
    Transmit,
};

/// SCTP port of clients.
pub const CLIENT_PORT: u16 = 5000;
/// SCTP port of servers.
pub const SERVER_PORT: u16 = 3863;

/// Chunk types, RFC 9260 §3.2.
pub mod chunk {
    #![allow(missing_docs, reason = "the names say it")]
    pub const DATA: u8 = 0;
    pub const INIT: u8 = 1;
    pub const INIT_ACK: u8 = 2;
    pub const HEARTBEAT: u8 = 4;
    pub const HEARTBEAT_ACK: u8 = 5;
    pub const ABORT: u8 = 6;
    pub const SHUTDOWN: u8 = 7;
    pub const SHUTDOWN_ACK: u8 = 8;
    pub const ERROR: u8 = 9;
    pub const COOKIE_ECHO: u8 = 10;
    pub const COOKIE_ACK: u8 = 11;
    pub const SHUTDOWN_COMPLETE: u8 = 14;
}

pub const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], 9899))
}

/// A server that accepts nobody.
pub fn deaf_config() -> Config {
    Config {
        listen: false,
        ..server_config()
    }
}

pub fn client_config() -> Config {
    Config::new(CLIENT_PORT)
}

pub fn server_config() -> Config {
    Config {
        listen: true,
        ..Config::new(SERVER_PORT)
    }
}

/// `config` with other timers.
pub fn with_timers(mut config: Config, timers: Timers) -> Config {
    config.timers = timers;
    config
}

pub fn message(stream: u16, ppid: u32, data: Vec<u8>) -> Outgoing {
    Outgoing {
        stream,
        ppid,
        unordered: false,
        data,
    }
}

/// What happens to datagrams. Chances are out of 1000.
#[derive(Clone, Copy, Default)]
pub struct Weather {
    pub delay: Duration,
    /// Up to so much more delay, which reorders.
    pub jitter: Duration,
    pub loss: u32,
    pub duplication: u32,
}

pub struct Host {
    pub address: SocketAddr,
    /// Of a host with more than one network interface.
    pub further: Vec<SocketAddr>,
    pub endpoint: Endpoint,
    pub events: Vec<Event>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Datagram {
    pub sent: Timestamp,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub payload: Vec<u8>,
}

pub struct Network {
    pub now: Timestamp,
    pub hosts: Vec<Host>,
    pub weather: Weather,
    /// Every datagram that was sent.
    pub seen: Vec<Datagram>,
    /// Whether `seen` grows.
    pub record: bool,
    /// Addresses of which nothing leaves and that nothing reaches.
    pub cut: Vec<SocketAddr>,
    /// From where to where nothing gets.
    pub cut_one_way: Vec<(SocketAddr, SocketAddr)>,
    /// A host whose process stands still: what arrives waits in its socket.
    pub stopped: Option<usize>,
    waiting: Vec<Datagram>,
    /// From inside address to outside address.
    pub translation: BTreeMap<SocketAddr, SocketAddr>,
    in_flight: BTreeMap<(Timestamp, u64), Datagram>,
    sent: u64,
    random: ChaCha8Rng,
}

impl Network {
    pub fn new(seed: u64) -> Self {
        Self {
            now: Timestamp::ZERO,
            hosts: Vec::new(),
            weather: Weather {
                delay: millis(1),
                ..Weather::default()
            },
            seen: Vec::new(),
            record: true,
            cut: Vec::new(),
            cut_one_way: Vec::new(),
            stopped: None,
            waiting: Vec::new(),
            translation: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            sent: 0,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// A client and a server, hosts 0 and 1.
    pub fn pair() -> (Self, usize, usize) {
        let mut network = Self::new(1);
        let client = network.add(client_config());
        let server = network.add(server_config());
        (network, client, server)
    }

    /// Adds a host; its number is also the last octet of its address.
    pub fn add(&mut self, config: Config) -> usize {
        let number = self.hosts.len();
        let endpoint = self.endpoint(config);
        let address = address(u8::try_from(number % 250).unwrap() + 1);
        self.hosts.push(Host {
            address,
            further: Vec::new(),
            endpoint,
            events: Vec::new(),
        });
        number
    }

    /// Adds a host with these addresses, which it tells its peers.
    pub fn add_multihomed(&mut self, mut config: Config, addresses: &[SocketAddr]) -> usize {
        config.local_addresses = addresses.iter().map(SocketAddr::ip).collect();
        let number = self.add(config);
        self.hosts[number].address = addresses[0];
        self.hosts[number].further = addresses[1..].to_vec();
        number
    }

    /// A new endpoint in place of a host's: its process was killed and started again.
    pub fn restart(&mut self, host: usize, config: Config) {
        self.hosts[host].endpoint = self.endpoint(config);
        self.hosts[host].events.clear();
    }

    fn endpoint(&mut self, config: Config) -> Endpoint {
        let mut seed = [0; 32];
        self.random.fill_bytes(&mut seed);
        Endpoint::new(config, seed)
    }

    pub fn connect(&mut self, host: usize, to: usize) -> AssociationId {
        let sctp_port = self.hosts[to].endpoint.config().sctp_port;
        let remote = Remote {
            udp: vec![self.hosts[to].address],
            sctp_port,
        };
        self.hosts[host].endpoint.connect(self.now, remote).unwrap()
    }

    /// Connects to a server at any of these addresses.
    pub fn connect_to(&mut self, host: usize, udp: &[SocketAddr]) -> AssociationId {
        let remote = Remote {
            udp: udp.to_vec(),
            sctp_port: SERVER_PORT,
        };
        self.hosts[host].endpoint.connect(self.now, remote).unwrap()
    }

    /// Connects and waits until both ends are up. Returns both ends' names for it.
    pub fn associate(&mut self, host: usize, to: usize) -> (AssociationId, AssociationId) {
        let ours = self.connect(host, to);
        let known = self.hosts[to].events.len();
        for _ in 0..10_000 {
            let theirs = self.hosts[to].events.iter().skip(known).find_map(accepted);
            if let (true, Some(theirs)) = (self.is_up(host, ours), theirs) {
                return (ours, theirs);
            }
            self.step();
        }
        panic!(
            "no association: {:?} {:?}",
            self.hosts[host].events, self.hosts[to].events
        );
    }

    pub fn send(&mut self, host: usize, association: AssociationId, message: Outgoing) {
        self.hosts[host]
            .endpoint
            .send(self.now, association, message)
            .unwrap();
    }

    pub fn is_up(&self, host: usize, association: AssociationId) -> bool {
        self.hosts[host]
            .events
            .iter()
            .any(|event| matches!(event, Event::Up { association: up, .. } if *up == association))
    }

    pub fn down(&self, host: usize, association: AssociationId) -> Option<DownReason> {
        self.hosts[host].events.iter().find_map(|event| {
            if let Event::Down {
                association: down,
                reason,
            } = event
                && *down == association
            {
                return Some(reason.clone());
            }
            None
        })
    }

    /// (stream, PPID, data) of every message that `host` received.
    pub fn messages(&self, host: usize) -> Vec<(u16, u32, Vec<u8>)> {
        let mut messages = Vec::new();
        for event in &self.hosts[host].events {
            if let Event::Message {
                stream, ppid, data, ..
            } = event
            {
                messages.push((*stream, *ppid, data.clone()));
            }
        }
        messages
    }

    /// PPIDs of the messages that `host` received.
    pub fn ppids(&self, host: usize) -> Vec<u32> {
        self.messages(host)
            .iter()
            .map(|message| message.1)
            .collect()
    }

    /// PPIDs of the messages handed back to `host`.
    pub fn failed(&self, host: usize) -> Vec<u32> {
        let mut failed = Vec::new();
        for event in &self.hosts[host].events {
            if let Event::SendFailed { ppid, .. } = event {
                failed.push(*ppid);
            }
        }
        failed
    }

    /// Lets an association end be waited for, up to `limit`; returns how long it took.
    pub fn time_until_down(
        &mut self,
        host: usize,
        association: AssociationId,
        limit: Duration,
    ) -> Duration {
        let begin = self.now;
        while self.down(host, association).is_none() {
            let elapsed = self.now.saturating_duration_since(begin);
            assert!(elapsed <= limit, "not down after {elapsed:?}");
            self.step();
        }
        self.now.saturating_duration_since(begin)
    }

    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.fetch();
        while self.next().is_some_and(|next| next <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Goes to the next moment at which something happens, and lets it happen.
    pub fn step(&mut self) {
        self.fetch();
        let Some(next) = self.next() else {
            self.now = self.now + millis(1);
            return;
        };
        self.now = self.now.max(next);
        while let Some(entry) = self.in_flight.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let datagram = entry.remove();
            self.deliver(&datagram);
        }
        let now = self.now;
        for (number, host) in self.hosts.iter_mut().enumerate() {
            let timeout = host.endpoint.poll_timeout();
            if self.stopped != Some(number) && timeout.is_some_and(|timeout| timeout <= now) {
                host.endpoint.handle_timeout(now);
            }
        }
        self.fetch();
    }

    /// The process that stood still goes on: it reads what waits, and then looks at the time.
    pub fn go_on(&mut self) {
        self.stopped = None;
        for datagram in std::mem::take(&mut self.waiting) {
            self.deliver(&datagram);
        }
    }

    /// A datagram from nowhere, delivered at once.
    pub fn inject(&mut self, from: SocketAddr, host: usize, payload: &[u8]) {
        self.hosts[host]
            .endpoint
            .handle_datagram(self.now, from, None, payload);
        self.fetch();
    }

    fn next(&self) -> Option<Timestamp> {
        let delivery = self.in_flight.first_key_value().map(|((time, _), _)| *time);
        let running = self
            .hosts
            .iter()
            .enumerate()
            .filter(|(n, _)| self.stopped != Some(*n));
        let timeouts = running.filter_map(|(_, host)| host.endpoint.poll_timeout());
        delivery.into_iter().chain(timeouts).min()
    }

    fn deliver(&mut self, datagram: &Datagram) {
        let inside = self
            .translation
            .iter()
            .find(|(_, outside)| **outside == datagram.to);
        let to = inside.map_or(datagram.to, |(inside, _)| *inside);
        // Nobody outside reaches an inside address.
        if inside.is_none() && self.translation.contains_key(&to) {
            return;
        }
        let has_address = |host: &Host| host.address == to || host.further.contains(&to);
        let Some(number) = self.hosts.iter().position(has_address) else {
            return;
        };
        if self.stopped == Some(number) {
            self.waiting.push(datagram.clone());
            return;
        }
        let host = &mut self.hosts[number];
        let at = (!host.further.is_empty()).then(|| to.ip());
        host.endpoint
            .handle_datagram(self.now, datagram.from, at, &datagram.payload);
    }

    fn fetch(&mut self) {
        for number in 0..self.hosts.len() {
            while let Some(event) = self.hosts[number].endpoint.poll_event() {
                self.hosts[number].events.push(event);
            }
            while let Some(transmit) = self.hosts[number].endpoint.poll_transmit() {
                let inside = self.hosts[number].source(&transmit);
                let from = self.translation.get(&inside).copied().unwrap_or(inside);
                let datagram = Datagram {
                    sent: self.now,
                    from,
                    to: transmit.to,
                    payload: transmit.payload,
                };
                self.carry(inside, &datagram);
            }
        }
    }

    fn carry(&mut self, inside: SocketAddr, datagram: &Datagram) {
        if self.record {
            self.seen.push(datagram.clone());
        }
        let is_cut = self.cut.contains(&inside)
            || self.cut.contains(&datagram.to)
            || self.cut_one_way.contains(&(inside, datagram.to));
        if is_cut || self.chance(self.weather.loss) {
            return;
        }
        let copies = if self.chance(self.weather.duplication) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let jitter = self
                .weather
                .jitter
                .mul_f64(f64::from(self.random.next_u32() >> 16) / 65_536.0);
            let arrival = self.now + self.weather.delay + jitter;
            self.sent += 1;
            self.in_flight
                .insert((arrival, self.sent), datagram.clone());
        }
    }

    fn chance(&mut self, of_1000: u32) -> bool {
        of_1000 > 0 && self.random.next_u32() % 1000 < of_1000
    }
}

impl Host {
    /// As a routing table has it: from the address in the destination's network, else the first.
    fn source(&self, transmit: &Transmit) -> SocketAddr {
        let addresses = || std::iter::once(&self.address).chain(&self.further);
        let is_chosen = |address: &&SocketAddr| match transmit.from {
            Some(from) => address.ip() == from,
            None => network_of(address.ip()) == network_of(transmit.to.ip()),
        };
        *addresses().find(is_chosen).unwrap_or(&self.address)
    }
}

/// A /24 or a /64.
fn network_of(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets()[..3].to_vec(),
        IpAddr::V6(v6) => v6.octets()[..8].to_vec(),
    }
}

fn accepted(event: &Event) -> Option<AssociationId> {
    if let Event::Up {
        association,
        accepted: true,
        ..
    } = event
    {
        return Some(*association);
    }
    None
}

/// The type of the first chunk.
pub fn first_chunk(payload: &[u8]) -> u8 {
    payload[12]
}

/// Puts the right CRC32c into a packet (RFC 9260 appendix A).
pub fn with_checksum(mut packet: Vec<u8>) -> Vec<u8> {
    packet[8..12].fill(0);
    let sum = crc32c::crc32c(&packet).to_le_bytes();
    packet[8..12].copy_from_slice(&sum);
    packet
}

/// A packet of one chunk.
pub fn packet(ports: (u16, u16), tag: u32, kind: u8, flags: u8, value: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    octets.extend(ports.0.to_be_bytes());
    octets.extend(ports.1.to_be_bytes());
    octets.extend(tag.to_be_bytes());
    octets.extend([0; 4]);
    octets.extend([kind, flags]);
    octets.extend(u16::try_from(value.len() + 4).unwrap().to_be_bytes());
    octets.extend(value);
    octets.resize(octets.len().next_multiple_of(4), 0);
    with_checksum(octets)
}

/// The verification tag of a packet.
pub fn tag_of(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[4..8].try_into().unwrap())
}
