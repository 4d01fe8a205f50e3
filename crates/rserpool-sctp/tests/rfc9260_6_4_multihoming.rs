//! RFC 9260 §6.4, §8.2, §8.3 and RFC 7829: several paths, of which some fail.

mod multihomed;
mod network;

use std::time::Duration;

use multihomed::{CLIENT, Pair, SERVER, at};
use network::chunk::{DATA, HEARTBEAT};
use network::{Network, client_config, first_chunk, message, millis, server_config};
use rserpool_sctp::{AssociationId, DownReason, PathState, SetPrimaryError, Timers};

/// The longest time an echo takes when the path is cut under load, over many phases of the cut.
fn interruption(timers: Timers) -> Duration {
    let mut longest = Duration::ZERO;
    for phase in 0..20 {
        let mut pair = Pair::verified(&[1, 2], timers);
        pair.network.record = false;
        pair.echo_for(millis(500) + Duration::from_micros(137) * phase);
        pair.cut(1);
        pair.echo_for(Duration::from_secs(2));
        assert_eq!(pair.used(), 2);
        pair.finish();
        longest = longest.max(pair.slowest());
    }
    longest
}

/// The same with an echo now and then, so that neither end has noticed the cut before the other.
fn interruption_of_a_lone_echo(timers: Timers) -> Duration {
    let mut longest = Duration::ZERO;
    for phase in 0..20 {
        let mut pair = Pair::verified(&[1, 2], timers);
        pair.network.run_for(timers.heartbeat_interval / 20 * phase);
        pair.cut(1);
        pair.echo_for(millis(1));
        pair.finish();
        longest = longest.max(pair.slowest());
    }
    longest
}

#[test]
fn rfc_7829_3_2_cut_before_a_lone_echo_holds_it_up_at_each_end() {
    let lan = interruption_of_a_lone_echo(Timers::lan());
    let fast = interruption_of_a_lone_echo(Timers::fast());
    println!("a lone echo after a cut takes at most: lan {lan:?}, fast {fast:?}");
    assert!(
        lan <= millis(300) && fast <= millis(150),
        "{lan:?} {fast:?}"
    );
}

#[test]
fn rfc_7829_3_2_cut_under_load_interrupts_for_at_most_300_ms_with_lan_timers() {
    let longest = interruption(Timers::lan());
    println!("lan: a path cut under load holds an echo up for {longest:?} at most");
    assert!(longest <= millis(300), "{longest:?}");
}

#[test]
fn rfc_7829_3_2_cut_under_load_interrupts_for_at_most_150_ms_with_fast_timers() {
    let longest = interruption(Timers::fast());
    println!("fast: a path cut under load holds an echo up for {longest:?} at most");
    assert!(longest <= millis(150), "{longest:?}");
}

#[test]
fn rfc_7829_3_2_cut_under_load_interrupts_for_few_seconds_with_rfc_timers() {
    let longest = interruption(Timers::rfc());
    println!("rfc: a path cut under load holds an echo up for {longest:?} at most");
    assert!(longest <= millis(3000), "{longest:?}");
}

#[test]
fn rfc_9260_6_4_data_returns_to_the_primary_path_when_it_answers_again() {
    let mut pair = Pair::verified(&[1, 2], Timers::lan());
    pair.echo_for(millis(200));
    pair.cut(1);
    pair.echo_for(Duration::from_secs(2));
    assert_eq!((pair.used(), pair.state(1)), (2, PathState::Inactive));
    pair.mend(1);
    pair.echo_for(Duration::from_secs(1));
    assert_eq!((pair.used(), pair.state(1)), (1, PathState::Active));
    pair.cut(2);
    pair.echo_for(Duration::from_secs(2));
    assert_eq!((pair.used(), pair.state(2)), (1, PathState::Inactive));
    pair.finish();
    let (one, two) = (at(1, 2), at(2, 2));
    assert_eq!(
        pair.events(CLIENT),
        [
            (two, PathState::Active),
            (one, PathState::PotentiallyFailed),
            (one, PathState::Inactive),
            (one, PathState::Active),
            (two, PathState::PotentiallyFailed),
            (two, PathState::Inactive),
        ]
    );
    let statistics = pair.network.hosts[CLIENT].endpoint.statistics();
    assert_eq!(statistics.failovers, 1);
}

