//! Least Used with Degradation (RFC 5356 §5.2): the lowest load first, counting what each pool
//! element was given since it told its load.

use super::sorted::Groups;
use super::{MemberSelection, UserRule};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use rand_core::Rng;
use rserpool_wire::parameter::Policy;

/// §5.2.3: as for Least Used.
pub(super) const USER_RULE: UserRule = UserRule::InOrder;

pub(super) fn new() -> Box<dyn MemberSelection> {
    Box::new(LeastUsedWithDegradation::new(values))
}

/// A policy that counts what each pool element was given since it told its load.
pub(super) struct LeastUsedWithDegradation {
    /// Load, and what one selection adds to it.
    values: fn(&Policy) -> (u64, u32),
    /// By load + degradation counter × load degradation.
    groups: Groups,
    /// What one selection adds, by slot.
    degradations: Vec<u32>,
}

impl LeastUsedWithDegradation {
    pub(super) fn new(values: fn(&Policy) -> (u64, u32)) -> Self {
        Self {
            values,
            groups: Groups::default(),
            degradations: Vec::new(),
        }
    }
}

impl MemberSelection for LeastUsedWithDegradation {
    fn insert(&mut self, slot: u32, policy: &Policy) {
        let index = slot as usize;
        if index >= self.degradations.len() {
            self.degradations.resize(index + 1, 0);
        }
        let (load, degradation) = (self.values)(policy);
        self.degradations[index] = degradation;
        self.groups.insert(slot, load);
    }

    fn update(&mut self, slot: u32, policy: &Policy) {
        let (load, degradation) = (self.values)(policy);
        self.degradations[slot as usize] = degradation;
        // §5.2.2: "added or updated by registration or re-registration, this counter MUST be set
        // to 0", also where the values are the same.
        if load != self.groups.key(slot) {
            self.groups.remove(slot);
            self.groups.insert(slot, load);
        }
    }

    fn remove(&mut self, slot: u32) {
        self.groups.remove(slot);
    }

    fn select(&mut self, items: usize, random: &mut dyn Rng, selected: &mut Vec<u32>) {
        self.peek(items, random, selected);
        // §5.2.2: "When an entry is selected for being returned to a pool user, the internal
        // degradation counter MUST be incremented by 1." Only the first one gets the request; the
        // others are backups (§5.2.3). Were all counted, users that ask for several would all go
        // to the one with the least degradation until the next registration.
        if let Some(&slot) = selected.first() {
            let degradation = u64::from(self.degradations[slot as usize]);
            let key = self.groups.key(slot).saturating_add(degradation);
            self.groups.remove(slot);
            self.groups.insert(slot, key);
        }
    }

    fn peek(&self, items: usize, _: &mut dyn Rng, selected: &mut Vec<u32>) {
        self.groups.peek(items, selected);
    }

    fn counts_selections(&self) -> bool {
        true
    }

    fn check_invariants(&self, members: &BTreeMap<u32, Policy>) {
        self.groups.check(members);
        for (&slot, policy) in members {
            let (load, degradation) = (self.values)(policy);
            assert_eq!(self.degradations[slot as usize], degradation);
            let added = self.groups.key(slot) - load;
            let whole = added.checked_rem(u64::from(degradation)).unwrap_or(added);
            assert_eq!(whole, 0, "slot {slot} was given a part of a request");
        }
    }
}

/// Load and load degradation.
fn values(policy: &Policy) -> (u64, u32) {
    if let Policy::LeastUsedWithDegradation { load, degradation } = policy {
        (u64::from(*load), *degradation)
    } else {
        (u64::MAX, 0)
    }
}
