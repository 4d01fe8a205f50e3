//! The subcommands, one file each.

mod completion;
mod connect;
mod decode;
mod demo;
mod leaving;
mod lines;
mod peers;
mod policy_check;
mod protocol;
mod registrar;
mod resolve;
mod serve;
mod service;
mod sim;
mod status;
mod user;

use crate::exit::Outcome;

/// A subcommand with its arguments.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    Registrar(registrar::Arguments),
    Serve(serve::Arguments),
    Connect(connect::Arguments),
    Resolve(resolve::Arguments),
    Status(status::Arguments),
    Peers(peers::Arguments),
    Decode(decode::Arguments),
    Sim(sim::Arguments),
    Demo(demo::Arguments),
    Completion(completion::Arguments),
}

impl Command {
    /// Whether it runs until it is stopped, so that its logs are what one reads.
    pub(crate) fn is_service(&self) -> bool {
        match self {
            Self::Registrar(_) | Self::Serve(_) => true,
            Self::Connect(_)
            | Self::Resolve(_)
            | Self::Status(_)
            | Self::Peers(_)
            | Self::Decode(_)
            | Self::Sim(_)
            | Self::Demo(_)
            | Self::Completion(_) => false,
        }
    }

    /// Runs it to its end.
    pub(crate) async fn run(self) -> Outcome {
        match self {
            Self::Registrar(arguments) => registrar::run(&arguments).await,
            Self::Serve(arguments) => serve::run(&arguments).await,
            Self::Connect(arguments) => connect::run(&arguments).await,
            Self::Resolve(arguments) => resolve::run(&arguments).await,
            Self::Status(arguments) => status::run(&arguments).await,
            Self::Peers(arguments) => peers::run(&arguments).await,
            Self::Decode(arguments) => decode::run(&arguments),
            Self::Sim(arguments) => sim::run(&arguments),
            Self::Demo(arguments) => demo::run(&arguments).await,
            Self::Completion(arguments) => completion::run(&arguments),
        }
    }
}

/// An identifier, decimal or as `0x` and hexadecimal digits.
fn identifier(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
