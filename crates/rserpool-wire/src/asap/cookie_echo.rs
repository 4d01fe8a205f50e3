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

use crate::error::Fault;
use crate::message::Header;
use crate::parameter::{self, ParameterType};
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use core::fmt;

/// A pool user gives a new pool element the state of the failed one (RFC 5352 §2.2.12, §3.8).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CookieEcho {
    /// The cookie, never changed on its way.
    pub cookie: parameter::Cookie,
}

impl CookieEcho {
    /// The name in the RFC.
    pub const NAME: &str = "ASAP_COOKIE_ECHO";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x0c;

    pub(crate) fn read<'a>(
        _header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let mut cookie = None;
        while let Some(parameter) = reader.parameter()? {
            match parameter.kind {
                ParameterType::COOKIE if cookie.is_none() => {
                    cookie = Some(parameter::Cookie::read(&parameter)?);
                }
                _ => unrecognized.parameter(&parameter)?,
            }
        }
        Ok(Self {
            cookie: reader.required(cookie, ParameterType::COOKIE)?,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.message(Self::TYPE, 0, |w| self.cookie.write(w));
    }
}

impl fmt::Display for CookieEcho {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAME;
        write!(f, "{name} {}", self.cookie)
    }
}

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
