//! What the tests of all procedures share: who is there, what they say, and a machine's answers.

#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(unreachable_pub, reason = "a module of several test crates")]

use rserpool_core::registrar::{self, Destination, Output, RemovalReason};
use rserpool_core::{
    AssociationId, Machine, PeerAddress, Registrar, RegistrarAddress, Timestamp, Transport,
};
use rserpool_wire::asap::{
    Deregistration, EndpointKeepAlive, EndpointKeepAliveAck, EndpointUnreachable, HandleResolution,
    Message, Registration, RegistrationResponse,
};
use rserpool_wire::parameter::{
    EncapsulationPorts, EncodedPoolElement, ErrorCause, OperationError, Policy, PoolElement,
    SctpTransport, TransportUse, UserTransport,
};
use rserpool_wire::{Decoded, PoolElementId, PoolHandle, RegistrarId, RegistrationLife};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// The registrar under test.
pub fn registrar_id() -> RegistrarId {
    RegistrarId::new(0x0a0b_0c0d).unwrap()
}

pub fn at(milliseconds: u64) -> Timestamp {
    Timestamp(Duration::from_millis(milliseconds))
}

pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub fn echo() -> PoolHandle {
    PoolHandle::from("echo")
}

/// The host with this number.
pub fn host(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, number))
}

/// The association with this number.
pub fn association(number: u64) -> AssociationId {
    AssociationId(number)
}

pub fn peer(number: u8) -> PeerAddress {
    PeerAddress {
        transport: Transport::Sctp,
        addresses: vec![host(number)],
        port: 40_000 + u16::from(number),
        udp_port: None,
    }
}

pub fn tcp_peer(number: u8) -> PeerAddress {
    PeerAddress {
        transport: Transport::Tcp,
        ..peer(number)
    }
}

pub fn registrar_address(text: &str) -> RegistrarAddress {
    text.parse().unwrap()
}

/// The pool element with this identifier on the host with this number, as it registers.
pub fn element_on(number: u8, id: u32) -> PoolElement {
    PoolElement {
        id: PoolElementId(id),
        home_registrar: None,
        registration_life: RegistrationLife::Seconds(60),
        user_transport: UserTransport::Sctp(SctpTransport {
            port: 7,
            transport_use: TransportUse::DATA_ONLY,
            addresses: vec![host(number)],
        }),
        policy: Policy::RoundRobin,
        asap_transport: None,
        encapsulation_ports: EncapsulationPorts::default(),
    }
}

/// The pool element as the registrar records it.
pub fn recorded(mut element: PoolElement, number: u8) -> PoolElement {
    element.home_registrar = Some(registrar_id());
    element.asap_transport = Some(SctpTransport {
        port: 40_000 + u16::from(number),
        transport_use: TransportUse::DATA_ONLY,
        addresses: vec![host(number)],
    });
    element
}

pub fn registration(element: PoolElement) -> Message {
    Message::from(Registration {
        pool_handle: echo(),
        pool_element: element,
    })
}

pub fn deregistration(id: u32) -> Message {
    Message::from(Deregistration {
        pool_handle: echo(),
        pool_element: PoolElementId(id),
    })
}

pub fn resolution() -> Message {
    Message::from(HandleResolution {
        pool_handle: echo(),
        subscribe: false,
        items: None,
    })
}

pub fn subscription() -> Message {
    Message::from(HandleResolution {
        pool_handle: echo(),
        subscribe: true,
        items: None,
    })
}

pub fn unreachable_report(id: u32) -> Message {
    Message::from(EndpointUnreachable {
        pool_handle: echo(),
        pool_element: PoolElementId(id),
    })
}

pub fn keep_alive(id: u32) -> Message {
    Message::from(EndpointKeepAlive {
        registrar: registrar_id(),
        home: false,
        pool_handle: echo(),
        pool_element: Some(PoolElementId(id)),
    })
}

pub fn keep_alive_ack(id: u32) -> Message {
    Message::from(EndpointKeepAliveAck {
        pool_handle: echo(),
        pool_element: PoolElementId(id),
    })
}

pub fn decoded(message: Message) -> Decoded<Message> {
    Decoded {
        message,
        unrecognized: Vec::new(),
    }
}

/// A registrar with default timers and an association with each of these hosts, the association
/// numbered like the host.
pub fn registrar_with(hosts: &[u8]) -> Registrar {
    registrar_configured(registrar::Config::new(registrar_id()), hosts)
}

pub fn registrar_configured(config: registrar::Config, hosts: &[u8]) -> Registrar {
    let mut registrar = Registrar::new(config, 1, at(0));
    for number in hosts {
        associate(&mut registrar, 0, u64::from(*number), peer(*number));
    }
    drain(&mut registrar);
    registrar
}

pub fn associate(registrar: &mut Registrar, time: u64, number: u64, peer: PeerAddress) {
    let association = association(number);
    let input = registrar::Input::AssociationUp { association, peer };
    registrar.handle_input(at(time), input);
}

/// What a registrar says to a message, without events.
pub fn say(registrar: &mut Registrar, time: u64, from: u64, message: Message) -> Vec<Output> {
    let input = registrar::Input::Received {
        from: association(from),
        message: Ok(decoded(message)),
    };
    registrar.handle_input(at(time), input);
    without_events(drain(registrar))
}

