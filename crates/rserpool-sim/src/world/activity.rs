//! What pool users and strangers do of their own accord.

use super::{News, World};
use crate::fault::FaultKind;
use crate::network::{ChannelMessage, EndId, EndState, Protocol, Target};
use crate::node::{Actor, NodeId, Status};
use crate::schedule::Occurrence;
use rserpool_core::pool_user::Command;
use rserpool_core::{Transport, pool_element};
use rserpool_wire::asap::{
    AnnouncedTransport, Deregistration, EndpointKeepAlive, EndpointKeepAliveAck,
    EndpointUnreachable, HandleResolution, Message, Registration, RegistrationResponse,
    ServerAnnounce,
};
use rserpool_wire::parameter::{
    EncapsulationPorts, PoolElement, SctpTransport, TransportUse, UserTransport,
};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId, RegistrationLife};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// How long a pool user's user thinks, and how long one that lies.
const THINKING: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
const LYING: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

/// Of larger pools, nobody wants to know all pool elements.
const ALL_WANTED_MAX: usize = 100;

/// How long it takes until somebody looks after a pool element that was refused for good.
const REFUSED: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(3));

/// How long a stranger waits between two bursts.
const MISCHIEF: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(60));

/// Associations of one stranger to all registrars.
const STRANGER_ASSOCIATIONS_MAX: usize = 3;

impl World {
    /// A user or stranger will do something after a while.
    pub(super) fn plan_activity(&mut self, node: NodeId) {
        let own = &self.nodes[node.index()];
        let (short, long) = match &own.actor {
            Actor::User(_, activity) if activity.lies => LYING,
            Actor::User(..) => THINKING,
            Actor::Stranger(_) => MISCHIEF,
            Actor::Nobody | Actor::Registrar(_) | Actor::Element(_) => return,
        };
        let incarnation = own.incarnation;
        let at = self.now + self.random.between(short, long);
        self.schedule
            .add(at, Occurrence::Activity { node, incarnation });
    }

    pub(super) fn on_activity(&mut self, node: NodeId, incarnation: u32) {
        let own = &self.nodes[node.index()];
        if own.incarnation != incarnation || own.status != Status::Running || self.quiet {
            return;
        }
        match &own.actor {
            Actor::User(_, activity) if activity.lies => self.lie(node),
            Actor::User(..) => self.use_pool(node),
            Actor::Stranger(stranger) => {
                if stranger.doing.is_empty() {
                    return;
                }
                self.do_mischief(node);
            }
            Actor::Element(_) if self.checker.wants_registration(node) => {
                self.register_again(node);
            }
            Actor::Nobody | Actor::Registrar(_) | Actor::Element(_) => return,
        }
        self.plan_activity(node);
    }

    /// Whoever runs a pool element that was refused for good looks into it and starts it again.
    pub(super) fn on_element_event(&mut self, node: NodeId, event: &pool_element::Event) {
        self.on_left(node, event);
        if let pool_element::Event::RegistrationRejected {
            will_retry: false, ..
        } = event
        {
            let incarnation = self.nodes[node.index()].incarnation;
            let at = self.now + self.random.between(REFUSED.0, REFUSED.1);
            self.schedule
                .add(at, Occurrence::Activity { node, incarnation });
        }
    }

    fn register_again(&mut self, node: NodeId) {
        for command in [pool_element::Command::Stop, pool_element::Command::Register] {
            self.tell(node, News::ElementCommand(command));
        }
    }

    /// What pool users are for.
    fn use_pool(&mut self, node: NodeId) {
        let pool = self.draw_pool(node);
        let handle = self.pool_handle(pool);
        // Sometimes one that nobody is in.
        let handle = if self.random.percent(3) {
            PoolHandle::from("nobody")
        } else {
            handle
        };
        let items = [None, Some(1), Some(3)][self.random.index(3)];
        let subscribed_items = self.subscribed_items();
        let items = items.or(subscribed_items);
        let lot = self.random.below(100);
        let Actor::User(_, activity) = &mut self.nodes[node.index()].actor else {
            return;
        };
        let subscribed = activity.subscriptions.contains_key(&handle);
        // Once faults have stopped, it is looked whether subscriptions come right as they are.
        let lot = if self.healing { lot % 75 } else { lot };
        match lot {
            0..50 => {
                self.ask(node, handle, |request, pool_handle| Command::Resolve {
                    request,
                    pool_handle,
                    items: if subscribed { subscribed_items } else { items },
                    subscribe: subscribed,
                });
            }
            50..75 => {
                self.ask(node, handle, |request, pool_handle| Command::Select {
                    request,
                    pool_handle,
                });
            }
            75..85 => {
                activity.subscriptions.entry(handle.clone()).or_default();
                self.ask(node, handle, |request, pool_handle| Command::Resolve {
                    request,
                    pool_handle,
                    items: subscribed_items,
                    subscribe: true,
                });
            }
            85..90 => {
                activity.subscriptions.remove(&handle);
                let pool_handle = handle;
                let command = Command::Unsubscribe { pool_handle };
                self.tell(node, News::UserCommand(command));
            }
            _ => self.report(node, false),
        }
    }

