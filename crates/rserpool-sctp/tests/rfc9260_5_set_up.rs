//! RFC 9260 §5: setting associations up, one or both ends beginning, restarts.

mod network;

use std::time::Duration;

use network::chunk::{ABORT, COOKIE_ACK, COOKIE_ECHO, INIT, INIT_ACK};
use network::{
    CLIENT_PORT, Network, SERVER_PORT, address, client_config, first_chunk, message, millis,
    packet, server_config, tag_of, with_timers,
};
use rserpool_sctp::{
    Config, ConnectError, DownReason, Event, Remote, SendError, Timers, Timestamp,
};

#[test]
fn four_packets_set_an_association_up() {
    let (mut network, client, server) = Network::pair();
    let (ours, theirs) = network.associate(client, server);
    let kinds: Vec<u8> = network
        .seen
        .iter()
        .map(|datagram| first_chunk(&datagram.payload))
        .collect();
    assert_eq!(kinds, [INIT, INIT_ACK, COOKIE_ECHO, COOKIE_ACK]);
    assert_eq!(network.now, Timestamp(millis(4)));
    let up = |association, host, sctp_port, accepted| Event::Up {
        association,
        remote: address(host),
        sctp_port,
        accepted,
    };
    assert_eq!(
        network.hosts[client].events,
        [up(ours, 2, SERVER_PORT, false)]
    );
    assert_eq!(
        network.hosts[server].events,
        [up(theirs, 1, CLIENT_PORT, true)]
    );
}

#[test]
fn tags_are_those_on_the_wire() {
    let (mut network, client, server) = Network::pair();
    let (ours, theirs) = network.associate(client, server);
    let (client, server) = (
        &network.hosts[client].endpoint,
        &network.hosts[server].endpoint,
    );
    assert_eq!(client.local_tag(ours), server.peer_tag(theirs));
    assert_eq!(client.peer_tag(ours), server.local_tag(theirs));
    let tag = server.local_tag(theirs).unwrap();
    assert_eq!(server.association_by_local_tag(tag), Some(theirs));
    let echo = network
        .seen
        .iter()
        .find(|seen| first_chunk(&seen.payload) == COOKIE_ECHO)
        .unwrap();
    assert_eq!(tag_of(&echo.payload), tag);
}

#[test]
fn lost_set_up_packets_are_repeated() {
    for seed in 0..50 {
        let mut network = Network::new(seed);
        network.weather.loss = 200;
        let timers = Timers {
            init_max_retrans: 12,
            association_max_retrans: 12,
            ..Timers::lan()
        };
        let client = network.add(with_timers(client_config(), timers));
        let server = network.add(with_timers(server_config(), timers));
        network.associate(client, server);
    }
}

#[test]
fn init_is_refused_at_once_where_nobody_listens() {
    let mut network = Network::new(1);
    let client = network.add(client_config());
    let deaf = network.add(Config {
        listen: false,
        ..server_config()
    });
    let ours = network.connect(client, deaf);
    let took = network.time_until_down(client, ours, Duration::from_secs(1));
    assert_eq!(
        network.down(client, ours),
        Some(DownReason::Refused { cause: None })
    );
    assert_eq!(took, millis(2));
    assert_eq!(network.hosts[deaf].endpoint.statistics().inits_refused, 1);
}

/// Whoever has the cookie of an endpoint that has stopped listening since need not wait until its
/// T1-cookie has run out often enough; associations that there are go on.
#[test]
fn an_endpoint_that_stops_listening_refuses_cookies_that_it_gave() {
    let mut network = Network::new(1);
    let (early, late) = (network.add(client_config()), network.add(client_config()));
    let server = network.add(server_config());
    let (_, theirs) = network.associate(early, server);
    let ours = network.connect(late, server);
    let start = network.now;
    while network.seen.last().map(|seen| first_chunk(&seen.payload)) != Some(INIT_ACK) {
        network.step();
    }
    network.hosts[server].endpoint.stop_listening();
    network.time_until_down(late, ours, millis(10));
    let expected = DownReason::Refused { cause: None };
    assert_eq!(network.down(late, ours), Some(expected));
    assert_eq!(network.now.0 - start.0, millis(4));
    assert!(network.is_up(server, theirs));
    // And at once for who comes now.
    let again = network.connect(late, server);
    assert_eq!(network.time_until_down(late, again, millis(10)), millis(2));
}

#[test]
fn init_to_another_port_is_refused_at_once() {
    let (mut network, client, server) = Network::pair();
    let remote = Remote {
        udp: vec![address(2)],
        sctp_port: SERVER_PORT + 1,
    };
    let ours = network.hosts[client]
        .endpoint
        .connect(network.now, remote)
        .unwrap();
    network.time_until_down(client, ours, millis(2));
    assert_eq!(
        network.down(client, ours),
        Some(DownReason::Refused { cause: None })
    );
    assert_eq!(network.hosts[server].endpoint.statistics().inits_refused, 1);
}

