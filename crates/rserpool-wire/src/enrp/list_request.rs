//! ENRP_LIST_REQUEST ([RFC 5353 §2.5](https://www.rfc-editor.org/rfc/rfc5353#section-2.5)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────────┬───────────────────────────────┐
//! │  Type = 0x05  │       0       │         Message Length        │
//! ├───────────────┴───────────────┴───────────────────────────────┤
//! │                      Sending Server's ID                      │
//! ├───────────────────────────────────────────────────────────────┤
//! │                     Receiving Server's ID                     │
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

/// Asks a peer for the registrars it knows (RFC 5353 §2.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListRequest {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
}

impl ListRequest {
    /// The name in the RFC.
    pub const NAME: &str = "ENRP_LIST_REQUEST";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x05;

    pub(crate) fn read<'a>(
        _header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let route = Route::read(reader)?;
        unrecognized.rest(reader)?;
        Ok(Self {
            sender: route.sender,
            receiver: route.receiver,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.message(Self::TYPE, 0, |w| {
            Route::new(self.sender, self.receiver).write(w);
        });
    }
}

impl fmt::Display for ListRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAME;
        write!(f, "{name} {}", Route::new(self.sender, self.receiver))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::*;
    use alloc::string::ToString;

    #[test]
    fn octets_and_value() {
        let message = ListRequest {
            sender: registrar(0x1234_5678),
            receiver: None,
        };
        assert_eq!(message.to_string(), "ENRP_LIST_REQUEST 0x12345678 > all");
        enrp_both_ways("0500000c 12345678 00000000", message);
    }
}
