//! Writes one of every message that we send as a capture file, for Wireshark and tshark:
//!
//! ```text
//! cargo run -p rserpool-wire --example all_messages > all.pcap
//! tshark -r all.pcap -V
//! ```

#[path = "../tests/support/pcap.rs"]
mod pcap;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/support/samples.rs"]
mod samples;

use std::io::{self, Write};

fn main() -> io::Result<()> {
    io::stdout().write_all(&pcap::capture(&pcap::all_messages()))
}
