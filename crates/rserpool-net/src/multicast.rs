//! Announces by UDP multicast (RFC 5352 §3.6, RFC 5353 §3.1, RFC 3237 §2.13.1): the one thing in
//! RSerPool that needs no configuration. Nothing here is fatal: whatever fails is an event, and
//! registrars that are named by address work without.

use crate::error::{NetError, Operation};
use crate::inbox::{Found, Inbox};
use crate::interfaces::{Interface, interfaces};
use rserpool_core::{Compatibility, ENRP_PORT};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Socket, Type};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use tokio::net::UdpSocket;

/// The group of ASAP announces over IPv4 (IANA: asap-multicast).
pub const ANNOUNCE_GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 1, 185);

/// The port of ASAP announces.
pub const ANNOUNCE_PORT: u16 = 3863;

/// The group by which registrars find each other over IPv4. RFC 5353 has none assigned; this is
/// rsplib's, and does not leave the site (RFC 2365).
pub const ENRP_GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 0, 0, 51);

/// The group of rsplib's ASAP announces over IPv4.
const RSPLIB_GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 0, 0, 50);

/// How many routers rsplib's announces may pass.
const RSPLIB_TTL: u8 = 30;

/// Over IPv6: a group identifier that nobody assigns (RFC 3307 §4.3), with ENRP's port in it.
const ENRP_GROUP_IDENTIFIER_V6: [u16; 2] = [0x8000, ENRP_PORT];

/// The bit of an IPv6 group that nobody has assigned (RFC 4291 §2.7).
const TRANSIENT_V6: u16 = 0x10;

/// The largest announce taken. One with a hundred addresses has less.
const ANNOUNCE_OCTETS_MAX: usize = 4096;

/// Interfaces whose failure is told, each once: it fails at every announce.
const WARNINGS_MAX: usize = 64;

/// Where announces are sent and heard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Multicast {
    /// The IPv4 group: 224.0.1.185.
    pub group_v4: Option<Ipv4Addr>,
    /// The IPv6 group; see [`Multicast::v6_group`].
    pub group_v6: Option<Ipv6Addr>,
    /// The UDP port: 3863.
    pub port: u16,
    /// How many routers an announce may pass, IPv4's TTL and IPv6's hop limit. 1: none.
    pub ttl: u8,
    /// Only the interfaces with these addresses; none: all that can do multicast, and loopback.
    pub interfaces: Vec<IpAddr>,
    /// The UDP port that announces are sent from; none: any. Announces without transports mean the
    /// SCTP port of this number to rsplib.
    pub source_port: Option<u16>,
}

/// Whose announces a group carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Channel {
    /// Registrars to their clients.
    Asap,
    /// Registrars to each other.
    Enrp,
}

/// How far an IPv6 announce may go (RFC 4291 §2.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// ff02: one link.
    LinkLocal,
    /// ff05: one site.
    SiteLocal,
    /// ff08: one organisation.
    OrganizationLocal,
}

impl Default for Multicast {
    /// Both families, site-local, all interfaces, through no router.
    fn default() -> Self {
        Self {
            group_v4: Some(ANNOUNCE_GROUP_V4),
            group_v6: Some(Self::v6_group(Scope::SiteLocal)),
            port: ANNOUNCE_PORT,
            ttl: 1,
            interfaces: Vec::new(),
            source_port: None,
        }
    }
}

impl Multicast {
    /// No multicast: registrars are known by address alone.
    pub fn off() -> Self {
        Self {
            group_v4: None,
            group_v6: None,
            ..Self::default()
        }
    }

    /// Only within this host.
    pub fn loopback() -> Self {
        let interfaces = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        Self {
            interfaces,
            ..Self::default()
        }
    }

    /// The channel by which registrars find each other, beside this one of their clients: the same
    /// interfaces, families and reach, but the groups 239.0.0.51 and ff1X::8000:26ad, port 9901.
    pub fn enrp(&self) -> Self {
        let group_v6 = self.group_v6.map(|group| {
            let [a, b] = ENRP_GROUP_IDENTIFIER_V6;
            Ipv6Addr::new(group.segments()[0] | TRANSIENT_V6, 0, 0, 0, 0, 0, a, b)
        });
        Self {
            group_v4: self.group_v4.map(|_| ENRP_GROUP_V4),
            group_v6,
            port: ENRP_PORT,
            source_port: None,
            ..self.clone()
        }
    }

