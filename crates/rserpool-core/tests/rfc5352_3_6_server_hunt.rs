//! Server hunt (RFC 5352 §3.6: SH1 to SH6, T5, T7), by a pool element or a pool user: they share
//! it.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;
#[path = "support/user.rs"]
mod user;

use rserpool_core::pool_user::{Event, Input, Output};
use rserpool_core::{Machine, PoolElement, PoolUser, Timestamp, pool_element};
use rserpool_wire::RegistrarId;
use rserpool_wire::asap::{AnnouncedTransport, Message, ServerAnnounce};
use rserpool_wire::parameter::{EncapsulationPorts, SctpTransport, TcpTransport, TransportUse};
use std::collections::BTreeSet;
use std::num::NonZeroU16;
use support::{association, at, drain, host, ms, registrar_address, run};
use user::*;

const FIVE: [&str; 5] = [
    "10.0.0.201:3863",
    "10.0.0.202:3863",
    "10.0.0.203:3863",
    "10.0.0.204:3863",
    "10.0.0.205:3863",
];

#[test]
fn sh1_no_more_than_three_at_one_time() {
    let mut user = PoolUser::new(config(&FIVE), 1, at(0));
    let first = connects(&drain(&mut user));
    assert_eq!(first.len(), 3);
    // SH4: one that fails is replaced by another, until all have been tried.
    let outputs = failed(&mut user, 1, &first[0]);
    assert_eq!(connects(&outputs).len(), 1);
    assert!(!first.contains(&connects(&outputs)[0]));
}

#[test]
fn sh3_sh6_the_first_is_chosen_and_the_others_are_stopped() {
    let mut user = PoolUser::new(config(&FIVE), 1, at(0));
    let first = connects(&drain(&mut user));
    let outputs = up(&mut user, 1, 1, &first[1]);
    let stopped: BTreeSet<_> = stops(&outputs).into_iter().collect();
    let others = [first[0].clone(), first[2].clone()];
    assert_eq!(stopped, others.into_iter().collect());
    let home = user.snapshot().home;
    assert_eq!(home, Some(registrar_address(&first[1])));
    // One that came up in the same moment.
    assert_eq!(up(&mut user, 1, 2, &first[0]), [closed(2)]);
    assert_eq!(user.poll_timeout(), None, "T5 has stopped");
}

#[test]
fn sh3_an_association_resets_t5() {
    let mut patient = config(&[HOME]);
    patient.timers.t5_server_hunt = ms(1_000);
    patient.timers.retran_max = ms(60_000);
    let mut user = PoolUser::new(patient, 1, at(0));
    drain(&mut user);
    // 1 s, 2 s, 4 s: now T5 is 8 s.
    run(&mut user, 7_500);
    up(&mut user, 7_500, 1, HOME);
    let outputs = lost(&mut user, 8_000, 1);
    assert_eq!(connects(&outputs), [HOME]);
    let outputs = run(&mut user, 10_000);
    assert_eq!(stops(&untimed(outputs)), [HOME], "within 1 s");
}

#[test]
fn sh5_2_another_set_is_tried_when_t5_expires() {
    let mut user = PoolUser::new(config(&FIVE), 1, at(0));
    let first = connects(&drain(&mut user));
    let outputs = untimed(run(&mut user, 2_000));
    let stopped: BTreeSet<_> = stops(&outputs).into_iter().collect();
    assert_eq!(stopped, first.iter().cloned().collect());
    let second = connects(&outputs);
    assert_eq!(second.len(), 3);
    let untried = FIVE
        .iter()
        .filter(|one| !first.contains(&(**one).to_owned()));
    assert!(
        untried
            .clone()
            .all(|one| second.contains(&(*one).to_owned()))
    );
}

