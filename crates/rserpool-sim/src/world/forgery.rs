//! What is said in another registrar's name, or by who is none: corrupted copies, and strangers
//! that speak ENRP.
//!
//! Must not know what registrars make of it.

use super::World;
use crate::network::{ChannelMessage, EndId, EndState, Protocol, Target};
use crate::node::{Actor, NodeId, addresses};
use rserpool_core::{ENRP_PORT, RegistrarAddress, Transport};
use rserpool_wire::enrp::{
    HandleTable, HandleTableRequest, HandleTableResponse, HandleUpdate, InitTakeover,
    InitTakeoverAck, ListRequest, ListResponse, Message, PoolEntry, Presence, Rejected,
    TakeoverServer, UpdateAction,
};
use rserpool_wire::parameter::{
    EncapsulationPorts, EncodedPoolElement, PeChecksum, PoolElement, SctpTransport,
    ServerInformation, TcpTransport, TransportUse, UserTransport,
};
use rserpool_wire::{
    Decoded, PoolElementId, PoolHandle, RegistrarId, RegistrationLife, Undecodable,
};
use std::net::{IpAddr, Ipv4Addr};

/// What a stranger names in one message.
const INVENTED_MAX: u64 = 12;

impl World {
    /// What a registrar has of another one is changed: it reads an update that the other never
    /// sent. That is how a lost or invented update looks, whatever the cause.
    pub(super) fn corrupt(&mut self, registrar: NodeId, home: Option<NodeId>) -> bool {
        let Some((home, sender)) =
            home.and_then(|home| Some((home, self.checker.registrar_id(home)?)))
        else {
            return false;
        };
        let ends: Vec<EndId> = self.nodes[registrar.index()].ends.iter().copied().collect();
        let end = ends.into_iter().find(|end| {
            let association = &self.associations[end.association() as usize];
            association.target.protocol() == Protocol::Enrp
                && association.ends.iter().all(|end| end.state == EndState::Up)
                && association.ends[end.other().side()].node == home
        });
        let Some(end) = end else {
            return false;
        };
        let owned = self.checker.owned(home);
        let (action, pool_handle, id) = match self.random.pick(&owned).cloned() {
            Some((handle, id)) if self.random.percent(50) => (UpdateAction::Delete, handle, id),
            _ => {
                let pool = self.random.index(self.scenario.pools);
                let id = self.invented_id();
                (UpdateAction::Add, self.pool_handle(pool), id)
            }
        };
        let pool_element = self.invented_element(&pool_handle, id, Some(sender), home);
        let receiver = self.checker.registrar_id(registrar);
        self.check_repaired_soon(registrar, home, (pool_handle.clone(), id));
        let message = Message::from(HandleUpdate {
            sender,
            receiver,
            action,
            pool_handle,
            pool_element: EncodedPoolElement::from(&pool_element),
        });
        self.send_enrp(end.other(), &message);
        true
    }

    fn invented_id(&mut self) -> PoolElementId {
        let number = u32::try_from(self.random.below(1 << 30)).unwrap_or(0);
        // Not below 2^16: those are given to pool elements by configuration.
        PoolElementId(number | 1 << 31)
    }

    /// A pool element that fits into this pool and is not there.
    fn invented_element(
        &mut self,
        handle: &PoolHandle,
        id: PoolElementId,
        home_registrar: Option<RegistrarId>,
        at: NodeId,
    ) -> PoolElement {
        let pools = 0..self.scenario.pools;
        let pool = pools
            .clone()
            .find(|pool| self.pool_handle(*pool) == *handle);
        let pool = pool.unwrap_or(0);
        let addresses = addresses(at);
        PoolElement {
            id,
            home_registrar,
            registration_life: RegistrationLife::Seconds(60),
            user_transport: if pool % 3 == 2 {
                UserTransport::Tcp(TcpTransport {
                    port: 7,
                    address: addresses[0],
                })
            } else {
                UserTransport::Sctp(SctpTransport {
                    port: 7,
                    transport_use: TransportUse::DATA_PLUS_CONTROL,
                    addresses: addresses.clone(),
                })
            },
            policy: self.draw_policy(pool),
            asap_transport: self.random.percent(70).then_some(SctpTransport {
                port: 3864,
                transport_use: TransportUse::DATA_ONLY,
                addresses,
            }),
            encapsulation_ports: EncapsulationPorts::default(),
        }
    }

