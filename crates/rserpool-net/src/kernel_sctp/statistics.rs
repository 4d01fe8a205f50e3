//! Counters of the kernel's SCTP.

/// Counters of a node's sockets of the kernel's SCTP.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct KernelSctpStatistics {
    /// Associations, those that are being set up included.
    pub associations: usize,
    /// Messages received.
    pub messages_received: u64,
    /// Messages handed to the kernel.
    pub messages_sent: u64,
    /// Messages that the kernel gave back undelivered.
    pub send_failures: u64,
    /// Associations aborted because there were too many.
    pub refused: u64,
    /// Associations aborted because they brought a message that is too large.
    pub too_large: u64,
    /// Incomplete messages dropped because all of them took too much memory.
    pub incomplete_dropped: u64,
}
