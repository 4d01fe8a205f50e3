//! Random inputs at each machine: no panic, few outputs per input, invariants hold, time gets on,
//! and the same seed gives the same outputs.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use proptest::prelude::*;
use proptest::sample::select;
use rserpool_core::pool_element::{self, UserProtocol, UserTransportTemplate};
use rserpool_core::pool_user::{self, RequestId};
use rserpool_core::registrar::{self, Destination};
use rserpool_core::{Machine, PoolElement, PoolUser, Registrar, Timers, Timestamp};
use rserpool_wire::asap::*;
use rserpool_wire::parameter::{
    self, EncapsulationPorts, EncodedPoolElement, ErrorCause, OperationError, Policy, TransportUse,
};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId, RegistrationLife};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;
use support::{
    association, at, decoded, drain, element_on, host, peer, registrar_address, tcp_peer,
};

/// No input makes a machine of this size say more than this.
const OUTPUTS_MAX: usize = 600;

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn a_registrar_keeps_its_invariants(
        seed in any::<u64>(),
        steps in prop::collection::vec(registrar_step(), 1..400),
    ) {
        let mut config = registrar::Config::new(RegistrarId::new(1).unwrap());
        config.multicast = true;
        config.limits.associations_max = 6;
        config.limits.elements_per_association_max = 5;
        config.limits.subscriptions_per_association_max = 2;
        config.limits.subscriptions_max = 4;
        let mut machine = Registrar::new(config.clone(), seed, at(0));
        let mut twin = Registrar::new(config, seed, at(0));
        let mut model = Model::default();
        drive(&mut machine, &mut twin, &steps, |machine, input, outputs| {
            if let Some(input) = input {
                model.on_input(input);
            }
            model.check(machine, outputs);
        });
    }

    #[test]
    fn a_pool_element_keeps_its_invariants(
        seed in any::<u64>(),
        keep_trying in any::<bool>(),
        steps in prop::collection::vec(element_step(), 1..400),
    ) {
        let config = element_config(keep_trying);
        let mut machine = PoolElement::new(config.clone(), seed, at(0));
        let mut twin = PoolElement::new(config, seed, at(0));
        let mut hunted = Attempts::default();
        drive(&mut machine, &mut twin, &steps, |_, input, outputs| {
            if let Some(pool_element::Input::ConnectFailed { registrar }
                | pool_element::Input::AssociationUp { registrar, .. }) = input
            {
                hunted.end(registrar);
            }
            for output in outputs {
                match output {
                    pool_element::Output::Connect { registrar } => hunted.start(registrar),
                    pool_element::Output::StopConnecting { registrar } => hunted.end(registrar),
                    pool_element::Output::Send { .. }
                    | pool_element::Output::Close { .. }
                    | pool_element::Output::Event(_) => {}
                }
            }
            hunted.check();
        });
    }

    #[test]
    fn a_pool_user_keeps_its_invariants(
        seed in any::<u64>(),
        steps in prop::collection::vec(user_step(), 1..400),
    ) {
        let mut config = pool_user::Config {
            registrars: (201..=205).map(registrar).collect(),
            ..pool_user::Config::default()
        };
        config.limits.requests_max = 20;
        config.limits.cached_pools_max = 2;
        config.limits.subscriptions_max = 2;
        config.limits.reports_max = 3;
        let mut machine = PoolUser::new(config.clone(), seed, at(0));
        let mut twin = PoolUser::new(config, seed, at(0));
        let mut hunted = Attempts::default();
        let mut answers = Answers::default();
        drive(&mut machine, &mut twin, &steps, |machine, input, outputs| {
            if let Some(pool_user::Input::ConnectFailed { registrar }
                | pool_user::Input::AssociationUp { registrar, .. }) = input
            {
                hunted.end(registrar);
            }
            if let Some(input) = input {
                answers.on_input(input);
            }
            for output in outputs {
                match output {
                    pool_user::Output::Connect { registrar } => hunted.start(registrar),
                    pool_user::Output::StopConnecting { registrar } => hunted.end(registrar),
                    pool_user::Output::Event(event) => answers.on_event(event),
                    pool_user::Output::Send { .. } | pool_user::Output::Close { .. } => {}
                }
            }
            hunted.check();
            answers.check(machine);
        });
    }
}

