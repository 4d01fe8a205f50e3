//! A handlespace of nested maps, queues and linear scans: slow, and obviously right.

use rserpool_handlespace::{Change, Limits, MOST_USED, RegisterError, ResolveError};
use rserpool_wire::parameter::{PeChecksum, Policy, PolicyType, PoolElement, UserTransport};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId};
use std::collections::BTreeMap;

pub(crate) struct Model {
    limits: Limits,
    pools: BTreeMap<PoolHandle, Pool>,
}

struct Pool {
    policy: Policy,
    members: BTreeMap<PoolElementId, Member>,
    /// Who waits for a turn, the longest first.
    queue: Vec<PoolElementId>,
    /// The last entry of the circular list of Weighted Round Robin that was used.
    last: Entry,
}

struct Member {
    element: PoolElement,
    data: usize,
    degradation_counter: u64,
}

/// An entry of a circular list: its round, its time as a fraction of the round, its weight.
#[derive(Clone, Copy)]
struct Entry {
    round: u64,
    numerator: u64,
    denominator: u64,
    weight: u32,
}

impl Model {
    pub(crate) fn new(limits: Limits) -> Self {
        let pools = BTreeMap::new();
        Self { limits, pools }
    }

    pub(crate) fn register(
        &mut self,
        handle: PoolHandle,
        element: &PoolElement,
        data: usize,
    ) -> Result<Change, RegisterError> {
        let elements = self.len();
        let is_new_pool = !self.pools.contains_key(&handle);
        if is_new_pool && self.pools.len() == self.limits.pools_max {
            return Err(RegisterError::TooManyPools);
        }
        if let Some(pool) = self.pools.get(&handle) {
            pool.check(element)?;
        }
        let is_member = |pool: &Pool| pool.members.contains_key(&element.id);
        if !self.pools.get(&handle).is_some_and(is_member) {
            let members = self.pools.get(&handle).map_or(0, |pool| pool.members.len());
            if elements == self.limits.elements_max {
                return Err(RegisterError::TooManyElements);
            }
            if members == self.limits.elements_per_pool_max {
                return Err(RegisterError::TooManyElementsInPool);
            }
        }
        let pool = self.pools.entry(handle).or_insert_with(|| Pool {
            policy: element.policy.clone(),
            members: BTreeMap::new(),
            queue: Vec::new(),
            last: Entry::START,
        });
        let id = element.id;
        let before = pool.standing(id);
        let member = Member {
            element: element.clone(),
            data,
            degradation_counter: 0,
        };
        let previous = pool.members.insert(id, member);
        // Who stands elsewhere than before waits again; who does not keeps the turn.
        if before != pool.standing(id) {
            pool.wait_again(id);
        }
        Ok(match previous {
            None if is_new_pool => Change::PoolCreated,
            None => Change::Added,
            Some(previous) if previous.element == *element => Change::Unchanged,
            Some(previous) => Change::Updated {
                previous_home: previous.element.home_registrar,
            },
        })
    }

    pub(crate) fn deregister(
        &mut self,
        handle: &PoolHandle,
        id: PoolElementId,
    ) -> Option<(PoolElement, usize, bool)> {
        let pool = self.pools.get_mut(handle)?;
        let member = pool.members.remove(&id)?;
        pool.queue.retain(|&waiting| waiting != id);
        let is_last = pool.members.is_empty();
        if is_last {
            self.pools.remove(handle);
        }
        Some((member.element, member.data, is_last))
    }

    /// Which pool elements, by pool and identifier, have another home now.
    pub(crate) fn rehome(
        &mut self,
        from: RegistrarId,
        to: RegistrarId,
        data: usize,
    ) -> Vec<(PoolHandle, PoolElementId)> {
        let mut moved = Vec::new();
        for (handle, pool) in &mut self.pools {
            for member in pool.members.values_mut() {
                if from != to && member.element.home_registrar == Some(from) {
                    member.element.home_registrar = Some(to);
                    member.data = data;
                    moved.push((handle.clone(), member.element.id));
                }
            }
        }
        moved
    }