    /// How many pool elements a subscriber wants to know: nobody wants a thousand.
    pub(crate) fn subscribed_items(&self) -> Option<u32> {
        let is_large = self.scenario.elements > ALL_WANTED_MAX * self.scenario.pools;
        is_large.then_some(5)
    }

    /// Reports those of the latest answer that are gone; a liar, those that are there.
    fn report(&mut self, node: NodeId, lies: bool) {
        let Actor::User(_, activity) = &self.nodes[node.index()].actor else {
            return;
        };
        let Some((pool_handle, ids)) = activity.last.clone() else {
            return;
        };
        let Some(pool_element) = self.random.pick(&ids).copied() else {
            return;
        };
        if self.is_there(&pool_handle, pool_element) == lies {
            self.statistics.reports += 1;
            let command = Command::ReportUnreachable {
                pool_handle,
                pool_element,
            };
            self.tell(node, News::UserCommand(command));
        }
    }

    fn lie(&mut self, node: NodeId) {
        if self.random.percent(20) {
            return self.use_pool(node);
        }
        self.report(node, true);
    }

    /// A stranger starts something.
    pub(super) fn begin_mischief(&mut self, node: NodeId, kind: FaultKind) {
        if let Actor::Stranger(stranger) = &mut self.nodes[node.index()].actor {
            stranger.doing.insert(kind);
            self.plan_activity(node);
        }
    }

    pub(super) fn end_mischief(&mut self, node: NodeId, kind: FaultKind) {
        if let Actor::Stranger(stranger) = &mut self.nodes[node.index()].actor {
            stranger.doing.remove(&kind);
        }
    }

    /// Strangers leave.
    pub(super) fn send_strangers_home(&mut self) {
        for node in self.roster.strangers.clone() {
            let ends: Vec<EndId> = self.nodes[node.index()].ends.iter().copied().collect();
            for end in ends {
                self.close(end);
            }
            if let Actor::Stranger(stranger) = &mut self.nodes[node.index()].actor {
                stranger.ends.clear();
            }
        }
    }

    pub(super) fn tell_stranger(&mut self, node: NodeId, news: &News) {
        let Actor::Stranger(stranger) = &mut self.nodes[node.index()].actor else {
            return;
        };
        match news {
            News::Up { end } => {
                stranger.attempts -= u32::from(end.is_of_initiator());
                stranger.ends.push(*end);
            }
            News::ConnectFailed { .. } => stranger.attempts -= 1,
            News::Lost { end } => stranger.ends.retain(|own| own != end),
            News::SendFailed { .. }
            | News::Heard { .. }
            | News::Shutdown
            | News::ElementCommand(_)
            | News::UserCommand(_) => {}
        }
    }

    fn do_mischief(&mut self, node: NodeId) {
        let Actor::Stranger(stranger) = &mut self.nodes[node.index()].actor else {
            return;
        };
        let kinds: Vec<FaultKind> = stranger.doing.iter().copied().collect();
        let mut ends = stranger.ends.clone();
        let Some(kind) = self.random.pick(&kinds).copied() else {
            return;
        };
        let is_enrp =
            kind == FaultKind::FalsePeer || kind == FaultKind::Garbage && self.random.percent(30);
        let protocol = if is_enrp {
            Protocol::Enrp
        } else {
            Protocol::Asap
        };
        ends.retain(|end| {
            let association = &self.associations[end.association() as usize];
            association.target.protocol() == protocol
        });
        let Some(end) = self.random.pick(&ends).copied() else {
            return self.connect_stranger(node, protocol);
        };
        if ends.len() < STRANGER_ASSOCIATIONS_MAX && self.random.percent(20) {
            return self.connect_stranger(node, protocol);
        }
        if self.associations[end.association() as usize].ends[end.side()].state != EndState::Up {
            return;
        }
        if kind == FaultKind::Garbage {
            self.send_garbage(node, end);
        } else if kind == FaultKind::FalsePeer {
            self.speak_enrp(node, end);
        } else if kind == FaultKind::Flood {
            self.flood(node, end);
        } else {
            let message = self.wrong_message(node);
            self.send(end, &message);
        }
    }

    fn connect_stranger(&mut self, node: NodeId, protocol: Protocol) {
        if protocol == Protocol::Enrp {
            return self.connect_false_peer(node);
        }
        let by_tcp = self.random.percent(20);
        let Some(registrar) = self.random.pick(&self.roster.registrars).copied() else {
            return;
        };
        let mut address = self.registrar_address(registrar, by_tcp);
        if let Actor::Stranger(stranger) = &mut self.nodes[node.index()].actor {
            if stranger.attempts > 0 {
                return;
            }
            stranger.attempts += 1;
        }
        address.transport = if by_tcp {
            Transport::Tcp
        } else {
            Transport::Sctp
        };
        self.connect(node, Target::Registrar(address));
    }

