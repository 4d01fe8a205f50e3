//! Options that several subcommands share.

pub(crate) mod node;
pub(crate) mod policy;
pub(crate) mod registrars;
pub(crate) mod timers;
