//! Who there is, and how each is configured.

use super::{Listener, World};
use crate::check::Checker;
use crate::clock::Clock;
use crate::fault::{FaultKind, plan};
use crate::network::{Channel, Datagrams, Profile};
use crate::node::{Actor, Node, NodeId, Roster, addresses};
use crate::octets::OctetsStore;
use crate::random::Random;
use crate::schedule::{Occurrence, Schedule};
use crate::sending::Sending;
use crate::session::Sessions;
use crate::stranger::Stranger;
use crate::transcript::Transcript;
use crate::user::UserActivity;
use crate::{Peering, Scenario, Statistics};
use rserpool_core::{
    ASAP_PORT, Compatibility, Machine, PoolElement, PoolUser, Registrar, RegistrarAddress,
    Timestamp, Transport, pool_element, pool_user, registrar,
};
use rserpool_wire::asap::AnnouncedTransport;
use rserpool_wire::parameter::{
    EncapsulationPorts, Policy, PolicyType, SctpTransport, TcpTransport, TransportUse,
};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId};
use std::collections::BTreeMap;
use std::time::Duration;

/// Up to so many nodes everything is checked; in larger scopes some checks are samples.
const SMALL: usize = 200;

/// Strangers, where there are any.
const STRANGERS: usize = 2;

/// What a stranger may register, where strangers flood: less than there is room for.
const FLOODED_ELEMENTS_PER_ASSOCIATION: usize = 40;

/// Room for strangers' pool elements, beside that for all pool elements twice: as they are, and
/// as they were before they were restarted.
const FLOODED_ELEMENTS: usize = 800;

/// Where pool elements serve.
pub(super) const SERVICE_PORT: u16 = 7;

impl World {
    /// A new world, in which everybody starts within the first keep-alive interval.
    pub fn new(seed: u64, scenario: &Scenario) -> Self {
        let mut random = Random::new(seed);
        let has_strangers = scenario.faults.iter().any(FaultKind::is_of_a_stranger);
        let strangers = if has_strangers { STRANGERS } else { 0 };
        let Scenario {
            registrars,
            elements,
            users,
            ..
        } = *scenario;
        let roster = Roster::new(registrars, elements, users, strangers);
        let nodes = (0..roster.len())
            .map(|_| {
                let ahead = random.between(Duration::ZERO, Duration::from_secs(1000));
                Node::new(Clock::new(ahead))
            })
            .collect();
        let faults = plan(scenario, &roster, &mut random);
        let mut world = Self {
            seed,
            timers: scenario.preset.timers(),
            now: Timestamp::ZERO,
            schedule: Schedule::default(),
            octets: OctetsStore::default(),
            datagrams: Datagrams::default(),
            nodes,
            associations: Vec::new(),
            partitions: Vec::new(),
            profile: Profile::LAN,
            faults,
            healing: false,
            borrowed_ids: BTreeMap::new(),
            latest_healing: Timestamp::ZERO,
            quiet: false,
            announces_disturbed: 0,
            sessions: Sessions::new(),
            sending: Sending::default(),
            checker: Checker::new(&roster),
            transcript: Transcript::new(scenario.transcript, roster.len()),
            statistics: Statistics::default(),
            listener: Listener::default(),
            is_small: roster.len() <= SMALL,
            scratch: Vec::new(),
            scenario: scenario.clone(),
            roster,
            random,
        };
        world.plan_start();
        world
    }

