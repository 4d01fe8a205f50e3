//! Nothing that arrives makes an endpoint panic, grow without bound or stop working.

mod network;

use std::net::SocketAddr;
use std::time::Duration;

use network::{
    CLIENT_PORT, Network, SERVER_PORT, address, client_config, message, millis, server_config,
    with_checksum,
};
use proptest::prelude::*;
use rserpool_sctp::{AssociationId, Config};

/// In which state the association under attack is.
#[derive(Clone, Copy, Debug)]
enum State {
    None,
    CookieWait,
    Up,
    WithDataUnderWay,
    /// The same, and both ends have two addresses.
    Multihomed,
    Closing,
}

/// What is done to a real packet before it is sent again, or what is sent instead.
#[derive(Clone, Debug)]
enum Attack {
    /// A packet of the past, with octets changed, cut or made longer, and the checksum right.
    Changed {
        which: prop::sample::Index,
        changes: Vec<(prop::sample::Index, u8)>,
        length: Length,
    },
    /// Chunks with the right ports and tag.
    Chunks {
        chunks: Vec<(u8, u8, Vec<u8>)>,
        tag: Tag,
    },
    /// Octets.
    Noise(Vec<u8>),
    /// An ICMP message.
    Unreachable {
        which: prop::sample::Index,
        octets: usize,
    },
    Time(u64),
}

#[derive(Clone, Debug)]
enum Length {
    Same,
    Cut(prop::sample::Index),
    Longer(Vec<u8>),
}

#[derive(Clone, Copy, Debug)]
enum Tag {
    Right,
    Reflected,
    Zero,
    Any(u32),
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::None),
        Just(State::CookieWait),
        Just(State::Up),
        Just(State::WithDataUnderWay),
        Just(State::Multihomed),
        Just(State::Closing),
    ]
}

fn attack() -> impl Strategy<Value = Attack> {
    let length = prop_oneof![
        4 => Just(Length::Same),
        1 => any::<prop::sample::Index>().prop_map(Length::Cut),
        1 => prop::collection::vec(any::<u8>(), 1..40).prop_map(Length::Longer),
    ];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let tag = prop_oneof![
        6 => Just(Tag::Right),
        2 => Just(Tag::Reflected),
        1 => Just(Tag::Zero),
        1 => any::<u32>().prop_map(Tag::Any),
    ];
    let kind = prop_oneof![4 => 0_u8..16, 1 => any::<u8>(), 1 => Just(130_u8), 1 => Just(192_u8)];
    let value = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(4), any::<u8>()], 0..80),
        1 => prop::collection::vec(any::<u8>(), 1400..2000),
    ];
    let chunks = prop::collection::vec((kind, any::<u8>(), value), 1..4);
    prop_oneof![
        4 => (any::<prop::sample::Index>(), changes, length)
            .prop_map(|(which, changes, length)| Attack::Changed { which, changes, length }),
        4 => (chunks, tag).prop_map(|(chunks, tag)| Attack::Chunks { chunks, tag }),
        1 => prop::collection::vec(any::<u8>(), 0..100).prop_map(Attack::Noise),
        1 => (any::<prop::sample::Index>(), 0..60_usize)
            .prop_map(|(which, octets)| Attack::Unreachable { which, octets }),
        1 => (0..500_u64).prop_map(Attack::Time),
    ]
}

const CLIENT: usize = 0;
const SERVER: usize = 1;
const ASSOCIATIONS_MAX: usize = 4;

fn network_in(state: State) -> Network {
    let mut network = Network::new(3);
    for (config, host) in [(client_config(), 1), (server_config(), 2)] {
        let config = Config {
            associations_max: ASSOCIATIONS_MAX,
            ..config
        };
        let addresses = [address(host), SocketAddr::from(([10, 2, 0, host], 9899))];
        if matches!(state, State::Multihomed) {
            network.add_multihomed(config, &addresses);
        } else {
            network.add(config);
        }
    }
    network.add(client_config());
    if matches!(state, State::None) {
        // Something to change, of an association that is over.
        let (ours, _) = network.associate(CLIENT, SERVER);
        network.hosts[CLIENT].endpoint.abort(network.now, ours, "");
        network.run_for(millis(5));
        return network;
    }
    if matches!(state, State::CookieWait) {
        network.cut.push(address(2));
        network.connect(CLIENT, SERVER);
        network.run_for(millis(150));
        return network;
    }
    let (ours, theirs) = network.associate(CLIENT, SERVER);
    network.send(CLIENT, ours, message(0, 1, vec![1; 3000]));
    network.send(SERVER, theirs, message(1, 2, vec![2; 3000]));
    if matches!(state, State::Up) {
        network.run_for(millis(300));
        return network;
    }
    network.run_for(millis(1));
    network.cut.push(address(1));
    network.send(CLIENT, ours, message(0, 3, vec![3; 30_000]));
    network.send(SERVER, theirs, message(1, 4, vec![4; 30_000]));
    if matches!(state, State::Closing) {
        network.hosts[CLIENT].endpoint.shutdown(network.now, ours);
        network.hosts[SERVER].endpoint.shutdown(network.now, theirs);
    }
    network.run_for(millis(20));
    network
}