#[test]
fn no_answer_to_init_ends_in_lost() {
    let mut network = Network::new(1);
    let client = network.add(client_config());
    let ours = network.connect_to(client, &[address(7)]);
    let took = network.time_until_down(client, ours, Duration::from_secs(4));
    assert_eq!(network.down(client, ours), Some(DownReason::Lost));
    assert!(took >= Duration::from_secs(1), "{took:?}");
    assert_eq!(network.seen.len(), 5, "Max.Init.Retransmits 4");
}

#[test]
fn associations_max_refuses_with_out_of_resource() {
    let mut network = Network::new(1);
    let clients: Vec<usize> = (0..3).map(|_| network.add(client_config())).collect();
    let server = network.add(Config {
        associations_max: 2,
        ..server_config()
    });
    network.associate(clients[0], server);
    network.associate(clients[1], server);
    let third = network.connect(clients[2], server);
    network.time_until_down(clients[2], third, millis(10));
    let expected = DownReason::Refused { cause: Some(4) };
    assert_eq!(network.down(clients[2], third), Some(expected));
    assert_eq!(
        network.hosts[server].endpoint.statistics().out_of_resource,
        1
    );
    let remote = Remote {
        udp: vec![address(2)],
        sctp_port: CLIENT_PORT,
    };
    let refused = network.hosts[server].endpoint.connect(network.now, remote);
    assert!(
        matches!(refused, Err(ConnectError::AlreadyAssociated(_))),
        "{refused:?}"
    );
    let remote = Remote {
        udp: vec![address(3)],
        sctp_port: CLIENT_PORT,
    };
    let refused = network.hosts[server].endpoint.connect(network.now, remote);
    assert_eq!(refused, Err(ConnectError::TooManyAssociations));
}

#[test]
fn rfc_9260_5_2_1_both_ends_at_once_end_in_one_association() {
    for (delay, offset) in [
        (1, 0),
        (5, 0),
        (5, 1),
        (5, 3),
        (5, 6),
        (5, 8),
        (5, 11),
        (5, 14),
    ] {
        let mut network = Network::new(offset);
        network.weather.delay = millis(delay);
        let left = network.add(server_config());
        let right = network.add(server_config());
        let of_left = network.connect(left, right);
        network.run_for(millis(offset));
        let remote = Remote {
            udp: vec![address(1)],
            sctp_port: SERVER_PORT,
        };
        // Too late: the association of the other side is known already.
        let of_right = network.hosts[right]
            .endpoint
            .connect(network.now, remote)
            .ok();
        network.run_for(millis(300));
        assert!(
            network.is_up(left, of_left),
            "{offset}: {:?}",
            network.hosts[left].events
        );
        for host in [left, right] {
            assert_eq!(
                network.hosts[host].endpoint.associations(),
                1,
                "{delay} {offset}"
            );
            assert_eq!(
                network.hosts[host].events.len(),
                1,
                "{:?}",
                network.hosts[host].events
            );
        }
        let Event::Up {
            association: at_right,
            ..
        } = network.hosts[right].events[0]
        else {
            panic!("{:?}", network.hosts[right].events)
        };
        assert!(of_right.is_none_or(|began| began == at_right));
        network.send(left, of_left, message(0, 1, vec![1]));
        network.send(right, at_right, message(0, 2, vec![2]));
        network.run_for(millis(300));
        assert_eq!(
            network.messages(right),
            [(0, 1, vec![1])],
            "{delay} {offset}"
        );
        assert_eq!(
            network.messages(left),
            [(0, 2, vec![2])],
            "{delay} {offset}"
        );
    }
}

#[test]
fn connecting_to_oneself_is_refused() {
    let mut network = Network::new(1);
    let host = network.add(server_config());
    let ours = network.connect(host, host);
    network.time_until_down(host, ours, millis(10));
    assert_eq!(
        network.down(host, ours),
        Some(DownReason::Refused { cause: None })
    );
}

#[test]
fn rfc_9260_5_2_4_case_a_restarted_client_replaces_its_association() {
    let (mut network, client, server) = Network::pair();
    let (_, theirs) = network.associate(client, server);
    let former_tag = network.hosts[server].endpoint.local_tag(theirs);
    network.restart(client, client_config());
    let ours = network.connect(client, server);
    network.run_for(millis(20));
    assert!(network.is_up(client, ours));
    let events = &network.hosts[server].events;
    assert_eq!(
        events.last(),
        Some(&Event::Restarted {
            association: theirs,
            remote: address(1),
            sctp_port: CLIENT_PORT,
        })
    );
    let endpoint = &network.hosts[server].endpoint;
    assert_eq!(
        (endpoint.associations(), endpoint.statistics().restarts),
        (1, 1)
    );
    assert_ne!(endpoint.local_tag(theirs), former_tag);
    assert_eq!(endpoint.association_by_local_tag(former_tag.unwrap()), None);
    network.send(client, ours, message(3, 7, b"new life".to_vec()));
    network.send(server, theirs, message(3, 8, b"answer".to_vec()));
    network.run_for(millis(50));
    assert_eq!(network.messages(server), [(3, 7, b"new life".to_vec())]);
    assert_eq!(network.messages(client), [(3, 8, b"answer".to_vec())]);
}

