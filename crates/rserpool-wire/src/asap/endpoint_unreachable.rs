//! ASAP_ENDPOINT_UNREACHABLE
//! ([RFC 5352 §2.2.9](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.9)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────────┬───────────────────────────────┐
//! │  Type = 0x09  │       0       │         Message Length        │
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

/// A report that a pool element cannot be reached (RFC 5352 §2.2.9).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointUnreachable {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// The pool element that could not be reached.
    pub pool_element: PoolElementId,
}

element_message!(EndpointUnreachable, "ASAP_ENDPOINT_UNREACHABLE", 0x09);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::*;
    use alloc::string::ToString;

    #[test]
    fn octets_and_value() {
        let message = EndpointUnreachable {
            pool_handle: echo_pool(),
            pool_element: PE,
        };
        assert_eq!(
            message.to_string(),
            "ASAP_ENDPOINT_UNREACHABLE pool EchoPool pe 0x56c3491e"
        );
        asap_both_ways(
            "09000018 0009000c 4563686f 506f6f6c 000e0008 56c3491e",
            message,
        );
    }
}
