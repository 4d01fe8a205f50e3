//! `--sctp`: whose SCTP a node uses.

use rserpool::SctpMode;

/// Whose SCTP.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct SctpOptions {
    /// Whose SCTP: `kernel` the kernel's alone, `udp` this program's over UDP, `auto` the kernel's
    /// where it has one, and this program's beside it
    #[arg(long, value_name = "WHOSE", env = "RSP_SCTP", default_value_t)]
    #[arg(hide_default_value = false)]
    pub(crate) sctp: SctpMode,
}
