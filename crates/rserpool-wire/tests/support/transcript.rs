//! Messages and tshark's reading of them as a text file:
//!
//! ```text
//! # where it is from
//! asap 05000010 0009000c 4563686f 506f6f6c
//!   message_type=5 message_flags=0x00 message_length=16 parameter_type=0x0009 …
//! ```

use rserpool_wire::Protocol;
use std::fmt::Write;
use std::path::PathBuf;

/// One message of a transcript.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Entry {
    /// Comments before it, each with its `#`.
    pub(crate) comments: Vec<String>,
    pub(crate) protocol: Protocol,
    pub(crate) octets: Vec<u8>,
    /// How tshark reads it.
    pub(crate) reading: String,
}

/// A file of the directory with all captures.
pub(crate) fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/captures")
        .join(file)
}

pub(crate) fn load(file: &str) -> Vec<Entry> {
    let path = path(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut comments = Vec::new();
    let mut entries: Vec<Entry> = Vec::new();
    for line in text.lines() {
        if line.starts_with('#') {
            comments.push(line.to_owned());
        } else if let Some(reading) = line.strip_prefix("  ") {
            let entry = entries.last_mut().expect("a reading follows its message");
            reading.clone_into(&mut entry.reading);
        } else if let Some((protocol, digits)) = line.split_once(' ') {
            entries.push(Entry {
                comments: std::mem::take(&mut comments),
                protocol: match protocol {
                    "asap" => Protocol::Asap,
                    "enrp" => Protocol::Enrp,
                    other => panic!("{other} is no protocol"),
                },
                octets: octets(digits),
                reading: String::new(),
            });
        }
    }
    entries
}

pub(crate) fn save(file: &str, entries: &[Entry]) {
    let mut text = String::new();
    for entry in entries {
        let protocol = match entry.protocol {
            Protocol::Asap => "asap",
            Protocol::Enrp => "enrp",
        };
        for comment in &entry.comments {
            writeln!(text, "{comment}").expect("writing to a string");
        }
        let (octets, reading) = (words(&entry.octets), &entry.reading);
        writeln!(text, "{protocol}{octets}\n  {reading}\n").expect("writing to a string");
    }
    std::fs::write(path(file), text).expect("the captures are writable");
}

fn words(octets: &[u8]) -> String {
    let mut words = String::new();
    for (index, octet) in octets.iter().enumerate() {
        let separator = if index % 4 == 0 { " " } else { "" };
        write!(words, "{separator}{octet:02x}").expect("writing to a string");
    }
    words
}

pub(crate) fn octets(digits: &str) -> Vec<u8> {
    let digits: String = digits.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}
