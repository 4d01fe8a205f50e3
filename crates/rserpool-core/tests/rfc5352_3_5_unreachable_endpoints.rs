//! Reports of unreachable pool elements at a registrar (RFC 5352 §3.5, RFC 5355 §2.13).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use rserpool_core::registrar::{Config, Event, Limit, Output, RemovalReason};
use rserpool_core::{Machine, Registrar};
use rserpool_wire::PoolElementId;
use support::*;

#[test]
fn a_report_makes_the_registrar_ask_at_once() {
    let mut registrar = registrar_with(&[1, 9]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    registrar.handle_input(at(1), received(9, unreachable_report(11)));
    assert_eq!(
        drain(&mut registrar),
        [
            Output::Event(Event::UnreachableReported {
                association: association(9),
                pool_handle: echo(),
                pool_element: PoolElementId(11),
                reporters: 1,
            }),
            send(1, keep_alive(11)),
        ]
    );
}

#[test]
fn a_pool_element_that_answers_is_retained() {
    let mut registrar = registrar_with(&[1, 9]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    say(&mut registrar, 1, 9, unreachable_report(11));
    say(&mut registrar, 2, 1, keep_alive_ack(11));
    run_answering(&mut registrar, 10_000, &[]);
    assert_eq!(identifiers(&registrar), [11]);
}

#[test]
fn a_pool_element_that_does_not_answer_is_removed_after_the_timeout() {
    let mut registrar = registrar_with(&[1, 9]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    say(&mut registrar, 1, 9, unreachable_report(11));
    run(&mut registrar, 750);
    assert_eq!(identifiers(&registrar), [11]);
    run(&mut registrar, 751);
    assert_eq!(identifiers(&registrar), []);
}

#[test]
fn max_bad_pe_report_withdraws_patience_from_one_that_does_not_answer() {
    // MAX-BAD-PE-REPORT is 3: with the fourth host it is exceeded.
    let mut registrar = registrar_with(&[1, 5, 6, 7, 8]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    for (time, reporter) in [(1, 5), (2, 6), (3, 7), (4, 8)] {
        say(&mut registrar, time, reporter, unreachable_report(11));
    }
    run(&mut registrar, 250);
    assert_eq!(identifiers(&registrar), [11]);
    let outputs = run(&mut registrar, 251);
    let removals: Vec<_> = outputs.into_iter().map(|(_, output)| output).collect();
    assert!(removals.contains(&removed(11, RemovalReason::ReportedUnreachable, true)));
}

#[test]
fn three_reporters_do_not_exceed_max_bad_pe_report() {
    let mut registrar = registrar_with(&[1, 5, 6, 7]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    for (time, reporter) in [(1, 5), (2, 6), (3, 7)] {
        say(&mut registrar, time, reporter, unreachable_report(11));
    }
    run(&mut registrar, 750);
    assert_eq!(identifiers(&registrar), [11]);
}

#[test]
fn many_who_lie_do_not_evict_one_that_answers() {
    let hosts: Vec<u8> = (1..=60).collect();
    let mut registrar = registrar_with(&hosts);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    for second in 0..30 {
        let time = second * 1_000;
        for reporter in 2..=60 {
            say(&mut registrar, time, reporter, unreachable_report(11));
        }
        // It takes a fifth of a second to answer.
        run(&mut registrar, time + 200);
        say(&mut registrar, time + 200, 1, keep_alive_ack(11));
        run_answering(&mut registrar, time + 999, &[]);
        assert_eq!(identifiers(&registrar), [11], "after {second} s");
        say(
            &mut registrar,
            time + 999,
            1,
            registration(element_on(1, 11)),
        );
    }
}

#[test]
fn one_reporter_counts_once_over_however_many_associations() {
    let mut registrar = registrar_with(&[1]);
    for number in 100..200 {
        associate(&mut registrar, 0, number, peer(9));
    }
    drain(&mut registrar);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    for number in 100..200 {
        say(&mut registrar, 1, number, unreachable_report(11));
    }
    let element = &registrar.snapshot().pools[0].pool_elements[0];
    assert_eq!(element.reporters, 1);
    run(&mut registrar, 750);
    assert_eq!(identifiers(&registrar), [11], "it has its full timeout");
}

#[test]
fn a_sign_of_life_clears_the_counter() {
    let mut registrar = registrar_with(&[1, 5, 6, 7, 8]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    for reporter in [5, 6, 7] {
        say(&mut registrar, 1, reporter, unreachable_report(11));
    }
    say(&mut registrar, 2, 1, keep_alive_ack(11));
    assert_eq!(reporters(&registrar), 0);
    say(&mut registrar, 3, 8, unreachable_report(11));
    assert_eq!(reporters(&registrar), 1);
}

#[test]
fn reports_are_forgotten() {
    let mut registrar = registrar_with(&[1, 5, 6]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    say(&mut registrar, 1, 5, unreachable_report(11));
    // The report is all that is known of it: keep-alives go unanswered only in this test.
    let mut config = Config::new(registrar_id());
    config.timers.keep_alive_timeout = ms(60_000);
    let mut registrar = registrar_configured(config, &[1, 5, 6]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    say(&mut registrar, 1, 5, unreachable_report(11));
    say(&mut registrar, 9_000, 6, unreachable_report(11));
    assert_eq!(reporters(&registrar), 2);
    say(&mut registrar, 10_001, 6, unreachable_report(11));
    assert_eq!(reporters(&registrar), 1, "the first is 10 s old");
}

#[test]
fn rfc_5355_section_2_13_reports_are_limited_per_reporter() {
    let mut config = Config::new(registrar_id());
    config.limits.reports_per_second = 5;
    let mut registrar = registrar_configured(config, &[1, 8, 9]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    let mut refused = 0;
    for _ in 0..20 {
        registrar.handle_input(at(10), received(9, unreachable_report(11)));
        let limit = Event::LimitReached {
            limit: Limit::UnreachableReports,
            association: Some(association(9)),
        };
        refused += usize::from(drain(&mut registrar).contains(&Output::Event(limit)));
    }
    assert_eq!(refused, 15);
    // Others are not affected.
    registrar.handle_input(at(10), received(8, unreachable_report(11)));
    assert_eq!(registrar.snapshot().counters.unreachable_reports, 6);
}

#[test]
fn a_report_of_nobody_is_ignored() {
    let mut registrar = registrar_with(&[9]);
    registrar.handle_input(at(0), received(9, unreachable_report(11)));
    assert_eq!(drain(&mut registrar), []);
}

fn reporters(registrar: &Registrar) -> usize {
    registrar.snapshot().pools[0].pool_elements[0].reporters
}
