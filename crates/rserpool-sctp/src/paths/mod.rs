//! The paths of an association whose peer, or whose own end, has several addresses
//! (RFC 9260 §6.4).
//!
//! There is one path for each of the peer's addresses, and the routing table chooses our own.
//! Only where the peer has a single address is there one path for each of ours.
//!
//! Knows addresses, octets and time; packets are built and sent by the association.

mod path;

use std::net::{IpAddr, SocketAddr};

use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use crate::addresses::{PEER_ADDRESSES_MAX, is_usable};
use crate::config::Timers;
use crate::event::{PathState, PathStatus};
use crate::heartbeat::HEARTBEAT_INFO;
use crate::packet::{Packet, chunk_type, read_u16, read_u32, read_u64};
use crate::route::Route;
use crate::time::Timestamp;

use path::Path;

/// Of one association: as many as there may be addresses of the peer, or of ours.
const PATHS_MAX: usize = PEER_ADDRESSES_MAX + 1;

/// Heartbeat Info of a path (RFC 9260 §5.4), with the parameter's header: nonce, path, counter.
const INFO_OCTETS: u16 = 4 + 8 + 4 + 4;

/// At least two paths.
pub(crate) struct Paths {
    paths: Vec<Path>,
    /// Where data goes when it can.
    primary: usize,
    /// Where data goes.
    used: usize,
    /// Where data went last.
    data_went: usize,
    /// From where the last packet came, if it was from a path.
    heard: Option<(usize, Route)>,
    /// The peer's addresses of confirmed paths.
    confirmed: Vec<SocketAddr>,
    /// Expiries of T3-rtx since the last acknowledgement.
    expiries: usize,
    effects: Effects,
}

/// What is to be done for the paths of an association.
#[derive(Default)]
pub(crate) struct Effects {
    /// HEARTBEATs to send: where, to a confirmed address, the chunk's value.
    pub(crate) heartbeats: Vec<(Route, bool, Vec<u8>)>,
    /// What the owner of the endpoint is told.
    pub(crate) changes: Vec<(SocketAddr, PathState)>,
    /// How often data took another way because its path failed.
    pub(crate) failovers: u64,
}

/// Of which association the paths are.
pub(crate) struct Ends<'a> {
    /// Where the peer has answered from, and at which of our addresses. This path is confirmed.
    pub(crate) first: Route,
    /// What else the peer listed.
    pub(crate) listed: &'a [IpAddr],
    /// Addresses of the peer that are known with their UDP port. Others have that of `first`:
    /// RFC 6951 §5.1 gives a host one.
    pub(crate) known: &'a [SocketAddr],
    /// Ours.
    pub(crate) local: &'a [IpAddr],
}

impl Paths {
    /// `None` when there is but one.
    pub(crate) fn new(
        ends: &Ends<'_>,
        timers: &Timers,
        random: &mut ChaCha20Rng,
    ) -> Option<Box<Self>> {
        let mut routes = vec![ends.first];
        routes.extend(ends.further());
        routes.truncate(PATHS_MAX);
        if routes.len() < 2 {
            return None;
        }
        let paths = routes.into_iter().enumerate().map(|(index, route)| {
            // RFC 9260 §5.4: the address that INIT ACK came from or went to is confirmed.
            Path::new(route, index == 0, random.next_u64(), timers)
        });
        Some(Box::new(Self {
            paths: paths.collect(),
            primary: 0,
            used: 0,
            data_went: 0,
            heard: None,
            confirmed: vec![ends.first.remote],
            expiries: 0,
            effects: Effects::default(),
        }))
    }

    /// The association is up: verification begins (RFC 9260 §5.4), one address in each RTO.
    pub(crate) fn start(&mut self, now: Timestamp, timers: &Timers) {
        let mut first = now;
        for path in &mut self.paths {
            path.start(now, first);
            if path.state(timers) == PathState::Unconfirmed {
                first = first + path.rto();
            }
        }
    }

    /// Where data goes.
    pub(crate) fn used(&self) -> Route {
        self.paths[self.used].route
    }

    /// RFC 9260 §6.4: DATA goes to the path in use; what answers goes to where the peer was heard
    /// last, if it has shown that it is there. `is_repeated`: a timer sends it.
    pub(crate) fn route(&mut self, packet: &Packet<'_>, is_repeated: bool) -> Route {
        let kind = packet.first().kind;
        let is_data = packet.find(chunk_type::DATA).is_some();
        let is_closing = matches!(kind, chunk_type::SHUTDOWN | chunk_type::SHUTDOWN_ACK);
        let takes_used = is_data || is_closing && is_repeated;
        if is_data {
            self.data_went = self.used;
        }
        let may_hear = |path: usize| {
            kind == chunk_type::HEARTBEAT_ACK || self.paths[path].told != PathState::Unconfirmed
        };
        match self.heard {
            Some((path, route)) if may_hear(path) && !takes_used => route,
            Some(_) | None => self.used(),
        }
    }

