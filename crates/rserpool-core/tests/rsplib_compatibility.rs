//! `compatibility = "rsplib"`: what cannot be both RFC and rsplib.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/element.rs"]
mod element;
#[path = "support/octets.rs"]
mod in_octets;
#[path = "support/peers.rs"]
mod peers;
#[path = "support/registrars.rs"]
mod registrars;
mod support;
#[path = "support/user.rs"]
mod user;

use in_octets::*;
use registrars::{Registrars, config_of};
use rserpool_core::pool_element::{UserProtocol, UserTransportTemplate};
use rserpool_core::pool_user::ResolveFailure;
use rserpool_core::registrar::{Config, Event, Output, UpdateRefusal};
use rserpool_core::{ClientOutput, Compatibility, Machine, Registrar, pool_element, pool_user};
use rserpool_wire::asap::{HandleResolution, Message};
use rserpool_wire::parameter::{
    ErrorCause, OperationError, Policy, PolicyType, TransportUse, UserTransport,
};
use rserpool_wire::{PoolElementId, PoolHandle};
use support::*;

fn rsplib() -> Config {
    Config {
        compatibility: Compatibility::Rsplib,
        ..Config::new(registrar_id())
    }
}

/// For ten minutes, in milliseconds.
fn lasting(number: u8, id: u32) -> rserpool_wire::parameter::PoolElement {
    rserpool_wire::parameter::PoolElement {
        registration_life: rserpool_wire::RegistrationLife::Seconds(600_000),
        ..element_on(number, id)
    }
}

/// Octet by octet what rsplib's element sent, 90,000 ms and all.
#[test]
fn an_element_registers_as_rsplibs_does() {
    let config = pool_element::Config {
        pool_handle: PoolHandle::from("EchoPool"),
        id: Some(PoolElementId(0x4444_4444)),
        user_transport: UserTransportTemplate {
            protocol: UserProtocol::Sctp,
            port: 0x86ff,
            transport_use: TransportUse::DATA_PLUS_CONTROL,
        },
        addresses: Some(vec!["10.1.0.4".parse().unwrap()]),
        policy: Policy::RoundRobin,
        registration_life: Some(ms(90_000)),
        compatibility: Compatibility::Rsplib,
        ..element::config(&[element::HOME])
    };
    let mut element = element::start(config);
    let outputs = element::up(&mut element, 0, 1, element::HOME);
    let registration = outputs.iter().find_map(|output| match output {
        ClientOutput::Send { message, .. } => Some(digits(&message.encode())),
        ClientOutput::Connect { .. }
        | ClientOutput::StopConnecting { .. }
        | ClientOutput::Close { .. }
        | ClientOutput::Event(_) => None,
    });
    let captured = line(
        "01000038 0009000c 4563686f 506f6f6c 000a0028 44444444 00000000 00015f90
         00040010 86ff0001 00010008 0a010004 00080008 00000001",
    );
    assert_eq!(registration, Some(captured));
}

/// Nobody is told: rsplib's element would leave.
#[test]
fn a_registration_life_is_milliseconds_and_ends_silently() {
    let mut registrar = registrar_configured(rsplib(), &[1]);
    let mut element = element_on(1, 11);
    element.registration_life = rserpool_wire::RegistrationLife::Seconds(90_000);
    assert_eq!(
        say(&mut registrar, 0, 1, registration(element)),
        [granted(1, 11)]
    );
    run_answering(&mut registrar, 89_999, &[]);
    assert_eq!(identifiers(&registrar), [11]);
    let outputs = run_answering(&mut registrar, 90_000, &[]);
    assert_eq!(identifiers(&registrar), [] as [u32; 0]);
    let at_the_end = outputs.into_iter().filter(|(time, _)| *time == at(90_000));
    let said = without_events(at_the_end.map(|(_, output)| output).collect());
    assert_eq!(said, []);
}

