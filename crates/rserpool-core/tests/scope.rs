//! A small operational scope in virtual time: registrars, pool elements and pool users over
//! perfect links with a delay. Every message is encoded and decoded on its way.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use rserpool_core::pool_element::{self, UserProtocol, UserTransportTemplate};
use rserpool_core::pool_user::{self, RequestId, Source};
use rserpool_core::registrar::{self, Destination};
use rserpool_core::{
    AssociationId, Compatibility, Machine, PoolElement, PoolUser, Registrar, RegistrarAddress,
    Timers, Timestamp,
};
use rserpool_wire::asap::Message;
use rserpool_wire::parameter::{EncapsulationPorts, EncodedPoolElement, Policy, TransportUse};
use rserpool_wire::{PoolElementId, RegistrarId};
use std::collections::BTreeMap;
use std::time::Duration;
use support::{at, drain, echo, host, ms, peer, registrar_address};

#[test]
fn pool_elements_register_and_a_pool_user_resolves_them() {
    let mut scope = Scope::new(&[201]);
    for id in 1..=3 {
        scope.start_element(id);
    }
    scope.start_user();
    scope.run_until(at(100));
    scope.resolve(1);
    scope.run_until(at(110));
    assert_eq!(scope.resolved(1), Some((vec![1, 2, 3], Source::Registrar)));
}

#[test]
fn a_killed_pool_element_is_not_resolved_any_more_and_subscribers_are_told() {
    let mut scope = Scope::new(&[201]);
    for id in 1..=3 {
        scope.start_element(id);
    }
    scope.start_user();
    scope.run_until(at(100));
    scope.subscribe(1);
    scope.run_until(at(200));
    scope.kill_element(2);
    // The link takes 1 ms to notice and 1 ms to tell.
    scope.run_until(at(203));
    assert_eq!(scope.updates.last(), Some(&(at(202), Some(vec![1, 3]))));
    scope.start_element(4);
    scope.run_until(at(300));
    assert_eq!(scope.updates.last().unwrap().1, Some(vec![1, 3, 4]));
}

#[test]
fn a_frozen_pool_element_is_gone_in_time_and_comes_back_by_itself() {
    let mut scope = Scope::new(&[201]);
    scope.start_element(1);
    scope.start_element(2);
    scope.start_user();
    scope.run_until(at(100));
    scope.subscribe(1);
    scope.run_until(at(10_000));
    scope.freeze_element(2, true);
    scope.run_until(at(12_260));
    assert_eq!(scope.updates.last().unwrap().1, Some(vec![1]));
    scope.freeze_element(2, false);
    scope.run_until(at(12_280));
    assert_eq!(
        scope.updates.last().unwrap().1,
        Some(vec![1, 2]),
        "it finds the registrar's word that it was removed, and registers again"
    );
}

#[test]
fn a_lost_registrar_is_replaced_by_another_and_no_resolution_fails() {
    let mut scope = Scope::new(&[201, 202]);
    for id in 1..=20 {
        scope.start_element(id);
    }
    scope.start_user();
    scope.run_until(at(1_000));
    scope.subscribe(1);
    scope.run_until(at(1_100));
    let home = scope.user.as_ref().unwrap().snapshot().home.unwrap();
    scope.kill_registrar(&home);
    scope.run_until(at(1_200));
    scope.resolve(2);
    scope.run_until(at(1_300));
    // The other registrar has no copy yet (RFC 5353 gives it one); but all have registered there.
    let (ids, _) = scope.resolved(2).unwrap();
    assert_eq!(ids, (1..=20).collect::<Vec<_>>());
    assert_eq!(scope.failures, []);
}

#[test]
fn with_all_registrars_down_the_cache_answers_and_all_return_when_one_starts() {
    let mut scope = Scope::new(&[201]);
    for id in 1..=50 {
        scope.start_element(id);
    }
    scope.start_user();
    scope.run_until(at(1_000));
    scope.resolve(1);
    scope.run_until(at(1_100));
    let home = registrar_address("10.0.0.201:3863");
    scope.kill_registrar(&home);
    scope.run_until(at(20_000));
    scope.resolve(2);
    scope.run_until(at(22_000));
    let (ids, source) = scope.resolved(2).unwrap();
    assert_eq!((ids.len(), source), (50, Source::StaleCache));
    scope.start_registrar(201);
    scope.run_until(at(25_000));
    scope.resolve(3);
    scope.run_until(at(25_100));
    let (ids, source) = scope.resolved(3).unwrap();
    assert_eq!((ids.len(), source), (50, Source::Registrar));
}

