//! Pool Handle parameter ([RFC 5354 §3.9](https://www.rfc-editor.org/rfc/rfc5354#section-3.9)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │         Type = 0x0009         │             Length            │
//! ├───────────────────────────────┴───────────────────────────────┤
//! ┊                          Pool Handle                          ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::ParameterType;
use crate::error::Fault;
use crate::hex::{Hex, is_plain_text};
use crate::reader::{HEADER_OCTETS, Parameter, padded};
use crate::writer::{Sink, Writer};
use alloc::sync::Arc;
use core::{cmp, fmt, hash, str};

/// The longest pool handle: it fits a message together with the largest pool element or the
/// longest list of error causes. (RFC 5354 names no limit, rsplib fails above 32.)
pub const POOL_HANDLE_OCTETS_MAX: usize = 16_384;

/// Handles up to this length are kept without an allocation of their own: they are as large as a
/// pointer to shared octets would be anyway.
const INLINE_OCTETS_MAX: usize = 22;

/// The most octets of a handle that are shown.
const SHOWN_OCTETS_MAX: usize = 128;

/// A pool handle: the octets that name a pool (RFC 5354 §3.9). Cheap to clone.
#[derive(Clone)]
pub struct PoolHandle(Octets);

#[derive(Clone)]
enum Octets {
    Inline {
        length: u8,
        octets: [u8; INLINE_OCTETS_MAX],
    },
    Shared(Arc<[u8]>),
}

impl PoolHandle {
    /// A pool handle of these octets, of which [`POOL_HANDLE_OCTETS_MAX`] at most are used.
    pub fn new(octets: &[u8]) -> Self {
        let octets = &octets[..octets.len().min(POOL_HANDLE_OCTETS_MAX)];
        let mut inline = [0; INLINE_OCTETS_MAX];
        match (inline.get_mut(..octets.len()), u8::try_from(octets.len())) {
            (Some(room), Ok(length)) => {
                room.copy_from_slice(octets);
                Self(Octets::Inline {
                    length,
                    octets: inline,
                })
            }
            _ => Self(Octets::Shared(Arc::from(octets))),
        }
    }

    /// The octets, without padding.
    pub fn as_octets(&self) -> &[u8] {
        match &self.0 {
            Octets::Inline { length, octets } => &octets[..usize::from(*length)],
            Octets::Shared(octets) => octets,
        }
    }

    /// How many octets the parameter takes in a message.
    pub fn encoded_len(&self) -> usize {
        padded(HEADER_OCTETS + self.as_octets().len())
    }

    pub(crate) fn read<'a>(parameter: &Parameter<'a>) -> Result<Self, Fault<'a>> {
        let octets = parameter
            .value()
            .rest_within(POOL_HANDLE_OCTETS_MAX, ParameterType::POOL_HANDLE)?;
        Ok(Self::new(octets))
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.parameter(ParameterType::POOL_HANDLE, |w| w.octets(self.as_octets()));
    }
}

impl From<&str> for PoolHandle {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

impl PartialEq for PoolHandle {
    fn eq(&self, other: &Self) -> bool {
        self.as_octets() == other.as_octets()
    }
}

impl Eq for PoolHandle {}

impl PartialOrd for PoolHandle {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PoolHandle {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.as_octets().cmp(other.as_octets())
    }
}

impl hash::Hash for PoolHandle {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_octets().hash(state);
    }
}

impl fmt::Debug for PoolHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PoolHandle({self})")
    }
}

/// Text where it is printable and cannot be mistaken for the other form, else `hex:` and digits.
impl fmt::Display for PoolHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = self.as_octets();
        match str::from_utf8(octets) {
            Ok(text)
                if octets.len() <= SHOWN_OCTETS_MAX
                    && is_plain_text(text)
                    && !text.starts_with("hex:") =>
            {
                f.pad(text)
            }
            _ => write!(f, "hex:{}", Hex::up_to(octets, SHOWN_OCTETS_MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DecodeErrorKind, asap, test_support::*};
    use alloc::string::ToString;
    use alloc::vec;

    #[test]
    fn short_and_long_handles_are_alike() {
        for length in [0, 1, 3, 4, 21, 22, 23, 32, 33, 1000, POOL_HANDLE_OCTETS_MAX] {
            let octets = vec![b'a'; length];
            let handle = PoolHandle::new(&octets);
            assert_eq!(handle.as_octets(), octets);
            assert_eq!(handle, handle.clone());
            let written = written(|w| handle.write(w));
            assert_eq!(written.len(), handle.encoded_len());
            let read = Parameter::alone(&written).unwrap();
            assert_eq!(PoolHandle::read(&read).unwrap(), handle);
        }
    }

    #[test]
    fn handles_are_ordered_by_their_octets() {
        let long = "b".repeat(100);
        let mut handles = ["c", &long, "", "ba", "b", "bc"].map(PoolHandle::from);
        handles.sort();
        assert_eq!(
            handles,
            ["", "b", "ba", &long, "bc", "c"].map(PoolHandle::from)
        );
    }

    #[test]
    fn size() {
        assert_eq!(size_of::<PoolHandle>(), 24);
    }

    #[test]
    fn the_limit() {
        let octets = vec![0; POOL_HANDLE_OCTETS_MAX + 1];
        assert_eq!(
            PoolHandle::new(&octets).as_octets().len(),
            POOL_HANDLE_OCTETS_MAX
        );
        let mut message = hex("05004009 00094005");
        message.extend_from_slice(&octets);
        message.extend_from_slice(&[0; 3]);
        let undecodable = asap::Message::decode(&message).unwrap_err();
        let kind = DecodeErrorKind::LimitExceeded(ParameterType::POOL_HANDLE);
        assert_eq!(undecodable.error.kind, kind);
        // The report is bounded, whatever was sent.
        let [asap_cause] = &undecodable.report[..] else {
            panic!("one cause")
        };
        let expected = message[4..][..crate::CAUSE_INFORMATION_OCTETS_MAX].to_vec();
        assert_eq!(
            *asap_cause,
            crate::parameter::ErrorCause::InvalidValues(expected)
        );
    }

    #[test]
    fn display() {
        let show = |octets: &[u8]| PoolHandle::new(octets).to_string();
        assert_eq!(show(b"EchoPool"), "EchoPool");
        assert_eq!(show("Größe 1".as_bytes()), "Größe 1");
        assert_eq!(show(b"two\nlines"), "hex:74776f0a6c696e6573");
        assert_eq!(show(b"\x1b[2J"), "hex:1b5b324a");
        assert_eq!(show("\u{202e}evil".as_bytes()), "hex:e280ae6576696c");
        assert_eq!(show(&[0xff, 0]), "hex:ff00");
        assert_eq!(show(b"hex:61"), "hex:6865783a3631");
        assert_eq!(show(b""), "hex:-");
        assert!(show(&[b'a'; 129]).ends_with("61… (129 octets)"));
        assert_eq!(
            alloc::format!("{:?}", PoolHandle::from("a")),
            "PoolHandle(a)"
        );
    }
}