    /// The same where a scope is compatible with rsplib: its group in the place of the registered
    /// one, and its reach, through 30 routers at least.
    #[must_use]
    pub fn compatible(mut self, compatibility: Compatibility) -> Self {
        if compatibility.is_rsplib() {
            if self.group_v4 == Some(ANNOUNCE_GROUP_V4) {
                self.group_v4 = Some(RSPLIB_GROUP_V4);
            }
            self.ttl = self.ttl.max(RSPLIB_TTL);
        }
        self
    }

    /// ff0X::133, the IPv6 group of ASAP announces in this scope.
    pub fn v6_group(scope: Scope) -> Ipv6Addr {
        let scope = match scope {
            Scope::LinkLocal => 0xff02,
            Scope::SiteLocal => 0xff05,
            Scope::OrganizationLocal => 0xff08,
        };
        Ipv6Addr::new(scope, 0, 0, 0, 0, 0, 0, 0x133)
    }

    /// Whether there is a group at all.
    pub fn is_on(&self) -> bool {
        self.group_v4.is_some() || self.group_v6.is_some()
    }

    fn suits(&self, interface: &Interface) -> bool {
        self.interfaces.is_empty() || self.interfaces.iter().any(|at| interface.has(at))
    }

    fn suitable(&self) -> Result<Vec<Interface>, NetError> {
        Ok(interfaces()?
            .into_iter()
            .filter(|interface| self.suits(interface))
            .collect())
    }
}

/// Hears the groups: each datagram goes to the inbox.
pub(crate) struct Listener {
    config: Multicast,
    v4: Option<Rc<UdpSocket>>,
    v6: Option<Rc<UdpSocket>>,
    told: Told,
}

impl Listener {
    pub(crate) fn start(
        config: Multicast,
        channel: Channel,
        inbox: &Rc<Inbox>,
    ) -> (Self, Vec<NetError>) {
        let mut warnings = Vec::new();
        let mut open = |group: Option<IpAddr>| {
            let at = SocketAddr::new(group?, config.port);
            match listening_socket(at) {
                Ok(socket) => Some(listen(socket, channel, inbox)),
                Err(error) => {
                    warnings.push(NetError::new(Operation::JoinMulticast, at, error));
                    None
                }
            }
        };
        let v4 = open(config.group_v4.map(IpAddr::from));
        let v6 = open(config.group_v6.map(IpAddr::from));
        let mut listener = Self {
            config,
            v4,
            v6,
            told: Told::default(),
        };
        warnings.extend(listener.join());
        (listener, warnings)
    }

    /// Joins at every suitable interface: also at those that came up since the last time.
    pub(crate) fn join(&mut self) -> Vec<NetError> {
        let interfaces = match self.config.suitable() {
            Ok(interfaces) => interfaces,
            Err(error) => return self.told.news(vec![error]),
        };
        let mut failed = Vec::new();
        for interface in interfaces {
            if let (Some(socket), Some(group)) = (&self.v4, self.config.group_v4)
                && let Some(&at) = interface.v4.first()
            {
                let by = InterfaceIndexOrAddress::Index(interface.index);
                let joined = socket2::SockRef::from(&**socket).join_multicast_v4_n(&group, &by);
                failed.extend(join_error(joined, at.into()));
            }
            if let (Some(socket), Some(group)) = (&self.v6, self.config.group_v6)
                && let Some(&at) = interface.v6.first()
            {
                failed.extend(join_error(
                    socket.join_multicast_v6(&group, interface.index),
                    at.into(),
                ));
            }
        }
        self.told.news(failed)
    }
}

/// What has been told, so that it is told once.
#[derive(Default)]
struct Told(BTreeSet<Option<IpAddr>>);

impl Told {
    fn news(&mut self, mut errors: Vec<NetError>) -> Vec<NetError> {
        errors.retain(|error| {
            self.0.len() < WARNINGS_MAX && self.0.insert(error.address.map(|at| at.ip()))
        });
        errors
    }
}