    /// The routes of all confirmed paths.
    pub(crate) fn confirmed_routes(&self) -> impl Iterator<Item = Route> {
        let confirmed = self
            .paths
            .iter()
            .filter(|path| path.told != PathState::Unconfirmed);
        confirmed.map(|path| path.route)
    }

    /// The peer's addresses of confirmed paths.
    pub(crate) fn confirmed(&self) -> &[SocketAddr] {
        &self.confirmed
    }

    /// Whether the peer has, or says that it has, this address.
    pub(crate) fn has_address(&self, address: IpAddr) -> bool {
        self.paths
            .iter()
            .any(|path| path.route.remote.ip() == address)
    }

    pub(crate) fn status(&self) -> Vec<PathStatus> {
        let paths = self.paths.iter().enumerate();
        let status = paths.map(|(index, path)| PathStatus {
            local: path.route.local,
            remote: path.route.remote,
            state: path.told,
            is_primary: index == self.primary,
            is_used: index == self.used,
        });
        status.collect()
    }

    /// `false`: there is no such path, or it is not confirmed.
    pub(crate) fn set_primary(&mut self, to: Route, timers: &Timers) -> bool {
        let index = self.paths.iter().position(|path| path.route == to);
        let Some(index) = index.filter(|index| self.paths[*index].told != PathState::Unconfirmed)
        else {
            return false;
        };
        self.primary = index;
        self.settle(timers);
        true
    }

    /// Whether [`Paths::on_heard`] would have a path's address change: then it must not be
    /// another association's.
    pub(crate) fn moves(&self, from: SocketAddr) -> bool {
        self.find_moved(from).is_some()
    }

    /// A packet with the right tag and checksum came.
    pub(crate) fn on_heard(&mut self, now: Timestamp, route: Route, timers: &Timers) {
        let from_there = |path: &Path| path.route.remote == route.remote;
        let exactly = |path: &Path| from_there(path) && path.route.local == route.local;
        let paths = &self.paths;
        let found = paths.iter().position(exactly);
        let Some(index) = found.or_else(|| paths.iter().position(from_there)) else {
            self.heard = None;
            return;
        };
        self.heard = Some((index, route));
        let path = &mut self.paths[index];
        if path.told == PathState::Unconfirmed
            && let Some(value) = path.ask_unless_waiting(now, index, timers)
        {
            self.effects.heartbeats.push((path.route, false, value));
        }
    }

    /// RFC 6951 §5.4: the UDP port of one of the peer's addresses has changed; or, if only one
    /// of them has ever answered, a NAT has given it another.
    pub(crate) fn on_moved(&mut self, from: SocketAddr) {
        let Some(index) = self.find_moved(from) else {
            return;
        };
        let former = self.paths[index].route.remote;
        let there = self.paths.iter_mut();
        for path in there.filter(|path| path.route.remote == former) {
            path.route.remote = from;
        }
        self.list_confirmed();
    }

    fn find_moved(&self, from: SocketAddr) -> Option<usize> {
        let mut paths = self.paths.iter();
        if paths.any(|path| path.route.remote == from) {
            return None;
        }
        let of_address = |path: &Path| path.route.remote.ip() == from.ip();
        let with_other_port = self.paths.iter().position(of_address);
        let is_confirmed = |path: &Path| path.told != PathState::Unconfirmed;
        with_other_port.or_else(|| {
            let only = self.confirmed.len() == 1;
            only.then(|| self.paths.iter().position(is_confirmed))?
        })
    }

    /// A HEARTBEAT ACK. Says whether it answers one of a path.
    pub(crate) fn on_heartbeat_ack(
        &mut self,
        now: Timestamp,
        value: &[u8],
        timers: &Timers,
    ) -> bool {
        let is_ours =
            (read_u16(value, 0), read_u16(value, 2)) == (Some(HEARTBEAT_INFO), Some(INFO_OCTETS));
        let fields = (read_u64(value, 4), read_u32(value, 12), read_u32(value, 16));
        let (true, (Some(nonce), Some(index), Some(counter))) = (is_ours, fields) else {
            return false;
        };
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let path = self.paths.get_mut(index);
        let Some(path) = path.filter(|path| path.nonce == nonce) else {
            return false;
        };
        path.on_heartbeat_ack(now, counter, timers);
        self.settle(timers);
        true
    }

    /// A message has been acknowledged.
    pub(crate) fn on_data_acknowledged(&mut self, now: Timestamp, timers: &Timers) {
        self.expiries = 0;
        let path = &mut self.paths[self.data_went];
        path.on_answered(now);
        if path.told != PathState::Active {
            self.settle(timers);
        }
    }

    /// T3-rtx, or T2-shutdown, expired for what was sent on the path in use: RFC 7829 has the
    /// retransmission take another, and every path is asked whether it works. Says whether the
    /// association gets a try more for it: each path is worth Association.Max.Retrans.
    pub(crate) fn on_expiry(&mut self, now: Timestamp, timers: &Timers) -> bool {
        self.paths[self.data_went].on_expiry();
        self.settle(timers);
        self.ask_all(now, timers);
        self.data_went = self.used;
        self.expiries += 1;
        let of_one_path = usize::from(timers.association_max_retrans) + 1;
        self.expiries <= of_one_path * (self.confirmed_routes().count() - 1)
    }

