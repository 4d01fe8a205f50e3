//! `rsp serve`.

use super::demo::report::Report;
use super::leaving::{Leaving, Sessions};
use super::service::{Jobs, Load, Service, ServiceOptions};
use super::user;
use crate::events;
use crate::exit::{Exit, Failure, Outcome};
use crate::option::compatibility::CompatibilityOptions;
use crate::option::format::FormatOptions;
use crate::option::{node, policy, registrars};
use crate::output::{self, Format};
use crate::signals::Signals;
use anyhow::anyhow;
use rserpool::{DataTransport, Multicast, PoolElement, PoolElementId, PoolHandle};
use rserpool_wire::parameter::Policy;
use std::sync::Arc;
use std::time::Duration;

/// Run a pool element with a small service
///
/// It joins the pool named like the service unless --pool says otherwise.
///
/// SIGTERM and SIGINT make it leave the pool first and take no new sessions; those that are open
/// have --drain-ms to end by themselves, and are then moved to other elements with their cookies.
/// It tells how many are open, every second, and how they ended: exit code 0. The second signal
/// ends it at once, exit code 130: what it had not told its users is lost.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// What it does for its users
    #[arg(value_enum)]
    service: Service,
    /// The pool to join; it comes into being with its first element
    #[arg(long, value_name = "POOL")]
    pool: Option<String>,
    #[arg(long, value_name = "POLICY", default_value = "rr", value_parser = policy::parse)]
    #[arg(help = "The pool's policy, as in rr, wrr:2, rand, lu:0.3", long_help = policy::HELP)]
    policy: Policy,
    /// Its identifier, as in 0x1a2b3c4d; without it a random one
    #[arg(long, value_name = "ID", value_parser = pool_element_id)]
    id: Option<PoolElementId>,
    /// By what its users come. TCP and UDP are data channels alone: `ping-pong` and `calc`, which
    /// have cookies, need SCTP
    #[arg(long, value_enum, value_name = "TRANSPORT", default_value_t = Transport::Sctp)]
    transport: Transport,
    /// With --transport tcp or udp: the port; without it the system chooses
    #[arg(long, value_name = "PORT")]
    user_port: Option<u16>,
    /// How long to look for a registrar before giving up
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    register_timeout_ms: u64,
    /// How long sessions may take to end by themselves once it has left its pool
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    drain_ms: u64,
    #[command(flatten)]
    format: FormatOptions,
    #[command(flatten)]
    registrars: registrars::RegistrarOptions,
    #[command(flatten)]
    compatibility: CompatibilityOptions,
    // Its heading would be that of all options after it.
    #[command(flatten)]
    options: ServiceOptions,
    #[command(flatten)]
    node: node::NodeOptions,
}

/// By what users come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Transport {
    /// SCTP, with cookies and business cards
    Sctp,
    /// TCP: lines, for `rsp connect` as for any TCP client
    Tcp,
    /// UDP: a datagram each way, which may be lost
    Udp,
}