#[test]
fn restart_hands_back_what_was_not_acknowledged() {
    let (mut network, client, server) = Network::pair();
    let (_, theirs) = network.associate(client, server);
    network.send(server, theirs, message(0, 1, vec![1; 100]));
    network.run_for(millis(100));
    network.cut.push(address(1));
    // Larger than the window: part of it is under way, and the next waits behind it.
    network.send(server, theirs, message(0, 2, vec![2; 60_000]));
    network.send(server, theirs, message(0, 3, vec![3; 100]));
    network.run_for(millis(10));
    network.cut.clear();
    network.restart(client, client_config());
    let ours = network.connect(client, server);
    network.run_for(millis(20));
    assert!(network.is_up(client, ours));
    let failed = |ppid, data| Event::SendFailed {
        association: theirs,
        stream: 0,
        ppid,
        data,
    };
    assert_eq!(
        network.hosts[server].events[1..],
        [
            failed(2, vec![2; 60_000]),
            failed(3, vec![3; 100]),
            Event::Restarted {
                association: theirs,
                remote: address(1),
                sctp_port: CLIENT_PORT,
            }
        ]
    );
    assert_eq!(network.hosts[server].endpoint.send_queue_octets(theirs), 0);
    for ppid in 4..8 {
        network.send(server, theirs, message(0, ppid, vec![4; 2000]));
    }
    network.run_for(millis(100));
    let delivered: Vec<u32> = network.ppids(client);
    assert_eq!(delivered, [4, 5, 6, 7]);
}

#[test]
fn restarted_server_makes_the_client_notice_at_its_next_packet() {
    let (mut network, client, server) = Network::pair();
    let (ours, _) = network.associate(client, server);
    network.restart(server, server_config());
    network.send(client, ours, message(0, 9, b"are you there".to_vec()));
    let took = network.time_until_down(client, ours, millis(10));
    assert_eq!(took, millis(2));
    let events = &network.hosts[client].events[1..];
    let failed = Event::SendFailed {
        association: ours,
        stream: 0,
        ppid: 9,
        data: b"are you there".to_vec(),
    };
    let reason = DownReason::PeerAborted {
        cause: None,
        reason: String::new(),
    };
    assert_eq!(
        events,
        [
            failed,
            Event::Down {
                association: ours,
                reason
            }
        ]
    );
}

#[test]
fn connect_refuses_what_cannot_be() {
    let mut network = Network::new(1);
    let client = network.add(client_config());
    let endpoint = &mut network.hosts[client].endpoint;
    let mut connect = |udp, sctp_port| endpoint.connect(Timestamp::ZERO, Remote { udp, sctp_port });
    assert_eq!(connect(vec![], 1), Err(ConnectError::Candidates));
    let many = (1..=9).map(address).collect();
    assert_eq!(connect(many, 1), Err(ConnectError::Candidates));
    assert_eq!(connect(vec![address(2)], 0), Err(ConnectError::Port));
    let first = connect(vec![address(2)], 1).unwrap();
    let again = connect(vec![address(3), address(2)], 1);
    assert_eq!(again, Err(ConnectError::AlreadyAssociated(first)));
}

#[test]
fn nothing_is_sent_before_the_association_is_up() {
    let (mut network, client, server) = Network::pair();
    let ours = network.connect(client, server);
    let sent = network.hosts[client]
        .endpoint
        .send(network.now, ours, message(0, 0, vec![1]));
    assert_eq!(sent, Err(SendError::NotConnected));
    network.hosts[client].endpoint.shutdown(network.now, ours);
    network.run_for(millis(50));
    assert_eq!(network.down(client, ours), Some(DownReason::Closed));
    assert_eq!(network.hosts[server].endpoint.associations(), 0);
}

#[test]
fn abort_to_a_tag_that_is_not_ours_is_passed_over() {
    let (mut network, client, server) = Network::pair();
    let (ours, _) = network.associate(client, server);
    let tag = network.hosts[client].endpoint.local_tag(ours).unwrap();
    let forged = packet((SERVER_PORT, CLIENT_PORT), tag ^ 1, ABORT, 0, &[]);
    network.inject(address(2), client, &forged);
    let reflected = packet((SERVER_PORT, CLIENT_PORT), tag, ABORT, 1, &[]);
    network.inject(address(2), client, &reflected);
    assert!(network.down(client, ours).is_none());
    let real = packet((SERVER_PORT, CLIENT_PORT), tag, ABORT, 0, &[]);
    network.inject(address(2), client, &real);
    assert!(network.down(client, ours).is_some());
}
