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
