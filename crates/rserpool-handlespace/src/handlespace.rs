//! The handlespace: pools and their pool elements, with every index over them.

use crate::arena::{Arena, ElementKey};
use crate::checksum::Checksums;
use crate::error::{RegisterError, ResolveError};
use crate::keyed_hash::KeyedHash;
use crate::limits::Limits;
use crate::policy::Policies;
use crate::pool::{Pool, Stored};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Bound::{Excluded, Included, Unbounded};
use hashbrown::HashTable;
use rand_core::SeedableRng;
use rand_pcg::Pcg64;
use rserpool_wire::asap::Resolution;
use rserpool_wire::parameter::{EncodedPoolElement, PeChecksum, Policy, PoolElement};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId, RegistrationLife};

/// Pools by pool handle, their pool elements, and the order in which they are selected.
///
/// `T` is what the owner of the handlespace keeps with each pool element.
///
/// Registering, finding, selecting and removing take O(log n) time at most; an unchanged
/// re-registration allocates nothing. In debug builds every change of a handlespace of up to 32
/// pool elements ends in [`check_invariants`](Self::check_invariants).
pub struct Handlespace<T> {
    pub(crate) limits: Limits,
    pub(crate) policies: Policies,
    random: Pcg64,
    pub(crate) hash: KeyedHash,
    pub(crate) pools: Arena<Pool>,
    pub(crate) pools_by_handle: HashTable<u32>,
    pub(crate) pools_in_order: BTreeMap<PoolHandle, u32>,
    pub(crate) elements: Arena<Stored<T>>,
    /// By pool and identifier.
    pub(crate) elements_by_id: HashTable<u32>,
    pub(crate) checksums: Checksums,
    /// Kept between calls for its memory only: the pool element that registers, encoded.
    buffer: Vec<u8>,
    /// Kept between calls for its memory only: the slots that were selected.
    slots: Vec<u32>,
}

/// What a registration did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Registered {
    /// The pool element; the same for each of its re-registrations.
    pub key: ElementKey,
    /// What is different.
    pub change: Change,
}

/// What a registration changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// The pool is new, with this pool element as its first (RFC 5352 §3.1, rule 1).
    PoolCreated,
    /// The pool element is a new member of the pool (rule 2).
    Added,
    /// It was a member, with other attributes (rule 3).
    Updated {
        /// Who owned it before; often the same registrar.
        previous_home: Option<RegistrarId>,
    },
    /// It was a member with the very same attributes (rule 3).
    Unchanged,
}

/// A pool element that was removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Removed<T> {
    /// The pool that it left.
    pub pool_handle: PoolHandle,
    /// The pool element.
    pub encoded: EncodedPoolElement,
    /// The registrar that owned it.
    pub home: Option<RegistrarId>,
    /// What its owner kept with it.
    pub data: T,
    /// It was the last one, so that the pool is gone too (RFC 5352 §3.2).
    pub pool_removed: bool,
}

/// A registered pool element.
#[derive(Debug)]
pub struct Element<'a, T> {
    /// Its key.
    pub key: ElementKey,
    /// The pool that it is in.
    pub pool_handle: &'a PoolHandle,
    /// Its identifier within the pool.
    pub id: PoolElementId,
    /// The registrar that owns it; `None` while it is undetermined.
    pub home: Option<RegistrarId>,
    /// All of it.
    pub encoded: &'a EncodedPoolElement,
    /// How long the registration holds unless it is renewed.
    pub registration_life: RegistrationLife,
    /// What its owner keeps with it.
    pub data: &'a T,
}

/// A pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolRef<'a> {
    /// Its handle.
    pub handle: &'a PoolHandle,
    /// Its overall policy, that of its first pool element.
    pub policy: &'a Policy,
    /// How many pool elements it has, at least one.
    pub len: usize,
}