/// RFC 5353 §3.5.1, rule 2, the other way round.
#[test]
fn of_three_registrars_the_lower_identifier_takes_over() {
    let mut all = Registrars::empty();
    for (number, peers) in [(1, &[][..]), (2, &[1]), (3, &[1, 2]), (4, &[1, 2, 3])] {
        let config = Config {
            compatibility: Compatibility::Rsplib,
            ..config_of(number, peers)
        };
        all.start(config, number);
        all.run_for(300);
    }
    all.register(1, 101, lasting(101, 11));
    all.register(1, 102, lasting(102, 12));
    all.log.clear();
    all.crash(1);
    all.run_for(3_000);
    for number in [2, 3, 4] {
        assert_eq!(all.homes(number), [(11, 2), (12, 2)], "at {number}");
    }
    let yielded = |number| {
        let is_aborted = |event: &Event| {
            matches!(event, Event::TakeoverAborted { winner: Some(winner), .. }
                if *winner == registrars::id_of(2))
        };
        all.first_event(number, is_aborted).is_some()
    };
    assert!(yielded(3) && yielded(4));
    // Nothing moves any more, and all agree.
    all.run_for(30_000);
    for number in [2, 3, 4] {
        assert_eq!(all.homes(number), [(11, 2), (12, 2)], "at {number}");
        let peers = all.machine(number).snapshot().peers;
        let told = peers.iter().filter(|peer| peer.owned > 0);
        assert!(
            told.clone()
                .all(|peer| peer.checksum_told == Some(peer.checksum))
        );
    }
}

/// A registrar that hangs is found dead by its silence: 5 s, as rsplib waits, whose own presences
/// come every 2.444 s and an eighth.
#[test]
fn silence_is_doubted_after_five_seconds() {
    let mut all = Registrars::empty();
    for (number, peers) in [(1, &[][..]), (2, &[1]), (3, &[1, 2])] {
        let config = Config {
            compatibility: Compatibility::Rsplib,
            ..config_of(number, peers)
        };
        all.start(config, number);
        all.run_for(300);
    }
    all.register(1, 101, lasting(101, 11));
    all.log.clear();
    let hung = all.milliseconds();
    all.hang(1);
    all.run_for(12_000);
    let is_suspected = |event: &Event| matches!(event, Event::PeerSuspected { .. });
    let (time, _) = all.first_event(2, is_suspected).unwrap();
    assert!(time - hung > 3_500, "{} ms", time - hung);
    assert_eq!(all.homes(2), all.homes(3));
    let [(11, 2 | 3)] = all.homes(2)[..] else {
        panic!("{:?}", all.homes(2));
    };
}

#[test]
fn what_rsplib_cannot_read_is_refused() {
    let long = PoolHandle::new(&[b'x'; 33]);
    let unknown_policy = Policy::Other {
        policy_type: PolicyType(0x8000_0001),
        data: Box::new([]),
    };
    let mut with_policy = element_on(1, 11);
    with_policy.policy = unknown_policy;
    let mut opaque = element_on(1, 11);
    opaque.user_transport = UserTransport::Opaque(vec![1, 2, 3, 4]);
    for (handle, element) in [
        (long, element_on(1, 11)),
        (echo(), with_policy),
        (echo(), opaque),
        (echo(), element_on(1, 0)),
    ] {
        for (config, is_refused) in [(rsplib(), true), (Config::new(registrar_id()), false)] {
            let mut registrar = registrar_configured(config, &[1]);
            let message = Message::from(rserpool_wire::asap::Registration {
                pool_handle: handle.clone(),
                pool_element: element.clone(),
            });
            let answers = say(&mut registrar, 0, 1, message);
            let [
                Output::Send {
                    message: Message::RegistrationResponse(answer),
                    ..
                },
            ] = &answers[..]
            else {
                panic!("{answers:?}");
            };
            assert_eq!(answer.result.is_err(), is_refused, "{handle} {element}");
            assert_eq!(identifiers(&registrar).is_empty(), is_refused);
        }
    }
    // Its own policies it can read.
    let mut registrar = registrar_configured(rsplib(), &[1]);
    let mut penalized = element_on(1, 11);
    penalized.policy = Policy::Other {
        policy_type: PolicyType(0xb000_2003),
        data: Box::new([0; 16]),
    };
    assert_eq!(
        say(&mut registrar, 0, 1, registration(penalized)),
        [granted(1, 11)]
    );
}

#[test]
fn what_rsplib_cannot_read_is_not_taken_from_peers_either() {
    let mut registrar = peers::registrar_with_peers_configured(rsplib(), &[], &[7]);
    let mut opaque = peers::owned_by(7, element_on(101, 11), 101);
    opaque.user_transport = UserTransport::Opaque(vec![1, 2, 3, 4]);
    let outputs = peers::hear(&mut registrar, 0, 7, peers::addition(7, &opaque));
    let refused = peers::event(Event::UpdateRefused {
        peer: peers::peer_id(7),
        pool_handle: echo(),
        pool_element: PoolElementId(11),
        reason: UpdateRefusal::Incompatible,
    });
    assert_eq!(outputs, [refused]);
    assert_eq!(identifiers(&registrar), [] as [u32; 0]);
}

