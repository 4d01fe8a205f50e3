//! What `cargo xtask interop` is asked for.

use super::Failure;
use super::scenario::{Cast, SCENARIOS};
use super::side::Side;
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) casts: Vec<Cast>,
    pub(super) keep: bool,
    /// Our program; it is built if none is given.
    pub(super) rsp: Option<PathBuf>,
    pub(super) json: bool,
    /// A command to run in the guest instead of scenarios.
    pub(super) command: Option<String>,
}

impl Options {
    pub(super) fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self {
            casts: Vec::new(),
            keep: false,
            rsp: None,
            json: false,
            command: None,
        };
        let (mut called, mut roles) = (Vec::new(), Vec::new());
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || {
                rest.next()
                    .ok_or_else(|| Failure::Usage(format!("{argument} needs a value")))
            };
            match argument.as_str() {
                "--scenario" => called.push(scenario(value()?)?),
                "--roles" => roles.push(sides(value()?)?),
                "--rsp" => options.rsp = Some(PathBuf::from(value()?)),
                "--keep" => options.keep = true,
                "--json" => options.json = true,
                "--run" => options.command = Some(value()?.clone()),
                _ => return Err(Failure::Usage(format!("unknown option `{argument}`"))),
            }
        }
        options.casts = select(&called, &roles);
        if options.casts.is_empty() {
            return Err(Failure::Usage("no scenario has such roles".to_owned()));
        }
        Ok(options)
    }
}

fn select(called: &[String], roles: &[Vec<Side>]) -> Vec<Cast> {
    SCENARIOS
        .iter()
        .filter(|scenario| called.is_empty() || called.iter().any(|text| scenario.is_called(text)))
        .flat_map(|scenario| scenario.casts(roles))
        .collect()
}

fn scenario(text: &str) -> Result<String, Failure> {
    if SCENARIOS.iter().any(|scenario| scenario.is_called(text)) {
        return Ok(text.to_owned());
    }
    Err(Failure::Usage(format!("`{text}` is no scenario's number")))
}

fn sides(text: &str) -> Result<Vec<Side>, Failure> {
    text.split([',', '-']).map(Side::parse).collect()
}