fn join_error(joined: io::Result<()>, at: IpAddr) -> Option<NetError> {
    let error = joined.err()?;
    // Joined before.
    if error.kind() == io::ErrorKind::AddrInUse {
        return None;
    }
    Some(NetError::new(
        Operation::JoinMulticast,
        SocketAddr::new(at, 0),
        error,
    ))
}

fn listening_socket(group: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(group), Type::DGRAM, Some(Protocol::UDP))?;
    // Several processes of one host hear the same group.
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    let any: IpAddr = match group {
        // Bound to the group itself, no unicast datagram of a stranger arrives.
        SocketAddr::V4(_) if cfg!(unix) => group.ip(),
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            Ipv6Addr::UNSPECIFIED.into()
        }
    };
    socket.bind(&SocketAddr::new(any, group.port()).into())?;
    UdpSocket::from_std(socket.into())
}

fn listen(socket: UdpSocket, channel: Channel, inbox: &Rc<Inbox>) -> Rc<UdpSocket> {
    let socket = Rc::new(socket);
    let (hears, inbox) = (Rc::clone(&socket), Rc::clone(inbox));
    tokio::task::spawn_local(async move {
        let mut buffer = [0; ANNOUNCE_OCTETS_MAX];
        loop {
            // Errors of a UDP socket are about single datagrams.
            if let Ok((len, from)) = hears.recv_from(&mut buffer).await {
                inbox
                    .put(Found::Multicast {
                        channel,
                        from,
                        octets: buffer[..len].to_vec(),
                    })
                    .await;
            }
            // A flood of datagrams must not keep the thread.
            tokio::task::yield_now().await;
        }
    });
    socket
}

/// Sends to the groups, once by each interface.
pub(crate) struct Sender {
    config: Multicast,
    v4: Option<Socket>,
    v6: Option<Socket>,
    interfaces: Vec<Interface>,
    told: Told,
}

impl Sender {
    pub(crate) fn start(config: Multicast) -> (Self, Vec<NetError>) {
        let mut warnings = Vec::new();
        let mut open = |group: Option<IpAddr>| {
            let at = SocketAddr::new(group?, config.port);
            let socket = match sending_socket(at, config.ttl, config.source_port) {
                // Better from another port than not at all.
                Err(error) if config.source_port.is_some() => {
                    warnings.push(NetError::new(Operation::SendMulticast, at, error));
                    sending_socket(at, config.ttl, None)
                }
                opened => opened,
            };
            socket
                .map_err(|error| warnings.push(NetError::new(Operation::SendMulticast, at, error)))
                .ok()
        };
        let v4 = open(config.group_v4.map(IpAddr::from));
        let v6 = open(config.group_v6.map(IpAddr::from));
        let mut sender = Self {
            config,
            v4,
            v6,
            interfaces: Vec::new(),
            told: Told::default(),
        };
        warnings.extend(sender.refresh());
        (sender, warnings)
    }

    /// Looks again which interfaces there are: loopback only if there is no other.
    pub(crate) fn refresh(&mut self) -> Option<NetError> {
        match self.config.suitable() {
            Ok(mut interfaces) => {
                // The kernel loops announces back on every interface. Who heard of a registrar by
                // 127.0.0.1 would register an address that other hosts cannot reach.
                if interfaces.iter().any(|interface| !interface.is_loopback) {
                    interfaces.retain(|interface| !interface.is_loopback);
                }
                self.interfaces = interfaces;
                None
            }
            Err(error) => Some(error),
        }
    }

    /// Sends what `octets` makes for each interface; the first failures are returned.
    pub(crate) fn send(&mut self, mut octets: impl FnMut(&Interface) -> Vec<u8>) -> Vec<NetError> {
        let mut failed = Vec::new();
        for interface in &self.interfaces {
            let octets = octets(interface);
            if let (Some(socket), Some(group), Some(at)) =
                (&self.v4, self.config.group_v4, interface.v4.first())
            {
                let to = SockAddr::from(SocketAddr::from((group, self.config.port)));
                let chosen = socket.set_multicast_if_v4(at);
                failed.extend(send_error(
                    chosen.and_then(|()| socket.send_to(&octets, &to)),
                    *at,
                ));
            }
            // Loopback usually has no route for IPv6's groups, and IPv4's reach all of this host.
            let is_reached = interface.is_loopback && self.v4.is_some();
            if let (Some(socket), Some(group), Some(at)) =
                (&self.v6, self.config.group_v6, interface.v6.first())
                && !is_reached
            {
                let to = SockAddr::from(SocketAddr::from((group, self.config.port)));
                let chosen = socket.set_multicast_if_v6(interface.index);
                failed.extend(send_error(
                    chosen.and_then(|()| socket.send_to(&octets, &to)),
                    *at,
                ));
            }
        }
        self.told.news(failed)
    }
}

