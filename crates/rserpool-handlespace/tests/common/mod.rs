//! What the tests of this crate share.

#![allow(dead_code, reason = "each test file uses a part of it")]

use core::net::{IpAddr, Ipv4Addr};
use rserpool_handlespace::{ElementKey, Handlespace, Limits, Policies, ResolveError};
use rserpool_wire::asap::Resolution;
use rserpool_wire::parameter::{
    EncapsulationPorts, EncodedPoolElement, Policy, PoolElement, SctpTransport, TransportUse,
    UserTransport,
};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId, RegistrationLife};

pub(crate) fn handlespace() -> Handlespace<()> {
    Handlespace::new(Limits::default(), Policies::standard(), 7)
}

pub(crate) fn handle() -> PoolHandle {
    PoolHandle::from("echo")
}

pub(crate) fn id(number: u32) -> PoolElementId {
    PoolElementId(number)
}

pub(crate) fn registrar(number: u32) -> RegistrarId {
    RegistrarId::new(number).expect("0 names no registrar")
}

pub(crate) fn sctp(transport_use: TransportUse) -> SctpTransport {
    SctpTransport {
        port: 7,
        transport_use,
        addresses: vec![address(1), address(2)],
    }
}

pub(crate) fn address(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
}

/// A pool element with two user and two ASAP addresses, owned by registrar 1.
pub(crate) fn element(number: u32, policy: Policy) -> PoolElement {
    PoolElement {
        id: id(number),
        home_registrar: Some(registrar(1)),
        registration_life: RegistrationLife::Seconds(300),
        user_transport: UserTransport::Sctp(sctp(TransportUse::DATA_ONLY)),
        policy,
        asap_transport: Some(sctp(TransportUse::DATA_ONLY)),
        encapsulation_ports: EncapsulationPorts::default(),
    }
}

/// One pool of one policy, whose pool elements are numbered from 1.
pub(crate) struct OnePool(pub(crate) Handlespace<()>);

impl OnePool {
    pub(crate) fn of(policies: impl IntoIterator<Item = Policy>) -> Self {
        let mut pool = Self(handlespace());
        for (number, policy) in (1..).zip(policies) {
            pool.register(number, policy);
        }
        pool
    }

    pub(crate) fn register(&mut self, number: u32, policy: Policy) -> ElementKey {
        self.0
            .register(&handle(), &element(number, policy), ())
            .expect("it fits into the pool")
            .key
    }

    pub(crate) fn deregister(&mut self, number: u32) {
        let key = self
            .0
            .find(&handle(), id(number))
            .expect("it is registered");
        self.0.deregister(key).expect("it is registered");
    }

    /// The numbers that a resolution lists.
    pub(crate) fn resolve(&mut self, items: usize) -> Vec<u32> {
        numbers(&self.0.resolve(&handle(), items))
    }

    /// So many resolutions.
    pub(crate) fn resolve_times(&mut self, times: usize, items: usize) -> Vec<Vec<u32>> {
        (0..times).map(|_| self.resolve(items)).collect()
    }

    /// So many resolutions of one item each.
    pub(crate) fn picks(&mut self, times: usize) -> Vec<u32> {
        self.resolve_times(times, 1).concat()
    }
}

pub(crate) fn numbers(resolved: &Result<Resolution, ResolveError>) -> Vec<u32> {
    let pool_elements = &resolved
        .as_ref()
        .expect("something to select")
        .pool_elements;
    pool_elements.iter().map(|element| element.id().0).collect()
}

/// A resolution as it arrives at a pool user.
pub(crate) fn resolution(policies: impl IntoIterator<Item = Policy>) -> Resolution {
    let elements: Vec<_> = (1..)
        .zip(policies)
        .map(|(number, policy)| element(number, policy))
        .collect();
    Resolution {
        policy: elements[0].policy.clone(),
        pool_elements: elements.iter().map(EncodedPoolElement::from).collect(),
    }
}

/// Pearson's statistic for counts against expected shares; shares add up to 1.
pub(crate) fn chi_square(counts: &[u64], shares: &[f64]) -> f64 {
    let total: u64 = counts.iter().sum();
    assert_eq!(counts.len(), shares.len());
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    let term = |(&count, share): (&u64, &f64)| {
        let expected = share * total as f64;
        (count as f64 - expected).powi(2) / expected
    };
    counts.iter().zip(shares).map(term).sum()
}

/// A 32-bit number for each number, different ones for different ones, in no order.
pub(crate) fn scramble(number: usize) -> u32 {
    let number = u32::try_from(number).expect("tests are far below 2^32");
    number.wrapping_mul(0x9e37_79b1) ^ 0x5bd1_e995
}
