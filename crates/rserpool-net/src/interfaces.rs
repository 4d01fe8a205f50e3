//! The network interfaces of this host, for multicast and for announced addresses.

use crate::error::{NetError, Operation};
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
