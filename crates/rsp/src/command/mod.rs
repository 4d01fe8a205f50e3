//! The subcommands, one file each.

mod completion;
mod decode;

use crate::exit::Outcome;

/// A subcommand with its arguments.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    Decode(decode::Arguments),
    Completion(completion::Arguments),
}

impl Command {
    /// Whether it runs until it is stopped, so that its logs are what one reads.
    pub(crate) fn is_service(&self) -> bool {
        match self {
            Self::Decode(_) | Self::Completion(_) => false,
        }
    }

    /// Runs it to its end.
    pub(crate) async fn run(self) -> Outcome {
        match self {
            Self::Decode(arguments) => decode::run(&arguments),
            Self::Completion(arguments) => completion::run(&arguments),
        }
    }
}