    fn plan_start(&mut self) {
        for number in 0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX) {
            let node = NodeId(number);
            // Most often registrars come first, but not always.
            let longest = self.timers.keep_alive_interval;
            let early = self.roster.is_registrar(node) && self.random.percent(90);
            let longest = if early { Duration::ZERO } else { longest };
            let at = Timestamp(self.random.between(Duration::ZERO, longest));
            self.schedule.add(at, Occurrence::Start { node });
        }
        for index in 0..u32::try_from(self.faults.len()).unwrap_or(u32::MAX) {
            let at = self.faults[index as usize].at;
            self.schedule.add(at, Occurrence::Fault { index });
        }
    }

    /// What runs on a node from now on.
    pub(super) fn new_actor(&mut self, node: NodeId) -> Actor {
        let seed = self.random.seed();
        let now = self.nodes[node.index()].clock.local(self.now);
        if self.roster.registrars.contains(&node) {
            let config = self.registrar_config(node);
            self.checker.registrar_started(node, config.id);
            return Actor::Registrar(Box::new(Registrar::new(config, seed, now)));
        }
        if let Some(index) = index_in(&self.roster.elements, node) {
            let config = self.element_config(node, index);
            return Actor::Element(Box::new(PoolElement::new(config, seed, now)));
        }
        if let Some(index) = index_in(&self.roster.users, node) {
            let config = pool_user::Config {
                registrars: self.registrars_known(node, index % 3 == 2),
                timers: self.timers.clone(),
                ..pool_user::Config::default()
            };
            let user = PoolUser::new(config, seed, now);
            return Actor::User(Box::new(user), Box::<UserActivity>::default());
        }
        Actor::Stranger(Box::<Stranger>::default())
    }

    fn registrar_config(&mut self, node: NodeId) -> registrar::Config {
        // Another identifier after each restart (RFC 5353 §2.1).
        let number = u32::try_from(self.random.below(u64::from(u32::MAX) - 1)).unwrap_or(0) + 1;
        let id = RegistrarId::new(number).expect("a number above zero");
        let id = self.borrowed_ids.get(&node).copied().unwrap_or(id);
        let mut config = registrar::Config::new(id);
        config.multicast = self.scenario.multicast;
        config.timers = self.timers.clone();
        config.enrp_transport.addresses = addresses(node);
        config.enrp_multicast = self.scenario.multicast && self.scenario.peering.has_multicast();
        config.peers = self.peers_known(node);
        config.announce = vec![
            AnnouncedTransport::Sctp(SctpTransport {
                port: ASAP_PORT,
                transport_use: TransportUse::DATA_ONLY,
                addresses: addresses(node),
            }),
            AnnouncedTransport::Tcp(TcpTransport {
                port: ASAP_PORT,
                address: addresses(node)[0],
            }),
        ];
        let limits = &mut config.limits;
        limits.handlespace.elements_max = self.elements_max();
        if self.scenario.faults.contains(FaultKind::Flood) {
            limits.elements_per_association_max = FLOODED_ELEMENTS_PER_ASSOCIATION;
        }
        config
    }

    /// How many pool elements a registrar may list.
    pub(crate) fn elements_max(&self) -> usize {
        if self.scenario.faults.contains(FaultKind::Flood) {
            self.scenario.elements * 2 + FLOODED_ELEMENTS
        } else {
            registrar::Limits::default().handlespace.elements_max
        }
    }

    fn element_config(&mut self, node: NodeId, index: usize) -> pool_element::Config {
        let pool = index % self.scenario.pools.max(1);
        // After a restart, half of them come back under the same identifier. Half of those have
        // it configured, the others hope that it is free.
        let before = self.checker.latest_id(node);
        let id = match self.random.below(4) {
            0 | 1 => before,
            2 if before.is_none() => {
                let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
                Some(PoolElementId(number))
            }
            _ => None,
        };
        pool_element::Config {
            pool_handle: self.pool_handle(pool),
            id,
            user_transport: pool_element::UserTransportTemplate {
                protocol: match Channel::of_pool(pool) {
                    Channel::Control => pool_element::UserProtocol::Sctp,
                    Channel::Stream => pool_element::UserProtocol::Tcp,
                    Channel::Datagrams => pool_element::UserProtocol::Udp,
                },
                port: SERVICE_PORT,
                transport_use: TransportUse::DATA_PLUS_CONTROL,
            },
            addresses: None,
            encapsulation_ports: EncapsulationPorts::default(),
            policy: self.draw_policy(pool),
            registration_life: Some(self.timers.registration_life),
            registrars: self.registrars_known(node, false),
            timers: self.timers.clone(),
            compatibility: Compatibility::default(),
        }
    }

    /// The peers that a registrar is told of.
    fn peers_known(&self, node: NodeId) -> Vec<RegistrarAddress> {
        let mut registrars = self.roster.registrars.clone();
        registrars.retain(|other| self.are_in_one_scope(node, *other));
        match self.scenario.peering {
            Peering::All | Peering::AllAndMulticast => {}
            Peering::First => registrars.truncate(1),
            Peering::Multicast => registrars.clear(),
        }
        registrars.retain(|other| *other != node);
        let addresses = registrars.iter().map(|other| self.enrp_address(*other));
        addresses.collect()
    }

    fn registrars_known(&self, client: NodeId, by_tcp: bool) -> Vec<RegistrarAddress> {
        if self.scenario.announced_only {
            return Vec::new();
        }
        let registrars = self.roster.registrars.iter();
        registrars
            .filter(|node| self.are_in_one_scope(client, **node))
            .map(|node| self.registrar_address(*node, by_tcp))
            .collect()
    }

    /// How a client reaches a registrar; equal to what the registrar announces.
    pub(super) fn registrar_address(&self, node: NodeId, by_tcp: bool) -> RegistrarAddress {
        let mut addresses = addresses(node);
        if by_tcp {
            addresses.truncate(1);
        }
        RegistrarAddress {
            transport: if by_tcp {
                Transport::Tcp
            } else {
                Transport::Sctp
            },
            addresses,
            port: ASAP_PORT,
            udp_port: None,
        }
    }

    pub(crate) fn pool_handle(&self, pool: usize) -> PoolHandle {
        PoolHandle::from(format!("pool {}", pool + 1).as_str())
    }

    /// A policy value of this pool's policy, which the seed and the pool's number decide.
    pub(super) fn draw_policy(&mut self, pool: usize) -> Policy {
        let kinds = [
            PolicyType::ROUND_ROBIN,
            PolicyType::WEIGHTED_ROUND_ROBIN,
            PolicyType::RANDOM,
            PolicyType::WEIGHTED_RANDOM,
            PolicyType::PRIORITY,
            PolicyType::LEAST_USED,
            PolicyType::LEAST_USED_WITH_DEGRADATION,
            PolicyType::PRIORITY_LEAST_USED,
            PolicyType::RANDOMIZED_LEAST_USED,
            PolicyType(0x8000_0001),
        ];
        let number = self.seed.wrapping_add(u64::try_from(pool).unwrap_or(0));
        let kind = usize::try_from(number % 10).unwrap_or(0);
        let mut number = |bound| u32::try_from(self.random.below(bound)).unwrap_or(u32::MAX);
        // Some weigh nothing: they are not to be selected. In the end nobody else might be left,
        // and a session could not go on, nor a message be sent.
        let needs_all = self.scenario.sessions + self.scenario.senders > 0;
        let weight = number(6).max(u32::from(needs_all));
        let load = number(1 << 32);
        let degradation = number(1 << 28);
        match kinds[kind] {
            PolicyType::WEIGHTED_ROUND_ROBIN => Policy::WeightedRoundRobin { weight },
            PolicyType::RANDOM => Policy::Random,
            PolicyType::WEIGHTED_RANDOM => Policy::WeightedRandom { weight },
            PolicyType::PRIORITY => Policy::Priority { priority: weight },
            PolicyType::LEAST_USED => Policy::LeastUsed { load },
            PolicyType::LEAST_USED_WITH_DEGRADATION => {
                Policy::LeastUsedWithDegradation { load, degradation }
            }
            PolicyType::PRIORITY_LEAST_USED => Policy::PriorityLeastUsed { load, degradation },
            PolicyType::RANDOMIZED_LEAST_USED => Policy::RandomizedLeastUsed { load },
            policy_type @ PolicyType(0x8000_0001) => Policy::Other {
                policy_type,
                data: weight.to_be_bytes().into(),
            },
            _ => Policy::RoundRobin,
        }
    }
}

fn index_in(nodes: &[NodeId], node: NodeId) -> Option<usize> {
    nodes.binary_search(&node).ok()
}
