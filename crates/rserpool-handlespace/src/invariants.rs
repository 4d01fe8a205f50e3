//! The handlespace checks itself: every index is rebuilt from the pool elements and compared.

use crate::checksum::{Checksums, handle_sum, id_sum};
use crate::handlespace::Handlespace;
use crate::pool::TransportConfiguration;
use alloc::collections::BTreeMap;
use rserpool_wire::parameter::Policy;

/// Larger handlespaces are not checked by themselves: the work for n changes would be n².
const CHECKED_ELEMENTS_MAX: usize = 32;

impl<T> Handlespace<T> {
    /// Panics if an index is not what it would be if it were built from scratch. Takes time in
    /// proportion to the size of the handlespace.
    pub fn check_invariants(&self) {
        let mut checksums = Checksums::new();
        let mut elements = 0;
        for (handle, &pool_index) in &self.pools_in_order {
            let pool = &self.pools[pool_index];
            assert_eq!(pool.handle, *handle);
            assert_eq!(
                self.find_pool(handle),
                Some(pool_index),
                "the hash misses {handle:?}"
            );
            assert!(!pool.members.is_empty(), "the pool {handle:?} is empty");
            let mut policies: BTreeMap<u32, Policy> = BTreeMap::new();
            for (&id, &index) in &pool.members {
                let stored = &self.elements[index];
                let decoded = stored.encoded.decode();
                assert_eq!((stored.id, stored.pool), (id, pool_index));
                assert_eq!(decoded.id, id);
                assert_eq!(decoded.home_registrar, stored.home);
                assert_eq!(decoded.registration_life, stored.registration_life);
                assert_eq!(
                    self.find_member(pool_index, id),
                    Some(index),
                    "the hash misses {id:?}"
                );
                assert_eq!(pool.element_at(stored.slot), index);
                assert_eq!(decoded.policy.policy_type(), pool.policy.policy_type());
                let transport = TransportConfiguration::from(&decoded.user_transport);
                assert!(transport == pool.transport, "{id:?} has another transport");
                policies.insert(stored.slot, decoded.policy);
                checksums.add(stored.home, handle_sum(handle) + id_sum(id));
            }
            assert_eq!(
                policies.len(),
                pool.members.len(),
                "two pool elements in one slot"
            );
            pool.selection.check_invariants(&policies);
            elements += pool.members.len();
        }
        assert_eq!(self.pools.len(), self.pools_in_order.len());
        assert_eq!(self.pools_by_handle.len(), self.pools_in_order.len());
        assert_eq!(self.elements.len(), elements);
        assert_eq!(self.elements_by_id.len(), elements);
        assert!(self.checksums == checksums, "stale checksums");
    }

    pub(crate) fn debug_check(&self) {
        if cfg!(debug_assertions) && self.len() <= CHECKED_ELEMENTS_MAX {
            self.check_invariants();
        }
    }
}
