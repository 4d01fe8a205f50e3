//! `rsp peers`.

use crate::exit::Outcome;
use crate::management::schema::{Peer, Status};
use crate::option::format::FormatOptions;
use crate::option::management::ManagementOptions;
use crate::output::{self, Format, table, table_text};
use crate::signals::Signals;
use std::io;
use std::time::Duration;

/// Show the peers of a registrar on this machine: health, ownership, checksums
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    management: ManagementOptions,
    /// Stay, and show them again every second
    #[arg(long, short)]
    watch: bool,
    #[command(flatten)]
    format: FormatOptions,
}

const EXAMPLES: &str = "\
Examples:
  rsp peers
  rsp peers --watch
  rsp peers -o json | jq '.peers[] | select(.status != \"active\")'

CHECKSUM is that of the peer's pool elements as they are known here, and whether it is what the
peer itself says.";

/// The time between two looks at the peers.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// What is shown as JSON: these fields of the registrar's status.
#[derive(serde::Serialize)]
struct Answer<'a> {
    registrar: &'a str,
    initialized: bool,
    owned: usize,
    checksum: &'a str,
    peers: &'a [Peer],
}

pub(crate) async fn run(arguments: &Arguments) -> Outcome {
    if !arguments.watch {
        let status = arguments.management.fetch().await?;
        return Ok(show(arguments, &status)?);
    }
    let mut signals = Signals::listen()?;
    tokio::select! {
        outcome = watch(arguments) => outcome,
        () = signals.recv() => Ok(()),
    }
}

async fn watch(arguments: &Arguments) -> Outcome {
    let mut tick = tokio::time::interval(WATCH_EVERY);
    loop {
        tick.tick().await;
        let status = arguments.management.fetch().await?;
        let format = arguments.format.format();
        if format == Format::Table && output::is_terminal() {
            // To the upper left corner, and clear from there on.
            output::text("\x1b[H\x1b[J")?;
        }
        show(arguments, &status)?;
        if format == Format::Table {
            output::line("")?;
        }
    }
}

fn show(arguments: &Arguments, status: &Status) -> io::Result<()> {
    if arguments.format.format() == Format::Json {
        return output::json(&Answer {
            registrar: &status.registrar,
            initialized: status.initialized,
            owned: status.owned,
            checksum: &status.checksum,
            peers: &status.peers,
        });
    }
    let registrar = &status.registrar;
    output::line(format!("registrar {registrar} {}", ownership(status)))?;
    output::line(match status.peers.is_empty() {
        true => "No peer. Name one: rsp registrar --peer ADDRESS".to_owned(),
        false => format!("\n{}", peers_table(status)),
    })
}

/// What a registrar is the home of, and the checksum that it tells its peers.
pub(super) fn ownership(status: &Status) -> String {
    let Status {
        owned, checksum, ..
    } = status;
    let known: usize = status
        .pools
        .iter()
        .map(|pool| pool.pool_elements.len())
        .sum();
    let starting = if status.initialized {
        ""
    } else {
        "; it is not initialised yet"
    };
    format!("owns {owned} of {known} pool elements, checksum {checksum}{starting}")
}

/// The peers, a row each.
pub(super) fn peers_table(status: &Status) -> String {
    let mut table = table([
        "PEER",
        "STATUS",
        "LAST HEARD",
        "OWNS",
        "CHECKSUM",
        "ADDRESS",
        "REMARKS",
    ]);
    for peer in &status.peers {
        table.add_row([
            peer.registrar.clone().unwrap_or_else(none),
            peer.status.clone(),
            peer.last_heard_ms.map_or_else(none, age),
            peer.owned.to_string(),
            checksum(peer),
            peer.address.clone().unwrap_or_else(none),
            remarks(peer),
        ]);
    }
    table_text(&table)
}

fn none() -> String {
    "-".to_owned()
}

/// Some time ago, as short as can be.
fn age(milliseconds: u64) -> String {
    match milliseconds {
        0..10_000 => format!("{milliseconds} ms"),
        _ => format!("{} s", milliseconds / 1000),
    }
}

fn checksum(peer: &Peer) -> String {
    let Peer { checksum, .. } = peer;
    match &peer.checksum_told {
        None => none(),
        Some(told) if told == checksum => format!("{checksum} equal"),
        Some(told) => format!("{checksum}, it says {told}"),
    }
}

fn remarks(peer: &Peer) -> String {
    let mut remarks = Vec::new();
    if peer.is_static {
        remarks.push("static");
    }
    if peer.association.is_none() {
        remarks.push("no association");
    }
    if peer.synchronizing {
        remarks.push("being compared");
    }
    remarks.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(checksum_told: Option<&str>) -> Peer {
        Peer {
            registrar: Some("0x00000002".into()),
            address: Some("127.0.0.1:9901".into()),
            is_static: true,
            status: "active".into(),
            association: None,
            last_heard_ms: Some(12_345),
            owned: 3,
            checksum: "0x1234".into(),
            checksum_told: checksum_told.map(str::to_owned),
            checksums_equal: checksum_told.map(|told| told == "0x1234"),
            synchronizing: true,
        }
    }

    #[test]
    fn checksums_are_compared_in_words() {
        assert_eq!(checksum(&peer(None)), "-");
        assert_eq!(checksum(&peer(Some("0x1234"))), "0x1234 equal");
        assert_eq!(checksum(&peer(Some("0x0000"))), "0x1234, it says 0x0000");
    }

    #[test]
    fn what_is_unusual_is_remarked() {
        let remarks = remarks(&peer(None));
        assert_eq!(remarks, "static, no association, being compared");
        assert_eq!((age(9999), age(12_345)), ("9999 ms".into(), "12 s".into()));
    }
}
