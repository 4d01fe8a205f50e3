//! Reading and writing the messages that are frequent: one figure each, per message.

#[allow(dead_code, unused_imports, reason = "the tests use more of it")]
#[path = "../tests/support/samples.rs"]
mod samples;

use criterion::{Criterion, criterion_group, criterion_main};
use rserpool_wire::parameter::{EncodedPoolElement, Policy};
use rserpool_wire::{asap, enrp};
use std::hint::black_box;

fn asap_messages() -> Vec<(&'static str, asap::Message)> {
    let pool_handle = samples::pool;
    let resolved = |elements: u32| {
        let elements: Vec<_> = (1..=elements).map(samples::numbered).collect();
        samples::resolved(samples::pool(), Policy::RoundRobin, &elements).into()
    };
    let registration = asap::Registration {
        pool_handle: pool_handle(),
        pool_element: samples::element(),
    };
    let response = asap::RegistrationResponse {
        pool_handle: pool_handle(),
        pool_element: samples::PE,
        result: Ok(None),
    };
    let resolution = asap::HandleResolution {
        pool_handle: pool_handle(),
        subscribe: false,
        items: None,
    };
    let keep_alive = asap::EndpointKeepAlive {
        registrar: samples::registrar(1),
        home: false,
        pool_handle: pool_handle(),
        pool_element: Some(samples::PE),
    };
    let ack = asap::EndpointKeepAliveAck {
        pool_handle: pool_handle(),
        pool_element: samples::PE,
    };
    vec![
        ("handle_resolution", resolution.into()),
        ("handle_resolution_response/1", resolved(1)),
        ("handle_resolution_response/3", resolved(3)),
        ("handle_resolution_response/10", resolved(10)),
        ("registration", registration.into()),
        ("registration_response", response.into()),
        ("endpoint_keep_alive", keep_alive.into()),
        ("endpoint_keep_alive_ack", ack.into()),
    ]
}

fn handle_update() -> enrp::Message {
    enrp::HandleUpdate {
        sender: samples::registrar(1),
        receiver: None,
        action: enrp::UpdateAction::Add,
        pool_handle: samples::pool(),
        pool_element: EncodedPoolElement::from(&samples::element_at_home()),
    }
    .into()
}

fn codec(criterion: &mut Criterion) {
    for (name, message) in asap_messages() {
        let octets = message.encode();
        criterion.bench_function(&format!("decode/{name}"), |bencher| {
            bencher.iter(|| asap::Message::decode(black_box(&octets)));
        });
        criterion.bench_function(&format!("encode/{name}"), |bencher| {
            bencher.iter(|| black_box(&message).encode());
        });
    }
    let message = handle_update();
    let octets = message.encode();
    criterion.bench_function("decode/handle_update", |bencher| {
        bencher.iter(|| enrp::Message::decode(black_box(&octets)));
    });
    criterion.bench_function("encode/handle_update", |bencher| {
        bencher.iter(|| black_box(&message).encode());
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default();
    targets = codec
}
criterion_main!(benches);