#[test]
fn a_changed_load_reaches_the_subscriber() {
    let mut scope = Scope::new(&[201]);
    scope.start_element(1);
    scope.start_user();
    scope.run_until(at(100));
    scope.subscribe(1);
    scope.run_until(at(200));
    let set = pool_element::Command::SetPolicy(Policy::LeastUsed { load: 77 });
    scope.command_element(1, set);
    scope.run_until(at(203));
    assert_eq!(scope.updates.last().unwrap().0, at(202));
    assert_eq!(scope.last_policies, [Policy::LeastUsed { load: 77 }]);
}

#[test]
fn the_same_seeds_give_the_same_run() {
    let transcript = || {
        let mut scope = Scope::new(&[201, 202]);
        for id in 1..=10 {
            scope.start_element(id);
        }
        scope.start_user();
        scope.run_until(at(5_000));
        scope.subscribe(1);
        scope.kill_registrar(&registrar_address("10.0.0.201:3863"));
        scope.run_until(at(10_000));
        scope.transcript
    };
    let first = transcript();
    assert!(first.len() > 100);
    assert_eq!(first, transcript());
}

/// How long everything takes on its way.
const DELAY: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Node {
    Registrar(u8),
    Element(u32),
    User,
}

#[derive(Debug)]
enum Happening {
    Connect(Node, RegistrarAddress),
    Up(AssociationId),
    Octets(AssociationId, Vec<u8>),
    Lost(AssociationId),
    ConnectFailed(RegistrarAddress),
}

struct Link {
    client: Node,
    registrar: Node,
    address: RegistrarAddress,
}

struct Scope {
    now: Timestamp,
    registrars: BTreeMap<u8, Registrar>,
    elements: BTreeMap<u32, PoolElement>,
    frozen: BTreeMap<u32, Vec<Happening>>,
    user: Option<PoolUser>,
    links: BTreeMap<AssociationId, Link>,
    next_link: u64,
    happenings: BTreeMap<(Timestamp, u64), (Node, Happening)>,
    sequence: u64,
    addresses: Vec<RegistrarAddress>,
    answers: BTreeMap<RequestId, (Vec<u32>, Source)>,
    failures: Vec<RequestId>,
    updates: Vec<(Timestamp, Option<Vec<u32>>)>,
    last_policies: Vec<Policy>,
    transcript: Vec<String>,
}

impl Scope {
    fn new(registrars: &[u8]) -> Self {
        let address = |number: &u8| registrar_address(&format!("10.0.0.{number}:3863"));
        let mut scope = Self {
            now: Timestamp::ZERO,
            registrars: BTreeMap::new(),
            elements: BTreeMap::new(),
            frozen: BTreeMap::new(),
            user: None,
            links: BTreeMap::new(),
            next_link: 1,
            happenings: BTreeMap::new(),
            sequence: 0,
            addresses: registrars.iter().map(address).collect(),
            answers: BTreeMap::new(),
            failures: Vec::new(),
            updates: Vec::new(),
            last_policies: Vec::new(),
            transcript: Vec::new(),
        };
        for number in registrars {
            scope.start_registrar(*number);
        }
        scope
    }

    fn start_registrar(&mut self, number: u8) {
        let id = RegistrarId::new(u32::from(number)).unwrap();
        let registrar = Registrar::new(registrar::Config::new(id), number.into(), self.now);
        self.registrars.insert(number, registrar);
    }

    fn start_element(&mut self, id: u32) {
        let config = pool_element::Config {
            pool_handle: echo(),
            id: Some(PoolElementId(id)),
            user_transport: UserTransportTemplate {
                protocol: UserProtocol::Sctp,
                port: 7,
                transport_use: TransportUse::DATA_ONLY,
            },
            addresses: None,
            encapsulation_ports: EncapsulationPorts::default(),
            policy: Policy::LeastUsed { load: 1 },
            registration_life: Some(Duration::from_secs(60)),
            registrars: self.addresses.clone(),
            timers: Timers::default(),
            compatibility: Compatibility::default(),
        };
        let element = PoolElement::new(config, id.into(), self.now);
        self.elements.insert(id, element);
        self.command_element(id, pool_element::Command::Register);
    }

