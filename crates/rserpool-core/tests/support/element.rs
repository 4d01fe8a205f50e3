//! A pool element under test.

#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(unreachable_pub, reason = "a module of several test crates")]

use super::support::*;
use rserpool_core::pool_element::{
    Command, Config, Event, Input, Output, UserProtocol, UserTransportTemplate,
};
use rserpool_core::{Compatibility, Machine, PoolElement, Timers, Timestamp};
use rserpool_wire::PoolElementId;
use rserpool_wire::asap::{DeregistrationResponse, Message};
use rserpool_wire::parameter::{self, EncapsulationPorts, Policy, TransportUse};
use std::time::Duration;

pub const HOME: &str = "10.0.0.201:3863";

pub fn config(registrars: &[&str]) -> Config {
    Config {
        pool_handle: echo(),
        id: Some(PoolElementId(11)),
        user_transport: UserTransportTemplate {
            protocol: UserProtocol::Sctp,
            port: 7,
            transport_use: TransportUse::DATA_ONLY,
        },
        addresses: None,
        encapsulation_ports: EncapsulationPorts::default(),
        policy: Policy::LeastUsed { load: 1 },
        registration_life: Some(Duration::from_secs(60)),
        registrars: registrars
            .iter()
            .map(|text| registrar_address(text))
            .collect(),
        timers: Timers::default(),
        compatibility: Compatibility::default(),
    }
}

/// What the pool element of [`config`] registers.
pub fn registers(policy: Policy) -> Message {
    registration(parameter::PoolElement {
        policy,
        ..element_on(1, 11)
    })
}

pub fn load(load: u32) -> Policy {
    Policy::LeastUsed { load }
}

pub fn start(config: Config) -> PoolElement {
    let mut element = PoolElement::new(config, 1, at(0));
    command(&mut element, 0, Command::Register);
    element
}

/// A pool element that has a home registrar over association 1 and is registered.
pub fn registered() -> PoolElement {
    registered_with(config(&[HOME]))
}

pub fn registered_with(config: Config) -> PoolElement {
    let home = config.registrars[0].to_string();
    let mut element = start(config);
    up(&mut element, 0, 1, &home);
    receive(&mut element, 0, 1, registration_response(11, Ok(None)));
    drain(&mut element);
    element
}

pub fn command(element: &mut PoolElement, time: u64, command: Command) -> Vec<Output> {
    input(element, time, Input::Command(command))
}

pub fn up(element: &mut PoolElement, time: u64, number: u64, registrar: &str) -> Vec<Output> {
    let up = Input::AssociationUp {
        association: association(number),
        registrar: registrar_address(registrar),
        local: vec![host(1)],
    };
    input(element, time, up)
}

pub fn failed(element: &mut PoolElement, time: u64, registrar: &str) -> Vec<Output> {
    let registrar = registrar_address(registrar);
    input(element, time, Input::ConnectFailed { registrar })
}

pub fn lost(element: &mut PoolElement, time: u64, number: u64) -> Vec<Output> {
    let association = association(number);
    input(element, time, Input::AssociationLost { association })
}

pub fn receive(
    element: &mut PoolElement,
    time: u64,
    from: u64,
    message: impl Into<Message>,
) -> Vec<Output> {
    let received = Input::Received {
        from: association(from),
        message: Ok(decoded(message.into())),
    };
    input(element, time, received)
}

pub fn input(element: &mut PoolElement, time: u64, input: Input) -> Vec<Output> {
    element.handle_input(at(time), input);
    drain(element)
}

pub fn deregistered(id: u32) -> DeregistrationResponse {
    DeregistrationResponse {
        pool_handle: echo(),
        pool_element: PoolElementId(id),
        error: None,
    }
}

pub fn sent(to: u64, message: impl Into<Message>) -> Output {
    Output::Send {
        to: association(to),
        message: message.into(),
    }
}

pub fn closed(number: u64) -> Output {
    Output::Close {
        association: association(number),
    }
}

pub fn connects(outputs: &[Output]) -> Vec<String> {
    let connect = |output: &Output| match output {
        Output::Connect { registrar } => Some(registrar.to_string()),
        Output::StopConnecting { .. }
        | Output::Send { .. }
        | Output::Close { .. }
        | Output::Event(_) => None,
    };
    outputs.iter().filter_map(connect).collect()
}

pub fn stops(outputs: &[Output]) -> Vec<String> {
    let stop = |output: &Output| match output {
        Output::StopConnecting { registrar } => Some(registrar.to_string()),
        Output::Connect { .. } | Output::Send { .. } | Output::Close { .. } | Output::Event(_) => {
            None
        }
    };
    outputs.iter().filter_map(stop).collect()
}

pub fn happened(outputs: &[Output]) -> Vec<Event> {
    let event = |output: &Output| match output {
        Output::Event(event) => Some(event.clone()),
        Output::Connect { .. }
        | Output::StopConnecting { .. }
        | Output::Send { .. }
        | Output::Close { .. } => None,
    };
    outputs.iter().filter_map(event).collect()
}

pub fn untimed(outputs: Vec<(Timestamp, Output)>) -> Vec<Output> {
    outputs.into_iter().map(|(_, output)| output).collect()
}
