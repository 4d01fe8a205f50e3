//! Several registrars, wired by hand: every message is encoded, carried at once and decoded; links
//! can be cut, and registrars crash, hang and return.

#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(unreachable_pub, reason = "a module of several test crates")]

use super::support::*;
use rserpool_core::registrar::{
    Config, Destination, Event, Input, Output, PeerSnapshot, PeerStatus, Remote,
};
use rserpool_core::{
    AssociationId, ENRP_PORT, Machine, PeerAddress, Registrar, RegistrarAddress, Timestamp,
    Transport,
};
use rserpool_wire::asap::{EndpointKeepAliveAck, Message};
use rserpool_wire::parameter::PoolElement;
use rserpool_wire::{RegistrarId, enrp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A registrar's number: its host, and the lowest octet of its identifier.
pub type Number = u8;

/// Who is at the other end of an association.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Registrar(Number, AssociationId),
    /// A host with pool elements that answer keep-alives.
    Elements,
}

pub struct Registrars {
    machines: BTreeMap<Number, Registrar>,
    ends: BTreeMap<(Number, AssociationId), End>,
    /// From whom to whom nothing arrives.
    cut: BTreeSet<(Number, Number)>,
    hung: BTreeMap<Number, VecDeque<Input>>,
    /// Hosts whose pool elements can be reached.
    element_hosts: BTreeSet<u8>,
    /// ENRP multicast datagrams arrive.
    pub multicast: bool,
    now: Timestamp,
    last: u64,
    /// All that the registrars wanted.
    pub log: Vec<(Timestamp, Number, Output)>,
    pending: VecDeque<(Number, Input)>,
}

pub fn id_of(number: Number) -> RegistrarId {
    RegistrarId::new(u32::from(number)).unwrap()
}

/// Where the registrar with this number speaks ENRP.
pub fn address_of(number: Number) -> RegistrarAddress {
    RegistrarAddress {
        transport: Transport::Sctp,
        addresses: vec![host(number)],
        port: ENRP_PORT,
        udp_port: None,
    }
}

pub fn remote_of(number: Number) -> PeerAddress {
    PeerAddress {
        transport: Transport::Sctp,
        addresses: vec![host(number)],
        port: ENRP_PORT,
        udp_port: None,
    }
}

/// The registrar with this number; these are the static peers that it knows.
pub fn config_of(number: Number, peers: &[Number]) -> Config {
    Config {
        peers: peers.iter().map(|peer| address_of(*peer)).collect(),
        ..Config::new(id_of(number))
    }
}

impl Registrars {
    pub fn empty() -> Self {
        Self {
            machines: BTreeMap::new(),
            ends: BTreeMap::new(),
            cut: BTreeSet::new(),
            hung: BTreeMap::new(),
            element_hosts: BTreeSet::new(),
            multicast: false,
            now: at(0),
            last: 0,
            log: Vec::new(),
            pending: VecDeque::new(),
        }
    }

    /// Registrars that know and have found each other; the first one is the others' mentor.
    pub fn of(numbers: &[Number]) -> Self {
        let mut registrars = Self::empty();
        for (index, number) in numbers.iter().enumerate() {
            registrars.start(config_of(*number, &numbers[..index]), *number);
            registrars.run_for(300);
        }
        for number in numbers {
            assert_eq!(registrars.active_peers(*number).len(), numbers.len() - 1);
        }
        registrars.log.clear();
        registrars
    }

    pub fn start(&mut self, config: Config, number: Number) {
        let machine = Registrar::new(config, u64::from(number), self.now);
        self.machines.insert(number, machine);
        self.settle();
    }

    pub fn machine(&self, number: Number) -> &Registrar {
        &self.machines[&number]
    }

    pub fn milliseconds(&self) -> u64 {
        u64::try_from(self.now.0.as_millis()).unwrap()
    }

    /// A pool element on this host registers.
    pub fn register(&mut self, number: Number, on: u8, element: PoolElement) {
        self.element_hosts.insert(on);
        let association = self.next();
        self.ends.insert((number, association), End::Elements);
        let peer = peer(on);
        self.input(number, Input::AssociationUp { association, peer });
        self.input(
            number,
            Input::Received {
                from: association,
                message: Ok(decoded(registration(element))),
            },
        );
    }

    /// Nothing on this host can be reached any more, and nobody is told.
    pub fn lose_elements_on(&mut self, host: u8) {
        self.element_hosts.remove(&host);
    }

    pub fn command(&mut self, number: Number, command: rserpool_core::registrar::Command) {
        self.input(number, Input::Command(command));
    }

