//! The `rsp` command.

fn main() {}