    fn command_element(&mut self, id: u32, command: pool_element::Command) {
        let element = self.elements.get_mut(&id).unwrap();
        element.handle_input(self.now, pool_element::Input::Command(command));
        self.collect(Node::Element(id));
    }

    fn start_user(&mut self) {
        let config = pool_user::Config {
            registrars: self.addresses.clone(),
            ..pool_user::Config::default()
        };
        self.user = Some(PoolUser::new(config, 1_000, self.now));
        self.collect(Node::User);
    }

    fn resolve(&mut self, request: u64) {
        self.ask(request, false);
    }

    fn subscribe(&mut self, request: u64) {
        self.ask(request, true);
    }

    fn ask(&mut self, request: u64, subscribe: bool) {
        let command = pool_user::Command::Resolve {
            request: RequestId(request),
            pool_handle: echo(),
            items: None,
            subscribe,
        };
        let user = self.user.as_mut().unwrap();
        user.handle_input(self.now, pool_user::Input::Command(command));
        self.collect(Node::User);
    }

    fn resolved(&self, request: u64) -> Option<(Vec<u32>, Source)> {
        self.answers.get(&RequestId(request)).cloned()
    }

    fn kill_element(&mut self, id: u32) {
        self.elements.remove(&id);
        self.cut(Node::Element(id));
    }

    /// What reaches a frozen one waits until it goes on.
    fn freeze_element(&mut self, id: u32, frozen: bool) {
        if frozen {
            self.frozen.insert(id, Vec::new());
        } else {
            for happening in self.frozen.remove(&id).unwrap() {
                self.schedule(Node::Element(id), happening);
            }
        }
    }

    fn kill_registrar(&mut self, address: &RegistrarAddress) {
        let number = number_of(address);
        self.registrars.remove(&number);
        self.cut(Node::Registrar(number));
    }

    /// All links of a node break; the other ends notice.
    fn cut(&mut self, node: Node) {
        let broken: Vec<_> = self.links.keys().copied().collect();
        for association in broken {
            let link = &self.links[&association];
            let other = if link.client == node {
                link.registrar
            } else if link.registrar == node {
                link.client
            } else {
                continue;
            };
            self.links.remove(&association);
            self.schedule(other, Happening::Lost(association));
        }
    }

    fn run_until(&mut self, end: Timestamp) {
        loop {
            let happening = self.happenings.keys().next().map(|(time, _)| *time);
            let timers = self.nodes().into_iter().filter_map(|node| {
                let deadline = self.poll_timeout(node)?;
                Some((deadline.max(self.now), node))
            });
            let timer = timers.min();
            let timer_is_first =
                timer.is_some_and(|(time, _)| happening.is_none_or(|happening| time < happening));
            if let Some((time, node)) = timer.filter(|_| timer_is_first) {
                if time > end {
                    break;
                }
                self.now = time;
                self.handle_timeout(node);
            } else if let Some(time) = happening.filter(|time| *time <= end) {
                self.now = time;
                let (_, (node, happening)) = self.happenings.pop_first().unwrap();
                self.transcript
                    .push(format!("{time} {node:?} {happening:?}"));
                self.deliver(node, happening);
            } else {
                break;
            }
        }
        self.now = end;
    }

    fn nodes(&self) -> Vec<Node> {
        let registrars = self
            .registrars
            .keys()
            .map(|number| Node::Registrar(*number));
        let running = self
            .elements
            .keys()
            .filter(|id| !self.frozen.contains_key(id));
        let elements = running.map(|id| Node::Element(*id));
        let user = self.user.iter().map(|_| Node::User);
        registrars.chain(elements).chain(user).collect()
    }

    fn poll_timeout(&self, node: Node) -> Option<Timestamp> {
        match node {
            Node::Registrar(number) => self.registrars[&number].poll_timeout(),
            Node::Element(id) => self.elements[&id].poll_timeout(),
            Node::User => self.user.as_ref()?.poll_timeout(),
        }
    }

