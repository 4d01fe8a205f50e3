//! Round Robin (RFC 5356 §4.1): each in turn. Also serves pools of a policy that is not known.

use super::ring::{Ring, Rings};
use super::{MemberSelection, UserRule};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use rand_core::Rng;
use rserpool_wire::parameter::Policy;

/// §4.1.3: in a round robin fashion, starting with the first.
pub(super) const USER_RULE: UserRule = UserRule::InTurn;

pub(super) fn new() -> Box<dyn MemberSelection> {
    Box::new(RoundRobin {
        rings: Rings::default(),
        ring: None,
    })
}

/// §4.1.2: a circular list with a head.
struct RoundRobin {
    rings: Rings,
    ring: Option<Ring>,
}

impl MemberSelection for RoundRobin {
    fn insert(&mut self, slot: u32, _: &Policy) {
        match self.ring {
            Some(ring) => self.rings.push(ring, slot),
            None => self.ring = Some(self.rings.start(slot)),
        }
    }

    fn update(&mut self, _: u32, _: &Policy) {}

    fn remove(&mut self, slot: u32) {
        self.ring = self.ring.and_then(|ring| self.rings.remove(ring, slot));
    }

    fn select(&mut self, items: usize, random: &mut dyn Rng, selected: &mut Vec<u32>) {
        self.peek(items, random, selected);
        // §4.1.2: "Then the head SHOULD be advanced by one element."
        self.ring = self.ring.map(|ring| self.rings.advance(ring));
    }

    fn peek(&self, items: usize, _: &mut dyn Rng, selected: &mut Vec<u32>) {
        if let Some(ring) = self.ring {
            selected.extend(self.rings.iter(ring).take(items));
        }
    }

    fn check_invariants(&self, members: &BTreeMap<u32, Policy>) {
        let mut slots = self.ring.map_or(Vec::new(), |ring| self.rings.check(ring));
        slots.sort_unstable();
        assert!(
            slots.iter().eq(members.keys()),
            "the ring is not the members"
        );
    }
}
