//! Endpoint keep-alives by a registrar (RFC 5352 §3.4, the last paragraph of §3.5; RFC 5355
//! §2.14).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use rserpool_core::registrar::{Config, Event, Input, Output, RemovalReason};
use rserpool_core::{Machine, Registrar, Timers, Timestamp};
use rserpool_wire::PoolElementId;
use rserpool_wire::asap::Message;
use std::collections::BTreeMap;
use std::time::Duration;
use support::*;

#[test]
fn a_keep_alive_names_the_pool_element_and_does_not_claim_it() {
    let mut registrar = registrar_with(&[1]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    let outputs = run(&mut registrar, 500);
    let sends: Vec<_> = outputs.into_iter().map(|(_, output)| output).collect();
    assert_eq!(sends, [send(1, keep_alive(11))]);
}

#[test]
fn the_first_keep_alive_comes_soon() {
    for id in 0..100 {
        let mut registrar = registrar_with(&[1]);
        say(&mut registrar, 0, 1, registration(element_on(1, id)));
        let outputs = run(&mut registrar, 500);
        assert_eq!(outputs.len(), 1, "within half an interval");
    }
}

#[test]
fn keep_alives_are_varied_by_fifty_percent() {
    let mut registrar = registrar_with(&[1]);
    say(&mut registrar, 0, 1, forever(11));
    let times = keep_alive_times(run_answering(&mut registrar, 1_000_000, &[]));
    let gaps: Vec<_> = times[&11]
        .windows(2)
        .map(|two| two[1].since(two[0]))
        .collect();
    assert!(gaps.len() > 900);
    assert!(gaps.iter().all(|gap| *gap >= ms(500) && *gap <= ms(1_500)));
    assert!(gaps.iter().any(|gap| *gap < ms(550)) && gaps.iter().any(|gap| *gap > ms(1_450)));
}

#[test]
fn keep_alives_to_many_are_distributed_over_time() {
    let mut registrar = registrar_with(&[1]);
    for id in 0..1_000 {
        say(&mut registrar, 0, 1, forever(id));
    }
    let times = keep_alive_times(run_answering(&mut registrar, 60_000, &[]));
    let mut per_tenth = [0; 600];
    for time in times.values().flatten() {
        let tenth = usize::try_from(time.0.as_millis() / 100).unwrap();
        per_tenth[tenth.min(599)] += 1;
    }
    // After ten rounds nothing is left of their having registered together: 100 per 0.1 s.
    assert!(
        per_tenth[100..].iter().all(|sent| (50..150).contains(sent)),
        "{per_tenth:?}"
    );
}

#[test]
fn a_silent_pool_element_is_gone_in_time() {
    for (timers, within) in [(Timers::default(), 2_250), (Timers::fast(), 350)] {
        for seed in 0..50 {
            let mut registrar = started(timers.clone(), seed);
            say(&mut registrar, 0, 1, forever(11));
            let fell_silent = 10_000 + seed * 7;
            run_answering(&mut registrar, fell_silent, &[]);
            let outputs = run_answering(&mut registrar, fell_silent + within, &[11]);
            let last = outputs.into_iter().map(|(_, output)| output);
            let last: Vec<_> = last.skip_while(|output| !is_miss(output)).collect();
            assert_eq!(
                last,
                [
                    Output::Event(Event::KeepAliveMissed {
                        pool_handle: echo(),
                        pool_element: PoolElementId(11),
                    }),
                    removed(11, RemovalReason::KeepAliveTimeout, true),
                ],
                "seed {seed}"
            );
        }
    }
}

#[test]
fn an_answer_in_time_is_enough() {
    let mut registrar = registrar_with(&[1]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    let asked_at = run(&mut registrar, 500)[0].0;
    let almost = asked_at + ms(749);
    registrar.handle_input(almost, received(1, keep_alive_ack(11)));
    assert_eq!(drain(&mut registrar), []);
    let next = registrar.poll_timeout().unwrap();
    assert!(next >= almost + ms(500) && next <= almost + ms(1_500));
}

#[test]
fn nobody_answers_for_another() {
    let mut registrar = registrar_with(&[1, 2]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    let asked_at = run(&mut registrar, 500)[0].0;
    registrar.handle_input(asked_at, received(2, keep_alive_ack(11)));
    run(&mut registrar, 1_500);
    assert_eq!(identifiers(&registrar), []);
    assert_eq!(registrar.snapshot().counters.keep_alive_acks_ignored, 1);
}

#[test]
fn at_most_one_keep_alive_is_outstanding() {
    let mut registrar = registrar_with(&[1, 2]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    let asked_at = run(&mut registrar, 500)[0].0;
    let time = u64::try_from(asked_at.0.as_millis()).unwrap() + 1;
    for _ in 0..20 {
        assert_eq!(say(&mut registrar, time, 2, unreachable_report(11)), []);
    }
}

#[test]
fn a_reregistration_is_a_sign_of_life() {
    let mut registrar = registrar_with(&[1]);
    say(&mut registrar, 0, 1, forever(11));
    let asked_at = run(&mut registrar, 500)[0].0;
    registrar.handle_input(asked_at + ms(700), received(1, forever(11)));
    drain(&mut registrar);
    let still_there = asked_at + ms(1_199);
    run(
        &mut registrar,
        u64::try_from(still_there.0.as_millis()).unwrap(),
    );
    assert_eq!(identifiers(&registrar), [11]);
}

#[test]
fn frequent_reregistrations_do_not_put_keep_alives_off() {
    let mut registrar = registrar_with(&[1]);
    let mut times = Vec::new();
    for step in 0..600 {
        let now = step * 100;
        let outputs = run_answering(&mut registrar, now, &[]);
        times.extend(keep_alive_times(outputs).remove(&11).unwrap_or_default());
        say(&mut registrar, now, 1, forever(11));
    }
    assert!(times.len() >= 40, "one per second or so: {}", times.len());
    // And who falls silent is gone as soon as any other.
    let outputs = run_answering(&mut registrar, 59_900 + 2_250, &[11]);
    assert!(outputs.iter().any(|(_, output)| is_miss(output)));
}

#[test]
fn one_that_cannot_be_asked_is_removed_at_once() {
    let mut registrar = registrar_with(&[1]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    say(&mut registrar, 0, 1, registration(element_on(1, 12)));
    registrar.handle_input(
        at(1),
        Input::SendFailed {
            association: association(1),
            message: Some(keep_alive(11)),
        },
    );
    assert_eq!(
        drain(&mut registrar),
        [removed(11, RemovalReason::SendFailed, false)]
    );
    // What else could not be sent, or over which association, is no reason.
    for message in [None, Some(registration(element_on(1, 12)))] {
        registrar.handle_input(
            at(1),
            Input::SendFailed {
                association: association(1),
                message,
            },
        );
    }
    registrar.handle_input(
        at(1),
        Input::SendFailed {
            association: association(2),
            message: Some(keep_alive(12)),
        },
    );
    assert_eq!(drain(&mut registrar), []);
}

#[test]
fn a_lost_association_takes_its_pool_elements_with_it_at_once() {
    let mut registrar = registrar_with(&[1, 2]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    say(&mut registrar, 0, 1, registration(element_on(1, 12)));
    say(&mut registrar, 0, 2, registration(element_on(2, 22)));
    assert_eq!(
        lose(&mut registrar, 5, 1),
        [
            removed(11, RemovalReason::AssociationLost, false),
            removed(12, RemovalReason::AssociationLost, false),
            Output::Event(Event::AssociationLost {
                association: association(1),
                pool_elements: 2,
            }),
        ]
    );
    let answer = say(&mut registrar, 5, 2, resolution());
    assert_eq!(resolved(&answer), [recorded(element_on(2, 22), 2)]);
}

#[test]
fn a_registrar_that_slept_removes_nobody_before_all_could_be_heard() {
    let mut registrar = registrar_with(&[1]);
    for id in 0..50 {
        say(&mut registrar, 0, 1, registration(element_on(1, id)));
    }
    run_answering(&mut registrar, 10_000, &[]);
    // SIGSTOP for 300 s: all keep-alives and all registration lives are overdue.
    registrar.handle_timeout(at(310_000));
    let outputs = drain(&mut registrar);
    assert!(matches!(outputs[0], Output::Event(Event::Stalled { .. })));
    let outputs: Vec<_> = outputs.into_iter().skip(1).collect();
    assert!(outputs.iter().all(|output| !is_removal(output)));
    for id in 0..50 {
        let message = registration(element_on(1, id));
        assert_eq!(say(&mut registrar, 310_010, 1, message), [granted(1, id)]);
    }
    run_answering(&mut registrar, 320_000, &[]);
    assert_eq!(identifiers(&registrar).len(), 50);
}

#[test]
fn f7_a_registration_life_stands_still_while_the_registrar_sleeps() {
    for jump in [51_700, 3_600_000, 30 * 365 * 86_400_000] {
        let mut registrar = registrar_with(&[1]);
        for id in 0..500 {
            say(&mut registrar, 0, 1, registration(element_on(1, id)));
        }
        run_answering(&mut registrar, 3_000, &[]);
        let awake = 3_000 + jump;
        while registrar
            .poll_timeout()
            .is_some_and(|next| next <= at(awake))
        {
            registrar.handle_timeout(at(awake));
            drain(&mut registrar);
        }
        for id in 0..500 {
            say(&mut registrar, awake, 1, keep_alive_ack(id));
        }
        // Nobody has had an occasion to renew; 57 s of each life are left.
        run_answering(&mut registrar, awake + 56_000, &[]);
        assert_eq!(identifiers(&registrar).len(), 500, "{jump} ms");
        run_answering(&mut registrar, awake + 60_000, &[]);
        assert_eq!(identifiers(&registrar).len(), 0, "{jump} ms");
    }
}

#[test]
fn a_registrar_that_slept_still_finds_the_dead() {
    let mut registrar = registrar_with(&[1]);
    say(&mut registrar, 0, 1, forever(11));
    run_answering(&mut registrar, 10_000, &[]);
    registrar.handle_timeout(at(40_000));
    drain(&mut registrar);
    run_answering(&mut registrar, 40_000 + 2_250, &[11]);
    assert_eq!(identifiers(&registrar), []);
}

#[test]
fn a_flood_of_due_timers_is_worked_off_in_portions() {
    let mut registrar = registrar_with(&[1]);
    for id in 0..2_000 {
        say(&mut registrar, 0, 1, forever(id));
    }
    let mut sent = 0;
    while registrar.poll_timeout().is_some_and(|next| next <= at(600)) {
        registrar.handle_timeout(at(600));
        let portion = drain(&mut registrar).len();
        assert!(portion <= 300, "{portion}");
        sent += portion;
    }
    assert!(sent >= 2_000, "{sent}");
}

fn started(timers: Timers, seed: u64) -> Registrar {
    let mut config = Config::new(registrar_id());
    config.timers = timers;
    let mut registrar = Registrar::new(config, seed, at(0));
    associate(&mut registrar, 0, 1, peer(1));
    drain(&mut registrar);
    registrar
}

fn forever(id: u32) -> Message {
    let mut element = element_on(1, id);
    element.registration_life = rserpool_wire::RegistrationLife::Infinite;
    registration(element)
}

fn is_miss(output: &Output) -> bool {
    matches!(output, Output::Event(Event::KeepAliveMissed { .. }))
}

fn is_removal(output: &Output) -> bool {
    matches!(output, Output::Event(Event::PoolElementRemoved { .. }))
}

fn keep_alive_times(outputs: Vec<(Timestamp, Output)>) -> BTreeMap<u32, Vec<Timestamp>> {
    let mut times: BTreeMap<u32, Vec<Timestamp>> = BTreeMap::new();
    for (time, output) in outputs {
        if let Output::Send {
            message: Message::EndpointKeepAlive(keep_alive),
            ..
        } = output
        {
            let id = keep_alive.pool_element.unwrap().0;
            times.entry(id).or_default().push(time);
        }
    }
    times
}

#[test]
fn rfc_5355_section_2_14_the_rate_of_keep_alives_is_bounded() {
    let mut registrar = registrar_with(&[1, 2]);
    say(&mut registrar, 0, 1, forever(11));
    let mut sent = 0;
    for millisecond in 0..10_000 {
        let outputs = run_answering(&mut registrar, millisecond, &[]);
        sent += keep_alive_times(outputs)
            .values()
            .map(Vec::len)
            .sum::<usize>();
        // Reports without end, each of which asks for a keep-alive.
        let outputs = say(&mut registrar, millisecond, 2, unreachable_report(11));
        sent += outputs.len();
        if !outputs.is_empty() {
            say(&mut registrar, millisecond, 1, keep_alive_ack(11));
        }
    }
    let spacing = Duration::from_millis(100);
    assert!(
        sent <= 102,
        "{sent} in 10 s, and one per {spacing:?} is allowed"
    );
}
