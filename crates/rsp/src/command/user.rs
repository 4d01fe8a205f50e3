//! What `rsp resolve` and `rsp connect` have in common: a pool user.

use crate::events;
use crate::exit::{Exit, Failure};
use crate::option::{registrars, timers};
use anyhow::Context;
use rserpool::{Multicast, PoolUser, ResolveFailed};

/// The options of a pool user.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    registrars: registrars::Options,
    #[command(flatten)]
    timers: timers::Options,
}

impl Options {
    /// Starts the pool user, and logs what happens to it.
    pub(crate) async fn start(&self) -> Result<PoolUser, Failure> {
        let no_multicast = self.registrars.no_multicast;
        let user = PoolUser::builder()
            .registrars(self.registrars.registrar.clone())
            .multicast(if no_multicast {
                Multicast::off()
            } else {
                Multicast::default()
            })
            .timers(self.timers.timers())
            .start()
            .await
            .context("cannot start")?;
        events::log_pool_user(user.events());
        Ok(user)
    }
}

/// The exit code that a failure of the library means.
pub(crate) trait FailureExit {
    /// The exit code.
    fn exit(&self) -> Exit;
}

impl FailureExit for ResolveFailed {
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}