    /// A stranger asks a registrar for an ENRP association.
    pub(super) fn connect_false_peer(&mut self, node: NodeId) {
        let Some(registrar) = self.random.pick(&self.roster.registrars).copied() else {
            return;
        };
        let target = Target::Peer(self.enrp_address(registrar));
        if let Actor::Stranger(stranger) = &mut self.nodes[node.index()].actor {
            if stranger.attempts > 0 {
                return;
            }
            stranger.attempts += 1;
        }
        self.connect(node, target);
    }

    /// Where a node speaks ENRP.
    pub(super) fn enrp_address(&self, node: NodeId) -> RegistrarAddress {
        RegistrarAddress {
            transport: Transport::Sctp,
            addresses: addresses(node),
            port: ENRP_PORT,
            udp_port: None,
        }
    }

    /// A stranger says something to a registrar that only registrars say.
    pub(super) fn speak_enrp(&mut self, node: NodeId, end: EndId) {
        let message = self.false_message(node);
        self.send_enrp(end, &message);
        if self.random.percent(5) {
            let sender = self.false_id(node);
            let presence = self.false_presence(node, sender);
            self.multicast(node, &ChannelMessage::Enrp(Message::from(presence)));
        }
    }

    /// Its own identifier, that of a registrar, or any.
    fn false_id(&mut self, node: NodeId) -> RegistrarId {
        let own = RegistrarId::new(node.0 + 1).expect("a number above zero");
        match self.random.below(10) {
            0..7 => own,
            7..9 => self.living_id().unwrap_or(own),
            _ => {
                let number = u32::try_from(self.random.below(1 << 31)).unwrap_or(0) + 1;
                RegistrarId::new(number).unwrap_or(own)
            }
        }
    }

    fn living_id(&mut self) -> Option<RegistrarId> {
        let registrar = self.random.pick(&self.roster.registrars).copied()?;
        self.checker.registrar_id(registrar)
    }

    fn false_presence(&mut self, node: NodeId, sender: RegistrarId) -> Presence {
        let checksum = u16::try_from(self.random.below(1 << 16)).unwrap_or(0);
        Presence {
            sender,
            receiver: None,
            reply_required: self.random.percent(30),
            checksum: self.random.percent(90).then_some(PeChecksum(checksum)),
            server_information: self
                .random
                .percent(70)
                .then(|| self.false_information(node, sender)),
        }
    }

    fn false_information(&mut self, node: NodeId, registrar: RegistrarId) -> ServerInformation {
        let [_, high, middle, low] = registrar.get().to_be_bytes();
        let nowhere = IpAddr::V4(Ipv4Addr::new(172, high, middle, low));
        let addresses = match self.random.below(4) {
            0 => vec![nowhere],
            1 => {
                let other = self.random.pick(&self.roster.registrars).copied();
                addresses(other.unwrap_or(node))
            }
            _ => addresses(node),
        };
        ServerInformation {
            registrar,
            transport: SctpTransport {
                port: ENRP_PORT,
                transport_use: TransportUse::DATA_ONLY,
                addresses,
            },
            encapsulation_ports: EncapsulationPorts::default(),
        }
    }

    fn false_message(&mut self, node: NodeId) -> Message {
        let sender = self.false_id(node);
        let receiver = self.random.percent(50).then(|| self.living_id()).flatten();
        let target = self.living_id().unwrap_or(sender);
        match self.random.below(12) {
            0..3 => Message::from(self.false_presence(node, sender)),
            3..6 => self.false_update(node, sender),
            6 => Message::from(InitTakeover {
                sender,
                receiver,
                target,
            }),
            7 => Message::from(InitTakeoverAck {
                sender,
                receiver,
                target,
            }),
            8 => Message::from(TakeoverServer {
                sender,
                receiver,
                target,
            }),
            9 => self.false_table(node, sender, receiver),
            10 => Message::from(HandleTableRequest {
                sender,
                receiver,
                own_children_only: self.random.percent(50),
            }),
            _ => match self.random.below(2) {
                0 => Message::from(ListRequest { sender, receiver }),
                _ => self.false_list(node, sender, receiver),
            },
        }
    }

