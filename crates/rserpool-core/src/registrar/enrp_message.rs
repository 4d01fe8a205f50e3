//! Every ENRP message takes this way (RFC 5353).
//!
//! Must not know what any message means.

use super::Registrar;
use super::contact::address_of;
use super::event::Event;
use super::peer::Status;
use super::presence::address_told;
use crate::{AssociationId, Transport};
use rserpool_wire::enrp::{Error, Message};
use rserpool_wire::parameter::{ErrorCause, OperationError};
use rserpool_wire::{Decoded, RegistrarId, Undecodable};
use std::net::SocketAddr;

impl Registrar {
    pub(super) fn on_enrp_received(
        &mut self,
        from: AssociationId,
        message: Result<Decoded<Message>, Undecodable>,
    ) {
        let association = self.associations.get(&from);
        // §3.1: "always carried out over an SCTP association".
        let is_sctp = association.is_some_and(|up| up.peer.transport == Transport::Sctp);
        if self.shutting_down || !is_sctp {
            self.counters.enrp_unexpected += 1;
            return;
        }
        let Decoded {
            message,
            unrecognized,
        } = match message {
            Ok(decoded) => decoded,
            Err(undecodable) => return self.on_enrp_undecodable(from, undecodable),
        };
        if let Message::Error(error) = &message
            && error.sender == self.config.id
        {
            return self.on_returned_error(from, error);
        }
        if !self.is_for_this_registrar(from, &message) {
            return;
        }
        let link = self.peers.links.get(&from);
        let is_bound = link.is_some_and(|link| link.peer.is_some());
        let (sender, _) = route(&message);
        // That an earlier process is gone may end a takeover, and with it this association.
        let is_new_peer = !is_bound && self.bind(from, sender);
        if !is_bound && !is_new_peer || !self.associations.contains_key(&from) {
            return;
        }
        self.on_heard(from, &message);
        self.dispatch(from, sender, message);
        self.report_enrp_error(from, unrecognized);
    }

    /// What is for another registrar, or claims to be from another one than before, is dropped.
    fn is_for_this_registrar(&mut self, from: AssociationId, message: &Message) -> bool {
        let (sender, receiver) = route(message);
        let link = self.peers.links.get(&from);
        let peer = link.and_then(|link| link.peer);
        let is_of_peer = peer.is_none_or(|peer| peer == sender);
        let names_another = match message {
            Message::Presence(presence) => presence
                .server_information
                .as_ref()
                .is_some_and(|information| information.registrar != sender),
            Message::HandleTableRequest(_)
            | Message::HandleTableResponse(_)
            | Message::HandleUpdate(_)
            | Message::ListRequest(_)
            | Message::ListResponse(_)
            | Message::InitTakeover(_)
            | Message::InitTakeoverAck(_)
            | Message::TakeoverServer(_)
            | Message::Error(_) => false,
        };
        let is_for_me = receiver.is_none_or(|receiver| receiver == self.config.id);
        if is_of_peer && is_for_me && !names_another {
            return true;
        }
        self.counters.enrp_unexpected += 1;
        if !is_of_peer {
            self.emit(Event::UnexpectedMessage {
                association: from,
                message_type: message.message_type(),
            });
        }
        false
    }

    /// "If a message of any type is received from a previously unknown peer, the ENRP server MUST
    /// consider this peer a new peer in the operational scope and add it to the peer list."
    fn on_heard(&mut self, from: AssociationId, message: &Message) {
        let (sender, _) = route(message);
        let known = self.peers.by_id.get(&sender);
        let is_new = known.is_some_and(|peer| peer.status == Status::Unheard);
        self.on_peer_heard(sender);
        if is_new {
            self.on_peer_joined(from, sender, message);
        }
        self.on_peer_connected_and_heard();
    }

    /// "MUST send an ENRP_PRESENCE message with the Reply-required flag set to '1'" (§3.4.1),
    /// which the registrar that began the association has done already.
    fn on_peer_joined(&mut self, from: AssociationId, peer: RegistrarId, message: &Message) {
        let Some(remote) = self.associations.get(&from).map(|up| up.peer.clone()) else {
            return;
        };
        let mut address = address_of(&remote);
        if let Message::Presence(presence) = message
            && let Some(information) = &presence.server_information
        {
            address = address_told(information, &remote);
        }
        if let Some(known) = self.peers.by_id.get_mut(&peer) {
            known.address.get_or_insert_with(|| address.clone());
        }
        self.emit(Event::PeerJoined { peer, address });
        self.start_heartbeat();
        if !self.peers.began(from) {
            self.send_presence(from, Some(peer), true);
        }
        // It may know others.
        if self.is_initialized() {
            self.request_list(peer);
        }
        // What others told of its pool elements may be of yesterday, and no checksum covers their
        // attributes.
        if self.handlespace.owned(peer) > 0 {
            self.force_resynchronization(peer);
        }
    }

