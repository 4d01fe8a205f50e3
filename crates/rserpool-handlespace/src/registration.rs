//! Registration (RFC 5352 §3.1): rules 1 to 3, and the limits.

use crate::arena::ElementKey;
use crate::error::RegisterError;
use crate::handlespace::{Change, Handlespace, Registered, member_word};
use crate::limits::Limits;
use crate::pool::{Pool, Stored, TransportConfiguration};
use rserpool_wire::PoolHandle;
use rserpool_wire::parameter::{EncodedPoolElement, PoolElement, PoolElementEncoding};

/// The octets of a pool element, in a buffer or already as they are stored.
pub(crate) trait Encoding {
    fn as_octets(&self) -> &[u8];
    fn into_encoded(self) -> EncodedPoolElement;
}

impl Encoding for PoolElementEncoding<'_> {
    fn as_octets(&self) -> &[u8] {
        PoolElementEncoding::as_octets(self)
    }

    fn into_encoded(self) -> EncodedPoolElement {
        EncodedPoolElement::from(self)
    }
}

impl Encoding for &EncodedPoolElement {
    fn as_octets(&self) -> &[u8] {
        EncodedPoolElement::as_octets(self)
    }

    fn into_encoded(self) -> EncodedPoolElement {
        self.clone()
    }
}

impl<T> Handlespace<T> {
    pub(crate) fn register_as(
        &mut self,
        handle: &PoolHandle,
        element: &PoolElement,
        encoding: impl Encoding,
        data: T,
    ) -> Result<Registered, RegisterError> {
        if encoding.as_octets().len() > self.limits.element_octets_max {
            return Err(RegisterError::ElementTooLong);
        }
        let Some(pool) = self.find_pool(handle) else {
            let pool = self.create_pool(handle, element)?;
            let key = self.add(pool, element, encoding, data);
            let change = Change::PoolCreated;
            return Ok(Registered { key, change });
        };
        self.check_consistent(pool, element)?;
        if let Some(index) = self.find_member(pool, element.id) {
            let key = self.elements.key(index);
            let change = self.update(index, element, encoding, data);
            return Ok(Registered { key, change });
        }
        self.check_room(self.pools[pool].members.len())?;
        let key = self.add(pool, element, encoding, data);
        let change = Change::Added;
        Ok(Registered { key, change })
    }

    /// Rules 2 and 3 (RFC 5352 §3.1): policy type, transport type and transport use are those of
    /// the pool, also for its only member.
    fn check_consistent(&self, pool: u32, element: &PoolElement) -> Result<(), RegisterError> {
        let pool = &self.pools[pool];
        if pool.policy.policy_type() != element.policy.policy_type() {
            let pool = pool.policy.clone();
            return Err(RegisterError::InconsistentPolicy { pool });
        }
        let transport = TransportConfiguration::from(&element.user_transport);
        if pool.transport.transport_type != transport.transport_type {
            let (_, &first) = pool.members.first_key_value().expect("no pool is empty");
            let pool = self.elements[first].encoded.decode().user_transport;
            return Err(RegisterError::InconsistentTransportType { pool });
        }
        if pool.transport.transport_use != transport.transport_use {
            return Err(RegisterError::InconsistentTransportUse);
        }
        Ok(())
    }

    /// Rule 1 (RFC 5352 §3.1): the first pool element, which is still to be added, makes the pool.
    fn create_pool(
        &mut self,
        handle: &PoolHandle,
        element: &PoolElement,
    ) -> Result<u32, RegisterError> {
        if handle.as_octets().len() > self.limits.pool_handle_octets_max {
            return Err(RegisterError::PoolHandleTooLong);
        }
        if self.pools.len() >= self.limits.pools_max.min(Limits::SLOTS_MAX) {
            return Err(RegisterError::TooManyPools);
        }
        self.check_room(0)?;
        let pool = Pool::new(
            handle.clone(),
            element.policy.clone(),
            TransportConfiguration::from(&element.user_transport),
            self.policies.new_selection(element.policy.policy_type()),
        );
        let pool = self.pools.insert(pool).index;
        self.pools_in_order.insert(handle.clone(), pool);
        let (hash, pools) = (&self.hash, &self.pools);
        self.pools_by_handle
            .insert_unique(hash.octets(handle.as_octets()), pool, |&other| {
                hash.octets(pools[other].handle.as_octets())
            });
        Ok(pool)
    }

    /// Rule 2 (RFC 5352 §3.1): one more member, for which there is room.
    fn add(
        &mut self,
        pool: u32,
        element: &PoolElement,
        encoding: impl Encoding,
        data: T,
    ) -> ElementKey {
        let key = self.elements.insert(Stored {
            encoded: encoding.into_encoded(),
            id: element.id,
            home: element.home_registrar,
            registration_life: element.registration_life,
            pool,
            slot: 0,
            data,
        });
        let (hash, elements) = (&self.hash, &self.elements);
        let word = member_word(pool, element.id);
        self.elements_by_id
            .insert_unique(hash.word(word), key.index, |&other| {
                hash.word(member_word(elements[other].pool, elements[other].id))
            });
        let pool = &mut self.pools[pool];
        let slot = pool.take_slot(key.index);
        self.elements[key.index].slot = slot;
        pool.members.insert(element.id, key.index);
        pool.selection.insert(slot, &element.policy);
        self.checksums
            .add(element.home_registrar, pool.block_sum(element.id));
        key
    }

    /// Rule 3 (RFC 5352 §3.1): the attributes are replaced.
    fn update(
        &mut self,
        index: u32,
        element: &PoolElement,
        encoding: impl Encoding,
        data: T,
    ) -> Change {
        let stored = &mut self.elements[index];
        let pool = &mut self.pools[stored.pool];
        stored.data = data;
        pool.selection.update(stored.slot, &element.policy);
        if stored.encoded.as_octets() == encoding.as_octets() {
            return Change::Unchanged;
        }
        stored.encoded = encoding.into_encoded();
        stored.registration_life = element.registration_life;
        let previous_home = core::mem::replace(&mut stored.home, element.home_registrar);
        if previous_home != stored.home {
            let sum = pool.block_sum(element.id);
            self.checksums.subtract(previous_home, sum);
            self.checksums.add(stored.home, sum);
        }
        Change::Updated { previous_home }
    }

    /// Whether there is room for one more pool element in a pool that has so many.
    fn check_room(&self, members: usize) -> Result<(), RegisterError> {
        if self.elements.len() >= self.limits.elements_max.min(Limits::SLOTS_MAX) {
            return Err(RegisterError::TooManyElements);
        }
        if members >= self.limits.elements_per_pool_max {
            return Err(RegisterError::TooManyElementsInPool);
        }
        Ok(())
    }
}
