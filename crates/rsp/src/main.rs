//! The `rsp` command: every role of Reliable Server Pooling, and what an operator needs.
//!
//! A thin shell over the `rserpool` library: arguments in, lines and exit codes out. One file per
//! subcommand in `command/`.

mod capture;
mod command;
mod events;
mod exit;
mod hex;
mod logging;
mod management;
mod option;
mod output;
mod signals;

use clap::Parser;
use command::Command;
use exit::{Exit, Outcome};
use std::process::ExitCode;

/// Reliable Server Pooling: servers join a pool, clients keep their session when a server dies.
///
/// A registrar keeps the list of pools; pool elements (servers) join a pool at a registrar; pool
/// users (clients) ask a registrar for a pool, connect to one of its elements, and go on with
/// another one when it fails.
#[derive(Parser, Debug)]
#[command(name = "rsp", version, max_term_width = 100, after_help = EXAMPLES)]
#[command(
    infer_subcommands = true,
    arg_required_else_help = true,
    args_override_self = true
)]
struct Arguments {
    #[command(flatten)]
    logging: logging::LogOptions,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  rsp demo                      registrars, servers, clients and failures on this machine, in 24 s
  rsp registrar                 a registrar that others on this network find by multicast
  rsp registrar --peer 10.0.0.1 another one, for the same pools
  rsp serve echo                an element of the pool `echo`; start two of them
  rsp connect echo              type lines, read answers; kill the element that answers
  rsp resolve echo --watch      each change in the pool

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such pool or none in it, 4 no registrar reached,
5 refused, 6 no answer in time, 130 interrupted.";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    exit_code(run(arguments))
}

fn run(arguments: Arguments) -> Outcome {
    arguments.logging.install(arguments.command.is_service());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(arguments.command.run());
    // A thread that waits for standard input cannot be told to stop: leave it behind.
    runtime.shutdown_background();
    outcome
}

fn exit_code(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => Exit::Success.into(),
        Err(failure) if failure.is_broken_pipe() => Exit::Success.into(),
        Err(failure) => {
            if failure.exit != Exit::Interrupted {
                eprintln!("rsp: {}", failure.text());
            }
            failure.exit.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_reader_who_went_away_is_no_failure() {
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert_eq!(exit_code(Err(broken.into())), ExitCode::SUCCESS);
    }
}
