//! Slots drawn at random, each as likely as its weight says, none twice (a Fenwick tree).

use super::{MemberSelection, random_below};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::hint::select_unpredictable;
use rand_core::Rng;
use rserpool_wire::parameter::Policy;

/// A policy whose weight depends on the policy values alone.
pub(super) struct Lottery {
    weight: fn(&Policy) -> u32,
    urn: Urn,
    /// Kept between selections for its memory only.
    drawn: Vec<Drawn>,
}

/// The weights of all slots, and their sums.
#[derive(Clone, Default)]
struct Urn {
    /// By slot; 0 where there is none.
    weights: Vec<u32>,
    /// Place i (counted from 1) holds the sum of the weights of the places i - lowbit(i) + 1 to i.
    sums: Vec<u64>,
    total: u64,
}

/// A part of [0, total) that belongs to a slot that was drawn.
#[derive(Clone, Copy)]
struct Drawn {
    start: u64,
    weight: u64,
}

/// Up to so many items, the drawn parts are kept in order and walked for every draw, which is
/// quadratic; beyond, the urn is copied and emptied.
const WALKED_MAX: usize = 256;

impl Lottery {
    pub(super) fn new(weight: fn(&Policy) -> u32) -> Self {
        Self {
            weight,
            urn: Urn::default(),
            drawn: Vec::new(),
        }
    }
}

impl MemberSelection for Lottery {
    fn insert(&mut self, slot: u32, policy: &Policy) {
        self.urn.set(slot, (self.weight)(policy));
    }

    fn update(&mut self, slot: u32, policy: &Policy) {
        self.urn.set(slot, (self.weight)(policy));
    }

    fn remove(&mut self, slot: u32) {
        self.urn.set(slot, 0);
    }

    fn select(&mut self, items: usize, random: &mut dyn Rng, selected: &mut Vec<u32>) {
        self.urn.draw(items, random, &mut self.drawn, selected);
    }

    fn peek(&self, items: usize, random: &mut dyn Rng, selected: &mut Vec<u32>) {
        self.urn.draw(items, random, &mut Vec::new(), selected);
    }

    fn check_invariants(&self, members: &BTreeMap<u32, Policy>) {
        let mut rebuilt = Urn::default();
        for slot in 0..self.urn.weights.len() {
            let slot = u32::try_from(slot).expect("slots are 32 bits");
            rebuilt.set(slot, members.get(&slot).map_or(0, self.weight));
        }
        assert_eq!(self.urn.weights, rebuilt.weights, "stale weights");
        assert_eq!(self.urn.sums, rebuilt.sums, "stale sums");
        assert_eq!(self.urn.total, rebuilt.total, "stale total");
        assert!(
            members
                .keys()
                .all(|&slot| (slot as usize) < self.urn.weights.len())
        );
    }
}

/// A policy whose weights grow less with each selection until a pool element registers again.
pub(super) struct DegradingLottery {
    /// The weight at first, and what one selection takes from it.
    values: fn(&Policy) -> (u32, u32),
    urn: Urn,
    /// By slot.
    degradations: Vec<u32>,
}

impl DegradingLottery {
    pub(super) fn new(values: fn(&Policy) -> (u32, u32)) -> Self {
        Self {
            values,
            urn: Urn::default(),
            degradations: Vec::new(),
        }
    }
}

impl MemberSelection for DegradingLottery {
    fn insert(&mut self, slot: u32, policy: &Policy) {
        let index = slot as usize;
        if index >= self.degradations.len() {
            self.degradations.resize(index + 1, 0);
        }
        let (weight, degradation) = (self.values)(policy);
        self.degradations[index] = degradation;
        self.urn.set(slot, weight);
    }

    fn update(&mut self, slot: u32, policy: &Policy) {
        self.insert(slot, policy);
    }

    fn remove(&mut self, slot: u32) {
        self.urn.set(slot, 0);
    }

