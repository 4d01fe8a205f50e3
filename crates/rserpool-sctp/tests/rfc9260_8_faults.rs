//! RFC 9260 §8: silent peers, packets out of the blue; §10: ICMP.

mod network;

use std::time::Duration;

use network::chunk::{
    ABORT, COOKIE_ACK, DATA, HEARTBEAT, HEARTBEAT_ACK, INIT, SHUTDOWN_ACK, SHUTDOWN_COMPLETE,
};
use network::{
    CLIENT_PORT, Network, SERVER_PORT, address, client_config, first_chunk, message, millis,
    packet, server_config, tag_of, with_checksum, with_timers,
};
use rserpool_sctp::{AssociationId, DownReason, Event, Timers};

fn pair(seed: u64, timers: Timers) -> (Network, AssociationId, AssociationId) {
    let mut network = Network::new(seed);
    let client = network.add(with_timers(client_config(), timers));
    let server = network.add(with_timers(server_config(), timers));
    let (ours, theirs) = network.associate(client, server);
    (network, ours, theirs)
}

fn heartbeats(network: &Network) -> usize {
    network
        .seen
        .iter()
        .filter(|seen| first_chunk(&seen.payload) == HEARTBEAT)
        .count()
}

/// The longest time from the cut to `Down(Lost)` over many phases of the heartbeat.
fn longest_detection(timers: Timers, with_traffic: bool) -> Duration {
    let mut longest = Duration::ZERO;
    for seed in 0..20 {
        let (mut network, ours, theirs) = pair(seed.into(), timers);
        network.run_for(timers.heartbeat_interval * seed / 7);
        network.cut.push(address(1));
        if with_traffic {
            network.send(0, ours, message(0, 0, vec![0; 100]));
            network.send(1, theirs, message(0, 0, vec![0; 100]));
        }
        let begin = network.now;
        let bound = timers.detection_bound();
        network.time_until_down(0, ours, bound);
        while network.down(1, theirs).is_none() {
            assert!(network.now.saturating_duration_since(begin) <= bound);
            network.step();
        }
        longest = longest.max(network.now.saturating_duration_since(begin));
        assert_eq!(network.down(0, ours), Some(DownReason::Lost));
        assert_eq!(network.down(1, theirs), Some(DownReason::Lost));
    }
    longest
}

#[test]
fn silent_peer_is_lost_within_two_seconds_with_lan_timers() {
    let idle = longest_detection(Timers::lan(), false);
    let busy = longest_detection(Timers::lan(), true);
    println!("lan: idle {idle:?}, with traffic {busy:?}");
    assert!(idle <= Duration::from_secs(2) && busy <= Duration::from_secs(2));
    assert!(
        idle >= millis(1000),
        "not so quick that a pause of the peer ends it: {idle:?}"
    );
}

#[test]
fn silent_peer_is_lost_within_half_a_second_with_fast_timers() {
    let idle = longest_detection(Timers::fast(), false);
    let busy = longest_detection(Timers::fast(), true);
    println!("fast: idle {idle:?}, with traffic {busy:?}");
    assert!(idle <= millis(500) && busy <= millis(500));
}

#[test]
fn silent_peer_is_lost_within_the_bound_with_rfc_timers() {
    let bound = Timers::rfc().detection_bound();
    let idle = longest_detection(Timers::rfc(), false);
    let busy = longest_detection(Timers::rfc(), true);
    println!("rfc: idle {idle:?}, with traffic {busy:?}, bound {bound:?}");
    assert!(idle <= bound && busy <= bound);
    assert!(idle > Duration::from_secs(200), "{idle:?}");
}

#[test]
fn living_peer_is_never_lost() {
    for timers in [Timers::lan(), Timers::fast()] {
        let (mut network, ours, theirs) = pair(1, timers);
        network.record = false;
        network.weather.loss = 20;
        network.run_for(Duration::from_secs(600));
        assert!(network.down(0, ours).is_none() && network.down(1, theirs).is_none());
    }
}

