//! A pool policy of one's own: the pool element that joined last is preferred, as when a new
//! release is rolled out and the old one stays as a backup. Everything is on this host.
//!
//! The registrar of the pool must know the policy; pool elements only name its type, and pool
//! users need to know nothing. `cargo run --example own_policy`

use rand_core::Rng;
use rserpool::{
    MemberSelection, Multicast, Policies, Policy, PolicyType, PoolElement, PoolUser, Registrar,
    RegistrarAddress,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// Types from 0x80000000 are for private use (RFC 5356 §7.1).
const YOUNGEST_FIRST: PolicyType = PolicyType(0x8000_0001);

/// Slots by the order in which they joined.
#[derive(Default)]
struct YoungestFirst {
    joined: u64,
    by_age: BTreeMap<u64, u32>,
}

impl MemberSelection for YoungestFirst {
    fn insert(&mut self, slot: u32, _policy: &Policy) {
        self.joined += 1;
        self.by_age.insert(self.joined, slot);
    }

    fn update(&mut self, _slot: u32, _policy: &Policy) {}

    fn remove(&mut self, slot: u32) {
        self.by_age.retain(|_, other| *other != slot);
    }

    fn select(&mut self, items: usize, random: &mut dyn Rng, selected: &mut Vec<u32>) {
        self.peek(items, random, selected);
    }

    fn peek(&self, items: usize, _random: &mut dyn Rng, selected: &mut Vec<u32>) {
        selected.extend(self.by_age.values().rev().take(items));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let here = [IpAddr::from(Ipv4Addr::LOCALHOST)];
    let policies = Policies::standard().with(YOUNGEST_FIRST, || {
        Box::new(YoungestFirst::default()) as Box<dyn MemberSelection>
    });
    let registrar = Registrar::builder()
        .addresses(here)
        .multicast(Multicast::off());
    let registrar = registrar
        .udp_port(0)
        .tcp_port(0)
        .policies(policies)
        .start()
        .await?;
    let udp_port = registrar.endpoints().udp_port;
    let at: RegistrarAddress = format!("127.0.0.1:3863/udp={udp_port}").parse()?;

    let policy = Policy::Other {
        policy_type: YOUNGEST_FIRST,
        data: [].into(),
    };
    let mut elements = Vec::new();
    for _ in 0..3 {
        let element = PoolElement::builder("release")
            .policy(policy.clone())
            .addresses(here);
        let element = element.registrars([at.clone()]).multicast(Multicast::off());
        let element = element.register().await?;
        println!("pool element {} joined", element.id());
        elements.push(element);
    }
    let user = PoolUser::builder()
        .registrars([at])
        .multicast(Multicast::off())
        .start()
        .await?;
    let resolution = user.resolve("release").await?;
    let order: Vec<_> = resolution
        .pool_elements
        .iter()
        .map(|one| one.decode().id)
        .collect();
    println!("they are to be tried in the order {order:?}");
    assert!(
        order
            .into_iter()
            .eq(elements.iter().rev().map(PoolElement::id))
    );
    Ok(())
}
