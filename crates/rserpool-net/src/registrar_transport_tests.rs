//! What registrars need of the network among themselves and toward the pool elements that they
//! take over, on real sockets: who connects, who restarts, who does not read.

use crate::data::DataConnections;
use crate::driver::Shared;
use crate::event::NetworkEvent;
use crate::multicast::Multicast;
use crate::network::{Arrival, ENRP_PPID, Network, NetworkConfig, PeerAddresses};
use crate::pool_element::{PoolElementConfig, PoolElementNode};
use crate::udp::{Arrival as Datagram, Port, UdpSockets};
use rserpool_core::{
    ASAP_PORT, AssociationId, ENRP_PORT, PeerAddress, RegistrarAddress, Transport,
};
use rserpool_sctp::{Endpoint, Event, Outgoing, SendError, Timestamp};
use rserpool_wire::parameter::Policy;
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId, asap, enrp};
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

const PATIENCE: Duration = Duration::from_secs(10);

/// Long after it takes on a busy machine, well before SCTP's timers notice anything.
const AT_ONCE: Duration = Duration::from_millis(80);

/// A registrar's network on loopback, and what it brought.
struct Host {
    network: Network,
    /// Who came up, and whether the other end began it.
    up: Vec<(AssociationId, PeerAddress, bool)>,
    down: Vec<AssociationId>,
    received: Vec<(AssociationId, u32, Vec<u8>)>,
    /// Those that are confirmed, and those that are not.
    peer_addresses: Vec<PeerAddresses>,
}

impl Host {
    fn start(udp_port: Port) -> Self {
        Self::with_send_queue(udp_port, 1 << 20)
    }

    fn with_send_queue(udp_port: Port, send_queue_octets_max: usize) -> Self {
        Self::at(loopback(), udp_port, send_queue_octets_max)
    }

    fn at(addresses: Vec<IpAddr>, udp_port: Port, send_queue_octets_max: usize) -> Self {
        let sctp = rserpool_sctp::Config {
            listen: true,
            ..rserpool_sctp::Config::new(ASAP_PORT)
        };
        let enrp = rserpool_sctp::Config {
            sctp_port: ENRP_PORT,
            send_queue_octets_max,
            ..sctp.clone()
        };
        let network = Network::start(NetworkConfig {
            addresses,
            mode: crate::SctpMode::Udp,
            udp_port,
            sctp,
            enrp: Some(enrp),
            lifelines: false,
            tcp_port: None,
            await_users: None,
            hear: None,
            announce: None,
            enrp_multicast: None,
        });
        Self {
            network: network.unwrap(),
            up: Vec::new(),
            down: Vec::new(),
            received: Vec::new(),
            peer_addresses: Vec::new(),
        }
    }

    fn as_peer(&self) -> RegistrarAddress {
        RegistrarAddress {
            transport: Transport::Sctp,
            addresses: loopback(),
            port: ENRP_PORT,
            udp_port: Some(self.network.udp_port()),
        }
    }

    async fn turn(&mut self) {
        look(&mut self.network).await;
        self.network.receive();
        while let Some(arrival) = self.network.poll_arrival() {
            match arrival {
                Arrival::Up {
                    association,
                    peer,
                    accepted,
                    ..
                } => self.up.push((association, peer, accepted)),
                Arrival::Down { association, .. } => self.down.push(association),
                Arrival::Received {
                    association,
                    ppid,
                    octets,
                    ..
                } => self.received.push((association, ppid, octets)),
                Arrival::PeerAddresses { addresses, .. } => self.peer_addresses.push(addresses),
                Arrival::Finished { .. }
                | Arrival::SendFailed { .. }
                | Arrival::Multicast { .. } => {}
            }
        }
        self.network.flush();
    }

    fn send(&mut self, to: AssociationId, text: &str) -> Result<(), SendError> {
        self.network.send(to, outgoing(text.as_bytes().to_vec()))
    }

    /// The one association that it has.
    #[track_caller]
    fn only(&self) -> AssociationId {
        let ended =
            |association: &&(AssociationId, PeerAddress, bool)| !self.down.contains(&association.0);
        let left: Vec<_> = self.up.iter().filter(ended).collect();
        assert_eq!(left.len(), 1, "{:?} up, {:?} down", self.up, self.down);
        left[0].0
    }
}

