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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DecodeErrorKind, test_support::*};
    use alloc::string::ToString;

    fn read(digits: &str) -> Result<PeChecksum, DecodeErrorKind> {
        read_parameter(digits, |parameter, _| {
            PeChecksum::read(parameter).map_err(|fault| fault.error.kind)
        })
    }

    #[test]
    fn octets_and_value() {
        let checksum = PeChecksum(0xf26f);
        assert_eq!(written(|w| checksum.write(w)), hex("000f0006 f26f0000"));
        assert_eq!(read("000f0006 f26f0000"), Ok(checksum));
        assert_eq!(read("000f0005 f2000000"), Err(DecodeErrorKind::Incomplete));
        assert_eq!(
            read("000f0008 f26f0000"),
            Err(DecodeErrorKind::ValueTooLong)
        );
        assert_eq!(checksum.to_string(), "0xf26f");
    }
}
