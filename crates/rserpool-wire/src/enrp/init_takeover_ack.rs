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

use super::route::Route;
use crate::RegistrarId;
use crate::error::Fault;
use crate::message::Header;
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use core::fmt;

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

impl InitTakeoverAck {
    /// The name in the RFC.
    pub const NAME: &str = "ENRP_INIT_TAKEOVER_ACK";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x08;

    pub(crate) fn read<'a>(
        _header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let route = Route::read(reader)?;
        let target = RegistrarId::read(reader)?;
        unrecognized.rest(reader)?;
        Ok(Self {
            sender: route.sender,
            receiver: route.receiver,
            target,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.message(Self::TYPE, 0, |w| {
            self.route().write(w);
            RegistrarId::write(Some(self.target), w);
        });
    }

    fn route(&self) -> Route {
        Route {
            sender: self.sender,
            receiver: self.receiver,
        }
    }
}

impl fmt::Display for InitTakeoverAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAME;
        write!(f, "{name} {} target {}", self.route(), self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecodeErrorKind;
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

    #[test]
    fn the_target_is_demanded() {
        let error = enrp_error("08000010 12345678 aabbccdd 00000000");
        assert_eq!(
            (error.offset, error.kind),
            (12, DecodeErrorKind::ZeroRegistrarId)
        );
    }
}
