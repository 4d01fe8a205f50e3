//! RFC 9260 §6: user messages, whatever the network does; §9: the end of an association.

mod network;

use std::time::Duration;

use network::chunk::SHUTDOWN;
use network::{
    Network, Weather, address, client_config, first_chunk, message, millis, packet, server_config,
    with_timers,
};
use rserpool_sctp::{
    AssociationId, Config, DownReason, Event, Outgoing, SendError, Timers, Timestamp,
};

/// Timers of a LAN, patient enough for weather in which nobody would expect an answer.
const PATIENT: Timers = Timers {
    association_max_retrans: 30,
    init_max_retrans: 12,
    ..Timers::lan()
};

/// One in ten packets is lost each way, and they overtake each other.
const STORM: Weather = Weather {
    delay: millis(5),
    jitter: millis(5),
    loss: 100,
    duplication: 0,
};

fn pair(weather: Weather, seed: u64) -> (Network, AssociationId, AssociationId) {
    let mut network = Network::new(seed);
    network.record = false;
    network.weather = weather;
    let client = network.add(with_timers(client_config(), PATIENT));
    let server = network.add(with_timers(server_config(), PATIENT));
    let (ours, theirs) = network.associate(client, server);
    (network, ours, theirs)
}

fn content(number: u32, octets: usize) -> Vec<u8> {
    let mut data: Vec<u8> = number.to_be_bytes().to_vec();
    data.extend((0..=250_u8).cycle().take(octets));
    data.truncate(octets);
    data
}

/// Sends as the queue allows until all are taken, and then until `receiver` has them all.
fn transfer(
    network: &mut Network,
    (sender, association, receiver): (usize, AssociationId, usize),
    messages: &[Outgoing],
) {
    let mut waiting = messages.iter();
    let mut next = waiting.next();
    let begin = network.now;
    while let Some(message) = next {
        let endpoint = &mut network.hosts[sender].endpoint;
        match endpoint.send(network.now, association, message.clone()) {
            Ok(()) => next = waiting.next(),
            Err(SendError::QueueFull) => network.step(),
            Err(other) => panic!("{other} {:?}", network.hosts[sender].events),
        }
        assert!(endpoint_queue(network, sender, association) <= 256 * 1024);
    }
    while network.messages(receiver).len() < messages.len() {
        assert!(network.down(sender, association).is_none());
        assert!(network.now.saturating_duration_since(begin) < Duration::from_secs(300));
        network.step();
    }
    network.run_for(Duration::from_secs(2));
    assert_eq!(
        endpoint_queue(network, sender, association),
        0,
        "all is acknowledged"
    );
}

fn endpoint_queue(network: &Network, host: usize, association: AssociationId) -> usize {
    network.hosts[host].endpoint.send_queue_octets(association)
}

fn received(network: &Network, host: usize) -> Vec<Outgoing> {
    let of = |(stream, ppid, data)| Outgoing {
        stream,
        ppid,
        unordered: false,
        data,
    };
    network.messages(host).into_iter().map(of).collect()
}

#[test]
fn messages_of_every_size_keep_stream_and_ppid() {
    let (mut network, ours, _) = pair(
        Weather {
            delay: millis(1),
            ..Weather::default()
        },
        1,
    );
    let sizes = [
        1,
        2,
        3,
        4,
        5,
        100,
        1400,
        1424,
        1425,
        1452,
        8192,
        65_535,
        65_536,
        72 * 1024,
    ];
    let messages: Vec<Outgoing> = sizes
        .iter()
        .zip(0_u32..)
        .map(|(size, n)| {
            message(
                u16::try_from(n % 16).unwrap(),
                0xffff_fff0 + n,
                content(n, *size),
            )
        })
        .collect();
    for one in &messages {
        transfer(&mut network, (0, ours, 1), std::slice::from_ref(one));
        assert_eq!(received(&network, 1), std::slice::from_ref(one));
        network.hosts[1].events.clear();
    }
}

