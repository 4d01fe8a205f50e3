//! What a registrar's frequent jobs cost: a message in, the messages out, nothing encoded.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rserpool_core::registrar::{Config, Destination, Input, Output};
use rserpool_core::{
    AssociationId, Machine, PeerAddress, Registrar, TimerId, TimerQueue, Timestamp, Transport,
};
use rserpool_wire::asap::{EndpointKeepAliveAck, HandleResolution, Message, Registration};
use rserpool_wire::parameter::{
    EncapsulationPorts, Policy, PoolElement, SctpTransport, TransportUse, UserTransport,
};
use rserpool_wire::{Decoded, PoolElementId, PoolHandle, RegistrarId, RegistrationLife};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Pool elements per pool in the registrar under test, as in a large scope.
const PER_POOL: u32 = 100;

fn host(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, number))
}

fn registration(number: u32, load: u32) -> Message {
    Message::from(Registration {
        pool_handle: handle(number / PER_POOL),
        pool_element: PoolElement {
            id: PoolElementId(number),
            home_registrar: None,
            registration_life: RegistrationLife::Seconds(60),
            user_transport: UserTransport::Sctp(SctpTransport {
                port: 7,
                transport_use: TransportUse::DATA_ONLY,
                addresses: vec![host(1), host(2)],
            }),
            policy: Policy::LeastUsed { load },
            asap_transport: None,
            encapsulation_ports: EncapsulationPorts::default(),
        },
    })
}

fn handle(number: u32) -> PoolHandle {
    PoolHandle::from(format!("pool-{number}").as_str())
}

fn received(message: Message) -> Input {
    Input::Received {
        from: AssociationId(1),
        message: Ok(Decoded {
            message,
            unrecognized: Vec::new(),
        }),
    }
}

/// A registrar with one association over which so many pool elements are registered.
fn registrar_with(elements: u32) -> Registrar {
    let mut config = Config::new(RegistrarId::new(1).expect("not zero"));
    config.limits.elements_per_association_max = usize::MAX;
    let mut registrar = Registrar::new(config, 1, Timestamp::ZERO);
    let up = Input::AssociationUp {
        association: AssociationId(1),
        peer: PeerAddress {
            transport: Transport::Sctp,
            addresses: vec![host(1), host(2)],
            port: 4_000,
            udp_port: None,
        },
    };
    registrar.handle_input(Timestamp::ZERO, up);
    for number in 0..elements {
        registrar.handle_input(Timestamp::ZERO, received(registration(number, 1)));
        drain(&mut registrar);
    }
    registrar
}

fn drain(registrar: &mut Registrar) {
    while let Some(output) = registrar.poll_output() {
        black_box(output);
    }
}

fn registrations(criterion: &mut Criterion) {
    for elements in [1_000, 100_000] {
        let mut group = criterion.benchmark_group(format!("registration/{elements}"));
        group.throughput(Throughput::Elements(1));
        let mut registrar = registrar_with(elements);
        let mut number = 0;
        let mut next = |step: u32| {
            number = (number + step) % elements;
            number
        };
        group.bench_function("unchanged", |bencher| {
            bencher.iter_batched(
                || received(registration(next(7_919), 1)),
                |input| {
                    registrar.handle_input(Timestamp::ZERO, input);
                    drain(&mut registrar);
                },
                BatchSize::SmallInput,
            );
        });
        let mut load = 1;
        group.bench_function("changed", |bencher| {
            bencher.iter_batched(
                || {
                    load += 1;
                    received(registration(next(7_919), load))
                },
                |input| {
                    registrar.handle_input(Timestamp::ZERO, input);
                    drain(&mut registrar);
                },
                BatchSize::SmallInput,
            );
        });
        group.finish();
    }
}

