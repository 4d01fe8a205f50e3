//! RFC 6951: SCTP in UDP. Peers that move, and peers with several addresses.

mod network;

use std::net::SocketAddr;
use std::time::Duration;

use network::chunk::{DATA, HEARTBEAT};
use network::{
    CLIENT_PORT, Network, SERVER_PORT, address, client_config, deaf_config, message, millis,
    packet, server_config,
};
use rserpool_sctp::{DownReason, Remote};

fn outside(port: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1], port))
}

#[test]
fn rfc_6951_5_4_peer_behind_a_nat_is_followed_when_its_port_changes() {
    let mut network = Network::new(1);
    let client = network.add(client_config());
    let server = network.add(server_config());
    network.translation.insert(address(1), outside(40_001));
    let (ours, theirs) = network.associate(client, server);
    assert_eq!(
        network.hosts[server].endpoint.remote(theirs),
        Some(outside(40_001))
    );
    network.send(server, theirs, message(0, 1, vec![1]));
    network.run_for(millis(100));

    network.translation.insert(address(1), outside(40_002));
    network.send(client, ours, message(0, 2, vec![2]));
    network.run_for(millis(100));
    assert_eq!(
        network.hosts[server].endpoint.remote(theirs),
        Some(outside(40_002))
    );
    network.send(server, theirs, message(0, 3, vec![3]));
    network.run_for(Duration::from_secs(10));
    let received: Vec<u32> = network.ppids(client);
    assert_eq!(received, [1, 3]);
    assert_eq!(
        network.hosts[server].endpoint.statistics().address_changes,
        1
    );
    assert!(network.down(client, ours).is_none() && network.down(server, theirs).is_none());
}

#[test]
fn idle_peer_behind_a_nat_is_found_again_by_its_heartbeats() {
    let mut network = Network::new(1);
    let client = network.add(client_config());
    let server = network.add(server_config());
    network.translation.insert(address(1), outside(40_001));
    let (ours, theirs) = network.associate(client, server);
    network.translation.insert(address(1), outside(40_002));
    network.run_for(Duration::from_secs(10));
    assert_eq!(
        network.hosts[server].endpoint.remote(theirs),
        Some(outside(40_002))
    );
    assert!(network.down(client, ours).is_none());
}

#[test]
fn rfc_6951_5_4_only_the_right_tag_and_checksum_move_a_peer() {
    let mut network = Network::new(1);
    let client = network.add(client_config());
    let server = network.add(server_config());
    let (_, theirs) = network.associate(client, server);
    let tag = network.hosts[server].endpoint.local_tag(theirs).unwrap();
    let ports = (CLIENT_PORT, SERVER_PORT);
    let mut bad_checksum = packet(ports, tag, HEARTBEAT, 0, &[0, 1, 0, 4]);
    bad_checksum[9] ^= 1;
    network.inject(address(66), server, &bad_checksum);
    network.inject(
        address(66),
        server,
        &packet(ports, tag ^ 1, HEARTBEAT, 0, &[0, 1, 0, 4]),
    );
    network.inject(
        address(66),
        server,
        &packet((CLIENT_PORT + 1, SERVER_PORT), tag, DATA, 0, &[0; 13]),
    );
    assert_eq!(
        network.hosts[server].endpoint.remote(theirs),
        Some(address(1))
    );
    network.inject(
        address(66),
        server,
        &packet(ports, tag, HEARTBEAT, 0, &[0, 1, 0, 4]),
    );
    assert_eq!(
        network.hosts[server].endpoint.remote(theirs),
        Some(address(66))
    );
}

#[test]
fn many_clients_on_one_host_are_told_apart_by_their_udp_ports() {
    let mut network = Network::new(1);
    let clients: Vec<usize> = (0..5).map(|_| network.add(client_config())).collect();
    let server = network.add(server_config());
    for (client, port) in clients.iter().zip(40_000..) {
        network
            .translation
            .insert(network.hosts[*client].address, outside(port));
    }
    let pairs: Vec<_> = clients
        .iter()
        .map(|client| network.associate(*client, server))
        .collect();
    for ((_, theirs), n) in pairs.iter().zip(0..) {
        network.send(server, *theirs, message(0, n, vec![1]));
    }
    network.run_for(millis(100));
    for (client, n) in clients.iter().zip(0..) {
        assert_eq!(network.messages(*client), [(0, n, vec![1])]);
    }
}

#[test]
fn first_candidate_that_answers_wins() {
    let mut network = Network::new(1);
    let client = network.add(client_config());
    let deaf = network.add(deaf_config());
    let server = network.add(server_config());
    let udp = vec![
        address(99),
        network.hosts[deaf].address,
        network.hosts[server].address,
    ];
    let ours = network.connect_to(client, &udp);
    network.run_for(millis(10));
    assert!(
        network.is_up(client, ours),
        "one is dead, one refuses, the third answers"
    );
    assert_eq!(
        network.hosts[client].endpoint.remote(ours),
        Some(address(3))
    );
    network.send(client, ours, message(0, 1, vec![1]));
    network.run_for(millis(10));
    assert_eq!(network.messages(server).len(), 1);
    assert_eq!(network.hosts[deaf].endpoint.associations(), 0);
}

#[test]
fn two_listening_candidates_make_one_association() {
    let mut network = Network::new(1);
    let client = network.add(client_config());
    network.add(server_config());
    network.add(server_config());
    let ours = network.connect_to(client, &[address(2), address(3)]);
    network.run_for(Duration::from_secs(2));
    assert!(network.is_up(client, ours) && network.down(client, ours).is_none());
    let associations: usize = network
        .hosts
        .iter()
        .map(|host| host.endpoint.associations())
        .sum();
    assert_eq!(associations, 2, "the two ends of one");
}

#[test]
fn candidates_are_given_up_when_all_have_failed() {
    let mut network = Network::new(1);
    let client = network.add(client_config());
    let deaf = network.add(deaf_config());
    let udp = vec![address(99), network.hosts[deaf].address];
    let remote = Remote {
        udp,
        sctp_port: SERVER_PORT,
    };
    let ours = network.hosts[client]
        .endpoint
        .connect(network.now, remote.clone())
        .unwrap();
    network.run_for(millis(10));
    assert!(network.down(client, ours).is_none(), "one may yet answer");
    let init = network.seen[0].payload.clone();
    network.hosts[client]
        .endpoint
        .handle_unreachable(network.now, address(99), &init);
    network.run_for(Duration::ZERO);
    assert_eq!(network.down(client, ours), Some(DownReason::Unreachable));
    // Nothing of it is left: the same can be tried again.
    network.hosts[client]
        .endpoint
        .connect(network.now, remote)
        .unwrap();
}

#[test]
fn init_is_repeated_to_the_candidates_that_are_left() {
    let mut network = Network::new(1);
    let client = network.add(client_config());
    let deaf = network.add(deaf_config());
    let remote = Remote {
        udp: vec![network.hosts[deaf].address, address(99)],
        sctp_port: SERVER_PORT,
    };
    network.hosts[client]
        .endpoint
        .connect(network.now, remote)
        .unwrap();
    network.run_for(Duration::from_secs(5));
    let to = |host: u8| {
        network
            .seen
            .iter()
            .filter(|seen| seen.to == address(host))
            .count()
    };
    assert_eq!((to(2), to(99)), (1, 5));
}