fn tag(network: &Network, host: usize, tag: Tag) -> u32 {
    let endpoint = &network.hosts[host].endpoint;
    let one = AssociationId(1);
    match tag {
        Tag::Right => endpoint.local_tag(one).unwrap_or(1),
        Tag::Reflected => endpoint.peer_tag(one).unwrap_or(1),
        Tag::Zero => 0,
        Tag::Any(tag) => tag,
    }
}

fn strike(network: &mut Network, host: usize, attack: &Attack) {
    let peer = &network.hosts[1 - host];
    // Of the peer's addresses, each in turn.
    let addresses: Vec<_> = std::iter::once(&peer.address)
        .chain(&peer.further)
        .collect();
    let from = *addresses[network.seen.len() % addresses.len()];
    match attack {
        Attack::Noise(octets) => network.inject(from, host, octets),
        Attack::Time(duration) => network.run_for(millis(*duration)),
        Attack::Unreachable { which, octets } => {
            let seen = which.get(&network.seen).clone();
            let original = &seen.payload[..seen.payload.len().min(*octets)];
            network.hosts[host]
                .endpoint
                .handle_unreachable(network.now, seen.to, original);
        }
        Attack::Changed {
            which,
            changes,
            length,
        } => {
            let mut octets = which.get(&network.seen).payload.clone();
            for (at, value) in changes {
                let at = at.index(octets.len());
                octets[at] = *value;
            }
            match length {
                Length::Same => {}
                Length::Cut(at) => octets.truncate(12 + at.index(octets.len() - 11)),
                Length::Longer(more) => octets.extend(more),
            }
            network.inject(from, host, &with_checksum(octets));
        }
        Attack::Chunks { chunks, tag: which } => {
            let ports = if host == CLIENT {
                (SERVER_PORT, CLIENT_PORT)
            } else {
                (CLIENT_PORT, SERVER_PORT)
            };
            let tag = tag(network, host, *which);
            let mut octets = network::packet(ports, tag, 0, 0, &[]);
            octets.truncate(12);
            for (kind, flags, value) in chunks {
                octets.extend(&network::packet(ports, tag, *kind, *flags, value)[12..]);
            }
            network.inject(from, host, &with_checksum(octets));
        }
    }
}

/// Whatever happened, a third host can still associate and be heard.
fn assert_still_works(network: &mut Network) {
    network.cut.clear();
    network.run_for(Duration::from_secs(5));
    for host in [CLIENT, SERVER] {
        assert!(network.hosts[host].endpoint.associations() <= ASSOCIATIONS_MAX);
        assert!(network.hosts[host].endpoint.poll_event().is_none());
    }
    let remote = network.hosts[2].address;
    assert_eq!(remote, SocketAddr::from(([192, 0, 2, 3], 9899)));
    let (ours, _) = network.associate(2, SERVER);
    network.send(2, ours, message(5, 6, b"still here".to_vec()));
    network.run_for(millis(50));
    assert!(
        network
            .messages(SERVER)
            .contains(&(5, 6, b"still here".to_vec()))
    );
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn endpoints_survive_whatever_arrives(
        state in state(),
        attacks in prop::collection::vec((any::<bool>(), attack()), 1..12),
    ) {
        let mut network = network_in(state);
        for (at_server, attack) in &attacks {
            let host = if *at_server { SERVER } else { CLIENT };
            strike(&mut network, host, attack);
        }
        assert_still_works(&mut network);
    }
}

#[test]
fn a_flood_of_inits_from_one_host_leaves_others_room() {
    let mut network = Network::new(7);
    let flood = network.add(client_config());
    let client = network.add(client_config());
    let server = network.add(server_config());
    network.connect(flood, server);
    let mut poll = || network.hosts[flood].endpoint.poll_transmit();
    let init = poll().expect("an INIT").payload;
    let endpoint = &mut network.hosts[server].endpoint;
    let now = network.now;
    let mut answers = 0;
    for port in 1..60_000 {
        let from = SocketAddr::from(([10, 9, 9, 9], port));
        endpoint.handle_datagram(now, from, None, &init);
        while endpoint.poll_transmit().is_some() {
            answers += 1;
        }
    }
    assert_eq!(answers, 20_000);
    assert_eq!(endpoint.statistics().responses_suppressed, 39_999);
    network.associate(client, server);
}