fn new_registrations(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("registration");
    let elements = 10_000;
    group.throughput(Throughput::Elements(u64::from(elements)));
    group.sample_size(10);
    group.bench_function("10000 new", |bencher| {
        bencher.iter_batched(
            || {
                let inputs: Vec<_> = (0..elements)
                    .map(|number| received(registration(number, 1)))
                    .collect();
                (registrar_with(0), inputs)
            },
            |(mut registrar, inputs)| {
                for input in inputs {
                    registrar.handle_input(Timestamp::ZERO, input);
                    drain(&mut registrar);
                }
                registrar
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn resolutions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("resolution of 3");
    group.throughput(Throughput::Elements(1));
    for elements in [10_u32, 1_000] {
        let mut registrar = registrar_with(0);
        for number in 0..elements {
            let Message::Registration(mut one) = registration(number, number) else {
                continue;
            };
            one.pool_handle = handle(0);
            registrar.handle_input(Timestamp::ZERO, received(Message::from(one)));
            drain(&mut registrar);
        }
        let request = Message::from(HandleResolution {
            pool_handle: handle(0),
            subscribe: false,
            items: Some(3),
        });
        group.bench_function(format!("among {elements}"), |bencher| {
            bencher.iter_batched(
                || received(request.clone()),
                |input| {
                    registrar.handle_input(Timestamp::ZERO, input);
                    drain(&mut registrar);
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// All keep-alives of one interval: each is sent, answered, and started again.
fn keep_alives(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("keep-alive");
    for elements in [1_000, 100_000] {
        let mut registrar = registrar_with(elements);
        let mut now = Timestamp::ZERO;
        group.throughput(Throughput::Elements(1_000));
        group.bench_function(format!("1000 of {elements}"), |bencher| {
            bencher.iter(|| {
                let mut answered = 0;
                while answered < 1_000 {
                    now = registrar.poll_timeout().unwrap_or(now).max(now);
                    registrar.handle_timeout(now);
                    answered += answer_keep_alives(&mut registrar, now);
                    renew_if_due(&mut registrar, now, elements);
                }
            });
        });
    }
    group.finish();
}

/// Life is longer than the benchmark; were it not, those who expired would be registered again.
fn renew_if_due(registrar: &mut Registrar, now: Timestamp, elements: u32) {
    let renews = now.0.as_secs().is_multiple_of(20) && now.0.subsec_millis() == 0;
    if renews {
        for number in 0..elements {
            registrar.handle_input(now, received(registration(number, 1)));
            drain(registrar);
        }
    }
}

fn answer_keep_alives(registrar: &mut Registrar, now: Timestamp) -> u32 {
    let mut answered = 0;
    let mut answers = Vec::new();
    while let Some(output) = registrar.poll_output() {
        if let Output::Send {
            to: Destination::Association(_),
            message: Message::EndpointKeepAlive(keep_alive),
        } = output
            && let Some(pool_element) = keep_alive.pool_element
        {
            answers.push(EndpointKeepAliveAck {
                pool_handle: keep_alive.pool_handle,
                pool_element,
            });
        }
    }
    for ack in answers {
        registrar.handle_input(now, received(Message::from(ack)));
        drain(registrar);
        answered += 1;
    }
    answered
}

fn timers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("timer queue");
    group.throughput(Throughput::Elements(1));
    for count in [1_000_u32, 100_000] {
        let mut queue = TimerQueue::default();
        let mut ids = vec![TimerId::default(); count as usize];
        for (number, id) in ids.iter_mut().enumerate() {
            queue.start(id, number, after(number as u64 * 60_000 / u64::from(count)));
        }
        let mut number = 0;
        let mut time = 60_000;
        group.bench_function(format!("restart of {count}"), |bencher| {
            bencher.iter(|| {
                number = (number + 7_919) % ids.len();
                time += 1;
                queue.start(&mut ids[number], number, after(time));
            });
        });
    }
    group.finish();
}

fn after(milliseconds: u64) -> Timestamp {
    Timestamp(Duration::from_millis(milliseconds))
}

criterion_group!(
    benches,
    registrations,
    new_registrations,
    resolutions,
    keep_alives,
    timers
);
criterion_main!(benches);
