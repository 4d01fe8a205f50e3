//! What the person or program behind a pool user has in mind.
//!
//! Must not know how a pool user resolves.

use rserpool_core::Timestamp;
use rserpool_core::pool_user::RequestId;
use rserpool_wire::{PoolElementId, PoolHandle};
use std::collections::{BTreeMap, BTreeSet};

/// What is known and wanted behind a pool user.
#[derive(Clone, Debug, Default)]
pub(crate) struct UserActivity {
    pub(crate) next_request: u64,
    /// Requests that wait for their answer.
    pub(crate) pending: BTreeMap<RequestId, PendingRequest>,
    /// The latest answer.
    pub(crate) last: Option<(PoolHandle, Vec<PoolElementId>)>,
    /// The pools that it wants updates of, and what it was told of them last.
    pub(crate) subscriptions: BTreeMap<PoolHandle, Option<BTreeSet<PoolElementId>>>,
    /// Whom it has selected in a pool that it is told of, until that is looked at.
    pub(crate) selected: Vec<(PoolHandle, PoolElementId)>,
    /// It says that live pool elements cannot be reached.
    pub(crate) lies: bool,
}

/// A request that waits for its answer.
#[derive(Clone, Debug)]
pub(crate) struct PendingRequest {
    pub(crate) pool_handle: PoolHandle,
    pub(crate) asked_at: Timestamp,
}