    fn select(&mut self, items: usize, random: &mut dyn Rng, selected: &mut Vec<u32>) {
        self.peek(items, random, selected);
        for &slot in &*selected {
            let index = slot as usize;
            let left = self.urn.weights[index].saturating_sub(self.degradations[index]);
            self.urn.set(slot, left.max(1));
        }
    }

    fn peek(&self, items: usize, random: &mut dyn Rng, selected: &mut Vec<u32>) {
        self.urn.draw(items, random, &mut Vec::new(), selected);
    }

    fn counts_selections(&self) -> bool {
        true
    }

    fn check_invariants(&self, members: &BTreeMap<u32, Policy>) {
        for (index, &weight) in self.urn.weights.iter().enumerate() {
            let slot = u32::try_from(index).expect("slots are 32 bits");
            let most = members
                .get(&slot)
                .map_or(0, |policy| (self.values)(policy).0);
            assert!(weight <= most, "slot {slot} has more than at first");
            assert_eq!(weight == 0, most == 0, "slot {slot} is stale");
        }
    }
}

impl Urn {
    fn set(&mut self, slot: u32, weight: u32) {
        while self.weights.len() <= slot as usize {
            self.append();
        }
        let before = core::mem::replace(&mut self.weights[slot as usize], weight);
        if before == weight {
            return;
        }
        let (before, weight) = (u64::from(before), u64::from(weight));
        self.total = self.total - before + weight;
        let mut place = slot as usize + 1;
        while place <= self.sums.len() {
            let sum = &mut self.sums[place - 1];
            *sum = *sum - before + weight;
            place += low_bit(place);
        }
    }

    /// One more slot, of weight 0.
    fn append(&mut self) {
        let place = self.sums.len() + 1;
        let start = place - low_bit(place);
        let mut sum = 0;
        let mut part = place - 1;
        while part > start {
            sum += self.sums[part - 1];
            part -= low_bit(part);
        }
        self.sums.push(sum);
        self.weights.push(0);
    }

    /// The slot to which this point of [0, total) belongs, and where its part starts.
    fn find(&self, point: u64) -> (u32, u64) {
        let mut place = 0;
        let mut rest = point;
        let mut step = (self.sums.len() + 1).next_power_of_two() / 2;
        while step > 0 {
            if let Some(&sum) = self.sums.get(place + step - 1) {
                // Either way is as likely, so that a branch would be mispredicted half the time.
                let is_beyond = sum <= rest;
                rest = select_unpredictable(is_beyond, rest.wrapping_sub(sum), rest);
                place = select_unpredictable(is_beyond, place + step, place);
            }
            step /= 2;
        }
        (
            u32::try_from(place).expect("slots are 32 bits"),
            point - rest,
        )
    }

    /// Draws up to `items` slots one after the other, what was drawn is not put back.
    fn draw(
        &self,
        items: usize,
        random: &mut dyn Rng,
        drawn: &mut Vec<Drawn>,
        selected: &mut Vec<u32>,
    ) {
        if items.min(self.weights.len()) > WALKED_MAX {
            return self.clone().empty(items, random, selected);
        }
        drawn.clear();
        let mut left = self.total;
        while selected.len() < items && left > 0 {
            let mut point = random_below(random, left);
            // The points that are left, numbered without the drawn parts.
            let mut place = 0;
            while let Some(part) = drawn.get(place) {
                if point < part.start {
                    break;
                }
                point += part.weight;
                place += 1;
            }
            let (slot, start) = self.find(point);
            let weight = u64::from(self.weights[slot as usize]);
            drawn.insert(place, Drawn { start, weight });
            left -= weight;
            selected.push(slot);
        }
    }

    /// The same, by taking out what was drawn.
    fn empty(mut self, items: usize, random: &mut dyn Rng, selected: &mut Vec<u32>) {
        while selected.len() < items && self.total > 0 {
            let (slot, _) = self.find(random_below(random, self.total));
            self.set(slot, 0);
            selected.push(slot);
        }
    }
}

fn low_bit(place: usize) -> usize {
    place & place.wrapping_neg()
}
