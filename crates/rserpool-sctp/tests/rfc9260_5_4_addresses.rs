//! RFC 9260 §5.1.2, §5.2.2, §5.4: the addresses that peers tell each other, and what is believed.

mod multihomed;
mod network;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use multihomed::{CLIENT, Pair, SERVER, at};
use network::chunk::{ABORT, COOKIE_ECHO, HEARTBEAT, HEARTBEAT_ACK, INIT, INIT_ACK};
use network::{
    CLIENT_PORT, Network, SERVER_PORT, address, client_config, first_chunk, message, millis,
    packet, server_config, tag_of, with_checksum,
};
use rserpool_sctp::{Config, DownReason, Event, PathState, Timers};

/// (type, value) of the parameters of an INIT or INIT ACK.
fn parameters(payload: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut rest = &payload[32..];
    let mut parameters = Vec::new();
    while rest.len() >= 4 {
        let kind = u16::from_be_bytes([rest[0], rest[1]]);
        let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        parameters.push((kind, rest[4..length].to_vec()));
        rest = &rest[length.next_multiple_of(4).min(rest.len())..];
    }
    parameters
}

fn octets(address: SocketAddr) -> (u16, Vec<u8>) {
    match address.ip() {
        IpAddr::V4(v4) => (5, v4.octets().to_vec()),
        IpAddr::V6(v6) => (6, v6.octets().to_vec()),
    }
}

fn first_of(network: &Network, kind: u8) -> Vec<u8> {
    let found = network
        .seen
        .iter()
        .find(|seen| first_chunk(&seen.payload) == kind);
    found.expect("it was sent").payload.clone()
}

/// `init` with these addresses listed, as a host that lies would have it.
fn listing(init: &[u8], addresses: &[IpAddr]) -> Vec<u8> {
    let mut value = init[16..32].to_vec();
    for address in addresses {
        let (kind, octets) = octets(SocketAddr::new(*address, 0));
        value.extend(kind.to_be_bytes());
        value.extend(
            u16::try_from(octets.len() + 4)
                .unwrap_or_default()
                .to_be_bytes(),
        );
        value.extend(octets);
    }
    value.extend(&init[32..]);
    let ports = (
        u16::from_be_bytes([init[0], init[1]]),
        u16::from_be_bytes([init[2], init[3]]),
    );
    packet(ports, tag_of(init), INIT, 0, &value)
}

/// A client that lists what it does not have, associated with a server.
fn liar(addresses: &[IpAddr]) -> Network {
    let mut network = Network::new(1);
    network.add(Config {
        local_addresses: addresses.to_vec(),
        ..client_config()
    });
    network.add(server_config());
    network.associate(CLIENT, SERVER);
    network
}

fn victims(count: u8) -> Vec<IpAddr> {
    (0..count)
        .map(|n| IpAddr::from([203, 0, 113, n + 1]))
        .collect()
}

#[test]
fn rfc_9260_5_1_2_addresses_are_told_in_init_and_init_ack() {
    let pair = Pair::new(&[1, 2, 3], Timers::lan());
    let address_parameters = |kind| {
        let mut told = parameters(&first_of(&pair.network, kind));
        told.retain(|(kind, _)| matches!(kind, 5 | 6));
        told
    };
    let of_host = |host| [1, 2, 3].map(|n| octets(at(n, host)));
    assert_eq!(address_parameters(INIT), of_host(1));
    assert_eq!(address_parameters(INIT_ACK), of_host(2));
    for seen in &pair.network.seen {
        assert_eq!(with_checksum(seen.payload.clone()), seen.payload);
    }
}