    /// The network says that nobody is at `remote`. Says whether that was the last path.
    pub(crate) fn on_unreachable(
        &mut self,
        now: Timestamp,
        remote: SocketAddr,
        timers: &Timers,
    ) -> bool {
        let there = self.paths.iter_mut().filter(|p| p.route.remote == remote);
        for path in there {
            path.on_unreachable(timers);
        }
        self.settle(timers);
        let is_left =
            |path: &Path| !matches!(path.told, PathState::Unconfirmed | PathState::Inactive);
        let is_last = !self.paths.iter().any(is_left);
        if !is_last {
            self.ask_all(now, timers);
        }
        is_last
    }

    pub(crate) fn deadline(&self) -> Timestamp {
        let due = self.paths.iter().map(Path::due).min();
        due.expect("there are at least two paths")
    }

    /// The time of [`Paths::deadline`] has come.
    pub(crate) fn fire(&mut self, now: Timestamp, timers: &Timers, random: &mut ChaCha20Rng) {
        for (index, path) in self.paths.iter_mut().enumerate() {
            if path.due() > now {
                continue;
            }
            if let Some(value) = path.on_due(now, index, timers, random.next_u32()) {
                let is_confirmed = path.told != PathState::Unconfirmed;
                let heartbeat = (path.route, is_confirmed, value);
                self.effects.heartbeats.push(heartbeat);
            }
        }
        self.settle(timers);
    }

    pub(crate) fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    /// HEARTBEATs to every confirmed path: which of them is worth trying next?
    fn ask_all(&mut self, now: Timestamp, timers: &Timers) {
        for (index, path) in self.paths.iter_mut().enumerate() {
            if path.told != PathState::Unconfirmed
                && let Some(value) = path.ask_unless_waiting(now, index, timers)
            {
                self.effects.heartbeats.push((path.route, true, value));
            }
        }
    }

    /// Tells what has changed, and chooses the path for data.
    fn settle(&mut self, timers: &Timers) {
        let mut is_confirmed = false;
        for path in &mut self.paths {
            let state = path.state(timers);
            if state != path.told {
                is_confirmed |= path.told == PathState::Unconfirmed;
                path.told = state;
                self.effects.changes.push((path.route.remote, state));
            }
        }
        if is_confirmed {
            self.list_confirmed();
        }
        let chosen = self.choose();
        if chosen != self.used {
            if self.paths[self.used].told != PathState::Active {
                self.effects.failovers += 1;
            }
            self.used = chosen;
        }
    }

    /// RFC 9260 §6.4.1, RFC 7829 §3.2: the primary path if it is active; else one that is; else
    /// the one with the fewest errors, so that with none all take turns.
    fn choose(&self) -> usize {
        let is_active = |index: usize| self.paths[index].told == PathState::Active;
        if is_active(self.primary) {
            return self.primary;
        }
        if is_active(self.used) {
            return self.used;
        }
        let count = self.paths.len();
        let after_used = (1..=count).map(|n| (self.used + n) % count);
        let confirmed =
            after_used.filter(|index| self.paths[*index].told != PathState::Unconfirmed);
        let best = confirmed.min_by_key(|index| self.paths[*index].errors());
        best.expect("the first path is confirmed")
    }

    fn list_confirmed(&mut self) {
        let mut remotes: Vec<_> = self.confirmed_routes().map(|route| route.remote).collect();
        remotes.sort_unstable();
        remotes.dedup();
        self.confirmed = remotes;
    }
}

impl Ends<'_> {
    /// The routes besides the first.
    fn further(&self) -> Vec<Route> {
        if self.listed.is_empty() {
            return self.routes_by_our_addresses();
        }
        let with_port = |address: &IpAddr| {
            let known = self.known.iter().find(|known| known.ip() == *address);
            known.map_or_else(
                || SocketAddr::new(*address, self.first.remote.port()),
                |known| *known,
            )
        };
        let to_remote = |address| Route {
            local: None,
            remote: with_port(address),
        };
        self.listed.iter().map(to_remote).collect()
    }

    fn routes_by_our_addresses(&self) -> Vec<Route> {
        let Route { local, remote } = self.first;
        let peer = remote.ip();
        let usable = self
            .local
            .iter()
            .filter(|ours| ours.is_ipv4() == peer.is_ipv4() && is_usable(**ours, peer));
        let from = |ours: &IpAddr| Route {
            local: Some(*ours),
            remote,
        };
        let usable: Vec<_> = usable.map(from).collect();
        match local {
            // Which of them the first path is from, the routing table knows.
            None if usable.len() < 2 => Vec::new(),
            None | Some(_) => usable
                .into_iter()
                .filter(|route| route.local != local)
                .collect(),
        }
    }
}