#[test]
fn rfc_9260_6_4_1_the_retransmission_itself_takes_the_other_path() {
    let mut pair = Pair::verified(&[1, 2], Timers::lan());
    pair.cut(1);
    let begin = pair.network.now;
    pair.network.seen.clear();
    let ours = pair.ours;
    pair.network.send(CLIENT, ours, message(0, 7, vec![7; 100]));
    pair.network.run_for(millis(150));
    let data: Vec<_> = pair
        .network
        .seen
        .iter()
        .filter(|seen| first_chunk(&seen.payload) == DATA)
        .map(|seen| (seen.sent.saturating_duration_since(begin), seen.to))
        .collect();
    assert_eq!(data, [(Duration::ZERO, at(1, 2)), (millis(100), at(2, 2))]);
    assert_eq!(pair.network.ppids(SERVER), [7]);
}

#[test]
fn one_way_cut_is_gone_round_in_either_direction() {
    for to_client in [false, true] {
        let mut pair = Pair::verified(&[1, 2], Timers::lan());
        pair.network.record = false;
        pair.echo_for(millis(500));
        let way = if to_client {
            (at(1, 2), at(1, 1))
        } else {
            (at(1, 1), at(1, 2))
        };
        pair.network.cut_one_way.push(way);
        pair.echo_for(Duration::from_secs(3));
        pair.mend(1);
        pair.echo_for(Duration::from_secs(2));
        assert_eq!(pair.used(), 1);
        pair.finish();
        println!("one way, to the client {to_client}: {:?}", pair.slowest());
        assert!(pair.slowest() <= millis(500), "{:?}", pair.slowest());
    }
}

#[test]
fn flapping_path_loses_nothing_and_holds_up_for_a_bounded_time() {
    for period in [30, 130, 400, 900] {
        let mut pair = Pair::verified(&[1, 2], Timers::lan());
        pair.network.record = false;
        for _ in 0..20 {
            pair.cut(1);
            pair.echo_for(millis(period));
            pair.mend(1);
            pair.echo_for(millis(period));
        }
        pair.finish();
        println!("flapping every {period} ms: {:?}", pair.slowest());
        assert!(pair.slowest() <= millis(700), "{:?}", pair.slowest());
    }
}

#[test]
fn rfc_9260_8_1_with_all_paths_cut_the_association_is_lost_within_the_bound() {
    for (timers, with_traffic) in [
        (Timers::lan(), false),
        (Timers::lan(), true),
        (Timers::fast(), false),
        (Timers::fast(), true),
    ] {
        let mut pair = Pair::verified(&[1, 2], timers);
        pair.cut(1);
        pair.cut(2);
        let begin = pair.network.now;
        let (ours, theirs) = (pair.ours, pair.theirs);
        if with_traffic {
            pair.network.send(CLIENT, ours, message(0, 0, vec![0; 100]));
            pair.network
                .send(SERVER, theirs, message(0, 0, vec![0; 100]));
        }
        let bound = timers.detection_bound();
        pair.network.time_until_down(CLIENT, ours, bound);
        pair.network.time_until_down(SERVER, theirs, bound);
        let took = pair.network.now.saturating_duration_since(begin);
        println!("all cut, with traffic {with_traffic}: lost after {took:?}, bound {bound:?}");
        assert!(took <= bound);
        assert_eq!(pair.network.down(CLIENT, ours), Some(DownReason::Lost));
        assert_eq!(pair.network.down(SERVER, theirs), Some(DownReason::Lost));
    }
}