/// One step: time goes on, timers fire, something happens.
#[derive(Clone, Debug)]
struct Step<I> {
    /// Since the step before.
    after: Duration,
    /// The driver sleeps over its timers.
    oversleeps: bool,
    input: I,
}

/// Runs both twins through the steps, and `check` after each call.
fn drive<M>(
    machine: &mut M,
    twin: &mut M,
    steps: &[Step<M::Input>],
    mut check: impl FnMut(&M, Option<&M::Input>, &[M::Output]),
) where
    M: Machine,
    M::Input: Clone,
    M::Output: PartialEq + Debug,
{
    let mut now = at(0);
    let first = drain(machine);
    assert_eq!(first, drain(twin));
    check(machine, None, &first);
    for step in steps {
        let next = now + step.after;
        while let Some(deadline) = machine.poll_timeout().filter(|_| !step.oversleeps) {
            if deadline > next {
                break;
            }
            now = now.max(deadline);
            fire(machine, twin, now, &mut check);
        }
        now = next;
        machine.handle_input(now, step.input.clone());
        twin.handle_input(now, step.input.clone());
        let outputs = drain(machine);
        assert_eq!(outputs, drain(twin), "same seed, same inputs, same outputs");
        assert!(outputs.len() <= OUTPUTS_MAX, "{} outputs", outputs.len());
        check(machine, Some(&step.input), &outputs);
        let mut calls = 0;
        while machine
            .poll_timeout()
            .is_some_and(|deadline| deadline <= now)
        {
            fire(machine, twin, now, &mut check);
            calls += 1;
            assert!(calls < 100, "time must get on");
        }
    }
}

fn fire<M>(
    machine: &mut M,
    twin: &mut M,
    now: Timestamp,
    check: &mut impl FnMut(&M, Option<&M::Input>, &[M::Output]),
) where
    M: Machine,
    M::Output: PartialEq + Debug,
{
    assert_eq!(machine.poll_timeout(), twin.poll_timeout());
    machine.handle_timeout(now);
    twin.handle_timeout(now);
    let outputs = drain(machine);
    assert_eq!(outputs, drain(twin), "same seed, same times, same outputs");
    assert!(outputs.len() <= OUTPUTS_MAX, "{} outputs", outputs.len());
    check(machine, None, &outputs);
}

/// What must hold of a registrar, seen from outside.
#[derive(Default)]
struct Model {
    up: BTreeSet<u64>,
    ever_up: BTreeSet<u64>,
    is_shut_down: bool,
}

impl Model {
    fn on_input(&mut self, input: &registrar::Input) {
        match input {
            registrar::Input::AssociationUp { association, .. } => {
                self.up.insert(association.0);
                self.ever_up.insert(association.0);
            }
            registrar::Input::AssociationLost { association } => {
                self.up.remove(&association.0);
            }
            registrar::Input::Command(registrar::Command::Shutdown) => self.is_shut_down = true,
            registrar::Input::Received { .. }
            | registrar::Input::PeerAddresses { .. }
            | registrar::Input::SendFailed { .. }
            | registrar::Input::EnrpReceived { .. }
            | registrar::Input::EnrpAnnounced { .. }
            | registrar::Input::Connected { .. }
            | registrar::Input::ConnectFailed { .. }
            | registrar::Input::Announced { .. } => {}
        }
    }