fn loopback() -> Vec<IpAddr> {
    vec![Ipv4Addr::LOCALHOST.into()]
}

fn outgoing(data: Vec<u8>) -> Outgoing {
    Outgoing {
        stream: 0,
        ppid: ENRP_PPID,
        unordered: false,
        data,
    }
}

/// Looks once whether the sockets have something.
async fn look(network: &mut Network) {
    tokio::task::yield_now().await;
    let mut ready = std::pin::pin!(network.ready(None));
    poll_fn(|context| Poll::Ready(ready.as_mut().poll(context).is_ready())).await;
}

/// As on a node's own thread.
fn run(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

/// Lets the hosts run until it is so; how long it took.
#[track_caller]
fn until<const N: usize>(
    hosts: [&mut Host; N],
    mut is_so: impl FnMut(&[&mut Host; N]) -> bool,
) -> impl Future<Output = Duration> {
    let caller = std::panic::Location::caller();
    async move {
        let start = Instant::now();
        let mut hosts = hosts;
        loop {
            for host in &mut hosts {
                host.turn().await;
            }
            if is_so(&hosts) {
                return start.elapsed();
            }
            assert!(start.elapsed() < PATIENCE, "it takes too long, at {caller}");
        }
    }
}

/// Each end hears the other over the one association that it has.
async fn both_hear_each_other(a: &mut Host, b: &mut Host) -> Duration {
    let (to_b, to_a) = (a.only(), b.only());
    a.send(to_b, "from a").unwrap();
    b.send(to_a, "from b").unwrap();
    until([a, b], |[a, b]| {
        let heard = |host: &Host, association, text: &str| {
            let last = host.received.last();
            last == Some(&(association, ENRP_PPID, text.as_bytes().to_vec()))
        };
        heard(a, to_b, "from b") && heard(b, to_a, "from a")
    })
    .await
}

async fn pair() -> (Host, Host) {
    let (mut a, mut b) = (Host::start(Port::Any), Host::start(Port::Any));
    a.network.connect_peer(&b.as_peer());
    until([&mut a, &mut b], |[a, b]| a.up.len() + b.up.len() == 2).await;
    (a, b)
}

#[test]
fn rfc_9260_5_4_what_a_peer_lists_is_not_its_address_before_it_has_answered_there() {
    run(async {
        let mut one = Host::start(Port::Any);
        let both = [[127, 0, 0, 1], [127, 0, 0, 2]].map(IpAddr::from).to_vec();
        let mut two = Host::at(both.clone(), Port::Any, 1 << 20);
        two.network.connect_peer(&one.as_peer());
        until([&mut one, &mut two], |[one, _]| {
            one.peer_addresses.len() == 2
        })
        .await;
        let (_, at_first, _) = &one.up[0];
        let [listed, answered] = &one.peer_addresses[..] else {
            unreachable!("there are two");
        };
        assert_eq!(at_first.addresses.len(), 1);
        assert_eq!(listed.confirmed, at_first.addresses);
        assert_eq!(listed.unconfirmed.len(), 1);
        let mut confirmed = answered.confirmed.clone();
        confirmed.sort();
        assert_eq!(confirmed, both);
        assert!(answered.unconfirmed.is_empty());
    });
}

#[test]
fn raw_ip_that_the_system_refuses_is_told_with_what_to_do() {
    run(async {
        // Whoever may have it, only one of them holds the SCTP ports.
        let mut hosts = [(); 2].map(|()| Host::start(Port::Any));
        let told = hosts.iter_mut().any(|host| {
            std::iter::from_fn(|| host.network.poll_event()).any(|event| {
                let text = event.to_string();
                matches!(event, NetworkEvent::NoRawIp { is_wanted, .. } if is_wanted)
                    && text.starts_with("cannot open raw IP sockets for SCTP: ")
            })
        });
        assert!(told);
    });
}

#[test]
fn peers_are_connected_from_the_port_of_enrp_and_pool_elements_from_that_of_asap() {
    run(async {
        let (mut a, mut b) = pair().await;
        let (_, peer, accepted) = b.up[0].clone();
        assert!(accepted);
        assert_eq!(
            (peer.port, peer.udp_port),
            (ENRP_PORT, a.as_peer().udp_port)
        );
        both_hear_each_other(&mut a, &mut b).await;

        let element = PeerAddress {
            transport: Transport::Sctp,
            addresses: loopback(),
            port: ASAP_PORT,
            udp_port: Some(b.network.udp_port()),
        };
        let asked = a.network.connect_pool_element(&element);
        until([&mut a, &mut b], |[a, b]| a.up.len() + b.up.len() == 4).await;
        assert_eq!(a.up[1], (asked, element, false));
        assert_eq!(b.up[1].1.port, ASAP_PORT);
        let ids = [&a.up[0].0, &a.up[1].0];
        assert_ne!(ids[0], ids[1]);
    });
}

#[test]
fn who_is_connected_already_is_not_connected_again() {
    run(async {
        let (mut a, mut b) = pair().await;
        for host in [&mut a, &mut b] {
            let other = host.up[0].1.clone();
            let other = RegistrarAddress {
                transport: other.transport,
                addresses: other.addresses,
                port: other.port,
                udp_port: other.udp_port,
            };
            let refused = host.network.connect_peer(&other);
            host.turn().await;
            assert_eq!(host.down, [refused]);
            assert_eq!(host.network.associations(), 1);
        }
        both_hear_each_other(&mut a, &mut b).await;
    });
}

/// A machine that is told that it cannot connect knows already to whom it is connected.
#[test]
fn what_came_up_is_told_before_what_is_refused_because_of_it() {
    run(async {
        let (mut a, mut b) = (Host::start(Port::Any), Host::start(Port::Any));
        a.network.connect_peer(&b.as_peer());
        let start = Instant::now();
        let refused = loop {
            a.turn().await;
            look(&mut b.network).await;
            b.network.receive();
            b.network.flush();
            // It has taken the association, and nobody has been told.
            if b.network.associations() == 1 {
                break b.network.connect_peer(&a.as_peer());
            }
            assert!(start.elapsed() < PATIENCE);
        };
        let first = b.network.poll_arrival();
        assert!(matches!(first, Some(Arrival::Up { accepted: true, .. })));
        let second = b.network.poll_arrival();
        assert!(
            matches!(second, Some(Arrival::Down { association, .. }) if association == refused)
        );
    });
}

/// RFC 9260 §5.2.1.
#[test]
fn two_that_connect_to_each_other_at_once_have_one_association() {
    run(async {
        for delay in [0, 0, 0, 50, 100, 200, 300, 500, 800, 1500].repeat(3) {
            let (mut a, mut b) = (Host::start(Port::Any), Host::start(Port::Any));
            let asked_by_a = a.network.connect_peer(&b.as_peer());
            a.network.flush();
            // Perhaps with what a has sent already read, and perhaps not.
            tokio::time::sleep(Duration::from_micros(delay)).await;
            if delay % 100 == 0 {
                b.turn().await;
            }
            let asked_by_b = b.network.connect_peer(&a.as_peer());
            until([&mut a, &mut b], |[a, b]| {
                !a.up.is_empty() && !b.up.is_empty()
            })
            .await;
            both_hear_each_other(&mut a, &mut b).await;
            assert_eq!((a.up.len(), b.up.len()), (1, 1), "after {delay} us");
            assert_eq!((a.network.associations(), b.network.associations()), (1, 1));
            assert_eq!((a.up[0].0, a.up[0].2), (asked_by_a, false));
            // It had begun before it heard of a; or it is refused, as there is one.
            if b.up[0].2 {
                assert_eq!(b.down, [asked_by_b]);
            } else {
                assert_eq!((b.up[0].0, b.down.len()), (asked_by_b, 0));
            }
        }
    });
}

/// RFC 9260 §5.2.2: a new process at the ports of the old one, which said nothing when it died.
#[test]
fn a_peer_that_restarts_is_another_association_at_once() {
    run(async {
        let (mut a, b) = pair().await;
        let mut port = Port::Exactly(b.network.udp_port());
        drop(b);
        for _ in 0..3 {
            let former = a.only();
            let mut b = Host::start(port);
            port = Port::Exactly(b.network.udp_port());
            let start = Instant::now();
            b.network.connect_peer(&a.as_peer());
            until([&mut a, &mut b], |[a, b]| {
                a.down.contains(&former) && !b.up.is_empty()
            })
            .await;
            both_hear_each_other(&mut a, &mut b).await;
            let after = start.elapsed();
            println!("restarted; heard again after {after:?}");
            assert!(after < AT_ONCE, "{after:?}");
            let (_, _, accepted) = a.up.last().unwrap();
            assert!(accepted, "the one that restarted began it");
            // What is said to the former one reaches nobody.
            let gone = a.send(former, "to whom?");
            assert_eq!(gone, Err(SendError::UnknownAssociation));
            assert_eq!(a.network.associations(), 1);
            drop(b);
        }
    });
}

#[test]
fn who_speaks_to_a_peer_that_has_restarted_learns_it_at_once() {
    run(async {
        let (mut a, b) = pair().await;
        let former = a.only();
        let port = Port::Exactly(b.network.udp_port());
        drop(b);
        let mut b = Host::start(port);
        a.send(former, "are you there?").unwrap();
        until([&mut a, &mut b], |[a, _]| a.down.contains(&former)).await;
        a.network.connect_peer(&b.as_peer());
        until([&mut a, &mut b], |[a, b]| {
            a.up.len() == 2 && !b.up.is_empty()
        })
        .await;
        let after = both_hear_each_other(&mut a, &mut b).await;
        assert!(after < AT_ONCE, "{after:?}");
    });
}

/// RFC 5353 §3.5.2: the pool elements of a registrar with 1,000 of them, each at its own UDP port.
#[test]
fn a_thousand_pool_elements_are_connected_at_once() {
    run(async {
        const ELEMENTS: usize = 1000;
        crate::raise_open_files_limit();
        let mut elements: Vec<_> = (0..ELEMENTS)
            .map(|number| {
                let sockets = UdpSockets::bind(&loopback(), Port::Any).unwrap().0;
                let config = rserpool_sctp::Config {
                    listen: true,
                    ..rserpool_sctp::Config::new(5000)
                };
                let mut seed = [0; 32];
                seed[..8].copy_from_slice(&number.to_be_bytes());
                (Endpoint::new(config, seed), sockets)
            })
            .collect();
        let mut registrar = Host::start(Port::Any);
        let start = Instant::now();
        for (_, sockets) in &elements {
            registrar.network.connect_pool_element(&PeerAddress {
                transport: Transport::Sctp,
                addresses: loopback(),
                port: 5000,
                udp_port: Some(sockets.port()),
            });
        }
        let mut accepted = 0;
        while registrar.up.len() < ELEMENTS || accepted < ELEMENTS {
            assert!(start.elapsed() < PATIENCE, "{} are up", registrar.up.len());
            registrar.turn().await;
            let now = Timestamp(start.elapsed());
            for (endpoint, sockets) in &mut elements {
                // Each in turn, so that their answers come in a burst.
                poll_fn(|context| Poll::Ready(sockets.poll_ready(context).is_ready())).await;
                sockets.receive(|arrival| {
                    if let Datagram::Datagram { from, octets, .. } = arrival {
                        endpoint.handle_datagram(now, from, None, octets);
                    }
                });
                endpoint.handle_timeout(now);
                while let Some(transmit) = endpoint.poll_transmit() {
                    sockets.send(None, transmit.to, transmit.payload);
                }
                while let Some(event) = endpoint.poll_event() {
                    accepted += usize::from(matches!(event, Event::Up { accepted: true, .. }));
                }
            }
        }
        println!("{ELEMENTS} associations after {:?}", start.elapsed());
        assert_eq!(registrar.down, []);
        assert_eq!(registrar.network.associations(), ELEMENTS);
    });
}

/// RFC 5353 §3.5.2, step 2: at the address from which it registered, over an association that the
/// new home registrar begins, and while the pool element still looks for its old one.
#[test]
fn a_pool_element_registers_with_the_registrar_that_takes_it_over() {
    run(async {
        let mut old_home = Host::start(Port::Any);
        let registers = PoolElementNode::register(pool_element(&old_home));
        tokio::task::spawn_local(async {
            let _stays = registers.await.unwrap();
            std::future::pending::<()>().await;
        });
        until([&mut old_home], |[host]| !host.received.is_empty()).await;
        let granted = asap::Message::RegistrationResponse(asap::RegistrationResponse {
            pool_handle: PoolHandle::new(b"adopted"),
            pool_element: PoolElementId(7),
            result: Ok(None),
        });
        let (association, element, _) = old_home.up[0].clone();
        assert_ne!(element.port, ASAP_PORT);
        let sent = old_home
            .network
            .send_asap(association, |octets| granted.encode_into(octets));
        sent.unwrap();
        old_home.network.flush();
        drop(old_home);

        let mut new_home = Host::start(Port::Any);
        new_home.network.connect_pool_element(&element);
        until([&mut new_home], |[host]| !host.up.is_empty()).await;
        let association = new_home.only();
        let keep_alive = asap::Message::EndpointKeepAlive(asap::EndpointKeepAlive {
            registrar: RegistrarId::new(2).unwrap(),
            home: true,
            pool_handle: PoolHandle::new(b"adopted"),
            pool_element: Some(PoolElementId(7)),
        });
        let sent = new_home
            .network
            .send_asap(association, |octets| keep_alive.encode_into(octets));
        sent.unwrap();
        until([&mut new_home], |[host]| {
            host.received.iter().any(|(from, _, octets)| {
                let message = asap::Message::decode(octets).unwrap().message;
                *from == association && matches!(message, asap::Message::Registration(_))
            })
        })
        .await;
    });
}

fn pool_element(home: &Host) -> PoolElementConfig {
    let home = RegistrarAddress {
        port: ASAP_PORT,
        ..home.as_peer()
    };
    PoolElementConfig {
        pool_handle: PoolHandle::new(b"adopted"),
        id: Some(PoolElementId(7)),
        policy: Policy::RoundRobin,
        registration_life: None,
        registrars: vec![home],
        addresses: loopback(),
        sctp_port: None,
        udp_port: Port::Any,
        serve_by: crate::DataTransport::Sctp,
        user_port: Port::Any,
        udp_idle_after: crate::UDP_IDLE_AFTER,
        data_only: false,
        serve_at: None,
        multicast: Multicast::off(),
        timers: rserpool_core::Timers::default(),
        compatibility: rserpool_core::Compatibility::default(),
        sctp_mode: crate::SctpMode::Udp,
        sctp_timers: rserpool_sctp::Timers::default(),
        register_timeout: PATIENCE,
        unread_octets_max: 0,
        seed: None,
    }
}

#[test]
fn a_peer_that_takes_nothing_loses_its_association_and_no_other_does() {
    run(async {
        const QUEUE: usize = 128 << 10;
        let mut a = Host::with_send_queue(Port::Any, QUEUE);
        let (mut stuck, mut good) = (Host::start(Port::Any), Host::start(Port::Any));
        let to_stuck = a.network.connect_peer(&stuck.as_peer());
        let to_good = a.network.connect_peer(&good.as_peer());
        until([&mut a, &mut stuck, &mut good], |[a, ..]| a.up.len() == 2).await;
        let Host { network, .. } = a;
        let mut a = Shared {
            network,
            data: DataConnections::new(0).0,
        };
        let update = enrp::Message::ListRequest(enrp::ListRequest {
            sender: RegistrarId::new(1).unwrap(),
            receiver: None,
        });
        let mut sent = 0;
        let mut shed = None;
        while shed.is_none() {
            for to in [to_stuck, to_good] {
                a.send_enrp(to, &update);
            }
            sent += 1;
            a.network.flush();
            if sent % 100 == 0 {
                look(&mut a.network).await;
                good.turn().await;
                a.network.receive();
                assert!(sent < QUEUE, "never shed");
            }
            // What this host lacks was told at the start.
            shed = std::iter::from_fn(|| a.network.poll_event())
                .find(|event| !matches!(event, NetworkEvent::NoRawIp { .. }));
        }
        let Some(NetworkEvent::Shed {
            peer,
            waiting_octets,
        }) = shed
        else {
            panic!("{shed:?}");
        };
        assert_eq!(peer.port(), stuck.network.udp_port());
        assert!(waiting_octets <= QUEUE, "{waiting_octets}");
        assert_eq!(a.network.statistics().shed, 1);
        let start = Instant::now();
        while good.received.len() < sent {
            assert!(start.elapsed() < PATIENCE);
            look(&mut a.network).await;
            good.turn().await;
            a.network.receive();
            a.network.flush();
        }
        assert_eq!(good.down, []);
    });
}
