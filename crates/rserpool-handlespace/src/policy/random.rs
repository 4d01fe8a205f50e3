//! Random (RFC 5356 §4.3): any, each equally likely.

use super::{MemberSelection, UserRule, random_below};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use rand_core::Rng;
use rserpool_wire::parameter::Policy;

/// §4.3.3: randomly selecting one element from the list.
pub(super) const USER_RULE: UserRule = UserRule::AtRandom;

pub(super) fn new() -> Box<dyn MemberSelection> {
    Box::new(Random::default())
}

#[derive(Default)]
struct Random {
    /// The slots of all members, in no order.
    members: Vec<u32>,
    /// Where each is in `members`, by slot.
    positions: Vec<u32>,
    /// Kept between selections for its memory only.
    drawn: Vec<u32>,
}

/// Up to so many items, the drawn positions are kept in order and walked for every draw, which
/// is quadratic; beyond, the list of members is copied and shuffled.
const WALKED_MAX: usize = 256;

impl MemberSelection for Random {
    fn insert(&mut self, slot: u32, _: &Policy) {
        let index = slot as usize;
        if index >= self.positions.len() {
            self.positions.resize(index + 1, 0);
        }
        self.positions[index] = u32::try_from(self.members.len()).expect("slots are 32 bits");
        self.members.push(slot);
    }

    fn update(&mut self, _: u32, _: &Policy) {}

    fn remove(&mut self, slot: u32) {
        let position = self.positions[slot as usize];
        self.members.swap_remove(position as usize);
        if let Some(&moved) = self.members.get(position as usize) {
            self.positions[moved as usize] = position;
        }
    }

    fn select(&mut self, items: usize, random: &mut dyn Rng, selected: &mut Vec<u32>) {
        let mut drawn = core::mem::take(&mut self.drawn);
        self.draw(items, random, &mut drawn, selected);
        self.drawn = drawn;
    }

    fn peek(&self, items: usize, random: &mut dyn Rng, selected: &mut Vec<u32>) {
        self.draw(items, random, &mut Vec::new(), selected);
    }

    fn check_invariants(&self, members: &BTreeMap<u32, Policy>) {
        assert_eq!(
            self.members.len(),
            members.len(),
            "not as many as there are members"
        );
        for &slot in members.keys() {
            let position = self.positions[slot as usize];
            assert_eq!(
                self.members[position as usize], slot,
                "slot {slot} is not at its position"
            );
        }
    }
}

impl Random {
    fn draw(
        &self,
        items: usize,
        random: &mut dyn Rng,
        drawn: &mut Vec<u32>,
        selected: &mut Vec<u32>,
    ) {
        let items = items.min(self.members.len());
        if items > WALKED_MAX {
            return self.shuffle(items, random, selected);
        }
        drawn.clear();
        for count in 0..items {
            let rest = self.members.len() - count;
            let mut position = below(random, rest);
            // The positions that are left, numbered without the drawn ones.
            let mut place = 0;
            while place < count && position >= drawn[place] {
                position += 1;
                place += 1;
            }
            drawn.insert(place, position);
            selected.push(self.members[position as usize]);
        }
    }

    fn shuffle(&self, items: usize, random: &mut dyn Rng, selected: &mut Vec<u32>) {
        selected.extend_from_slice(&self.members);
        for place in 0..items {
            let other = place + below(random, selected.len() - place) as usize;
            selected.swap(place, other);
        }
        selected.truncate(items);
    }
}

/// A random position among so many.
fn below(random: &mut dyn Rng, count: usize) -> u32 {
    u32::try_from(random_below(random, count as u64)).expect("there are fewer than 2^32 members")
}