    fn dispatch(&mut self, from: AssociationId, sender: RegistrarId, message: Message) {
        match message {
            Message::Presence(presence) => self.on_presence(from, &presence),
            Message::HandleTableRequest(request) => self.on_handle_table_request(sender, &request),
            Message::HandleTableResponse(response) => {
                self.on_handle_table_response(sender, response);
            }
            Message::HandleUpdate(update) => {
                self.note_update_over(from, sender);
                self.on_handle_update(sender, update);
            }
            Message::ListRequest(request) => self.on_list_request(from, &request),
            Message::ListResponse(response) => self.on_list_response(from, &response),
            Message::InitTakeover(init) => self.on_init_takeover(&init),
            Message::InitTakeoverAck(ack) => self.on_init_takeover_ack(&ack),
            Message::TakeoverServer(takeover) => self.on_takeover_server(&takeover),
            Message::Error(error) => self.on_enrp_error(from, error),
        }
    }

    /// A hint where a peer may be, and no more: anybody can send it (RFC 5353 §6.2).
    pub(super) fn on_enrp_announced(&mut self, from: SocketAddr, message: Message) {
        let (sender, _) = route(&message);
        if sender == self.config.id || self.shutting_down {
            return;
        }
        let Message::Presence(presence) = message else {
            self.counters.enrp_unexpected += 1;
            return;
        };
        let information = presence.server_information.as_ref();
        if information.is_some_and(|information| information.registrar != sender) {
            self.counters.enrp_unexpected += 1;
            return;
        }
        self.on_presence_announced(from, &presence);
    }

    fn on_enrp_undecodable(&mut self, from: AssociationId, undecodable: Undecodable) {
        self.counters.bad_messages += 1;
        self.emit(Event::BadMessage {
            association: from,
            error: undecodable.error,
        });
        self.report_enrp_error(from, undecodable.report);
    }

    fn on_enrp_error(&mut self, association: AssociationId, message: Error) {
        self.counters.errors_received += 1;
        self.emit(Event::ErrorReceived {
            association,
            error: message.error,
        });
    }

    /// rsplib answers with the identifiers as they came: sender and receiver are not exchanged.
    /// Only a peer's is believed; from anybody else it would be an identifier used twice.
    fn on_returned_error(&mut self, from: AssociationId, message: &Error) {
        let link = self.peers.links.get(&from);
        if link.is_some_and(|link| link.peer.is_some()) {
            self.counters.enrp_errors_returned += 1;
            self.on_enrp_error(from, message.clone());
        } else {
            self.counters.enrp_unexpected += 1;
        }
    }

    /// §3.7: "the ENRP server that discovered the error SHOULD send back an ENRP_ERROR message
    /// with a proper error cause code."
    fn report_enrp_error(&mut self, to: AssociationId, causes: Vec<ErrorCause>) {
        if !self.admit_error(to, &causes) {
            return;
        }
        let receiver = self.peers.links.get(&to).and_then(|link| link.peer);
        let error = Error {
            sender: self.config.id,
            receiver,
            error: OperationError { causes },
        };
        self.send_enrp(to, error);
    }
}

/// From whom a message is, and for whom, unless for all.
fn route(message: &Message) -> (RegistrarId, Option<RegistrarId>) {
    match message {
        Message::Presence(m) => (m.sender, m.receiver),
        Message::HandleTableRequest(m) => (m.sender, m.receiver),
        Message::HandleTableResponse(m) => (m.sender, m.receiver),
        Message::HandleUpdate(m) => (m.sender, m.receiver),
        Message::ListRequest(m) => (m.sender, m.receiver),
        Message::ListResponse(m) => (m.sender, m.receiver),
        Message::InitTakeover(m) => (m.sender, m.receiver),
        Message::InitTakeoverAck(m) => (m.sender, m.receiver),
        Message::TakeoverServer(m) => (m.sender, m.receiver),
        Message::Error(m) => (m.sender, m.receiver),
    }
}