    /// The process is gone; whoever is connected notices at once.
    pub fn crash(&mut self, number: Number) {
        self.machines.remove(&number);
        self.hung.remove(&number);
        let own: Vec<_> = self
            .ends
            .iter()
            .filter(|((owner, _), _)| *owner == number)
            .map(|(key, end)| (*key, *end))
            .collect();
        for (key, end) in own {
            self.ends.remove(&key);
            self.lose_end(end);
        }
        self.settle();
    }

    /// The process stops, and nobody notices.
    pub fn hang(&mut self, number: Number) {
        self.hung.insert(number, VecDeque::new());
    }

    /// The process goes on with what has arrived.
    pub fn resume(&mut self, number: Number) {
        for input in self.hung.remove(&number).unwrap() {
            self.pending.push_back((number, input));
        }
        self.settle();
    }

    /// Nothing passes between these two any more; neither notices.
    pub fn cut(&mut self, one: Number, other: Number) {
        self.cut_from(one, other);
        self.cut_from(other, one);
    }

    pub fn cut_from(&mut self, from: Number, to: Number) {
        self.cut.insert((from, to));
    }

    pub fn heal(&mut self, one: Number, other: Number) {
        self.cut.remove(&(one, other));
        self.cut.remove(&(other, one));
    }

    /// Both ends notice that their associations are gone.
    pub fn disconnect(&mut self, one: Number, other: Number) {
        let between: Vec<_> = self
            .ends
            .iter()
            .filter(|((owner, _), end)| {
                *owner == one && matches!(end, End::Registrar(peer, _) if *peer == other)
            })
            .map(|((owner, association), end)| (End::Registrar(*owner, *association), *end))
            .collect();
        for (end, other) in between {
            self.lose_end(end);
            self.lose_end(other);
        }
        self.settle();
    }

    /// An input that comes from outside.
    pub fn input(&mut self, number: Number, input: Input) {
        self.pending.push_back((number, input));
        self.settle();
    }

    pub fn run_for(&mut self, milliseconds: u64) {
        let until = self.now + ms(milliseconds);
        loop {
            let running = self.machines.iter();
            let next = running
                .filter(|(number, _)| !self.hung.contains_key(number))
                .filter_map(|(number, machine)| Some((machine.poll_timeout()?, *number)))
                .min();
            let Some((deadline, number)) = next.filter(|(deadline, _)| *deadline <= until) else {
                break;
            };
            self.now = self.now.max(deadline);
            let machine = self.machines.get_mut(&number).unwrap();
            machine.handle_timeout(self.now);
            self.settle();
        }
        self.now = until;
    }

    /// Carries messages until nobody says anything more.
    fn settle(&mut self) {
        loop {
            while let Some((number, input)) = self.pending.pop_front() {
                if let Some(waiting) = self.hung.get_mut(&number) {
                    waiting.push_back(input);
                } else if let Some(machine) = self.machines.get_mut(&number) {
                    machine.handle_input(self.now, input);
                    self.collect(number);
                }
            }
            let numbers: Vec<_> = self.machines.keys().copied().collect();
            for number in numbers {
                self.collect(number);
            }
            if self.pending.is_empty() {
                return;
            }
        }
    }

    fn collect(&mut self, number: Number) {
        let Some(machine) = self.machines.get_mut(&number) else {
            return;
        };
        for output in drain(machine) {
            self.log.push((self.now, number, output.clone()));
            self.carry(number, output);
        }
    }

    fn carry(&mut self, number: Number, output: Output) {
        match output {
            Output::SendEnrp { to, message } => self.carry_enrp(number, to, &message),
            Output::Send { to, message } => self.carry_asap(number, to, message),
            Output::Connect { to } => self.connect(number, to),
            Output::Close { association, .. } => {
                if let Some(end) = self.ends.remove(&(number, association)) {
                    self.lose_end(end);
                }
            }
            Output::StopConnecting { .. } | Output::Event(_) => {}
        }
    }

    fn carry_enrp(&mut self, from: Number, to: Destination, message: &enrp::Message) {
        let octets = message.encode();
        let Destination::Association(association) = to else {
            let others: Vec<_> = self.machines.keys().copied().collect();
            for other in others.into_iter().filter(|_| self.multicast) {
                if !self.cut.contains(&(from, other)) {
                    let input = Input::EnrpAnnounced {
                        from: (host(from), ENRP_PORT).into(),
                        message: enrp::Message::decode(&octets).unwrap().message,
                    };
                    self.pending.push_back((other, input));
                }
            }
            return;
        };
        let end = self.ends.get(&(from, association));
        if let Some(End::Registrar(other, association)) = end
            && !self.cut.contains(&(from, *other))
        {
            let input = Input::EnrpReceived {
                from: *association,
                message: enrp::Message::decode(&octets),
            };
            self.pending.push_back((*other, input));
        }
    }

