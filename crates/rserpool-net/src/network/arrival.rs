//! What the network brings: from sockets and tasks to what a node is told.

use super::{ASAP_PPID, Network, sctp_time};
use crate::event::NetworkEvent;
use crate::inbox::Found;
use crate::multicast::Channel;
use crate::tcp::Accepted;
use crate::udp::UDP_ENCAPSULATION_PORT;
use rserpool_core::{AssociationId, PeerAddress, Timestamp, Transport};
use rserpool_sctp::{DownReason, Event, PathState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::net::TcpStream;

/// What the network brings.
pub(crate) enum Arrival {
    /// An association is up.
    Up {
        association: AssociationId,
        peer: PeerAddress,
        remote: SocketAddr,
        accepted: bool,
    },
    /// One that was asked for could not be set up, or one that was up has ended.
    Down {
        association: AssociationId,
        reason: DownReason,
    },
    /// More of a peer's addresses are confirmed, or there are some that are not.
    PeerAddresses {
        association: AssociationId,
        addresses: PeerAddresses,
    },
    /// A message.
    Received {
        association: AssociationId,
        stream: u16,
        ppid: u32,
        octets: Vec<u8>,
    },
    /// Nothing more comes, but the peer may still take something.
    Finished { association: AssociationId },
    /// A message that its peer may never have got.
    SendFailed {
        association: AssociationId,
        ppid: u32,
        octets: Vec<u8>,
    },
    /// A datagram of a multicast group.
    Multicast {
        channel: Channel,
        from: SocketAddr,
        octets: Vec<u8>,
    },
}

/// The addresses of a peer, as far as it has shown to have them (RFC 9260 §5.4).
#[derive(Default)]
pub(crate) struct PeerAddresses {
    pub(crate) confirmed: Vec<IpAddr>,
    pub(crate) unconfirmed: Vec<IpAddr>,
}

impl PeerAddresses {
    /// Adds one, if it is new.
    pub(crate) fn add(&mut self, address: IpAddr, is_confirmed: bool) {
        if self.confirmed.contains(&address) {
            return;
        }
        if is_confirmed {
            self.unconfirmed.retain(|other| *other != address);
            self.confirmed.push(address);
        } else if !self.unconfirmed.contains(&address) {
            self.unconfirmed.push(address);
        }
    }
}

impl Network {
    pub(super) fn on_sctp_event(&mut self, association: AssociationId, event: Event) {
        match event {
            Event::Up {
                remote,
                sctp_port,
                accepted,
                ..
            } => {
                // Lifelines lead to the UDP port.
                if !accepted
                    && remote.port() != 0
                    && let Some(tag) = self.sctp.peer_tag(association)
                {
                    self.lifelines.open(association, remote, tag);
                }
                self.sctp_up(association, remote, sctp_port, accepted);
            }
            Event::Restarted {
                remote, sctp_port, ..
            } => self.on_restarted(association, remote, sctp_port),
            Event::Message {
                stream,
                ppid,
                data: octets,
                ..
            } => {
                self.arrivals.push_back(Arrival::Received {
                    association,
                    stream,
                    ppid,
                    octets,
                });
            }
            Event::Path {
                state: PathState::Active,
                ..
            } => {
                if let Some(remote) = self.sctp.remote(association) {
                    let addresses = self.sctp.peer_addresses(association, remote);
                    self.peer_addresses_changed(association, addresses);
                }
            }
            // What the peer already sent still arrives; its end follows by itself. And which way
            // packets go is the endpoint's.
            Event::ShutdownByPeer { .. } | Event::Path { .. } => {}
            Event::SendFailed {
                ppid, data: octets, ..
            } => {
                self.arrivals.push_back(Arrival::SendFailed {
                    association,
                    ppid,
                    octets,
                });
            }
            Event::Down { reason, .. } => {
                if let DownReason::OutOfResource { remote, octets } = reason {
                    let peer = remote;
                    self.events
                        .push_back(NetworkEvent::Incomplete { peer, octets });
                }
                self.down(association, reason);
            }
        }
    }

    /// To everybody above, a peer that lost its state is gone, and another one came: each number
    /// means one peer and what it knows.
    fn on_restarted(&mut self, association: AssociationId, remote: SocketAddr, sctp_port: u16) {
        // Where nobody is waited for, it would be nobody's.
        let renumbered = self
            .sctp
            .listens(association)
            .then(|| self.sctp.renumber(association));
        let Some(now) = renumbered.flatten() else {
            return self.abort(association, "state was lost: associate again");
        };
        self.down(association, DownReason::Lost);
        self.sctp_up(now, remote, sctp_port, true);
    }

    fn sctp_up(
        &mut self,
        association: AssociationId,
        remote: SocketAddr,
        sctp_port: u16,
        accepted: bool,
    ) {
        let addresses = self.sctp.peer_addresses(association, remote);
        let peer = PeerAddress {
            transport: Transport::Sctp,
            addresses: addresses.confirmed.clone(),
            port: sctp_port,
            // Of one that came without encapsulation, none is known.
            udp_port: Some(remote.port())
                .filter(|&port| port != UDP_ENCAPSULATION_PORT && port != 0),
        };
        self.arrivals.push_back(Arrival::Up {
            association,
            peer,
            remote,
            accepted,
        });
        if !addresses.unconfirmed.is_empty() {
            self.peer_addresses_changed(association, addresses);
        }
    }

    pub(super) fn peer_addresses_changed(
        &mut self,
        association: AssociationId,
        addresses: PeerAddresses,
    ) {
        self.arrivals.push_back(Arrival::PeerAddresses {
            association,
            addresses,
        });
    }

    pub(super) fn on_found(&mut self, now: Timestamp, found: Found) {
        match found {
            Found::TcpAccepted { stream, peer } => self.on_tcp_accepted(stream, peer),
            Found::TcpConnected {
                association,
                stream,
                peer,
            } => {
                if self.tcp.connected(association, stream, peer) {
                    self.up_without_sctp(association, peer, false);
                }
            }
            Found::TcpConnectFailed { association, error } => {
                let refused = error.source.kind() == io::ErrorKind::ConnectionRefused;
                let lost = if refused {
                    DownReason::Unreachable
                } else {
                    DownReason::Lost
                };
                self.tcp.close(association);
                self.down(association, lost);
            }
            Found::TcpReceived {
                association,
                octets,
            } => {
                let ppid = ASAP_PPID;
                self.arrivals.push_back(Arrival::Received {
                    association,
                    stream: 0,
                    ppid,
                    octets,
                });
            }
            Found::TcpEnded { association, event } => {
                self.statistics.shed += u64::from(event.is_some());
                self.events.extend(event);
                self.tcp.close(association);
                self.down(association, DownReason::Closed);
            }
            Found::UserTcp(found) => self.on_user_tcp(found),
            Found::LifelineNamed(named) => {
                let association = self.sctp.association_by_local_tag(named.tag);
                self.lifelines.named(named, association);
            }
            Found::LifelineEnded { lifeline, was_open } => {
                self.on_lifeline_ended(now, lifeline, was_open);
            }
            Found::Multicast {
                channel,
                from,
                octets,
            } => {
                let arrival = Arrival::Multicast {
                    channel,
                    from,
                    octets,
                };
                self.arrivals.push_back(arrival);
            }
        }
    }

    fn on_lifeline_ended(&mut self, now: Timestamp, lifeline: u64, was_open: bool) {
        if let Some(association) = self.lifelines.ended(lifeline)
            && let Some(peer) = self.sctp.remote(association)
        {
            if was_open {
                self.events.push_back(NetworkEvent::LifelineLost { peer });
            }
            self.sctp.probe(sctp_time(now), association);
        }
    }

    fn on_tcp_accepted(&mut self, stream: TcpStream, peer: SocketAddr) {
        match self.tcp.accept(stream, peer) {
            Ok(Accepted {
                association,
                displaced,
            }) => {
                if let Some(displaced) = displaced {
                    self.displace(displaced);
                }
                self.up_without_sctp(association, peer, true);
            }
            Err(event) => self.events.push_back(event),
        }
    }

    /// A connection goes for another one.
    fn displace(&mut self, association: AssociationId) {
        self.statistics.shed += 1;
        if let Some(peer) = self.tcp.peer(association) {
            self.events.push_back(NetworkEvent::Idle { peer });
        }
        self.tcp.close(association);
        self.down(association, DownReason::Closed);
    }

    /// A connection of ASAP, or a data channel; on that nobody speaks ASAP, and its transport is
    /// not looked at.
    pub(super) fn up_without_sctp(
        &mut self,
        association: AssociationId,
        remote: SocketAddr,
        accepted: bool,
    ) {
        let peer = PeerAddress {
            transport: Transport::Tcp,
            addresses: vec![remote.ip()],
            port: remote.port(),
            udp_port: None,
        };
        self.arrivals.push_back(Arrival::Up {
            association,
            peer,
            remote,
            accepted,
        });
    }

    pub(super) fn down(&mut self, association: AssociationId, reason: DownReason) {
        self.lifelines.close(association);
        self.arrivals.push_back(Arrival::Down {
            association,
            reason,
        });
    }
}
