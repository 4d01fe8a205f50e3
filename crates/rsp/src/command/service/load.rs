//! The load that calc reports, for the policies that go by it (RFC 5356 §5): how many of the jobs
//! that it takes it works on.
//!
//! A change is worth a re-registration only if somebody would choose differently for it, and not
//! more often than registrars and subscribers want to hear of it.

use super::calc::Jobs;
use rserpool::Policy;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What is told, in parts of all jobs that are taken: with ten of them, each job.
const NOTICEABLE: f64 = 0.05;

/// From one report to the next, at least: jobs that begin together are reported together.
const PAUSE: Duration = Duration::from_millis(50);

/// What a pool element has reported, and when.
#[derive(Debug)]
pub(crate) struct Load {
    jobs: Arc<Jobs>,
    jobs_max: u64,
    /// As it was given: its load is what this host has to do besides.
    policy: Policy,
    /// The share of jobs that is registered.
    reported: f64,
    not_before: Instant,
}

impl Load {
    /// Of an element that is registered with this policy, and has no jobs yet.
    pub(crate) fn new(jobs: Arc<Jobs>, jobs_max: u64, policy: Policy) -> Self {
        Self {
            jobs,
            jobs_max,
            policy,
            reported: 0.0,
            not_before: Instant::now(),
        }
    }

    /// Waits until there is something to report: the policy to register then. For ever if the
    /// policy does not go by load.
    ///
    /// Cancelling the future loses nothing.
    pub(crate) async fn changed(&mut self) -> Policy {
        let mut counts = self.jobs.counts();
        loop {
            let share = self.share(*counts.borrow_and_update());
            let Some(policy) = with_load(&self.policy, share) else {
                return std::future::pending().await;
            };
            if self.is_noticeable(share) && Instant::now() >= self.not_before {
                self.reported = share;
                self.not_before = Instant::now() + PAUSE;
                return policy;
            }
            let pause = async {
                if self.is_noticeable(share) {
                    tokio::time::sleep_until(self.not_before).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                // It ends with the jobs, which are held here.
                _ = counts.changed() => {}
                () = pause => {}
            }
        }
    }

    /// Idle and full are told whatever was told before: the one is looked for, the other avoided.
    fn is_noticeable(&self, share: f64) -> bool {
        let change = (share - self.reported).abs();
        change >= NOTICEABLE || (change > 0.0 && (share <= 0.0 || share >= 1.0))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "one job more or less of 2^53 is not noticeable"
    )]
    fn share(&self, jobs: u64) -> f64 {
        jobs as f64 / self.jobs_max as f64
    }
}

/// This policy, with a share of what its load leaves added to it; `None` if it has no load.
fn with_load(policy: &Policy, share: f64) -> Option<Policy> {
    let mut loaded = policy.clone();
    match &mut loaded {
        Policy::LeastUsed { load }
        | Policy::LeastUsedWithDegradation { load, .. }
        | Policy::PriorityLeastUsed { load, .. }
        | Policy::RandomizedLeastUsed { load } => *load = added(*load, share),
        Policy::RoundRobin
        | Policy::WeightedRoundRobin { .. }
        | Policy::Random
        | Policy::WeightedRandom { .. }
        | Policy::Priority { .. }
        | Policy::Other { .. } => return None,
    }
    Some(loaded)
}

/// A load of 0xffffffff is 100 % (RFC 5356 §3.1).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between zero and what is left of u32::MAX"
)]
fn added(load: u32, share: f64) -> u32 {
    let left = f64::from(u32::MAX - load);
    load.saturating_add((left * share.clamp(0.0, 1.0)).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(jobs: &Arc<Jobs>, jobs_max: u64) -> Load {
        Load::new(Arc::clone(jobs), jobs_max, Policy::LeastUsed { load: 0 })
    }

    async fn soon(load: &mut Load) -> Option<Policy> {
        let changed = tokio::time::timeout(4 * PAUSE, load.changed());
        changed.await.ok()
    }

    #[test]
    fn all_jobs_are_a_hundred_percent() {
        assert_eq!(added(0, 0.0), 0);
        assert_eq!(added(0, 0.5), 0x8000_0000);
        assert_eq!(added(0, 1.0), u32::MAX);
        assert_eq!(added(0x8000_0000, 0.5), 0xc000_0000);
        assert_eq!(added(u32::MAX, 1.0), u32::MAX);
    }

    #[test]
    fn only_policies_with_a_load_have_one() {
        let degradation = 7;
        let policy = Policy::LeastUsedWithDegradation {
            load: 0,
            degradation,
        };
        let full = Policy::LeastUsedWithDegradation {
            load: u32::MAX,
            degradation,
        };
        assert_eq!(with_load(&policy, 1.0), Some(full));
        assert_eq!(with_load(&Policy::RoundRobin, 1.0), None);
        assert_eq!(with_load(&Policy::Priority { priority: 1 }, 1.0), None);
    }

    #[tokio::test]
    async fn small_changes_are_not_told_but_those_to_idle_and_full() {
        let jobs = Arc::new(Jobs::default());
        let mut load = load(&jobs, 100);
        let mut places: Vec<_> = (0..4).map(|_| jobs.take(100).unwrap()).collect();
        assert_eq!(soon(&mut load).await, None, "four of a hundred");
        places.push(jobs.take(100).unwrap());
        let five = Policy::LeastUsed {
            load: added(0, 0.05),
        };
        assert_eq!(soon(&mut load).await, Some(five));
        places.truncate(2);
        assert_eq!(soon(&mut load).await, None);
        places.clear();
        let idle = Policy::LeastUsed { load: 0 };
        assert_eq!(soon(&mut load).await, Some(idle));
        assert_eq!(soon(&mut load).await, None, "once");
    }

    #[tokio::test]
    async fn jobs_that_begin_together_are_told_together() {
        let jobs = Arc::new(Jobs::default());
        let mut load = load(&jobs, 10);
        let first = jobs.take(10).unwrap();
        soon(&mut load).await.unwrap();
        let _more: Vec<_> = (0..3).map(|_| jobs.take(10).unwrap()).collect();
        let four = Policy::LeastUsed {
            load: added(0, 0.4),
        };
        assert_eq!(soon(&mut load).await, Some(four));
        // What is as it was at the end of the pause is not told.
        drop(first);
        let _again = jobs.take(10).unwrap();
        assert_eq!(soon(&mut load).await, None);
    }
}