    fn handle_timeout(&mut self, node: Node) {
        let now = self.now;
        match node {
            Node::Registrar(number) => {
                self.registrars
                    .get_mut(&number)
                    .unwrap()
                    .handle_timeout(now);
            }
            Node::Element(id) => self.elements.get_mut(&id).unwrap().handle_timeout(now),
            Node::User => self.user.as_mut().unwrap().handle_timeout(now),
        }
        self.collect(node);
    }

    fn schedule(&mut self, node: Node, happening: Happening) {
        self.sequence += 1;
        let time = self.now + DELAY;
        self.happenings
            .insert((time, self.sequence), (node, happening));
    }

    fn deliver(&mut self, node: Node, happening: Happening) {
        match node {
            Node::Registrar(number) => self.deliver_to_registrar(number, happening),
            Node::Element(id) => {
                if let Some(waiting) = self.frozen.get_mut(&id) {
                    return waiting.push(happening);
                }
                self.deliver_to_element(id, happening);
            }
            Node::User => self.deliver_to_user(happening),
        }
        self.collect(node);
    }

    fn deliver_to_registrar(&mut self, number: u8, happening: Happening) {
        let Some(registrar) = self.registrars.get_mut(&number) else {
            if let Happening::Connect(client, address) = happening {
                self.schedule(client, Happening::ConnectFailed(address));
            }
            return;
        };
        let input = match happening {
            Happening::Connect(client, address) => {
                let association = AssociationId(self.next_link);
                self.next_link += 1;
                let peer = match client {
                    Node::Element(id) => peer(u8::try_from(id).unwrap()),
                    Node::User | Node::Registrar(_) => peer(100),
                };
                let link = Link {
                    client,
                    registrar: Node::Registrar(number),
                    address,
                };
                self.links.insert(association, link);
                registrar.handle_input(
                    self.now,
                    registrar::Input::AssociationUp { association, peer },
                );
                return self.schedule(client, Happening::Up(association));
            }
            Happening::Octets(from, octets) => registrar::Input::Received {
                from,
                message: Message::decode(&octets),
            },
            Happening::Lost(association) => registrar::Input::AssociationLost { association },
            Happening::Up(_) | Happening::ConnectFailed(_) => unreachable!("not to a registrar"),
        };
        registrar.handle_input(self.now, input);
    }

    fn deliver_to_element(&mut self, id: u32, happening: Happening) {
        let Some(element) = self.elements.get_mut(&id) else {
            return;
        };
        let input = match happening {
            Happening::Up(association) => {
                let Some(link) = self.links.get(&association) else {
                    return;
                };
                pool_element::Input::AssociationUp {
                    association,
                    registrar: link.address.clone(),
                    local: vec![host(u8::try_from(id).unwrap())],
                }
            }
            Happening::Octets(from, octets) => pool_element::Input::Received {
                from,
                message: Message::decode(&octets),
            },
            Happening::Lost(association) => pool_element::Input::AssociationLost { association },
            Happening::ConnectFailed(registrar) => pool_element::Input::ConnectFailed { registrar },
            Happening::Connect(..) => unreachable!("not to a pool element"),
        };
        element.handle_input(self.now, input);
    }

    fn deliver_to_user(&mut self, happening: Happening) {
        let user = self.user.as_mut().unwrap();
        let input = match happening {
            Happening::Up(association) => {
                let Some(link) = self.links.get(&association) else {
                    return;
                };
                pool_user::Input::AssociationUp {
                    association,
                    registrar: link.address.clone(),
                }
            }
            Happening::Octets(from, octets) => pool_user::Input::Received {
                from,
                message: Message::decode(&octets),
            },
            Happening::Lost(association) => pool_user::Input::AssociationLost { association },
            Happening::ConnectFailed(registrar) => pool_user::Input::ConnectFailed { registrar },
            Happening::Connect(..) => unreachable!("not to a pool user"),
        };
        user.handle_input(self.now, input);
    }

