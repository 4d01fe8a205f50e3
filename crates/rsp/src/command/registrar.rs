//! `rsp registrar`.

use super::demo::report::Report;
use crate::events::{self, Initialized};
use crate::exit::{Exit, Failure, Outcome};
use crate::management::schema::Status;
use crate::management::{self, Server, Source};
use crate::option::compatibility::CompatibilityOptions;
use crate::option::format::FormatOptions;
use crate::option::node;
use crate::output::{self, Format};
use crate::signals::Signals;
use anyhow::{Context, anyhow};
use rserpool::{Endpoints, Multicast, Registrar, RegistrarId};
use rserpool_core::{RegistrarAddress, Transport};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::sync::oneshot;
use tracing::{info, warn};

/// Run a registrar: it keeps the pools, answers users, and watches the elements
///
/// Elements and users on this network find it by multicast, others by --registrar. It takes UDP
/// port 9899 if that is free, else any; where it is reached is the first thing that it prints.
/// SIGTERM and SIGINT end it in order, the second one at once.
///
/// Registrars that know each other, by multicast or by --peer, keep the same pools: each answers
/// for all, and when one dies the others take over its elements. A new one gets everything from
/// the first peer that answers, and says when it has it.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Its identifier, as in 0x1a2b3c4d; without it a random one
    #[arg(long, value_name = "ID", value_parser = registrar_id)]
    id: Option<RegistrarId>,
    /// Another registrar to share all pools with: `ADDRESS[,ADDRESS…][:PORT][/udp=PORT]`, as that
    /// one said when it started (repeatable); one is enough, it tells of the others
    #[arg(long, value_name = "ADDR", env = "RSP_PEER", value_delimiter = ' ')]
    #[arg(value_parser = RegistrarAddress::parse_peer)]
    peer: Vec<RegistrarAddress>,
    /// Neither announce itself nor hear others
    #[arg(long, env = "RSP_NO_MULTICAST")]
    no_multicast: bool,
    /// The SCTP port at which other registrars reach it; otherwise 9901
    #[arg(long, value_name = "PORT", env = "RSP_ENRP_PORT")]
    enrp_port: Option<u16>,
    /// The TCP port at which pool users may ask; 0: any free one
    #[arg(long, value_name = "PORT", env = "RSP_TCP_PORT")]
    tcp_port: Option<u16>,
    /// Where `rsp status` finds it: IP:PORT, the next free port if it is taken; or `off`
    #[arg(long, value_name = "ADDR", env = "RSP_MANAGEMENT")]
    #[arg(default_value = management::DEFAULT_ADDRESS, value_parser = management_address)]
    management: ManagementAddress,
    #[command(flatten)]
    format: FormatOptions,
    #[command(flatten)]
    compatibility: CompatibilityOptions,
    #[command(flatten)]
    node: node::NodeOptions,
}

const EXAMPLES: &str = "\
Examples:
  rsp registrar
  rsp registrar --address 10.0.0.1 --timers fast
  rsp registrar --peer 10.0.0.2 --peer 10.0.0.3 three that know each other, on three hosts
  rsp registrar --peer 127.0.0.1                a second one beside the first
  rsp status                                    what it knows
  rsp peers                                     how its peers are";

/// `--management`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ManagementAddress {
    Off,
    At(SocketAddr),
}

pub(crate) async fn run(arguments: &Arguments) -> Outcome {
    let mut signals = Signals::listen()?;
    let registrar = Arc::new(start(arguments).await?);
    let initialized = events::log_registrar(registrar.events());
    let reached_at = reached_at(registrar.endpoints());
    let management = serve_management(arguments.management, &registrar, &reached_at).await;
    announce(arguments, &registrar, reached_at, management)?;
    tokio::select! {
        () = signals.recv() => {}
        () = arguments.node.life.ended() => {}
        never = say_initialized(arguments.format.format(), initialized) => match never {},
    }
    tokio::select! {
        () = registrar.shutdown() => Ok(()),
        () = signals.recv() => Err(Failure::new(Exit::Interrupted, anyhow!("interrupted"))),
    }
}

async fn start(arguments: &Arguments) -> anyhow::Result<Registrar> {
    let node = &arguments.node;
    let mut builder = Registrar::builder()
        .addresses(node.address.clone())
        .sctp(node.whose.sctp)
        .timers(node.timers.timers())
        .compatibility(arguments.compatibility.compatibility())
        .multicast(if arguments.no_multicast {
            Multicast::off()
        } else {
            Multicast::default()
        });
    if let Some(id) = arguments.id {
        builder = builder.id(id);
    }
    if let Some(port) = node.sctp_port {
        builder = builder.sctp_port(port);
    }
    if let Some(port) = node.udp_port {
        builder = builder.udp_port(port);
    }
    if let Some(port) = arguments.enrp_port {
        builder = builder.enrp_port(port);
    }
    for peer in &arguments.peer {
        builder = builder.peer(peer.clone());
    }
    if let Some(port) = arguments.tcp_port {
        builder = builder.tcp_port(port);
    }
    builder.start().await.context("cannot start the registrar")
}

