//! What can go wrong, and when it does in one run.

mod kind;
mod plan;

pub use kind::{FaultKind, FaultKinds, UnknownFault};
pub use plan::Fault;
pub(crate) use plan::{Planned, plan};
