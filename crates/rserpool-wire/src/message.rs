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
use crate::parameter::{
    OPERATION_ERROR_OCTETS_MAX, POLICY_DATA_OCTETS_MAX, POOL_ELEMENT_OCTETS_MAX,
    POOL_HANDLE_OCTETS_MAX,
};
use crate::reader::{HEADER_OCTETS, Reader, padded};
use crate::unrecognized::Unrecognized;
use alloc::vec::Vec;

/// The most octets of a message without its padding: its length is a 16-bit field.
pub const MESSAGE_OCTETS_MAX: usize = 65_535;

// Any pool handle fits together with any policy and at least one pool element of any size, or with
// any error: only the number of entries in a list needs a look at the room that is left.
const _: () = assert!(
    20 + 4 + POOL_HANDLE_OCTETS_MAX + 8 + POLICY_DATA_OCTETS_MAX + POOL_ELEMENT_OCTETS_MAX
        <= MESSAGE_OCTETS_MAX & !3
);
const _: () = assert!(
    20 + 4 + POOL_HANDLE_OCTETS_MAX + OPERATION_ERROR_OCTETS_MAX <= MESSAGE_OCTETS_MAX & !3
);

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

            /// The name of a message type, if the protocol has it.
            pub fn type_name(message_type: u8) -> Option<&'static str> {
                match message_type {
                    $($name::TYPE => Some($name::NAME),)+
                    _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::ErrorCause;
    use crate::test_support::*;
    use crate::{asap, enrp};

    #[test]
    fn lengths_must_agree_with_the_octets() {
        for (digits, offset, kind) in [
            ("", 0, DecodeErrorKind::HeaderIncomplete),
            ("050000", 0, DecodeErrorKind::HeaderIncomplete),
            ("05000003", 2, DecodeErrorKind::LengthTooSmall),
            (
                "05000014 0009000c 4563686f 506f6f6c",
                2,
                DecodeErrorKind::LengthTooLarge,
            ),
            (
                "05000010 0009000c 4563686f 506f6f6c 00000000",
                16,
                DecodeErrorKind::TrailingOctets,
            ),
            (
                "05000010 0009000d 4563686f 506f6f6c",
                4,
                DecodeErrorKind::LengthTooLarge,
            ),
            (
                "05000010 00090003 4563686f 506f6f6c",
                4,
                DecodeErrorKind::LengthTooSmall,
            ),
            (
                "05000012 0009000c 4563686f 506f6f6c 00000000",
                16,
                DecodeErrorKind::HeaderIncomplete,
            ),
        ] {
            let undecodable = asap::Message::decode(&hex(digits)).unwrap_err();
            assert_eq!(undecodable.error, DecodeError { offset, kind }, "{digits}");
            // Nobody can know what such octets were meant to be.
            assert_eq!(undecodable.report, []);
        }
    }

    /// RFC 5354 §4: types 0x40-0x7f are reported, all others discarded silently.
    #[test]
    fn unknown_message_types() {
        for message_type in (0x00..=0xff).filter(|number| !(0x01..=0x0e).contains(number)) {
            let octets = [message_type, 0xaa, 0, 8, 1, 2, 3, 4];
            let report = match message_type >> 6 {
                0b01 => alloc::vec![ErrorCause::UnrecognizedMessage(octets.to_vec())],
                _ => alloc::vec![],
            };
            let kind = DecodeErrorKind::UnrecognizedMessage(message_type);
            let error = DecodeError { offset: 0, kind };
            let expected = Err(Undecodable { error, report });
            assert_eq!(asap::Message::decode(&octets), expected);
            assert_eq!(
                enrp::Message::decode(&octets).map(|_| ()),
                expected.map(|_| ())
            );
        }
    }

    /// The same numbers mean other messages in the other protocol.
    #[test]
    fn asap_and_enrp_share_numbers() {
        let octets = hex("0a000008 98d3fe06");
        assert!(asap::Message::decode(&octets).is_ok());
        assert!(enrp::Message::decode(&octets).is_err());
    }

    #[test]
    fn invalid_values_name_the_innermost_parameter() {
        let report = |digits| asap::Message::decode(&hex(digits)).unwrap_err().report;
        let invalid = |digits| [ErrorCause::InvalidValues(hex(digits))];
        // Within the policy of the pool element, the pool element itself, the message.
        let policy = "01000038 0009000c 4563686f 506f6f6c 000a0028 44444444 00000000 00015f90
             00040010 86ff0001 00010008 0a010004 00080008 00000000";
        assert_eq!(report(policy), invalid("00080008 00000000"));
        let life = "01000038 0009000c 4563686f 506f6f6c 000a0028 44444444 00000000 fffffffe
             00040010 86ff0001 00010008 0a010004 00080008 00000001";
        assert_eq!(report(life), invalid(&life[36..]));
        let keep_alive = "07000014 00000000 0009000c 4563686f 506f6f6c";
        assert_eq!(report(keep_alive), invalid(keep_alive));
    }

    #[test]
    fn octets_of_a_message_in_a_stream() {
        assert_eq!(message_octets([5, 0, 0, 16]), Ok(16));
        assert_eq!(message_octets([5, 0, 0, 17]), Ok(20));
        assert_eq!(message_octets([5, 0, 0xff, 0xff]), Ok(65_536));
        let error = message_octets([5, 0, 0, 3]).unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::LengthTooSmall);
    }
}
