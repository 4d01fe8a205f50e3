//! The handlespace against a naive model of it: nested maps, queues and linear scans. Random
//! operations run on both, and everything that can be seen must be the same.

mod common;
mod naive;

use common::{element, id, registrar, sctp};
use naive::Model;
use proptest::prelude::*;
use rserpool_handlespace::{ElementKey, Handlespace, Limits, MOST_USED, Policies, most_used};
use rserpool_wire::asap::Resolution;
use rserpool_wire::parameter::{
    EncodedPoolElement, Policy, PolicyType, PoolElement, TransportUse, UserTransport,
};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId, RegistrationLife};

/// What happens to a handlespace.
#[derive(Clone, Debug)]
enum Transition {
    Register {
        pool: usize,
        element: PoolElement,
        is_encoded: bool,
    },
    Deregister {
        pool: usize,
        number: u32,
    },
    Resolve {
        pool: usize,
        items: usize,
    },
    Rehome {
        from: u32,
        to: u32,
    },
}

/// One pool for each policy, the last for one that is not known.
const POOLS: usize = 11;
/// Identifiers of pool elements go up to this.
const NUMBERS: u32 = 12;

fn limits() -> Limits {
    Limits {
        pools_max: 9,
        elements_max: 45,
        elements_per_pool_max: 10,
        ..Limits::default()
    }
}

fn handle(pool: usize) -> PoolHandle {
    PoolHandle::new(&b"pool handle"[..pool + 1])
}

/// The policy of a pool with small values, so that many are equal.
fn policy(pool: usize, value: u32, degradation: u32) -> Policy {
    match pool {
        0 => Policy::RoundRobin,
        1 => Policy::WeightedRoundRobin { weight: value },
        2 => Policy::Random,
        3 => Policy::WeightedRandom { weight: value },
        4 => Policy::Priority { priority: value },
        5 => Policy::LeastUsed { load: value },
        6 => Policy::LeastUsedWithDegradation {
            load: value,
            degradation,
        },
        7 => Policy::PriorityLeastUsed {
            load: value,
            degradation,
        },
        8 => Policy::RandomizedLeastUsed {
            load: u32::MAX - value,
        },
        9 => most_used(value),
        _ => Policy::Other {
            policy_type: PolicyType(0x8000_0001),
            data: Box::new([7]),
        },
    }
}

