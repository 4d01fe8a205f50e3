//! Logs on standard error; what there is to log comes from the library's events.

use clap::ValueEnum;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// `--log-format` and `--log`.
#[derive(clap::Args, Debug)]
pub(crate) struct LogOptions {
    /// How log lines look: auto (text, but JSON below systemd), text or json
    #[arg(long, global = true, value_name = "FORMAT", env = "RSP_LOG_FORMAT")]
    #[arg(
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true
    )]
    #[arg(help_heading = "Logs", value_parser = clap::value_parser!(LogFormat))]
    log_format: LogFormat,
    /// What is logged: off, error, warn, info or debug; info for services, otherwise warn
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "RSP_LOG",
        help_heading = "Logs"
    )]
    log: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum LogFormat {
    Auto,
    Text,
    Json,
}

impl LogOptions {
    /// Starts logging: registrars and pool elements tell what happens, other commands only what is
    /// wrong.
    pub(crate) fn install(&self, is_service: bool) {
        let default = if is_service { "info" } else { "warn" };
        let filter = EnvFilter::new(self.log.as_deref().unwrap_or(default));
        let is_terminal = std::io::stderr().is_terminal();
        let logs = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_target(false)
            .with_ansi(is_terminal && crate::output::is_colourful());
        let json = match self.log_format {
            LogFormat::Auto => !is_terminal && std::env::var_os("JOURNAL_STREAM").is_some(),
            LogFormat::Text => false,
            LogFormat::Json => true,
        };
        // Not `init`: that would also take what the SCTP library logs, every packet in hexadecimal.
        let set = if json {
            tracing::subscriber::set_global_default(logs.json().finish())
        } else {
            tracing::subscriber::set_global_default(logs.finish())
        };
        set.expect("logging is started once");
    }
}
