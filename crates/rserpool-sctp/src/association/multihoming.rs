//! Several paths: what an association does for them, and they for it.
//!
//! dcsctp knows of one path. Its packets are given a route on their way out, and an expiry of its
//! T3-rtx, which moves data to another path, is seen in what it counts.

use std::net::{IpAddr, SocketAddr};

use dcsctp::api::DcSctpSocket as _;

use super::{Association, InitSource, Phase, Surroundings};
use crate::config::Config;
use crate::event::{Event, PathStatus};
use crate::heartbeat::HEARTBEAT_INFO;
use crate::packet::{Header, Packet, Writer, chunk_type, type_length_value};
use crate::paths::{Effects, Ends, Paths};
use crate::route::Route;

/// What [`Association::reset_error_counter`] has in its Heartbeat Info: the number of the
/// HEARTBEAT that dcsctp sent last. It sends none.
const NO_HEARTBEAT: [u8; 4] = [0; 4];

impl Association {
    /// The association is with who answered at `first` and listed `listed` besides.
    pub(crate) fn learn_addresses(
        &mut self,
        first: Route,
        listed: &[IpAddr],
        around: &mut Surroundings<'_>,
    ) {
        self.follow(first.remote);
        let mut first = first;
        if self.accepted {
            self.local = first.local;
        } else if !listed.is_empty() {
            // Where the peer's addresses tell the paths apart, the routing table chooses ours.
            first.local = None;
        }
        let known = match &self.phase {
            Phase::Connecting { candidates } => candidates.as_slice(),
            Phase::Accepting | Phase::Up => &[],
        };
        let ends = Ends {
            first,
            listed,
            known,
            local: &around.config.local_addresses,
        };
        self.paths = Paths::new(&ends, &around.config.timers, around.random);
    }

    /// Of the addresses in an INIT those that this association does not have.
    pub(crate) fn unknown_addresses(&self, init: InitSource<'_>) -> Vec<IpAddr> {
        let is_known = |address: &IpAddr| match &self.paths {
            Some(paths) => paths.has_address(*address),
            None => self.remote.ip() == *address,
        };
        let source = init.route.remote.ip();
        let all = std::iter::once(&source).chain(init.listed);
        all.filter(|address| !is_known(address)).copied().collect()
    }

    pub(crate) fn path_status(&self) -> Vec<PathStatus> {
        self.paths
            .as_ref()
            .map_or_else(Vec::new, |paths| paths.status())
    }

    /// `None`: there is but one path. Otherwise whether it is possible.
    pub(crate) fn set_primary(&mut self, to: Route, around: &mut Surroundings<'_>) -> Option<bool> {
        let paths = self.paths.as_mut()?;
        let is_set = paths.set_primary(to, &around.config.timers);
        self.apply_path_effects(around);
        Some(is_set)
    }

    /// Whether a packet from there means that the peer, or one of its addresses, has moved.
    pub(crate) fn has_moved(&self, from: SocketAddr) -> bool {
        match &self.paths {
            Some(paths) => paths.moves(from),
            None => self.remote != from,
        }
    }

    /// RFC 6951 §5.4. The tag and the checksum have been checked.
    pub(crate) fn on_moved(&mut self, to: Route) {
        match &mut self.paths {
            Some(paths) => {
                paths.on_moved(to.remote);
                self.remote = paths.used().remote;
            }
            None => {
                self.local = self.local.and(to.local);
                self.follow(to.remote);
            }
        }
    }

    /// ICMP. Says whether nobody is left to be reached.
    pub(crate) fn on_path_unreachable(
        &mut self,
        remote: SocketAddr,
        around: &mut Surroundings<'_>,
    ) -> bool {
        let Some(paths) = &mut self.paths else {
            return true;
        };
        let is_last = paths.on_unreachable(around.now, remote, &around.config.timers);
        self.apply_path_effects(around);
        is_last
    }

