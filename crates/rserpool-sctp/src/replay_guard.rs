//! Cookies are good for a while, associations may end sooner: a COOKIE ECHO that the network
//! (or somebody who listened) repeats after the end must not bring the association back.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::time::Timestamp;

/// Tags remembered at most; the oldest go first. 65,536 ended associations in one cookie life
/// is more than the set-up rate of one endpoint, and 3 MiB.
const REMEMBERED_MAX: usize = 65_536;

/// The local tags of associations that ended within the life of a cookie.
pub(crate) struct ReplayGuard {
    life: Duration,
    ended: VecDeque<(Timestamp, u32)>,
    /// How often each tag is in `ended`.
    tags: BTreeMap<u32, u32>,
}

impl ReplayGuard {
    pub(crate) fn new(life: Duration) -> Self {
        Self {
            life,
            ended: VecDeque::new(),
            tags: BTreeMap::new(),
        }
    }

    pub(crate) fn on_end(&mut self, now: Timestamp, tag: u32) {
        self.forget_old(now);
        if self.ended.len() >= REMEMBERED_MAX {
            self.forget_first();
        }
        self.ended.push_back((now + self.life, tag));
        *self.tags.entry(tag).or_default() += 1;
    }

    pub(crate) fn has_ended(&self, tag: u32) -> bool {
        self.tags.contains_key(&tag)
    }

    fn forget_old(&mut self, now: Timestamp) {
        while self.ended.front().is_some_and(|(until, _)| *until < now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some((_, tag)) = self.ended.pop_front() else {
            return;
        };
        if let Some(times) = self.tags.get_mut(&tag) {
            *times -= 1;
            if *times == 0 {
                self.tags.remove(&tag);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp(Duration::from_secs(secs))
    }

    #[test]
    fn tag_is_remembered_for_the_life_of_a_cookie() {
        let mut guard = ReplayGuard::new(Duration::from_secs(60));
        guard.on_end(at(0), 1);
        guard.on_end(at(60), 2);
        assert!(guard.has_ended(1) && guard.has_ended(2));
        guard.on_end(at(61), 3);
        assert!(!guard.has_ended(1) && guard.has_ended(2));
    }

    #[test]
    fn no_more_than_the_limit_are_remembered() {
        let mut guard = ReplayGuard::new(Duration::from_secs(60));
        for tag in 0..=u32::try_from(REMEMBERED_MAX).unwrap() {
            guard.on_end(at(0), tag);
        }
        assert_eq!(guard.ended.len(), REMEMBERED_MAX);
        assert!(!guard.has_ended(0) && guard.has_ended(1));
    }
}
