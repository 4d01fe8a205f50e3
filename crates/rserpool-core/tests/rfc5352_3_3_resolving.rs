//! Handle resolution by a pool user (RFC 5352 §3.3: NR1 to NR4, T1, C1 to C4; §3.7).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;
#[path = "support/user.rs"]
mod user;

use rserpool_core::pool_user::{Command, Config, Event, Input, Output, ResolveFailure, Source};
use rserpool_core::{Machine, PoolUser};
use rserpool_wire::PoolHandle;
use rserpool_wire::parameter::{ErrorCause, OperationError};
use support::{association, at, decoded, drain, echo, keep_alive, ms, registrar_address, run};
use user::*;

#[test]
fn nr1_nr3_the_home_registrar_is_asked_and_answers() {
    let mut user = at_home();
    assert_eq!(resolve(&mut user, 1, 100), [asked(1, false, None)]);
    let outputs = receive(&mut user, 2, 1, response(&[11, 12]));
    assert_eq!(outputs, [resolved(100, &[11, 12], Source::Registrar)]);
    assert_eq!(user.poll_timeout(), None, "T1 has stopped");
}

#[test]
fn nr2_without_a_home_registrar_the_request_waits_for_one() {
    let mut user = PoolUser::new(config(&[HOME]), 1, at(0));
    assert_eq!(connects(&drain(&mut user)), [HOME]);
    assert_eq!(resolve(&mut user, 1, 100), []);
    let outputs = up(&mut user, 2, 1, HOME);
    assert_eq!(
        outputs,
        [
            Output::Event(Event::HomeRegistrarChanged {
                home: registrar_address(HOME),
            }),
            asked(1, false, None),
        ]
    );
}

#[test]
fn nr3_a_registrar_may_be_asked_over_tcp() {
    let tcp = "tcp:10.0.0.201:3863";
    let mut user = PoolUser::new(config(&[tcp]), 1, at(0));
    assert_eq!(connects(&drain(&mut user)), [tcp]);
    up(&mut user, 1, 1, tcp);
    assert_eq!(resolve(&mut user, 2, 100), [asked(1, false, None)]);
}

#[test]
fn several_requests_for_a_pool_are_one_to_the_registrar() {
    let mut user = at_home();
    assert_eq!(resolve(&mut user, 1, 100), [asked(1, false, None)]);
    for request in 101..110 {
        assert_eq!(resolve(&mut user, 1, request), []);
    }
    let outputs = receive(&mut user, 2, 1, response(&[11]));
    let all: Vec<_> = (100..110)
        .map(|request| resolved(request, &[11], Source::Registrar))
        .collect();
    assert_eq!(outputs, all);
}

#[test]
fn who_wants_more_than_was_asked_for_is_not_content_with_less() {
    let mut user = at_home();
    let outputs = resolve_items(&mut user, 1, 100, Some(1));
    assert_eq!(outputs, [asked(1, false, Some(1))]);
    assert_eq!(resolve_items(&mut user, 1, 101, Some(3)), []);
    let outputs = receive(&mut user, 2, 1, response(&[11]));
    assert_eq!(
        outputs,
        [
            resolved(100, &[11], Source::Registrar),
            asked(1, false, Some(3)),
        ]
    );
    let outputs = receive(&mut user, 3, 1, response(&[11, 12, 13]));
    assert_eq!(outputs, [resolved(101, &[11, 12, 13], Source::Registrar)]);
}

#[test]
fn an_unknown_pool_is_told() {
    let mut user = at_home();
    resolve(&mut user, 1, 100);
    let outputs = receive(&mut user, 2, 1, negative(ErrorCause::UnknownPoolHandle));
    assert_eq!(outputs, [resolve_failed(100, ResolveFailure::UnknownPool)]);
    resolve(&mut user, 3, 101);
    let outputs = receive(&mut user, 4, 1, negative(ErrorCause::LackOfResources));
    let error = OperationError::from(ErrorCause::LackOfResources);
    assert_eq!(
        outputs,
        [resolve_failed(101, ResolveFailure::Rejected(error))]
    );
}

