//! PE Checksum parameter ([RFC 5354 §3.15](https://www.rfc-editor.org/rfc/rfc5354#section-3.15)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │         Type = 0x000f         │           Length = 6          │
//! ├───────────────────────────────┼───────────────────────────────┤
//! │          PE Checksum          │           (padding)           │
//! └───────────────────────────────┴───────────────────────────────┘
//! ```

use super::ParameterType;
use crate::error::Fault;
use crate::reader::Parameter;
use crate::writer::{Sink, Writer};
use core::fmt;

/// The checksum over all pool elements that a registrar owns (RFC 5354 §3.15, RFC 5353 §3.6.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeChecksum(pub u16);

impl PeChecksum {
    pub(crate) fn read<'a>(parameter: &Parameter<'a>) -> Result<Self, Fault<'a>> {
        let mut value = parameter.value();
        let checksum = Self(value.u16()?);
        value.end()?;
        Ok(checksum)
    }

    pub(crate) fn write<S: Sink>(self, writer: &mut Writer<'_, S>) {
        writer.parameter(ParameterType::PE_CHECKSUM, |w| w.u16(self.0));
    }
}

impl fmt::Display for PeChecksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}
