//! Least Used (RFC 5356 §5.1): the lowest load first.

use super::sorted::Sorted;
use super::{MemberSelection, UserRule};
use alloc::boxed::Box;
use rserpool_wire::parameter::Policy;

/// §5.1.3: in the order returned.
pub(super) const USER_RULE: UserRule = UserRule::InOrder;

pub(super) fn new() -> Box<dyn MemberSelection> {
    Box::new(Sorted::new(key))
}

/// §5.1.2: in ascending order of load.
fn key(policy: &Policy) -> u64 {
    if let Policy::LeastUsed { load } = policy {
        u64::from(*load)
    } else {
        u64::MAX
    }
}
