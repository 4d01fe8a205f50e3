//! One capture per scenario run, and what tshark finds in it.

use super::Failure;
use super::guest::tool;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// No parameters: neither of RFC 5354 (1 to 16), nor beyond it (docs/deviations.md: 0x803f says how
/// many pool elements are wanted, 0x9899 at which UDP port SCTP is reached).
const UNKNOWN_PARAMETERS: &str = "{0, 0x11..0x803e, 0x8040..0x9898, 0x989a..0xffff}";

/// A running capture of all that passes a bridge.
pub(super) struct Capture {
    child: Child,
}

impl Capture {
    /// Begins; what is sent after this is in the file.
    pub(super) fn start(bridge: &str, file: &Path) -> Result<Self, Failure> {
        let mut command = tool("tcpdump");
        command
            .args(["-i", bridge, "-U", "-B", "4096", "-Z", "root", "-w"])
            .arg(file)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command
            .spawn()
            .map_err(|error| crate::process::start_failure(&command, error))?;
        // It writes the file's header when it listens.
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::fs::metadata(file).map_or(0, |data| data.len()) == 0 {
            if Instant::now() > deadline {
                return Err(Failure::Check("tcpdump does not begin".to_owned()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { child })
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // What it has read is written at SIGTERM.
        let number = self.child.id().to_string();
        let _ = tool("kill").arg(number).status();
        let _ = self.child.wait();
    }
}

/// What is wrong with what the nodes at `senders` sent, if anything.
pub(super) fn verdict(file: &Path, senders: &[String]) -> Result<(), Failure> {
    let sent_by: Vec<String> = senders
        .iter()
        .map(|node| format!("ip.src == {node}"))
        .collect();
    if sent_by.is_empty() {
        return Ok(());
    }
    let sent = format!("({}) && !icmp && !icmpv6", sent_by.join(" || "));
    for (what, filter) in [
        ("malformed", "_ws.malformed".to_owned()),
        ("an error", "_ws.expert.severity == \"Error\"".to_owned()),
        ("an unknown message", unknown("asap.message_type", 1..=14)),
        ("an unknown message", unknown("enrp.message_type", 1..=10)),
        ("an unknown parameter", unknown_parameter("asap")),
        ("an unknown parameter", unknown_parameter("enrp")),
    ] {
        let filter = format!("({filter}) && {sent}");
        let found = crate::process::output(tshark(file).args(["-Y", &filter]))?;
        if let Some(first) = found.lines().next() {
            let count = found.lines().count();
            return Err(Failure::Check(format!(
                "tshark finds {what} in {count} packets, the first: {}",
                first.trim()
            )));
        }
    }
    Ok(())
}

fn unknown(field: &str, known: std::ops::RangeInclusive<u8>) -> String {
    format!("{field} < {} || {field} > {}", known.start(), known.end())
}

fn unknown_parameter(protocol: &str) -> String {
    format!("{protocol}.parameter_type in {UNKNOWN_PARAMETERS}")
}

fn tshark(file: &Path) -> Command {
    let mut command = crate::process::program("tshark");
    command
        .args(["-n", "-o", "sctp.checksum:CRC32C", "-r"])
        .arg(file);
    command
}

/// Where the capture of a run lies.
pub(super) fn file(folder: &Path) -> PathBuf {
    folder.join("packets.pcap")
}
