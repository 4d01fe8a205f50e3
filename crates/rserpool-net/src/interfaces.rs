//! The network interfaces of this host, for multicast and for announced addresses.

use crate::error::{NetError, Operation};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// More interfaces than this are not looked at: a join and a datagram for each at every announce.
const INTERFACES_MAX: usize = 64;

/// An interface that is up and can do multicast, or is loopback.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) index: u32,
    pub(crate) is_loopback: bool,
    pub(crate) v4: Vec<Ipv4Addr>,
    pub(crate) v6: Vec<Ipv6Addr>,
}

impl Interface {
    pub(crate) fn has(&self, address: &IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.v4.contains(v4),
            IpAddr::V6(v6) => self.v6.contains(v6),
        }
    }

    fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let v4 = self.v4.iter().copied().map(IpAddr::from);
        v4.chain(self.v6.iter().copied().map(IpAddr::from))
    }
}

/// Every address of this host by which others can reach it: link-local ones need a zone, which an
/// ASAP message has no room for.
pub(crate) fn reachable_addresses() -> Vec<IpAddr> {
    let interfaces = interfaces().unwrap_or_default();
    interfaces
        .iter()
        .flat_map(Interface::addresses)
        .filter(|at| !is_link_local(at))
        .collect()
}

/// Of an association's addresses, those by which others can reach this host.
pub(crate) fn reachable(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let addresses: Vec<_> = addresses
        .iter()
        .copied()
        .filter(|at| !is_link_local(at))
        .collect();
    told_to_peers(&addresses)
}

/// What an SCTP endpoint tells its peers of its addresses, so that they have more than one way to
/// it (RFC 9260 §5.1.2): those that it is bound to, else those of this host that others can reach.
/// None where there is but one, which a peer sees by itself.
pub(crate) fn multihomed_addresses(bound: &[IpAddr]) -> Vec<IpAddr> {
    let addresses = match bound {
        [] => prefer(&reachable_addresses(), |at| !at.is_loopback()),
        bound => bound.to_vec(),
    };
    if addresses.len() > 1 {
        addresses
    } else {
        Vec::new()
    }
}

/// Every address of this host, those included by which only it can be reached.
pub(crate) fn own_addresses() -> BTreeSet<IpAddr> {
    let interfaces = interfaces().unwrap_or_default();
    interfaces.iter().flat_map(Interface::addresses).collect()
}

/// Of a registrar's addresses, those that are told to other registrars: on another host, a
/// loopback address would be somebody else's.
pub(crate) fn told_to_peers(addresses: &[IpAddr]) -> Vec<IpAddr> {
    prefer(addresses, |at| !at.is_loopback())
}

/// Of a peer's addresses, those by which it can be this one: an address that is also ours is no
/// way to a host that has another. Bridges of containers have the same address on every host, and
/// at it listens our own registrar, or our neighbour.
pub(crate) fn not_ours(addresses: &[IpAddr], own: &BTreeSet<IpAddr>) -> Vec<IpAddr> {
    prefer(addresses, |at| !at.is_loopback() && !own.contains(at))
}

/// Those that are good, or all if none is.
fn prefer(addresses: &[IpAddr], is_good: impl Fn(&IpAddr) -> bool) -> Vec<IpAddr> {
    let good: Vec<_> = addresses.iter().copied().filter(is_good).collect();
    if good.is_empty() {
        addresses.to_vec()
    } else {
        good
    }
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

#[cfg(unix)]
pub(crate) fn interfaces() -> Result<Vec<Interface>, NetError> {
    use nix::net::if_::{InterfaceFlags, if_nametoindex};
    let failed = |error: nix::Error| NetError::new(Operation::ListInterfaces, None, error.into());
    let mut found: Vec<Interface> = Vec::new();
    for entry in nix::ifaddrs::getifaddrs().map_err(failed)? {
        let suits = InterfaceFlags::IFF_MULTICAST | InterfaceFlags::IFF_LOOPBACK;
        if !entry.flags.contains(InterfaceFlags::IFF_UP) || !entry.flags.intersects(suits) {
            continue;
        }
        let Some(address) = entry.address else {
            continue;
        };
        let known = found
            .iter()
            .position(|interface| interface.name == entry.interface_name);
        let Some(at) = known.or_else(|| {
            let index = if_nametoindex(entry.interface_name.as_str()).ok()?;
            let is_loopback = entry.flags.contains(InterfaceFlags::IFF_LOOPBACK);
            let name = entry.interface_name.clone();
            found.push(Interface {
                name,
                index,
                is_loopback,
                ..Interface::default()
            });
            Some(found.len() - 1)
        }) else {
            continue;
        };
        if let Some(v4) = address.as_sockaddr_in() {
            found[at].v4.push(v4.ip());
        } else if let Some(v6) = address.as_sockaddr_in6() {
            found[at].v6.push(v6.ip());
        }
    }
    found.retain(|interface| interface.addresses().next().is_some());
    found.truncate(INTERFACES_MAX);
    Ok(found)
}

#[cfg(not(unix))]
pub(crate) fn interfaces() -> Result<Vec<Interface>, NetError> {
    // The loopback addresses are the same everywhere; others are for the operator to name.
    Ok(vec![Interface {
        name: "loopback".into(),
        index: 1,
        is_loopback: true,
        v4: vec![Ipv4Addr::LOCALHOST],
        v6: vec![Ipv6Addr::LOCALHOST],
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn loopback_is_told_to_peers_only_where_there_is_nothing_else() {
        let both = addresses(&["127.0.0.1", "10.0.0.1", "::1"]);
        assert_eq!(told_to_peers(&both), addresses(&["10.0.0.1"]));
        let loopback = addresses(&["127.0.0.1", "::1"]);
        assert_eq!(told_to_peers(&loopback), loopback);
    }

    #[test]
    fn the_address_of_every_host_s_bridge_is_no_way_to_another_host() {
        let own = addresses(&["10.0.0.1", "172.17.0.1"]).into_iter().collect();
        let elsewhere = addresses(&["172.17.0.1", "10.0.0.2", "127.0.0.1"]);
        assert_eq!(not_ours(&elsewhere, &own), addresses(&["10.0.0.2"]));
        let here = addresses(&["10.0.0.1", "172.17.0.1"]);
        assert_eq!(not_ours(&here, &own), here);
    }
}