#[test]
fn section_3_7_2_t1_sends_again_and_looks_for_another_registrar_beside() {
    let mut user = at_home_with(config(&[HOME, OTHER]));
    resolve(&mut user, 0, 100);
    let outputs = untimed(run(&mut user, 400));
    assert_eq!(
        outputs,
        [
            Output::Event(Event::ServerHuntStarted {
                lost: Some(registrar_address(HOME)),
            }),
            asked(1, false, None),
            Output::Connect {
                registrar: registrar_address(OTHER),
            },
        ]
    );
    // "if an alternate ENRP server responds, the ASAP Endpoint SHOULD adopt the responding ENRP
    // server as its new Home ENRP server and re-send the request".
    let outputs = up(&mut user, 401, 2, OTHER);
    assert_eq!(
        outputs,
        [
            closed(1),
            Output::Event(Event::HomeRegistrarChanged {
                home: registrar_address(OTHER),
            }),
            asked(2, false, None),
        ]
    );
    let outputs = receive(&mut user, 402, 2, response(&[11]));
    assert_eq!(outputs, [resolved(100, &[11], Source::Registrar)]);
}

#[test]
fn section_3_7_2_a_home_registrar_that_answers_after_all_stays_it() {
    let mut user = at_home_with(config(&[HOME, OTHER]));
    resolve(&mut user, 0, 100);
    run(&mut user, 400);
    let outputs = receive(&mut user, 401, 1, response(&[11]));
    assert!(outputs.contains(&resolved(100, &[11], Source::Registrar)));
    assert_eq!(stops(&outputs), [OTHER]);
    assert_eq!(up(&mut user, 402, 2, OTHER), [closed(2)], "too late");
}

#[test]
fn section_3_7_2_after_max_request_retransmit_the_user_is_told() {
    let mut user = at_home();
    resolve(&mut user, 0, 100);
    let outputs = untimed(run(&mut user, 1_200));
    let requests = outputs
        .iter()
        .filter(|output| **output == asked(1, false, None));
    assert_eq!(requests.count(), 2, "MAX-REQUEST-RETRANSMIT is 2");
    let told = resolve_failed(100, ResolveFailure::Timeout);
    assert!(outputs.contains(&told), "{outputs:?}");
}

#[test]
fn without_any_registrar_the_user_is_told() {
    let mut user = PoolUser::new(config(&[]), 1, at(0));
    resolve(&mut user, 0, 100);
    let outputs = untimed(run(&mut user, 1_200));
    let told = resolve_failed(100, ResolveFailure::NoRegistrar);
    assert!(outputs.contains(&told), "{outputs:?}");
}

#[test]
fn registrars_that_take_turns_in_failing_do_not_put_the_end_off() {
    let mut user = at_home_with(config(&[HOME, OTHER]));
    resolve(&mut user, 0, 100);
    let mut told = None;
    for time in 1..5_000 {
        let mut outputs = untimed(run(&mut user, time));
        if time % 100 == 0 {
            let number = time / 100;
            let home = user.snapshot().home;
            if home.is_some() {
                outputs.extend(lost(&mut user, time, number));
            }
            for registrar in [HOME, OTHER] {
                outputs.extend(up(&mut user, time, number + 1, registrar));
            }
        }
        if outputs
            .iter()
            .any(|output| matches!(output, Output::Event(Event::ResolveFailed { .. })))
        {
            told = Some(time);
            break;
        }
    }
    assert!(told.is_some_and(|time| time <= 2_000), "{told:?}");
}

#[test]
fn section_3_7_1_after_a_send_failure_the_request_goes_to_another_registrar() {
    let mut user = at_home_with(config(&[HOME, OTHER]));
    resolve(&mut user, 0, 100);
    let failure = Input::SendFailed {
        association: association(1),
    };
    let outputs = input(&mut user, 1, failure);
    assert_eq!(outputs[0], closed(1));
    assert_eq!(connects(&outputs), [OTHER]);
    let outputs = up(&mut user, 2, 2, OTHER);
    assert!(outputs.contains(&asked(2, false, None)));
}

#[test]
fn c1_c4_what_is_not_stale_is_answered_without_asking() {
    let mut user = at_home();
    resolve(&mut user, 0, 100);
    receive(&mut user, 0, 1, response(&[11, 12]));
    let outputs = resolve(&mut user, 999, 101);
    assert_eq!(outputs, [resolved(101, &[11, 12], Source::Cache)]);
    let outputs = resolve_items(&mut user, 999, 102, Some(1));
    assert_eq!(outputs, [resolved(102, &[11], Source::Cache)]);
}

