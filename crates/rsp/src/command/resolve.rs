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
use rserpool::{Compatibility, PoolElementId, PoolHandle, PoolUser, Resolution};
use rserpool_wire::parameter::{PoolElement, UserTransport};
use serde::Serialize;
use std::collections::BTreeMap;
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
    /// Ask this often, and show how often each element was the first
    #[arg(long, value_name = "N", conflicts_with = "watch", value_parser = at_least_one())]
    times: Option<u32>,
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

fn at_least_one() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..)
}

const EXAMPLES: &str = "\
Examples:
  rsp resolve echo
  rsp resolve echo --items 1 -o json | jq -r '.pool_elements[0].address'
  rsp resolve echo --items 1 --times 1000       what each element's share is
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

/// How often one was the first of an answer, as JSON.
#[derive(Serialize)]
struct Share {
    id: String,
    first: u32,
}

/// All shares as JSON.
#[derive(Serialize)]
struct Shares {
    pool_handle: String,
    policy: String,
    times: u32,
    shares: Vec<Share>,
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
        return watch(arguments, user, pool).await;
    }
    if let Some(times) = arguments.times {
        return show_shares(arguments, times, user, pool).await;
    }
    let resolution = resolve(arguments, user, pool).await?;
    show(arguments, pool, &resolution)?;
    Ok(())
}

async fn resolve(
    arguments: &Arguments,
    user: &PoolUser,
    pool: &PoolHandle,
) -> Result<Resolution, Failure> {
    let resolution = match arguments.items {
        Some(items) => user.resolve_items(pool.clone(), items).await,
        None => user.resolve(pool.clone()).await,
    };
    resolution.map_err(|failed| user::failure(pool, &failed))
}

async fn show_shares(
    arguments: &Arguments,
    times: u32,
    user: &PoolUser,
    pool: &PoolHandle,
) -> Outcome {
    let mut counts = BTreeMap::<PoolElementId, u32>::new();
    let mut policy = String::new();
    for _ in 0..times {
        let resolution = resolve(arguments, user, pool).await?;
        if let Some(first) = resolution.pool_elements.first() {
            *counts.entry(first.decode().id).or_default() += 1;
        }
        policy = policy::short(&resolution.policy);
    }
    let shares = counts.into_iter().map(|(id, first)| Share {
        id: id.to_string(),
        first,
    });
    match arguments.format.format() {
        Format::Json => output::json(&Shares {
            pool_handle: pool.to_string(),
            policy,
            times,
            shares: shares.collect(),
        })?,
        Format::Table => {
            let mut table = table(["ELEMENT", "FIRST", "SHARE"]);
            for share in shares {
                let part = f64::from(share.first) / f64::from(times);
                table.add_row([share.id, share.first.to_string(), format!("{part:.3}")]);
            }
            output::line(table_text(&table))?;
        }
    }
    Ok(())
}

async fn watch(arguments: &Arguments, user: &PoolUser, pool: &PoolHandle) -> Outcome {
    let start = Instant::now();
    let mut subscription = user
        .subscribe(pool.clone())
        .await
        .map_err(|failed| user::failure(pool, &failed))?;
    while let Some(update) = subscription.next().await {
        let resolution = update.resolution.as_ref();
        let compatibility = arguments.user.compatibility();
        let rows = resolution
            .map(|of| rows(of, compatibility))
            .unwrap_or_default();
        match arguments.format.format() {
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

fn show(arguments: &Arguments, pool: &PoolHandle, resolution: &Resolution) -> std::io::Result<()> {
    let pool_elements = rows(resolution, arguments.user.compatibility());
    match arguments.format.format() {
        Format::Json => output::json(&Answer {
            pool_handle: pool.to_string(),
            policy: policy::short(&resolution.policy),
            pool_elements,
        }),
        Format::Table => output::line(shown_rows(pool_elements)),
    }
}

fn rows(resolution: &Resolution, compatibility: Compatibility) -> Vec<Row> {
    resolution
        .pool_elements
        .iter()
        .map(|encoded| row(&encoded.decode(), compatibility))
        .collect()
}

fn row(element: &PoolElement, compatibility: Compatibility) -> Row {
    let udp_port = element
        .encapsulation_ports
        .user
        .map(std::num::NonZeroU16::get);
    let (transport, address) = transport(&element.user_transport, udp_port);
    let life = compatibility.duration(element.registration_life);
    let life_s = life.map(|life| u32::try_from(life.as_secs()).unwrap_or(u32::MAX));
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
