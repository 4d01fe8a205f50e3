//! RFC 9260 §5.1.3 to §5.1.5: no state before the cookie, and no way around it.

mod network;

use std::time::Duration;

use network::chunk::{COOKIE_ACK, COOKIE_ECHO, ERROR};
use network::{
    CLIENT_PORT, Network, SERVER_PORT, address, client_config, first_chunk, millis, packet,
    server_config, with_checksum,
};

#[test]
fn rfc_9260_5_1_3_init_leaves_no_state() {
    let (mut network, client, server) = Network::pair();
    network.connect(client, server);
    network.step();
    let init = network.seen[0].payload.clone();
    for port in 1..=1000_u16 {
        let mut forged = init.clone();
        forged[0..2].copy_from_slice(&port.to_be_bytes());
        network.inject(address(99), server, &with_checksum(forged));
    }
    let endpoint = &network.hosts[server].endpoint;
    assert_eq!(endpoint.associations(), 0);
    assert_eq!(endpoint.poll_timeout(), None);
    assert!(endpoint.statistics().inits_answered >= 1000);
}

#[test]
fn rfc_9260_5_1_5_forged_cookie_makes_no_association() {
    let (mut network, _, server) = Network::pair();
    // What dcsctp by itself would take: its magic words, tags, sequence numbers.
    let mut cookie = b"dcSCTPr0".to_vec();
    cookie.extend([1; 80]);
    for octets in [48, 88] {
        let tag = u32::from_be_bytes([1; 4]);
        let echo = packet(
            (CLIENT_PORT, SERVER_PORT),
            tag,
            COOKIE_ECHO,
            0,
            &cookie[..octets],
        );
        network.inject(address(1), server, &echo);
    }
    let endpoint = &network.hosts[server].endpoint;
    assert_eq!(endpoint.associations(), 0);
    assert_eq!(endpoint.statistics().bad_cookie, 2);
    assert!(network.hosts[server].events.is_empty());
}

/// The COOKIE ECHO of a client whose datagrams are lost from then on.
fn held_cookie_echo(network: &mut Network, client: usize, server: usize) -> Vec<u8> {
    network.connect(client, server);
    loop {
        network.step();
        if let Some(echo) = network
            .seen
            .iter()
            .find(|seen| first_chunk(&seen.payload) == COOKIE_ECHO)
        {
            network.cut.push(address(1));
            return echo.payload.clone();
        }
    }
}

#[test]
fn rfc_9260_5_1_5_cookie_is_for_one_peer_address_and_port() {
    let (mut network, client, server) = Network::pair();
    let echo = held_cookie_echo(&mut network, client, server);
    network.restart(server, server_config());
    network.inject(address(1), server, &echo);
    assert_eq!(
        network.hosts[server].endpoint.statistics().bad_cookie,
        1,
        "another key"
    );

    let (mut network, client, server) = Network::pair();
    let echo = held_cookie_echo(&mut network, client, server);
    // The network delivers the client's own one in the next step.
    network.restart(client, client_config());
    network.inject(address(3), server, &echo);
    let mut from_other_port = echo.clone();
    from_other_port[0..2].copy_from_slice(&(CLIENT_PORT + 1).to_be_bytes());
    network.inject(address(1), server, &with_checksum(from_other_port));
    let mut to_other_port = echo.clone();
    to_other_port[2..4].copy_from_slice(&(SERVER_PORT + 1).to_be_bytes());
    network.inject(address(1), server, &with_checksum(to_other_port));
    let mut with_other_tag = echo;
    with_other_tag[4] ^= 1;
    network.inject(address(1), server, &with_checksum(with_other_tag));
    let endpoint = &network.hosts[server].endpoint;
    assert_eq!(
        (endpoint.associations(), endpoint.statistics().bad_cookie),
        (0, 4)
    );
}

#[test]
fn rfc_9260_5_1_5_old_cookie_is_answered_with_stale_cookie() {
    let (mut network, client, server) = Network::pair();
    let echo = held_cookie_echo(&mut network, client, server);
    network.restart(client, client_config());
    network.now = network.now + Duration::from_secs(61);
    network.cut.clear();
    network.inject(address(1), server, &echo);
    let endpoint = &network.hosts[server].endpoint;
    assert_eq!(
        (endpoint.associations(), endpoint.statistics().stale_cookie),
        (0, 1)
    );
    let error = &network.seen.last().unwrap().payload;
    assert_eq!(
        (first_chunk(error), &error[16..20]),
        (ERROR, &[0, 3, 0, 8][..])
    );
    let staleness = u32::from_be_bytes(error[20..24].try_into().unwrap());
    assert!(
        (900_000..1_100_000).contains(&staleness),
        "{staleness} microseconds"
    );
}

#[test]
fn rfc_9260_5_2_4_case_d_repeated_cookie_is_acknowledged_and_changes_nothing() {
    let (mut network, client, server) = Network::pair();
    let (_, theirs) = network.associate(client, server);
    let echo = network
        .seen
        .iter()
        .find(|seen| first_chunk(&seen.payload) == COOKIE_ECHO);
    let echo = echo.unwrap().payload.clone();
    network.seen.clear();
    network.inject(address(1), server, &echo);
    assert_eq!(first_chunk(&network.seen[0].payload), COOKIE_ACK);
    assert_eq!(network.hosts[server].endpoint.associations(), 1);
    assert_eq!(network.hosts[server].events.len(), 1);
    assert!(network.down(server, theirs).is_none());
}

#[test]
fn cookie_of_an_ended_association_does_not_bring_it_back() {
    let (mut network, client, server) = Network::pair();
    let (ours, theirs) = network.associate(client, server);
    let echo = network
        .seen
        .iter()
        .find(|seen| first_chunk(&seen.payload) == COOKIE_ECHO);
    let echo = echo.unwrap().payload.clone();
    network.hosts[client]
        .endpoint
        .abort(network.now, ours, "over");
    network.run_for(millis(10));
    assert!(network.down(server, theirs).is_some());
    network.inject(address(1), server, &echo);
    let endpoint = &network.hosts[server].endpoint;
    assert_eq!(
        (
            endpoint.associations(),
            endpoint.statistics().replayed_cookie
        ),
        (0, 1)
    );
}