#[test]
fn loss_duplication_and_reordering_lose_and_double_nothing() {
    for (seed, loss) in [(1, 10), (2, 50), (3, 200), (4, 10), (5, 50), (6, 200)] {
        let weather = Weather {
            delay: millis(5),
            jitter: millis(10),
            loss,
            duplication: loss,
        };
        let (mut network, ours, theirs) = pair(weather, seed);
        let messages: Vec<Outgoing> = (0..200)
            .map(|n| {
                let octets = [1, 50, 1400, 5000][usize::try_from(n % 4).unwrap()];
                message(u16::try_from(n % 7).unwrap(), n, content(n, octets))
            })
            .collect();
        transfer(&mut network, (0, ours, 1), &messages);
        transfer(&mut network, (1, theirs, 0), &messages);
        for host in [0, 1] {
            let received = received(&network, host);
            assert_eq!(
                received.len(),
                messages.len(),
                "loss {loss}: nothing is doubled"
            );
            for stream in 0..7 {
                let of_stream = |all: &[Outgoing]| -> Vec<Outgoing> {
                    all.iter()
                        .filter(|message| message.stream == stream)
                        .cloned()
                        .collect()
                };
                assert_eq!(
                    of_stream(&received),
                    of_stream(&messages),
                    "loss {loss}: in order"
                );
            }
        }
    }
}

#[test]
fn unordered_messages_overtake_an_ordered_one_that_is_lost() {
    let (mut network, ours, _) = pair(
        Weather {
            delay: millis(1),
            ..Weather::default()
        },
        1,
    );
    network.cut.push(address(1));
    network.send(0, ours, message(0, 1, vec![1]));
    network.run_for(millis(1));
    network.cut.clear();
    network.send(
        0,
        ours,
        Outgoing {
            unordered: true,
            ..message(0, 2, vec![2])
        },
    );
    network.send(0, ours, message(0, 3, vec![3]));
    network.run_for(Duration::from_secs(1));
    let order: Vec<u32> = network.ppids(1);
    assert_eq!(order, [2, 1, 3]);
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let mut network = Network::new(1);
    let client = network.add(client_config());
    let server = network.add(Config {
        streams: 4,
        ..server_config()
    });
    let (ours, _) = network.associate(client, server);
    let now = network.now;
    let endpoint = &mut network.hosts[client].endpoint;
    let mut send = |association, message| endpoint.send(now, association, message);
    assert_eq!(send(ours, message(0, 0, vec![])), Err(SendError::Empty));
    let large = vec![0; 72 * 1024 + 1];
    assert_eq!(send(ours, message(0, 0, large)), Err(SendError::TooLarge));
    assert_eq!(
        send(ours, message(4, 0, vec![1])),
        Err(SendError::InvalidStream)
    );
    assert_eq!(send(ours, message(3, 0, vec![1])), Ok(()));
    let unknown = AssociationId(99);
    assert_eq!(
        send(unknown, message(0, 0, vec![1])),
        Err(SendError::UnknownAssociation)
    );
}

#[test]
fn queue_is_full_until_the_peer_acknowledges() {
    let (mut network, ours, _) = pair(
        Weather {
            delay: millis(1),
            ..Weather::default()
        },
        1,
    );
    let mut taken = 0;
    loop {
        let endpoint = &mut network.hosts[0].endpoint;
        match endpoint.send(network.now, ours, message(0, 0, vec![0; 60_000])) {
            Ok(()) => taken += 1,
            Err(error) => break assert_eq!(error, SendError::QueueFull),
        }
    }
    assert_eq!((taken, endpoint_queue(&network, 0, ours)), (4, 240_000));
    network.run_for(Duration::from_secs(1));
    assert_eq!(endpoint_queue(&network, 0, ours), 0);
    network.send(0, ours, message(0, 0, vec![0; 60_000]));
}

/// Carries what is there between two hosts by hand: their events are not fetched, so that windows
/// close.
fn carry(network: &mut Network, client: usize, server: usize) {
    for (from, to, source) in [(client, server, address(1)), (server, client, address(2))] {
        network.hosts[from].endpoint.handle_timeout(network.now);
        while let Some(transmit) = network.hosts[from].endpoint.poll_transmit() {
            let endpoint = &mut network.hosts[to].endpoint;
            endpoint.handle_datagram(network.now, source, None, &transmit.payload);
        }
    }
}