    fn check(&mut self, registrar: &Registrar, outputs: &[registrar::Output]) {
        for output in outputs {
            match output {
                registrar::Output::Send {
                    to: Destination::Association(to),
                    message,
                } => {
                    assert!(self.up.contains(&to.0), "{to} is not up: {message}");
                    let octets = message.encode();
                    assert_eq!(Message::decode(&octets).unwrap().message, *message);
                }
                registrar::Output::Close { association, .. } => {
                    self.up.remove(&association.0);
                }
                registrar::Output::Send { .. } | registrar::Output::Event(_) => {}
                registrar::Output::SendEnrp { .. }
                | registrar::Output::Connect { .. }
                | registrar::Output::StopConnecting { .. } => {
                    panic!("there are no peers: {output:?}")
                }
            }
        }
        let snapshot = registrar.snapshot();
        assert!(snapshot.associations <= 6);
        assert!(snapshot.subscriptions <= 4);
        assert_eq!(snapshot.shutting_down, self.is_shut_down);
        let mut owned: BTreeMap<u64, usize> = BTreeMap::new();
        for element in snapshot.pools.iter().flat_map(|pool| &pool.pool_elements) {
            assert_eq!(element.home, Some(snapshot.id), "one home, this one");
            if !self.is_shut_down {
                let owner = element.association.unwrap().0;
                assert!(
                    self.up.contains(&owner),
                    "no pool element without association"
                );
                *owned.entry(owner).or_default() += 1;
            }
        }
        assert!(owned.values().all(|count| *count <= 5));
        let counters = &snapshot.counters;
        let removed: u64 = counters.removals.values().sum();
        let there: usize = snapshot
            .pools
            .iter()
            .map(|pool| pool.pool_elements.len())
            .sum();
        assert_eq!(counters.registrations, removed + there as u64);
    }
}

/// SH1: no more than three attempts at one time.
#[derive(Default)]
struct Attempts(BTreeSet<String>);

impl Attempts {
    fn start(&mut self, registrar: &rserpool_core::RegistrarAddress) {
        let is_new = self.0.insert(registrar.to_string());
        assert!(is_new, "{registrar} is being tried already");
    }

    fn end(&mut self, registrar: &rserpool_core::RegistrarAddress) {
        self.0.remove(&registrar.to_string());
    }

    fn check(&self) {
        assert!(self.0.len() <= 3, "{:?}", self.0);
    }
}

/// Every request is answered once.
#[derive(Default)]
struct Answers {
    open: BTreeMap<u64, usize>,
    is_stopped: bool,
}

impl Answers {
    fn on_input(&mut self, input: &pool_user::Input) {
        let pool_user::Input::Command(command) = input else {
            return;
        };
        match command {
            pool_user::Command::Resolve { request, .. }
            | pool_user::Command::Select { request, .. } => {
                *self.open.entry(request.0).or_default() += 1;
            }
            pool_user::Command::Stop => self.is_stopped = true,
            pool_user::Command::Unsubscribe { .. }
            | pool_user::Command::ReportUnreachable { .. }
            | pool_user::Command::Avoid { .. }
            | pool_user::Command::PurgeCache { .. } => {}
        }
    }

    fn on_event(&mut self, event: &pool_user::Event) {
        match event {
            pool_user::Event::Resolved {
                request,
                resolution,
                ..
            } => {
                assert!(!resolution.pool_elements.is_empty());
                self.close(*request);
            }
            pool_user::Event::Selected { request, .. }
            | pool_user::Event::ResolveFailed { request, .. } => self.close(*request),
            pool_user::Event::PoolUpdated { .. }
            | pool_user::Event::ServerHuntStarted { .. }
            | pool_user::Event::HomeRegistrarChanged { .. }
            | pool_user::Event::BadMessage { .. }
            | pool_user::Event::UnexpectedMessage { .. }
            | pool_user::Event::ErrorReceived { .. } => {}
        }
    }

    fn close(&mut self, request: RequestId) {
        let open = self.open.get_mut(&request.0).expect("an answer to nobody");
        *open = open.checked_sub(1).expect("answered twice");
    }

    fn check(&self, user: &PoolUser) {
        let snapshot = user.snapshot();
        assert_eq!(snapshot.requests, self.open.values().sum::<usize>());
        assert!(snapshot.requests <= 20 && snapshot.cache.len() <= 2);
        assert!(snapshot.subscriptions.len() <= 2);
        assert!(!self.is_stopped || snapshot.requests == 0);
    }
}

