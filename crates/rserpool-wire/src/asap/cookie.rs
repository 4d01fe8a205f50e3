//! ASAP_COOKIE ([RFC 5352 §2.2.11](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.11)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────────┬───────────────────────────────┐
//! │  Type = 0x0b  │       0       │         Message Length        │
//! ├───────────────┴───────────────┴───────────────────────────────┤
//! ┊                             Cookie                            ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::cookie_message::cookie_message;
use crate::parameter;

/// A pool element gives a pool user its state to keep (RFC 5352 §2.2.11, §3.8).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cookie {
    /// The cookie, never changed on its way.
    pub cookie: parameter::Cookie,
}

cookie_message!(Cookie, "ASAP_COOKIE", 0x0b);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::*;
    use alloc::string::ToString;

    /// rsplib counts the padding in the message length.
    #[test]
    fn octets_and_value() {
        let message = Cookie {
            cookie: parameter::Cookie(b"ABCDE".to_vec()),
        };
        assert_eq!(message.to_string(), "ASAP_COOKIE 5 octets 4142434445");
        asap_both_ways("0b00000d 000d0009 41424344 45000000", message.clone());
        asap_reads("0b000010 000d0009 41424344 45000000", message);
    }
}