#[test]
fn rfc_9260_9_2_a_window_that_stays_closed_does_not_keep_an_association_that_closes() {
    let mut network = Network::new(1);
    let client = network.add(client_config());
    let server = network.add(server_config());
    let (ours, _) = network.associate(client, server);
    while network.hosts[client]
        .endpoint
        .send(network.now, ours, message(0, 0, vec![0; 9_000]))
        .is_ok()
    {
        carry(&mut network, client, server);
    }
    network.hosts[client].endpoint.shutdown(network.now, ours);
    let closed_at = network.now;
    let reason = loop {
        network.now = network.now + Duration::from_millis(20);
        carry(&mut network, client, server);
        let waited = network.now.saturating_duration_since(closed_at);
        assert!(waited < Duration::from_secs(60), "it is kept");
        let endpoint = &mut network.hosts[client].endpoint;
        if let Some(Event::Down { reason, .. }) = endpoint.poll_event() {
            break reason;
        }
    };
    assert_eq!(reason, DownReason::Lost);
}

#[test]
fn a_driver_that_fetches_nothing_closes_the_window() {
    let mut network = Network::new(1);
    let client = network.add(client_config());
    let server = network.add(server_config());
    let (ours, _) = network.associate(client, server);
    // By hand, since the network fetches: the client's packets in, the server's answers out.
    let mut delivered = 0;
    for _ in 0..200 {
        let _ =
            network.hosts[client]
                .endpoint
                .send(network.now, ours, message(0, 0, vec![0; 9_000]));
        while let Some(transmit) = network.hosts[client].endpoint.poll_transmit() {
            delivered += transmit.payload.len();
            let from = address(1);
            network.hosts[server].endpoint.handle_datagram(
                network.now,
                from,
                None,
                &transmit.payload,
            );
        }
        while let Some(transmit) = network.hosts[server].endpoint.poll_transmit() {
            let from = address(2);
            network.hosts[client].endpoint.handle_datagram(
                network.now,
                from,
                None,
                &transmit.payload,
            );
        }
    }
    let mut waiting = 0;
    while let Some(event) = network.hosts[server].endpoint.poll_event() {
        if let Event::Message { data, .. } = event {
            waiting += data.len();
        }
    }
    assert!(delivered > 200_000, "{delivered}");
    assert!((128 * 1024..350 * 1024).contains(&waiting), "{waiting}");
}

#[test]
fn rfc_9260_9_2_shutdown_delivers_what_was_handed_over() {
    for seed in 0..20 {
        let (mut network, ours, theirs) = pair(STORM, seed);
        for n in 0..4 {
            network.send(0, ours, message(0, n, content(n, 50_000)));
        }
        network.hosts[0].endpoint.shutdown(network.now, ours);
        let refused = network.hosts[0]
            .endpoint
            .send(network.now, ours, message(0, 9, vec![1]));
        assert_eq!(refused, Err(SendError::NotConnected));
        network.run_for(Duration::from_secs(30));
        let numbers: Vec<u32> = network.ppids(1);
        assert_eq!(numbers, [0, 1, 2, 3], "seed {seed}");
        assert_eq!(
            network.down(0, ours),
            Some(DownReason::Closed),
            "seed {seed}"
        );
        assert!(network.down(1, theirs).is_some());
        let began = network.hosts[1]
            .events
            .iter()
            .filter(|event| matches!(event, Event::ShutdownByPeer { .. }));
        assert_eq!(began.count(), 1);
        assert_eq!(network.hosts[0].endpoint.associations(), 0);
        assert_eq!(network.hosts[1].endpoint.associations(), 0);
    }
}

#[test]
fn rfc_9260_9_2_peer_that_is_told_to_close_delivers_its_own_first() {
    for seed in 0..20 {
        let (mut network, ours, theirs) = pair(STORM, seed);
        for n in 0..4 {
            network.send(1, theirs, message(0, n, content(n, 50_000)));
        }
        network.hosts[0].endpoint.shutdown(network.now, ours);
        network.run_for(Duration::from_secs(30));
        let numbers: Vec<u32> = network.ppids(0);
        assert_eq!(numbers, [0, 1, 2, 3], "seed {seed}");
        assert!(network.down(0, ours).is_some());
        assert_eq!(
            network.down(1, theirs),
            Some(DownReason::Closed),
            "seed {seed}"
        );
        assert!(network.failed(1).is_empty());
    }
}

#[test]
fn shutdown_from_both_ends_at_once_closes_both() {
    let (mut network, ours, theirs) = pair(
        Weather {
            delay: millis(5),
            ..Weather::default()
        },
        1,
    );
    network.hosts[0].endpoint.shutdown(network.now, ours);
    network.hosts[1].endpoint.shutdown(network.now, theirs);
    network.run_for(Duration::from_secs(1));
    assert_eq!(network.down(0, ours), Some(DownReason::Closed));
    assert_eq!(network.down(1, theirs), Some(DownReason::Closed));
}