    /// Checks what a resolution listed, and follows it.
    pub(crate) fn check_resolution(
        &mut self,
        handle: &PoolHandle,
        items: usize,
        listed: Result<Vec<PoolElement>, ResolveError>,
    ) {
        let Some(pool) = self.pools.get_mut(handle) else {
            assert_eq!(listed, Err(ResolveError::UnknownPool));
            return;
        };
        let selectable = pool
            .members
            .values()
            .filter(|member| member.is_selectable())
            .count();
        if selectable == 0 {
            assert_eq!(listed, Err(ResolveError::NothingSelectable));
            return;
        }
        let listed = listed.expect("some can be selected");
        assert_eq!(listed.len(), items.min(selectable));
        for element in &listed {
            assert_eq!(&pool.members[&element.id].element, element);
        }
        let ids: Vec<_> = listed.iter().map(|element| element.id).collect();
        match pool.policy.policy_type() {
            PolicyType::RANDOM
            | PolicyType::WEIGHTED_RANDOM
            | PolicyType::RANDOMIZED_LEAST_USED => pool.check_random(&ids),
            PolicyType::WEIGHTED_ROUND_ROBIN => {
                assert_eq!(ids, pool.select_weighted_round_robin(items));
            }
            PolicyType::LEAST_USED_WITH_DEGRADATION => {
                assert_eq!(ids, pool.select_with_degradation(items));
            }
            _ => assert_eq!(ids, pool.select_sorted(items)),
        }
    }

    pub(crate) fn pools(&self) -> Vec<(PoolHandle, Policy, usize)> {
        let pools = self.pools.iter();
        pools
            .map(|(handle, pool)| (handle.clone(), pool.policy.clone(), pool.members.len()))
            .collect()
    }

    pub(crate) fn elements(&self) -> Vec<(PoolHandle, PoolElement, usize)> {
        let mut elements = Vec::new();
        for (handle, pool) in &self.pools {
            for member in pool.members.values() {
                elements.push((handle.clone(), member.element.clone(), member.data));
            }
        }
        elements
    }

    pub(crate) fn len(&self) -> usize {
        self.pools.values().map(|pool| pool.members.len()).sum()
    }

    pub(crate) fn checksum(&self, owner: RegistrarId) -> PeChecksum {
        let mut sum = 0_u32;
        for (handle, element, _) in self.elements() {
            if element.home_registrar == Some(owner) {
                let mut octets = handle.as_octets().to_vec();
                octets.resize(octets.len().next_multiple_of(4), 0);
                octets.extend(element.id.0.to_be_bytes());
                for word in octets.chunks(2) {
                    sum += u32::from(word[0]) << 8 | u32::from(word[1]);
                    sum = (sum & 0xffff) + (sum >> 16);
                }
            }
        }
        PeChecksum(!u16::try_from(sum).expect("folded"))
    }
}

impl Pool {
    fn check(&self, element: &PoolElement) -> Result<(), RegisterError> {
        if self.policy.policy_type() != element.policy.policy_type() {
            let pool = self.policy.clone();
            return Err(RegisterError::InconsistentPolicy { pool });
        }
        let member = &self
            .members
            .values()
            .next()
            .expect("no pool is empty")
            .element;
        match (&member.user_transport, &element.user_transport) {
            (UserTransport::Sctp(pool), UserTransport::Sctp(new))
                if pool.transport_use != new.transport_use =>
            {
                Err(RegisterError::InconsistentTransportUse)
            }
            _ => Ok(()),
        }
    }

    /// What decides among whom a pool element waits for its turn.
    fn standing(&self, id: PoolElementId) -> Option<u64> {
        self.members.get(&id).map(Member::key)
    }

    fn wait_again(&mut self, id: PoolElementId) {
        self.queue.retain(|&waiting| waiting != id);
        self.queue.push(id);
    }

    /// In the order of the keys, equal ones in the order of the queue.
    fn in_order(&self) -> Vec<PoolElementId> {
        let mut order = self.queue.clone();
        order.sort_by_key(|id| self.members[id].key());
        order
    }