#[test]
fn without_local_addresses_nothing_of_it_is_on_the_wire() {
    let (mut network, client, server) = Network::pair();
    let (ours, theirs) = network.associate(client, server);
    network.run_for(Duration::from_secs(60));
    for kind in [INIT, INIT_ACK] {
        let told = parameters(&first_of(&network, kind));
        assert!(told.iter().all(|(kind, _)| !matches!(kind, 5 | 6)));
    }
    let cookie_echo = first_of(&network, COOKIE_ECHO);
    assert_eq!(cookie_echo.len(), 16 + 48 + 8 + 32);
    assert!(network.hosts[client].endpoint.paths(ours).is_empty());
    assert!(network.hosts[server].endpoint.paths(theirs).is_empty());
    assert!(network.hosts.iter().all(|host| host.events.len() == 1));
}

#[test]
fn loopback_is_told_to_loopback_alone() {
    let addresses = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([192, 0, 2, 1])];
    let network = liar(&addresses);
    let mut told = parameters(&first_of(&network, INIT));
    told.retain(|(kind, _)| *kind == 5);
    assert_eq!(told, [octets(address(1))]);
}

#[test]
fn an_association_on_loopback_has_no_other_paths_than_loopback() {
    let on = |last, port| SocketAddr::from(([127, 0, 0, last], port));
    let mut network = Network::new(1);
    for (config, port) in [(client_config(), 1), (server_config(), 2)] {
        let addresses = [
            on(1, port),
            on(2, port),
            SocketAddr::new(at(1, 1).ip(), port),
        ];
        network.add_multihomed(config, &addresses);
    }
    let (ours, _) = network.associate(CLIENT, SERVER);
    network.run_for(millis(500));
    let paths = network.hosts[CLIENT].endpoint.paths(ours);
    let remotes: Vec<_> = paths.iter().map(|path| (path.remote, path.state)).collect();
    let active = PathState::Active;
    assert_eq!(remotes, [(on(1, 2), active), (on(2, 2), active)]);
}

#[test]
fn rfc_9260_5_4_an_unconfirmed_address_gets_heartbeats_alone_and_few() {
    let mut network = liar(&victims(7));
    network.send(
        SERVER,
        server_association(&network),
        message(0, 1, vec![1; 100]),
    );
    network.run_for(Duration::from_secs(60));
    let mut sent: BTreeMap<SocketAddr, usize> = BTreeMap::new();
    for seen in &network.seen {
        if victims(7).contains(&seen.to.ip()) {
            assert_eq!(first_chunk(&seen.payload), HEARTBEAT);
            assert!(seen.payload.len() <= 40);
            *sent.entry(seen.to).or_default() += 1;
        }
    }
    assert_eq!(sent.len(), 7);
    assert!(sent.values().all(|count| *count <= 11), "{sent:?}");
    assert_eq!(network.ppids(CLIENT), [1]);
}

fn server_association(network: &Network) -> rserpool_sctp::AssociationId {
    let up = network.hosts[SERVER].events.iter().find_map(|event| {
        if let Event::Up { association, .. } = event {
            return Some(*association);
        }
        None
    });
    up.expect("the server has accepted")
}

#[test]
fn forged_lists_of_many_peers_are_no_flood() {
    let mut network = Network::new(1);
    network.add(server_config());
    for n in 0..400_u16 {
        let client = network.add(Config {
            local_addresses: victims(7),
            ..client_config()
        });
        let there = SocketAddr::from(([198, 51, 100, 1], 10_000 + n));
        network.hosts[client].address = there;
        network.connect(client, 0);
    }
    network.run_for(millis(900));
    assert_eq!(network.hosts[0].endpoint.associations(), 400);
    let to_victims = network
        .seen
        .iter()
        .filter(|seen| victims(7).contains(&seen.to.ip()) && seen.from == network.hosts[0].address);
    // 400 times 7 at first, and more later; the limit has a burst and a second's worth.
    assert!((2_000..4_000).contains(&to_victims.count()));
}

