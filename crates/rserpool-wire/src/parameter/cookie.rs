//! Cookie parameter ([RFC 5354 §3.13](https://www.rfc-editor.org/rfc/rfc5354#section-3.13)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │         Type = 0x000d         │             Length            │
//! ├───────────────────────────────┴───────────────────────────────┤
//! ┊                             Cookie                            ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::ParameterType;
use crate::error::Fault;
use crate::hex::Hex;
use crate::reader::Parameter;
use crate::writer::{Sink, Writer};
use alloc::vec::Vec;
use core::fmt;

/// The longest cookie: with the headers of parameter and message it fills a message.
pub const COOKIE_OCTETS_MAX: usize = 65_524;

/// A cookie (RFC 5354 §3.13): octets that only the pool elements of its pool understand. What is
/// beyond [`COOKIE_OCTETS_MAX`] is not sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cookie(pub Vec<u8>);

impl Cookie {
    pub(crate) fn read<'a>(parameter: &Parameter<'a>) -> Result<Self, Fault<'a>> {
        let octets = parameter
            .value()
            .rest_within(COOKIE_OCTETS_MAX, ParameterType::COOKIE)?;
        Ok(Self(octets.to_vec()))
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        let octets = &self.0[..self.0.len().min(COOKIE_OCTETS_MAX)];
        writer.parameter(ParameterType::COOKIE, |w| w.octets(octets));
    }
}

impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets {}", self.0.len(), Hex::line(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asap;
    use alloc::vec;

    #[test]
    fn the_longest_fills_a_message_and_more_is_cut() {
        let echo = |octets: usize| {
            asap::Message::from(asap::CookieEcho {
                cookie: Cookie(vec![7; octets]),
            })
        };
        let longest = echo(COOKIE_OCTETS_MAX).encode();
        assert_eq!(longest.len(), 65_532);
        assert_eq!(echo(COOKIE_OCTETS_MAX + 1).encode(), longest);
        let decoded = asap::Message::decode(&longest).unwrap();
        assert_eq!(decoded.message, echo(COOKIE_OCTETS_MAX));
    }
}
