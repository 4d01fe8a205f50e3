//! The options of a command line: `--name VALUE`, or `--name` alone.

use crate::Failure;
use rserpool::{RegistrarAddress, Timers};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// What a command line says.
pub(crate) struct Options(BTreeMap<String, String>);

impl Options {
    /// Reads a command line in which only these options occur.
    pub(crate) fn parse(
        arguments: &[String],
        values: &[&str],
        flags: &[&str],
    ) -> Result<Self, Failure> {
        let mut options = BTreeMap::new();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let name = argument.strip_prefix("--").unwrap_or_default();
            if flags.contains(&name) {
                options.insert(name.to_owned(), String::new());
            } else if values.contains(&name) {
                let value = arguments.next();
                let value = value.ok_or_else(|| format!("{argument} needs a value"))?;
                options.insert(name.to_owned(), value.clone());
            } else {
                return Err(format!("no option {argument}; see --help").into());
            }
        }
        Ok(Self(options))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn text(&self, name: &str, otherwise: &str) -> String {
        self.0
            .get(name)
            .map_or(otherwise, String::as_str)
            .to_owned()
    }

    pub(crate) fn number(&self, name: &str, otherwise: u32) -> Result<u32, Failure> {
        match self.0.get(name) {
            None => Ok(otherwise),
            Some(text) => Ok(text
                .parse()
                .map_err(|_| format!("--{name} needs a number, not {text}"))?),
        }
    }

    /// `--address`: where this process is.
    pub(crate) fn address(&self) -> Result<IpAddr, Failure> {
        Ok(self.text("address", "127.0.0.1").parse()?)
    }

    /// `--registrars`: where registrars are, with spaces between them.
    pub(crate) fn registrars(&self) -> Result<Vec<RegistrarAddress>, Failure> {
        let all = self.text("registrars", "");
        let each = all.split_whitespace().map(str::parse);
        Ok(each.collect::<Result<_, _>>()?)
    }

    /// `--preset`.
    pub(crate) fn preset(&self) -> Result<Preset, Failure> {
        match self.text("preset", "default").as_str() {
            "default" => Ok(Preset::Default),
            "fast" => Ok(Preset::Fast),
            "rfc" => Ok(Preset::Rfc),
            other => Err(format!("no preset {other}: default, fast or rfc").into()),
        }
    }
}

/// A preset of all timers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preset {
    Default,
    Fast,
    Rfc,
}

impl Preset {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Fast => "fast",
            Self::Rfc => "rfc",
        }
    }

    pub(crate) fn timers(self) -> Timers {
        match self {
            Self::Default => Timers::default(),
            Self::Fast => Timers::fast(),
            Self::Rfc => Timers::rfc(),
        }
    }

    pub(crate) fn heartbeat_cycle(self) -> Duration {
        self.timers().asap.peer_heartbeat_cycle
    }

    /// Until a registrar that is silent counts as dead.
    pub(crate) fn detection(self) -> Duration {
        let timers = self.timers().asap;
        timers.max_time_last_heard + timers.max_time_no_response
    }
}
