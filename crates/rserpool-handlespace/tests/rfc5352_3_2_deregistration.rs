//! De-registration (RFC 5352 §3.2), and the walks over what is left.

mod common;

use common::{OnePool, element, handle, handlespace, id, registrar};
use rserpool_handlespace::{PoolRef, Removed, ResolveError};
use rserpool_wire::PoolHandle;
use rserpool_wire::parameter::{EncodedPoolElement, Policy};

#[test]
fn the_pool_element_is_removed_and_the_pool_stays() {
    let mut pool = OnePool::of([Policy::RoundRobin, Policy::RoundRobin]);
    let key = pool.0.find(&handle(), id(1)).unwrap();
    let removed = pool.0.deregister(key);
    let expected = Removed {
        pool_handle: handle(),
        encoded: EncodedPoolElement::from(&element(1, Policy::RoundRobin)),
        home: Some(registrar(1)),
        data: (),
        pool_removed: false,
    };
    assert_eq!(removed, Some(expected));
    assert_eq!(pool.resolve(9), [2]);
}

#[test]
fn the_pool_goes_with_its_last_pool_element() {
    let mut pool = OnePool::of([Policy::RoundRobin]);
    let key = pool.0.find(&handle(), id(1)).unwrap();
    assert!(pool.0.deregister(key).unwrap().pool_removed);
    assert_eq!(pool.0.resolve(&handle(), 1), Err(ResolveError::UnknownPool));
    assert_eq!(pool.0.pool_policy(&handle()), None);
    assert!(pool.0.is_empty());
    // The next one creates it anew, with a policy of its own.
    pool.register(1, Policy::Random);
    assert_eq!(pool.0.pool_policy(&handle()), Some(&Policy::Random));
}

#[test]
fn a_stale_key_finds_nothing_although_its_place_is_used_again() {
    let mut pool = OnePool::of([Policy::RoundRobin, Policy::RoundRobin]);
    let stale = pool.0.find(&handle(), id(1)).unwrap();
    pool.deregister(1);
    let fresh = pool.register(1, Policy::RoundRobin);
    assert_ne!(stale, fresh);
    assert!(pool.0.element(stale).is_none());
    assert!(pool.0.data_mut(stale).is_none());
    assert!(pool.0.deregister(stale).is_none());
    assert!(pool.0.element(fresh).is_some());
}

#[test]
fn pools_come_in_the_order_of_their_handles_and_pool_elements_in_that_of_their_identifiers() {
    let mut handlespace = handlespace();
    for (handle, number) in [("b", 9), ("a", 3), ("b", 2), ("ab", 7), ("a", 1)] {
        let element = element(number, Policy::RoundRobin);
        handlespace
            .register(&PoolHandle::from(handle), &element, ())
            .unwrap();
    }
    let [a, ab, b] = ["a", "ab", "b"].map(PoolHandle::from);
    let policy = &Policy::RoundRobin;
    let pool = |handle, len| PoolRef {
        handle,
        policy,
        len,
    };
    let pools: Vec<_> = handlespace.pools().collect();
    assert_eq!(pools, [pool(&a, 2), pool(&ab, 1), pool(&b, 2)]);
    let of_b: Vec<_> = handlespace.elements_of(&b).collect();
    let found = [2, 9].map(|number| handlespace.find(&b, id(number)).unwrap());
    assert_eq!(of_b, found);
    assert_eq!(handlespace.elements_of(&PoolHandle::from("c")).count(), 0);

    let after = |cursor: Option<(&PoolHandle, u32)>| -> Vec<_> {
        let cursor = cursor.map(|(handle, number)| (handle, id(number)));
        let elements = handlespace.elements_after(cursor);
        elements
            .map(|element| (element.pool_handle, element.id.0))
            .collect()
    };
    let all = [(&a, 1), (&a, 3), (&ab, 7), (&b, 2), (&b, 9)];
    assert_eq!(after(None), all);
    for (position, &cursor) in all.iter().enumerate() {
        assert_eq!(after(Some(cursor)), all[position + 1..]);
    }
    // A cursor whose pool element or pool is gone.
    assert_eq!(after(Some((&a, 2))), all[1..]);
    assert_eq!(after(Some((&PoolHandle::from("aa"), 5))), all[2..]);
    assert_eq!(after(Some((&PoolHandle::from("c"), 0))), []);
}
