//! The kernel's SCTP (RFC 6458), behind the face that user-space SCTP has: associations come up,
//! bring messages and end.
//!
//! One-to-many sockets: one for ASAP, one for ENRP, and further ones only for further associations
//! with one peer. The kernel does what `rserpool-sctp` does in user space: several addresses and
//! paths, heartbeats, retransmission. Knows no message, and nothing of UDP.
//!
//! Linux alone; elsewhere there is none.

mod mode;
mod statistics;

#[cfg(target_os = "linux")]
mod association;
#[cfg(target_os = "linux")]
mod notification;
#[cfg(target_os = "linux")]
mod socket;
#[cfg(target_os = "linux")]
mod system;
#[cfg(target_os = "linux")]
pub(crate) use system::{KernelSctp, NotBegun};

#[cfg(not(target_os = "linux"))]
mod absent;
#[cfg(not(target_os = "linux"))]
pub(crate) use absent::{KernelSctp, NotBegun};

pub use mode::{InvalidSctpMode, SctpMode};
pub use statistics::KernelSctpStatistics;

use rserpool_core::AssociationId;

/// In the numbers of associations, nine bits above the fortieth are the endpoint of user space;
/// it has 257 of them at most, and so this one is the kernel's.
const KERNEL: u64 = 0x1ff << 40;

/// Whether an association is the kernel's.
pub(crate) fn is_kernel(association: AssociationId) -> bool {
    association.0 >> 63 == 0 && association.0 & KERNEL == KERNEL
}
