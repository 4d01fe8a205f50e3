//! ASAP_COOKIE_ECHO ([RFC 5352 §2.2.12](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.12)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────────┬───────────────────────────────┐
//! │  Type = 0x0c  │       0       │         Message Length        │
//! ├───────────────┴───────────────┴───────────────────────────────┤
//! ┊                             Cookie                            ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::cookie_message::cookie_message;
use crate::parameter;

/// A pool user gives a new pool element the state of the failed one (RFC 5352 §2.2.12, §3.8).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CookieEcho {
    /// The cookie, never changed on its way.
    pub cookie: parameter::Cookie,
}

cookie_message!(CookieEcho, "ASAP_COOKIE_ECHO", 0x0c);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::*;
    use alloc::string::ToString;

    /// rsplib counts the padding in the message length.
    #[test]
    fn octets_and_value() {
        let message = CookieEcho {
            cookie: parameter::Cookie(b"ABCDE".to_vec()),
        };
        assert_eq!(message.to_string(), "ASAP_COOKIE_ECHO 5 octets 4142434445");
        asap_both_ways("0c00000d 000d0009 41424344 45000000", message.clone());
        asap_reads("0c000010 000d0009 41424344 45000000", message);
    }
}