fn transitions() -> impl Strategy<Value = Vec<Transition>> {
    let pool = 0..POOLS;
    let number = 1..=NUMBERS;
    let values = (0..5_u32, 0..3_u32);
    let seldom = |weight| prop::bool::weighted(weight);
    let register = (
        pool.clone(),
        number.clone(),
        values,
        0..4_u32,
        seldom(0.04),
        seldom(0.04),
        any::<bool>(),
    )
        .prop_map(
            |(pool, number, (value, degradation), home, wrong_policy, control, is_encoded)| {
                let of_pool = if wrong_policy {
                    (pool + 1) % POOLS
                } else {
                    pool
                };
                let transport_use = TransportUse(u16::from(control));
                let element = PoolElement {
                    home_registrar: RegistrarId::new(home),
                    registration_life: RegistrationLife::Seconds(300),
                    user_transport: UserTransport::Sctp(sctp(transport_use)),
                    ..element(number, policy(of_pool, value, degradation))
                };
                Transition::Register {
                    pool,
                    element,
                    is_encoded,
                }
            },
        );
    let deregister =
        (pool.clone(), number).prop_map(|(pool, number)| Transition::Deregister { pool, number });
    let resolve = (pool, 1..14_usize).prop_map(|(pool, items)| Transition::Resolve { pool, items });
    let rehome = (1..4_u32, 1..4_u32).prop_map(|(from, to)| Transition::Rehome { from, to });
    let transition = prop_oneof![10 => register, 2 => deregister, 8 => resolve, 1 => rehome];
    prop::collection::vec(transition, 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_handlespace_behaves_as_the_model(transitions in transitions(), seed: u64) {
        let mut handlespace = Handlespace::new(limits(), Policies::standard(), seed);
        let mut model = Model::new(limits());
        for (step, transition) in transitions.into_iter().enumerate() {
            apply(&mut handlespace, &mut model, step, transition);
            compare(&handlespace, &model);
        }
        handlespace.check_invariants();
    }
}

fn apply(
    handlespace: &mut Handlespace<usize>,
    model: &mut Model,
    step: usize,
    transition: Transition,
) {
    match transition {
        Transition::Register {
            pool,
            element,
            is_encoded,
        } => {
            let registered = if is_encoded {
                let encoded = EncodedPoolElement::from(&element);
                handlespace.register_encoded(&handle(pool), &encoded, step)
            } else {
                handlespace.register(&handle(pool), &element, step)
            };
            let expected = model.register(handle(pool), &element, step);
            assert_eq!(
                registered.clone().map(|registered| registered.change),
                expected
            );
            if let Ok(registered) = registered {
                assert_eq!(
                    handlespace.find(&handle(pool), element.id),
                    Some(registered.key)
                );
            }
        }
        Transition::Deregister { pool, number } => {
            let key = handlespace.find(&handle(pool), id(number));
            let removed = key.and_then(|key| handlespace.deregister(key));
            let expected = model.deregister(&handle(pool), id(number));
            let removed = removed
                .map(|removed| (removed.encoded.decode(), removed.data, removed.pool_removed));
            assert_eq!(removed, expected);
        }
        Transition::Resolve { pool, items } => {
            let peeked = handlespace.peek(&handle(pool), items);
            let resolved = handlespace.resolve(&handle(pool), items);
            assert_eq!(peeked, resolved, "a peek is what comes next");
            let listed = resolved.map(|resolution| listed(&resolution));
            model.check_resolution(&handle(pool), items, listed);
        }
        Transition::Rehome { from, to } => {
            let [from, to] = [from, to].map(registrar);
            let moved = handlespace.rehome(from, to, |_, data| *data = step);
            let mut moved = named(handlespace, moved);
            moved.sort_unstable();
            assert_eq!(moved, model.rehome(from, to, step));
        }
    }
}

fn named(
    handlespace: &Handlespace<usize>,
    keys: impl IntoIterator<Item = ElementKey>,
) -> Vec<(PoolHandle, PoolElementId)> {
    let named = keys.into_iter().map(|key| {
        let element = handlespace.element(key).expect("just named");
        (element.pool_handle.clone(), element.id)
    });
    named.collect()
}

fn listed(resolution: &Resolution) -> Vec<PoolElement> {
    resolution
        .pool_elements
        .iter()
        .map(EncodedPoolElement::decode)
        .collect()
}

/// All that can be seen without changing anything.
fn compare(handlespace: &Handlespace<usize>, model: &Model) {
    let pools: Vec<_> = handlespace
        .pools()
        .map(|pool| (pool.handle.clone(), pool.policy.clone(), pool.len))
        .collect();
    assert_eq!(pools, model.pools());
    assert_eq!(
        (handlespace.len(), handlespace.pool_count()),
        (model.len(), pools.len())
    );
    let elements: Vec<_> = handlespace
        .elements_after(None)
        .map(|element| {
            (
                element.pool_handle.clone(),
                element.encoded.decode(),
                *element.data,
            )
        })
        .collect();
    assert_eq!(elements, model.elements());
    for number in 1..4 {
        assert_eq!(
            handlespace.checksum(registrar(number)),
            model.checksum(registrar(number))
        );
        let mut owned = named(handlespace, handlespace.owned_by(registrar(number)));
        owned.sort_unstable();
        let of_model = model.elements().into_iter();
        let expected: Vec<_> = of_model
            .filter(|(_, element, _)| element.home_registrar == Some(registrar(number)))
            .map(|(handle, element, _)| (handle, element.id))
            .collect();
        assert_eq!(handlespace.owned(registrar(number)), expected.len());
        assert_eq!(owned, expected);
    }
}

#[test]
fn the_pools_of_this_test_have_all_policies() {
    let types: Vec<_> = (0..POOLS)
        .map(|pool| policy(pool, 0, 0).policy_type())
        .collect();
    assert!(types.contains(&MOST_USED));
    let mut distinct = types.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), POOLS);
}
