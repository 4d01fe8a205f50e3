//! Priority Least Used (RFC 5356 §5.3): the lowest load after one more request first.

use super::sorted::Sorted;
use super::{MemberSelection, UserRule};
use alloc::boxed::Box;
use rserpool_wire::parameter::Policy;

/// §5.3.3: in the order returned.
pub(super) const USER_RULE: UserRule = UserRule::InOrder;

pub(super) fn new() -> Box<dyn MemberSelection> {
    Box::new(Sorted::new(key))
}

/// §5.3.2: in ascending order of the sum of load and load degradation.
fn key(policy: &Policy) -> u64 {
    if let Policy::PriorityLeastUsed { load, degradation } = policy {
        u64::from(*load) + u64::from(*degradation)
    } else {
        u64::MAX
    }
}
