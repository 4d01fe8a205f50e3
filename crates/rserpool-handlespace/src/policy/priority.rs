//! Priority (RFC 5356 §4.5): the highest priority first.

use super::sorted::Sorted;
use super::{MemberSelection, UserRule};
use alloc::boxed::Box;
use rserpool_wire::parameter::Policy;

/// §4.5.3: the active pool element with the highest priority.
pub(super) const USER_RULE: UserRule = UserRule::HighestPriority;

pub(super) fn new() -> Box<dyn MemberSelection> {
    Box::new(Sorted::new(key))
}

/// §4.5.2: in decreasing order of priority.
fn key(policy: &Policy) -> u64 {
    if let Policy::Priority { priority } = policy {
        u64::from(!priority)
    } else {
        u64::MAX
    }
}
