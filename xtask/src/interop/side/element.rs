//! Pool elements of both sides.

use super::{Registrar, Side, Stage, rsplib};
use crate::interop::Failure;
use crate::interop::network::Node;
use crate::interop::program::Program;
use std::time::Duration;

/// How long a registration may take.
const REGISTRATION: Duration = Duration::from_secs(20);

/// A running pool element.
pub(in crate::interop) struct Element {
    pub(in crate::interop) side: Side,
    /// Its identifier, as in `0x00000001`.
    pub(in crate::interop) id: String,
    pub(in crate::interop) program: Program,
}

/// What an element is.
#[derive(Clone)]
pub(in crate::interop) struct Part<'a> {
    pub(in crate::interop) service: &'a str,
    pub(in crate::interop) pool: &'a str,
    pub(in crate::interop) id: u32,
    /// In the words of its side; empty: round robin.
    pub(in crate::interop) policy: &'a str,
    pub(in crate::interop) more: &'a [&'a str],
}

impl Element {
    /// Starts one on a node, at a registrar.
    pub(in crate::interop) fn start(
        side: Side,
        node: &Node,
        part: &Part<'_>,
        registrars: &[&Registrar],
        stage: &Stage,
    ) -> Result<Self, Failure> {
        let id = format!("0x{:08x}", part.id);
        stage.prepare_kernel(side, node)?;
        let mut words = match side {
            Side::Ours | Side::Udp => {
                let serve = ["serve", part.service, "--json", "--no-multicast"];
                let mut words = stage.ours(side, &serve);
                words.extend(["--pool", part.pool, "--id", &id].map(str::to_owned));
                words.extend(super::addresses(node));
                if side == Side::Udp {
                    // rsplib knows no other port.
                    words.extend(["--udp-port", "9899"].map(str::to_owned));
                }
                if !part.policy.is_empty() {
                    words.extend(["--policy", part.policy].map(str::to_owned));
                }
                words
            }
            Side::Rsplib => {
                let mut arguments = vec![
                    format!("-{}", part.service),
                    format!("-poolhandle={}", part.pool),
                    format!("-identifier={id}"),
                    "-asapannounce=off".to_owned(),
                    "-loglevel=4".to_owned(),
                ];
                if !part.policy.is_empty() {
                    arguments.push(format!("-policy={}", part.policy));
                }
                rsplib("rspserver", &arguments)
            }
        };
        for registrar in registrars {
            words.extend(registrar.option(side));
        }
        words.extend(part.more.iter().map(|&word| word.to_owned()));
        let name = format!("{}-{}-{:x}", node.name, part.pool, part.id);
        Ok(Self {
            side,
            id,
            program: Program::start(node, &name, &words, &stage.folder)?,
        })
    }

    /// Waits until it is registered.
    pub(in crate::interop) fn ready(&self) -> Result<(), Failure> {
        let sign = match self.side {
            Side::Ours | Side::Udp => "\"event\":\"registered\"",
            Side::Rsplib => "Registration:",
        };
        self.program.wait_for(sign, REGISTRATION).map(drop)
    }
}

impl<'a> Part<'a> {
    /// An element of an echo pool in which all take turns.
    pub(in crate::interop) fn echo(pool: &'a str, id: u32) -> Self {
        Self {
            service: "echo",
            pool,
            id,
            policy: "",
            more: &[],
        }
    }
}
