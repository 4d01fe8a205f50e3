//! A stranger: somebody who is up to no good, with associations like everybody's.
//!
//! Must not know more than anybody in the network can.

use crate::fault::FaultKind;
use crate::network::EndId;
use std::collections::BTreeSet;

/// A stranger and what it is up to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stranger {
    /// What it does now.
    pub(crate) doing: BTreeSet<FaultKind>,
    /// Its associations that are up.
    pub(crate) ends: Vec<EndId>,
    /// Attempts that have not come up yet.
    pub(crate) attempts: u32,
    /// Its latest pool element identifier.
    pub(crate) latest_id: u32,
}