    /// Where a packet of dcsctp goes.
    pub(super) fn route_of(&mut self, packet: &Packet<'_>, around: &mut Surroundings<'_>) -> Route {
        let kind = packet.first().kind;
        let is_shutdown = matches!(kind, chunk_type::SHUTDOWN | chunk_type::SHUTDOWN_ACK);
        if is_shutdown && self.is_on_timer && self.paths.is_some() {
            self.on_expiry(around);
        }
        match &mut self.paths {
            Some(paths) => paths.route(packet, self.is_on_timer),
            None => self.route(),
        }
    }

    /// Where the peer is.
    pub(super) fn route(&self) -> Route {
        match &self.paths {
            Some(paths) => paths.used(),
            None => Route {
                local: self.local,
                remote: self.remote,
            },
        }
    }

    /// Lets dcsctp fire its timers. What it repeats because of that takes another path.
    pub(super) fn advance_with_paths(&mut self, around: &mut Surroundings<'_>) {
        self.is_on_timer = true;
        if self.paths.is_none() {
            self.advance(around.now);
            return;
        }
        let before = self.retransmissions(around.config);
        self.advance(around.now);
        if self.retransmissions(around.config) > before && !self.window.excuses_expiry() {
            self.on_expiry(around);
        }
    }

    /// The path in use did not answer.
    fn on_expiry(&mut self, around: &mut Surroundings<'_>) {
        let Some(paths) = &mut self.paths else {
            return;
        };
        if paths.on_expiry(around.now, &around.config.timers) {
            self.reset_error_counter(around);
        }
        self.apply_path_effects(around);
    }

    /// dcsctp gives up after Association.Max.Retrans expiries, which are for one path. A
    /// HEARTBEAT ACK has it count from the beginning (RFC 9260 §8.1).
    pub(super) fn reset_error_counter(&mut self, around: &Surroundings<'_>) {
        let header = Header {
            source_port: self.peer_port,
            destination_port: around.config.sctp_port,
            verification_tag: self.socket_tag(),
        };
        let info = type_length_value(HEARTBEAT_INFO, &NO_HEARTBEAT);
        let ack = Writer::new(header).chunk(chunk_type::HEARTBEAT_ACK, 0, &info);
        self.socket.handle_input(&ack.finish());
    }

    /// Grows when T3-rtx has expired, which leaves a window of one packet (RFC 9260 §7.2.3). With
    /// a larger one, what is repeated is so for another reason.
    fn retransmissions(&self, config: &Config) -> usize {
        let metrics = self.socket.get_metrics();
        let after_expiry = metrics.filter(|metrics| metrics.cwnd_bytes <= config.mtu);
        after_expiry.map_or(0, |metrics| metrics.rtx_packets_count)
    }

    /// Sends the HEARTBEATs of the paths and tells what has become of them.
    pub(super) fn apply_path_effects(&mut self, around: &mut Surroundings<'_>) {
        let Some(paths) = &mut self.paths else {
            return;
        };
        let Effects {
            heartbeats,
            changes,
            failovers,
        } = paths.take_effects();
        self.remote = paths.used().remote;
        let association = self.id;
        around.outputs.statistics.failovers += failovers;
        for (remote, state) in changes {
            around.outputs.events.push_back(Event::Path {
                association,
                remote,
                state,
            });
        }
        for (route, is_confirmed, value) in heartbeats {
            if is_confirmed || around.verification_limit.allows(around.now) {
                self.send_heartbeat(route, &value, around);
            }
        }
    }

    /// A HEARTBEAT that asks whether the peer is there at all.
    pub(super) fn ask_everywhere(&self, value: &[u8], around: &mut Surroundings<'_>) {
        match &self.paths {
            None => self.send_heartbeat(self.route(), value, around),
            Some(paths) => {
                for route in paths.confirmed_routes() {
                    self.send_heartbeat(route, value, around);
                }
            }
        }
    }

    fn send_heartbeat(&self, to: Route, value: &[u8], around: &mut Surroundings<'_>) {
        around.outputs.statistics.heartbeats_out += 1;
        let writer = self.writer(around.config);
        let heartbeat = writer.chunk(chunk_type::HEARTBEAT, 0, value).finish();
        around.outputs.transmits.push_back(to.carry(heartbeat));
    }
}