    /// Carries out what a node wants done.
    fn collect(&mut self, node: Node) {
        match node {
            Node::Registrar(number) => {
                let Some(registrar) = self.registrars.get_mut(&number) else {
                    return;
                };
                for output in drain(registrar) {
                    self.do_for_registrar(output);
                }
            }
            Node::Element(id) => {
                let Some(element) = self.elements.get_mut(&id) else {
                    return;
                };
                for output in drain(element) {
                    self.do_for_element(node, output);
                }
            }
            Node::User => {
                for output in drain(self.user.as_mut().unwrap()) {
                    self.do_for_user(output);
                }
            }
        }
    }

    fn do_for_registrar(&mut self, output: registrar::Output) {
        match output {
            registrar::Output::Send {
                to: Destination::Association(association),
                message,
            } => {
                if let Some(client) = self.links.get(&association).map(|link| link.client) {
                    self.schedule(client, Happening::Octets(association, message.encode()));
                }
            }
            registrar::Output::Send { .. } | registrar::Output::Event(_) => {}
            registrar::Output::SendEnrp { .. }
            | registrar::Output::Connect { .. }
            | registrar::Output::StopConnecting { .. } => panic!("there are no peers: {output:?}"),
            registrar::Output::Close { association, .. } => self.close(association),
        }
    }

    fn do_for_element(&mut self, node: Node, output: pool_element::Output) {
        match output {
            pool_element::Output::Connect { registrar } => self.connect(node, registrar),
            pool_element::Output::Send { to, message } => self.send_to_registrar(to, &message),
            pool_element::Output::Close { association } => self.close(association),
            pool_element::Output::StopConnecting { .. } | pool_element::Output::Event(_) => {}
        }
    }

    fn do_for_user(&mut self, output: pool_user::Output) {
        match output {
            pool_user::Output::Connect { registrar } => self.connect(Node::User, registrar),
            pool_user::Output::Send { to, message } => self.send_to_registrar(to, &message),
            pool_user::Output::Close { association } => self.close(association),
            pool_user::Output::StopConnecting { .. } => {}
            pool_user::Output::Event(event) => self.note(event),
        }
    }

    fn note(&mut self, event: pool_user::Event) {
        let ids = |elements: &[EncodedPoolElement]| {
            let mut ids: Vec<_> = elements.iter().map(|element| element.id().0).collect();
            ids.sort_unstable();
            ids
        };
        match event {
            pool_user::Event::Resolved {
                request,
                resolution,
                source,
                ..
            } => {
                let ids = ids(&resolution.pool_elements);
                self.answers.insert(request, (ids, source));
            }
            pool_user::Event::ResolveFailed { request, .. } => self.failures.push(request),
            pool_user::Event::PoolUpdated { resolution, .. } => {
                let elements = resolution
                    .as_ref()
                    .map(|resolution| &resolution.pool_elements);
                self.last_policies = elements.into_iter().flatten().map(policy_of).collect();
                let ids = resolution.map(|resolution| ids(&resolution.pool_elements));
                self.updates.push((self.now, ids));
            }
            pool_user::Event::Selected { .. }
            | pool_user::Event::ServerHuntStarted { .. }
            | pool_user::Event::HomeRegistrarChanged { .. }
            | pool_user::Event::BadMessage { .. }
            | pool_user::Event::UnexpectedMessage { .. }
            | pool_user::Event::ErrorReceived { .. } => {}
        }
    }

    fn connect(&mut self, client: Node, address: RegistrarAddress) {
        let registrar = Node::Registrar(number_of(&address));
        self.schedule(registrar, Happening::Connect(client, address));
    }

    fn send_to_registrar(&mut self, to: AssociationId, message: &Message) {
        if let Some(registrar) = self.links.get(&to).map(|link| link.registrar) {
            self.schedule(registrar, Happening::Octets(to, message.encode()));
        }
    }

    fn close(&mut self, association: AssociationId) {
        if let Some(link) = self.links.remove(&association) {
            self.schedule(link.client, Happening::Lost(association));
            self.schedule(link.registrar, Happening::Lost(association));
        }
    }
}

fn policy_of(element: &EncodedPoolElement) -> Policy {
    element.decode().policy
}

fn number_of(address: &RegistrarAddress) -> u8 {
    let numbers: Vec<u8> = (0..=255)
        .filter(|number| address.addresses.contains(&host(*number)))
        .collect();
    assert_eq!(numbers.len(), 1, "{address} after {:?}", ms(0));
    numbers[0]
}
