//! What it costs to keep several registrars the same: messages are encoded and decoded, as on a
//! wire.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rserpool_core::registrar::{Config, Destination, Input, Output};
use rserpool_core::{
    AssociationId, ENRP_PORT, Machine, PeerAddress, Registrar, RegistrarAddress, Timestamp,
    Transport,
};
use rserpool_wire::enrp::{HandleUpdate, Message, Presence, UpdateAction};
use rserpool_wire::parameter::{
    EncapsulationPorts, EncodedPoolElement, Policy, PoolElement, SctpTransport, TransportUse,
    UserTransport,
};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId, RegistrationLife};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

const ELEMENTS: u32 = 100_000;
const PER_POOL: u32 = 100;
const LINK: AssociationId = AssociationId(1);

fn registrar_id(number: u32) -> RegistrarId {
    RegistrarId::new(number).expect("not zero")
}

fn host(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, number))
}

fn address(number: u8) -> PeerAddress {
    PeerAddress {
        transport: Transport::Sctp,
        addresses: vec![host(number)],
        port: ENRP_PORT,
        udp_port: None,
    }
}

fn sctp(port: u16) -> SctpTransport {
    SctpTransport {
        port,
        transport_use: TransportUse::DATA_ONLY,
        addresses: vec![host(1), host(2)],
    }
}

/// ADD_PE of the registrar with this number, with two user and two ASAP addresses.
fn addition(home: u32, number: u32, load: u32) -> Message {
    let element = PoolElement {
        id: PoolElementId(number),
        home_registrar: Some(registrar_id(home)),
        registration_life: RegistrationLife::Seconds(60),
        user_transport: UserTransport::Sctp(sctp(7)),
        policy: Policy::LeastUsed { load },
        asap_transport: Some(sctp(4_000)),
        encapsulation_ports: EncapsulationPorts::default(),
    };
    Message::from(HandleUpdate {
        sender: registrar_id(home),
        receiver: None,
        action: UpdateAction::Add,
        pool_handle: PoolHandle::from(format!("pool-{}", number / PER_POOL).as_str()),
        pool_element: EncodedPoolElement::from(&element),
    })
}

fn hear(registrar: &mut Registrar, octets: &[u8]) {
    let input = Input::EnrpReceived {
        from: LINK,
        message: Message::decode(octets),
    };
    registrar.handle_input(Timestamp::ZERO, input);
}

fn drain(registrar: &mut Registrar) {
    while let Some(output) = registrar.poll_output() {
        black_box(output);
    }
}

/// A registrar with a peer of number 9 that has shown its presence.
fn with_peer() -> Registrar {
    let config = Config::new(registrar_id(1));
    let mut registrar = Registrar::new(config, 1, Timestamp::ZERO);
    let up = Input::AssociationUp {
        association: LINK,
        peer: address(9),
    };
    registrar.handle_input(Timestamp::ZERO, up);
    let presence = Presence {
        sender: registrar_id(9),
        receiver: None,
        reply_required: false,
        checksum: None,
        server_information: None,
    };
    hear(&mut registrar, &Message::from(presence).encode());
    drain(&mut registrar);
    registrar
}

fn updates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("handle update");
    group.throughput(Throughput::Elements(10_000));
    group.sample_size(20);
    let batch = |load: u32| -> Vec<_> {
        let messages = (0..10_000).map(|number| addition(9, number, load));
        messages.map(|message| message.encode()).collect()
    };
    let apply = |registrar: &mut Registrar, batch: &[Vec<u8>]| {
        for octets in batch {
            hear(registrar, octets);
            drain(registrar);
        }
    };
    let new = batch(1);
    group.bench_function("10000 new", |bencher| {
        bencher.iter_batched_ref(
            with_peer,
            |registrar| apply(registrar, &new),
            BatchSize::PerIteration,
        );
    });
    let mut registrar = with_peer();
    let mut load = 1;
    group.bench_function("10000 changed", |bencher| {
        bencher.iter_batched_ref(
            || {
                load += 1;
                batch(load)
            },
            |changed| apply(&mut registrar, changed),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Both sides of a whole start-up: peer list, handle table, until the newcomer is initialised.
fn download(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("download");
    group.sample_size(10);
    group.throughput(Throughput::Elements(u64::from(ELEMENTS)));
    let mut mentor = with_peer();
    for number in 0..ELEMENTS {
        hear(&mut mentor, &addition(9, number, 1).encode());
        drain(&mut mentor);
    }
    let mut next = 1;
    group.bench_function(format!("{ELEMENTS}"), |bencher| {
        bencher.iter_batched(
            || (),
            |()| {
                next += 1;
                let newcomer = download_from(&mut mentor, next);
                assert!(newcomer.snapshot().initialized);
                newcomer
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn mentor_address() -> RegistrarAddress {
    RegistrarAddress {
        transport: Transport::Sctp,
        addresses: vec![host(3)],
        port: ENRP_PORT,
        udp_port: None,
    }
}

fn download_from(mentor: &mut Registrar, number: u32) -> Registrar {
    let now = Timestamp::ZERO;
    let link = AssociationId(u64::from(number));
    let mut config = Config::new(registrar_id(number + 100));
    config.peers = vec![mentor_address()];
    let mut newcomer = Registrar::new(config, 1, now);
    let mut messages = Vec::new();
    let up = Input::AssociationUp {
        association: link,
        peer: address(4),
    };
    mentor.handle_input(now, up);
    loop {
        while let Some(output) = newcomer.poll_output() {
            match output {
                Output::Connect { to } => newcomer.handle_input(
                    now,
                    Input::Connected {
                        association: link,
                        to,
                        peer: address(3),
                    },
                ),
                Output::SendEnrp { message, .. } => messages.push(message.encode()),
                Output::Send { .. }
                | Output::StopConnecting { .. }
                | Output::Close { .. }
                | Output::Event(_) => {}
            }
        }
        if messages.is_empty() {
            break;
        }
        for octets in messages.drain(..) {
            let message = Message::decode(&octets);
            mentor.handle_input(
                now,
                Input::EnrpReceived {
                    from: link,
                    message,
                },
            );
        }
        while let Some(output) = mentor.poll_output() {
            if let Output::SendEnrp {
                to: Destination::Association(to),
                message,
            } = output
                && to == link
            {
                let message = Message::decode(&message.encode());
                newcomer.handle_input(
                    now,
                    Input::EnrpReceived {
                        from: link,
                        message,
                    },
                );
            }
        }
    }
    let lost = Input::AssociationLost { association: link };
    mentor.handle_input(now, lost);
    drain(mentor);
    newcomer
}

criterion_group!(benches, updates, download);
criterion_main!(benches);
