//! What a pool element costs, counted: octets of heap, and allocations.

mod common;

use common::{element, handle, id, scramble};
use rserpool_handlespace::{Handlespace, Limits, Policies, most_used};
use rserpool_wire::parameter::Policy;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test at a time counts.
fn counting() -> MutexGuard<'static, ()> {
    static COUNTING: Mutex<()> = Mutex::new(());
    COUNTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a registrar keeps with each pool element, about.
type Data = [u64; 2];

/// goals: at most 400 octets, with timers and associations, which are not in here.
const OCTETS_MAX: usize = 320;

fn policies(value: u32) -> [Policy; 10] {
    let (load, degradation, weight) = (value, 1 << 20, 1 + value % 100);
    [
        Policy::RoundRobin,
        Policy::WeightedRoundRobin { weight },
        Policy::Random,
        Policy::WeightedRandom { weight },
        Policy::Priority { priority: value },
        Policy::LeastUsed { load },
        Policy::LeastUsedWithDegradation { load, degradation },
        Policy::PriorityLeastUsed { load, degradation },
        Policy::RandomizedLeastUsed { load },
        most_used(value),
    ]
}

fn full(policy: usize, size: usize) -> Handlespace<Data> {
    let mut handlespace = Handlespace::new(Limits::default(), Policies::standard(), 1);
    for number in 0..size {
        let value = scramble(number);
        let element = element(value, policies(value)[policy].clone());
        let registered = handlespace.register(&handle(), &element, [0; 2]);
        registered.expect("there is room");
    }
    handlespace
}

#[test]
fn octets_per_pool_element() {
    let _counting = counting();
    for size in [1_000, 10_000, 100_000] {
        for (number, policy) in policies(0).iter().enumerate() {
            let region = Region::new(ALLOCATOR);
            let handlespace = full(number, size);
            let change = region.change();
            let octets = (change.bytes_allocated - change.bytes_deallocated) / size;
            println!("{size} pool elements, {octets} octets each: {policy:?}");
            assert!(octets <= OCTETS_MAX, "{octets} octets");
            drop(handlespace);
        }
    }
}

#[test]
fn an_unchanged_reregistration_allocates_nothing() {
    let _counting = counting();
    for number in 0..10 {
        let mut handlespace = full(number, 1_000);
        let value = scramble(500);
        let element = element(value, policies(value)[number].clone());
        handlespace.register(&handle(), &element, [0; 2]).unwrap();
        let region = Region::new(ALLOCATOR);
        handlespace.register(&handle(), &element, [0; 2]).unwrap();
        assert_eq!(
            region.change().allocations + region.change().reallocations,
            0
        );
        assert!(handlespace.find(&handle(), id(value)).is_some());
    }
}

#[test]
fn a_resolution_allocates_its_list_and_nothing_for_each_pool_element() {
    let _counting = counting();
    for number in 0..10 {
        let mut handlespace = full(number, 1_000);
        for items in [1, 3, 10, 100] {
            handlespace.resolve(&handle(), items).unwrap();
            let region = Region::new(ALLOCATOR);
            handlespace.resolve(&handle(), items).unwrap();
            // The list; the policy's octets (private use); the order of the streams (weighted
            // round robin); a node of a tree whose shape changes (degradation).
            assert!(region.change().allocations <= 3, "{:?}", region.change());
        }
    }
}
