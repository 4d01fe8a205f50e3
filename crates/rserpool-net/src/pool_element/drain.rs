//! Draining (RFC 3237 §2.7): "after a PE has deregistered, it will continue to serve PUs which
//! started their connection before the deregistration".

use super::{ElementCommand, PoolElementNode};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How long users are still taken while the registrar has not confirmed that the pool is left:
/// until then it may name this pool element and no other.
const LEAVING_MAX: Duration = Duration::from_secs(1);

/// How long an application may take to say its last words to a user that is moved.
const LAST_WORDS_MAX: Duration = Duration::from_millis(100);

/// How long users may take to answer that their association is closed; those that are gone do not.
const MOVING_MAX: Duration = Duration::from_secs(2);

/// How a pool element was drained.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Drained {
    /// Connections that ended by themselves.
    pub finished: usize,
    /// Connections that were closed, so that their users go on at other pool elements: those that
    /// were there when the deadline passed, and those that the application had not accepted.
    pub moved: usize,
}

impl PoolElementNode {
    /// Leaves the pool, refuses new users, lets the connections that the application has go on, and
    /// at the deadline tells it of those that are left, and closes them in good order.
    pub async fn drain(self, deadline: Duration) -> Drained {
        let until = Instant::now() + deadline;
        let Self {
            node, mut accepted, ..
        } = self;
        // Unanswered, the registration ends with its life.
        let _ = timeout(LEAVING_MAX, node.ask(ElementCommand::Deregister)).await;
        let begun = node.ask(ElementCommand::Refuse).await.unwrap_or(0);
        accepted.close();
        let mut not_taken = 0;
        while accepted.try_recv().is_ok() {
            not_taken += 1;
        }
        let mut left = 0;
        if timeout_at(until, node.finished()).await.is_err() {
            left = node.ask(ElementCommand::TellMoving).await.unwrap_or(0);
            // If it has ended, there are none, here and below.
            if timeout(LAST_WORDS_MAX, node.finished()).await.is_err() {
                let _ = node.commands().send(ElementCommand::MoveUsers).await;
            }
            if timeout(MOVING_MAX, node.finished()).await.is_err() {
                let _ = node.commands().send(ElementCommand::AbortUsers).await;
                node.finished().await;
            }
        }
        let moved = (left + not_taken).min(begun);
        Drained {
            finished: begun - moved,
            moved,
        }
    }
}
