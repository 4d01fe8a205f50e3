//! `-o` and `--json`: for people or for programs.

use crate::output::Format;

/// How results look.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct FormatOptions {
    /// table or json
    #[arg(
        long,
        short,
        value_enum,
        default_value = "table",
        value_name = "FORMAT"
    )]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    output: Format,
    /// The same as -o json
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

impl FormatOptions {
    /// The format that is asked for.
    pub(crate) fn format(self) -> Format {
        if self.json { Format::Json } else { self.output }
    }
}