fn registrar(number: u8) -> rserpool_core::RegistrarAddress {
    registrar_address(&format!("10.0.0.{number}:3863"))
}

fn element_config(keep_trying: bool) -> pool_element::Config {
    pool_element::Config {
        pool_handle: PoolHandle::from("a"),
        id: None,
        user_transport: UserTransportTemplate {
            protocol: UserProtocol::Sctp,
            port: 7,
            transport_use: TransportUse::DATA_ONLY,
        },
        addresses: None,
        encapsulation_ports: EncapsulationPorts::default(),
        policy: Policy::LeastUsed { load: 1 },
        registration_life: Some(Duration::from_secs(30)),
        registrars: (201..=205).map(registrar).collect(),
        timers: Timers {
            keep_trying,
            ..Timers::default()
        },
        compatibility: rserpool_core::Compatibility::default(),
    }
}

fn step<I: Debug + Clone>(input: impl Strategy<Value = I>) -> impl Strategy<Value = Step<I>> {
    let after = prop_oneof![
        4 => Just(0_u64),
        4 => 0_u64..50,
        3 => 0_u64..3_000,
        1 => 0_u64..100_000,
    ];
    (after, prop::bool::weighted(0.05), input).prop_map(|(after, oversleeps, input)| Step {
        after: Duration::from_millis(after),
        oversleeps,
        input,
    })
}

fn registrar_step() -> impl Strategy<Value = Step<registrar::Input>> {
    use registrar::Input;
    let message = prop_oneof![12 => message().boxed(), 1 => octets().boxed()];
    let up = (1_u64..10, 1_u8..5, prop::bool::weighted(0.2)).prop_map(|(number, host, tcp)| {
        let peer = if tcp { tcp_peer(host) } else { peer(host) };
        Input::AssociationUp {
            association: association(number),
            peer,
        }
    });
    step(prop_oneof![
        40 => (1_u64..10, message).prop_map(|(from, message)| Input::Received {
            from: association(from),
            message: Message::decode(&message),
        }),
        10 => up,
        4 => (1_u64..10, prop::collection::vec(1_u8..9, 0..3), 1_u8..9).prop_map(
            |(number, confirmed, unconfirmed)| Input::PeerAddresses {
                association: association(number),
                confirmed: confirmed.into_iter().map(host).collect(),
                unconfirmed: vec![host(unconfirmed)],
            }
        ),
        4 => (1_u64..10).prop_map(|number| Input::AssociationLost {
            association: association(number),
        }),
        3 => (1_u64..10, message_value()).prop_map(|(number, message)| Input::SendFailed {
            association: association(number),
            message: Some(message),
        }),
        3 => message_value().prop_map(|message| Input::Announced {
            from: "10.0.0.66:3863".parse().unwrap(),
            message,
        }),
        1 => prop::bool::weighted(0.05).prop_map(|stop| if stop {
            Input::Command(registrar::Command::Shutdown)
        } else {
            Input::AssociationLost { association: association(99) }
        }),
    ])
}

fn element_step() -> impl Strategy<Value = Step<pool_element::Input>> {
    use pool_element::{Command, Input};
    let command = prop_oneof![
        6 => Just(Command::Register),
        4 => policy().prop_map(Command::SetPolicy),
        1 => Just(Command::Deregister),
        1 => prop::bool::weighted(0.1)
            .prop_map(|stop| if stop { Command::Stop } else { Command::Register }),
    ];
    let up = (1_u64..10, 201_u8..=206).prop_map(|(number, host_number)| Input::AssociationUp {
        association: association(number),
        registrar: registrar(host_number),
        local: vec![host(1)],
    });
    step(prop_oneof![
        30 => (1_u64..10, message_value()).prop_map(|(from, message)| Input::Received {
            from: association(from),
            message: Ok(decoded(message)),
        }),
        2 => (1_u64..10, octets()).prop_map(|(from, octets)| Input::Received {
            from: association(from),
            message: Message::decode(&octets),
        }),
        15 => up,
        8 => (201_u8..=206).prop_map(|number| Input::ConnectFailed {
            registrar: registrar(number),
        }),
        5 => (1_u64..10).prop_map(|number| Input::AssociationLost {
            association: association(number),
        }),
        2 => (1_u64..10).prop_map(|number| Input::SendFailed {
            association: association(number),
        }),
        4 => message_value().prop_map(|message| Input::Announced {
            from: "10.0.0.206:3863".parse().unwrap(),
            message,
        }),
        10 => command.prop_map(Input::Command),
    ])
}

