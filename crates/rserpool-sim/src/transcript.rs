//! What happened, one line per event with one column per node.
//!
//! Must not know why.

use crate::node::NodeId;
use rserpool_core::Timestamp;
use std::fmt::{self, Write};

/// Wider transcripts show no columns: a line should fit a screen.
const COLUMNS_MAX: usize = 64;

/// What the time takes in a line.
const TIME_WIDTH: usize = 14;

/// What happened in a run. Same scenario and seed: same octets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transcript {
    text: Option<String>,
    digest: u64,
    columns: Vec<Column>,
}

/// What a node's column shows in the line of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mark {
    Sends,
    Receives,
    Fault,
    Up,
    Lost,
    Tells,
}

/// What a node's column shows in all other lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Column {
    Running,
    Down,
    Hung,
    Paused,
}

impl Transcript {
    pub(crate) fn new(is_kept: bool, nodes: usize) -> Self {
        Self {
            text: is_kept.then(String::new),
            digest: 0,
            columns: vec![Column::Down; nodes],
        }
    }

    /// The lines, if they were kept.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The lines since this was called last.
    pub(crate) fn take_lines(&mut self) -> String {
        self.text.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Names the columns, from top to bottom, above their places in the lines.
    pub(crate) fn legend(names: &[String]) -> String {
        let rows = names.iter().map(String::len).max().unwrap_or(0);
        if names.len() > COLUMNS_MAX {
            return String::new();
        }
        let mut legend = String::new();
        for row in 0..rows {
            let _ = write!(legend, "{:TIME_WIDTH$}", "");
            for name in names {
                // Letters in the first row, numbers aligned below.
                let from_end = rows - row;
                let symbol = match row {
                    0 => name.chars().next(),
                    _ => name
                        .chars()
                        .skip(1)
                        .nth((name.len()).wrapping_sub(1 + from_end)),
                };
                legend.push(symbol.unwrap_or(' '));
            }
            legend.truncate(legend.trim_end().len());
            legend.push('\n');
        }
        legend
    }

    /// A number made of everything that happened: another one means another run.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.text.is_some()
    }

    pub(crate) fn set_column(&mut self, node: NodeId, column: Column) {
        if let Some(shown) = self.columns.get_mut(node.index()) {
            *shown = column;
        }
    }

    /// Counts octets into the digest.
    pub(crate) fn digest_octets(&mut self, at: Timestamp, node: NodeId, octets: &[u8]) {
        self.digest_number(u64::from(at.0.subsec_nanos()) << 32 | u64::from(node.0));
        self.digest_number(Self::digest_of(octets));
    }

    /// A number made of octets.
    pub(crate) fn digest_of(octets: &[u8]) -> u64 {
        let (words, rest) = octets.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        let words = words.iter().chain([&last]);
        words.fold(0, |digest, word| mix(digest, u64::from_le_bytes(*word)))
    }

    /// Counts a number into the digest.
    pub(crate) fn digest_number(&mut self, number: u64) {
        self.digest = mix(self.digest, number);
    }

    /// Writes a line, if lines are kept.
    pub(crate) fn line(
        &mut self,
        at: Timestamp,
        marks: &[(NodeId, Mark)],
        what: fmt::Arguments<'_>,
    ) {
        let Some(text) = &mut self.text else {
            return;
        };
        let microseconds = at.0.subsec_micros();
        let _ = write!(text, "{:>6}.{microseconds:06} ", at.0.as_secs());
        if self.columns.len() <= COLUMNS_MAX {
            for (index, column) in self.columns.iter().enumerate() {
                let mark = marks.iter().rev().find(|(node, _)| node.index() == index);
                text.push(mark.map_or(column.symbol(), |(_, mark)| mark.symbol()));
            }
            text.push(' ');
        }
        let _ = text.write_fmt(what);
        text.push('\n');
    }
}

fn mix(digest: u64, number: u64) -> u64 {
    let mixed = (digest ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 32)
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().unwrap_or_default())
    }
}

impl Mark {
    fn symbol(self) -> char {
        match self {
            Self::Sends => '>',
            Self::Receives => '<',
            Self::Fault => '!',
            Self::Up => '+',
            Self::Lost => 'x',
            Self::Tells => '@',
        }
    }
}

impl Column {
    fn symbol(self) -> char {
        match self {
            Self::Running => '.',
            Self::Down => ' ',
            Self::Hung => 'h',
            Self::Paused => 'p',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_legend_names_each_column_from_top_to_bottom() {
        let names = ["r1", "r2", "e9", "e10"].map(String::from);
        let legend = Transcript::legend(&names);
        let lines: Vec<&str> = legend.lines().map(|line| &line[TIME_WIDTH..]).collect();
        assert_eq!(lines, ["rree", "   1", "1290"]);
    }
}
