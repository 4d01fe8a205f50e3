//! PE Identifier parameter ([RFC 5354 §3.14](https://www.rfc-editor.org/rfc/rfc5354#section-3.14)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │         Type = 0x000e         │           Length = 8          │
//! ├───────────────────────────────┴───────────────────────────────┤
//! │                         PE Identifier                         │
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::ParameterType;
use crate::error::Fault;
use crate::reader::Parameter;
use crate::writer::{Sink, Writer};
use core::fmt;

/// A pool element's identifier, unique within its pool (RFC 5354 §3.14).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PoolElementId(pub u32);

impl PoolElementId {
    pub(crate) fn read<'a>(parameter: &Parameter<'a>) -> Result<Self, Fault<'a>> {
        let mut value = parameter.value();
        let id = Self(value.u32()?);
        value.end()?;
        Ok(id)
    }

    pub(crate) fn write<S: Sink>(self, writer: &mut Writer<'_, S>) {
        writer.parameter(ParameterType::PE_IDENTIFIER, |w| w.u32(self.0));
    }
}

impl fmt::Display for PoolElementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::*;
    use alloc::string::ToString;

    #[test]
    fn octets_and_value() {
        assert_eq!(written(|w| PE.write(w)), hex("000e0008 56c3491e"));
        let read = read_parameter("000e0008 56c3491e", |parameter, _| {
            PoolElementId::read(parameter).map_err(|fault| fault.error.kind)
        });
        assert_eq!(read, Ok(PE));
        assert_eq!(PE.to_string(), "0x56c3491e");
    }
}
