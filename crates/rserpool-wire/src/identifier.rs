//! Fields that are no parameters of their own: the registrar's identifier and the registration life
//! (RFC 5353 §2.1, RFC 5354 §3.10, §3.11).

use crate::error::{DecodeErrorKind, Fault};
use crate::reader::Reader;
use crate::writer::{Sink, Writer};
use core::fmt;
use core::num::NonZeroU32;

/// A registrar's identifier: random, not zero, kept until it restarts (RFC 5353 §2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RegistrarId(pub NonZeroU32);

impl RegistrarId {
    /// The identifier with this number; zero means "none" on the wire.
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The number on the wire.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// Reads an identifier where there must be one.
    pub(crate) fn read<'a>(reader: &mut Reader<'a>) -> Result<Self, Fault<'a>> {
        let fault = reader.fault(DecodeErrorKind::ZeroRegistrarId);
        Self::new(reader.u32()?).ok_or(fault)
    }

    pub(crate) fn write<S: Sink>(id: Option<Self>, writer: &mut Writer<'_, S>) {
        writer.u32(id.map_or(0, Self::get));
    }
}

impl fmt::Display for RegistrarId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.get())
    }
}

/// How long a registration holds unless it is renewed (RFC 5354 §3.10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegistrationLife {
    /// This many seconds; at most 2^31 - 1, which is sent for all that is above.
    Seconds(u32),
    /// For ever (-1 on the wire).
    Infinite,
}

impl RegistrationLife {
    const INFINITE: u32 = u32::MAX;

    pub(crate) fn read<'a>(reader: &mut Reader<'a>) -> Result<Self, Fault<'a>> {
        let fault = reader.fault(DecodeErrorKind::InvalidRegistrationLife);
        match reader.u32()? {
            Self::INFINITE => Ok(Self::Infinite),
            seconds if seconds <= i32::MAX.unsigned_abs() => Ok(Self::Seconds(seconds)),
            _ => Err(fault),
        }
    }

    pub(crate) fn write<S: Sink>(self, writer: &mut Writer<'_, S>) {
        writer.u32(match self {
            Self::Seconds(seconds) => seconds.min(i32::MAX.unsigned_abs()),
            Self::Infinite => Self::INFINITE,
        });
    }
}

impl fmt::Display for RegistrationLife {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) => write!(f, "{seconds}s"),
            Self::Infinite => f.write_str("infinite"),
        }
    }
}
