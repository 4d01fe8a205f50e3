//! Message delivery options (RFC 5352 §6.5.5): what becomes of what a pool element that failed may
//! not have.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use rserpool_core::session::{
    OnFailover, SessionMessage, UNDELIVERED_MESSAGES_MAX, UNDELIVERED_OCTETS_MAX, Undelivered,
};

fn message(text: &str, on_failover: OnFailover) -> SessionMessage {
    SessionMessage::new(text).on_failover(on_failover)
}

/// Sends what waits, as the messages with these and the following numbers.
fn send_waiting(undelivered: &mut Undelivered, first: u64) -> Vec<String> {
    let mut sent = Vec::new();
    for number in first.. {
        let Some(message) = undelivered.next_waiting() else {
            break;
        };
        sent.push(String::from_utf8(message.data.clone()).unwrap());
        undelivered.sent_next_waiting(number);
    }
    sent
}

#[test]
fn send_failover_what_has_not_arrived_is_sent_again_in_its_order() {
    let mut undelivered = Undelivered::default();
    for (number, text) in (1..).zip(["a", "b", "c"]) {
        undelivered.add_sent(number, message(text, OnFailover::Resend));
    }
    undelivered.on_arrived(1);
    assert_eq!(undelivered.fail_over(), []);
    // One that is sent before the others have gone is sent after them.
    undelivered.add_waiting(message("d", OnFailover::Resend));
    assert_eq!(send_waiting(&mut undelivered, 1), ["b", "c", "d"]);
    undelivered.on_arrived(3);
    assert!(undelivered.is_empty());
}

#[test]
fn send_no_failover_what_has_not_arrived_is_given_back() {
    let mut undelivered = Undelivered::default();
    undelivered.add_sent(1, message("a", OnFailover::Return));
    undelivered.add_sent(2, message("b", OnFailover::Resend));
    undelivered.add_waiting(message("c", OnFailover::Return));
    let returned = undelivered.fail_over();
    let texts: Vec<_> = returned.iter().map(|message| &message.data[..]).collect();
    assert_eq!(texts, [b"a", b"c"]);
    assert_eq!(send_waiting(&mut undelivered, 1), ["b"]);
}

#[test]
fn a_second_failover_sends_again_what_the_first_one_sent() {
    let mut undelivered = Undelivered::default();
    for (number, text) in (7..).zip(["a", "b", "c"]) {
        undelivered.add_sent(number, message(text, OnFailover::Resend));
    }
    undelivered.fail_over();
    undelivered.sent_next_waiting(1);
    assert_eq!(undelivered.fail_over(), []);
    assert_eq!(send_waiting(&mut undelivered, 1), ["a", "b", "c"]);
}

#[test]
fn arrivals_on_one_association_say_nothing_of_what_waits_for_the_next() {
    let mut undelivered = Undelivered::default();
    undelivered.add_waiting(message("a", OnFailover::Resend));
    undelivered.on_arrived(u64::MAX);
    assert_eq!(undelivered.len(), 1);
}

#[test]
fn what_is_kept_has_a_limit_in_octets_and_in_messages() {
    let mut undelivered = Undelivered::default();
    let large = SessionMessage::new(vec![0; UNDELIVERED_OCTETS_MAX]);
    undelivered.add_sent(1, large.clone());
    assert!(!undelivered.has_room());
    undelivered.on_arrived(1);
    assert!(undelivered.has_room());
    for number in 0..u64::try_from(UNDELIVERED_MESSAGES_MAX).unwrap() {
        assert!(undelivered.has_room());
        undelivered.add_sent(number, SessionMessage::new("x"));
    }
    assert!(!undelivered.has_room());
    assert_eq!(undelivered.take().len(), UNDELIVERED_MESSAGES_MAX);
    assert!(undelivered.has_room());
}