    fn false_update(&mut self, node: NodeId, sender: RegistrarId) -> Message {
        let (pool_handle, pool_element) = self.false_element(node, sender);
        Message::from(HandleUpdate {
            sender,
            receiver: None,
            action: if self.random.percent(50) {
                UpdateAction::Add
            } else {
                UpdateAction::Delete
            },
            pool_handle,
            pool_element,
        })
    }

    /// A pool element that lives elsewhere, or is not there at all.
    fn false_element(
        &mut self,
        node: NodeId,
        sender: RegistrarId,
    ) -> (PoolHandle, EncodedPoolElement) {
        let victim = self.random.pick(&self.roster.elements).copied();
        let victim = victim.filter(|_| self.random.percent(70));
        let known = victim.and_then(|victim| self.checker.latest_key(victim));
        let (handle, id) = known.unwrap_or_else(|| {
            let pool = self.random.index(self.scenario.pools);
            (self.pool_handle(pool), self.invented_id())
        });
        let home = match self.random.below(10) {
            0..7 => Some(sender),
            7..9 => self.living_id(),
            _ => None,
        };
        let pool_element = self.invented_element(&handle, id, home, node);
        (handle, EncodedPoolElement::from(&pool_element))
    }

    fn false_table(
        &mut self,
        node: NodeId,
        sender: RegistrarId,
        receiver: Option<RegistrarId>,
    ) -> Message {
        let count = self.random.below(INVENTED_MAX);
        let pool_entries = (0..count)
            .map(|_| {
                let (pool_handle, pool_element) = self.false_element(node, sender);
                PoolEntry {
                    pool_handle,
                    pool_elements: vec![pool_element],
                }
            })
            .collect();
        let table = HandleTable {
            more_to_send: self.random.percent(80),
            pool_entries,
        };
        Message::from(HandleTableResponse {
            sender,
            receiver,
            result: Ok(table),
        })
    }

    fn false_list(
        &mut self,
        node: NodeId,
        sender: RegistrarId,
        receiver: Option<RegistrarId>,
    ) -> Message {
        let count = self.random.below(INVENTED_MAX);
        let servers = (0..count)
            .map(|_| {
                let id = self.false_id(node);
                self.false_information(node, id)
            })
            .collect();
        Message::from(ListResponse {
            sender,
            receiver,
            result: Ok(servers),
        })
    }

    /// A stranger reads what a registrar tells it, and often answers: as one would, but wrong.
    pub(super) fn overhear(
        &mut self,
        node: NodeId,
        end: EndId,
        message: Result<Decoded<Message>, Undecodable>,
    ) {
        let Ok(decoded) = message else {
            return;
        };
        let is_active = matches!(&self.nodes[node.index()].actor,
            Actor::Stranger(stranger) if !stranger.doing.is_empty());
        if !is_active || self.random.percent(30) {
            return;
        }
        let sender = RegistrarId::new(node.0 + 1).expect("a number above zero");
        let answer = if let Message::Presence(presence) = decoded.message {
            let presence = presence
                .reply_required
                .then(|| self.false_presence(node, sender));
            presence.map(Message::from)
        } else if let Message::HandleTableRequest(request) = decoded.message {
            Some(if self.random.percent(20) {
                Message::from(HandleTableResponse {
                    sender,
                    receiver: Some(request.sender),
                    result: Err(Rejected),
                })
            } else {
                self.false_table(node, sender, Some(request.sender))
            })
        } else if let Message::ListRequest(request) = decoded.message {
            Some(self.false_list(node, sender, Some(request.sender)))
        } else if let Message::InitTakeover(request) = decoded.message {
            let target = request.target;
            Some(Message::from(InitTakeoverAck {
                sender,
                receiver: Some(request.sender),
                target,
            }))
        } else {
            None
        };
        if let Some(answer) = answer {
            self.send_enrp(end, &answer);
        }
    }
}