#[test]
fn rfc_9260_5_4_an_answer_without_the_nonce_confirms_nothing() {
    let mut network = liar(&victims(1));
    network.run_for(millis(5));
    let theirs = server_association(&network);
    let ask = network
        .seen
        .iter()
        .find(|seen| seen.to.ip() == victims(1)[0])
        .expect("it is asked")
        .payload
        .clone();
    let tag = network.hosts[SERVER].endpoint.local_tag(theirs);
    let state = |network: &Network| network.hosts[SERVER].endpoint.paths(theirs)[1].state;
    let mut answer = |value: &[u8]| {
        let ports = (CLIENT_PORT, SERVER_PORT);
        let answer = packet(ports, tag.unwrap_or_default(), HEARTBEAT_ACK, 0, value);
        network.inject(address(1), SERVER, &answer);
        state(&network)
    };
    for at in 4..12 {
        let mut forged = ask[16..].to_vec();
        forged[at] ^= 1;
        assert_eq!(answer(&forged), PathState::Unconfirmed, "octet {at}");
    }
    assert_eq!(answer(&ask[16..30]), PathState::Unconfirmed);
    // Who has seen the nonce got it at that address.
    assert_eq!(answer(&ask[16..]), PathState::Active);
}

#[test]
fn abort_of_a_stranger_at_a_listed_address_ends_nothing() {
    let mut network = Network::new(1);
    network.add(Config {
        local_addresses: vec![at(7, 7).ip()],
        ..client_config()
    });
    network.add(server_config());
    // Somebody else's endpoint has that address: 172.17.0.1 is on many hosts.
    let stranger = network.add(client_config());
    network.hosts[stranger].address = at(7, 7);
    let (ours, theirs) = network.associate(CLIENT, SERVER);
    network.run_for(Duration::from_secs(5));
    let aborts = network.seen.iter().filter(|seen| {
        first_chunk(&seen.payload) == ABORT && (seen.from, seen.to) == (at(7, 7), address(2))
    });
    assert!(aborts.count() > 0, "it has no such association");
    assert!(network.down(SERVER, theirs).is_none() && network.down(CLIENT, ours).is_none());
    assert_eq!(
        network.hosts[SERVER].endpoint.paths(theirs)[1].state,
        PathState::Unconfirmed
    );
}

#[test]
fn nobody_is_kept_out_by_who_claims_his_address() {
    let mut network = Network::new(1);
    network.add(Config {
        local_addresses: vec![address(3).ip()],
        ..client_config()
    });
    network.add(server_config());
    let victim = network.add(client_config());
    network.associate(CLIENT, SERVER);
    network.run_for(millis(1));
    let (ours, _) = network.associate(victim, SERVER);
    assert!(network.is_up(victim, ours));
    assert_eq!(network.hosts[SERVER].endpoint.associations(), 2);
}

#[test]
fn rfc_9260_5_2_2_restart_with_a_new_address_is_refused_and_names_it() {
    let mut pair = Pair::verified(&[1, 2], Timers::lan());
    let addresses = [at(1, 1), at(2, 1), at(4, 1)];
    let config = Config {
        local_addresses: addresses.iter().map(SocketAddr::ip).collect(),
        ..client_config()
    };
    pair.network.restart(CLIENT, config);
    pair.network.seen.clear();
    let again = pair.network.connect(CLIENT, SERVER);
    pair.network.time_until_down(CLIENT, again, millis(5));
    let refused = DownReason::Refused { cause: Some(11) };
    assert_eq!(pair.network.down(CLIENT, again), Some(refused));
    let init = first_of(&pair.network, INIT);
    let abort = first_of(&pair.network, ABORT);
    assert_eq!(tag_of(&abort).to_be_bytes(), init[16..20]);
    let (_, new) = octets(at(4, 1));
    assert_eq!(abort[16..24], [0, 11, 0, 12, 0, 5, 0, 8]);
    assert_eq!(abort[24..], new);
    let statistics = pair.network.hosts[SERVER].endpoint.statistics();
    assert_eq!((statistics.restarts_refused, statistics.restarts), (1, 0));
    // The former association is asked for at once; that nobody has it lets the peer in.
    let gone = pair.network.time_until_down(SERVER, pair.theirs, millis(5));
    assert!(gone <= millis(3), "{gone:?}");
    let again = pair.network.connect(CLIENT, SERVER);
    pair.network.run_for(millis(10));
    assert!(pair.network.is_up(CLIENT, again));
}