fn user_step() -> impl Strategy<Value = Step<pool_user::Input>> {
    use pool_user::{Command, Input};
    let resolve = (0_u64..50, handle(), items(), any::<bool>()).prop_map(
        |(request, pool_handle, items, subscribe)| Command::Resolve {
            request: RequestId(request),
            pool_handle,
            items,
            subscribe,
        },
    );
    let select = (0_u64..50, handle()).prop_map(|(request, pool_handle)| Command::Select {
        request: RequestId(request),
        pool_handle,
    });
    let report =
        (handle(), id()).prop_map(|(pool_handle, pool_element)| Command::ReportUnreachable {
            pool_handle,
            pool_element,
        });
    let avoid = (handle(), id()).prop_map(|(pool_handle, pool_element)| Command::Avoid {
        pool_handle,
        pool_element,
    });
    let command = prop_oneof![
        20 => resolve,
        20 => select,
        5 => handle().prop_map(|pool_handle| Command::Unsubscribe { pool_handle }),
        10 => report,
        5 => avoid,
        2 => handle().prop_map(|pool_handle| Command::PurgeCache { pool_handle }),
        1 => prop::bool::weighted(0.05).prop_map(|stop| if stop {
            Command::Stop
        } else {
            Command::Unsubscribe { pool_handle: PoolHandle::from("a") }
        }),
    ];
    let up = (1_u64..10, 201_u8..=206).prop_map(|(number, host_number)| Input::AssociationUp {
        association: association(number),
        registrar: registrar(host_number),
    });
    step(prop_oneof![
        25 => (1_u64..10, message_value()).prop_map(|(from, message)| Input::Received {
            from: association(from),
            message: Ok(decoded(message)),
        }),
        2 => (1_u64..10, octets()).prop_map(|(from, octets)| Input::Received {
            from: association(from),
            message: Message::decode(&octets),
        }),
        15 => up,
        8 => (201_u8..=206).prop_map(|number| Input::ConnectFailed {
            registrar: registrar(number),
        }),
        5 => (1_u64..10).prop_map(|number| Input::AssociationLost {
            association: association(number),
        }),
        2 => (1_u64..10).prop_map(|number| Input::SendFailed {
            association: association(number),
        }),
        4 => message_value().prop_map(|message| Input::Announced {
            from: "10.0.0.206:3863".parse().unwrap(),
            message,
        }),
        25 => command.prop_map(Input::Command),
    ])
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    message_value().prop_map(|message| message.encode())
}

/// A message with some octets changed, or no message at all.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let changed = (message(), changes).prop_map(|(mut octets, changes)| {
        for (index, octet) in changes {
            let index = index.index(octets.len());
            octets[index] = octet;
        }
        octets
    });
    prop_oneof![3 => changed, 1 => prop::collection::vec(any::<u8>(), 0..64)]
}