    fn select_sorted(&mut self, items: usize) -> Vec<PoolElementId> {
        let mut selected = self.in_order();
        selected.truncate(items);
        // The first of each group that was listed waits again.
        let mut groups = Vec::new();
        for &id in &selected {
            let key = self.members[&id].key();
            if !groups.contains(&key) {
                groups.push(key);
                self.wait_again(id);
            }
        }
        selected
    }

    fn select_with_degradation(&mut self, items: usize) -> Vec<PoolElementId> {
        let mut selected = self.in_order();
        selected.truncate(items);
        if let Some(&first) = selected.first() {
            let member = self.members.get_mut(&first);
            member.expect("members are selected").degradation_counter += 1;
            self.wait_again(first);
        }
        selected
    }

    /// Writes down the circular list until it has named enough different pool elements.
    fn select_weighted_round_robin(&mut self, items: usize) -> Vec<PoolElementId> {
        let weights: BTreeMap<u32, u64> =
            self.members
                .values()
                .fold(BTreeMap::new(), |mut weights, member| {
                    *weights.entry(member.weight()).or_default() += 1;
                    weights
                });
        let mut list = Vec::new();
        for round in self.last.round..self.last.round + 3 {
            for (&weight, &members) in &weights {
                let entries = u64::from(weight) * members;
                list.extend((0..entries).map(|number| Entry {
                    round,
                    numerator: 2 * number + 1,
                    denominator: 2 * entries,
                    weight,
                }));
            }
        }
        list.sort_by(Entry::compare);
        list.retain(|entry| entry.compare(&self.last).is_gt());

        let mut queue = self.queue.clone();
        let mut selected = Vec::new();
        for entry in &list {
            let of_weight = |id: &PoolElementId| self.members[id].weight() == entry.weight;
            let position = queue
                .iter()
                .position(of_weight)
                .expect("entries have members");
            let id = queue.remove(position);
            queue.push(id);
            if !selected.contains(&id) && selected.len() < items {
                selected.push(id);
            }
        }
        self.last = list[0];
        self.wait_again(selected[0]);
        selected
    }

    fn check_random(&self, ids: &[PoolElementId]) {
        let mut distinct = ids.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), ids.len(), "listed twice");
        assert!(ids.iter().all(|id| self.members[id].is_selectable()));
    }
}

impl Member {
    /// The lower, the earlier.
    fn key(&self) -> u64 {
        match &self.element.policy {
            Policy::WeightedRoundRobin { weight } => u64::from(*weight),
            Policy::Priority { priority } => u64::from(u32::MAX - priority),
            Policy::LeastUsed { load } => u64::from(*load),
            Policy::LeastUsedWithDegradation { load, degradation } => {
                u64::from(*load) + self.degradation_counter * u64::from(*degradation)
            }
            Policy::PriorityLeastUsed { load, degradation } => {
                u64::from(*load) + u64::from(*degradation)
            }
            Policy::Other {
                policy_type: MOST_USED,
                data,
            } => u64::from(u32::MAX - u32::from_be_bytes(data[..].try_into().expect("32 bits"))),
            Policy::RoundRobin
            | Policy::Random
            | Policy::WeightedRandom { .. }
            | Policy::RandomizedLeastUsed { .. }
            | Policy::Other { .. } => 0,
        }
    }

    fn weight(&self) -> u32 {
        match &self.element.policy {
            Policy::WeightedRoundRobin { weight } | Policy::WeightedRandom { weight } => *weight,
            Policy::RandomizedLeastUsed { load } => u32::MAX - load,
            Policy::RoundRobin
            | Policy::Random
            | Policy::Priority { .. }
            | Policy::LeastUsed { .. }
            | Policy::LeastUsedWithDegradation { .. }
            | Policy::PriorityLeastUsed { .. }
            | Policy::Other { .. } => 1,
        }
    }

    fn is_selectable(&self) -> bool {
        self.weight() > 0
    }
}

impl Entry {
    /// Before all entries.
    const START: Self = Self {
        round: 0,
        numerator: 0,
        denominator: 1,
        weight: 0,
    };

    /// By time; at the same time, the heavier comes first.
    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let left = self.numerator * other.denominator;
        let right = other.numerator * self.denominator;
        let time = self.round.cmp(&other.round).then(left.cmp(&right));
        time.then(other.weight.cmp(&self.weight))
    }
}
