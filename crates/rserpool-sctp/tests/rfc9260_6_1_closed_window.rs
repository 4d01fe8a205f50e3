//! RFC 9260 §6.1, §6.2: a receiver that does not take its messages makes its peer wait, for as
//! long as it likes, and nothing is lost or doubled.

mod network;

use std::time::Duration;

use network::{Network, Weather, client_config, message, millis, server_config, with_timers};
use rserpool_sctp::{AssociationId, DownReason, Outgoing, SendError, Timers};

const CLIENT: usize = 0;
const SERVER: usize = 1;
const MESSAGE_OCTETS: usize = 9_000;
const WINDOW_OCTETS: usize = 128 * 1024;

/// The client's and the server's name of their association, whose messages the server holds.
fn held(network: &mut Network) -> (AssociationId, AssociationId) {
    let (ours, theirs) = network.associate(CLIENT, SERVER);
    network.hosts[SERVER].endpoint.hold(theirs);
    (ours, theirs)
}

fn numbered(number: u32) -> Outgoing {
    message(0, number, vec![7; MESSAGE_OCTETS])
}

/// Hands over messages from `next` on, until the queue is full.
fn fill(network: &mut Network, association: AssociationId, next: &mut u32) {
    loop {
        let now = network.now;
        let endpoint = &mut network.hosts[CLIENT].endpoint;
        match endpoint.send(now, association, numbered(*next)) {
            Ok(()) => *next += 1,
            Err(SendError::QueueFull) => return,
            Err(other) => panic!("{other} {:?}", network.hosts[CLIENT].events),
        }
    }
}

/// Until nothing more gets through.
fn fill_all(network: &mut Network, association: AssociationId) -> u32 {
    let mut next = 0;
    for _ in 0..200 {
        fill(network, association, &mut next);
        network.run_for(millis(10));
    }
    next
}

fn release(network: &mut Network, association: AssociationId) {
    let now = network.now;
    network.hosts[SERVER].endpoint.release(now, association);
}

fn all(count: u32) -> Vec<u32> {
    (0..count).collect()
}

#[test]
fn a_receiver_that_takes_nothing_stops_its_sender_and_costs_no_more_than_its_window() {
    for timers in [Timers::lan(), Timers::fast(), Timers::rfc()] {
        let mut network = Network::new(1);
        network.record = false;
        network.add(with_timers(client_config(), timers));
        network.add(with_timers(server_config(), timers));
        let (ours, theirs) = held(&mut network);
        let count = fill_all(&mut network, ours);
        let taken = usize::try_from(count).unwrap() * MESSAGE_OCTETS;
        assert!(taken <= WINDOW_OCTETS + 256 * 1024, "{taken} octets left");
        assert!(network.messages(SERVER).is_empty());
        // Probes are answered for two hours, without anybody losing patience, or memory.
        network.run_for(Duration::from_secs(2 * 3600));
        assert_eq!(network.down(CLIENT, ours), None);
        assert_eq!(network.down(SERVER, theirs), None);
        assert!(network.messages(SERVER).is_empty());
        let mut next = count;
        fill(&mut network, ours, &mut next);
        assert_eq!(next, count, "the sender still waits");
        release(&mut network, theirs);
        network.run_for(Duration::from_secs(5));
        assert_eq!(network.ppids(SERVER), all(count));
        let endpoint = &network.hosts[CLIENT].endpoint;
        assert_eq!(endpoint.send_queue_octets(ours), 0);
    }
}

#[test]
fn rfc_9260_6_2_the_peer_is_told_at_once_that_there_is_room() {
    let mut network = Network::new(1);
    network.add(with_timers(client_config(), Timers::rfc()));
    network.add(with_timers(server_config(), Timers::rfc()));
    let (ours, theirs) = held(&mut network);
    fill_all(&mut network, ours);
    network.run_for(Duration::from_secs(600));
    let in_window = {
        release(&mut network, theirs);
        network.run_for(Duration::ZERO);
        network.messages(SERVER).len()
    };
    assert!(in_window * MESSAGE_OCTETS <= WINDOW_OCTETS);
    // A round trip takes 2 ms, the next probe up to a minute.
    network.run_for(millis(30));
    let after = network.messages(SERVER).len();
    assert!(after > in_window, "{after} of {in_window}");
}