#[test]
fn sh5_1_t5_doubles_up_to_retran_max() {
    let mut patient = config(&[HOME]);
    patient.timers.t5_server_hunt = ms(1_000);
    patient.timers.retran_max = ms(5_000);
    let mut user = PoolUser::new(patient, 1, at(0));
    drain(&mut user);
    let mut last = Timestamp::ZERO;
    let mut rounds = Vec::new();
    for (time, output) in run(&mut user, 30_000) {
        if matches!(output, Output::Connect { .. }) {
            rounds.push(time.since(last));
            last = time;
        }
    }
    for (round, t5) in rounds.iter().zip([1_000, 2_000, 4_000, 5_000, 5_000]) {
        assert!(
            *round <= ms(t5) && *round >= ms(t5 * 3 / 4),
            "{round:?} of {t5} ms"
        );
    }
    assert!(rounds.len() >= 5);
}

#[test]
fn sh4_when_all_have_failed_there_is_a_pause_and_no_busy_loop() {
    let mut user = PoolUser::new(config(&FIVE), 1, at(0));
    let mut pending = connects(&drain(&mut user));
    let mut attempts = 0;
    for time in 0..60_000 {
        while let Some(registrar) = pending.pop() {
            attempts += 1;
            pending.extend(connects(&failed(&mut user, time, &registrar)));
        }
        pending.extend(connects(&untimed(run(&mut user, time))));
    }
    let rounds = attempts / FIVE.len();
    assert!((30..=61).contains(&rounds), "{rounds} rounds in a minute");
}

#[test]
fn with_no_registrar_known_nothing_is_done_until_one_is_heard() {
    let mut user = PoolUser::new(config(&[]), 1, at(0));
    drain(&mut user);
    assert_eq!(user.poll_timeout(), None);
    let outputs = hear(&mut user, 500, "10.0.0.201:3863", announce(1, vec![]));
    assert_eq!(connects(&outputs), ["10.0.0.201:3863"]);
}

#[test]
fn an_announce_without_transports_is_of_its_sender() {
    let mut user = PoolUser::new(config(&[]), 1, at(0));
    hear(&mut user, 0, "10.0.0.201:12345", announce(1, vec![]));
    // The registered port; and the source port, by which rsplib means itself.
    assert_eq!(known(&user), ["10.0.0.201:3863", "10.0.0.201:12345"]);
}

#[test]
fn all_transports_of_an_announce_are_known_with_their_encapsulation() {
    let mut user = PoolUser::new(config(&[]), 1, at(0));
    let mut both = announce(1, vec![sctp(201), tcp(201)]);
    both.encapsulation_ports.user = NonZeroU16::new(9_900);
    hear(&mut user, 0, "10.0.0.99:3863", both);
    assert_eq!(
        known(&user),
        ["10.0.0.201:4000/udp=9900", "tcp:10.0.0.201:4001"]
    );
}

#[test]
fn a_pool_element_does_not_use_tcp() {
    let mut config = element_config(&["tcp:10.0.0.201:3863"]);
    config.registrars.push(registrar_address("10.0.0.202:3863"));
    let mut element = PoolElement::new(config, 1, at(0));
    let input = pool_element::Input::Announced {
        from: "10.0.0.99:3863".parse().unwrap(),
        message: Message::from(announce(1, vec![tcp(203)])),
    };
    element.handle_input(at(0), input);
    let known = element.snapshot().registrars;
    assert_eq!(known, [registrar_address("10.0.0.202:3863")]);
}

#[test]
fn t7_an_announced_registrar_is_forgotten_unless_announced_again() {
    let mut user = at_home();
    hear(&mut user, 0, OTHER, announce(1, vec![]));
    assert_eq!(known(&user), [HOME, OTHER]);
    run(&mut user, 4_000);
    hear(&mut user, 4_000, OTHER, announce(1, vec![]));
    run(&mut user, 8_999);
    assert_eq!(known(&user), [HOME, OTHER]);
    let outputs = run(&mut user, 10_100);
    assert_eq!(untimed(outputs), []);
    assert_eq!(known(&user), [HOME], "a static one stays");
}