/// What would end a registrar of rsplib is not even sent to it.
#[test]
fn elements_and_users_send_no_long_handles() {
    let handle = PoolHandle::new(&[b'x'; 33]);
    let cause = ErrorCause::InvalidValues(vec![b'x'; 33]);
    let mut element = element::start(pool_element::Config {
        pool_handle: handle.clone(),
        compatibility: Compatibility::Rsplib,
        ..element::config(&[element::HOME])
    });
    let outputs = element::up(&mut element, 0, 1, element::HOME);
    assert!(
        !outputs
            .iter()
            .any(|output| matches!(output, ClientOutput::Send { .. }))
    );
    let refused = pool_element::Event::RegistrationRejected {
        error: Some(OperationError::from(cause.clone())),
        will_retry: false,
    };
    assert!(element::happened(&outputs).contains(&refused));

    let mut user = user::at_home_with(pool_user::Config {
        compatibility: Compatibility::Rsplib,
        ..user::config(&[element::HOME])
    });
    let command = pool_user::Command::Select {
        request: pool_user::RequestId(1),
        pool_handle: handle.clone(),
    };
    let outputs = user::command(&mut user, 10, command);
    let failed = ClientOutput::Event(pool_user::Event::ResolveFailed {
        request: pool_user::RequestId(1),
        pool_handle: handle,
        error: ResolveFailure::Rejected(OperationError::from(cause)),
    });
    assert_eq!(outputs, [failed]);
}

/// rsplib never sends more, unless it is asked for more.
#[test]
fn who_does_not_say_how_many_gets_128() {
    for (config, expected) in [(rsplib(), 128), (Config::new(registrar_id()), 200)] {
        let mut registrar = registrar_configured(config, &[1, 2]);
        for id in 1..=200 {
            say(&mut registrar, 0, 1, registration(element_on(1, id)));
        }
        assert_eq!(
            resolved(&say(&mut registrar, 0, 2, resolution())).len(),
            expected
        );
        let all = Message::from(HandleResolution {
            pool_handle: echo(),
            subscribe: false,
            items: Some(1_000),
        });
        assert_eq!(resolved(&say(&mut registrar, 0, 2, all)).len(), 200);
    }
}

/// rsplib takes the first answer for that to its first request. While a registrar starts, it keeps
/// resolutions of unknown pools; they are answered before anything else is.
#[test]
fn answers_come_in_the_order_of_requests() {
    for (compatibility, answers) in [(Compatibility::Rsplib, 2), (Compatibility::Rfc, 1)] {
        let config = Config {
            enrp_multicast: true,
            compatibility,
            ..rsplib()
        };
        let mut registrar = registrar_configured(config, &[1]);
        let unknown = Message::from(HandleResolution {
            pool_handle: PoolHandle::from("unknown"),
            subscribe: false,
            items: None,
        });
        assert_eq!(say(&mut registrar, 0, 1, unknown), []);
        let outputs = say(&mut registrar, 1, 1, registration(element_on(1, 11)));
        assert_eq!(outputs.len(), answers);
        assert_eq!(outputs.last(), Some(&granted(1, 11)));
    }
}

/// Above some 20,000 elements the checksum that is told is rsplib's.
#[test]
fn the_checksum_told_is_rsplibs() {
    let told = |compatibility| {
        let config = Config {
            compatibility,
            limits: rserpool_core::registrar::Limits {
                elements_per_association_max: 50_000,
                ..Default::default()
            },
            ..rsplib()
        };
        let mut registrar = registrar_configured(config, &[1]);
        fill(&mut registrar);
        let snapshot = registrar.snapshot().checksum.0;
        peers::introduce(&mut registrar, 1, 7);
        snapshot
    };
    let (rfcs, rsplibs) = (told(Compatibility::Rfc), told(Compatibility::Rsplib));
    // One carry is lost.
    assert_eq!(rsplibs.wrapping_sub(rfcs), 0x0100);
}

fn fill(registrar: &mut Registrar) {
    let handle = PoolHandle::from("EchoPoolzzzz");
    for id in 1..=30_000 {
        let message = Message::from(rserpool_wire::asap::Registration {
            pool_handle: handle.clone(),
            pool_element: element_on(1, id),
        });
        registrar.handle_input(at(0), received(1, message));
        drain(registrar);
    }
}
