//! How fast a handlespace is, by operation, policy, size and number of pools.
//!
//! `cargo bench -p rserpool-handlespace` takes a few minutes; give a part of a name
//! (`operation/policy/pools x pool elements`) to run less, e.g. `'resolve 1/'` or `'/1 x 1000$'`.
//! Every pool element has two user and two ASAP addresses. tests/memory.rs counts its octets.

#![allow(missing_docs, reason = "criterion's macros make functions without")]

#[path = "../tests/common/mod.rs"]
mod common;

use common::scramble;
use core::hint::black_box;
use core::time::Duration;
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, SamplingMode, Throughput};
use criterion::{criterion_group, criterion_main};
use rserpool_handlespace::{Handlespace, Limits, Policies, most_used};
use rserpool_wire::parameter::{Policy, PoolElement};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrationLife};

const SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];
const POOLS: [usize; 2] = [1, 100];
const ITEMS: [usize; 3] = [1, 3, 10];

type NamedPolicy = (&'static str, fn(u32) -> Policy);

const POLICIES: [NamedPolicy; 10] = [
    ("round robin", |_| Policy::RoundRobin),
    ("weighted round robin", |value| Policy::WeightedRoundRobin {
        weight: 1 + value % 100,
    }),
    ("random", |_| Policy::Random),
    ("weighted random", |value| Policy::WeightedRandom {
        weight: 1 + value % 100,
    }),
    ("priority", |priority| Policy::Priority { priority }),
    ("least used", |load| Policy::LeastUsed { load }),
    ("least used degraded", |load| {
        Policy::LeastUsedWithDegradation {
            load,
            degradation: 1 << 20,
        }
    }),
    ("priority least used", |load| Policy::PriorityLeastUsed {
        load,
        degradation: 1 << 20,
    }),
    ("randomized least used", |load| {
        Policy::RandomizedLeastUsed { load }
    }),
    ("most used", most_used),
];

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(150))
        .without_plots();
    targets = register, reregister_unchanged, reregister_changed, resolve, deregister
}
criterion_main!(benches);

/// A handlespace, and what is needed to fill it.
struct Scope {
    handlespace: Handlespace<u64>,
    handles: Vec<PoolHandle>,
    element: PoolElement,
    policy: fn(u32) -> Policy,
    size: usize,
    step: usize,
}

impl Scope {
    fn empty(policy: fn(u32) -> Policy, pools: usize, size: usize) -> Self {
        let handles = (0..pools).map(|pool| PoolHandle::from(&*format!("pool number {pool}")));
        Self {
            handlespace: Handlespace::new(Limits::default(), Policies::standard(), 1),
            handles: handles.collect(),
            element: common::element(0, Policy::RoundRobin),
            policy,
            size,
            step: 0,
        }
    }

    fn full(policy: fn(u32) -> Policy, pools: usize, size: usize) -> Self {
        let mut scope = Self::empty(policy, pools, size);
        scope.fill();
        scope
    }

    fn fill(&mut self) {
        for number in 0..self.size {
            self.register(number, scramble(number));
        }
    }

    fn register(&mut self, number: usize, value: u32) {
        self.element.id = PoolElementId(scramble(number));
        self.element.policy = (self.policy)(value);
        let handle = &self.handles[number % self.handles.len()];
        let registered = self.handlespace.register(handle, &self.element, 0);
        black_box(registered).expect("there is room, and nothing is inconsistent");
    }

    /// Walks through all pool elements in an order that no cache foresees.
    fn next(&mut self) -> usize {
        self.step = self.step.wrapping_add(7_368_787);
        self.step % self.size
    }

    fn clear(&mut self) {
        for number in 0..self.size {
            let handle = &self.handles[number % self.handles.len()];
            let key = self
                .handlespace
                .find(handle, PoolElementId(scramble(number)));
            black_box(self.handlespace.deregister(key.expect("it was registered")));
        }
    }
}

/// Into an empty handlespace, until it is full.
fn register(criterion: &mut Criterion) {
    for_each(criterion, "register", |group, name, policy, pools, size| {
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || Scope::empty(policy, pools, size),
                |mut scope| {
                    scope.fill();
                    scope
                },
                BatchSize::PerIteration,
            );
        });
    });
}

/// From a full handlespace, until it is empty.
fn deregister(criterion: &mut Criterion) {
    for_each(
        criterion,
        "deregister",
        |group, name, policy, pools, size| {
            group.throughput(Throughput::Elements(size as u64));
            group.bench_function(name, |bencher| {
                bencher.iter_batched(
                    || Scope::full(policy, pools, size),
                    |mut scope| {
                        scope.clear();
                        scope
                    },
                    BatchSize::PerIteration,
                );
            });
        },
    );
}

/// The very same registration again.
fn reregister_unchanged(criterion: &mut Criterion) {
    for_each(
        criterion,
        "reregister unchanged",
        |group, name, policy, pools, size| {
            let mut scope = Scope::full(policy, pools, size);
            group.throughput(Throughput::Elements(1));
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    let number = scope.next();
                    scope.register(number, scramble(number));
                });
            });
        },
    );
}

/// With other policy values, or another registration life where the policy has none.
fn reregister_changed(criterion: &mut Criterion) {
    for_each(
        criterion,
        "reregister changed",
        |group, name, policy, pools, size| {
            let mut scope = Scope::full(policy, pools, size);
            let mut life = 0;
            group.throughput(Throughput::Elements(1));
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    life += 1;
                    scope.element.registration_life = RegistrationLife::Seconds(life & 0xffff);
                    let number = scope.next();
                    scope.register(number, scramble(number).wrapping_add(life));
                });
            });
        },
    );
}

/// A whole resolution, as a response carries it, made and dropped.
fn resolve(criterion: &mut Criterion) {
    for items in ITEMS {
        for_each(
            criterion,
            &format!("resolve {items}"),
            |group, name, policy, pools, size| {
                let mut scope = Scope::full(policy, pools, size);
                let mut pool = 0;
                group.throughput(Throughput::Elements(1));
                group.bench_function(name, |bencher| {
                    bencher.iter(|| {
                        pool = if pool + 1 == pools { 0 } else { pool + 1 };
                        black_box(scope.handlespace.resolve(&scope.handles[pool], items))
                    });
                });
            },
        );
    }
}

fn for_each(
    criterion: &mut Criterion,
    operation: &str,
    mut bench: impl FnMut(&mut BenchmarkGroup<'_, WallTime>, &str, fn(u32) -> Policy, usize, usize),
) {
    for (policy_name, policy) in POLICIES {
        let mut group = criterion.benchmark_group(format!("{operation}/{policy_name}"));
        group.sampling_mode(SamplingMode::Flat);
        for pools in POOLS {
            for size in SIZES {
                bench(
                    &mut group,
                    &format!("{pools} x {}", size / pools),
                    policy,
                    pools,
                    size,
                );
            }
        }
        group.finish();
    }
}
