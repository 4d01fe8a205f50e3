//! Weighted Random (RFC 5356 §4.4): any, as likely as its weight says; weight 0 never.

use super::lottery::Lottery;
use super::{MemberSelection, UserRule};
use alloc::boxed::Box;
use rserpool_wire::parameter::Policy;

/// §4.4.3: randomly selecting one element from the list, "at random with the probability" of its
/// weight (§4.4.1).
pub(super) const USER_RULE: UserRule = UserRule::ByLot;

pub(super) fn new() -> Box<dyn MemberSelection> {
    Box::new(Lottery::new(weight))
}

/// §4.4.2: as likely as the ratio of the weight to the sum of weights.
pub(super) fn weight(policy: &Policy) -> u32 {
    if let Policy::WeightedRandom { weight } = policy {
        *weight
    } else {
        0
    }
}
