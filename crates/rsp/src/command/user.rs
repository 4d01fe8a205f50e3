//! What `rsp resolve` and `rsp connect` have in common: a pool user.

use crate::events;
use crate::exit::{Exit, Failure};
use crate::option::compatibility::CompatibilityOptions;
use crate::option::{registrars, sctp, timers};
use anyhow::{Context, anyhow};
use rserpool::{
    Compatibility, ConnectFailed, Multicast, PoolHandle, PoolUser, RegisterFailed, ResolveFailed,
    SessionLost, Timers,
};
use std::time::Duration;

/// The options of a pool user.
#[derive(clap::Args, Debug)]
pub(crate) struct UserOptions {
    #[command(flatten)]
    registrars: registrars::RegistrarOptions,
    #[command(flatten)]
    compatibility: CompatibilityOptions,
    #[command(flatten)]
    whose: sctp::SctpOptions,
    #[command(flatten)]
    timers: timers::TimerOptions,
}

impl UserOptions {
    /// With what the scope is compatible.
    pub(crate) fn compatibility(&self) -> Compatibility {
        self.compatibility.compatibility()
    }

    /// Starts the pool user, and logs what happens to it.
    pub(crate) async fn start(&self) -> Result<PoolUser, Failure> {
        self.start_with(self.timers.timers()).await
    }

    /// As [`Self::start`]; but each selection is a registrar's.
    pub(crate) async fn start_without_cache(&self) -> Result<PoolUser, Failure> {
        let mut timers = self.timers.timers();
        timers.asap.stale_cache_value = Duration::ZERO;
        self.start_with(timers).await
    }

    async fn start_with(&self, timers: Timers) -> Result<PoolUser, Failure> {
        let no_multicast = self.registrars.no_multicast;
        let user = PoolUser::builder()
            .registrars(self.registrars.registrar.clone())
            .multicast(if no_multicast {
                Multicast::off()
            } else {
                Multicast::default()
            })
            .sctp(self.whose.sctp)
            .timers(timers)
            .compatibility(self.compatibility())
            .start()
            .await
            .context("cannot start")?;
        events::log_pool_user(user.events());
        Ok(user)
    }
}

/// The exit code that a failure of the library means.
pub(crate) trait FailureExit: std::fmt::Display {
    /// The exit code.
    fn exit(&self) -> Exit;
}

impl FailureExit for ResolveFailed {
    fn exit(&self) -> Exit {
        match self {
            Self::UnknownPool => Exit::NotFound,
            Self::NoRegistrar => Exit::NoRegistrar,
            Self::Timeout => Exit::Timeout,
            Self::Rejected(_) => Exit::Denied,
            Self::TooManyRequests | Self::Stopped => Exit::Failed,
            _ => Exit::Failed,
        }
    }
}

impl FailureExit for ConnectFailed {
    fn exit(&self) -> Exit {
        match self {
            Self::Resolve(failed) => failed.exit(),
            Self::Unreachable(_) => Exit::Timeout,
            Self::ForeignTransport(_) | Self::TooManyAssociations(_) | Self::Stopped | _ => {
                Exit::Failed
            }
        }
    }
}

impl FailureExit for SessionLost {
    fn exit(&self) -> Exit {
        self.last.exit()
    }
}

impl FailureExit for RegisterFailed {
    fn exit(&self) -> Exit {
        match self {
            Self::Network(_) | Self::Ended => Exit::Failed,
            Self::Rejected(_) => Exit::Denied,
            Self::NoAnswer | Self::NoRegistrar => Exit::NoRegistrar,
            _ => Exit::Failed,
        }
    }
}

/// A failure about a pool, with its exit code.
pub(crate) fn failure<E: FailureExit>(pool: &PoolHandle, failed: &E) -> Failure {
    Failure::new(failed.exit(), anyhow!("pool {pool}: {failed}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rserpool::PoolElementId;

    #[test]
    fn failures_have_the_exit_codes_of_the_documentation() {
        assert_eq!(ResolveFailed::UnknownPool.exit(), Exit::NotFound);
        assert_eq!(
            ConnectFailed::Resolve(ResolveFailed::NoRegistrar).exit(),
            Exit::NoRegistrar
        );
        assert_eq!(
            ConnectFailed::Resolve(ResolveFailed::Timeout).exit(),
            Exit::Timeout
        );
        assert_eq!(
            ConnectFailed::Unreachable(PoolElementId(1)).exit(),
            Exit::Timeout
        );
        assert_eq!(RegisterFailed::Rejected(None).exit(), Exit::Denied);
        assert_eq!(RegisterFailed::NoRegistrar.exit(), Exit::NoRegistrar);
    }
}
