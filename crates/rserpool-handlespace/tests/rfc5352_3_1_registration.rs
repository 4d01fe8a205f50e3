//! Registration (RFC 5352 §3.1), what the handlespace does of it.

mod common;

use common::{OnePool, element, handle, handlespace, id, registrar, sctp};
use rserpool_handlespace::{Change, Handlespace, Limits, Policies, RegisterError, Registered};
use rserpool_wire::parameter::{
    DatagramTransport, Policy, PoolElement, TcpTransport, TransportUse, UserTransport,
};
use rserpool_wire::{PoolHandle, RegistrationLife};

const LEAST_USED: Policy = Policy::LeastUsed { load: 5 };

fn tcp() -> UserTransport {
    UserTransport::Tcp(TcpTransport {
        port: 7,
        address: common::address(1),
    })
}

fn with_transport(number: u32, user_transport: UserTransport) -> PoolElement {
    PoolElement {
        user_transport,
        ..element(number, Policy::RoundRobin)
    }
}

#[test]
fn rule_1_the_first_pool_element_creates_the_pool_with_its_policy() {
    let mut handlespace = handlespace();
    let registered = handlespace
        .register(&handle(), &element(1, LEAST_USED), ())
        .unwrap();
    assert_eq!(registered.change, Change::PoolCreated);
    assert_eq!(handlespace.pool_policy(&handle()), Some(&LEAST_USED));
    assert_eq!((handlespace.pool_count(), handlespace.len()), (1, 1));
    assert_eq!(handlespace.find(&handle(), id(1)), Some(registered.key));
}

#[test]
fn rule_2_a_new_member_is_added_and_the_overall_policy_stays() {
    let mut pool = OnePool::of([LEAST_USED]);
    let other = Policy::LeastUsed { load: 9 };
    let Registered { key, change } = pool.0.register(&handle(), &element(2, other), ()).unwrap();
    assert_eq!(change, Change::Added);
    assert_eq!(pool.0.pool_policy(&handle()), Some(&LEAST_USED));
    assert_eq!(pool.0.find(&handle(), id(2)), Some(key));
    assert_eq!(pool.0.pool_len(&handle()), 2);
}

#[test]
fn rule_2_another_policy_is_rejected() {
    let mut pool = OnePool::of([LEAST_USED]);
    let rejected = pool.0.register(&handle(), &element(2, Policy::Random), ());
    assert_eq!(
        rejected,
        Err(RegisterError::InconsistentPolicy { pool: LEAST_USED })
    );
    assert_eq!(
        (pool.0.pool_len(&handle()), pool.0.find(&handle(), id(2))),
        (1, None)
    );
}

#[test]
fn rule_2_another_transport_type_is_rejected_with_a_transport_of_the_pool() {
    let mut pool = OnePool::of([Policy::RoundRobin]);
    let rejected = pool.0.register(&handle(), &with_transport(2, tcp()), ());
    let of_pool = UserTransport::Sctp(sctp(TransportUse::DATA_ONLY));
    assert_eq!(
        rejected,
        Err(RegisterError::InconsistentTransportType { pool: of_pool })
    );
}

#[test]
fn rule_2_udp_and_udp_lite_are_different_transport_types() {
    let transport = DatagramTransport {
        port: 7,
        address: common::address(1),
    };
    let udp = UserTransport::Udp(transport.clone());
    let mut handlespace = handlespace();
    handlespace
        .register(&handle(), &with_transport(1, udp.clone()), ())
        .unwrap();
    let udp_lite = UserTransport::UdpLite(transport);
    let rejected = handlespace.register(&handle(), &with_transport(2, udp_lite), ());
    assert_eq!(
        rejected,
        Err(RegisterError::InconsistentTransportType { pool: udp })
    );
}

#[test]
fn rule_2_another_transport_use_is_rejected() {
    let mut pool = OnePool::of([Policy::RoundRobin]);
    let with_control = UserTransport::Sctp(sctp(TransportUse::DATA_PLUS_CONTROL));
    let rejected = pool
        .0
        .register(&handle(), &with_transport(2, with_control), ());
    assert_eq!(rejected, Err(RegisterError::InconsistentTransportUse));
}

#[test]
fn rule_2_the_tests_are_made_in_the_order_policy_type_use() {
    let mut pool = OnePool::of([LEAST_USED]);
    let all_wrong = pool.0.register(&handle(), &with_transport(2, tcp()), ());
    assert_eq!(
        all_wrong,
        Err(RegisterError::InconsistentPolicy { pool: LEAST_USED })
    );
}