#[test]
fn rfc_9260_5_2_2_a_stranger_cannot_restart_from_his_address() {
    let mut pair = Pair::verified(&[1, 2], Timers::lan());
    let init = listing(&first_of(&pair.network, INIT), &[at(1, 1).ip()]);
    for from in [address(66), at(1, 66)] {
        pair.network.seen.clear();
        pair.network.inject(from, SERVER, &init);
        let answers: Vec<_> = pair
            .network
            .seen
            .iter()
            .filter(|seen| seen.to == from)
            .map(|seen| first_chunk(&seen.payload))
            .collect();
        assert_eq!(answers, [ABORT]);
    }
    pair.network.run_for(Duration::from_secs(3));
    assert_eq!(pair.network.down(SERVER, pair.theirs), None);
    assert_eq!(pair.network.hosts[SERVER].endpoint.associations(), 1);
}

#[test]
fn rfc_9260_5_2_4_a_restart_from_any_known_address_begins_verification_anew() {
    for (first, second) in [(1, 2), (2, 1)] {
        let mut pair = Pair::verified(&[1, 2], Timers::lan());
        let addresses = [at(first, 1), at(second, 1)];
        let config = Config {
            local_addresses: addresses.iter().map(SocketAddr::ip).collect(),
            ..client_config()
        };
        pair.network.restart(CLIENT, config);
        let again = pair.network.connect_to(CLIENT, &[at(first, 2)]);
        pair.network.run_for(millis(5));
        assert!(pair.network.is_up(CLIENT, again));
        let server = &pair.network.hosts[SERVER].endpoint;
        assert_eq!(server.statistics().restarts, 1);
        let paths = server.paths(pair.theirs);
        let states: Vec<_> = paths
            .iter()
            .map(|path| (path.remote, path.is_used))
            .collect();
        assert_eq!(states, [(addresses[0], true), (addresses[1], false)]);
        pair.network.run_for(millis(500));
        for n in [1, 2] {
            assert_eq!(pair.state_at_server(n), PathState::Active);
        }
    }
}

#[test]
fn rfc_9260_5_2_1_both_ends_begin_at_once_and_learn_all_addresses() {
    let mut network = Network::new(1);
    for host in 1..=2 {
        let config = Config {
            sctp_port: 9901,
            ..server_config()
        };
        network.add_multihomed(config, &[at(1, host), at(2, host)]);
    }
    let ours = network.connect(CLIENT, SERVER);
    let theirs = network.connect(SERVER, CLIENT);
    network.run_for(Duration::from_secs(1));
    for (host, association) in [(CLIENT, ours), (SERVER, theirs)] {
        let endpoint = &network.hosts[host].endpoint;
        assert_eq!(endpoint.associations(), 1);
        let paths = endpoint.paths(association);
        assert_eq!(paths.len(), 2);
        assert!(paths.iter().all(|path| path.state == PathState::Active));
        assert_eq!(endpoint.statistics().restarts_refused, 0);
    }
}

#[test]
fn rfc_9260_5_1_2_b_a_host_name_is_refused() {
    let (mut network, client, server) = Network::pair();
    network.associate(client, server);
    let init = first_of(&network, INIT);
    let mut value = init[16..].to_vec();
    value.extend([0, 11, 0, 8, b'a', b'.', b'b', 0]);
    let init = packet((6000, SERVER_PORT), 0, INIT, 0, &value);
    network.seen.clear();
    network.inject(address(9), server, &init);
    let abort = first_of(&network, ABORT);
    assert_eq!(abort[12..], [ABORT, 0, 0, 8, 0, 5, 0, 4]);
}

