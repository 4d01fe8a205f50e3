//! Reports of unreachable pool elements (RFC 5352 §3.5).
//!
//! Must not know how a pool element was found to be unreachable.

use super::PoolUser;
use crate::Timestamp;
use rserpool_wire::asap::EndpointUnreachable;
use rserpool_wire::{PoolElementId, PoolHandle};

impl PoolUser {
    /// "an ASAP Endpoint MUST report no more than once each time it encounters such an event",
    /// and only pool elements that were given to the user. The registrar asks the pool element;
    /// meanwhile it is avoided here.
    pub(super) fn report_unreachable(
        &mut self,
        pool_handle: PoolHandle,
        pool_element: PoolElementId,
    ) {
        let avoided_until = self.avoided_until();
        let is_reported = self
            .cache
            .get_mut(&pool_handle)
            .is_some_and(|cached| cached.report(pool_element, avoided_until));
        if !is_reported || self.is_stopped {
            return;
        }
        if self.reports.len() >= self.config.limits.reports_max {
            self.reports.pop_front();
        }
        self.reports.push_back((pool_handle, pool_element));
        self.send_waiting_reports();
    }

    /// It is not selected again until a later resolution has it, and for some time only if there
    /// is no other.
    pub(super) fn avoid(&mut self, pool_handle: &PoolHandle, pool_element: PoolElementId) {
        let avoided_until = self.avoided_until();
        if let Some(cached) = self.cache.get_mut(pool_handle) {
            cached.avoid(pool_element, avoided_until);
        }
    }

    /// As long as a registrar takes to find out about a pool element.
    fn avoided_until(&self) -> Timestamp {
        let timers = &self.config.timers;
        self.now + timers.keep_alive_interval * 3 / 2 + timers.keep_alive_timeout
    }

    /// Reports wait while there is no registrar.
    pub(super) fn send_waiting_reports(&mut self) {
        let Some(home) = &self.home else {
            return;
        };
        let to = home.association;
        for (pool_handle, pool_element) in std::mem::take(&mut self.reports) {
            let message = EndpointUnreachable {
                pool_handle,
                pool_element,
            };
            self.outputs.send(to, message);
        }
    }
}
