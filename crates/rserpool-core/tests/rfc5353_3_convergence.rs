//! Several registrars, pool elements that come, change, move and go, associations that break, and
//! messages that are delayed at random but stay in order on each association: in the end all
//! registrars know the same, and it is what is true (RFC 5353 §3).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use proptest::prelude::*;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use rserpool_core::registrar::{Config, Destination, Input, Output, Remote};
use rserpool_core::{AssociationId, ENRP_PORT, Machine, PeerAddress, Registrar, Transport};
use rserpool_wire::asap::{
    Deregistration, EndpointKeepAlive, EndpointKeepAliveAck, Message, Registration,
};
use rserpool_wire::enrp;
use rserpool_wire::parameter::{Policy, PoolElement};
use rserpool_wire::{PoolElementId, RegistrarId, RegistrationLife};
use std::collections::{BTreeMap, BTreeSet};
use support::*;

const REGISTRARS: usize = 3;
const ELEMENTS: usize = 6;
/// A message is under way for at most so many milliseconds.
const DELAY_MAX: u64 = 30;

/// What happens from outside.
#[derive(Clone, Debug)]
enum Step {
    /// A pool element registers, at another registrar than before if it was registered.
    Register(usize, usize),
    /// It has another load.
    Update(usize, u32),
    Deregister(usize),
    /// The association of a pool element with its home breaks.
    Break(usize),
    /// Two registrars do not reach each other for so many milliseconds.
    Cut(usize, usize, u64),
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let element = 0..ELEMENTS;
    let registrar = 0..REGISTRARS;
    let step = prop_oneof![
        6 => (element.clone(), registrar.clone()).prop_map(|(e, r)| Step::Register(e, r)),
        3 => (element.clone(), 1..9_u32).prop_map(|(e, load)| Step::Update(e, load)),
        1 => element.clone().prop_map(Step::Deregister),
        2 => element.prop_map(Step::Break),
        1 => (registrar.clone(), registrar, prop_oneof![1..400_u64, 2_000..6_000_u64])
            .prop_map(|(one, other, time)| Step::Cut(one, other, time)),
    ];
    prop::collection::vec((0..600_u64, step), 1..60)
}

