//! Dynamic updates at a pool user (RFC 5352 §2.2.5, §2.2.6).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;
#[path = "support/user.rs"]
mod user;

use rserpool_core::Machine;
use rserpool_core::pool_user::{Command, RequestId, Source};
use rserpool_wire::parameter::ErrorCause;
use support::{echo, run};
use user::*;

#[test]
fn the_s_bit_asks_for_updates_and_updates_are_told() {
    let mut user = at_home();
    assert_eq!(subscribe(&mut user, 0, 100), [asked(1, true, None)]);
    let outputs = receive(&mut user, 1, 1, accepting(&[11]));
    assert_eq!(
        outputs,
        [
            resolved(100, &[11], Source::Registrar),
            updated(Some(&[11])),
        ]
    );
    let outputs = receive(&mut user, 50_000, 1, accepting(&[11, 12]));
    assert_eq!(outputs, [updated(Some(&[11, 12]))]);
    // The same again is no news.
    assert_eq!(receive(&mut user, 50_001, 1, accepting(&[11, 12])), []);
}

#[test]
fn a_cache_with_updates_is_never_stale() {
    let mut user = at_home();
    subscribe(&mut user, 0, 100);
    receive(&mut user, 1, 1, accepting(&[11]));
    let outputs = resolve(&mut user, 1_000_000, 101);
    assert_eq!(outputs, [resolved(101, &[11], Source::Cache)]);
}

#[test]
fn the_registrar_hears_of_a_subscription_also_if_the_cache_could_answer() {
    let mut user = at_home();
    resolve(&mut user, 0, 100);
    receive(&mut user, 1, 1, accepting(&[11]));
    assert_eq!(subscribe(&mut user, 2, 101), [asked(1, true, None)]);
}

#[test]
fn a_request_under_way_without_the_s_bit_does_not_hide_the_subscription() {
    let mut user = at_home();
    assert_eq!(resolve(&mut user, 0, 100), [asked(1, false, None)]);
    assert_eq!(subscribe(&mut user, 1, 101), [asked(1, true, None)]);
    let outputs = receive(&mut user, 2, 1, response(&[11]));
    assert_eq!(outputs.len(), 3, "both and the subscriber: {outputs:?}");
    assert_eq!(receive(&mut user, 3, 1, accepting(&[11])), []);
    assert_eq!(user.poll_timeout(), None, "accepted: nothing is awaited");
}

#[test]
fn later_requests_do_not_end_the_subscription() {
    let mut user = at_home();
    subscribe(&mut user, 0, 100);
    receive(&mut user, 1, 1, negative(ErrorCause::UnknownPoolHandle));
    assert_eq!(resolve(&mut user, 2, 101), [asked(1, true, None)]);
}

#[test]
fn who_subscribes_to_more_gets_updates_of_more() {
    let mut user = at_home();
    let few = Command::Resolve {
        request: RequestId(100),
        pool_handle: echo(),
        items: Some(1),
        subscribe: true,
    };
    assert_eq!(command(&mut user, 0, few), [asked(1, true, Some(1))]);
    receive(&mut user, 1, 1, accepting(&[11]));
    assert_eq!(subscribe(&mut user, 2, 101), [asked(1, true, None)]);
    receive(&mut user, 3, 1, accepting(&[11, 12]));
    // Updates are of all from now on, and so is the cache.
    assert_eq!(receive(&mut user, 4, 1, accepting(&[11, 13])).len(), 1);
    let outputs = resolve(&mut user, 9_000, 102);
    assert_eq!(outputs, [resolved(102, &[11, 13], Source::Cache)]);
}

#[test]
fn a_selection_does_not_widen_what_a_subscriber_is_told() {
    let mut user = at_home();
    let few = Command::Resolve {
        request: RequestId(100),
        pool_handle: echo(),
        items: Some(2),
        subscribe: true,
    };
    assert_eq!(command(&mut user, 0, few), [asked(1, true, Some(2))]);
    receive(&mut user, 1, 1, accepting(&[11]));
    // Selections ask for 16 after the home registrar was lost, and its updates have as many.
    let outputs = receive(&mut user, 2, 1, accepting(&[11, 12, 13]));
    assert_eq!(outputs, [updated(Some(&[11, 12]))]);
    let outputs = receive(&mut user, 3, 1, accepting(&[14, 11, 12]));
    assert_eq!(outputs, [updated(Some(&[14, 11]))]);
}

#[test]
fn a_new_home_registrar_is_asked_for_updates() {
    let mut user = at_home_with(config(&[HOME, OTHER]));
    subscribe(&mut user, 0, 100);
    receive(&mut user, 1, 1, accepting(&[11]));
    lost(&mut user, 2, 1);
    let outputs = up(&mut user, 3, 2, OTHER);
    assert!(outputs.contains(&asked(2, true, None)), "{outputs:?}");
    // What it knows is what was known: nothing to tell.
    assert_eq!(receive(&mut user, 4, 2, accepting(&[11])), []);
    let outputs = receive(&mut user, 5, 2, accepting(&[12]));
    assert_eq!(outputs, [updated(Some(&[12]))]);
}

#[test]
fn a_pool_that_is_gone_is_told_and_asked_for_until_it_is_back() {
    let mut user = at_home();
    subscribe(&mut user, 0, 100);
    receive(&mut user, 1, 1, accepting(&[11]));
    let gone = negative(ErrorCause::UnknownPoolHandle);
    assert_eq!(receive(&mut user, 2, 1, gone.clone()), [updated(None)]);
    let outputs = run(&mut user, 1_502);
    assert_eq!(outputs[0].1, asked(1, true, None));
    assert_eq!(receive(&mut user, 1_503, 1, gone), [], "still gone");
    let outputs = run(&mut user, 3_003);
    assert_eq!(outputs[0].1, asked(1, true, None));
    let outputs = receive(&mut user, 3_004, 1, accepting(&[12]));
    assert_eq!(outputs, [updated(Some(&[12]))]);
    assert_eq!(user.poll_timeout(), None);
}

#[test]
fn without_the_a_bit_the_registrar_is_asked_again_and_again() {
    let mut user = at_home();
    subscribe(&mut user, 0, 100);
    receive(&mut user, 1, 1, response(&[11]));
    let mut requests = 0;
    for time in 2..10_000 {
        for (_, output) in run(&mut user, time) {
            assert_eq!(output, asked(1, true, None));
            requests += 1;
            receive(&mut user, time, 1, response(&[11]));
        }
    }
    assert!(
        (7..=19).contains(&requests),
        "once per second or so: {requests}"
    );
}

#[test]
fn unsubscribing_asks_once_more_without_the_s_bit() {
    let mut user = at_home();
    subscribe(&mut user, 0, 100);
    receive(&mut user, 1, 1, accepting(&[11]));
    let unsubscribe = Command::Unsubscribe {
        pool_handle: echo(),
    };
    let outputs = command(&mut user, 2, unsubscribe.clone());
    assert_eq!(outputs, [asked(1, false, Some(1))]);
    assert_eq!(receive(&mut user, 3, 1, response(&[11])), []);
    assert_eq!(command(&mut user, 4, unsubscribe), [], "once");
    assert_eq!(user.poll_timeout(), None);
}
