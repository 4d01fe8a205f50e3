//! Two multi-homed hosts and several networks between them, of which any may be cut.

#![allow(dead_code, reason = "every test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests, which may panic")]
#![allow(unreachable_pub, reason = "shared by test files as a module")]

use std::net::SocketAddr;
use std::time::Duration;

use rserpool_sctp::{AssociationId, Event, PathState, SendError, Timers, Timestamp};

use crate::network::{Network, client_config, message, millis, server_config, with_timers};

pub const CLIENT: usize = 0;
pub const SERVER: usize = 1;

/// The address of `host` in network `n`; network 3 is of IPv6.
pub fn at(n: u8, host: u8) -> SocketAddr {
    match n {
        3 => format!("[fd00:3::{host}]:9899").parse().unwrap(),
        _ => SocketAddr::from(([10, n, 0, host], 9899)),
    }
}

/// A client and a server that both have an address in each of `networks`, associated.
pub struct Pair {
    pub network: Network,
    pub ours: AssociationId,
    pub theirs: AssociationId,
    networks: Vec<u8>,
    /// When each echo that has not come back was asked for, by PPID.
    asked: Vec<Timestamp>,
    /// How long each echo took that came back.
    took: Vec<Duration>,
    /// The PPIDs of those.
    echoed: Vec<u32>,
    /// How many events of each host have been looked at.
    served: [usize; 2],
}

impl Pair {
    pub fn new(networks: &[u8], timers: Timers) -> Self {
        Self::seeded(networks, timers, 1)
    }

    pub fn seeded(networks: &[u8], timers: Timers, seed: u64) -> Self {
        let mut network = Network::new(seed);
        let addresses = |host| networks.iter().map(|n| at(*n, host)).collect::<Vec<_>>();
        network.add_multihomed(with_timers(client_config(), timers), &addresses(1));
        network.add_multihomed(with_timers(server_config(), timers), &addresses(2));
        let (ours, theirs) = network.associate(CLIENT, SERVER);
        Self {
            network,
            ours,
            theirs,
            networks: networks.to_vec(),
            asked: Vec::new(),
            took: Vec::new(),
            echoed: Vec::new(),
            served: [0; 2],
        }
    }

    /// With every path confirmed.
    pub fn verified(networks: &[u8], timers: Timers) -> Self {
        let mut pair = Self::new(networks, timers);
        pair.network.run_for(timers.rto_initial * 8 + millis(50));
        for n in networks {
            assert_eq!(pair.state(*n), PathState::Active);
            assert_eq!(pair.state_at_server(*n), PathState::Active);
        }
        pair
    }

    pub fn cut(&mut self, n: u8) {
        self.network.cut.push(at(n, 1));
    }

    pub fn mend(&mut self, n: u8) {
        self.network.cut.retain(|cut| *cut != at(n, 1));
        self.network
            .cut_one_way
            .retain(|(from, to)| *from != at(n, 1) && *to != at(n, 1));
    }

    /// How the client sees its path in network `n`.
    pub fn state(&self, n: u8) -> PathState {
        self.state_of(CLIENT, self.ours, at(n, 2))
    }

    pub fn state_at_server(&self, n: u8) -> PathState {
        self.state_of(SERVER, self.theirs, at(n, 1))
    }

    pub fn state_of(&self, host: usize, association: AssociationId, to: SocketAddr) -> PathState {
        let paths = self.network.hosts[host].endpoint.paths(association);
        let path = paths.iter().find(|path| path.remote == to);
        path.unwrap_or_else(|| panic!("no path to {to} in {paths:?}"))
            .state
    }

    /// The network that the client's data goes through.
    pub fn used(&self) -> u8 {
        let remote = self.network.hosts[CLIENT].endpoint.remote(self.ours);
        let is_used = |n: &&u8| Some(at(**n, 2)) == remote;
        *self.networks.iter().find(is_used).unwrap()
    }

    /// One request every two milliseconds for `duration`; the server sends back each.
    pub fn echo_for(&mut self, duration: Duration) {
        let end = self.network.now + duration;
        while self.network.now < end {
            let ppid = u32::try_from(self.asked.len()).unwrap();
            let request = message((ppid % 4) as u16, ppid, ppid.to_be_bytes().to_vec());
            let client = &mut self.network.hosts[CLIENT].endpoint;
            match client.send(self.network.now, self.ours, request) {
                Ok(()) => self.asked.push(self.network.now),
                Err(error) => assert_eq!(error, SendError::QueueFull),
            }
            for _ in 0..4 {
                self.network.run_for(Duration::from_micros(500));
                self.serve();
            }
        }
    }

    fn serve(&mut self) {
        for (stream, ppid, data) in self.new_messages(SERVER) {
            let echo = message(stream, ppid, data);
            self.network.send(SERVER, self.theirs, echo);
        }
        for (_, ppid, _) in self.new_messages(CLIENT) {
            self.echoed.push(ppid);
            let asked = self.asked[usize::try_from(ppid).unwrap()];
            self.took
                .push(self.network.now.saturating_duration_since(asked));
        }
    }

    fn new_messages(&mut self, host: usize) -> Vec<(u16, u32, Vec<u8>)> {
        let events = &self.network.hosts[host].events;
        let new = events[self.served[host]..].iter();
        self.served[host] = events.len();
        let messages = new.filter_map(|event| match event {
            Event::Message {
                stream, ppid, data, ..
            } => Some((*stream, *ppid, data.clone())),
            Event::Up { .. }
            | Event::Restarted { .. }
            | Event::Path { .. }
            | Event::ShutdownByPeer { .. }
            | Event::SendFailed { .. }
            | Event::Down { .. } => None,
        });
        messages.collect()
    }

    /// Lets what is on its way arrive; then every echo must have come back, once and in the order
    /// of its stream.
    pub fn finish(&mut self) {
        for _ in 0..40_000 {
            if self.echoed.len() == self.asked.len() {
                break;
            }
            self.network.run_for(Duration::from_micros(500));
            self.serve();
        }
        assert_eq!(self.echoed.len(), self.asked.len(), "lost or waiting");
        let mut seen = self.echoed.clone();
        for stream in 0..4 {
            let of_stream: Vec<_> = seen.iter().filter(|ppid| **ppid % 4 == stream).collect();
            assert!(of_stream.is_sorted());
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), self.asked.len(), "doubled");
        assert_eq!(self.network.down(CLIENT, self.ours), None);
        assert_eq!(self.network.down(SERVER, self.theirs), None);
    }

    pub fn slowest(&self) -> Duration {
        self.took.iter().copied().max().unwrap()
    }

    pub fn events(&self, host: usize) -> Vec<(SocketAddr, PathState)> {
        let events = self.network.hosts[host].events.iter();
        let paths = events.filter_map(|event| match event {
            Event::Path { remote, state, .. } => Some((*remote, *state)),
            Event::Up { .. }
            | Event::Restarted { .. }
            | Event::Message { .. }
            | Event::ShutdownByPeer { .. }
            | Event::SendFailed { .. }
            | Event::Down { .. } => None,
        });
        paths.collect()
    }
}