    fn carry_asap(&mut self, from: Number, to: Destination, message: Message) {
        let Destination::Association(association) = to else {
            return;
        };
        if let Message::EndpointKeepAlive(keep_alive) = message
            && self.ends.get(&(from, association)) == Some(&End::Elements)
        {
            let ack = EndpointKeepAliveAck {
                pool_handle: keep_alive.pool_handle,
                pool_element: keep_alive.pool_element.unwrap(),
            };
            let input = Input::Received {
                from: association,
                message: Ok(decoded(Message::from(ack))),
            };
            self.pending.push_back((from, input));
        }
    }

    fn connect(&mut self, number: Number, to: Remote) {
        let association = self.next();
        let (end, peer) = match &to {
            Remote::Peer(address) => {
                let there = self
                    .machines
                    .keys()
                    .copied()
                    .find(|other| address.addresses.contains(&host(*other)));
                let Some(there) = there else {
                    let failed = Input::ConnectFailed { to };
                    return self.pending.push_back((number, failed));
                };
                let is_cut =
                    self.cut.contains(&(number, there)) || self.cut.contains(&(there, number));
                if is_cut || self.hung.contains_key(&there) {
                    return;
                }
                let theirs = self.next();
                let end = End::Registrar(number, association);
                self.ends.insert((there, theirs), end);
                let up = Input::AssociationUp {
                    association: theirs,
                    peer: remote_of(number),
                };
                self.pending.push_back((there, up));
                (End::Registrar(there, theirs), remote_of(there))
            }
            Remote::PoolElement(address) => {
                let mut hosts = self.element_hosts.iter();
                if !hosts.any(|number| address.addresses.contains(&host(*number))) {
                    let failed = Input::ConnectFailed { to };
                    return self.pending.push_back((number, failed));
                }
                (End::Elements, address.clone())
            }
        };
        self.ends.insert((number, association), end);
        let connected = Input::Connected {
            association,
            to,
            peer,
        };
        self.pending.push_back((number, connected));
    }

    fn lose_end(&mut self, end: End) {
        if let End::Registrar(number, association) = end {
            self.ends.remove(&(number, association));
            let lost = Input::AssociationLost { association };
            self.pending.push_back((number, lost));
        }
    }

    fn next(&mut self) -> AssociationId {
        self.last += 1;
        AssociationId(self.last)
    }

    /// The peers that this registrar takes for active.
    pub fn active_peers(&self, number: Number) -> Vec<u32> {
        self.peers_that(number, |peer| peer.status == PeerStatus::Active)
    }

    pub fn peers_that(&self, number: Number, are: impl Fn(&PeerSnapshot) -> bool) -> Vec<u32> {
        let peers = self.machines[&number].snapshot().peers.into_iter();
        peers
            .filter(are)
            .filter_map(|peer| peer.registrar.map(RegistrarId::get))
            .collect()
    }

    /// The pool elements that this registrar knows, and their homes.
    pub fn homes(&self, number: Number) -> Vec<(u32, u32)> {
        let pools = self.machines[&number].snapshot().pools.into_iter();
        pools
            .flat_map(|pool| pool.pool_elements)
            .map(|element| (element.id.0, element.home.map_or(0, RegistrarId::get)))
            .collect()
    }

    /// What happened at this registrar, with the time in milliseconds.
    pub fn events(&self, number: Number) -> Vec<(u64, Event)> {
        let log = self.log.iter().filter(|(_, at, _)| *at == number);
        log.filter_map(|(time, _, output)| match output {
            Output::Event(event) => {
                Some((u64::try_from(time.0.as_millis()).unwrap(), event.clone()))
            }
            Output::Send { .. }
            | Output::SendEnrp { .. }
            | Output::Connect { .. }
            | Output::StopConnecting { .. }
            | Output::Close { .. } => None,
        })
        .collect()
    }

    /// The first event of its kind at this registrar, and its time.
    pub fn first_event(&self, number: Number, is: impl Fn(&Event) -> bool) -> Option<(u64, Event)> {
        self.events(number).into_iter().find(|(_, event)| is(event))
    }
}