#[test]
fn rfc_6951_5_4_the_port_of_each_path_is_followed() {
    let mut pair = Pair::verified(&[1, 2], Timers::lan());
    let outside = SocketAddr::new(at(2, 1).ip(), 40_000);
    pair.network.translation.insert(at(2, 1), outside);
    pair.network.run_for(Duration::from_secs(2));
    let server = &pair.network.hosts[SERVER].endpoint;
    let remotes: Vec<_> = server.paths(pair.theirs).iter().map(|p| p.remote).collect();
    assert_eq!(remotes, [at(1, 1), outside]);
    assert_eq!(
        pair.state_of(SERVER, pair.theirs, outside),
        PathState::Active
    );
    pair.cut(1);
    pair.network
        .send(SERVER, pair.theirs, message(0, 5, vec![5]));
    pair.network.run_for(millis(300));
    assert_eq!(pair.network.ppids(CLIENT), [5]);
}

#[test]
fn rfc_6951_5_4_a_nat_may_move_the_only_confirmed_address_and_no_other() {
    // Behind a NAT the listed addresses are of no use to the server.
    let outside = |host| SocketAddr::from(([198, 51, 100, host], 40_001));
    let mut network = Network::new(1);
    network.add_multihomed(client_config(), &[at(1, 1), at(2, 1)]);
    network.add(server_config());
    network.translation.insert(at(1, 1), outside(1));
    network.translation.insert(at(2, 1), outside(1));
    let (ours, theirs) = network.associate(CLIENT, SERVER);
    assert_eq!(
        network.hosts[SERVER].endpoint.remote(theirs),
        Some(outside(1))
    );
    network.translation.insert(at(1, 1), outside(2));
    network.translation.insert(at(2, 1), outside(2));
    network.send(CLIENT, ours, message(0, 1, vec![1]));
    network.run_for(millis(50));
    network.send(SERVER, theirs, message(0, 2, vec![2]));
    network.run_for(millis(50));
    assert_eq!(
        network.hosts[SERVER].endpoint.remote(theirs),
        Some(outside(2))
    );
    assert_eq!(
        (network.ppids(SERVER), network.ppids(CLIENT)),
        (vec![1], vec![2])
    );

    // With two confirmed, a third address gets answers to its heartbeats and nothing else.
    let mut pair = Pair::verified(&[1, 2], Timers::lan());
    let tag = pair.network.hosts[SERVER].endpoint.local_tag(pair.theirs);
    let ports = (CLIENT_PORT, SERVER_PORT);
    let beat = packet(
        ports,
        tag.unwrap_or_default(),
        HEARTBEAT,
        0,
        &[0, 1, 0, 8, 1, 2, 3, 4],
    );
    pair.network.seen.clear();
    pair.network.inject(address(66), SERVER, &beat);
    pair.network
        .send(SERVER, pair.theirs, message(0, 3, vec![3]));
    pair.network.run_for(millis(50));
    let to_stranger: Vec<_> = pair
        .network
        .seen
        .iter()
        .filter(|seen| seen.to == address(66))
        .map(|seen| first_chunk(&seen.payload))
        .collect();
    assert_eq!(to_stranger, [HEARTBEAT_ACK]);
    assert_eq!(pair.network.ppids(CLIENT), [3]);
}

#[test]
fn not_encapsulated_peers_have_port_0_on_every_path() {
    let mut network = Network::new(1);
    let raw = |n, host| SocketAddr::new(at(n, host).ip(), 0);
    network.add_multihomed(client_config(), &[raw(1, 1), raw(2, 1)]);
    network.add_multihomed(server_config(), &[raw(1, 2), raw(2, 2)]);
    let (ours, _) = network.associate(CLIENT, SERVER);
    network.run_for(millis(500));
    let paths = network.hosts[CLIENT].endpoint.paths(ours);
    let remotes: Vec<_> = paths.iter().map(|path| (path.remote, path.state)).collect();
    let active = PathState::Active;
    assert_eq!(remotes, [(raw(1, 2), active), (raw(2, 2), active)]);
    network.cut.push(raw(1, 1));
    network.send(CLIENT, ours, message(0, 1, vec![1]));
    network.run_for(millis(150));
    assert_eq!(network.ppids(SERVER), [1]);
}
