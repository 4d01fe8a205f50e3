//! A policy of one's own, added without touching the crate (RFC 5356 §7.1: private use).

mod common;

use common::{element, handle, resolution};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use rserpool_handlespace::{Handlespace, Limits, MemberSelection, Policies, UserPool, UserRule};
use rserpool_wire::parameter::{Policy, PolicyType};
use std::collections::BTreeSet;

/// Private use, not adaptive.
const SHORTEST_DISTANCE: PolicyType = PolicyType(0x8000_0077);

fn distance(distance: u16) -> Policy {
    Policy::Other {
        policy_type: SHORTEST_DISTANCE,
        data: Box::new(distance.to_be_bytes()),
    }
}

/// The shortest distance first; the same distance by age of the registration.
#[derive(Default)]
struct ShortestDistance {
    order: BTreeSet<(u16, u64, u32)>,
    /// The entry of each slot.
    entries: Vec<(u16, u64)>,
    registrations: u64,
}

impl MemberSelection for ShortestDistance {
    fn insert(&mut self, slot: u32, policy: &Policy) {
        let Policy::Other { data, .. } = policy else {
            return;
        };
        let distance = <[u8; 2]>::try_from(&data[..]).map_or(u16::MAX, u16::from_be_bytes);
        let index = slot as usize;
        if index == self.entries.len() {
            self.entries.push((0, 0));
        }
        self.registrations += 1;
        self.entries[index] = (distance, self.registrations);
        self.order.insert((distance, self.registrations, slot));
    }

    fn update(&mut self, slot: u32, policy: &Policy) {
        self.remove(slot);
        self.insert(slot, policy);
    }

    fn remove(&mut self, slot: u32) {
        let (distance, registration) = self.entries[slot as usize];
        self.order.remove(&(distance, registration, slot));
    }

    fn select(&mut self, items: usize, random: &mut dyn Rng, selected: &mut Vec<u32>) {
        self.peek(items, random, selected);
    }

    fn peek(&self, items: usize, _: &mut dyn Rng, selected: &mut Vec<u32>) {
        selected.extend(self.order.iter().take(items).map(|&(_, _, slot)| slot));
    }
}

fn resolve(handlespace: &mut Handlespace<()>, items: usize) -> Vec<u32> {
    common::numbers(&handlespace.resolve(&handle(), items))
}

#[test]
fn the_registrar_selects_by_it() {
    let policies =
        Policies::standard().with(SHORTEST_DISTANCE, || Box::new(ShortestDistance::default()));
    let mut handlespace = Handlespace::new(Limits::default(), policies, 7);
    for (number, metres) in [(1, 500), (2, 20), (3, 20), (4, 7)] {
        handlespace
            .register(&handle(), &element(number, distance(metres)), ())
            .unwrap();
    }
    assert_eq!(resolve(&mut handlespace, 3), [4, 2, 3]);
    // It moves away.
    handlespace
        .register(&handle(), &element(4, distance(600)), ())
        .unwrap();
    assert_eq!(resolve(&mut handlespace, 9), [2, 3, 1, 4]);
    let key = handlespace.find(&handle(), common::id(2)).unwrap();
    handlespace.deregister(key).unwrap();
    assert_eq!(resolve(&mut handlespace, 9), [3, 1, 4]);
    assert_eq!(handlespace.pool_policy(&handle()), Some(&distance(500)));
}

#[test]
fn without_it_the_same_pool_is_served_round_robin() {
    let mut handlespace = common::handlespace();
    for (number, metres) in [(1, 500), (2, 20)] {
        handlespace
            .register(&handle(), &element(number, distance(metres)), ())
            .unwrap();
    }
    assert_eq!(resolve(&mut handlespace, 2), [1, 2]);
    assert_eq!(resolve(&mut handlespace, 2), [2, 1]);
}

#[test]
fn a_standard_policy_can_be_replaced() {
    struct Newest(Vec<u32>);
    impl MemberSelection for Newest {
        fn insert(&mut self, slot: u32, _: &Policy) {
            self.0.insert(0, slot);
        }
        fn update(&mut self, _: u32, _: &Policy) {}
        fn remove(&mut self, slot: u32) {
            self.0.retain(|&other| other != slot);
        }
        fn select(&mut self, items: usize, random: &mut dyn Rng, selected: &mut Vec<u32>) {
            self.peek(items, random, selected);
        }
        fn peek(&self, items: usize, _: &mut dyn Rng, selected: &mut Vec<u32>) {
            selected.extend(self.0.iter().take(items));
        }
    }
    let policies =
        Policies::standard().with(PolicyType::ROUND_ROBIN, || Box::new(Newest(Vec::new())));
    let mut handlespace = Handlespace::new(Limits::default(), policies, 7);
    for number in 1..=3 {
        handlespace
            .register(&handle(), &element(number, Policy::RoundRobin), ())
            .unwrap();
    }
    assert_eq!(resolve(&mut handlespace, 9), [3, 2, 1]);
}

#[test]
fn the_pool_user_can_be_told_how_to_use_it() {
    let list = resolution([distance(7), distance(20)]);
    let mut random = Pcg64::seed_from_u64(1);
    let mut picks = |mut user: UserPool| [1, 2, 3].map(|_| user.select(&mut random).unwrap().0);
    assert_eq!(picks(UserPool::new(&list)), [1, 2, 1]);
    assert_eq!(
        picks(UserPool::with_rule(&list, UserRule::InOrder)),
        [1, 1, 1]
    );
}
