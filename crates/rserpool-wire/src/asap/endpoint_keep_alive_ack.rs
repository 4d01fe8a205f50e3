//! ASAP_ENDPOINT_KEEP_ALIVE_ACK
//! ([RFC 5352 §2.2.8](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.8)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────────┬───────────────────────────────┐
//! │  Type = 0x08  │       0       │         Message Length        │
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

/// A pool element's answer to a keep-alive (RFC 5352 §2.2.8).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointKeepAliveAck {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// The pool element that answers.
    pub pool_element: PoolElementId,
}

element_message!(EndpointKeepAliveAck, "ASAP_ENDPOINT_KEEP_ALIVE_ACK", 0x08);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::*;
    use alloc::string::ToString;

    #[test]
    fn octets_and_value() {
        let message = EndpointKeepAliveAck {
            pool_handle: echo_pool(),
            pool_element: PE,
        };
        assert_eq!(
            message.to_string(),
            "ASAP_ENDPOINT_KEEP_ALIVE_ACK pool EchoPool pe 0x56c3491e"
        );
        asap_both_ways(
            "08000018 0009000c 4563686f 506f6f6c 000e0008 56c3491e",
            message,
        );
    }
}