impl<T> Handlespace<T> {
    /// An empty handlespace. The seed decides every random choice, and keys the hashes: take it
    /// from the operating system where strangers choose pool handles.
    pub fn new(limits: Limits, policies: Policies, seed: u64) -> Self {
        let mut random = Pcg64::seed_from_u64(seed);
        Self {
            limits,
            policies,
            hash: KeyedHash::new(&mut random),
            random,
            pools: Arena::new(),
            pools_by_handle: HashTable::new(),
            pools_in_order: BTreeMap::new(),
            elements: Arena::new(),
            elements_by_id: HashTable::new(),
            checksums: Checksums::new(),
            buffer: Vec::new(),
            slots: Vec::new(),
        }
    }

    /// Registers a pool element, or re-registers it (RFC 5352 §3.1, rules 1 to 3). Its home
    /// registrar and its ASAP transport are those that are to be recorded (rule 4). What was kept
    /// with it before is replaced by `data`.
    ///
    /// # Errors
    /// What rule 2 or a limit forbids. Nothing has changed then.
    pub fn register(
        &mut self,
        handle: &PoolHandle,
        element: &PoolElement,
        data: T,
    ) -> Result<Registered, RegisterError> {
        let mut buffer = core::mem::take(&mut self.buffer);
        let encoding = element.encode_in(&mut buffer);
        let registered = self.register_as(handle, element, encoding, data);
        self.buffer = buffer;
        self.debug_check();
        registered
    }

    /// [`register`](Self::register), for a pool element that is encoded already.
    ///
    /// # Errors
    /// What rule 2 or a limit forbids. Nothing has changed then.
    pub fn register_encoded(
        &mut self,
        handle: &PoolHandle,
        element: &EncodedPoolElement,
        data: T,
    ) -> Result<Registered, RegisterError> {
        let registered = self.register_as(handle, &element.decode(), element, data);
        self.debug_check();
        registered
    }

    /// Removes a pool element (RFC 5352 §3.2), and its pool if it was the last one.
    pub fn deregister(&mut self, key: ElementKey) -> Option<Removed<T>> {
        if !self.elements.holds(key) {
            return None;
        }
        let element = self.elements.remove(key.index)?;
        let hash = self.hash.word(member_word(element.pool, element.id));
        if let Ok(entry) = self
            .elements_by_id
            .find_entry(hash, |&index| index == key.index)
        {
            entry.remove();
        }
        let pool = &mut self.pools[element.pool];
        pool.selection.remove(element.slot);
        pool.leave_slot(element.slot);
        pool.members.remove(&element.id);
        self.checksums
            .subtract(element.home, pool.block_sum(element.id));
        let pool_handle = pool.handle.clone();
        let pool_removed = pool.members.is_empty();
        if pool_removed {
            self.remove_pool(element.pool, &pool_handle);
        }
        self.debug_check();
        Some(Removed {
            pool_handle,
            encoded: element.encoded,
            home: element.home,
            data: element.data,
            pool_removed,
        })
    }

    /// The pool element with this identifier in this pool.
    pub fn find(&self, handle: &PoolHandle, id: PoolElementId) -> Option<ElementKey> {
        let index = self.find_member(self.find_pool(handle)?, id)?;
        Some(self.elements.key(index))
    }

