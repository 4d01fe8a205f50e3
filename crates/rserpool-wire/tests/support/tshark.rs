//! Runs tshark over messages, where it is installed.

use super::pcap::{self, Carrier};
use std::io::{self, Write};
use std::process::Command;

/// How tshark reads each message of a capture; `None`, and a visible line, where it is not
/// installed. In CI (`CI` is set) it must be.
///
/// # Panics
/// If tshark finds anything malformed or otherwise worth a remark.
pub(crate) fn read(messages: &[(Carrier, Vec<u8>)]) -> Option<Vec<String>> {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = directory.join(format!("{}.pcap", messages.len()));
    std::fs::write(&file, pcap::capture(messages)).expect("the target directory is writable");
    let output = Command::new("tshark")
        .args(["-T", "pdml", "-o", "sctp.checksum:CRC32c", "-r"])
        .arg(&file)
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            assert!(
                std::env::var_os("CI").is_none(),
                "tshark must be installed in CI"
            );
            // Not by a macro, whose output the test harness keeps to itself.
            let skipped = b"SKIPPED: tshark not installed (apt-get install tshark)\n";
            io::stderr()
                .write_all(skipped)
                .expect("standard error is open");
            return None;
        }
        Err(error) => panic!("tshark: {error}"),
    };
    assert!(output.status.success(), "tshark: {}", output.status);
    let pdml = String::from_utf8(output.stdout).expect("PDML is UTF-8");
    for remark in ["_ws.expert", "_ws.malformed", "[Malformed Packet"] {
        assert!(
            !pdml.contains(remark),
            "tshark remarks on {}: {remark}",
            file.display()
        );
    }
    assert!(!pdml.contains("sctp.checksum.status\" showname=\"Checksum Status: Bad"));
    let readings: Vec<String> = pdml.split("</packet>").filter_map(reading).collect();
    assert_eq!(
        readings.len(),
        messages.len(),
        "one ASAP or ENRP message per packet"
    );
    Some(readings)
}

/// Names and values of the fields of the first ASAP or ENRP message in a packet; single flags and
/// padding are left out.
fn reading(packet: &str) -> Option<String> {
    let mut fields = Vec::new();
    let mut depth = 0;
    for line in packet.lines().map(str::trim) {
        let starts = ["asap", "enrp"]
            .iter()
            .any(|protocol| line.starts_with(&format!("<proto name=\"{protocol}\"")));
        match line {
            _ if starts => depth += 1,
            "</proto>" if depth == 1 => return Some(fields.join(" ")),
            "</proto>" if depth > 1 => depth -= 1,
            _ if depth == 1 && line.starts_with("<field name=\"") => {
                let name = attribute(line, "name")
                    .split('.')
                    .nth(1)
                    .unwrap_or_default();
                if !(name.is_empty() || name.ends_with("_bit") || name.ends_with("_padding")) {
                    fields.push(format!("{name}={}", attribute(line, "show")));
                }
            }
            _ => {}
        }
    }
    None
}

fn attribute<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, rest) = line.split_once(&format!(" {name}=\"")).unwrap_or_default();
    rest.split('"').next().unwrap_or_default()
}
