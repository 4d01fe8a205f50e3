//! `--registrar` and `--no-multicast`: where clients look for a registrar.

use rserpool_core::RegistrarAddress;

/// Where to look for a registrar.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RegistrarOptions {
    /// A registrar: `ADDRESS[,ADDRESS…][:PORT][/udp=PORT]`, or `tcp:ADDRESS[:PORT]` (repeatable);
    /// without any, those that announce themselves by multicast are found
    #[arg(
        long,
        value_name = "ADDR",
        env = "RSP_REGISTRAR",
        value_delimiter = ' '
    )]
    pub(crate) registrar: Vec<RegistrarAddress>,
    /// Do not listen for registrars that announce themselves
    #[arg(long, env = "RSP_NO_MULTICAST")]
    pub(crate) no_multicast: bool,
}
