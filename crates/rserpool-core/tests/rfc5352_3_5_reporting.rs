//! Reports of unreachable pool elements by a pool user (RFC 5352 §3.5).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;
#[path = "support/user.rs"]
mod user;

use rserpool_core::pool_user::Source;
use rserpool_core::{Machine, PoolUser};
use support::{at, drain, unreachable_report};
use user::*;

#[test]
fn an_unreachable_pool_element_is_reported_once() {
    let mut user = at_home();
    select(&mut user, 0, 100);
    receive(&mut user, 0, 1, response(&[11, 12]));
    assert_eq!(report(&mut user, 1, 11), [sent(1, unreachable_report(11))]);
    assert_eq!(report(&mut user, 2, 11), []);
}

#[test]
fn each_event_is_reported() {
    let mut user = at_home();
    select(&mut user, 0, 100);
    receive(&mut user, 0, 1, response(&[11]));
    report(&mut user, 1, 11);
    // The registrar still lists it, it is selected again, and again not reached.
    select(&mut user, 2, 101);
    receive(&mut user, 3, 1, response(&[11]));
    assert_eq!(report(&mut user, 4, 11), [sent(1, unreachable_report(11))]);
}

#[test]
fn who_was_never_given_to_the_user_is_not_reported() {
    let mut user = at_home();
    assert_eq!(report(&mut user, 0, 11), []);
    select(&mut user, 0, 100);
    receive(&mut user, 0, 1, response(&[11]));
    assert_eq!(report(&mut user, 1, 66), []);
}

#[test]
fn one_that_was_given_long_ago_may_still_be_reported() {
    let mut user = at_home();
    select(&mut user, 0, 100);
    receive(&mut user, 0, 1, response(&[11]));
    resolve(&mut user, 100_000, 101);
    receive(&mut user, 100_000, 1, response(&[12]));
    let outputs = report(&mut user, 100_001, 11);
    assert_eq!(outputs, [sent(1, unreachable_report(11))]);
}

#[test]
fn a_reported_pool_element_is_not_selected_while_there_is_another() {
    let mut user = at_home();
    select(&mut user, 0, 100);
    receive(&mut user, 0, 1, response(&[11, 12]));
    report(&mut user, 1, 11);
    for request in 0..5 {
        assert_eq!(selected(&select(&mut user, 2, request)), [12]);
    }
    // The registrar has not noticed yet.
    resolve_items(&mut user, 1_500, 101, Some(99));
    receive(&mut user, 1_500, 1, response(&[11, 12]));
    for request in 0..5 {
        assert_eq!(selected(&select(&mut user, 1_501, request)), [12]);
    }
    // By now it would have.
    resolve_items(&mut user, 3_000, 102, Some(99));
    receive(&mut user, 3_000, 1, response(&[11, 12]));
    assert_eq!(selected(&select(&mut user, 3_001, 103)), [11]);
}

#[test]
fn with_a_subscription_too_it_is_selected_again_if_the_registrar_keeps_it() {
    let mut user = at_home();
    subscribe(&mut user, 0, 100);
    receive(&mut user, 0, 1, accepting(&[11, 12]));
    report(&mut user, 1, 11);
    assert_eq!(
        resolve(&mut user, 2_250, 101),
        [resolved(101, &[12], Source::Cache)]
    );
    // It has been avoided for 2.25 s, and no update has taken it away.
    assert_eq!(resolve(&mut user, 2_251, 102), [asked(1, true, None)]);
    let outputs = receive(&mut user, 2_252, 1, accepting(&[11, 12]));
    assert_eq!(outputs, [resolved(102, &[11, 12], Source::Registrar)]);
    let outputs = resolve(&mut user, 100_000, 103);
    assert_eq!(outputs, [resolved(103, &[11, 12], Source::Cache)]);
}

#[test]
fn when_all_have_been_reported_the_registrar_is_asked() {
    let mut user = at_home();
    select(&mut user, 0, 100);
    receive(&mut user, 0, 1, response(&[11]));
    report(&mut user, 1, 11);
    assert_eq!(select(&mut user, 2, 101), [asked(1, false, Some(16))]);
    let outputs = receive(&mut user, 3, 1, response(&[11]));
    assert_eq!(selected(&outputs), [11], "better than none");
}

#[test]
fn reports_wait_for_a_registrar_and_are_few() {
    let mut user = at_home();
    let ids: Vec<u32> = (0..100).collect();
    resolve(&mut user, 0, 100);
    receive(&mut user, 0, 1, response(&ids));
    lost(&mut user, 1, 1);
    for id in &ids {
        assert_eq!(report(&mut user, 2, *id), []);
    }
    let outputs = up(&mut user, 3, 2, HOME);
    let expected: Vec<_> = (36..100)
        .map(|id| sent(2, unreachable_report(id)))
        .collect();
    assert_eq!(outputs[1..], expected, "the newest 64");
}

#[test]
fn a_stale_answer_does_not_have_what_was_reported() {
    let mut user = at_home();
    resolve(&mut user, 0, 100);
    receive(&mut user, 0, 1, response(&[11, 12]));
    report(&mut user, 1, 11);
    lost(&mut user, 5_000, 1);
    resolve(&mut user, 5_000, 101);
    let outputs = untimed(support::run(&mut user, 6_200));
    assert!(outputs.contains(&resolved(101, &[12], Source::StaleCache)));
}

#[test]
fn one_that_is_stopped_reports_nothing() {
    let mut user = PoolUser::new(config(&[HOME]), 1, at(0));
    drain(&mut user);
    command(&mut user, 0, rserpool_core::pool_user::Command::Stop);
    assert_eq!(report(&mut user, 1, 11), []);
}

#[test]
fn one_that_is_left_is_not_reported_and_not_selected_while_there_is_another() {
    let mut user = at_home();
    select(&mut user, 0, 100);
    receive(&mut user, 0, 1, response(&[11]));
    assert_eq!(avoid(&mut user, 1, 11), []);
    // None is known: the registrar may know another one by now.
    select(&mut user, 2, 101);
    assert_eq!(
        selected(&receive(&mut user, 3, 1, response(&[11, 12]))),
        [12]
    );
    for request in 0..5 {
        assert_eq!(selected(&select(&mut user, 4, request)), [12]);
    }
    // Another session may find that it does not answer.
    assert_eq!(report(&mut user, 5, 11), [sent(1, unreachable_report(11))]);
}

#[test]
fn the_only_one_is_selected_even_if_it_was_left() {
    let mut user = at_home();
    select(&mut user, 0, 100);
    receive(&mut user, 0, 1, response(&[11]));
    avoid(&mut user, 1, 11);
    select(&mut user, 2, 101);
    assert_eq!(selected(&receive(&mut user, 3, 1, response(&[11]))), [11]);
}
