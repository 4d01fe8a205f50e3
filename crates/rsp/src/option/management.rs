//! `--management`: which registrar is asked for its state.

use crate::exit::{Exit, Failure, OrExit};
use crate::management::{self, FetchError, schema::Status};
use anyhow::Context;

/// The registrar that is asked.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ManagementOptions {
    /// The registrar's management interface, as it said when it started
    #[arg(long, value_name = "ADDR", env = "RSP_MANAGEMENT")]
    #[arg(default_value = management::DEFAULT_ADDRESS)]
    management: String,
}

impl ManagementOptions {
    /// Asks it for its state.
    pub(crate) async fn fetch(&self) -> Result<Status, Failure> {
        let address = self
            .management
            .trim_start_matches("http://")
            .trim_end_matches('/');
        let status = management::fetch(address).await;
        let exit = match &status {
            Err(FetchError::Connection(_)) => Exit::NoRegistrar,
            Err(FetchError::Timeout) => Exit::Timeout,
            _ => Exit::Failed,
        };
        let advice = || format!("no status from {address}; is `rsp registrar` running there?");
        status.with_context(advice).or_exit(exit)
    }
}