#[test]
fn rfc_9260_8_1_one_path_of_eight_keeps_the_association() {
    let networks = [1, 2, 4, 5, 6, 7, 8, 9];
    let mut pair = Pair::verified(&networks, Timers::lan());
    pair.network.record = false;
    pair.echo_for(millis(100));
    for n in &networks[..7] {
        pair.cut(*n);
    }
    pair.echo_for(Duration::from_secs(5));
    assert_eq!(pair.used(), 9);
    pair.finish();
    println!("seven of eight paths cut at once: {:?}", pair.slowest());
    assert!(pair.slowest() <= millis(1000), "{:?}", pair.slowest());
}

#[test]
fn one_path_of_ipv4_and_one_of_ipv6() {
    for (networks, cut) in [([1, 3], 1), ([3, 1], 3)] {
        let mut pair = Pair::verified(&networks, Timers::fast());
        pair.echo_for(millis(100));
        pair.cut(cut);
        pair.echo_for(Duration::from_secs(1));
        assert_eq!(pair.used(), networks[1]);
        pair.finish();
        assert!(pair.slowest() <= millis(150), "{:?}", pair.slowest());
    }
}

#[test]
fn idle_paths_are_asked_and_their_failure_is_told() {
    let timers = Timers::lan();
    let mut pair = Pair::verified(&[1, 2], timers);
    pair.network.run_for(Duration::from_secs(20));
    pair.cut(2);
    pair.network
        .run_for(timers.heartbeat_interval + timers.rto_min * 3 + millis(5));
    assert_eq!(pair.state(2), PathState::Inactive);
    assert_eq!(pair.state_at_server(2), PathState::Inactive);
    pair.mend(2);
    pair.network.run_for(timers.heartbeat_interval + millis(5));
    assert_eq!(pair.state(2), PathState::Active);
    assert_eq!(pair.network.down(CLIENT, pair.ours), None);
}

#[test]
fn heartbeats_of_idle_paths_have_jitter_and_a_rate() {
    let mut pair = Pair::verified(&[1, 2], Timers::lan());
    pair.network.seen.clear();
    pair.network.run_for(Duration::from_secs(100));
    for (from, to) in [(1, 2), (2, 1)] {
        for n in [1, 2] {
            let beats = pair.network.seen.iter().filter(|seen| {
                first_chunk(&seen.payload) == HEARTBEAT
                    && (seen.from, seen.to) == (at(n, from), at(n, to))
            });
            let beats: Vec<_> = beats.map(|seen| seen.sent).collect();
            let mut gaps: Vec<_> = beats
                .windows(2)
                .map(|two| two[1].saturating_duration_since(two[0]))
                .collect();
            gaps.sort_unstable();
            // A jittered interval after each answer, which takes 2 ms.
            assert!((130..=270).contains(&beats.len()), "{}", beats.len());
            assert!(gaps[0] >= millis(375) && gaps[gaps.len() - 1] <= millis(755));
            assert!(gaps[gaps.len() - 1] > gaps[0] + millis(100), "{gaps:?}");
        }
    }
}

#[test]
fn the_owner_may_choose_the_primary_path() {
    let mut pair = Pair::verified(&[1, 2], Timers::lan());
    let (now, ours) = (pair.network.now, pair.ours);
    let client = &mut pair.network.hosts[CLIENT].endpoint;
    assert_eq!(client.set_primary(now, ours, None, at(2, 2)), Ok(()));
    assert_eq!(
        client.set_primary(now, ours, None, at(9, 2)),
        Err(SetPrimaryError::NoSuchPath)
    );
    assert_eq!(
        client.set_primary(now, AssociationId(77), None, at(2, 2)),
        Err(SetPrimaryError::UnknownAssociation)
    );
    assert_eq!(pair.used(), 2);
    pair.cut(2);
    pair.echo_for(Duration::from_secs(2));
    assert_eq!(pair.used(), 1);
    pair.mend(2);
    pair.echo_for(Duration::from_secs(2));
    assert_eq!(pair.used(), 2);
    pair.finish();
}