proptest! {
    #[test]
    fn all_registrars_know_the_same_in_the_end(steps in steps(), seed: u64) {
        let mut scope = Scope::new(seed);
        for (delay, step) in steps {
            scope.run_for(delay);
            scope.apply(&step);
        }
        scope.run_for(6_000);
        scope.cuts.clear();
        // Three heartbeats, and whatever was begun by then.
        scope.run_for(5_000);
        scope.check();
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Node {
    Registrar(usize),
    Element(usize),
}

#[derive(Debug)]
enum Happening {
    Asap(AssociationId, Node, Message),
    Enrp(AssociationId, Node, enrp::Message),
    Lost(AssociationId, Node),
    Connect {
        from: usize,
        to: Remote,
    },
    /// The pool element looks for a home, if it has none.
    Hunt(usize),
}

struct Link {
    ends: [Node; 2],
    /// When the last message arrives, by direction.
    last: [u64; 2],
}

#[derive(Default)]
struct Element {
    is_registered: bool,
    load: u32,
    home: Option<AssociationId>,
}

struct Scope {
    now: u64,
    random: Pcg64,
    registrars: Vec<Registrar>,
    elements: Vec<Element>,
    links: BTreeMap<AssociationId, Link>,
    last_link: u64,
    happenings: BTreeMap<(u64, u64), Happening>,
    sequence: u64,
    /// Who does not reach whom, until when.
    cuts: BTreeMap<(usize, usize), u64>,
}

fn registrar_host(number: usize) -> u8 {
    200 + u8::try_from(number).unwrap()
}

fn id_of(number: usize) -> RegistrarId {
    RegistrarId::new(u32::try_from(number).unwrap() + 1).unwrap()
}

/// The identifier of a pool element.
fn id_number(number: usize) -> u32 {
    u32::try_from(number).unwrap()
}

fn address_of(node: Node) -> PeerAddress {
    let (last, port) = match node {
        Node::Registrar(number) => (registrar_host(number), ENRP_PORT),
        Node::Element(number) => (u8::try_from(number).unwrap() + 1, 4_000),
    };
    PeerAddress {
        transport: Transport::Sctp,
        addresses: vec![host(last)],
        port,
        udp_port: None,
    }
}

impl Scope {
    fn new(seed: u64) -> Self {
        let mut scope = Self {
            now: 0,
            random: Pcg64::seed_from_u64(seed),
            registrars: Vec::new(),
            elements: (0..ELEMENTS).map(|_| Element::default()).collect(),
            links: BTreeMap::new(),
            last_link: 0,
            happenings: BTreeMap::new(),
            sequence: 0,
            cuts: BTreeMap::new(),
        };
        for number in 0..REGISTRARS {
            let mut config = Config::new(id_of(number));
            config.peers = (0..REGISTRARS)
                .filter(|other| *other != number)
                .map(|other| registrar_address(&format!("10.0.0.{}:9901", registrar_host(other))))
                .collect();
            let registrar = Registrar::new(config, seed + number as u64, at(0));
            scope.registrars.push(registrar);
            scope.take_outputs(number);
        }
        scope
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.next_u64() % bound
    }

    fn schedule(&mut self, time: u64, happening: Happening) {
        self.sequence += 1;
        self.happenings.insert((time, self.sequence), happening);
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Register(number, registrar) => {
                self.elements[number].is_registered = true;
                if self.home_of(number) == Some(registrar) {
                    return self.register(number);
                }
                self.close_home(number);
                self.connect_element(number, registrar);
            }
            Step::Update(number, load) => {
                self.elements[number].load = load;
                self.register(number);
            }
            Step::Deregister(number) => {
                self.elements[number].is_registered = false;
                if let Some(home) = self.elements[number].home {
                    let message = Deregistration {
                        pool_handle: echo(),
                        pool_element: PoolElementId(id_number(number)),
                    };
                    self.send_asap(home, Node::Element(number), Message::from(message));
                }
            }
            Step::Break(number) => self.close_home(number),
            Step::Cut(one, other, time) => self.cut(one.min(other), one.max(other), time),
        }
    }

    fn home_of(&self, number: usize) -> Option<usize> {
        let link = self.links.get(&self.elements[number].home?)?;
        registrar_at(link)
    }

    fn close_home(&mut self, number: usize) {
        if let Some(home) = self.elements[number].home.take() {
            self.lose(home);
        }
        let soon = self.now + 1 + self.below(100);
        self.schedule(soon, Happening::Hunt(number));
    }

    fn connect_element(&mut self, number: usize, registrar: usize) {
        let ends = [Node::Element(number), Node::Registrar(registrar)];
        let link = self.link(ends);
        let input = Input::AssociationUp {
            association: link,
            peer: address_of(ends[0]),
        };
        self.input(registrar, input);
        self.elements[number].home = Some(link);
        self.register(number);
    }

    fn register(&mut self, number: usize) {
        let element = &self.elements[number];
        let Some(home) = element.home.filter(|_| element.is_registered) else {
            return;
        };
        let message = Message::from(Registration {
            pool_handle: echo(),
            pool_element: as_registered(number, element.load),
        });
        self.send_asap(home, Node::Element(number), message);
    }

    fn cut(&mut self, one: usize, other: usize, time: u64) {
        if one == other {
            return;
        }
        self.cuts.insert((one, other), self.now + time);
        let pair = [Node::Registrar(one), Node::Registrar(other)];
        let between = |link: &Link| pair.iter().all(|end| link.ends.contains(end));
        let links = self.links.iter().filter(|(_, link)| between(link));
        for id in links.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.lose(id);
        }
    }

    fn is_cut(&self, one: usize, other: usize) -> bool {
        let until = self.cuts.get(&(one.min(other), one.max(other)));
        until.is_some_and(|until| self.now < *until)
    }

    fn link(&mut self, ends: [Node; 2]) -> AssociationId {
        self.last_link += 1;
        let id = AssociationId(self.last_link);
        let last = [self.now; 2];
        self.links.insert(id, Link { ends, last });
        id
    }

    /// Both ends learn it after what is under way, in which nothing arrives any more.
    fn lose(&mut self, id: AssociationId) {
        let Some(link) = self.links.remove(&id) else {
            return;
        };
        for end in link.ends {
            let time = self.now + 1 + self.below(DELAY_MAX);
            self.schedule(time, Happening::Lost(id, end));
        }
    }

    /// When a message over this association arrives, and at whom.
    fn arrival(&mut self, id: AssociationId, from: Node) -> Option<(u64, Node)> {
        let delay = self.below(DELAY_MAX);
        let now = self.now;
        let link = self.links.get_mut(&id)?;
        let direction = usize::from(link.ends[1] == from);
        let time = link.last[direction].max(now + delay);
        link.last[direction] = time;
        Some((time, link.ends[1 - direction]))
    }

    fn send_asap(&mut self, over: AssociationId, from: Node, message: Message) {
        if let Some((time, to)) = self.arrival(over, from) {
            self.schedule(time, Happening::Asap(over, to, message));
        }
    }

    fn run_for(&mut self, milliseconds: u64) {
        let until = self.now + milliseconds;
        loop {
            let timers = self.registrars.iter().map(Machine::poll_timeout);
            let timer = timers
                .enumerate()
                .filter_map(|(number, time)| Some((time?, number)))
                .min();
            let next = self.happenings.first_key_value().map(|(key, _)| *key);
            let happens_at = next.map_or(u64::MAX, |(time, _)| time);
            let timer_at = timer.map_or(u64::MAX, |(time, _)| {
                u64::try_from(time.0.as_nanos().div_ceil(1_000_000)).unwrap()
            });
            if happens_at.min(timer_at) > until {
                break;
            }
            if happens_at <= timer_at {
                self.now = self.now.max(happens_at);
                let (_, happening) = self.happenings.pop_first().unwrap();
                self.happen(happening);
            } else if let Some((_, number)) = timer {
                self.now = self.now.max(timer_at);
                self.registrars[number].handle_timeout(at(self.now));
                self.take_outputs(number);
            }
        }
        self.now = until;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Asap(over, to, message) => {
                // What was under way on an association that broke is lost.
                if self.links.contains_key(&over) {
                    self.deliver_asap(over, to, message);
                }
            }
            Happening::Enrp(over, to, message) => {
                if let Node::Registrar(number) = to
                    && self.links.contains_key(&over)
                {
                    let octets = message.encode();
                    let message = enrp::Message::decode(&octets);
                    self.input(
                        number,
                        Input::EnrpReceived {
                            from: over,
                            message,
                        },
                    );
                }
            }
            Happening::Lost(association, Node::Registrar(number)) => {
                self.input(number, Input::AssociationLost { association });
            }
            Happening::Lost(association, Node::Element(number)) => {
                if self.elements[number].home == Some(association) {
                    self.close_home(number);
                }
            }
            Happening::Connect { from, to } => self.connect_registrar(from, to),
            Happening::Hunt(number) => {
                if self.elements[number].home.is_none() {
                    let registrar = usize::try_from(self.below(REGISTRARS as u64)).unwrap();
                    self.connect_element(number, registrar);
                }
            }
        }
    }

    fn deliver_asap(&mut self, over: AssociationId, to: Node, message: Message) {
        match to {
            Node::Registrar(number) => {
                let message = Ok(decoded(message));
                self.input(
                    number,
                    Input::Received {
                        from: over,
                        message,
                    },
                );
            }
            Node::Element(number) => self.element_hears(number, over, &message),
        }
    }

    fn element_hears(&mut self, number: usize, over: AssociationId, message: &Message) {
        let is_home = self.elements[number].home == Some(over);
        if let Message::EndpointKeepAlive(keep_alive) = message {
            if self.elements[number].is_registered {
                self.element_is_asked(number, over, keep_alive);
            }
        } else if let Message::RegistrationResponse(response) = message {
            if response.result.is_err() {
                self.close_home(number);
            }
        } else if is_home && matches!(message, Message::DeregistrationResponse(_)) {
            // It was thrown out, and comes back.
            self.register(number);
        }
    }

    fn element_is_asked(
        &mut self,
        number: usize,
        over: AssociationId,
        keep_alive: &EndpointKeepAlive,
    ) {
        let ack = EndpointKeepAliveAck {
            pool_handle: keep_alive.pool_handle.clone(),
            pool_element: PoolElementId(id_number(number)),
        };
        self.send_asap(over, Node::Element(number), Message::from(ack));
        let is_home = self.elements[number].home == Some(over);
        if keep_alive.home && !is_home {
            if let Some(old) = self.elements[number].home.replace(over) {
                self.lose(old);
            }
            self.register(number);
        }
    }

    fn connect_registrar(&mut self, from: usize, to: Remote) {
        let (end, is_peer) = match &to {
            Remote::Peer(address) => {
                let hosts = (0..REGISTRARS).map(registrar_host);
                let number = hosts
                    .into_iter()
                    .position(|it| address.addresses == [host(it)]);
                (Node::Registrar(number.unwrap()), true)
            }
            Remote::PoolElement(address) => {
                let nodes = (0..ELEMENTS).map(Node::Element);
                let same = |node: &Node| address_of(*node).addresses == address.addresses;
                (nodes.into_iter().find(same).unwrap(), false)
            }
        };
        if let Node::Registrar(other) = end
            && (self.is_cut(from, other) || other == from)
        {
            // No answer.
            return;
        }
        let ends = [Node::Registrar(from), end];
        let taken = self.links.values().any(|link| {
            let same_pair = ends.iter().all(|end| link.ends.contains(end));
            same_pair && (!is_peer || link.ends == ends)
        });
        if taken {
            return self.input(from, Input::ConnectFailed { to });
        }
        let link = self.link(ends);
        if let Node::Registrar(other) = end {
            let up = Input::AssociationUp {
                association: link,
                peer: address_of(Node::Registrar(from)),
            };
            self.input(other, up);
        }
        let connected = Input::Connected {
            association: link,
            to,
            peer: address_of(end),
        };
        self.input(from, connected);
    }

    fn input(&mut self, number: usize, input: Input) {
        self.registrars[number].handle_input(at(self.now), input);
        self.take_outputs(number);
    }

    fn take_outputs(&mut self, number: usize) {
        let me = Node::Registrar(number);
        for output in drain(&mut self.registrars[number]) {
            match output {
                Output::Send {
                    to: Destination::Association(over),
                    message,
                } => self.send_asap(over, me, message),
                Output::SendEnrp {
                    to: Destination::Association(over),
                    message,
                } => {
                    if let Some((time, to)) = self.arrival(over, me) {
                        self.schedule(time, Happening::Enrp(over, to, message));
                    }
                }
                Output::Connect { to } => {
                    let time = self.now + 1 + self.below(DELAY_MAX);
                    self.schedule(time, Happening::Connect { from: number, to });
                }
                Output::StopConnecting { to } => self.happenings.retain(|_, happening| {
                    !matches!(happening, Happening::Connect { from, to: other }
                        if *from == number && *other == to)
                }),
                Output::Close { association, .. } => self.lose(association),
                Output::Event(event) => {
                    if std::env::var("DBG").is_ok() {
                        println!("{} {number} {event:?}", self.now);
                    }
                }
                Output::Send { .. } | Output::SendEnrp { .. } => {}
            }
        }
    }

    /// Who is registered and where, and all registrars know exactly that.
    fn check(&self) {
        let truth: BTreeMap<u32, (RegistrarId, String)> = self
            .elements
            .iter()
            .enumerate()
            .filter(|(_, element)| element.is_registered)
            .filter_map(|(number, element)| {
                let home = id_of(self.home_of(number)?);
                let policy = as_registered(number, element.load).policy.to_string();
                Some((id_number(number), (home, policy)))
            })
            .collect();
        let registered = self.elements.iter().filter(|element| element.is_registered);
        assert_eq!(truth.len(), registered.count(), "all have a home");
        for (number, registrar) in self.registrars.iter().enumerate() {
            let snapshot = registrar.snapshot();
            assert!(snapshot.initialized);
            let elements = snapshot.pools.iter().flat_map(|pool| &pool.pool_elements);
            let known = elements
                .map(|element| {
                    (
                        element.id.0,
                        (element.home.unwrap(), element.policy.clone()),
                    )
                })
                .collect();
            assert_eq!(truth, known, "registrar {number} at {} ms", self.now);
            for peer in &snapshot.peers {
                assert_eq!(Some(peer.checksum), peer.checksum_told, "{peer:?}");
            }
            let ids: BTreeSet<_> = snapshot.peers.iter().map(|peer| peer.registrar).collect();
            assert_eq!(ids.len(), REGISTRARS - 1);
        }
    }
}

fn registrar_at(link: &Link) -> Option<usize> {
    link.ends.iter().find_map(|end| match end {
        Node::Registrar(number) => Some(*number),
        Node::Element(_) => None,
    })
}

fn as_registered(number: usize, load: u32) -> PoolElement {
    PoolElement {
        registration_life: RegistrationLife::Infinite,
        policy: Policy::LeastUsed { load },
        ..element_on(u8::try_from(number).unwrap() + 1, id_number(number))
    }
}