/// RFC 9260 §9.2: "If a SHUTDOWN chunk is received ... check the Cumulative TSN Ack".
#[test]
fn rfc_9260_9_2_shutdown_acknowledges_data() {
    let (mut network, ours, theirs) = pair(
        Weather {
            delay: millis(1),
            ..Weather::default()
        },
        1,
    );
    network.send(1, theirs, message(0, 5, vec![5]));
    network.run_for(Duration::from_secs(1));
    // A message whose every SACK is lost.
    network.cut.push(address(2));
    network.record = true;
    network.send(1, theirs, message(0, 6, vec![6]));
    network.run_for(millis(1));
    let data = network.seen.last().unwrap().payload.clone();
    assert_eq!(first_chunk(&data), 0);
    let ports = (network::CLIENT_PORT, network::SERVER_PORT);
    let tag = network.hosts[1].endpoint.local_tag(theirs).unwrap();
    let shutdown = packet(ports, tag, SHUTDOWN, 0, &data[16..20]);
    network.inject(address(1), 1, &shutdown);
    assert_eq!(endpoint_queue(&network, 1, theirs), 0);
    assert_eq!(
        first_chunk(&network.seen.last().unwrap().payload),
        8,
        "SHUTDOWN ACK"
    );
    assert!(network.down(0, ours).is_none());
}

#[test]
fn abort_tells_the_peer_why() {
    let (mut network, ours, theirs) = pair(
        Weather {
            delay: millis(1),
            ..Weather::default()
        },
        1,
    );
    network.hosts[0]
        .endpoint
        .abort(network.now, ours, "out of tea");
    network.run_for(millis(2));
    assert_eq!(network.down(0, ours), Some(DownReason::LocalAbort));
    let reason = DownReason::PeerAborted {
        cause: Some(12),
        reason: "out of tea".into(),
    };
    assert_eq!(network.down(1, theirs), Some(reason));
    let long = "x".repeat(5000);
    let (ours, theirs) = network.associate(0, 1);
    network.hosts[0].endpoint.abort(network.now, ours, &long);
    network.run_for(millis(2));
    let reason = DownReason::PeerAborted {
        cause: Some(12),
        reason: long[..256].into(),
    };
    assert_eq!(network.down(1, theirs), Some(reason));
}

#[test]
fn data_on_a_stream_that_was_not_negotiated_ends_the_association() {
    let (mut network, ours, theirs) = pair(
        Weather {
            delay: millis(1),
            ..Weather::default()
        },
        1,
    );
    network.record = true;
    network.send(0, ours, message(1, 5, vec![5]));
    network.run_for(millis(1));
    let sent = network
        .seen
        .iter()
        .find(|seen| first_chunk(&seen.payload) == 0)
        .unwrap();
    let mut data = sent.payload.clone();
    data[20..22].copy_from_slice(&16_u16.to_be_bytes());
    network.inject(address(1), 1, &network::with_checksum(data));
    assert_eq!(network.down(1, theirs), Some(DownReason::LocalAbort));
    network.run_for(millis(2));
    let reason = DownReason::PeerAborted {
        cause: Some(1),
        reason: String::new(),
    };
    assert_eq!(network.down(0, ours), Some(reason));
}

#[test]
fn same_seed_same_packets() {
    let run = |seed| {
        let mut network = Network::new(seed);
        network.weather = Weather {
            delay: millis(5),
            jitter: millis(5),
            loss: 100,
            duplication: 50,
        };
        let client = network.add(with_timers(client_config(), PATIENT));
        let server = network.add(with_timers(server_config(), PATIENT));
        let (ours, theirs) = network.associate(client, server);
        for n in 0..20 {
            network.send(client, ours, message(0, n, content(n, 3000)));
            network.send(server, theirs, message(1, n, content(n, 100)));
        }
        network.run_for(Duration::from_secs(5));
        network.hosts[client].endpoint.shutdown(network.now, ours);
        network.run_for(Duration::from_secs(5));
        network.seen
    };
    let first = run(7);
    assert!(first.len() > 100);
    assert_eq!(first, run(7));
    assert_ne!(first, run(8));
    assert!(first[0].sent == Timestamp::ZERO);
}