#[test]
fn t7_is_longer_where_many_registrars_take_turns() {
    let mut user = at_home();
    for second in 0..60 {
        run(&mut user, second * 1_000);
        let number = u8::try_from(second % 20).unwrap();
        let id = u32::from(number) + 1;
        let one = announce(id, vec![sctp(number)]);
        hear(&mut user, second * 1_000, "10.0.0.99:3863", one);
    }
    assert_eq!(known(&user).len(), 21, "each announces itself every 21 s");
}

#[test]
fn announces_without_end_fill_a_list_and_no_more() {
    let mut user = at_home();
    for number in 0..10_000_u32 {
        let port = u16::try_from(number % 60_000 + 1).unwrap();
        let transport = AnnouncedTransport::Tcp(TcpTransport {
            port,
            address: host(66),
        });
        let one = announce(number + 1, vec![transport]);
        hear(&mut user, 0, "10.0.0.66:3863", one);
    }
    assert_eq!(known(&user).len(), 65);
    assert_eq!(known(&user)[0], HOME);
    assert_eq!(user.snapshot().announces_dropped, 10_000 - 64);
}

#[test]
fn what_cannot_be_a_registrar_is_not_remembered() {
    let mut user = at_home();
    let transport = |port, address: &str| {
        AnnouncedTransport::Tcp(TcpTransport {
            port,
            address: address.parse().unwrap(),
        })
    };
    let nobody = vec![
        transport(0, "10.0.0.201"),
        transport(3_863, "0.0.0.0"),
        transport(3_863, "224.0.1.185"),
        transport(3_863, "255.255.255.255"),
    ];
    hear(&mut user, 0, "10.0.0.66:3863", announce(1, nobody));
    assert_eq!(known(&user), [HOME]);
}

#[test]
fn static_registrars_come_first() {
    let mut user = at_home_with(config(&[HOME, OTHER]));
    for number in 1..=20 {
        let spoofed = announce(number, vec![sctp(u8::try_from(number).unwrap())]);
        hear(&mut user, 0, "10.0.0.66:3863", spoofed);
    }
    let outputs = lost(&mut user, 1, 1);
    assert!(connects(&outputs).contains(&OTHER.to_owned()));
}

#[test]
fn announces_of_registrars_that_are_not_there_do_not_hide_the_static_ones() {
    let mut user = at_home();
    for number in 1..=64 {
        let spoofed = announce(number, vec![sctp(u8::try_from(number).unwrap())]);
        hear(&mut user, 0, "10.0.0.66:3863", spoofed);
    }
    let mut outputs = lost(&mut user, 1, 1);
    // None of them answers. In one round the lost one comes last, in all others it has a turn.
    outputs.extend(untimed(run(&mut user, 4_100)));
    assert!(connects(&outputs).contains(&HOME.to_owned()));
}

#[test]
fn the_registrar_that_failed_is_tried_last_and_is_tried() {
    let mut user = at_home_with(config(&[HOME, OTHER]));
    let outputs = lost(&mut user, 1, 1);
    assert_eq!(connects(&outputs), [OTHER]);
    let outputs = failed(&mut user, 2, OTHER);
    assert_eq!(connects(&outputs), [HOME]);
}

#[test]
fn beside_a_home_registrar_in_doubt_there_are_no_more_than_two_others() {
    let mut user = PoolUser::new(config(&FIVE), 1, at(0));
    let first = connects(&drain(&mut user));
    up(&mut user, 0, 1, &first[0]);
    resolve(&mut user, 0, 100);
    let outputs = untimed(run(&mut user, 400));
    assert_eq!(connects(&outputs).len(), 2);
    assert!(!connects(&outputs).contains(&first[0]));
}

