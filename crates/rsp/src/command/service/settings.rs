//! What the services that keep state in cookies are told.

use anyhow::Context;
use rserpool::{CookieKey, CookieSeal, PoolElementId, PoolHandle};
use std::path::PathBuf;

/// The options of ping-pong and calc.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Services with state")]
pub(crate) struct ServiceOptions {
    /// ping-pong: give the user a cookie after this many answers
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    cookie_every: u64,
    /// calc: give the user a cookie this often
    #[arg(long, value_name = "MS", default_value_t = 500)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    cookie_every_ms: u64,
    /// calc: calculations per second, shared by all jobs
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    capacity: u64,
    /// calc: refuse more jobs at one time than this; with a policy that goes by load, so many are
    /// 100 %
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    jobs_max: u64,
    /// Seal cookies with the key in this file, 64 hexadecimal digits, the same for all elements
    /// of the pool; without it they are as those of rsplib, and anybody can make one
    #[arg(long, value_name = "FILE")]
    cookie_key: Option<PathBuf>,
}

/// What a service with state works by.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(super) cookie_every: u64,
    pub(super) cookie_every_ms: u64,
    pub(super) capacity: u64,
    pub(crate) jobs_max: u64,
    seal: Option<CookieSeal>,
}

impl ServiceOptions {
    /// For an element of this pool.
    pub(crate) fn settings(
        &self,
        pool: &PoolHandle,
        element: PoolElementId,
    ) -> anyhow::Result<Settings> {
        Ok(Settings {
            cookie_every: self.cookie_every,
            cookie_every_ms: self.cookie_every_ms,
            capacity: self.capacity,
            jobs_max: self.jobs_max,
            seal: self
                .key()?
                .map(|key| CookieSeal::new(key, pool.clone(), element)),
        })
    }

    /// The key, if there is to be one.
    pub(crate) fn key(&self) -> anyhow::Result<Option<CookieKey>> {
        let Some(path) = &self.cookie_key else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the key in {}", path.display()))?;
        let key = text.parse().with_context(|| path.display().to_string())?;
        Ok(Some(key))
    }
}

impl Settings {
    /// What is sent as a cookie; `None`: there can be none now.
    pub(super) fn seal(&self, state: Vec<u8>) -> Option<Vec<u8>> {
        let Some(seal) = &self.seal else {
            return Some(state);
        };
        seal.seal(&state)
            .inspect_err(|failed| tracing::warn!("no cookie is sent: {failed}"))
            .ok()
    }

    /// What was sealed in a cookie that came back.
    pub(super) fn open(&self, cookie: &[u8]) -> Option<Vec<u8>> {
        let Some(seal) = &self.seal else {
            return Some(cookie.to_vec());
        };
        seal.open(cookie)
            .inspect_err(|refused| tracing::warn!("{refused}"))
            .ok()
    }
}
