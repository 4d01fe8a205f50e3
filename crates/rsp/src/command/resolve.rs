//! `rsp resolve`.

use super::demo::report::Report;
use super::user;
use crate::exit::{Exit, Failure, OrExit, Outcome};
use crate::hex;
use crate::option::format::FormatOptions;
use crate::option::{node, policy};
use crate::output::{self, Format, table, table_text};
use crate::signals::Signals;
use anyhow::anyhow;
use rserpool::{PoolHandle, PoolUser, Resolution};
use rserpool_wire::RegistrationLife;
use rserpool_wire::parameter::{PoolElement, UserTransport};
use serde::Serialize;
use std::time::Instant;

/// Ask a registrar for the elements of a pool, in the order of its policy
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The pool handle
    pool: String,
    /// How many elements; without it all that fit into one answer
    #[arg(long, value_name = "N")]
    items: Option<u32>,
    /// Stay, and show the pool again whenever it changes
    #[arg(long, short, conflicts_with = "items")]
    watch: bool,
    #[command(flatten)]
    format: FormatOptions,
    #[command(flatten)]
    user: user::UserOptions,
    #[command(flatten)]
    life: node::Life,
}

const EXAMPLES: &str = "\
Examples:
  rsp resolve echo
  rsp resolve echo --items 1 -o json | jq -r '.pool_elements[0].address'
  rsp resolve echo --watch
  rsp resolve echo --registrar tcp:10.0.0.1

The exit code is 3 if there is no such pool, 4 if no registrar is reached.";

/// An answer as JSON.
#[derive(Serialize)]
struct Answer {
    pool_handle: String,
    policy: String,
    pool_elements: Vec<Row>,
}

/// A pool element as it is shown.
#[derive(Serialize)]
struct Row {
    id: String,
    transport: &'static str,
    address: String,
    policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    home: Option<String>,
    /// Absent: for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    life_s: Option<u32>,
}

pub(crate) async fn run(arguments: &Arguments) -> Outcome {
    let mut signals = Signals::listen()?;
    let pool = PoolHandle::from(arguments.pool.as_str());
    let user = arguments.user.start().await?;
    tokio::select! {
        outcome = ask(arguments, &user, &pool) => outcome,
        () = arguments.life.ended() => Ok(()),
        () = signals.recv() => match arguments.watch {
            true => Ok(()),
            false => Err(Failure::new(Exit::Interrupted, anyhow!("interrupted"))),
        },
    }
}

async fn ask(arguments: &Arguments, user: &PoolUser, pool: &PoolHandle) -> Outcome {
    if arguments.watch {
        return watch(arguments.format.format(), user, pool).await;
    }
    let resolution = match arguments.items {
        Some(items) => user.resolve_items(pool.clone(), items).await,
        None => user.resolve(pool.clone()).await,
    };
    let resolution = resolution.map_err(|failed| user::failure(pool, &failed))?;
    show(arguments.format.format(), pool, &resolution)?;
    Ok(())
}

async fn watch(format: Format, user: &PoolUser, pool: &PoolHandle) -> Outcome {
    let start = Instant::now();
    let mut subscription = user
        .subscribe(pool.clone())
        .await
        .map_err(|failed| user::failure(pool, &failed))?;
    while let Some(update) = subscription.next().await {
        let rows = update.resolution.as_ref().map(rows).unwrap_or_default();
        match format {
            Format::Json => output::json(&Report::Pool {
                pool_handle: pool.to_string(),
                pool_elements: rows.into_iter().map(|row| row.id).collect(),
            })?,
            Format::Table => {
                let seconds = start.elapsed().as_secs_f64();
                let text = match rows.len() {
                    0 => "no pool elements".to_owned(),
                    _ => shown_rows(rows),
                };
                output::line(format!("{seconds:.3} s  {pool}\n{text}\n"))?;
            }
        }
    }
    Err(anyhow!("the subscription has ended; try again")).or_exit(Exit::Failed)
}

fn show(format: Format, pool: &PoolHandle, resolution: &Resolution) -> std::io::Result<()> {
    let pool_elements = rows(resolution);
    match format {
        Format::Json => output::json(&Answer {
            pool_handle: pool.to_string(),
            policy: policy::short(&resolution.policy),
            pool_elements,
        }),
        Format::Table => output::line(shown_rows(pool_elements)),
    }
}

fn rows(resolution: &Resolution) -> Vec<Row> {
    resolution
        .pool_elements
        .iter()
        .map(|encoded| row(&encoded.decode()))
        .collect()
}

fn row(element: &PoolElement) -> Row {
    let udp_port = element
        .encapsulation_ports
        .user
        .map(std::num::NonZeroU16::get);
    let (transport, address) = transport(&element.user_transport, udp_port);
    let life_s = match element.registration_life {
        RegistrationLife::Seconds(seconds) => Some(seconds),
        RegistrationLife::Infinite => None,
    };
    Row {
        id: element.id.to_string(),
        transport,
        address,
        policy: policy::short(&element.policy),
        home: element.home_registrar.map(|home| home.to_string()),
        life_s,
    }
}

fn transport(transport: &UserTransport, udp_port: Option<u16>) -> (&'static str, String) {
    use std::net::SocketAddr;
    match transport {
        UserTransport::Sctp(sctp) => {
            let address = rserpool_core::RegistrarAddress {
                transport: rserpool_core::Transport::Sctp,
                addresses: sctp.addresses.clone(),
                port: sctp.port,
                udp_port,
            };
            ("sctp", address.to_string())
        }
        UserTransport::Tcp(tcp) => ("tcp", SocketAddr::new(tcp.address, tcp.port).to_string()),
        UserTransport::Udp(udp) => ("udp", SocketAddr::new(udp.address, udp.port).to_string()),
        UserTransport::UdpLite(udp) => (
            "udplite",
            SocketAddr::new(udp.address, udp.port).to_string(),
        ),
        UserTransport::Dccp(dccp) => ("dccp", SocketAddr::new(dccp.address, dccp.port).to_string()),
        UserTransport::Opaque(octets) => ("opaque", hex::encode(octets)),
    }
}

fn shown_rows(rows: Vec<Row>) -> String {
    let mut table = table(["ELEMENT", "TRANSPORT", "ADDRESS", "POLICY", "HOME", "LIFE"]);
    for row in rows {
        table.add_row([
            row.id,
            row.transport.to_owned(),
            row.address,
            row.policy,
            row.home.unwrap_or_else(|| "-".to_owned()),
            row.life_s
                .map_or_else(|| "for ever".to_owned(), |seconds| format!("{seconds} s")),
        ]);
    }
    table_text(&table)
}