pub fn lose(registrar: &mut Registrar, time: u64, number: u64) -> Vec<Output> {
    let association = association(number);
    let input = registrar::Input::AssociationLost { association };
    registrar.handle_input(at(time), input);
    drain(registrar)
}

/// A message that arrives at a registrar.
pub fn received(from: u64, message: Message) -> registrar::Input {
    registrar::Input::Received {
        from: association(from),
        message: Ok(decoded(message)),
    }
}

/// A registration was granted.
pub fn granted(to: u64, id: u32) -> Output {
    let result = Ok(None);
    send(to, registration_response(id, result))
}

/// A registration was rejected.
pub fn rejected(to: u64, id: u32, cause: ErrorCause) -> Output {
    let result = Err(Some(OperationError::from(cause)));
    send(to, registration_response(id, result))
}

pub fn registration_response(
    id: u32,
    result: Result<Option<OperationError>, Option<OperationError>>,
) -> RegistrationResponse {
    RegistrationResponse {
        pool_handle: echo(),
        pool_element: PoolElementId(id),
        result,
    }
}

/// The pool elements in the only response.
pub fn resolved(outputs: &[Output]) -> Vec<PoolElement> {
    let [Output::Send { message, .. }] = outputs else {
        panic!("one response, not {outputs:?}");
    };
    let Message::HandleResolutionResponse(response) = message else {
        panic!("a handle resolution response, not {message:?}");
    };
    let resolution = response.result.as_ref().unwrap();
    let elements = resolution.pool_elements.iter();
    elements.map(EncodedPoolElement::decode).collect()
}

/// A pool element of the pool `echo` was removed.
pub fn removed(id: u32, reason: RemovalReason, pool_removed: bool) -> Output {
    Output::Event(registrar::Event::PoolElementRemoved {
        pool_handle: echo(),
        pool_element: PoolElementId(id),
        reason,
        pool_removed,
    })
}

/// The identifiers of all pool elements.
pub fn identifiers(registrar: &Registrar) -> Vec<u32> {
    let pools = registrar.snapshot().pools.into_iter();
    pools
        .flat_map(|pool| pool.pool_elements)
        .map(|element| element.id.0)
        .collect()
}

/// All outputs that wait.
pub fn drain<M: Machine>(machine: &mut M) -> Vec<M::Output> {
    std::iter::from_fn(|| machine.poll_output()).collect()
}

/// Lets time go on, timer by timer; the outputs with their times.
pub fn run<M: Machine>(machine: &mut M, until: u64) -> Vec<(Timestamp, M::Output)> {
    let mut outputs = Vec::new();
    while let Some(deadline) = machine.poll_timeout() {
        if deadline > at(until) {
            break;
        }
        machine.handle_timeout(deadline);
        outputs.extend(drain(machine).into_iter().map(|output| (deadline, output)));
        let next = machine.poll_timeout();
        assert_ne!(next, Some(deadline), "a machine must get on");
    }
    outputs
}

/// Lets time go on for a registrar all of whose pool elements answer keep-alives at once, except
/// these; the outputs with their times.
pub fn run_answering(
    registrar: &mut Registrar,
    until: u64,
    silent: &[u32],
) -> Vec<(Timestamp, Output)> {
    let mut outputs = Vec::new();
    while let Some(deadline) = registrar.poll_timeout().filter(|next| *next <= at(until)) {
        registrar.handle_timeout(deadline);
        let mut pending = drain(registrar);
        while !pending.is_empty() {
            for output in std::mem::take(&mut pending) {
                answer_keep_alive(registrar, deadline, &output, silent);
                outputs.push((deadline, output));
            }
            pending = drain(registrar);
        }
    }
    outputs
}

fn answer_keep_alive(registrar: &mut Registrar, now: Timestamp, output: &Output, silent: &[u32]) {
    let Output::Send {
        to: Destination::Association(from),
        message: Message::EndpointKeepAlive(keep_alive),
    } = output
    else {
        return;
    };
    let id = keep_alive.pool_element.unwrap();
    if silent.contains(&id.0) {
        return;
    }
    let ack = EndpointKeepAliveAck {
        pool_handle: keep_alive.pool_handle.clone(),
        pool_element: id,
    };
    let input = registrar::Input::Received {
        from: *from,
        message: Ok(decoded(Message::from(ack))),
    };
    registrar.handle_input(now, input);
}

pub fn without_events(outputs: Vec<Output>) -> Vec<Output> {
    outputs
        .into_iter()
        .filter(|output| !matches!(output, Output::Event(_)))
        .collect()
}

pub fn events(outputs: Vec<Output>) -> Vec<registrar::Event> {
    let event = |output| match output {
        Output::Event(event) => Some(event),
        Output::Send { .. }
        | Output::SendEnrp { .. }
        | Output::Connect { .. }
        | Output::StopConnecting { .. }
        | Output::Close { .. } => None,
    };
    outputs.into_iter().filter_map(event).collect()
}

/// A message to an association.
pub fn send(to: u64, message: impl Into<Message>) -> Output {
    Output::Send {
        to: Destination::Association(association(to)),
        message: message.into(),
    }
}
