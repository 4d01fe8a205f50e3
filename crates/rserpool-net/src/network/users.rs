//! The data channels that are not SCTP's: what they bring, as the node is told.

use super::{Arrival, Network, sctp_time};
use crate::error::{NetError, Operation};
use crate::event::NetworkEvent;
use crate::user_transport::{AwaitUsers, DataTransport, FoundTcp, data_transport};
use crate::user_transport::{FoundUdp, UDP_IDLE_AFTER, UserTcp, UserUdp};
use rserpool_core::{AssociationId, Timestamp};
use rserpool_sctp::{ConnectError, DownReason, Outgoing, SendError};
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

/// The data channels over TCP and UDP.
pub(super) struct Users {
    pub(super) tcp: UserTcp,
    pub(super) udp: UserUdp,
    /// Where pool users are awaited.
    port: Option<u16>,
}

impl Users {
    /// Awaits pool users, if that is wanted.
    ///
    /// # Errors
    /// A port that cannot be had.
    pub(super) fn start(
        mut tcp: UserTcp,
        addresses: &[IpAddr],
        wanted: Option<AwaitUsers>,
    ) -> Result<Self, NetError> {
        let idle_after = match wanted {
            Some(AwaitUsers::Udp { idle_after, .. }) => idle_after,
            Some(AwaitUsers::Tcp { .. }) | None => UDP_IDLE_AFTER,
        };
        let mut udp = UserUdp::new(addresses, idle_after);
        let port = match wanted {
            Some(AwaitUsers::Tcp { port }) => Some(tcp.await_users(addresses, port)),
            Some(AwaitUsers::Udp { port, .. }) => Some(udp.await_users(port)),
            None => None,
        };
        let failed = |error| NetError {
            operation: Operation::AwaitUsers,
            ..error
        };
        let port = port.transpose().map_err(failed)?;
        Ok(Self { tcp, udp, port })
    }

    pub(super) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.udp.poll_ready(context)
    }

    pub(super) fn send(
        &mut self,
        association: AssociationId,
        outgoing: Outgoing,
    ) -> Result<(), SendError> {
        if data_transport(association) == DataTransport::Tcp {
            return self.tcp.send(association, &outgoing.data);
        }
        let sent = self.udp.send(association, outgoing.data);
        sent.then_some(()).ok_or(SendError::UnknownAssociation)
    }

    pub(super) fn flush(&mut self) {
        self.tcp.flush();
        self.udp.flush();
    }

    pub(super) fn stop_listening(&mut self) {
        self.tcp.stop_listening();
        self.udp.stop_listening();
    }

    pub(super) fn peer(&self, association: AssociationId) -> Option<SocketAddr> {
        let tcp = self.tcp.peer(association);
        tcp.or_else(|| self.udp.peer(association))
    }

    pub(super) fn len(&self) -> usize {
        self.tcp.len() + self.udp.len()
    }
}

impl Network {
    /// The port at which pool users are awaited without SCTP.
    pub(crate) fn user_port(&self) -> Option<u16> {
        self.users.port
    }

    /// Connects to a pool element by TCP.
    pub(crate) fn connect_user_tcp(&mut self, peer: SocketAddr) -> AssociationId {
        self.users.tcp.connect(&self.addresses, peer)
    }

    /// Begins a flow of datagrams to a pool element. It is up at once, whether or not anybody is
    /// there.
    ///
    /// # Errors
    /// There is no port left from which no other flow leads there.
    pub(crate) fn connect_user_udp(
        &mut self,
        peer: SocketAddr,
    ) -> Result<AssociationId, ConnectError> {
        let now = self.now();
        let begun = self.users.udp.connect(now, peer).unwrap_or_else(|error| {
            self.events.push_back(NetworkEvent::Unavailable(error));
            None
        });
        let association = begun.ok_or(ConnectError::TooManyAssociations)?;
        self.up_without_sctp(association, peer, false);
        Ok(association)
    }

    /// Makes a peer wait until more of what it sent is taken. The kernel's SCTP cannot: its
    /// associations share a socket. Nor can UDP.
    pub(crate) fn pause(&mut self, association: AssociationId) {
        match data_transport(association) {
            DataTransport::Tcp => self.users.tcp.pause(association, true),
            DataTransport::Sctp => self.sctp.hold(self.aliases.inner(association)),
            DataTransport::Udp => {}
        }
    }