#[test]
fn what_is_held_and_released_in_a_storm_arrives_once_and_in_order() {
    for seed in 0..20 {
        let mut network = Network::new(seed);
        network.record = false;
        let timers = Timers {
            association_max_retrans: 30,
            init_max_retrans: 12,
            ..Timers::lan()
        };
        network.weather = Weather {
            delay: millis(5),
            jitter: millis(5),
            loss: 50,
            duplication: 20,
        };
        network.add(with_timers(client_config(), timers));
        network.add(with_timers(server_config(), timers));
        let (ours, theirs) = held(&mut network);
        let mut next = 0;
        for round in 0..10 {
            fill(&mut network, ours, &mut next);
            network.run_for(Duration::from_secs(3 + round % 3));
            release(&mut network, theirs);
            fill(&mut network, ours, &mut next);
            network.run_for(millis(20 * round));
            network.hosts[SERVER].endpoint.hold(theirs);
        }
        release(&mut network, theirs);
        network.run_for(Duration::from_secs(60));
        assert_eq!(network.down(CLIENT, ours), None, "seed {seed}");
        assert_eq!(network.ppids(SERVER), all(next), "seed {seed}");
    }
}

#[test]
fn a_peer_that_dies_behind_a_closed_window_is_noticed_as_fast_as_any() {
    let mut network = Network::new(1);
    network.add(client_config());
    network.add(server_config());
    let (ours, _) = held(&mut network);
    fill_all(&mut network, ours);
    network.run_for(Duration::from_secs(20));
    network.cut = vec![network::address(2)];
    let bound = Timers::lan().detection_bound();
    let took = network.time_until_down(CLIENT, ours, bound + millis(500));
    assert_eq!(network.down(CLIENT, ours), Some(DownReason::Lost));
    println!("noticed after {took:?}");
}

#[test]
fn rfc_9260_9_2_who_closes_waits_for_a_busy_reader_and_not_for_ever() {
    for (busy, ends_well) in [(20, true), (50, false)] {
        let mut network = Network::new(1);
        network.record = false;
        network.add(client_config());
        network.add(server_config());
        let (ours, theirs) = held(&mut network);
        let count = fill_all(&mut network, ours);
        // Before it closes there is no end to its patience.
        network.run_for(Duration::from_secs(300));
        let now = network.now;
        network.hosts[CLIENT].endpoint.shutdown(now, ours);
        network.run_for(Duration::from_secs(busy));
        release(&mut network, theirs);
        network.run_for(Duration::from_secs(5));
        if ends_well {
            assert_eq!(network.ppids(SERVER), all(count));
            assert_eq!(network.down(CLIENT, ours), Some(DownReason::Closed));
            assert_eq!(network.down(SERVER, theirs), Some(DownReason::Closed));
        } else {
            assert_eq!(network.down(CLIENT, ours), Some(DownReason::Lost));
            assert!(
                !network.failed(CLIENT).is_empty(),
                "its owner has them back"
            );
        }
    }
}

#[test]
fn what_is_held_when_the_peer_closes_or_aborts_is_delivered() {
    for closes in [true, false] {
        let mut network = Network::new(1);
        network.add(client_config());
        network.add(server_config());
        let (ours, theirs) = held(&mut network);
        for number in 0..5 {
            network.send(CLIENT, ours, numbered(number));
        }
        network.run_for(Duration::from_secs(1));
        assert!(network.messages(SERVER).is_empty());
        let now = network.now;
        let endpoint = &mut network.hosts[CLIENT].endpoint;
        if closes {
            endpoint.shutdown(now, ours);
        } else {
            endpoint.abort(now, ours, "enough");
        }
        network.run_for(Duration::from_secs(1));
        assert_eq!(network.ppids(SERVER), all(5));
        assert!(network.down(SERVER, theirs).is_some());
    }
}

#[test]
fn a_closed_window_is_no_fault_of_a_path() {
    let at = |network: u8, host: u8| std::net::SocketAddr::from(([10, network, 0, host], 9899));
    let mut network = Network::new(1);
    network.record = false;
    network.add_multihomed(client_config(), &[at(1, 1), at(2, 1)]);
    network.add_multihomed(server_config(), &[at(1, 2), at(2, 2)]);
    let (ours, theirs) = held(&mut network);
    network.run_for(Duration::from_secs(5));
    let count = fill_all(&mut network, ours);
    network.run_for(Duration::from_secs(600));
    let statistics = network.hosts[CLIENT].endpoint.statistics();
    assert_eq!(statistics.failovers, 0);
    // The path dies while the window is closed: the other one carries on.
    network.cut = vec![at(1, 1), at(1, 2)];
    network.run_for(Duration::from_secs(30));
    assert_eq!(network.down(CLIENT, ours), None);
    release(&mut network, theirs);
    network.run_for(Duration::from_secs(30));
    assert_eq!(network.ppids(SERVER), all(count));
}
