//! Most Used (RFC 3237 §2.10): the highest load first, which fills one pool element after the
//! other and leaves the rest idle. RFC 5356 gives it no type, so that it has one for private use.

use super::sorted::Sorted;
use super::{MemberSelection, UserRule};
use alloc::boxed::Box;
use rserpool_wire::parameter::{Policy, PolicyType};

/// The type of Most Used: for private use and adaptive (RFC 5356 §7.1). Its parameter carries
/// the load, 32 bits, as that of Least Used does (RFC 5356 §5.1.4).
pub const MOST_USED: PolicyType = PolicyType(0xc000_0001);

/// Most Used with this load.
pub fn most_used(load: u32) -> Policy {
    Policy::Other {
        policy_type: MOST_USED,
        data: Box::new(load.to_be_bytes()),
    }
}

/// In the order returned, as for Least Used.
pub(super) const USER_RULE: UserRule = UserRule::InOrder;

pub(super) fn new() -> Box<dyn MemberSelection> {
    Box::new(Sorted::new(key))
}

/// In descending order of load. A parameter of another length says nothing about a load: last.
fn key(policy: &Policy) -> u64 {
    let Policy::Other { data, .. } = policy else {
        return u64::MAX;
    };
    match <[u8; 4]>::try_from(&data[..]) {
        Ok(load) => u64::from(!u32::from_be_bytes(load)),
        Err(_) => u64::MAX,
    }
}
