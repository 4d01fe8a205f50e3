//! A cursor over octets that cannot panic, cannot leave what it was given, and knows where it is.

use crate::error::{DecodeError, DecodeErrorKind, Fault};
use crate::parameter::ParameterType;

/// Octets of a type and a length, or of a code and a length.
pub(crate) const HEADER_OCTETS: usize = 4;

/// Octets still to be read, of one message or of the value of one parameter.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    octets: &'a [u8],
    /// Of `octets[0]` from the start of the message.
    offset: usize,
    /// The whole message or parameter, header included, that is being read.
    enclosing: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of a whole message, or of one parameter that stands alone.
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self {
            octets,
            offset: 0,
            enclosing: octets,
        }
    }

    /// This reader over the value of a message: what follows its header.
    pub(crate) fn into_value(self, message: &'a [u8]) -> Self {
        Self {
            octets: message.get(HEADER_OCTETS..).unwrap_or_default(),
            offset: self.offset + HEADER_OCTETS,
            enclosing: message,
        }
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Fault<'a>> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Fault<'a>> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault<'a>> {
        let Some((octets, rest)) = self.octets.split_first_chunk::<N>() else {
            return Err(self.fault(DecodeErrorKind::Incomplete));
        };
        self.advance(N, rest);
        Ok(*octets)
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        let octets = self.octets;
        self.advance(octets.len(), &[]);
        octets
    }

    /// All that is left, if it is within a limit of this crate.
    pub(crate) fn rest_within(
        &mut self,
        octets_max: usize,
        parameter: ParameterType,
    ) -> Result<&'a [u8], Fault<'a>> {
        if self.octets.len() > octets_max {
            return Err(self.fault(DecodeErrorKind::LimitExceeded(parameter)));
        }
        Ok(self.rest())
    }

    /// The end of a value of fixed length.
    pub(crate) fn end(&self) -> Result<(), Fault<'a>> {
        if self.octets.is_empty() {
            Ok(())
        } else {
            Err(self.fault(DecodeErrorKind::ValueTooLong))
        }
    }

    /// The next parameter with its padding; `None` at the end.
    pub(crate) fn parameter(&mut self) -> Result<Option<Parameter<'a>>, Fault<'a>> {
        if self.octets.is_empty() {
            return Ok(None);
        }
        let offset = self.offset;
        let Some(&[type_high, type_low, length_high, length_low]) = self.octets.first_chunk()
        else {
            return Err(self.fault(DecodeErrorKind::HeaderIncomplete));
        };
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        if length < HEADER_OCTETS {
            return Err(self.fault(DecodeErrorKind::LengthTooSmall));
        }
        let Some((octets, rest)) = self.octets.split_at_checked(length) else {
            return Err(self.fault(DecodeErrorKind::LengthTooLarge));
        };
        self.advance(length, rest);
        self.padding(length)?;
        Ok(Some(Parameter {
            kind: ParameterType(u16::from_be_bytes([type_high, type_low])),
            octets,
            offset,
        }))
    }

    /// A parameter that the format demands, or the fault that it is not there.
    pub(crate) fn required<T>(
        &self,
        parameter: Option<T>,
        kind: ParameterType,
    ) -> Result<T, Fault<'a>> {
        parameter.ok_or_else(|| self.fault(DecodeErrorKind::MissingParameter(kind)))
    }

    /// Where this reader is in the message.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// How many octets are left.
    pub(crate) fn len(&self) -> usize {
        self.octets.len()
    }

    /// Something is wrong at this position.
    pub(crate) fn fault(&self, kind: DecodeErrorKind) -> Fault<'a> {
        Fault {
            error: DecodeError {
                offset: self.offset,
                kind,
            },
            offending: self.enclosing,
        }
    }

    /// The message as a whole is unrecognised.
    pub(crate) fn message_fault(&self, message_type: u8) -> Fault<'a> {
        Fault {
            error: DecodeError {
                offset: 0,
                kind: DecodeErrorKind::UnrecognizedMessage(message_type),
            },
            offending: self.enclosing,
        }
    }

    /// RFC 5354 §2: the enclosing length does not count the last padding. Those who count it
    /// (rsplib, in the message length) are read too.
    fn padding(&mut self, length: usize) -> Result<(), Fault<'a>> {
        if self.octets.is_empty() {
            return Ok(());
        }
        let padding = padded(length) - length;
        let Some(rest) = self.octets.get(padding..) else {
            return Err(self.fault(DecodeErrorKind::PaddingMissing));
        };
        self.advance(padding, rest);
        Ok(())
    }

    fn advance(&mut self, octets: usize, rest: &'a [u8]) {
        self.offset += octets;
        self.octets = rest;
    }
}

/// One parameter or error cause: type, length and value, without padding.
#[derive(Clone, Copy)]
pub(crate) struct Parameter<'a> {
    pub(crate) kind: ParameterType,
    octets: &'a [u8],
    offset: usize,
}

impl<'a> Parameter<'a> {
    /// The first parameter of octets that are no message.
    pub(crate) fn alone(octets: &'a [u8]) -> Result<Self, Fault<'a>> {
        let mut reader = Reader::new(octets);
        let parameter = reader.parameter()?;
        parameter.ok_or_else(|| reader.fault(DecodeErrorKind::HeaderIncomplete))
    }

    /// The value, and nothing beyond: an inner length cannot reach outside.
    pub(crate) fn value(&self) -> Reader<'a> {
        Reader {
            octets: self.octets.get(HEADER_OCTETS..).unwrap_or_default(),
            offset: self.offset + HEADER_OCTETS,
            enclosing: self.octets,
        }
    }

    /// Type, length and value.
    pub(crate) fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// Where this parameter starts in the message.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// Something is wrong with this parameter as a whole.
    pub(crate) fn fault(&self, kind: DecodeErrorKind) -> Fault<'a> {
        Fault {
            error: DecodeError {
                offset: self.offset,
                kind,
            },
            offending: self.octets,
        }
    }
}

/// A length rounded up to a multiple of four (RFC 5354 §3).
pub(crate) fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}
