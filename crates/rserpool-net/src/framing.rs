//! ASAP messages in a stream of octets (RFC 5352 over TCP): each says its own length.

use rserpool_wire::{DecodeError, message_octets};

/// Type, flags and length (RFC 5354 §4).
const HEADER_OCTETS: usize = 4;

/// Collects octets until messages are complete. Holds less than one message between calls,
/// so that an idle connection costs nothing: at most 64 KiB, as the length has 16 bits.
#[derive(Default)]
pub(crate) struct Framing {
    partial: Vec<u8>,
}

impl Framing {
    /// Takes what was read and gives every message that is complete to `found`, in order.
    ///
    /// # Errors
    /// A length below the header's own: the stream can never be read again.
    pub(crate) fn feed(
        &mut self,
        mut octets: &[u8],
        mut found: impl FnMut(&[u8]),
    ) -> Result<(), DecodeError> {
        while !self.partial.is_empty() && !octets.is_empty() {
            let missing = match frame_octets(&self.partial)? {
                Some(len) => len - self.partial.len(),
                None => HEADER_OCTETS - self.partial.len(),
            };
            let (taken, rest) = octets.split_at(missing.min(octets.len()));
            self.partial.extend_from_slice(taken);
            octets = rest;
            if frame_octets(&self.partial)? == Some(self.partial.len()) {
                found(&self.partial);
                self.partial = Vec::new();
            }
        }
        while let Some(len) = frame_octets(octets)?
            && len <= octets.len()
        {
            let (message, rest) = octets.split_at(len);
            found(message);
            octets = rest;
        }
        self.partial.extend_from_slice(octets);
        Ok(())
    }
}

/// The octets of the message that starts here, padding included; `None` before its header is
/// complete.
fn frame_octets(octets: &[u8]) -> Result<Option<usize>, DecodeError> {
    octets
        .first_chunk()
        .map(|header| message_octets(*header))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(len: u16) -> Vec<u8> {
        let mut octets = vec![5, 0];
        octets.extend(len.to_be_bytes());
        octets.resize(usize::from(len).next_multiple_of(4), 7);
        octets
    }

    #[test]
    fn messages_are_the_same_however_the_stream_is_cut() {
        let messages = [
            message(4),
            message(13),
            message(4),
            message(300),
            message(6),
        ];
        let stream = messages.concat();
        for step in 1..stream.len() {
            let mut framing = Framing::default();
            let mut found = Vec::new();
            for part in stream.chunks(step) {
                framing
                    .feed(part, |message| found.push(message.to_vec()))
                    .unwrap();
            }
            assert_eq!(found, messages, "cut into {step}");
            assert!(framing.partial.is_empty());
        }
    }

    #[test]
    fn the_longest_message_fits_the_limit() {
        let mut framing = Framing::default();
        let mut found = 0;
        framing
            .feed(&message(0xffff), |message| found = message.len())
            .unwrap();
        assert_eq!(found, 0x1_0000);
    }

    #[test]
    fn a_length_below_the_header_breaks_the_stream() {
        assert!(Framing::default().feed(&[5, 0, 0, 3], |_| ()).is_err());
        let mut in_two = Framing::default();
        in_two.feed(&[5, 0, 0], |_| ()).unwrap();
        assert!(in_two.feed(&[0], |_| ()).is_err());
    }
}
