//! `rsp completion`.

use crate::exit::Outcome;
use clap::CommandFactory;
use clap_complete::Shell;

/// Completion for a shell, to be read at its start
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  rsp completion bash > ~/.local/share/bash-completion/completions/rsp
  rsp completion fish > ~/.config/fish/completions/rsp.fish
  rsp completion zsh > \"${fpath[1]}/_rsp\"";

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut crate::Arguments::command(),
        "rsp",
        &mut script,
    );
    crate::output::line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(())
}
