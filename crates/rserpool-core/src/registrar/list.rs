//! Peer lists (RFC 5353 §3.2.2.2): asking for them, and answering who asks.
//!
//! Must not know who becomes the mentor.

use super::Registrar;
use super::presence::address_told;
use crate::{AssociationId, RegistrarAddress};
use rserpool_wire::RegistrarId;
use rserpool_wire::enrp::{ListRequest, ListResponse, Message, Rejected};
use rserpool_wire::parameter::{
    EncapsulationPorts, SctpTransport, ServerInformation, TransportUse,
};
use std::num::NonZeroU16;

impl Registrar {
    /// Asks a peer which others it knows; false if it is not connected.
    pub(super) fn request_list(&mut self, peer: RegistrarId) -> bool {
        let message = ListRequest {
            sender: self.config.id,
            receiver: Some(peer),
        };
        self.send_to_peer(peer, Message::from(message))
    }

    /// "if the mentor itself is in the process of startup and not ready to provide a peer server
    /// list ..., it MUST reject the request". Only peers that are there are listed: else the dead
    /// would circulate for ever.
    pub(super) fn on_list_request(&mut self, from: AssociationId, message: &ListRequest) {
        let result = if self.is_initialized() {
            let peers = self.peers.by_id.iter();
            let live = peers.filter(|(id, _)| **id != message.sender && self.is_live(**id));
            Ok(live
                .filter_map(|(id, peer)| Some(information(*id, peer.address.as_ref()?)))
                .collect())
        } else {
            self.counters.tables_rejected += 1;
            Err(Rejected)
        };
        let response = ListResponse {
            sender: self.config.id,
            receiver: Some(message.sender),
            result,
        };
        self.send_enrp(from, response);
    }

    /// "MUST use the server information carried in the message to initialize its own peer list":
    /// who is listed is connected to, and is a peer when it says so itself.
    pub(super) fn on_list(&mut self, from: AssociationId, listed: &[ServerInformation]) {
        let Some(remote) = self.associations.get(&from).map(|up| up.peer.clone()) else {
            return;
        };
        let sender = self.peers.links.get(&from).and_then(|link| link.peer);
        for information in listed.iter().take(self.config.limits.peers_max) {
            let id = information.registrar;
            let known = self.peers.by_id.get(&id);
            let is_connected = known.is_some_and(|peer| peer.association.is_some());
            if id == self.config.id || is_connected {
                continue;
            }
            let address = if sender == Some(id) {
                address_told(information, &remote)
            } else {
                RegistrarAddress::of_peer(information)
            };
            self.on_hint(&address);
        }
    }
}

fn information(registrar: RegistrarId, address: &RegistrarAddress) -> ServerInformation {
    ServerInformation {
        registrar,
        transport: SctpTransport {
            port: address.port,
            transport_use: TransportUse::DATA_ONLY,
            addresses: address.addresses.clone(),
        },
        encapsulation_ports: EncapsulationPorts {
            user: address.udp_port.and_then(NonZeroU16::new),
            asap: None,
        },
    }
}
