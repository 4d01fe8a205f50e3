//! A node's own clock: it starts somewhere, can stand still and can jump ahead, never back.
//!
//! Must not know whose clock it is.

use rserpool_core::Timestamp;
use std::time::Duration;

/// A node's own clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Clock {
    ahead: Duration,
    frozen_at: Option<Timestamp>,
}

impl Clock {
    pub(crate) fn new(ahead: Duration) -> Self {
        Self {
            ahead,
            frozen_at: None,
        }
    }

    /// What it shows at a time of the world.
    pub(crate) fn local(&self, now: Timestamp) -> Timestamp {
        self.frozen_at.unwrap_or(now + self.ahead)
    }

    /// The time of the world at which it will show this; `None` while it stands still.
    pub(crate) fn world(&self, local: Timestamp) -> Option<Timestamp> {
        match self.frozen_at {
            None => Some(local - self.ahead),
            Some(_) => None,
        }
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen_at.is_some()
    }

    pub(crate) fn freeze(&mut self, now: Timestamp) {
        self.frozen_at = Some(self.local(now));
    }

    /// It goes on, at the time that it missed.
    pub(crate) fn unfreeze(&mut self) {
        self.frozen_at = None;
    }

    pub(crate) fn jump(&mut self, by: Duration) {
        self.ahead = self.ahead.saturating_add(by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp(Duration::from_secs(seconds))
    }

    #[test]
    fn it_stands_still_and_then_catches_up() {
        let mut clock = Clock::new(Duration::from_secs(100));
        assert_eq!(clock.local(at(1)), at(101));
        clock.freeze(at(2));
        assert_eq!((clock.local(at(50)), clock.world(at(103))), (at(102), None));
        clock.unfreeze();
        clock.jump(Duration::from_secs(1000));
        assert_eq!(clock.local(at(50)), at(1150));
        assert_eq!(clock.world(at(1151)), Some(at(51)));
    }
}