#[test]
fn c2_c3_what_is_stale_is_asked_for_again() {
    let mut user = at_home();
    resolve(&mut user, 0, 100);
    receive(&mut user, 0, 1, response(&[11]));
    assert_eq!(resolve(&mut user, 1_000, 101), [asked(1, false, None)]);
    let outputs = receive(&mut user, 1_001, 1, response(&[12]));
    assert_eq!(outputs, [resolved(101, &[12], Source::Registrar)]);
}

#[test]
fn a_stale_cache_value_of_zero_asks_every_time() {
    let mut always = config(&[HOME]);
    always.timers.stale_cache_value = ms(0);
    let mut user = at_home_with(always);
    for request in 0..3 {
        assert_eq!(
            resolve(&mut user, request, request),
            [asked(1, false, None)]
        );
        receive(&mut user, request, 1, response(&[11]));
    }
}

#[test]
fn f13_with_all_registrars_down_the_stale_cache_answers_and_says_so() {
    let mut user = at_home();
    resolve(&mut user, 0, 100);
    receive(&mut user, 0, 1, response(&[11, 12]));
    lost(&mut user, 5_000, 1);
    resolve(&mut user, 5_000, 101);
    let outputs = untimed(run(&mut user, 6_200));
    let told = resolved(101, &[11, 12], Source::StaleCache);
    assert!(outputs.contains(&told), "{outputs:?}");
}

#[test]
fn f13_who_selects_goes_by_the_stale_cache_soon_and_the_answer_still_counts() {
    let mut user = at_home();
    select(&mut user, 0, 100);
    receive(&mut user, 0, 1, response(&[11, 12]));
    report(&mut user, 5_000, 11);
    // The home registrar is there, as far as is known, but does not answer.
    assert_eq!(select(&mut user, 5_000, 101), [asked(1, false, Some(16))]);
    assert_eq!(resolve(&mut user, 5_000, 102), []);
    assert_eq!(untimed(run(&mut user, 5_149)), []);
    let outputs = untimed(run(&mut user, 5_150));
    let [
        Output::Event(Event::Selected {
            pool_element,
            source,
            ..
        }),
    ] = &outputs[..]
    else {
        panic!("only who selects is answered: {outputs:?}");
    };
    assert_eq!((pool_element.id().0, *source), (12, Source::StaleCache));
    // That no registrar answers is known now: who selects next does not wait.
    assert_eq!(selected(&select(&mut user, 5_200, 103)), [12]);
    let outputs = receive(&mut user, 5_360, 1, response(&[13]));
    assert_eq!(outputs, [resolved(102, &[13], Source::Registrar)]);
    assert_eq!(selected(&select(&mut user, 5_361, 104)), [13]);
    assert_eq!(user.poll_timeout(), None);
}

#[test]
fn with_the_rfcs_timers_who_selects_waits_for_t1_to_the_end() {
    let mut rfc = config(&[HOME]);
    rfc.timers = rserpool_core::Timers::rfc();
    let timers = rfc.timers.clone();
    let t1_in_all = timers.t1_enrp_request * (timers.max_request_retransmit + 1);
    assert!(timers.stale_answer_after >= t1_in_all);
    let mut user = at_home_with(rfc);
    select(&mut user, 0, 100);
    receive(&mut user, 0, 1, response(&[11]));
    select(&mut user, 40_000, 101);
    let before = untimed(run(&mut user, 84_999));
    assert_eq!(selected(&before), []);
    assert_eq!(selected(&untimed(run(&mut user, 85_000))), [11]);
}

#[test]
fn the_cache_forgets_what_was_used_longest_ago() {
    let mut small = config(&[HOME]);
    small.limits.cached_pools_max = 2;
    let mut user = at_home_with(small);
    for handle in ["a", "b", "a", "c"] {
        let resolve = Command::Resolve {
            request: rserpool_core::pool_user::RequestId(1),
            pool_handle: PoolHandle::from(handle),
            items: None,
            subscribe: false,
        };
        if !command(&mut user, 0, resolve).is_empty() {
            let mut answer = response(&[11]);
            answer.pool_handle = PoolHandle::from(handle);
            receive(&mut user, 0, 1, answer);
        }
    }
    let cached = user.snapshot().cache.into_iter();
    let cached: Vec<_> = cached.map(|pool| pool.pool_handle).collect();
    assert_eq!(cached, [PoolHandle::from("a"), PoolHandle::from("c")]);
}