#[test]
fn slow_network_is_measured_and_not_taken_for_a_dead_peer() {
    let (mut network, ours, _) = pair(1, Timers::lan());
    network.record = false;
    network.weather.delay = millis(200);
    network.run_for(Duration::from_secs(60));
    assert!(
        network.down(0, ours).is_none(),
        "round trip of 400 ms, RTO.Min of 100 ms"
    );
}

#[test]
fn of_two_idle_ends_only_one_asks() {
    let (mut network, ..) = pair(1, Timers::lan());
    network.seen.clear();
    network.run_for(Duration::from_secs(100));
    let beats = heartbeats(&network);
    // Each wait is between 375 and 750 ms, and the sooner of the two ends it.
    assert!((133..267).contains(&beats), "{beats}");
    let acks = network
        .seen
        .iter()
        .filter(|seen| first_chunk(&seen.payload) == HEARTBEAT_ACK);
    assert_eq!(acks.count(), beats);
}

#[test]
fn late_driver_reads_what_has_arrived_before_it_gives_up() {
    let mut network = Network::new(1);
    network.add(client_config());
    let patient = Timers {
        association_max_retrans: 30,
        ..Timers::lan()
    };
    network.add(with_timers(server_config(), patient));
    let (ours, theirs) = network.associate(0, 1);
    network.weather.delay = millis(20);
    network.send(0, ours, message(0, 0, vec![0; 1000]));
    for ppid in 0..10 {
        network.send(1, theirs, message(0, ppid, vec![0; 1000]));
    }
    // The client stands still; in its socket are ten packets before the acknowledgement.
    network.stopped = Some(0);
    network.run_for(millis(700));
    network.go_on();
    network.run_for(Duration::from_secs(5));
    assert_eq!(network.down(0, ours), None);
    assert_eq!(network.down(1, theirs), None);
    assert_eq!(
        (network.messages(0).len(), network.messages(1).len()),
        (10, 1)
    );
}

#[test]
fn late_driver_gives_the_peer_time_to_answer() {
    let (mut network, ours, theirs) = pair(1, Timers::lan());
    // The message is lost, and all retransmissions of it come due while the client stands still.
    network.cut.push(address(1));
    network.send(0, ours, message(0, 0, vec![0; 1000]));
    network.run_for(millis(5));
    network.stopped = Some(0);
    network.run_for(millis(700));
    network.cut.clear();
    network.go_on();
    network.run_for(Duration::from_secs(5));
    assert_eq!(network.down(0, ours), None);
    assert_eq!(network.down(1, theirs), None);
    assert_eq!(network.messages(1).len(), 1);
}

#[test]
fn probe_finds_a_dead_peer_within_three_rtos() {
    let (mut network, ours, _) = pair(1, Timers::lan());
    network.cut.push(address(2));
    network.hosts[0].endpoint.probe(network.now, ours);
    let took = network.time_until_down(0, ours, Duration::from_secs(1));
    assert_eq!(
        (network.down(0, ours), took),
        (Some(DownReason::Lost), millis(300))
    );
}

#[test]
fn probe_of_a_living_peer_costs_one_heartbeat_a_second_at_most() {
    let (mut network, ours, _) = pair(1, Timers::rfc());
    network.seen.clear();
    for _ in 0..100 {
        network.hosts[0].endpoint.probe(network.now, ours);
        network.run_for(millis(20));
    }
    assert_eq!(heartbeats(&network), 2);
    network.run_for(Duration::from_secs(5));
    assert!(network.down(0, ours).is_none());
    network.hosts[0]
        .endpoint
        .probe(network.now, AssociationId(77));
}

#[test]
fn forged_heartbeat_ack_does_not_keep_a_probed_peer_alive() {
    let (mut network, ours, _) = pair(1, Timers::lan());
    network.cut.push(address(2));
    let tag = network.hosts[0].endpoint.local_tag(ours).unwrap();
    network.hosts[0].endpoint.probe(network.now, ours);
    network.run_for(millis(150));
    let info = [0, 1, 0, 12, 0, 0, 0, 0, 0, 0, 0, 1];
    network.inject(
        address(2),
        0,
        &packet((SERVER_PORT, CLIENT_PORT), tag, HEARTBEAT_ACK, 0, &info),
    );
    network.run_for(millis(160));
    assert_eq!(network.down(0, ours), Some(DownReason::Lost));
}

