//! `rsp registrar`.

use super::demo::report::Report;
use crate::events;
use crate::exit::Outcome;
use crate::management::schema::Status;
use crate::management::{self, Server, Source};
use crate::option::node;
use crate::output::{self, Format};
use crate::signals::Signals;
use anyhow::Context;
use rserpool::{Endpoints, Multicast, Registrar, RegistrarId};
use rserpool_core::{RegistrarAddress, Transport};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tracing::{info, warn};

/// Run a registrar: it keeps the pools, answers users, and watches the elements
///
/// Elements and users on this network find it by multicast, others by --registrar. It takes UDP
/// port 9899 if that is free, else any; where it is reached is the first thing that it prints.
/// SIGTERM and SIGINT end it in order, the second one at once.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Its identifier, as in 0x1a2b3c4d; without it a random one
    #[arg(long, value_name = "ID", value_parser = registrar_id)]
    id: Option<RegistrarId>,
    /// Neither announce itself nor hear others
    #[arg(long, env = "RSP_NO_MULTICAST")]
    no_multicast: bool,
    /// The TCP port at which pool users may ask; 0: any free one
    #[arg(long, value_name = "PORT", env = "RSP_TCP_PORT")]
    tcp_port: Option<u16>,
    /// Where `rsp status` finds it: IP:PORT, the next free port if it is taken; or `off`
    #[arg(long, value_name = "ADDR", env = "RSP_MANAGEMENT")]
    #[arg(default_value = management::DEFAULT_ADDRESS, value_parser = management_address)]
    management: ManagementAddress,
    /// table or json
    #[arg(
        long,
        short,
        value_enum,
        default_value = "table",
        value_name = "FORMAT"
    )]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    output: Format,
    #[command(flatten)]
    node: node::NodeOptions,
}

const EXAMPLES: &str = "\
Examples:
  rsp registrar
  rsp registrar --address 10.0.0.1 --timers fast
  rsp registrar --udp-port 0 --no-multicast     a second one beside it, known by address only
  rsp status                                    what it knows";

/// `--management`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ManagementAddress {
    Off,
    At(SocketAddr),
}

pub(crate) async fn run(arguments: &Arguments) -> Outcome {
    let signals = Signals::listen()?;
    let registrar = Arc::new(start(arguments).await?);
    events::log_registrar(registrar.events());
    let reached_at = reached_at(registrar.endpoints());
    let management = serve_management(arguments.management, &registrar, &reached_at).await;
    announce(arguments.output, registrar.id(), reached_at, management)?;
    tokio::select! {
        () = signals.stop() => {}
        () = arguments.node.life.ended() => {}
    }
    registrar.shutdown().await;
    Ok(())
}

async fn start(arguments: &Arguments) -> anyhow::Result<Registrar> {
    let node = &arguments.node;
    let mut builder = Registrar::builder()
        .addresses(node.address.clone())
        .timers(node.timers.timers())
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
    if address != wanted {
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

fn announce(
    output: Format,
    id: RegistrarId,
    reached_at: Vec<String>,
    management: Option<SocketAddr>,
) -> std::io::Result<()> {
    match output {
        Format::Json => output::json(&Report::Serving {
            registrar: id.to_string(),
            reached_at,
            management: management.map(|address| address.to_string()),
        }),
        Format::Table => {
            output::line(format!("registrar {id} serves"))?;
            for address in &reached_at {
                output::line(format!("  --registrar {address}"))?;
            }
            match management {
                Some(address) => output::line(format!("  rsp status --management {address}")),
                None => Ok(()),
            }
        }
    }
}

/// How it is reached, as `--registrar` takes it: over SCTP by all addresses at once, and over TCP.
fn reached_at(endpoints: &Endpoints) -> Vec<String> {
    let sctp = RegistrarAddress {
        transport: Transport::Sctp,
        addresses: endpoints.addresses.clone(),
        port: endpoints.sctp_port,
        udp_port: Some(endpoints.udp_port).filter(|port| *port != rserpool_core::SCTP_UDP_PORT),
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