#[test]
fn selection_is_by_the_pool_users_side_of_the_policy() {
    let mut user = at_home();
    assert_eq!(select(&mut user, 0, 100), [asked(1, false, Some(16))]);
    let mut order = selected(&receive(&mut user, 0, 1, response(&[11, 12, 13])));
    for request in 101..106 {
        order.extend(selected(&select(&mut user, 1, request)));
    }
    assert_eq!(order, [11, 12, 13, 11, 12, 13], "round robin");
}

#[test]
fn requests_that_wait_are_limited_and_each_is_answered() {
    let mut few = config(&[]);
    few.limits.requests_max = 3;
    let mut user = PoolUser::new(few, 1, at(0));
    drain(&mut user);
    let mut outputs = Vec::new();
    for request in 0..10 {
        outputs.extend(resolve(&mut user, 0, request));
    }
    let refused: Vec<_> = (3..10)
        .map(|request| resolve_failed(request, ResolveFailure::TooManyRequests))
        .collect();
    assert_eq!(outputs, refused);
    let outputs = command(&mut user, 1, Command::Stop);
    let stopped: Vec<_> = (0..3)
        .map(|request| resolve_failed(request, ResolveFailure::Stopped))
        .collect();
    assert_eq!(outputs, stopped);
    let outputs = resolve(&mut user, 2, 99);
    assert_eq!(outputs, [resolve_failed(99, ResolveFailure::Stopped)]);
    assert_eq!(user.poll_timeout(), None);
}

#[test]
fn answers_from_strangers_and_to_nobody_are_dropped() {
    let mut user = at_home();
    resolve(&mut user, 0, 100);
    assert_eq!(receive(&mut user, 1, 66, response(&[66])), []);
    receive(&mut user, 2, 1, response(&[11]));
    assert_eq!(receive(&mut user, 3, 1, response(&[67])), []);
    let outputs = resolve(&mut user, 4, 101);
    assert_eq!(outputs, [resolved(101, &[11], Source::Cache)]);
    assert_eq!(user.snapshot().discarded, 2);
}

#[test]
fn a_message_for_another_role_is_dropped() {
    let mut user = at_home();
    let input = Input::Received {
        from: association(1),
        message: Ok(decoded(keep_alive(11))),
    };
    user.handle_input(at(0), input);
    assert_eq!(
        drain(&mut user),
        [Output::Event(Event::UnexpectedMessage { message_type: 7 })]
    );
}

#[test]
fn subscriptions_have_a_limit_of_their_own() {
    let mut few = Config {
        registrars: vec![registrar_address(HOME)],
        ..Config::default()
    };
    few.limits.subscriptions_max = 0;
    let mut user = at_home_with(few);
    let outputs = subscribe(&mut user, 0, 100);
    assert_eq!(
        outputs,
        [resolve_failed(100, ResolveFailure::TooManyRequests)]
    );
    assert_eq!(user.snapshot().subscriptions, [] as [PoolHandle; 0]);
    let _ = echo();
}

#[test]
fn section_6_4_a_cache_that_is_purged_is_not_used() {
    let mut user = at_home();
    resolve(&mut user, 0, 100);
    receive(&mut user, 1, 1, response(&[11]));
    assert_eq!(
        resolve(&mut user, 2, 101),
        [resolved(101, &[11], Source::Cache)]
    );
    let pool_handle = echo();
    assert_eq!(
        command(&mut user, 3, Command::PurgeCache { pool_handle }),
        []
    );
    assert_eq!(resolve(&mut user, 4, 102), [asked(1, false, None)]);
}

#[test]
fn f13_who_wants_one_leaves_sessions_as_many_pool_elements_as_before() {
    let mut user = at_home();
    select(&mut user, 0, 100);
    receive(&mut user, 0, 1, response(&[11, 12, 13]));
    // Another application of the same pool user, when the cache has become stale.
    let outputs = resolve_items(&mut user, 40_000, 101, Some(1));
    assert_eq!(outputs, [asked(1, false, Some(16))]);
    let outputs = receive(&mut user, 40_000, 1, response(&[11, 12, 13]));
    assert_eq!(outputs, [resolved(101, &[11], Source::Registrar)]);
    // The registrars are gone, and then one pool element after the other.
    lost(&mut user, 40_001, 1);
    for id in [11, 12] {
        report(&mut user, 40_002, id);
    }
    assert_eq!(selected(&select(&mut user, 40_003, 102)), [13]);
}