#[test]
fn rfc_9260_8_4_strangers_are_told_that_they_are_unknown() {
    let (mut network, ..) = pair(1, Timers::lan());
    let ports = (CLIENT_PORT, SERVER_PORT);
    for (kind, expected) in [
        (DATA, Some(ABORT)),
        (HEARTBEAT, Some(ABORT)),
        (ABORT, None),
        (SHUTDOWN_ACK, Some(SHUTDOWN_COMPLETE)),
        (SHUTDOWN_COMPLETE, None),
        (COOKIE_ACK, None),
    ] {
        network.seen.clear();
        network.inject(
            address(77),
            1,
            &packet(ports, 0xdead_beef, kind, 0, &[0; 16]),
        );
        let answers: Vec<_> = network
            .seen
            .iter()
            .map(|seen| {
                (
                    seen.to,
                    first_chunk(&seen.payload),
                    seen.payload[13],
                    tag_of(&seen.payload),
                )
            })
            .collect();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|kind| (address(77), kind, 1, 0xdead_beef))
            .collect();
        assert_eq!(answers, expected, "chunk type {kind}");
    }
    assert_eq!(network.hosts[1].endpoint.statistics().out_of_the_blue, 6);
    assert_eq!(network.hosts[1].endpoint.associations(), 1);
}

#[test]
fn answers_to_strangers_are_limited() {
    let (mut network, ..) = pair(1, Timers::lan());
    network.seen.clear();
    let stranger = packet((CLIENT_PORT, SERVER_PORT), 5, DATA, 0, &[0; 16]);
    for _ in 0..10_000 {
        network.inject(address(77), 1, &stranger);
    }
    assert_eq!(network.seen.len(), 2000);
    let statistics = network.hosts[1].endpoint.statistics();
    assert_eq!(statistics.responses_suppressed, 8000);
}

#[test]
fn a_packet_with_the_wrong_ports_or_tag_touches_no_association() {
    let (mut network, _, theirs) = pair(1, Timers::lan());
    let tag = network.hosts[1].endpoint.local_tag(theirs).unwrap();
    for (ports, tag) in [
        ((CLIENT_PORT, SERVER_PORT + 1), tag),
        ((CLIENT_PORT + 1, SERVER_PORT), tag),
        ((CLIENT_PORT, SERVER_PORT), tag ^ 0x8000_0000),
    ] {
        network.inject(address(1), 1, &packet(ports, tag, ABORT, 0, &[]));
    }
    assert!(network.down(1, theirs).is_none());
    assert_eq!(network.hosts[1].endpoint.statistics().out_of_the_blue, 3);
}

#[test]
fn rfc_9260_6_8_every_flipped_bit_is_noticed() {
    let (mut network, ours, theirs) = pair(1, Timers::lan());
    network.seen.clear();
    network.send(0, ours, message(0, 1, b"abc".to_vec()));
    network.run_for(Duration::ZERO);
    network.cut.push(address(1));
    let data = network.seen[0].payload.clone();
    assert_eq!(first_chunk(&data), DATA);
    let before = network.hosts[1].endpoint.statistics();
    for bit in 0..data.len() * 8 {
        let mut flipped = data.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        network.inject(address(1), 1, &flipped);
    }
    let after = network.hosts[1].endpoint.statistics();
    let dropped = after.bad_checksum + after.malformed - before.bad_checksum - before.malformed;
    assert_eq!(dropped, u64::try_from(data.len() * 8).unwrap());
    assert!(network.messages(1).is_empty());
    assert!(network.down(1, theirs).is_none());
}

/// What ICMP may return: the last packet to the server.
fn last_packet_to_server(network: &Network) -> Vec<u8> {
    let mut latest = network.seen.iter().rev();
    let last = latest
        .find(|seen| seen.to == address(2))
        .expect("the client has sent");
    last.payload.clone()
}