fn send_error(sent: io::Result<usize>, from: impl Into<IpAddr>) -> Option<NetError> {
    let error = sent.err()?;
    Some(NetError::new(
        Operation::SendMulticast,
        SocketAddr::new(from.into(), 0),
        error,
    ))
}

fn sending_socket(group: SocketAddr, ttl: u8, from: Option<u16>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(group), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if group.is_ipv4() {
        socket.set_multicast_loop_v4(true)?;
        socket.set_multicast_ttl_v4(ttl.into())?;
    } else {
        socket.set_only_v6(true)?;
        socket.set_multicast_loop_v6(true)?;
        socket.set_multicast_hops_v6(ttl.into())?;
    }
    if let Some(port) = from {
        send_from(&socket, group, port)?;
    }
    Ok(socket)
}

/// Binds a socket that only sends to a port at which others may listen.
fn send_from(socket: &Socket, group: SocketAddr, port: u16) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuse_port(true)?;
    // What the listeners of this host have joined is not for this one, which never reads.
    #[cfg(target_os = "linux")]
    if group.is_ipv4() {
        socket.set_multicast_all_v4(false)?;
    } else {
        socket.set_multicast_all_v6(false)?;
    }
    let any: IpAddr = match group {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    socket.bind(&SocketAddr::new(any, port).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_channel_of_registrars_has_its_own_groups_and_the_same_reach() {
        let asap = Multicast {
            ttl: 4,
            group_v6: Some(Multicast::v6_group(Scope::LinkLocal)),
            ..Multicast::loopback()
        };
        let enrp = asap.enrp();
        assert_eq!(enrp.group_v4, Some(ENRP_GROUP_V4));
        assert_eq!(enrp.group_v6, Some("ff12::8000:26ad".parse().unwrap()));
        assert_eq!((enrp.port, enrp.ttl), (9901, 4));
        assert_eq!(enrp.interfaces, asap.interfaces);
        assert!(!Multicast::off().enrp().is_on());
    }

    #[test]
    fn compatible_with_rsplib_means_its_group_and_its_reach() {
        let unchanged = Multicast::default().compatible(Compatibility::Rfc);
        assert_eq!(unchanged, Multicast::default());
        let rsplibs = Multicast::default().compatible(Compatibility::Rsplib);
        assert_eq!(rsplibs.group_v4, Some("239.0.0.50".parse().unwrap()));
        assert_eq!((rsplibs.port, rsplibs.ttl), (3863, 30));
        let enrp = Multicast::default()
            .enrp()
            .compatible(Compatibility::Rsplib);
        assert_eq!(enrp.group_v4, Some("239.0.0.51".parse().unwrap()));
        assert!(!Multicast::off().compatible(Compatibility::Rsplib).is_on());
        // A group that the administrator chose stays.
        let chosen = Multicast {
            group_v4: Some("239.1.2.3".parse().unwrap()),
            ..Multicast::default()
        };
        let group = chosen.clone().compatible(Compatibility::Rsplib).group_v4;
        assert_eq!(group, chosen.group_v4);
    }

    #[test]
    fn announces_can_be_sent_from_the_sctp_ports_number_beside_a_listener() {
        let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let number = port.local_addr().unwrap().port();
        drop(port);
        let group = SocketAddr::new(RSPLIB_GROUP_V4.into(), number);
        for from in [Some(number), Some(number)] {
            let socket = sending_socket(group, 1, from).unwrap();
            let local = socket.local_addr().unwrap().as_socket().unwrap();
            assert_eq!(local.port(), number);
            std::mem::forget(socket);
        }
    }
}
