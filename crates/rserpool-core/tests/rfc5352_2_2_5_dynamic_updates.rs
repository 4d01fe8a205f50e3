//! Dynamic updates by a registrar (RFC 5352 §2.2.5, §2.2.6: the S and A bits).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use rserpool_core::registrar::{Config, Event, Input, Limit, Output, SubscriptionEnd};
use rserpool_core::{Machine, Registrar, Timestamp};
use rserpool_wire::PoolHandle;
use rserpool_wire::asap::{HandleResolution, HandleResolutionResponse, Message};
use rserpool_wire::parameter::{EncodedPoolElement, Policy, PoolElement};
use support::*;

const SUBSCRIBER: u64 = 9;

#[test]
fn the_a_bit_says_that_updates_follow_and_the_first_change_is_told_at_once() {
    let mut registrar = subscribed();
    let outputs = say(&mut registrar, 1_000, 1, registration(element_on(1, 12)));
    assert_eq!(outputs[0], granted(1, 12));
    assert_eq!(update(&outputs[1]), (true, Some(vec![11, 12])));
    assert_eq!(outputs.len(), 2);
}

#[test]
fn without_the_s_bit_no_updates_are_sent() {
    let mut registrar = registrar_with(&[1, 9]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    let answer = say(&mut registrar, 0, SUBSCRIBER, resolution());
    assert_eq!(update(&answer[0]), (false, Some(vec![11])));
    let outputs = say(&mut registrar, 0, 1, registration(element_on(1, 12)));
    assert_eq!(outputs, [granted(1, 12)]);
}

#[test]
fn a_changed_policy_value_is_a_change() {
    let mut registrar = registrar_with(&[1, 9]);
    let load = |load| PoolElement {
        policy: Policy::LeastUsed { load },
        ..element_on(1, 11)
    };
    say(&mut registrar, 0, 1, registration(load(1)));
    say(&mut registrar, 0, SUBSCRIBER, subscription());
    let outputs = say(&mut registrar, 0, 1, registration(load(7)));
    assert_eq!(outputs.len(), 2, "{outputs:?}");
    let Output::Send { message, .. } = &outputs[1] else {
        panic!("an update");
    };
    let Message::HandleResolutionResponse(update) = message else {
        panic!("an update");
    };
    let elements = &update.result.as_ref().unwrap().pool_elements;
    assert_eq!(elements[0].decode(), recorded(load(7), 1));
}

#[test]
fn an_unchanged_reregistration_is_none() {
    let mut registrar = subscribed();
    let outputs = say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    assert_eq!(outputs, [granted(1, 11)]);
}

#[test]
fn changes_in_quick_succession_are_told_together_and_the_last_state_is_always_told() {
    let mut registrar = subscribed();
    let mut told = Vec::new();
    for step in 0..100 {
        let time = 1_000 + step;
        told.extend(updates(run_answering(&mut registrar, time, &[])));
        let id = 100 + u32::try_from(step).unwrap();
        let outputs = say(&mut registrar, time, 1, registration(element_on(1, id)));
        let outputs = outputs.into_iter().map(|output| (at(time), output));
        told.extend(updates(outputs.collect()));
    }
    told.extend(updates(run_answering(&mut registrar, 1_200, &[])));
    let times: Vec<_> = told.iter().map(|(time, _)| time.0.as_millis()).collect();
    // Every 20 ms, as the default timers say.
    assert_eq!(times, [1_000, 1_020, 1_040, 1_060, 1_080, 1_100]);
    assert_eq!(told[0].1.len(), 2);
    assert_eq!(told[5].1.len(), 101);
}

#[test]
fn updates_do_not_disturb_the_selection() {
    let mut registrar = subscribed();
    say(&mut registrar, 0, 1, registration(element_on(1, 12)));
    let mut first = Vec::new();
    for step in 1..=6 {
        let one = Message::from(HandleResolution {
            pool_handle: echo(),
            subscribe: false,
            items: Some(1),
        });
        let answer = say(&mut registrar, step * 100, 1, one);
        first.push(resolved(&answer)[0].id.0);
        // A change of another attribute, which is told to the subscriber.
        let mut changed = element_on(1, 12);
        changed.registration_life =
            rserpool_wire::RegistrationLife::Seconds(61 + u32::try_from(step).unwrap());
        let outputs = say(&mut registrar, step * 100, 1, registration(changed));
        assert_eq!(outputs.len(), 2);
        run_answering(&mut registrar, step * 100 + 99, &[]);
    }
    assert!(
        first == [11, 12, 11, 12, 11, 12] || first == [12, 11, 12, 11, 12, 11],
        "{first:?}"
    );
}

#[test]
fn a_pool_that_is_gone_is_told_once_and_ends_the_subscription() {
    let mut registrar = subscribed();
    registrar.handle_input(at(0), received(1, deregistration(11)));
    let outputs = drain(&mut registrar);
    assert!(outputs.contains(&ended(SubscriptionEnd::PoolRemoved)));
    let sends = without_events(outputs);
    assert_eq!(update(&sends[1]), (false, None));
    // "no further updates to the Pool (when it is created) will occur"
    let outputs = say(&mut registrar, 1_000, 1, registration(element_on(1, 11)));
    assert_eq!(outputs, [granted(1, 11)]);
    assert_eq!(registrar.snapshot().subscriptions, 0);
}

#[test]
fn a_subscription_to_no_pool_is_none() {
    let mut registrar = registrar_with(&[1, 9]);
    let answer = say(&mut registrar, 0, SUBSCRIBER, subscription());
    assert_eq!(update(&answer[0]), (false, None));
    let outputs = say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    assert_eq!(outputs, [granted(1, 11)]);
}

#[test]
fn a_request_without_the_s_bit_ends_the_subscription() {
    let mut registrar = subscribed();
    registrar.handle_input(at(0), received(SUBSCRIBER, resolution()));
    let outputs = drain(&mut registrar);
    assert!(outputs.contains(&ended(SubscriptionEnd::Unsubscribed)));
    let outputs = say(&mut registrar, 0, 1, registration(element_on(1, 12)));
    assert_eq!(outputs, [granted(1, 12)]);
}

#[test]
fn a_subscription_lasts_as_long_as_its_association() {
    let mut registrar = subscribed();
    let outputs = lose(&mut registrar, 0, SUBSCRIBER);
    assert!(outputs.contains(&ended(SubscriptionEnd::AssociationLost)));
    let outputs = say(&mut registrar, 0, 1, registration(element_on(1, 12)));
    assert_eq!(outputs, [granted(1, 12)]);
    assert_eq!(registrar.snapshot().subscriptions, 0);
}

#[test]
fn subscribers_are_told_when_an_association_takes_its_pool_elements_away() {
    let mut registrar = registrar_with(&[1, 2, 9]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    say(&mut registrar, 0, 1, registration(element_on(1, 12)));
    say(&mut registrar, 0, 2, registration(element_on(2, 22)));
    say(&mut registrar, 0, SUBSCRIBER, subscription());
    let outputs = without_events(lose(&mut registrar, 0, 1));
    assert_eq!(outputs.len(), 1, "one update for both: {outputs:?}");
    assert_eq!(update(&outputs[0]), (true, Some(vec![22])));
}

#[test]
fn a_pool_of_which_nothing_can_be_selected_keeps_its_subscribers() {
    let mut registrar = registrar_with(&[1, 9]);
    let weight = |weight| PoolElement {
        policy: Policy::WeightedRandom { weight },
        ..element_on(1, 11)
    };
    say(&mut registrar, 0, 1, registration(weight(1)));
    say(&mut registrar, 0, SUBSCRIBER, subscription());
    let outputs = say(&mut registrar, 0, 1, registration(weight(0)));
    assert_eq!(update(&outputs[1]), (true, None));
    run_answering(&mut registrar, 100, &[]);
    let outputs = say(&mut registrar, 100, 1, registration(weight(2)));
    assert_eq!(update(&outputs[1]), (true, Some(vec![11])));
}

#[test]
fn a_limit_refuses_updates_and_not_the_resolution() {
    let mut config = Config::new(registrar_id());
    config.limits.subscriptions_per_association_max = 1;
    config.limits.subscriptions_max = 2;
    let mut registrar = registrar_configured(config, &[1, 7, 8, 9]);
    for handle in ["echo", "chargen"] {
        say(&mut registrar, 0, 1, in_pool(handle));
    }
    let subscribe = |registrar: &mut Registrar, from, handle: &str| {
        registrar.handle_input(at(0), received(from, subscribing(handle)));
        let outputs = drain(registrar);
        let events = events(outputs.clone());
        let limits: Vec<_> = events.iter().filter_map(limit).collect();
        let sends = without_events(outputs);
        (update(&sends[0]).0, limits)
    };
    assert_eq!(subscribe(&mut registrar, 9, "echo"), (true, vec![]));
    assert_eq!(subscribe(&mut registrar, 9, "echo"), (true, vec![]));
    let per_association = vec![Limit::SubscriptionsOfAssociation];
    assert_eq!(
        subscribe(&mut registrar, 9, "chargen"),
        (false, per_association)
    );
    assert_eq!(subscribe(&mut registrar, 8, "chargen"), (true, vec![]));
    let in_total = vec![Limit::Subscriptions];
    assert_eq!(subscribe(&mut registrar, 7, "chargen"), (false, in_total));
}

#[test]
fn many_subscribers_are_told_in_portions_and_all_learn_the_last_state() {
    let mut registrar = registrar_with(&[1]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    let subscribers = 1_000..1_700;
    for number in subscribers.clone() {
        associate(&mut registrar, 0, number, peer(9));
        say(&mut registrar, 0, number, subscription());
    }
    registrar.handle_input(at(0), received(1, registration(element_on(1, 12))));
    let mut told = std::collections::BTreeMap::new();
    let mut portions = Vec::new();
    let mut outputs = drain(&mut registrar);
    while !outputs.is_empty() {
        // While the first change is being told, there is another.
        if portions.is_empty() {
            registrar.handle_input(at(0), received(1, registration(element_on(1, 13))));
            outputs.extend(drain(&mut registrar));
        }
        let mut portion = 0;
        for output in without_events(std::mem::take(&mut outputs)) {
            let Output::Send { to, .. } = &output else {
                continue;
            };
            if output != granted(1, 12) && output != granted(1, 13) {
                told.insert(*to, update(&output).1.unwrap());
                portion += 1;
            }
        }
        portions.push(portion);
        if let Some(next) = registrar.poll_timeout().filter(|next| *next < at(30)) {
            registrar.handle_timeout(next);
            outputs = drain(&mut registrar);
        }
    }
    assert!(
        portions.iter().all(|portion| *portion <= 512),
        "{portions:?}"
    );
    assert_eq!(told.len(), subscribers.count());
    assert!(told.values().all(|elements| *elements == [11, 12, 13]));
}

fn subscribed() -> Registrar {
    let mut registrar = registrar_with(&[1, 9]);
    say(&mut registrar, 0, 1, registration(element_on(1, 11)));
    registrar.handle_input(at(0), received(SUBSCRIBER, subscription()));
    let outputs = drain(&mut registrar);
    assert!(outputs.contains(&Output::Event(Event::SubscriptionStarted {
        association: association(SUBSCRIBER),
        pool_handle: echo(),
    })));
    let sends = without_events(outputs);
    assert_eq!(update(&sends[0]), (true, Some(vec![11])));
    registrar
}

fn ended(reason: SubscriptionEnd) -> Output {
    Output::Event(Event::SubscriptionEnded {
        association: association(SUBSCRIBER),
        pool_handle: echo(),
        reason,
    })
}

fn subscribing(handle: &str) -> Message {
    Message::from(HandleResolution {
        pool_handle: PoolHandle::from(handle),
        subscribe: true,
        items: None,
    })
}

fn in_pool(handle: &str) -> Message {
    Message::from(rserpool_wire::asap::Registration {
        pool_handle: PoolHandle::from(handle),
        pool_element: element_on(1, 11),
    })
}

fn limit(event: &Event) -> Option<Limit> {
    if let Event::LimitReached { limit, .. } = event {
        Some(*limit)
    } else {
        None
    }
}

/// The A bit and the identifiers, in their order, of a response; `None` if it is negative.
fn update(output: &Output) -> (bool, Option<Vec<u32>>) {
    let Output::Send {
        message: Message::HandleResolutionResponse(response),
        ..
    } = output
    else {
        panic!("a handle resolution response, not {output:?}");
    };
    let HandleResolutionResponse {
        updates_accepted,
        result,
        ..
    } = response;
    let elements = result.as_ref().ok().map(|resolution| {
        let mut ids: Vec<_> = resolution
            .pool_elements
            .iter()
            .map(EncodedPoolElement::id)
            .map(|id| id.0)
            .collect();
        ids.sort_unstable();
        ids
    });
    (*updates_accepted, elements)
}

fn updates(outputs: Vec<(Timestamp, Output)>) -> Vec<(Timestamp, Vec<u32>)> {
    let is_update = |output: &Output| {
        matches!(
            output,
            Output::Send {
                message: Message::HandleResolutionResponse(_),
                ..
            }
        )
    };
    outputs
        .into_iter()
        .filter(|(_, output)| is_update(output))
        .map(|(time, output)| (time, update(&output).1.unwrap()))
        .collect()
}

#[test]
fn a_subscriber_that_is_gone_meanwhile_is_not_told() {
    let mut registrar = subscribed();
    say(&mut registrar, 0, 1, registration(element_on(1, 12)));
    say(&mut registrar, 1, 1, registration(element_on(1, 13)));
    registrar.handle_input(
        at(2),
        Input::AssociationLost {
            association: association(SUBSCRIBER),
        },
    );
    drain(&mut registrar);
    let later = updates(run_answering(&mut registrar, 1_000, &[]));
    assert_eq!(later, []);
}
