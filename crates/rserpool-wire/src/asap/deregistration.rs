//! ASAP_DEREGISTRATION ([RFC 5352 §2.2.2](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.2)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────────┬───────────────────────────────┐
//! │  Type = 0x02  │       0       │         Message Length        │
//! ├───────────────┴───────────────┴───────────────────────────────┤
//! ┊                          Pool Handle                          ┊
//! ├───────────────────────────────────────────────────────────────┤
//! │                  PE Identifier (type 0x000e)                  │
//! ├───────────────────────────────────────────────────────────────┤
//! │                                                               │
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::element_name::element_message;
use crate::{PoolElementId, PoolHandle};

/// A pool element leaves its pool (RFC 5352 §2.2.2, §3.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deregistration {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// The pool element that sends this.
    pub pool_element: PoolElementId,
}

element_message!(Deregistration, "ASAP_DEREGISTRATION", 0x02);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::*;
    use alloc::string::ToString;

    #[test]
    fn octets_and_value() {
        let message = Deregistration {
            pool_handle: echo_pool(),
            pool_element: PE,
        };
        assert_eq!(
            message.to_string(),
            "ASAP_DEREGISTRATION pool EchoPool pe 0x56c3491e"
        );
        asap_both_ways(
            "02000018 0009000c 4563686f 506f6f6c 000e0008 56c3491e",
            message,
        );
    }
}