    /// Octets that are no message, or one with some octets changed, cut off or added.
    fn send_garbage(&mut self, node: NodeId, end: EndId) {
        let mut octets = if self.random.percent(30) {
            let mut octets = vec![0; self.random.index(200)];
            self.random.fill(&mut octets);
            octets
        } else {
            self.wrong_message(node).encode()
        };
        for _ in 0..self.random.below(6) {
            let at = self.random.index(octets.len());
            if let Some(octet) = octets.get_mut(at) {
                *octet = u8::try_from(self.random.below(256)).unwrap_or(0);
            }
        }
        if self.random.percent(10) {
            octets.truncate(self.random.index(octets.len()));
        }
        let octets = self
            .octets
            .store(|buffer| buffer.extend_from_slice(&octets));
        self.send_octets(end, octets);
    }

    /// Registers somebody new, and now and then announces a registrar that is not there.
    fn flood(&mut self, node: NodeId, end: EndId) {
        for _ in 0..=self.random.below(8) {
            let message = self.strange_registration(node);
            self.send(end, &message);
        }
        if self.random.percent(20) {
            let message = self.strange_announce();
            self.multicast(node, &ChannelMessage::Asap(message));
        }
    }

    fn strange_registration(&mut self, node: NodeId) -> Message {
        let pool_handle = if self.random.percent(30) {
            PoolHandle::from(format!("strange {}", self.random.below(50)).as_str())
        } else {
            self.pool_handle(0)
        };
        let life = [0, 1, 60, 4000][self.random.index(4)];
        let number = u32::try_from(self.random.below(1 << 32)).unwrap_or(0);
        let pool = self.random.index(self.scenario.pools);
        let policy = self.draw_policy(pool);
        if let Actor::Stranger(stranger) = &mut self.nodes[node.index()].actor {
            stranger.latest_id = number;
        }
        Message::from(Registration {
            pool_handle,
            pool_element: PoolElement {
                // Not below 2^16: those are given to pool elements by configuration.
                id: PoolElementId(number | 1 << 31),
                home_registrar: None,
                registration_life: RegistrationLife::Seconds(life),
                user_transport: UserTransport::Sctp(SctpTransport {
                    port: 7,
                    transport_use: TransportUse::DATA_PLUS_CONTROL,
                    addresses: crate::node::addresses(node),
                }),
                policy,
                asap_transport: None,
                encapsulation_ports: EncapsulationPorts::default(),
            },
        })
    }

    fn strange_announce(&mut self) -> Message {
        let number = u32::try_from(self.random.below(1 << 31)).unwrap_or(0) + 1;
        let [_, high, middle, low] = number.to_be_bytes();
        Message::from(ServerAnnounce {
            registrar: RegistrarId::new(number).expect("a number above zero"),
            transports: vec![AnnouncedTransport::Sctp(SctpTransport {
                port: 3863,
                transport_use: TransportUse::DATA_ONLY,
                addresses: vec![IpAddr::V4(Ipv4Addr::new(172, high, middle, low))],
            })],
            encapsulation_ports: EncapsulationPorts::default(),
        })
    }

    /// A message that this sender has no business to send: of the other role, or about somebody
    /// else.
    fn wrong_message(&mut self, node: NodeId) -> Message {
        let pool = self.random.index(self.scenario.pools);
        let pool_handle = self.pool_handle(pool);
        let victim = self.random.pick(&self.roster.elements).copied();
        let victim = victim.and_then(|victim| self.checker.latest_id(victim));
        let pool_element = victim.unwrap_or(PoolElementId(1));
        match self.random.below(9) {
            0 => Message::from(Deregistration {
                pool_handle,
                pool_element,
            }),
            1 => Message::from(EndpointKeepAliveAck {
                pool_handle,
                pool_element,
            }),
            2 => Message::from(EndpointUnreachable {
                pool_handle,
                pool_element,
            }),
            3 => Message::from(RegistrationResponse {
                pool_handle,
                pool_element,
                result: Ok(None),
            }),
            4 => Message::from(EndpointKeepAlive {
                registrar: RegistrarId::new(7).expect("seven is above zero"),
                home: true,
                pool_handle,
                pool_element: Some(pool_element),
            }),
            5 => self.strange_announce(),
            6 => Message::from(HandleResolution {
                pool_handle,
                subscribe: self.random.percent(50),
                items: Some(u32::MAX),
            }),
            7 => self.impostor(node, pool_handle, pool_element),
            _ => self.strange_registration(node),
        }
    }

    /// A registration under an identifier that somebody else has.
    fn impostor(&mut self, node: NodeId, handle: PoolHandle, id: PoolElementId) -> Message {
        let mut message = self.strange_registration(node);
        if let Message::Registration(registration) = &mut message {
            registration.pool_handle = handle;
            registration.pool_element.id = id;
        }
        message
    }
}
