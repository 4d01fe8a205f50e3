//! Presence (RFC 5353 §3.4.1, §3.4.2): discovering peers, and the heartbeat.
//!
//! Must not know what follows from a checksum.

use super::contact::{address_of, is_same_endpoint};
use super::{Destination, Output, Registrar, Timer};
use crate::random::{below, duration_between};
use crate::{AssociationId, ENRP_PORT, PeerAddress, RegistrarAddress, Transport};
use rserpool_wire::RegistrarId;
use rserpool_wire::enrp::{Message, Presence};
use rserpool_wire::parameter::ServerInformation;
use std::net::SocketAddr;
use std::time::Duration;

/// One heartbeat of so many asks a peer whom else it knows.
const HEARTBEATS_PER_LIST: u64 = 4;

/// No heartbeat cycle is shorter, whatever the configured timers.
pub(super) const SHORTEST: Duration = Duration::from_millis(10);

impl Registrar {
    /// Starts the heartbeat, if it is not running.
    pub(super) fn start_heartbeat(&mut self) {
        let timer = self.peers.heartbeat_timer;
        if self.timers.deadline(timer, Timer::PeerHeartbeat).is_some() {
            return;
        }
        let cycle = self.config.timers.peer_heartbeat_cycle;
        let delay = duration_between(&mut self.rng, cycle * 7 / 8, cycle * 9 / 8).max(SHORTEST);
        let deadline = self.now + delay;
        let timer = &mut self.peers.heartbeat_timer;
        self.timers.start(timer, Timer::PeerHeartbeat, deadline);
    }

    /// "Every PEER-HEARTBEAT-CYCLE seconds, an ENRP server MUST announce its continued presence to
    /// all its peer with a ENRP_PRESENCE message", varied by an eighth.
    pub(super) fn fire_peer_heartbeat(&mut self) {
        self.show_presence();
        if self.config.enrp_multicast {
            self.announce_presence(false);
        }
        if self.is_initialized() && below(&mut self.rng, HEARTBEATS_PER_LIST) == 0 {
            self.request_any_list();
        }
        if self.config.enrp_multicast || !self.peers.by_id.is_empty() {
            self.start_heartbeat();
        }
    }

    /// Two that joined while a third was away have perhaps not heard of each other: the list is
    /// asked for again now and then, of any peer that is connected.
    fn request_any_list(&mut self) {
        let peers = self.peers.by_id.iter();
        let connected: Vec<_> = peers
            .filter(|(_, peer)| peer.association.is_some())
            .map(|(id, _)| *id)
            .collect();
        let count = u64::try_from(connected.len()).unwrap_or(u64::MAX);
        let lot = usize::try_from(below(&mut self.rng, count.max(1))).unwrap_or(0);
        if let Some(peer) = connected.get(lot) {
            self.request_list(*peer);
        }
    }

    /// To all peers that are connected.
    pub(super) fn show_presence(&mut self) {
        let peers = self.peers.by_id.iter();
        let connected: Vec<_> = peers
            .filter_map(|(id, peer)| Some((*id, peer.association?)))
            .collect();
        for (id, association) in connected {
            self.send_presence(association, Some(id), false);
        }
    }

    /// To whoever listens on the multicast channel.
    pub(super) fn announce_presence(&mut self, reply_required: bool) {
        let message = Message::from(self.presence(None, reply_required));
        let to = Destination::Multicast;
        self.counters.presences += 1;
        self.outputs.push_back(Output::SendEnrp { to, message });
    }

    /// Asks a peer whether it is there; false if it is not connected.
    pub(super) fn ask_peer(&mut self, id: RegistrarId) -> bool {
        let peer = self.peers.by_id.get(&id);
        let Some(association) = peer.and_then(|peer| peer.association) else {
            return false;
        };
        self.send_presence(association, Some(id), true);
        true
    }

    pub(super) fn send_presence(
        &mut self,
        to: AssociationId,
        receiver: Option<RegistrarId>,
        reply_required: bool,
    ) {
        let message = self.presence(receiver, reply_required);
        self.counters.presences += 1;
        self.send_enrp(to, message);
    }

    fn presence(&self, receiver: Option<RegistrarId>, reply_required: bool) -> Presence {
        Presence {
            sender: self.config.id,
            receiver,
            reply_required,
            checksum: Some(self.checksum(self.config.id)),
            server_information: Some(self.server_information()),
        }
    }

    /// Who and where this registrar is.
    pub(super) fn server_information(&self) -> ServerInformation {
        ServerInformation {
            registrar: self.config.id,
            transport: self.config.enrp_transport.clone(),
            encapsulation_ports: self.config.enrp_encapsulation_ports,
        }
    }

    /// A peer shows its presence over its own association.
    pub(super) fn on_presence(&mut self, from: AssociationId, message: &Presence) {
        let id = message.sender;
        if let Some(information) = &message.server_information {
            self.on_server_information(from, information);
        }
        if let Some(peer) = self.peers.by_id.get_mut(&id)
            && message.checksum.is_some()
        {
            peer.checksum_told = message.checksum;
        }
        // "if this message is sent in response to a received 'reply required' ENRP_PRESENCE from
        // a peer, the sender then MUST include its server information" (§2.1).
        if message.reply_required {
            self.send_presence(from, Some(id), false);
        }
        if let Some(told) = message.checksum {
            self.on_peer_checksum(id, told);
        }
    }

    /// Where a peer says it is; at the other end of its association unless it says otherwise.
    fn on_server_information(&mut self, from: AssociationId, information: &ServerInformation) {
        let Some(remote) = self.associations.get(&from).map(|up| &up.peer) else {
            return;
        };
        let address = address_told(information, remote);
        let id = information.registrar;
        let Some(peer) = self.peers.by_id.get_mut(&id) else {
            return;
        };
        peer.address = Some(address.clone());
        if peer.contact.is_some() || !address.is_usable() {
            return;
        }
        if let Some(contact) = self.contact_at(&address, false) {
            self.on_contact_identified(contact, id);
            if let Some(peer) = self.peers.by_id.get_mut(&id) {
                peer.contact = Some(contact);
            }
        }
    }

    /// A hint where a peer may be, and no more: anybody can send it (RFC 5353 §6.2). It is only
    /// looked for at the address that the hint came from.
    pub(super) fn on_presence_announced(&mut self, from: SocketAddr, message: &Presence) {
        let known = self.peers.by_id.get(&message.sender);
        if known.is_some_and(|peer| peer.association.is_some()) {
            return;
        }
        let heard = RegistrarAddress {
            transport: Transport::Sctp,
            addresses: vec![from.ip()],
            port: ENRP_PORT,
            udp_port: None,
        };
        let information = message.server_information.as_ref();
        let told = information.map(RegistrarAddress::of_peer);
        let address = match told {
            None => heard,
            Some(told) => {
                let here = RegistrarAddress {
                    addresses: heard.addresses,
                    ..told.clone()
                };
                if is_same_endpoint(&told, &here) {
                    told
                } else {
                    here
                }
            }
        };
        self.on_hint(&address);
        self.extend_mentor_discovery();
    }
}

/// Where a registrar says it is, completed by where it speaks from.
pub(super) fn address_told(
    information: &ServerInformation,
    remote: &PeerAddress,
) -> RegistrarAddress {
    let told = RegistrarAddress::of_peer(information);
    if told.is_usable() {
        return told;
    }
    let remote = address_of(remote);
    let port = if told.port == 0 {
        remote.port
    } else {
        told.port
    };
    RegistrarAddress {
        addresses: remote.addresses,
        port,
        ..told
    }
}
