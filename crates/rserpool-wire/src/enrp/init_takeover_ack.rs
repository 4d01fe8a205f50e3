//! ENRP_INIT_TAKEOVER_ACK ([RFC 5353 §2.8](https://www.rfc-editor.org/rfc/rfc5353#section-2.8)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────────┬───────────────────────────────┐
//! │  Type = 0x08  │       0       │         Message Length        │
//! ├───────────────┴───────────────┴───────────────────────────────┤
//! │                      Sending Server's ID                      │
//! ├───────────────────────────────────────────────────────────────┤
//! │                     Receiving Server's ID                     │
//! ├───────────────────────────────────────────────────────────────┤
//! │                     Targeting Server's ID                     │
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::takeover::takeover_message;
use crate::RegistrarId;

/// A registrar does not object to a takeover (RFC 5353 §2.8, §3.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InitTakeoverAck {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
    /// The registrar that is taken over.
    pub target: RegistrarId,
}

takeover_message!(InitTakeoverAck, "ENRP_INIT_TAKEOVER_ACK", 0x08);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::*;
    use alloc::string::ToString;

    #[test]
    fn octets_and_value() {
        let message = InitTakeoverAck {
            sender: registrar(0x1234_5678),
            receiver: Some(registrar(0xaabb_ccdd)),
            target: registrar(0x98d3_fe06),
        };
        assert_eq!(
            message.to_string(),
            "ENRP_INIT_TAKEOVER_ACK 0x12345678 > 0xaabbccdd target 0x98d3fe06"
        );
        enrp_both_ways("08000010 12345678 aabbccdd 98d3fe06", message);
    }
}