#[test]
fn rule_3_a_reregistration_replaces_the_attributes_under_the_same_key() {
    let mut pool = OnePool::of([LEAST_USED]);
    let key = pool.0.find(&handle(), id(1)).unwrap();
    let renewed = PoolElement {
        registration_life: RegistrationLife::Seconds(60),
        ..element(1, Policy::LeastUsed { load: 6 })
    };
    let registered = pool.0.register(&handle(), &renewed, ()).unwrap();
    let previous_home = Some(registrar(1));
    let change = Change::Updated { previous_home };
    assert_eq!(registered, Registered { key, change });
    let stored = pool.0.element(key).unwrap();
    assert_eq!(stored.encoded.decode(), renewed);
    assert_eq!(stored.registration_life, RegistrationLife::Seconds(60));
    // The overall policy is still that of the creation.
    assert_eq!(pool.0.pool_policy(&handle()), Some(&LEAST_USED));
}

#[test]
fn rule_3_a_reregistration_with_the_same_attributes_changes_nothing() {
    let mut pool = OnePool::of([LEAST_USED]);
    let registered = pool
        .0
        .register(&handle(), &element(1, LEAST_USED), ())
        .unwrap();
    assert_eq!(registered.change, Change::Unchanged);
}

#[test]
fn rule_3_the_only_member_cannot_change_the_policy_either() {
    let mut pool = OnePool::of([LEAST_USED]);
    let rejected = pool
        .0
        .register(&handle(), &element(1, Policy::RoundRobin), ());
    assert_eq!(
        rejected,
        Err(RegisterError::InconsistentPolicy { pool: LEAST_USED })
    );
    assert_eq!(pool.resolve(9), [1]);
}

#[test]
fn rule_4_ownership_moves_and_the_previous_owner_is_told() {
    let mut pool = OnePool::of([LEAST_USED]);
    let moved = PoolElement {
        home_registrar: Some(registrar(2)),
        ..element(1, LEAST_USED)
    };
    let registered = pool.0.register(&handle(), &moved, ()).unwrap();
    let previous_home = Some(registrar(1));
    assert_eq!(registered.change, Change::Updated { previous_home });
    assert_eq!(
        pool.0.element(registered.key).unwrap().home,
        Some(registrar(2))
    );
    assert_eq!(
        (pool.0.owned(registrar(1)), pool.0.owned(registrar(2))),
        (0, 1)
    );
}

#[test]
fn rule_5_lack_of_resources_has_a_reason_and_changes_nothing() {
    let limits = Limits {
        pools_max: 2,
        elements_max: 4,
        elements_per_pool_max: 2,
        pool_handle_octets_max: 5,
        element_octets_max: 100,
    };
    let mut handlespace = Handlespace::new(limits, Policies::standard(), 7);
    let mut register = |handle: &str, number| {
        let element = element(number, Policy::RoundRobin);
        let registered = handlespace.register(&PoolHandle::from(handle), &element, ());
        registered.map(|registered| registered.change)
    };
    assert_eq!(
        register("toolong", 1),
        Err(RegisterError::PoolHandleTooLong)
    );
    assert_eq!(register("a", 1), Ok(Change::PoolCreated));
    assert_eq!(register("a", 2), Ok(Change::Added));
    assert_eq!(register("a", 3), Err(RegisterError::TooManyElementsInPool));
    assert_eq!(register("b", 1), Ok(Change::PoolCreated));
    assert_eq!(register("c", 1), Err(RegisterError::TooManyPools));
    assert_eq!(register("b", 2), Ok(Change::Added));
    assert_eq!(register("b", 3), Err(RegisterError::TooManyElements));
    // Who is in may always renew.
    assert_eq!(register("b", 2), Ok(Change::Unchanged));
    let long = UserTransport::Opaque(vec![0; 100]);
    let rejected = handlespace.register(&PoolHandle::from("a"), &with_transport(1, long), ());
    assert_eq!(rejected, Err(RegisterError::ElementTooLong));
    assert_eq!((handlespace.pool_count(), handlespace.len()), (2, 4));
    handlespace.check_invariants();
}

#[test]
fn the_data_of_the_last_registration_is_kept() {
    let mut handlespace = Handlespace::new(Limits::default(), Policies::standard(), 7);
    let key = handlespace
        .register(&handle(), &element(1, LEAST_USED), "first")
        .unwrap()
        .key;
    handlespace
        .register(&handle(), &element(1, LEAST_USED), "second")
        .unwrap();
    assert_eq!(handlespace.element(key).unwrap().data, &"second");
    *handlespace.data_mut(key).unwrap() = "third";
    assert_eq!(handlespace.deregister(key).unwrap().data, "third");
}
