//! Pool policies (RFC 5356): one policy, one file, one trait.
//!
//! A policy knows slots and policy values. It knows neither pools nor pool elements nor octets.

mod least_used;
mod least_used_with_degradation;
mod lottery;
mod most_used;
mod priority;
mod priority_least_used;
mod random;
mod randomized_least_used;
mod ring;
mod round_robin;
mod rsplib;
mod sorted;
mod weighted_random;
mod weighted_round_robin;

pub use most_used::{MOST_USED, most_used};

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rand_core::Rng;
use rserpool_wire::parameter::{Policy, PolicyType};

/// A policy at work in one pool: the order in which its pool elements are selected.
///
/// A pool element is a slot here, a number that stays with it while it is in the pool and is used
/// again afterwards; slots stay as small as the pool allows. All policy values of a pool have the
/// same type. Every method should take O(log n) time at most (for each selected slot).
pub trait MemberSelection: Send {
    /// A pool element with these policy values joined the pool at a slot that is not in use.
    fn insert(&mut self, slot: u32, policy: &Policy);

    /// The pool element at this slot re-registered, perhaps with the same policy values.
    fn update(&mut self, slot: u32, policy: &Policy);

    /// The pool element at this slot left the pool.
    fn remove(&mut self, slot: u32);

    /// Selects up to `items` (at least 1) different slots, the best first, appends them to
    /// `selected`, which is empty, and makes ready for the next selection.
    fn select(&mut self, items: usize, random: &mut dyn Rng, selected: &mut Vec<u32>);

    /// Appends what [`select`](Self::select) would with the same random numbers, and changes
    /// nothing.
    fn peek(&self, items: usize, random: &mut dyn Rng, selected: &mut Vec<u32>);

    /// Whether [`update`](Self::update) forgets what the pool element was given before, also if its
    /// values are the same (RFC 5356 §5.2.2): all registrars must hear of each re-registration
    /// then.
    fn counts_selections(&self) -> bool {
        false
    }

    /// Panics if what it keeps does not agree with the pool's members. For tests and debug
    /// builds.
    fn check_invariants(&self, members: &BTreeMap<u32, Policy>) {
        let _ = members;
    }
}

/// What a pool user does with the list that it got (the "Pool User Considerations" of RFC 5356).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserRule {
    /// One after the other, starting with the first, and again from the beginning (§4.1.3).
    InTurn,
    /// The first, and then each as often as its weight says (§4.2.3).
    InWeightedTurn,
    /// Any of them, each equally likely (§4.3.3).
    AtRandom,
    /// Any of them, as likely as the policy says (§4.4.1, §5.4.1).
    ByLot,
    /// The first that works; the others are backups (§5.1.3).
    InOrder,
    /// The one with the highest priority (§4.5.3).
    HighestPriority,
}

/// The policies that a handlespace knows. A pool whose policy is not among them is accepted and
/// served round robin, its policy parameter carried unchanged.
#[derive(Clone)]
pub struct Policies {
    constructors: BTreeMap<PolicyType, Constructor>,
}

type Constructor = Arc<dyn Fn() -> Box<dyn MemberSelection> + Send + Sync>;

/// A standard policy: its type, the registrar's side and the pool user's side.
type Standard = (PolicyType, fn() -> Box<dyn MemberSelection>, UserRule);

/// The nine policies of RFC 5356, and Most Used.
const STANDARD: [Standard; 10] = [
    (
        PolicyType::ROUND_ROBIN,
        round_robin::new,
        round_robin::USER_RULE,
    ),
    (
        PolicyType::WEIGHTED_ROUND_ROBIN,
        weighted_round_robin::new,
        weighted_round_robin::USER_RULE,
    ),
    (PolicyType::RANDOM, random::new, random::USER_RULE),
    (
        PolicyType::WEIGHTED_RANDOM,
        weighted_random::new,
        weighted_random::USER_RULE,
    ),
    (PolicyType::PRIORITY, priority::new, priority::USER_RULE),
    (
        PolicyType::LEAST_USED,
        least_used::new,
        least_used::USER_RULE,
    ),
    (
        PolicyType::LEAST_USED_WITH_DEGRADATION,
        least_used_with_degradation::new,
        least_used_with_degradation::USER_RULE,
    ),
    (
        PolicyType::PRIORITY_LEAST_USED,
        priority_least_used::new,
        priority_least_used::USER_RULE,
    ),
    (
        PolicyType::RANDOMIZED_LEAST_USED,
        randomized_least_used::new,
        randomized_least_used::USER_RULE,
    ),
    (MOST_USED, most_used::new, most_used::USER_RULE),
];

impl Policies {
    /// The nine policies of RFC 5356, [`MOST_USED`], and those that rsplib has beside them.
    pub fn standard() -> Self {
        let constructors = STANDARD
            .iter()
            .chain(&rsplib::RSPLIB)
            .map(|&(policy_type, new, _)| (policy_type, Arc::new(new) as Constructor))
            .collect();
        Self { constructors }
    }

    /// These and one more, or another one in the place of the one of this type. The constructor
    /// is called once for each pool. Types for private use begin at 0x80000000 (RFC 5356 §7.1).
    #[must_use]
    pub fn with<F>(mut self, policy_type: PolicyType, constructor: F) -> Self
    where
        F: Fn() -> Box<dyn MemberSelection> + Send + Sync + 'static,
    {
        self.constructors.insert(policy_type, Arc::new(constructor));
        self
    }

    /// The policy at work in a new pool.
    pub(crate) fn new_selection(&self, policy_type: PolicyType) -> Box<dyn MemberSelection> {
        match self.constructors.get(&policy_type) {
            Some(constructor) => constructor(),
            None => round_robin::new(),
        }
    }
}

impl Default for Policies {
    fn default() -> Self {
        Self::standard()
    }
}

/// What a pool user does with a list of this policy; in turn if the policy is not known.
pub(crate) fn user_rule(policy_type: PolicyType) -> UserRule {
    STANDARD
        .iter()
        .chain(&rsplib::RSPLIB)
        .find(|(known, _, _)| *known == policy_type)
        .map_or(UserRule::InTurn, |&(_, _, rule)| rule)
}

/// Of how many lots one is the pool element's, in a pool of this policy; see
/// [`UserRule::ByLot`].
pub(crate) fn lots(policy: &Policy) -> u32 {
    weighted_random::weight(policy).max(randomized_least_used::weight(policy))
}

/// A random number below `bound`, each equally likely; `bound` is not 0 (Lemire 2019).
pub(crate) fn random_below<R: Rng + ?Sized>(random: &mut R, bound: u64) -> u64 {
    loop {
        let product = u128::from(random.next_u64()) * u128::from(bound);
        let low = product & u128::from(u64::MAX);
        if low >= u128::from(bound) || low >= u128::from(bound.wrapping_neg() % bound) {
            return (product >> 64) as u64;
        }
    }
}
