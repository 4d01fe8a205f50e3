//! Writes formats as they nest: lengths and padding are filled in when a format is closed.
//!
//! The same code writes, measures and compares: a [`Length`] only counts what a `Vec<u8>` would
//! hold, a [`Comparison`] only looks whether it would hold what is expected.

use crate::parameter::ParameterType;
use crate::{MESSAGE_OCTETS_MAX, reader::padded};
use alloc::vec::Vec;

/// Where octets go.
pub(crate) trait Sink {
    fn put(&mut self, octets: &[u8]);
    fn len(&self) -> usize;
    /// Two octets that are [set](Self::set) later.
    fn reserve(&mut self);
    fn set(&mut self, position: usize, value: u16);
}

impl Sink for Vec<u8> {
    fn put(&mut self, octets: &[u8]) {
        self.extend_from_slice(octets);
    }

    fn len(&self) -> usize {
        self.len()
    }

    fn reserve(&mut self) {
        self.put(&[0; 2]);
    }

    fn set(&mut self, position: usize, value: u16) {
        if let Some(octets) = self.get_mut(position..position + 2) {
            octets.copy_from_slice(&value.to_be_bytes());
        }
    }
}

/// A sink that keeps nothing but the number of octets.
#[derive(Default)]
pub(crate) struct Length(pub(crate) usize);

impl Sink for Length {
    fn put(&mut self, octets: &[u8]) {
        self.0 += octets.len();
    }

    fn len(&self) -> usize {
        self.0
    }

    fn reserve(&mut self) {
        self.0 += 2;
    }

    fn set(&mut self, _position: usize, _value: u16) {}
}

/// A sink that keeps nothing but whether all was as expected.
pub(crate) struct Comparison<'a> {
    expected: &'a [u8],
    position: usize,
    is_equal: bool,
}

impl<'a> Comparison<'a> {
    pub(crate) fn with(expected: &'a [u8]) -> Self {
        Self {
            expected,
            position: 0,
            is_equal: true,
        }
    }

    /// Whether exactly the expected octets were written.
    pub(crate) fn is_equal(&self) -> bool {
        self.is_equal && self.position == self.expected.len()
    }

    fn compare(&mut self, position: usize, octets: &[u8]) {
        let expected = self.expected.get(position..position + octets.len());
        self.is_equal &= expected == Some(octets);
    }
}

impl Sink for Comparison<'_> {
    fn put(&mut self, octets: &[u8]) {
        self.compare(self.position, octets);
        self.position += octets.len();
    }

    fn len(&self) -> usize {
        self.position
    }

    fn reserve(&mut self) {
        self.position += 2;
    }

    fn set(&mut self, position: usize, value: u16) {
        self.compare(position, &value.to_be_bytes());
    }
}

/// Writes one message, or one parameter that stands alone.
pub(crate) struct Writer<'a, S> {
    sink: &'a mut S,
    /// Where this message starts in the sink.
    start: usize,
    /// The end of all that was written except for padding at the very end: what the enclosing
    /// Length counts (RFC 5354 §2, §4).
    content_end: usize,
}

impl<'a, S: Sink> Writer<'a, S> {
    pub(crate) fn new(sink: &'a mut S) -> Self {
        let start = sink.len();
        Self {
            sink,
            start,
            content_end: start,
        }
    }

    /// A whole message; `write` writes what follows its header.
    pub(crate) fn message(&mut self, message_type: u8, flags: u8, write: impl FnOnce(&mut Self)) {
        self.octets(&[message_type, flags]);
        self.sink.reserve();
        self.content_end = self.sink.len();
        write(self);
        self.close(self.start);
    }

    /// A whole parameter; `write` writes its value.
    pub(crate) fn parameter(&mut self, kind: ParameterType, write: impl FnOnce(&mut Self)) {
        let start = self.sink.len();
        self.u16(kind.0);
        self.sink.reserve();
        self.content_end = self.sink.len();
        write(self);
        self.close(start);
        let content_end = self.content_end;
        let padding = padded(content_end - start) - (self.sink.len() - start);
        self.octets(&[0; 3][..padding]);
        self.content_end = content_end;
    }

    /// A whole parameter that was written before, with its padding.
    pub(crate) fn encoded_parameter(&mut self, octets: &[u8]) {
        let start = self.sink.len();
        self.sink.put(octets);
        let length = match octets {
            [_, _, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
            _ => 0,
        };
        self.content_end = start + length;
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.octets(&value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.octets(&value.to_be_bytes());
    }

    pub(crate) fn octets(&mut self, octets: &[u8]) {
        self.sink.put(octets);
        self.content_end = self.sink.len();
    }

    /// How many more octets this message can take. Lists end where the next entry has no room.
    pub(crate) fn room(&self) -> usize {
        // Rounded down so that the padded message fits a 16-bit length too (rsplib counts it).
        (MESSAGE_OCTETS_MAX & !3).saturating_sub(self.sink.len() - self.start)
    }

    fn close(&mut self, start: usize) {
        let length = u16::try_from(self.content_end - start)
            .expect("the limits of all parts keep a message within 16 bits");
        self.sink.set(start + 2, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::*;

    fn compare(expected: &str) -> bool {
        let expected = hex(expected);
        let mut comparison = Comparison::with(&expected);
        element().write(&mut Writer::new(&mut comparison));
        comparison.is_equal()
    }

    #[test]
    fn comparison() {
        let octets = "000a0040 56c3491e 00000000 00015f90 00040024 c3500001 00010008 0a010001
             00020014 20010db8 00000000 00000000 00000001 0008000c 00000002 00000002";
        assert_eq!(written(|w| element().write(w)), hex(octets));
        assert!(compare(octets));
        // A length, a value, more, less.
        assert!(!compare(&octets.replace("00040024", "00040020")));
        assert!(!compare(&octets.replace("0a010001", "0a010002")));
        assert!(!compare(&octets.replace("000a0040", "000a0044")));
        assert!(!compare(&[octets, "00000000"].concat()));
        assert!(!compare(&octets[..octets.len() - 8]));
    }
}
