//! An `rsp registrar` process.

use crate::child::Child;
use crate::namespace::Namespace;
use crate::options::Preset;
use crate::view::View;
use crate::{Failure, now};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// From these a registrar gets one.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// Where a registrar is, while it runs and before and after.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) address: IpAddr,
    pub(crate) udp_port: u16,
    pub(crate) namespace: Option<Arc<Namespace>>,
}

impl Site {
    /// On the loopback interface, at a port that nobody has now, nor gets from the system while the
    /// registrar is dead: below those that Linux hands out.
    pub(crate) fn on_loopback() -> Result<Self, Failure> {
        let address = IpAddr::from(Ipv4Addr::LOCALHOST);
        let first = u16::try_from(now() % u64::from(PORTS.end - PORTS.start))? + PORTS.start;
        for udp_port in (first..PORTS.end).chain(PORTS) {
            // Processes of one host notice by TCP at the same port when one of them ends.
            let is_free = UdpSocket::bind((address, udp_port)).is_ok()
                && TcpListener::bind((address, udp_port)).is_ok();
            if is_free {
                return Ok(Self {
                    address,
                    udp_port,
                    namespace: None,
                });
            }
        }
        Err("no port is free".into())
    }

    /// Where pool elements and pool users reach it.
    pub(crate) fn asap(&self) -> String {
        format!("{}:3863/udp={}", self.address, self.udp_port)
    }

    /// Where other registrars reach it.
    fn enrp(&self) -> String {
        format!("{}:9901/udp={}", self.address, self.udp_port)
    }
}

/// All that pool elements and pool users know, as the option `--registrars` takes it.
pub(crate) fn all_of(sites: &[Site]) -> String {
    sites.iter().map(Site::asap).collect::<Vec<_>>().join(" ")
}

/// A running registrar. Killed when dropped.
pub(crate) struct Registrar {
    pub(crate) child: Child,
    pub(crate) id: String,
    pub(crate) site: Site,
    pub(crate) started_at: u64,
    management: SocketAddr,
}

impl Registrar {
    /// Starts a registrar at `sites[own]`, with all others as its peers.
    pub(crate) fn start(
        sites: &[Site],
        own: usize,
        preset: Preset,
        further: &[&str],
    ) -> Result<Self, Failure> {
        let site = sites[own].clone();
        let mut command = Command::new(rsp()?);
        command.args(["registrar", "--no-multicast", "--until-stdin-ends"]);
        command.args(["--output", "json", "--tcp-port", "0"]);
        command.args(["--management", "127.0.0.1:0", "--timers", preset.name()]);
        command.args(["--address", &site.address.to_string()]);
        command.args(["--udp-port", &site.udp_port.to_string()]);
        for (number, peer) in sites.iter().enumerate() {
            if number != own {
                command.args(["--peer", &peer.enrp()]);
            }
        }
        command.args(further);
        if site.namespace.is_none() {
            // Also while it is stopped. The thread that starts it must live on, so not elsewhere.
            command.arg("--killed-with-parent");
        }
        if std::env::var_os("RSP_LOG").is_none() {
            command.stderr(Stdio::null());
        }
        let started_at = now();
        let child = Child::start(command, site.namespace.as_deref())?;
        let line = child.answer("\"serving\"", Duration::from_secs(10))?;
        let serving: Value = serde_json::from_str(&line)?;
        let text = |name: &str| serving[name].as_str().map(str::to_owned);
        Ok(Self {
            id: text("registrar").ok_or("a registrar without an identifier")?,
            management: text("management").ok_or("no management")?.parse()?,
            child,
            site,
            started_at,
        })
    }

    /// Waits until it says that it has what its mentor has, and when it said so.
    pub(crate) fn initialized(&self, within: Duration) -> Result<u64, Failure> {
        self.child.answer("\"initialized\"", within)?;
        Ok(now())
    }

    /// What it knows.
    pub(crate) fn view(&self) -> Result<View, Failure> {
        match &self.site.namespace {
            Some(namespace) => {
                let management = self.management;
                namespace.inside(move || View::fetch(management))
            }
            None => View::fetch(self.management),
        }
    }
}

/// The program beside this one: `target/release/rsp` of `target/release/examples/measure`.
fn rsp() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe()?;
    let directory = own.parent().and_then(std::path::Path::parent);
    let rsp = directory.ok_or("this program lies nowhere")?.join("rsp");
    if rsp.is_file() {
        return Ok(rsp);
    }
    Err(format!("{} is missing: cargo build --release -p rsp", rsp.display()).into())
}