/// The registrar's snapshots for the management interface.
struct Snapshots {
    registrar: Arc<Registrar>,
    reached_at: Vec<String>,
}

impl Source for Snapshots {
    async fn status(&self) -> Option<Status> {
        let snapshot = self.registrar.snapshot().await?;
        Some(Status::new(&snapshot, self.reached_at.clone()))
    }
}

/// Serves the management interface; without it the registrar runs all the same.
async fn serve_management(
    wanted: ManagementAddress,
    registrar: &Arc<Registrar>,
    reached_at: &[String],
) -> Option<SocketAddr> {
    let ManagementAddress::At(wanted) = wanted else {
        return None;
    };
    let server = match Server::bind(wanted).await {
        Ok(server) => server,
        Err(error) => {
            warn!(%wanted, %error, "no management interface");
            return None;
        }
    };
    let address = server.address();
    if wanted.port() != 0 && address != wanted {
        info!(%wanted, %address, "the management port is taken; another one is used");
    }
    if !address.ip().is_loopback() {
        warn!(%address, "the management interface can be read by anybody who reaches it");
    }
    let source = Snapshots {
        registrar: Arc::clone(registrar),
        reached_at: reached_at.to_vec(),
    };
    tokio::spawn(async move {
        if let Err(error) = server.run(source).await {
            warn!(%error, "the management interface has ended");
        }
    });
    Some(address)
}

/// Says where it is reached, and how it finds its peers.
fn announce(
    arguments: &Arguments,
    registrar: &Registrar,
    reached_at: Vec<String>,
    management: Option<SocketAddr>,
) -> std::io::Result<()> {
    let id = registrar.id();
    let endpoints = registrar.endpoints();
    let as_peer = endpoints.as_peer();
    let peers: Vec<String> = arguments.peer.iter().map(ToString::to_string).collect();
    if arguments.format.format() == Format::Json {
        return output::json(&Report::Serving {
            registrar: id.to_string(),
            reached_at,
            reached_by_peers_at: as_peer.to_string(),
            management: management.map(|address| address.to_string()),
            peers,
        });
    }
    output::line(format!("registrar {id} serves"))?;
    for address in &reached_at {
        output::line(format!("  --registrar {address}"))?;
    }
    output::line(format!("  --peer {as_peer}"))?;
    if let Some(address) = management {
        output::line(format!("  rsp status --management {address}"))?;
    }
    output::line(match (peers.is_empty(), endpoints.enrp_multicast) {
        (true, true) => "looking for peers by multicast".to_owned(),
        (true, false) => "no peers: it is alone until one comes".to_owned(),
        (false, true) => format!("peer of {}, and whom multicast finds", peers.join(" and ")),
        (false, false) => format!("peer of {}", peers.join(" and ")),
    })
}

/// Says when it has the pools of its peers. Does not come back.
async fn say_initialized(
    format: Format,
    initialized: oneshot::Receiver<Initialized>,
) -> Infallible {
    if let Ok(Initialized {
        mentor,
        pool_elements,
    }) = initialized.await
    {
        // If nobody reads this any more, it serves all the same.
        let _ = match (format, mentor) {
            (Format::Json, mentor) => output::json(&Report::Initialized {
                mentor: mentor.map(|mentor| mentor.to_string()),
                pool_elements,
            }),
            (Format::Table, Some(mentor)) => output::line(format!(
                "initialised, with {pool_elements} pool elements from its mentor {mentor}"
            )),
            (Format::Table, None) => output::line("initialised, without a mentor"),
        };
    }
    std::future::pending().await
}

/// How it is reached, as `--registrar` takes it: over SCTP by all addresses at once, and over TCP.
fn reached_at(endpoints: &Endpoints) -> Vec<String> {
    let sctp = RegistrarAddress {
        transport: Transport::Sctp,
        addresses: endpoints.addresses.clone(),
        port: endpoints.sctp_port,
        // Without encapsulation it is 0.
        udp_port: Some(endpoints.udp_port)
            .filter(|port| ![0, rserpool_core::SCTP_UDP_PORT].contains(port)),
    };
    let tcp = endpoints.tcp.map(|tcp| {
        let first = endpoints.addresses.first().copied();
        let address = match tcp.ip() {
            ip if ip.is_unspecified() => first.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            ip => ip,
        };
        let (transport, addresses) = (Transport::Tcp, vec![address]);
        RegistrarAddress {
            transport,
            addresses,
            port: tcp.port(),
            udp_port: None,
        }
    });
    [Some(sctp), tcp]
        .into_iter()
        .flatten()
        .map(|address| address.to_string())
        .collect()
}

fn registrar_id(text: &str) -> Result<RegistrarId, String> {
    super::identifier(text)
        .and_then(RegistrarId::new)
        .ok_or_else(|| "expected a number from 0x1 to 0xffffffff".to_owned())
}

fn management_address(text: &str) -> Result<ManagementAddress, String> {
    if text == "off" {
        return Ok(ManagementAddress::Off);
    }
    text.parse()
        .map(ManagementAddress::At)
        .map_err(|_| "expected IP:PORT or off".to_owned())
}
