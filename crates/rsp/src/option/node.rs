//! Options of every node: its addresses and ports, its timers, and its end.

use super::{sctp, timers};
use nix::sys::signal::Signal;
use std::net::IpAddr;
use tokio::io::AsyncReadExt;

/// Addresses and ports of this node.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "This node")]
pub(crate) struct NodeOptions {
    /// A local address to use (repeatable); without any, all of this host
    #[arg(long, value_name = "IP", env = "RSP_ADDRESS", value_delimiter = ' ')]
    pub(crate) address: Vec<IpAddr>,
    /// The UDP port that carries SCTP; 0: any free one
    #[arg(long, value_name = "PORT", env = "RSP_UDP_PORT")]
    pub(crate) udp_port: Option<u16>,
    /// The SCTP port, of the kernel and inside UDP
    #[arg(long, value_name = "PORT", env = "RSP_SCTP_PORT")]
    pub(crate) sctp_port: Option<u16>,
    #[command(flatten)]
    pub(crate) whose: sctp::SctpOptions,
    #[command(flatten)]
    pub(crate) timers: timers::TimerOptions,
    #[command(flatten)]
    pub(crate) life: Life,
}

/// When to end.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct Life {
    /// Stop in order when standard input ends, as it does when whoever started this is gone
    #[arg(long, hide_short_help = true)]
    until_stdin_ends: bool,
    /// Be killed when the process that started this one ends, even while stopped
    #[arg(long, hide = true)]
    killed_with_parent: bool,
}

impl Life {
    /// Waits until standard input has ended, or for ever if that is not to be minded.
    pub(crate) async fn ended(self) {
        #[cfg(target_os = "linux")]
        if self.killed_with_parent {
            // Where it is not to be had, the end of standard input does nearly the same.
            let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
        }
        if !self.until_stdin_ends {
            return std::future::pending().await;
        }
        let mut stdin = tokio::io::stdin();
        let mut ignored = [0; 256];
        while stdin
            .read(&mut ignored)
            .await
            .is_ok_and(|octets| octets > 0)
        {}
    }
}
