//! Options that several subcommands share.

pub(crate) mod compatibility;
pub(crate) mod format;
pub(crate) mod management;
pub(crate) mod node;
pub(crate) mod policy;
pub(crate) mod registrars;
pub(crate) mod sctp;
pub(crate) mod timers;