#[test]
fn ten_thousand_come_back_to_one_registrar_evenly() {
    // All registrars are lost at once; one starts again a second, or ten, or 29.3 s later.
    for back_at in [1_000, 10_000, 29_300] {
        let mut per_tenth = std::collections::BTreeMap::new();
        let mut late = 0;
        for seed in 0..10_000 {
            let mut user = PoolUser::new(config(&[HOME]), seed, at(0));
            drain(&mut user);
            up(&mut user, 0, 1, HOME);
            let mut outputs = lost(&mut user, 0, 1);
            let mut now = at(0);
            while now < at(back_at) || connects(&outputs).is_empty() {
                if !connects(&outputs).is_empty() {
                    let registrar = registrar_address(HOME);
                    user.handle_input(now, Input::ConnectFailed { registrar });
                    drain(&mut user);
                }
                now = user.poll_timeout().unwrap();
                user.handle_timeout(now);
                outputs = drain(&mut user);
            }
            let wait = now.since(at(back_at)).as_millis();
            *per_tenth.entry(wait / 100).or_insert(0_u32) += 1;
            late += u32::from(wait > 3_000);
        }
        assert!(late <= 100, "99 % within 3 s: {late} late");
        let duration = u32::try_from(per_tenth.len()).unwrap();
        let peak = *per_tenth.values().max().unwrap();
        let mean = 10_000 / duration;
        assert!(peak <= 2 * mean, "{back_at} ms: {per_tenth:?}");
    }
}

#[test]
fn one_that_was_waited_for_is_not_stormed_when_it_announces_itself() {
    let mut per_tenth = std::collections::BTreeMap::new();
    for seed in 0..2_000 {
        let mut user = PoolUser::new(config(&[]), seed, at(0));
        drain(&mut user);
        let outputs = hear(&mut user, 60_000, HOME, announce(1, vec![]));
        assert_eq!(connects(&outputs), [] as [&str; 0]);
        let connected = run(&mut user, 70_000)[0].0;
        *per_tenth
            .entry(connected.since(at(60_000)).as_millis() / 100)
            .or_insert(0_u32) += 1;
    }
    assert!(
        per_tenth.values().all(|count| *count <= 200),
        "{per_tenth:?}"
    );
}

#[test]
fn the_hunt_is_told_with_the_registrar_that_was_lost() {
    let mut user = at_home();
    let outputs = lost(&mut user, 1, 1);
    assert_eq!(
        outputs[0],
        Output::Event(Event::ServerHuntStarted {
            lost: Some(registrar_address(HOME)),
        })
    );
    let _ = association(1);
}

fn announce(id: u32, transports: Vec<AnnouncedTransport>) -> ServerAnnounce {
    ServerAnnounce {
        registrar: RegistrarId::new(id).unwrap(),
        transports,
        encapsulation_ports: EncapsulationPorts::default(),
    }
}

fn sctp(number: u8) -> AnnouncedTransport {
    AnnouncedTransport::Sctp(SctpTransport {
        port: 4_000,
        transport_use: TransportUse::DATA_ONLY,
        addresses: vec![host(number)],
    })
}

fn tcp(number: u8) -> AnnouncedTransport {
    AnnouncedTransport::Tcp(TcpTransport {
        port: 4_001,
        address: host(number),
    })
}

fn hear(user: &mut PoolUser, time: u64, from: &str, announce: ServerAnnounce) -> Vec<Output> {
    let from = from.parse().unwrap();
    let message = Message::from(announce);
    input(user, time, Input::Announced { from, message })
}

fn known(user: &PoolUser) -> Vec<String> {
    let registrars = user.snapshot().registrars;
    registrars.iter().map(ToString::to_string).collect()
}

fn element_config(registrars: &[&str]) -> pool_element::Config {
    pool_element::Config {
        pool_handle: support::echo(),
        id: None,
        user_transport: pool_element::UserTransportTemplate {
            protocol: pool_element::UserProtocol::Sctp,
            port: 7,
            transport_use: TransportUse::DATA_ONLY,
        },
        addresses: None,
        encapsulation_ports: EncapsulationPorts::default(),
        policy: rserpool_wire::parameter::Policy::RoundRobin,
        registration_life: None,
        registrars: registrars
            .iter()
            .map(|text| registrar_address(text))
            .collect(),
        timers: rserpool_core::Timers::default(),
        compatibility: rserpool_core::Compatibility::default(),
    }
}