    /// What was brought has been taken.
    pub(crate) fn resume(&mut self, association: AssociationId) {
        match data_transport(association) {
            DataTransport::Tcp => self.users.tcp.pause(association, false),
            DataTransport::Sctp => {
                let now = sctp_time(self.now());
                self.sctp.release(now, self.aliases.inner(association));
            }
            DataTransport::Udp => {}
        }
    }

    /// A datagram was dropped, because the application does not take those that came before.
    pub(crate) fn on_datagram_not_taken(&mut self, peer: SocketAddr) {
        self.on_datagram_dropped(NetworkEvent::DatagramDropped { peer });
    }

    /// Anybody can cause it, as often as they like.
    fn on_datagram_dropped(&mut self, event: NetworkEvent) {
        self.statistics.datagrams_dropped += 1;
        if self.statistics.datagrams_dropped <= super::STRANGERS_TOLD_MAX {
            self.events.push_back(event);
        }
    }

    /// Ends a data channel: in good order as far as its transport knows one.
    pub(super) fn close_user(&mut self, association: AssociationId) {
        if data_transport(association) == DataTransport::Tcp {
            self.users.tcp.close(association);
        } else if self.users.udp.end(association) {
            self.down(association, DownReason::Closed);
        }
    }

    /// Ends a data channel at once.
    pub(super) fn abort_user(&mut self, association: AssociationId) {
        if self.users.tcp.abort(association) || self.users.udp.end(association) {
            self.down(association, DownReason::LocalAbort);
        }
    }

    pub(super) fn on_user_tcp(&mut self, found: FoundTcp) {
        match found {
            FoundTcp::Accepted { stream, peer } => match self.users.tcp.accept(stream, peer) {
                Ok(association) => self.up_without_sctp(association, peer, true),
                Err(limit) => {
                    let event = NetworkEvent::TooManyConnections { peer, limit };
                    self.events.push_back(event);
                }
            },
            FoundTcp::Connected {
                association,
                stream,
                peer,
            } => {
                if self.users.tcp.connected(association, stream, peer) {
                    self.up_without_sctp(association, peer, false);
                }
            }
            FoundTcp::Received {
                association,
                octets,
            } => self.user_received(association, octets),
            // There is room again; whoever waits for it is told at the end of this turn.
            FoundTcp::Acknowledged => self.users.tcp.on_acknowledged(),
            FoundTcp::Finished { association } => {
                self.arrivals.push_back(Arrival::Finished { association });
            }
            FoundTcp::Ended {
                association,
                reason,
            } => {
                if self.users.tcp.on_ended(association) {
                    self.down(association, reason);
                }
            }
        }
    }

    pub(super) fn receive_from_users(&mut self, now: Timestamp) {
        let mut found = Vec::new();
        self.users.udp.receive(now, |one| found.push(one));
        self.on_user_udp(found);
    }

    pub(super) fn sweep_users(&mut self, now: Timestamp) {
        let mut found = Vec::new();
        self.users.udp.sweep(now, |one| found.push(one));
        self.on_user_udp(found);
    }

    fn on_user_udp(&mut self, found: Vec<FoundUdp>) {
        for found in found {
            match found {
                FoundUdp::Began { association, peer } => {
                    self.up_without_sctp(association, peer, true);
                }
                FoundUdp::Received {
                    association,
                    octets,
                } => self.user_received(association, octets),
                FoundUdp::Unreachable { association } => {
                    if self.users.udp.end(association) {
                        self.down(association, DownReason::Unreachable);
                    }
                }
                FoundUdp::Idle { association } => self.down(association, DownReason::Closed),
                FoundUdp::Refused { peer } => {
                    let limit = self.users.udp.len();
                    self.on_datagram_dropped(NetworkEvent::TooManyConnections { peer, limit });
                }
            }
        }
    }

    fn user_received(&mut self, association: AssociationId, octets: Vec<u8>) {
        self.arrivals.push_back(Arrival::Received {
            association,
            stream: 0,
            ppid: 0,
            octets,
        });
    }
}
