//! Slots in ascending order of a key, those with equal keys in turn. The policies that go by load
//! or priority differ only in their keys.

use super::MemberSelection;
use super::ring::{Ring, Rings};
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;
use rand_core::Rng;
use rserpool_wire::parameter::Policy;

/// A policy whose key depends on the policy values alone.
pub(super) struct Sorted {
    key: fn(&Policy) -> u64,
    groups: Groups,
}

/// Slots grouped by key.
#[derive(Default)]
pub(super) struct Groups {
    rings: Rings,
    /// By slot.
    keys: Vec<u64>,
    groups: BTreeMap<u64, Ring>,
}

impl Sorted {
    pub(super) fn new(key: fn(&Policy) -> u64) -> Self {
        Self {
            key,
            groups: Groups::default(),
        }
    }
}

impl MemberSelection for Sorted {
    fn insert(&mut self, slot: u32, policy: &Policy) {
        self.groups.insert(slot, (self.key)(policy));
    }

    fn update(&mut self, slot: u32, policy: &Policy) {
        let key = (self.key)(policy);
        // Who re-registers with the same key keeps its turn.
        if key != self.groups.key(slot) {
            self.groups.remove(slot);
            self.groups.insert(slot, key);
        }
    }

    fn remove(&mut self, slot: u32) {
        self.groups.remove(slot);
    }

    fn select(&mut self, items: usize, _: &mut dyn Rng, selected: &mut Vec<u32>) {
        self.groups.select(items, selected);
    }

    fn peek(&self, items: usize, _: &mut dyn Rng, selected: &mut Vec<u32>) {
        self.groups.peek(items, selected);
    }

    fn check_invariants(&self, members: &BTreeMap<u32, Policy>) {
        self.groups.check(members);
        for (&slot, policy) in members {
            assert_eq!(
                self.groups.key(slot),
                (self.key)(policy),
                "the key of {slot} is stale"
            );
        }
    }
}

impl Groups {
    pub(super) fn key(&self, slot: u32) -> u64 {
        self.keys[slot as usize]
    }

    /// Adds a slot; its turn among equals comes last.
    pub(super) fn insert(&mut self, slot: u32, key: u64) {
        let index = slot as usize;
        if index >= self.keys.len() {
            self.keys.resize(index + 1, 0);
        }
        self.keys[index] = key;
        match self.groups.entry(key) {
            Entry::Occupied(group) => self.rings.push(*group.get(), slot),
            Entry::Vacant(group) => {
                group.insert(self.rings.start(slot));
            }
        }
    }

    pub(super) fn remove(&mut self, slot: u32) {
        let Entry::Occupied(mut group) = self.groups.entry(self.key(slot)) else {
            return;
        };
        match self.rings.remove(*group.get(), slot) {
            Some(rest) => *group.get_mut() = rest,
            None => {
                group.remove();
            }
        }
    }

    /// The lowest keys, ascending. Each group that is touched advances by one: round robin among
    /// equals.
    pub(super) fn select(&mut self, items: usize, selected: &mut Vec<u32>) {
        for ring in self.groups.values_mut() {
            selected.extend(self.rings.iter(*ring).take(items - selected.len()));
            *ring = self.rings.advance(*ring);
            if selected.len() == items {
                return;
            }
        }
    }

    /// The same, but nobody's turn is over.
    pub(super) fn peek(&self, items: usize, selected: &mut Vec<u32>) {
        let slots = self.groups.values().flat_map(|&ring| self.rings.iter(ring));
        selected.extend(slots.take(items));
    }

    /// Panics if the groups are not the members, each in the group of its key.
    pub(super) fn check(&self, members: &BTreeMap<u32, Policy>) {
        let mut slots = Vec::new();
        for (&key, &ring) in &self.groups {
            let group = self.rings.check(ring);
            assert!(
                group.iter().all(|&slot| self.key(slot) == key),
                "a slot in a foreign group"
            );
            slots.extend(group);
        }
        slots.sort_unstable();
        assert!(
            slots.iter().eq(members.keys()),
            "the groups are not the members"
        );
    }
}
