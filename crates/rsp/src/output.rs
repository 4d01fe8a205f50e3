//! Output formats, and writing to standard output without a panic when its reader goes away.

use clap::ValueEnum;
use std::io::{self, IsTerminal, Write};

/// `-o`: for people or for programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    /// Aligned text.
    #[default]
    Table,
    /// JSON, one object per line where there are several.
    Json,
}

/// Writes a line to standard output.
pub(crate) fn line(text: impl std::fmt::Display) -> io::Result<()> {
    self::text(format_args!("{text}\n"))
}

/// Writes text to standard output as it is.
pub(crate) fn text(text: impl std::fmt::Display) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    write!(stdout, "{text}")?;
    stdout.flush()
}

/// Writes an object as one line of JSON to standard output.
pub(crate) fn json(value: &impl serde::Serialize) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, value)?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

/// Whether standard output is a terminal that may be drawn on and coloured.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether colours are welcome: on a terminal, unless NO_COLOR is set (no-color.org).
pub(crate) fn is_colourful() -> bool {
    is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A table without lines, columns two blanks apart.
pub(crate) fn table<const N: usize>(header: [&str; N]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_header(header);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// The table's text, without blanks at the ends of lines.
pub(crate) fn table_text(table: &comfy_table::Table) -> String {
    let lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n")
}
