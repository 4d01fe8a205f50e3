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
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId, RegistrationLife};

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
        .warm_up_time(Duration::from_millis(30))
        .measurement_time(Duration::from_millis(100))
        .without_plots();
    targets = register, reregister_unchanged, reregister_changed, resolve, deregister, rehome
}
criterion_main!(benches);

/// What is measured.
#[derive(Clone, Copy)]
struct Setting {
    policy: fn(u32) -> Policy,
    pools: usize,
    /// Pool elements in all pools together.
    size: usize,
}

/// A handlespace, and what is needed to fill it.
struct Scope {
    setting: Setting,
    handlespace: Handlespace<u64>,
    handles: Vec<PoolHandle>,
    element: PoolElement,
    step: usize,
}

impl Scope {
    fn empty(setting: Setting) -> Self {
        let handles = 0..setting.pools;
        Self {
            setting,
            handlespace: Handlespace::new(Limits::default(), Policies::standard(), 1),
            handles: handles
                .map(|pool| PoolHandle::from(&*format!("pool number {pool}")))
                .collect(),
            element: common::element(0, Policy::RoundRobin),
            step: 0,
        }
    }

    fn full(setting: Setting) -> Self {
        let mut scope = Self::empty(setting);
        scope.fill();
        scope
    }

    fn fill(&mut self) {
        for number in 0..self.setting.size {
            self.register(number, scramble(number));
        }
    }

    fn register(&mut self, number: usize, value: u32) {
        self.element.id = PoolElementId(scramble(number));
        self.element.policy = (self.setting.policy)(value);
        let handle = &self.handles[number % self.handles.len()];
        let registered = self.handlespace.register(handle, &self.element, 0);
        black_box(registered).expect("there is room, and nothing is inconsistent");
    }

    /// Walks through all pool elements in an order that no cache foresees.
    fn next(&mut self) -> usize {
        self.step = self.step.wrapping_add(7_368_787);
        self.step % self.setting.size
    }

    fn clear(&mut self) {
        for number in 0..self.setting.size {
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
    all_elements(criterion, "register", Scope::empty, Scope::fill);
}

/// From a full handlespace, until it is empty.
fn deregister(criterion: &mut Criterion) {
    all_elements(criterion, "deregister", Scope::full, Scope::clear);
}

/// All pool elements of one registrar get another home, half of them shared with a resolution.
fn rehome(criterion: &mut Criterion) {
    let [from, to] = [1, 2].map(|number| RegistrarId::new(number).expect("not 0"));
    let size = 100_000;
    criterion.bench_function(&format!("rehome {size}"), |bencher| {
        let full = || {
            let (policy, pools) = (POLICIES[0].1, 100);
            let scope = Scope::full(Setting {
                policy,
                pools,
                size,
            });
            let elements = scope.handlespace.elements_after(None);
            let shared: Vec<_> = elements.step_by(2).map(|one| one.encoded.clone()).collect();
            (scope, shared)
        };
        let rehome = |(scope, _): &mut (Scope, _)| {
            black_box(scope.handlespace.rehome(from, to, |_, data| *data += 1))
        };
        bencher.iter_batched_ref(full, rehome, BatchSize::PerIteration);
    });
}

/// The very same registration again.
fn reregister_unchanged(criterion: &mut Criterion) {
    one_element(criterion, "reregister unchanged", |scope| {
        let number = scope.next();
        scope.register(number, scramble(number));
    });
}

/// With other policy values and another registration life (not every policy has values).
fn reregister_changed(criterion: &mut Criterion) {
    let mut life = 0;
    one_element(criterion, "reregister changed", |scope| {
        life = (life + 1) % 50_000;
        scope.element.registration_life = RegistrationLife::Seconds(life);
        let number = scope.next();
        scope.register(number, scramble(number).wrapping_add(life));
    });
}

/// A whole resolution, as a response carries it, made and dropped.
fn resolve(criterion: &mut Criterion) {
    for items in ITEMS {
        one_element(criterion, &format!("resolve {items}"), |scope| {
            scope.step = (scope.step + 1) % scope.handles.len();
            let resolved = scope.handlespace.resolve(&scope.handles[scope.step], items);
            black_box(resolved).expect("there is something to select");
        });
    }
}

/// Times a pass over all pool elements of a handlespace that is made for it.
fn all_elements(
    criterion: &mut Criterion,
    operation: &str,
    new: fn(Setting) -> Scope,
    pass: fn(&mut Scope),
) {
    for_each(criterion, operation, |group, name, setting| {
        group.throughput(Throughput::Elements(setting.size as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(|| new(setting), pass, BatchSize::PerIteration);
        });
    });
}

/// Times an operation on one pool element, or one pool, of a full handlespace.
fn one_element(criterion: &mut Criterion, operation: &str, mut step: impl FnMut(&mut Scope)) {
    for_each(criterion, operation, |group, name, setting| {
        let mut scope = None;
        group.throughput(Throughput::Elements(1));
        group.bench_function(name, |bencher| {
            // Not before it is known that this one is wanted.
            let scope = scope.get_or_insert_with(|| Scope::full(setting));
            bencher.iter(|| step(scope));
        });
    });
}

fn for_each(
    criterion: &mut Criterion,
    operation: &str,
    mut bench: impl FnMut(&mut BenchmarkGroup<'_, WallTime>, &str, Setting),
) {
    for (policy_name, policy) in POLICIES {
        let mut group = criterion.benchmark_group(format!("{operation}/{policy_name}"));
        group.sampling_mode(SamplingMode::Flat);
        for pools in POOLS {
            for size in SIZES {
                let setting = Setting {
                    policy,
                    pools,
                    size,
                };
                bench(&mut group, &format!("{pools} x {}", size / pools), setting);
            }
        }
        group.finish();
    }
}
