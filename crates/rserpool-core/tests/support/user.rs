//! A pool user under test.

#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(unreachable_pub, reason = "a module of several test crates")]

use super::support::*;
use rserpool_core::pool_user::{
    Command, Config, Event, Input, Output, RequestId, ResolveFailure, Source,
};
use rserpool_core::{Machine, PoolUser, Timestamp};
use rserpool_wire::PoolElementId;
use rserpool_wire::asap::{HandleResolution, HandleResolutionResponse, Message, Resolution};
use rserpool_wire::parameter::{EncodedPoolElement, ErrorCause, OperationError, Policy};

pub const HOME: &str = "10.0.0.201:3863";
pub const OTHER: &str = "10.0.0.202:3863";

pub fn config(registrars: &[&str]) -> Config {
    Config {
        registrars: registrars
            .iter()
            .map(|text| registrar_address(text))
            .collect(),
        ..Config::default()
    }
}

/// A pool user with a home registrar over association 1.
pub fn at_home() -> PoolUser {
    at_home_with(config(&[HOME]))
}

pub fn at_home_with(config: Config) -> PoolUser {
    let mut user = PoolUser::new(config, 1, at(0));
    drain(&mut user);
    up(&mut user, 0, 1, HOME);
    user
}

pub fn input(user: &mut PoolUser, time: u64, input: Input) -> Vec<Output> {
    user.handle_input(at(time), input);
    drain(user)
}

pub fn command(user: &mut PoolUser, time: u64, command: Command) -> Vec<Output> {
    input(user, time, Input::Command(command))
}

pub fn resolve(user: &mut PoolUser, time: u64, request: u64) -> Vec<Output> {
    resolve_items(user, time, request, None)
}

pub fn resolve_items(
    user: &mut PoolUser,
    time: u64,
    request: u64,
    items: Option<u32>,
) -> Vec<Output> {
    let resolve = Command::Resolve {
        request: RequestId(request),
        pool_handle: echo(),
        items,
        subscribe: false,
    };
    command(user, time, resolve)
}

pub fn subscribe(user: &mut PoolUser, time: u64, request: u64) -> Vec<Output> {
    let resolve = Command::Resolve {
        request: RequestId(request),
        pool_handle: echo(),
        items: None,
        subscribe: true,
    };
    command(user, time, resolve)
}

pub fn select(user: &mut PoolUser, time: u64, request: u64) -> Vec<Output> {
    let select = Command::Select {
        request: RequestId(request),
        pool_handle: echo(),
    };
    command(user, time, select)
}

pub fn report(user: &mut PoolUser, time: u64, id: u32) -> Vec<Output> {
    let report = Command::ReportUnreachable {
        pool_handle: echo(),
        pool_element: PoolElementId(id),
    };
    command(user, time, report)
}

pub fn avoid(user: &mut PoolUser, time: u64, id: u32) -> Vec<Output> {
    let avoid = Command::Avoid {
        pool_handle: echo(),
        pool_element: PoolElementId(id),
    };
    command(user, time, avoid)
}

pub fn up(user: &mut PoolUser, time: u64, number: u64, registrar: &str) -> Vec<Output> {
    let up = Input::AssociationUp {
        association: association(number),
        registrar: registrar_address(registrar),
    };
    input(user, time, up)
}

pub fn failed(user: &mut PoolUser, time: u64, registrar: &str) -> Vec<Output> {
    let registrar = registrar_address(registrar);
    input(user, time, Input::ConnectFailed { registrar })
}

pub fn lost(user: &mut PoolUser, time: u64, number: u64) -> Vec<Output> {
    let association = association(number);
    input(user, time, Input::AssociationLost { association })
}

pub fn receive(
    user: &mut PoolUser,
    time: u64,
    from: u64,
    message: impl Into<Message>,
) -> Vec<Output> {
    let received = Input::Received {
        from: association(from),
        message: Ok(decoded(message.into())),
    };
    input(user, time, received)
}

/// A request to a registrar.
pub fn asked(to: u64, subscribe: bool, items: Option<u32>) -> Output {
    let message = HandleResolution {
        pool_handle: echo(),
        subscribe,
        items,
    };
    sent(to, message)
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

pub fn pool(ids: &[u32]) -> Resolution {
    let element = |id: &u32| EncodedPoolElement::from(&recorded(element_on(1, *id), 1));
    Resolution {
        policy: Policy::RoundRobin,
        pool_elements: ids.iter().map(element).collect(),
    }
}

/// A registrar's response with these pool elements.
pub fn response(ids: &[u32]) -> HandleResolutionResponse {
    HandleResolutionResponse {
        pool_handle: echo(),
        updates_accepted: false,
        result: Ok(pool(ids)),
    }
}

pub fn accepting(ids: &[u32]) -> HandleResolutionResponse {
    HandleResolutionResponse {
        updates_accepted: true,
        ..response(ids)
    }
}

pub fn negative(cause: ErrorCause) -> HandleResolutionResponse {
    HandleResolutionResponse {
        result: Err(OperationError::from(cause)),
        ..response(&[])
    }
}

pub fn resolved(request: u64, ids: &[u32], source: Source) -> Output {
    Output::Event(Event::Resolved {
        request: RequestId(request),
        pool_handle: echo(),
        resolution: pool(ids),
        source,
    })
}

pub fn resolve_failed(request: u64, error: ResolveFailure) -> Output {
    Output::Event(Event::ResolveFailed {
        request: RequestId(request),
        pool_handle: echo(),
        error,
    })
}

pub fn updated(ids: Option<&[u32]>) -> Output {
    Output::Event(Event::PoolUpdated {
        pool_handle: echo(),
        resolution: ids.map(pool),
    })
}

/// The pool elements selected by the events among these outputs.
pub fn selected(outputs: &[Output]) -> Vec<u32> {
    let selection = |output: &Output| match output {
        Output::Event(Event::Selected { pool_element, .. }) => Some(pool_element.id().0),
        Output::Event(_)
        | Output::Connect { .. }
        | Output::StopConnecting { .. }
        | Output::Send { .. }
        | Output::Close { .. } => None,
    };
    outputs.iter().filter_map(selection).collect()
}

pub fn connects(outputs: &[Output]) -> Vec<String> {
    let connect = |output: &Output| match output {
        Output::Connect { registrar } => Some(registrar.to_string()),
        Output::Event(_)
        | Output::StopConnecting { .. }
        | Output::Send { .. }
        | Output::Close { .. } => None,
    };
    outputs.iter().filter_map(connect).collect()
}

pub fn stops(outputs: &[Output]) -> Vec<String> {
    let stop = |output: &Output| match output {
        Output::StopConnecting { registrar } => Some(registrar.to_string()),
        Output::Event(_) | Output::Connect { .. } | Output::Send { .. } | Output::Close { .. } => {
            None
        }
    };
    outputs.iter().filter_map(stop).collect()
}

pub fn untimed(outputs: Vec<(Timestamp, Output)>) -> Vec<Output> {
    outputs.into_iter().map(|(_, output)| output).collect()
}