#[test]
fn rfc_9260_10_icmp_with_our_tag_ends_the_association_at_once() {
    let (mut network, ours, _) = pair(1, Timers::lan());
    let original = last_packet_to_server(&network);
    let endpoint = &mut network.hosts[0].endpoint;
    endpoint.handle_unreachable(network.now, address(2), &original[..8]);
    network.run_for(Duration::ZERO);
    assert_eq!(network.down(0, ours), Some(DownReason::Unreachable));
}

#[test]
fn rfc_9260_10_icmp_that_does_not_fit_is_ignored() {
    let (mut network, ours, _) = pair(1, Timers::lan());
    let original = last_packet_to_server(&network);
    let changed = |at: usize| {
        let mut changed = original.clone();
        changed[at] ^= 1;
        changed
    };
    let now = network.now;
    let endpoint = &mut network.hosts[0].endpoint;
    for wrong in [
        &changed(1)[..],
        &changed(3),
        &changed(4),
        &changed(7),
        &original[..7],
        &[],
    ] {
        endpoint.handle_unreachable(now, address(2), wrong);
    }
    endpoint.handle_unreachable(now, address(3), &original);
    let mut tag_zero = original.clone();
    tag_zero[4..8].fill(0);
    endpoint.handle_unreachable(now, address(2), &tag_zero);
    // The INIT of before: its Initiate Tag is right, but the peer has answered since.
    let init = network.seen[0].payload.clone();
    assert_eq!(first_chunk(&init), INIT);
    endpoint.handle_unreachable(now, address(2), &init);
    assert_eq!(endpoint.statistics().icmp_ignored, 9);
    network.run_for(millis(1));
    assert!(network.down(0, ours).is_none());
}

#[test]
fn rfc_9260_10_icmp_for_an_init_needs_the_initiate_tag() {
    let mut network = Network::new(1);
    let client = network.add(client_config());
    let ours = network.connect_to(client, &[address(9)]);
    network.run_for(Duration::ZERO);
    let init = network.seen[0].payload.clone();
    let mut forged = init.clone();
    forged[16] ^= 1;
    for (returned, is_believed) in [(&init[..8], false), (&forged, false), (&init[..20], true)] {
        network.hosts[client]
            .endpoint
            .handle_unreachable(network.now, address(9), returned);
        network.run_for(Duration::ZERO);
        let expected = is_believed.then_some(DownReason::Unreachable);
        assert_eq!(network.down(client, ours), expected);
    }
}

#[test]
fn lost_association_hands_its_messages_back_in_order() {
    let (mut network, ours, _) = pair(1, Timers::lan());
    network.cut.push(address(1));
    for n in 0..5 {
        network.send(0, ours, message(0, n, vec![0; 30_000]));
    }
    network.time_until_down(0, ours, Duration::from_secs(1));
    assert_eq!(network.failed(0), [0, 1, 2, 3, 4]);
    assert!(matches!(
        network.hosts[0].events.last(),
        Some(Event::Down { .. })
    ));
}

#[test]
fn bundling_that_the_rfc_forbids_is_dropped() {
    let (mut network, _, theirs) = pair(1, Timers::lan());
    let tag = network.hosts[1].endpoint.local_tag(theirs).unwrap();
    let ports = (CLIENT_PORT, SERVER_PORT);
    for (first, second) in [
        (INIT, DATA),
        (2, DATA),
        (14, DATA),
        (DATA, 10),
        (DATA, INIT),
    ] {
        let mut octets = packet(ports, tag, first, 0, &[1; 16]);
        octets.extend(&packet(ports, tag, second, 0, &[1; 16])[12..]);
        network.inject(address(1), 1, &with_checksum(octets));
    }
    network.inject(address(1), 1, &packet(ports, 0, DATA, 0, &[1; 16]));
    assert_eq!(network.hosts[1].endpoint.statistics().malformed, 6);
    assert!(network.down(1, theirs).is_none());
}