#[test]
fn client_of_several_addresses_and_a_server_of_one() {
    let mut network = Network::new(1);
    let client = [at(1, 1), at(2, 1)];
    network.add_multihomed(client_config(), &client);
    let server = network.add(server_config());
    network.hosts[server].address = at(1, 2);
    let (ours, theirs) = network.associate(CLIENT, SERVER);
    network.run_for(millis(500));
    let paths = network.hosts[CLIENT].endpoint.paths(ours);
    let locals: Vec<_> = paths.iter().map(|path| (path.local, path.state)).collect();
    let (one, two) = (Some(client[0].ip()), Some(client[1].ip()));
    assert_eq!(locals, [(one, PathState::Active), (two, PathState::Active)]);
    assert_eq!(network.hosts[SERVER].endpoint.paths(theirs).len(), 2);
    network.cut.push(client[0]);
    network.send(CLIENT, ours, message(0, 1, vec![1]));
    network.run_for(millis(150));
    network.send(SERVER, theirs, message(0, 2, vec![2]));
    network.run_for(millis(250));
    assert_eq!(
        (network.ppids(SERVER), network.ppids(CLIENT)),
        (vec![1], vec![2])
    );
    network.run_for(Duration::from_secs(30));
    assert_eq!(network.down(CLIENT, ours), None);
}

#[test]
fn closing_in_good_order_takes_the_path_that_works() {
    for closer in [CLIENT, SERVER] {
        let mut pair = Pair::verified(&[1, 2], Timers::lan());
        pair.cut(1);
        let association = [pair.ours, pair.theirs][closer];
        let now = pair.network.now;
        pair.network.hosts[closer]
            .endpoint
            .shutdown(now, association);
        pair.network.run_for(Duration::from_secs(2));
        let closed = Some(DownReason::Closed);
        assert_eq!(pair.network.down(CLIENT, pair.ours), closed);
        assert_eq!(pair.network.down(SERVER, pair.theirs), closed);
    }
}

#[test]
fn rfc_9260_10_icmp_ends_a_path_and_the_last_one_the_association() {
    let mut pair = Pair::verified(&[1, 2], Timers::lan());
    pair.network.seen.clear();
    let ours = pair.ours;
    pair.network.send(CLIENT, ours, message(0, 1, vec![1]));
    pair.network.run_for(millis(5));
    let packet = pair.network.seen[0].payload.clone();
    let now = pair.network.now;
    let client = &mut pair.network.hosts[CLIENT].endpoint;
    client.handle_unreachable(now, at(1, 2), &packet);
    assert_eq!(pair.state(1), PathState::Inactive);
    assert_eq!(pair.used(), 2);
    // It was wrong: the next heartbeat is answered.
    pair.network.run_for(Duration::from_secs(1));
    assert_eq!((pair.used(), pair.state(1)), (1, PathState::Active));
    let now = pair.network.now;
    let client = &mut pair.network.hosts[CLIENT].endpoint;
    client.handle_unreachable(now, at(1, 2), &packet);
    client.handle_unreachable(now, at(2, 2), &packet);
    pair.network.run_for(Duration::ZERO);
    let down = pair.network.down(CLIENT, ours);
    assert_eq!(down, Some(DownReason::Unreachable));
}

#[test]
fn large_messages_survive_cuts_in_the_middle() {
    let mut pair = Pair::verified(&[1, 2], Timers::lan());
    pair.network.record = false;
    let data: Vec<u8> = (0..60_000_u32).map(|n| n.to_be_bytes()[3]).collect();
    for ppid in 0..20 {
        let ours = pair.ours;
        pair.network
            .send(CLIENT, ours, message(1, ppid, data.clone()));
        let n = if ppid % 2 == 0 { 1 } else { 2 };
        pair.network.run_for(millis(3));
        pair.cut(n);
        pair.network.run_for(millis(900));
        pair.mend(n);
        pair.network.run_for(millis(900));
    }
    pair.network.run_for(Duration::from_secs(5));
    let received = pair.network.messages(SERVER);
    assert_eq!(received.len(), 20);
    for ((_, ppid, octets), expected) in received.iter().zip(0..) {
        assert_eq!(*ppid, expected);
        assert!(*octets == data);
    }
}
