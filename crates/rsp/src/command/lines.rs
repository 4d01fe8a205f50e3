//! Lines over TCP, which keeps no messages apart.

use rserpool::DataTransport;

/// A line that has not ended after so much is shown in parts.
const LINE_OCTETS_MAX: usize = 64 << 10;

/// What of a line has come.
#[derive(Default, Debug)]
pub(crate) struct Lines(Vec<u8>);

impl Lines {
    /// The lines that some more octets complete.
    pub(crate) fn feed(&mut self, octets: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for octet in octets {
            self.0.push(*octet);
            if *octet == b'\n' || self.0.len() >= LINE_OCTETS_MAX {
                lines.push(std::mem::take(&mut self.0));
            }
        }
        lines
    }

    /// What comes next is from somebody else.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// A line as it is sent.
pub(crate) fn ended(mut line: Vec<u8>, transport: DataTransport) -> Vec<u8> {
    if transport == DataTransport::Tcp {
        line.push(b'\n');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_that_were_sent_however_they_come() {
        let mut lines = Lines::default();
        assert_eq!(lines.feed(b"one\ntw"), [b"one\n"]);
        assert_eq!(lines.feed(b"o"), Vec::<Vec<u8>>::new());
        assert_eq!(
            lines.feed(b"\n\nthree\n"),
            [&b"two\n"[..], b"\n", b"three\n"]
        );
    }

    #[test]
    fn a_line_without_end_takes_no_more_than_its_limit() {
        let mut lines = Lines::default();
        let parts = lines.feed(&vec![b'x'; 3 * LINE_OCTETS_MAX + 1]);
        assert_eq!(parts.len(), 3);
        assert_eq!(lines.0.len(), 1);
    }
}
