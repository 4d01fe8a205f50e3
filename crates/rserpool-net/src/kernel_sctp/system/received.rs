//! What the sockets bring: messages, and notifications (RFC 6458 §6.1).

use super::super::association::{Association, State};
use super::super::notification;
use super::{KernelSctp, canonical, own};
use crate::event::NetworkEvent;
use oxirush_sctp::{AssocChangeState, AssociationChange, Notification, ReceivedData};
use rserpool_core::AssociationId;
use rserpool_sctp::{DownReason, Event, Timestamp};
use std::net::SocketAddr;

/// What strangers do wrong is told this often, and then only counted.
const STRANGERS_TOLD_MAX: u64 = 64;

impl KernelSctp {
    pub(super) fn on_data(&mut self, socket: usize, data: ReceivedData) {
        let Some(info) = data.rcv_info else { return };
        let Some(&number) = self.numbers.get(&(socket, info.assoc_id)) else {
            return;
        };
        self.statistics.messages_received += 1;
        if data.payload.len() > self.sockets[socket].message_octets_max {
            return self.on_too_large(number, data.payload.len());
        }
        let event = Event::Message {
            association: own(number),
            stream: info.sid,
            ppid: info.ppid,
            data: data.payload,
        };
        self.events.push_back((number, event));
    }

    fn on_too_large(&mut self, number: AssociationId, octets: usize) {
        self.statistics.too_large += 1;
        if self.statistics.too_large <= STRANGERS_TOLD_MAX
            && let Some(peer) = self.remote(number)
        {
            self.told.push_back(NetworkEvent::TooLarge { peer, octets });
        }
        self.abort(number, "the message is too large");
    }

    pub(super) fn on_notification(&mut self, now: Timestamp, socket: usize, told: Notification) {
        match told {
            Notification::AssociationChange(change) => self.on_change(now, socket, &change),
            Notification::Shutdown(shutdown) => {
                if let Some(&number) = self.numbers.get(&(socket, shutdown.assoc_id)) {
                    let association = own(number);
                    let event = Event::ShutdownByPeer { association };
                    self.events.push_back((number, event));
                }
            }
            Notification::PeerAddressChange(change) => {
                if let Some(&number) = self.numbers.get(&(socket, change.assoc_id))
                    && let Some(state) = notification::path_state(change.state)
                {
                    let event = Event::Path {
                        association: own(number),
                        remote: SocketAddr::new(change.address.ip().to_canonical(), 0),
                        state,
                    };
                    self.events.push_back((number, event));
                }
            }
            Notification::SendFailure(failure) => {
                self.statistics.send_failures += 1;
                if let Some(&number) = self.numbers.get(&(socket, failure.assoc_id)) {
                    let event = Event::SendFailed {
                        association: own(number),
                        stream: failure.snd_info.sid,
                        ppid: failure.snd_info.ppid,
                        data: failure.payload,
                    };
                    self.events.push_back((number, event));
                }
            }
            Notification::SenderDry { assoc_id } => {
                if let Some(&number) = self.numbers.get(&(socket, assoc_id))
                    && let Some(association) = self.associations.get_mut(&number)
                {
                    association.on_dry();
                    self.sending.insert(number);
                }
            }
            Notification::RemoteError(_)
            | Notification::PartialDelivery(_)
            | Notification::Unsupported { .. }
            | _ => {}
        }
    }

    fn on_change(&mut self, now: Timestamp, socket: usize, change: &AssociationChange) {
        let known = self.numbers.get(&(socket, change.assoc_id)).copied();
        match (change.state, known) {
            (AssocChangeState::CommUp, Some(number)) => self.up(number, change, false),
            (AssocChangeState::CommUp, None) => self.on_accepted(socket, change),
            (AssocChangeState::Restart, Some(number)) => {
                let Some((remote, sctp_port)) = self.renew(number, change) else {
                    return;
                };
                let event = Event::Restarted {
                    association: own(number),
                    remote,
                    sctp_port,
                };
                self.events.push_back((number, event));
            }
            (AssocChangeState::CommLost, Some(number)) => {
                self.ended.push((number, notification::lost(change)));
            }
            (AssocChangeState::ShutdownComplete, Some(number)) => {
                self.ended.push((number, DownReason::Closed));
            }
            (AssocChangeState::CannotStartAssoc, Some(number)) => {
                let association = self.associations.get(&number);
                let since = match association.map(|association| association.state) {
                    Some(State::Connecting { since }) => since,
                    _ => now,
                };
                let after = now.0.saturating_sub(since.0);
                let rto_initial = self.config.timers.rto_initial;
                let reason = notification::not_begun(change, after, rto_initial);
                self.ended.push((number, reason));
            }
            _ => {}
        }
    }

    /// A peer began an association.
    fn on_accepted(&mut self, socket: usize, change: &AssociationChange) {
        let limit = self.config.associations_max;
        if self.associations.len() < limit {
            let association = Association::new(socket, change.assoc_id, State::Up);
            let number = self.insert(association);
            return self.up(number, change, true);
        }
        self.statistics.refused += 1;
        let endpoint = &self.sockets[socket].endpoint;
        if self.statistics.refused <= STRANGERS_TOLD_MAX
            && let Ok(peers) = endpoint.peer_addrs(change.assoc_id)
            && let Some(&peer) = peers.first()
        {
            let peer = canonical(peer);
            self.told
                .push_back(NetworkEvent::TooManyConnections { peer, limit });
        }
        // Gone already, it is refused all the same.
        let _ = endpoint.abort(change.assoc_id, b"too many associations");
    }

    fn up(&mut self, number: AssociationId, change: &AssociationChange, accepted: bool) {
        let Some((remote, sctp_port)) = self.renew(number, change) else {
            return;
        };
        let event = Event::Up {
            association: own(number),
            remote,
            sctp_port,
            accepted,
        };
        self.events.push_back((number, event));
    }

    /// What is known of an association from now on.
    fn renew(
        &mut self,
        number: AssociationId,
        change: &AssociationChange,
    ) -> Option<(SocketAddr, u16)> {
        let association = self.associations.get_mut(&number)?;
        let endpoint = &self.sockets[association.socket].endpoint;
        // None is left when it has ended by now, which is told next.
        let peers = endpoint.peer_addrs(change.assoc_id).unwrap_or_default();
        let first = canonical(*peers.first()?);
        let addresses = peers.iter().map(|at| at.ip().to_canonical()).collect();
        association.up(change.outbound_streams, addresses, first.port());
        Some((SocketAddr::new(first.ip(), 0), first.port()))
    }
}
