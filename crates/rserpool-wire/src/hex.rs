//! How octets are shown.

use core::fmt;

/// Octets as hexadecimal digits, or a dash; where they are cut, their whole number is told.
pub(crate) struct Hex<'a> {
    shown: &'a [u8],
    octets: usize,
}

impl<'a> Hex<'a> {
    /// The first octets, in one line.
    pub(crate) fn up_to(octets: &'a [u8], octets_max: usize) -> Self {
        Self {
            shown: &octets[..octets.len().min(octets_max)],
            octets: octets.len(),
        }
    }

    /// As many octets as a log line can bear.
    pub(crate) fn line(octets: &'a [u8]) -> Self {
        Self::up_to(octets, 32)
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.octets == 0 {
            return f.write_str("-");
        }
        for octet in self.shown {
            write!(f, "{octet:02x}")?;
        }
        if self.shown.len() < self.octets {
            write!(f, "… ({} octets)", self.octets)?;
        }
        Ok(())
    }
}

/// Whether text from a stranger can be shown as it is: nothing in it moves the cursor, hides, or
/// turns the direction of what follows.
pub(crate) fn is_plain_text(text: &str) -> bool {
    let hidden = |c: char| {
        matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
    };
    !text.is_empty() && !text.chars().any(|c| c.is_control() || hidden(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn octets_are_cut() {
        assert_eq!(Hex::line(&[0, 255]).to_string(), "00ff");
        assert_eq!(Hex::up_to(&[1, 2, 3], 2).to_string(), "0102… (3 octets)");
        assert_eq!(Hex::line(&[]).to_string(), "-");
    }
}
