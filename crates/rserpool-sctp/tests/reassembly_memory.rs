//! What incomplete messages cost is bounded over all associations, and who holds most pays.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod network;

use network::chunk::{DATA, INIT};
use network::{
    CLIENT_PORT, Network, SERVER_PORT, Weather, client_config, first_chunk, message, millis,
    packet, server_config, tag_of, with_checksum,
};
use rserpool_sctp::{AssociationId, Config, DownReason, Timers};

/// Corrected to the least that is taken: four receive windows, 512 KiB.
fn small_server() -> Config {
    Config {
        reassembly_octets_max: 0,
        ..server_config()
    }
}

const B: u8 = 2;
const FRAGMENTS_PER_PACKET: u32 = 60;

/// A client that turns on its server.
struct Attacker {
    host: usize,
    server: usize,
    tag: u32,
    tsn: u32,
    is_first: bool,
    /// The server's name for the association.
    there: AssociationId,
}

impl Attacker {
    fn new(network: &mut Network, server: usize) -> Self {
        let host = network.add(client_config());
        let (_, there) = network.associate(host, server);
        let from = network.hosts[host].address;
        let sent = || network.seen.iter().filter(|datagram| datagram.from == from);
        let init = sent()
            .find(|datagram| first_chunk(&datagram.payload) == INIT)
            .unwrap();
        let tsn = u32::from_be_bytes(init.payload[28..32].try_into().unwrap());
        let tag = tag_of(&sent().next_back().unwrap().payload);
        Self {
            host,
            server,
            tag,
            tsn,
            is_first: true,
            there,
        }
    }

    /// Fragments of one octet each of a message that never ends.
    fn send_tiny_fragments(&mut self, network: &mut Network) {
        let ports = (CLIENT_PORT, SERVER_PORT);
        let mut octets = packet(ports, self.tag, 0, 0, &[]);
        octets.truncate(12);
        for _ in 0..FRAGMENTS_PER_PACKET {
            let mut value = self.tsn.to_be_bytes().to_vec();
            value.extend([0; 9]);
            let flags = if std::mem::take(&mut self.is_first) {
                B
            } else {
                0
            };
            octets.extend(&packet(ports, self.tag, DATA, flags, &value)[12..]);
            self.tsn = self.tsn.wrapping_add(1);
        }
        let from = network.hosts[self.host].address;
        network.inject(from, self.server, &with_checksum(octets));
    }
}

#[test]
fn tiny_fragments_cost_their_sender_the_association_and_nobody_else() {
    let mut network = Network::new(1);
    let client = network.add(client_config());
    let server = network.add(small_server());
    let (ours, theirs) = network.associate(client, server);
    let mut attackers: Vec<_> = (0..8)
        .map(|_| Attacker::new(&mut network, server))
        .collect();
    network.record = false;
    network.seen.clear();
    // 8 × 200 × 60 fragments at 130 octets: 12 MiB, if nothing were done.
    for round in 0..200 {
        for attacker in &mut attackers {
            attacker.send_tiny_fragments(&mut network);
        }
        if round % 20 == 0 {
            network.send(client, ours, message(1, 2, vec![9; 60_000]));
            network.run_for(millis(20));
        }
    }
    network.run_for(millis(200));
    for attacker in &attackers {
        let end = network.down(server, attacker.there);
        let Some(DownReason::OutOfResource { remote, octets }) = end else {
            panic!("{end:?}");
        };
        assert_eq!(remote, network.hosts[attacker.host].address);
        assert!(octets <= 512 << 10, "{octets}");
    }
    assert_eq!(network.down(server, theirs), None);
    assert_eq!(network.messages(server).len(), 10);
    let statistics = network.hosts[server].endpoint.statistics();
    assert_eq!(statistics.out_of_memory, 8, "{statistics:?}");
}

#[test]
fn honest_traffic_never_comes_near_however_large_and_small_its_messages() {
    for (seed, loss) in [(1, 0), (2, 50)] {
        let mut network = Network::new(seed);
        network.record = false;
        network.weather = Weather {
            delay: millis(2),
            jitter: millis(1),
            loss,
            duplication: loss,
        };
        let patient = Timers {
            association_max_retrans: 30,
            ..Timers::lan()
        };
        let client = network.add(network::with_timers(client_config(), patient));
        let server = network.add(network::with_timers(small_server(), patient));
        let (ours, theirs) = network.associate(client, server);
        let mut sent = 0;
        while sent < 800 {
            let octets = if sent % 10 == 0 {
                70_000
            } else {
                1 + sent % 300
            };
            let stream = u16::try_from(sent % 16).unwrap();
            let outgoing = message(stream, 0, vec![1; octets]);
            let endpoint = &mut network.hosts[client].endpoint;
            if endpoint.send(network.now, ours, outgoing).is_ok() {
                sent += 1;
            } else {
                network.step();
            }
        }
        network.run_for(millis(5_000));
        assert_eq!(network.down(server, theirs), None);
        assert_eq!(network.messages(server).len(), 800);
    }
}