impl From<Transport> for DataTransport {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Sctp => Self::Sctp,
            Transport::Tcp => Self::Tcp,
            Transport::Udp => Self::Udp,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  rsp serve echo
  rsp serve echo --policy wrr:3 --registrar 10.0.0.1
  rsp serve daytime --pool clock --id 0x1a2b3c4d
  rsp serve ping-pong --pool PingPongPool       for rsplib's pingpongclient
  rsp serve calc --pool CalcAppPool             for rsplib's calcappclient
  rsp serve daytime --transport tcp             for `rsp connect`, and any TCP client
  rsp connect echo                              use it";

pub(crate) async fn run(arguments: &Arguments) -> Outcome {
    arguments.check()?;
    let mut signals = Signals::listen()?;
    let handle = arguments
        .pool
        .clone()
        .unwrap_or_else(|| arguments.service.name().to_owned());
    let handle = PoolHandle::from(handle.as_str());
    // A key that cannot be read is told before anything is begun.
    arguments.options.key()?;
    let mut element = tokio::select! {
        registered = register(arguments, &handle) => registered?,
        () = signals.recv() => {
            return Err(Failure::new(Exit::Interrupted, anyhow!("interrupted")));
        }
    };
    events::log_pool_element(element.events());
    say_registered(arguments.format.format(), &element)?;
    let settings = Arc::new(arguments.options.settings(&handle, element.id())?);
    let jobs = Arc::new(Jobs::default());
    let mut load = Load::new(
        Arc::clone(&jobs),
        settings.jobs_max,
        arguments.policy.clone(),
    );
    let sessions = Sessions::default();
    let end = arguments.node.life.ended();
    tokio::pin!(end);
    loop {
        tokio::select! {
            connection = element.accept() => match connection {
                Some(mut connection) => {
                    let (settings, jobs) = (Arc::clone(&settings), Arc::clone(&jobs));
                    let service = arguments.service;
                    let open = sessions.open();
                    // It ends with its session.
                    tokio::spawn(async move {
                        service.serve(&mut connection, &settings, &jobs).await;
                        drop((connection, open));
                    });
                }
                None => return Err(anyhow!("the pool element has ended").into()),
            },
            policy = load.changed() => element.set_policy(policy).await,
            () = signals.recv() => break,
            () = &mut end => break,
        }
    }
    let deadline = Duration::from_millis(arguments.drain_ms);
    let leaving = Leaving::new(arguments.format.format(), &element, sessions, deadline);
    tokio::select! {
        ended = leaving.run(element) => Ok(ended?),
        () = signals.recv() => Err(leaving.cut_off()),
    }
}

impl Arguments {
    fn check(&self) -> Outcome {
        let (service, is_sctp) = (self.service, self.transport == Transport::Sctp);
        let wrong = if service.needs_sctp() && !is_sctp {
            format!(
                "{} needs SCTP, for cookies: leave --transport out",
                service.name()
            )
        } else if self.user_port.is_some() && is_sctp {
            "--user-port is for --transport tcp or udp: with SCTP give --sctp-port and --udp-port"
                .to_owned()
        } else {
            return Ok(());
        };
        Err(Failure::new(Exit::Usage, anyhow!(wrong)))
    }
}

async fn register(arguments: &Arguments, handle: &PoolHandle) -> Result<PoolElement, Failure> {
    let node = &arguments.node;
    let no_multicast = arguments.registrars.no_multicast;
    let mut builder = PoolElement::builder(handle.clone())
        .policy(arguments.policy.clone())
        .registrars(arguments.registrars.registrar.clone())
        .multicast(if no_multicast {
            Multicast::off()
        } else {
            Multicast::default()
        })
        .sctp(node.whose.sctp)
        .timers(node.timers.timers())
        .compatibility(arguments.compatibility.compatibility())
        .register_timeout(Duration::from_millis(arguments.register_timeout_ms))
        .serve_by(arguments.transport.into());
    if let Some(port) = arguments.user_port {
        builder = builder.user_port(port);
    }
    if let Some(id) = arguments.id {
        builder = builder.id(id);
    }
    if !node.address.is_empty() {
        builder = builder.addresses(node.address.clone());
    }
    if let Some(port) = node.sctp_port {
        builder = builder.sctp_port(port);
    }
    if let Some(port) = node.udp_port {
        builder = builder.udp_port(port);
    }
    builder
        .register()
        .await
        .map_err(|failed| user::failure(handle, &failed))
}

fn say_registered(format: Format, element: &PoolElement) -> std::io::Result<()> {
    let (pool, id) = (element.pool_handle(), element.id());
    let home = element
        .home_registrar()
        .map(|home| home.to_string())
        .unwrap_or_default();
    match format {
        Format::Json => output::json(&Report::Registered {
            pool_handle: pool.to_string(),
            pool_element: id.to_string(),
            home,
        }),
        Format::Table => output::line(format!("element {id} of pool {pool}, registered at {home}")),
    }
}

fn pool_element_id(text: &str) -> Result<PoolElementId, String> {
    super::identifier(text)
        .map(PoolElementId)
        .ok_or_else(|| "expected a number from 0x0 to 0xffffffff".to_owned())
}
