//! ENRP_HANDLE_TABLE_REQUEST ([RFC 5353 §2.2](https://www.rfc-editor.org/rfc/rfc5353#section-2.2)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬─────────────┬─┬───────────────────────────────┐
//! │  Type = 0x02  │      0      │W│         Message Length        │
//! ├───────────────┴─────────────┴─┴───────────────────────────────┤
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

/// Asks a peer for its handlespace (RFC 5353 §2.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandleTableRequest {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
    /// W flag: only the pool elements that the receiver owns.
    pub own_children_only: bool,
}

impl HandleTableRequest {
    /// The name in the RFC.
    pub const NAME: &str = "ENRP_HANDLE_TABLE_REQUEST";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x02;
    /// W: own children only.
    const OWN_CHILDREN_ONLY: u8 = 0x01;

    pub(crate) fn read<'a>(
        header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let route = Route::read(reader)?;
        unrecognized.rest(reader)?;
        Ok(Self {
            sender: route.sender,
            receiver: route.receiver,
            own_children_only: header.has(Self::OWN_CHILDREN_ONLY),
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        let flags = if self.own_children_only {
            Self::OWN_CHILDREN_ONLY
        } else {
            0
        };
        writer.message(Self::TYPE, flags, |w| {
            Route::new(self.sender, self.receiver).write(w);
        });
    }
}

impl fmt::Display for HandleTableRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAME;
        write!(f, "{name} {}", Route::new(self.sender, self.receiver))?;
        if self.own_children_only {
            f.write_str(" [W]")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::*;
    use alloc::string::ToString;

    #[test]
    fn octets_and_value() {
        let message = |own_children_only| HandleTableRequest {
            sender: registrar(0x1234_5678),
            receiver: Some(registrar(0x98d3_fe06)),
            own_children_only,
        };
        enrp_both_ways("0200000c 12345678 98d3fe06", message(false));
        enrp_both_ways("0201000c 12345678 98d3fe06", message(true));
        assert_eq!(
            message(true).to_string(),
            "ENRP_HANDLE_TABLE_REQUEST 0x12345678 > 0x98d3fe06 [W]"
        );
    }
}