fn message_value() -> impl Strategy<Value = Message> {
    let error = || prop::option::of(cause().prop_map(OperationError::from));
    let named = || (handle(), id());
    prop_oneof![
        10 => (handle(), element()).prop_map(|(pool_handle, pool_element)| {
            Message::from(Registration { pool_handle, pool_element })
        }),
        3 => named().prop_map(|(pool_handle, pool_element)| {
            Message::from(Deregistration { pool_handle, pool_element })
        }),
        4 => (named(), any::<bool>(), error()).prop_map(
            |((pool_handle, pool_element), granted, error)| {
                let result = if granted { Ok(error) } else { Err(error) };
                Message::from(RegistrationResponse { pool_handle, pool_element, result })
            }
        ),
        2 => (named(), error()).prop_map(|((pool_handle, pool_element), error)| {
            Message::from(DeregistrationResponse { pool_handle, pool_element, error })
        }),
        6 => (handle(), any::<bool>(), items()).prop_map(|(pool_handle, subscribe, items)| {
            Message::from(HandleResolution { pool_handle, subscribe, items })
        }),
        6 => (handle(), any::<bool>(), resolution()).prop_map(
            |(pool_handle, updates_accepted, result)| {
                Message::from(HandleResolutionResponse { pool_handle, updates_accepted, result })
            }
        ),
        3 => (1_u32..4, any::<bool>(), handle(), prop::option::of(id())).prop_map(
            |(registrar, home, pool_handle, pool_element)| {
                Message::from(EndpointKeepAlive {
                    registrar: RegistrarId::new(registrar).unwrap(),
                    home,
                    pool_handle,
                    pool_element,
                })
            }
        ),
        4 => named().prop_map(|(pool_handle, pool_element)| {
            Message::from(EndpointKeepAliveAck { pool_handle, pool_element })
        }),
        4 => named().prop_map(|(pool_handle, pool_element)| {
            Message::from(EndpointUnreachable { pool_handle, pool_element })
        }),
        2 => (1_u32..200).prop_map(|registrar| Message::from(ServerAnnounce {
            registrar: RegistrarId::new(registrar).unwrap(),
            transports: Vec::new(),
            encapsulation_ports: EncapsulationPorts::default(),
        })),
        1 => cause().prop_map(|cause| Message::from(Error { error: cause.into() })),
        1 => Just(Message::from(Cookie { cookie: parameter::Cookie(vec![1, 2, 3]) })),
    ]
}

fn handle() -> impl Strategy<Value = PoolHandle> {
    select(vec!["a", "a", "a", "b", "c"]).prop_map(PoolHandle::from)
}

fn id() -> impl Strategy<Value = PoolElementId> {
    (1_u32..8).prop_map(PoolElementId)
}

fn items() -> impl Strategy<Value = Option<u32>> {
    select(vec![None, Some(0), Some(1), Some(3), Some(u32::MAX)])
}

fn policy() -> impl Strategy<Value = Policy> {
    select(vec![
        Policy::LeastUsed { load: 1 },
        Policy::LeastUsed { load: 2 },
        Policy::LeastUsed { load: 3 },
        Policy::WeightedRandom { weight: 0 },
        Policy::WeightedRandom { weight: 3 },
    ])
}

fn element() -> impl Strategy<Value = parameter::PoolElement> {
    let life = select(vec![
        RegistrationLife::Seconds(0),
        RegistrationLife::Seconds(1),
        RegistrationLife::Seconds(60),
        RegistrationLife::Infinite,
    ]);
    (1_u8..5, id(), life, policy()).prop_map(|(number, id, registration_life, policy)| {
        parameter::PoolElement {
            registration_life,
            policy,
            ..element_on(number, id.0)
        }
    })
}

fn resolution() -> impl Strategy<Value = Result<Resolution, OperationError>> {
    let elements = prop::collection::vec(element(), 1..5);
    let granted = (policy(), elements).prop_map(|(policy, elements)| Resolution {
        policy,
        pool_elements: elements.iter().map(EncodedPoolElement::from).collect(),
    });
    prop_oneof![
        4 => granted.prop_map(Ok),
        1 => cause().prop_map(|cause| Err(OperationError::from(cause))),
    ]
}

fn cause() -> impl Strategy<Value = ErrorCause> {
    select(vec![
        ErrorCause::Unspecified,
        ErrorCause::NonUniquePoolElementIdentifier,
        ErrorCause::LackOfResources,
        ErrorCause::UnknownPoolHandle,
        ErrorCause::InconsistentPoolPolicy(None),
    ])
}
