//! Announces by a registrar (RFC 5352 §3.6, §2.2.10).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use rserpool_core::registrar::{Config, Destination, Event, Input, Limit, Output};
use rserpool_core::{Machine, Registrar, Timestamp};
use rserpool_wire::RegistrarId;
use rserpool_wire::asap::{AnnouncedTransport, Message, ServerAnnounce};
use rserpool_wire::parameter::{EncapsulationPorts, SctpTransport, TransportUse};
use std::num::NonZeroU16;
use support::*;

#[test]
fn an_announce_has_all_transports() {
    let mut registrar = announcing();
    let outputs = run(&mut registrar, 1_000);
    let expected = Output::Send {
        to: Destination::Multicast,
        message: Message::from(ServerAnnounce {
            registrar: registrar_id(),
            transports: vec![transport()],
            encapsulation_ports: EncapsulationPorts {
                user: NonZeroU16::new(9_900),
                asap: None,
            },
        }),
    };
    assert_eq!(outputs[0].1, expected);
}

#[test]
fn a_registrar_alone_announces_itself_every_t6() {
    let mut registrar = announcing();
    let times = announce_times(&mut registrar, 100_000);
    assert!((95..=105).contains(&times.len()), "{}", times.len());
}

#[test]
fn of_n_more_each_announces_itself_every_n_plus_1_times_t6() {
    let mut registrar = announcing();
    let mut announces = 0;
    for second in 0..100 {
        for other in 1..=3 {
            hear(&mut registrar, second * 1_000, other);
        }
        announces += announce_times(&mut registrar, second * 1_000 + 999).len();
    }
    assert!((23..=27).contains(&announces), "{announces}");
}

#[test]
fn one_that_is_not_heard_any_more_does_not_count() {
    let mut registrar = announcing();
    hear(&mut registrar, 0, 1);
    let heard = Event::RegistrarHeard {
        registrar: RegistrarId::new(1).unwrap(),
    };
    assert!(drain(&mut registrar).contains(&Output::Event(heard)));
    assert_eq!(registrar.snapshot().registrars_heard.len(), 1);
    let outputs = run(&mut registrar, 6_000);
    let outdated = Output::Event(Event::RegistrarOutdated {
        registrar: RegistrarId::new(1).unwrap(),
    });
    assert!(outputs.iter().any(|(_, output)| *output == outdated));
    assert_eq!(registrar.snapshot().registrars_heard, []);
}

#[test]
fn its_own_announce_is_not_another_registrar() {
    let mut registrar = announcing();
    hear(&mut registrar, 0, registrar_id().get());
    assert_eq!(registrar.snapshot().registrars_heard, []);
}

#[test]
fn spoofed_announces_do_not_silence_a_registrar() {
    let mut registrar = announcing();
    let mut announces = 0;
    for second in 0..140_u32 {
        let time = u64::from(second) * 1_000;
        for other in 1..=200 {
            hear(&mut registrar, time, second * 200 + other);
        }
        announces += announce_times(&mut registrar, time + 999).len();
    }
    let snapshot = registrar.snapshot();
    assert!(snapshot.registrars_heard.len() <= 64);
    assert!(snapshot.counters.limits_reached[&Limit::RegistrarsHeard] > 0);
    assert!(announces >= 2, "at least every 65 s: {announces}");
}

#[test]
fn without_multicast_nothing_is_announced() {
    let mut registrar = registrar_with(&[]);
    assert_eq!(registrar.poll_timeout(), None);
    assert_eq!(run(&mut registrar, 100_000), []);
}

#[test]
fn only_announces_are_heard_on_the_multicast_channel() {
    let mut registrar = announcing();
    let input = Input::Announced {
        from: "10.0.0.66:3863".parse().unwrap(),
        message: deregistration(11),
    };
    registrar.handle_input(at(0), input);
    assert_eq!(drain(&mut registrar), []);
    assert_eq!(registrar.snapshot().counters.unexpected_messages, 1);
}

fn transport() -> AnnouncedTransport {
    AnnouncedTransport::Sctp(SctpTransport {
        port: 3_863,
        transport_use: TransportUse::DATA_ONLY,
        addresses: vec![host(1)],
    })
}

fn announcing() -> Registrar {
    let mut config = Config::new(registrar_id());
    config.multicast = true;
    config.announce = vec![transport()];
    config.encapsulation_ports.user = NonZeroU16::new(9_900);
    registrar_configured(config, &[])
}

fn announce_times(registrar: &mut Registrar, until: u64) -> Vec<Timestamp> {
    let outputs = run(registrar, until).into_iter();
    outputs
        .filter(|(_, output)| matches!(output, Output::Send { .. }))
        .map(|(time, _)| time)
        .collect()
}

fn hear(registrar: &mut Registrar, time: u64, id: u32) {
    let announce = ServerAnnounce {
        registrar: RegistrarId::new(id).unwrap(),
        transports: Vec::new(),
        encapsulation_ports: EncapsulationPorts::default(),
    };
    registrar.handle_input(
        at(time),
        Input::Announced {
            from: "10.0.0.66:3863".parse().unwrap(),
            message: Message::from(announce),
        },
    );
}
