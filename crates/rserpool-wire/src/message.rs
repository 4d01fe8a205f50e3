//! The common message format (RFC 5354 §4).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────────┬───────────────────────────────┐
//! │  Message Type │ Message Flags │         Message Length        │
//! ├───────────────┴───────────────┴───────────────────────────────┤
//! ┊                         Message Value                         ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use crate::error::{DecodeError, DecodeErrorKind, Decoded, Fault, Undecodable};
use crate::reader::{HEADER_OCTETS, Reader, padded};
use crate::unrecognized::Unrecognized;
use alloc::vec::Vec;

/// The most octets of a message without its padding: its length is a 16-bit field.
pub const MESSAGE_OCTETS_MAX: usize = 65_535;

/// Type and flags of a message.
#[derive(Clone, Copy)]
pub(crate) struct Header {
    pub(crate) message_type: u8,
    pub(crate) flags: u8,
}

impl Header {
    pub(crate) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// How many octets the message takes whose header this is, padding included, where messages follow
/// each other in a stream (ASAP over TCP).
///
/// # Errors
/// [`DecodeErrorKind::LengthTooSmall`]: the stream cannot be followed any further; close it.
pub fn message_octets(header: [u8; 4]) -> Result<usize, DecodeError> {
    let [_, _, high, low] = header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < HEADER_OCTETS {
        return Err(DecodeError {
            offset: 2,
            kind: DecodeErrorKind::LengthTooSmall,
        });
    }
    Ok(padded(length))
}

/// Decodes a message: the frame here, what is in it by `read`. `error_type` is the protocol's own
/// error message, which is never answered: two peers would answer each other for ever.
pub(crate) fn decode<'a, M>(
    octets: &'a [u8],
    error_type: u8,
    read: impl FnOnce(Header, &mut Reader<'a>, &mut Unrecognized) -> Result<M, Fault<'a>>,
) -> Result<Decoded<M>, Undecodable> {
    let mut unrecognized = Unrecognized::default();
    let is_error = octets.first() == Some(&error_type);
    let unless_error = |causes| if is_error { Vec::new() } else { causes };
    let message =
        open(octets).and_then(|(header, mut value)| read(header, &mut value, &mut unrecognized));
    match message {
        Ok(message) => Ok(Decoded {
            message,
            unrecognized: unless_error(unrecognized.into_causes()),
        }),
        Err(fault) => Err(Undecodable {
            error: fault.error,
            report: unless_error(unrecognized.into_causes_with(&fault)),
        }),
    }
}

/// Checks the length of a message and gives a reader of its value.
///
/// RFC 5354 §4: the Message Length does not count the final padding. A length that does is read
/// too (rsplib). The padding itself must be there.
pub(crate) fn open(octets: &[u8]) -> Result<(Header, Reader<'_>), Fault<'_>> {
    let reader = Reader::new(octets);
    let Some(&[message_type, flags, high, low]) = octets.first_chunk() else {
        return Err(reader.fault(DecodeErrorKind::HeaderIncomplete));
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let fault_at = |offset, kind| Fault {
        error: DecodeError { offset, kind },
        offending: octets,
    };
    if length < HEADER_OCTETS {
        return Err(fault_at(2, DecodeErrorKind::LengthTooSmall));
    }
    let Some(message) = octets.get(..length) else {
        return Err(fault_at(2, DecodeErrorKind::LengthTooLarge));
    };
    if octets.len() < padded(length) {
        return Err(fault_at(octets.len(), DecodeErrorKind::PaddingMissing));
    }
    if octets.len() > padded(length) {
        return Err(fault_at(padded(length), DecodeErrorKind::TrailingOctets));
    }
    let header = Header {
        message_type,
        flags,
    };
    Ok((header, reader.into_value(message)))
}

/// What all messages of a protocol have in common, given the names of its messages: each is a
/// struct with `TYPE`, `read`, `write` and `Display`.
macro_rules! messages {
    ($($name:ident),+ $(,)?) => {
        impl Message {
            /// Reads a message: all octets of one SCTP user message or UDP datagram, or the octets
            /// of [`message_octets`](crate::message_octets) from a stream.
            ///
            /// # Errors
            /// The first thing that is wrong, where, and what to report to the sender.
            pub fn decode(octets: &[u8]) -> Result<Decoded<Self>, Undecodable> {
                message::decode(octets, Error::TYPE, |header, reader, unrecognized| {
                    match header.message_type {
                        $($name::TYPE => {
                            $name::read(header, reader, unrecognized).map(Self::$name)
                        })+
                        other => Err(reader.message_fault(other)),
                    }
                })
            }

            /// The message as octets, padded to a multiple of four.
            pub fn encode(&self) -> Vec<u8> {
                let mut octets = Vec::with_capacity(self.encoded_len());
                self.encode_into(&mut octets);
                octets
            }

            /// Appends the message as octets, padded to a multiple of four.
            pub fn encode_into(&self, octets: &mut Vec<u8>) {
                self.write(&mut Writer::new(octets));
            }

            /// How many octets [`encode`](Self::encode) gives.
            pub fn encoded_len(&self) -> usize {
                let mut length = Length::default();
                self.write(&mut Writer::new(&mut length));
                length.0
            }

            /// The number in the Message Type field.
            pub fn message_type(&self) -> u8 {
                match self {
                    $(Self::$name(_) => $name::TYPE,)+
                }
            }

            fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
                match self {
                    $(Self::$name(message) => message.write(writer),)+
                }
            }
        }

        impl fmt::Display for Message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name(message) => message.fmt(f),)+
                }
            }
        }

        $(impl From<$name> for Message {
            fn from(message: $name) -> Self {
                Self::$name(message)
            }
        })+
    };
}
pub(crate) use messages;