    /// The pool element of this key, if it is still registered.
    pub fn element(&self, key: ElementKey) -> Option<Element<'_, T>> {
        self.elements.holds(key).then(|| self.element_at(key.index))
    }

    /// What its owner keeps with the pool element of this key.
    pub fn data_mut(&mut self, key: ElementKey) -> Option<&mut T> {
        if !self.elements.holds(key) {
            return None;
        }
        self.elements
            .get_mut(key.index)
            .map(|element| &mut element.data)
    }

    /// Whether the policy of its pool counts what a pool element was given since its last
    /// registration (RFC 5356 §5.2.2).
    pub fn counts_selections(&self, key: ElementKey) -> bool {
        self.elements.holds(key) && {
            let pool = &self.pools[self.elements[key.index].pool];
            pool.selection.counts_selections()
        }
    }

    /// The pool element has registered again elsewhere, with the attributes that are known: what
    /// its policy counts begins anew (RFC 5356 §5.2.2).
    pub fn reregister_unchanged(&mut self, key: ElementKey) {
        if self.elements.holds(key) {
            let element = &self.elements[key.index];
            let policy = element.encoded.decode().policy;
            let pool = &mut self.pools[element.pool];
            pool.selection.update(element.slot, &policy);
            self.debug_check();
        }
    }

    /// Selects up to `items` pool elements as the pool's policy says, the best first, and makes
    /// ready for the next selection. `selected` is cleared first; 0 items are taken as 1.
    ///
    /// # Errors
    /// If there is no such pool, or nothing that can be selected.
    pub fn select(
        &mut self,
        handle: &PoolHandle,
        items: usize,
        selected: &mut Vec<ElementKey>,
    ) -> Result<(), ResolveError> {
        selected.clear();
        let pool = self.select_slots(handle, items)?;
        let pool = &self.pools[pool];
        let keys = self
            .slots
            .iter()
            .map(|&slot| self.elements.key(pool.element_at(slot)));
        selected.extend(keys);
        Ok(())
    }

    /// [`select`](Self::select), as a handle resolution response tells it (RFC 5352 §3.3).
    ///
    /// # Errors
    /// If there is no such pool, or nothing that can be selected.
    pub fn resolve(
        &mut self,
        handle: &PoolHandle,
        items: usize,
    ) -> Result<Resolution, ResolveError> {
        let pool = self.select_slots(handle, items)?;
        Ok(self.resolution(&self.pools[pool], &self.slots))
    }

    /// What [`resolve`](Self::resolve) would answer, without its being an answer: nobody's turn
    /// is over, no degradation counter moves, no random number is used up.
    ///
    /// # Errors
    /// If there is no such pool, or nothing that can be selected.
    pub fn peek(&self, handle: &PoolHandle, items: usize) -> Result<Resolution, ResolveError> {
        let pool = self.find_pool(handle).ok_or(ResolveError::UnknownPool)?;
        let pool = &self.pools[pool];
        let mut slots = Vec::new();
        pool.selection
            .peek(items.max(1), &mut self.random.clone(), &mut slots);
        if slots.is_empty() {
            return Err(ResolveError::NothingSelectable);
        }
        Ok(self.resolution(pool, &slots))
    }

    /// The overall policy of a pool: that of its first pool element (RFC 5352 §3.1, rule 1).
    pub fn pool_policy(&self, handle: &PoolHandle) -> Option<&Policy> {
        let pool = self.find_pool(handle)?;
        Some(&self.pools[pool].policy)
    }

    /// All pools in the order of their handles.
    pub fn pools(&self) -> impl Iterator<Item = PoolRef<'_>> {
        self.pools_in_order.values().map(|&index| {
            let pool = &self.pools[index];
            PoolRef {
                handle: &pool.handle,
                policy: &pool.policy,
                len: pool.members.len(),
            }
        })
    }

    /// All pool elements of a pool in the order of their identifiers.
    pub fn elements_of<'a>(
        &'a self,
        handle: &PoolHandle,
    ) -> impl Iterator<Item = ElementKey> + use<'a, T> {
        let pool = self.find_pool(handle).map(|index| &self.pools[index]);
        let members = pool.into_iter().flat_map(|pool| pool.members.values());
        members.map(|&index| self.elements.key(index))
    }

    /// All pool elements after this one in the order of pool handles and identifiers, or all from
    /// the beginning. The one to start after need not be registered any longer.
    pub fn elements_after<'a>(
        &'a self,
        after: Option<(&PoolHandle, PoolElementId)>,
    ) -> impl Iterator<Item = Element<'a, T>> + use<'a, T> {
        let members = |pool: u32, from| self.pools[pool].members.range((from, Unbounded));
        let rest_of_pool = after.and_then(|(handle, id)| {
            let pool = self.find_pool(handle)?;
            Some(members(pool, Excluded(id)))
        });
        let from = after.map_or(Unbounded, |(handle, _)| Excluded(handle));
        let later_pools = self
            .pools_in_order
            .range::<PoolHandle, _>((from, Unbounded));
        let later =
            later_pools.flat_map(move |(_, &pool)| members(pool, Included(PoolElementId(0))));
        rest_of_pool
            .into_iter()
            .flatten()
            .chain(later)
            .map(|(_, &index)| self.element_at(index))
    }

    /// The PE checksum of a registrar: over all pool elements that it owns (RFC 5353 §3.6.2).
    pub fn checksum(&self, owner: RegistrarId) -> PeChecksum {
        self.checksums.of(owner)
    }

    /// The PE checksum of a registrar as rsplib calculates it. The same as
    /// [`checksum`](Self::checksum) up to some twenty thousand pool elements; beyond, carries are
    /// lost, because rsplib adds the words, in the order of a little-endian host, in 32 bits.
    pub fn rsplib_checksum(&self, owner: RegistrarId) -> PeChecksum {
        self.checksums.of_rsplib(owner)
    }

    /// How many pool elements a registrar owns.
    pub fn owned(&self, owner: RegistrarId) -> usize {
        self.checksums.elements_of(owner)
    }

    /// How many pool elements there are.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether there is no pool element, and thus no pool.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many pools there are.
    pub fn pool_count(&self) -> usize {
        self.pools.len()
    }

    /// How many pool elements a pool has; 0 if there is no such pool.
    pub fn pool_len(&self, handle: &PoolHandle) -> usize {
        self.find_pool(handle)
            .map_or(0, |pool| self.pools[pool].members.len())
    }

    fn remove_pool(&mut self, pool: u32, handle: &PoolHandle) {
        let hash = self.hash.octets(handle.as_octets());
        if let Ok(entry) = self
            .pools_by_handle
            .find_entry(hash, |&index| index == pool)
        {
            entry.remove();
        }
        self.pools_in_order.remove(handle);
        self.pools.remove(pool);
    }

    /// Lets the policy select into `self.slots`; gives the pool.
    fn select_slots(&mut self, handle: &PoolHandle, items: usize) -> Result<u32, ResolveError> {
        let index = self.find_pool(handle).ok_or(ResolveError::UnknownPool)?;
        self.slots.clear();
        let selection = &mut self.pools[index].selection;
        selection.select(items.max(1), &mut self.random, &mut self.slots);
        self.debug_check();
        if self.slots.is_empty() {
            return Err(ResolveError::NothingSelectable);
        }
        Ok(index)
    }

    fn resolution(&self, pool: &Pool, slots: &[u32]) -> Resolution {
        let encoded = |&slot: &u32| self.elements[pool.element_at(slot)].encoded.clone();
        Resolution {
            policy: pool.policy.clone(),
            pool_elements: slots.iter().map(encoded).collect(),
        }
    }

    pub(crate) fn find_pool(&self, handle: &PoolHandle) -> Option<u32> {
        let hash = self.hash.octets(handle.as_octets());
        let same = |&index: &u32| self.pools[index].handle == *handle;
        self.pools_by_handle.find(hash, same).copied()
    }

    pub(crate) fn find_member(&self, pool: u32, id: PoolElementId) -> Option<u32> {
        let hash = self.hash.word(member_word(pool, id));
        let same = |&index: &u32| {
            let element = &self.elements[index];
            element.id == id && element.pool == pool
        };
        self.elements_by_id.find(hash, same).copied()
    }

    fn element_at(&self, index: u32) -> Element<'_, T> {
        let element = &self.elements[index];
        Element {
            key: self.elements.key(index),
            pool_handle: &self.pools[element.pool].handle,
            id: element.id,
            home: element.home,
            encoded: &element.encoded,
            registration_life: element.registration_life,
            data: &element.data,
        }
    }
}

impl<T> fmt::Debug for Handlespace<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handlespace")
            .field("pools", &self.pool_count())
            .field("elements", &self.len())
            .finish_non_exhaustive()
    }
}

/// What names a pool element in the whole handlespace, for hashing.
pub(crate) fn member_word(pool: u32, id: PoolElementId) -> u64 {
    u64::from(pool) << 32 | u64::from(id.0)
}
