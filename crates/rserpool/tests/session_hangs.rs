//! Pool elements that hang or die in the middle of something, and what the session makes of it.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::echo_process::{self, echo_process};
use common::process::Process;
use common::{registrar, sctp, soon, user};
use rserpool::{OnFailover, PoolElementId, SendFailed, Session, SessionEvent, SessionMessage};

#[tokio::test]
#[ignore = "a process of the other tests"]
async fn echo_element_process() {
    echo_process::serve().await;
}

/// A message with this number, of many packets.
fn numbered(number: u32) -> SessionMessage {
    let data = [&number.to_be_bytes()[..], &[0; 8_000]].concat();
    SessionMessage::new(data).on_failover(OnFailover::Resend)
}

/// Who echoed which number.
fn echoed(data: &[u8]) -> (String, u32) {
    let end = data.iter().position(|octet| *octet == b' ').unwrap();
    let (by, rest) = data.split_at(end);
    let number = u32::from_be_bytes(rest[1..5].try_into().unwrap());
    (String::from_utf8(by.to_vec()).unwrap(), number)
}

/// Sends numbered messages without a pause, until so many are sent.
fn send_all(session: &Session, messages: u32) -> tokio::task::JoinHandle<()> {
    let sender = session.sender();
    tokio::spawn(async move {
        for number in 0..messages {
            // Without a pool element, as much is kept as is allowed.
            while sender.send_message(numbered(number)).await == Err(SendFailed::TooMuchUndelivered)
            {
                tokio::task::yield_now().await;
            }
        }
    })
}

fn assert_failover(event: &SessionEvent, before: PoolElementId, after: PoolElementId) {
    let SessionEvent::Failover { from, to, .. } = event else {
        panic!("{event:?}");
    };
    assert_eq!((*from, *to), (before, after));
}

/// A transfer in the middle of which `interrupt` is done to the pool element that serves it.
async fn transfer(interrupt: impl FnOnce(&mut Process)) {
    const MESSAGES: u32 = 2000;
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let (mut first, first_id) = echo_process(&at).await;
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let (_second, second_id) = echo_process(&at).await;
    let sending = send_all(&session, MESSAGES);
    let mut interrupt = Some(interrupt);
    let (mut of_first, mut of_second) = (Vec::new(), Vec::new());
    while of_second.last() != Some(&(MESSAGES - 1)) {
        let event = soon("an echo", session.recv()).await.unwrap();
        if let SessionEvent::Message(received) = event {
            let (by, number) = echoed(&received.data);
            if by == first_id.to_string() {
                of_first.push(number);
            } else {
                of_second.push(number);
            }
        } else {
            assert_failover(&event, first_id, second_id);
        }
        if of_first.len() == 300
            && let Some(interrupt) = interrupt.take()
        {
            interrupt(&mut first);
        }
    }
    soon("the sender", sending).await.unwrap();
    let begins = of_second[0];
    println!(
        "{} echoed by the first, the second began with {begins}",
        of_first.len()
    );
    let in_order = |numbers: &[u32]| numbers.windows(2).all(|two| two[1] == two[0] + 1);
    assert_eq!(of_first[0], 0);
    assert!(in_order(&of_first) && in_order(&of_second));
    // What was acknowledged and not echoed is at most what one association has under way.
    let lost = begins.saturating_sub(of_first.len().try_into().unwrap());
    assert!(lost <= 2 * 256 * 1024 / 8_000, "{lost}");
}

#[tokio::test]
async fn a_transfer_goes_on_in_order_when_its_pool_element_is_stopped_in_the_middle() {
    transfer(|first| first.stop()).await;
}

#[tokio::test]
async fn a_transfer_goes_on_in_order_when_its_pool_element_is_killed_in_the_middle() {
    transfer(Process::kill).await;
}

#[tokio::test]
async fn a_pool_element_that_hangs_before_it_takes_a_session_over_is_passed_by() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let (mut first, first_id) = echo_process(&at).await;
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let (hanging, _) = echo_process(&at).await;
    let (_third, third_id) = echo_process(&at).await;
    user.purge_cache("echo").await;
    assert_eq!(user.resolve("echo").await.unwrap().pool_elements.len(), 3);
    hanging.stop();
    session.send_message(numbered(1)).await.unwrap();
    first.kill();
    let mut by = Vec::new();
    while by.last() != Some(&third_id.to_string()) {
        let event = soon("an echo", session.recv()).await.unwrap();
        if let SessionEvent::Message(received) = event {
            by.push(echoed(&received.data).0);
        } else {
            assert_failover(&event, first_id, third_id);
            session.send_message(numbered(2)).await.unwrap();
        }
    }
}
