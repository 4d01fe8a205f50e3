//! Randomized Least Used (RFC 5356 §5.4): any, as likely as it is free; fully utilised never.

use super::lottery::Lottery;
use super::{MemberSelection, UserRule};
use alloc::boxed::Box;
use rserpool_wire::parameter::Policy;

/// §5.4.3: as for Weighted Random.
pub(super) const USER_RULE: UserRule = UserRule::ByLot;

pub(super) fn new() -> Box<dyn MemberSelection> {
    Box::new(Lottery::new(weight))
}

/// §5.4.2: weight 0xffffffff - load.
pub(super) fn weight(policy: &Policy) -> u32 {
    if let Policy::RandomizedLeastUsed { load } = policy {
        u32::MAX - load
    } else {
        0
    }
}
