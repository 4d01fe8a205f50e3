//! Ten thousand associations in one endpoint.

mod network;

use std::net::SocketAddr;
use std::time::Duration;

use network::chunk::HEARTBEAT;
use network::{client_config, millis, server_config, with_timers};
use rserpool_sctp::{Config, Endpoint, Event, Remote, Timers, Timestamp};

const ASSOCIATIONS: u16 = 10_000;

/// Two endpoints; each sees the other at as many addresses as there are associations.
struct Pair {
    now: Timestamp,
    client: Endpoint,
    server: Endpoint,
    /// When heartbeats were sent.
    heartbeats: Vec<Timestamp>,
    wakes: u64,
    up: usize,
    down: usize,
}

fn peer(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    SocketAddr::from(([10, 0, high, low], 9899))
}

impl Pair {
    fn new(config: impl Fn(Config) -> Config) -> Self {
        let mut client = Endpoint::new(config(client_config()), [1; 32]);
        let server = Endpoint::new(config(server_config()), [2; 32]);
        for number in 0..ASSOCIATIONS {
            let remote = Remote {
                udp: vec![peer(number)],
                sctp_port: network::SERVER_PORT,
            };
            client
                .connect(Timestamp::ZERO, remote)
                .expect("room for all");
        }
        let now = Timestamp::ZERO;
        Self {
            now,
            client,
            server,
            heartbeats: Vec::new(),
            wakes: 0,
            up: 0,
            down: 0,
        }
    }

    fn run_until(&mut self, end: Timestamp) {
        loop {
            self.exchange();
            let timeouts = [self.client.poll_timeout(), self.server.poll_timeout()];
            let Some(next) = timeouts
                .into_iter()
                .flatten()
                .min()
                .filter(|next| *next <= end)
            else {
                break;
            };
            self.now = self.now.max(next);
            self.wakes += 1;
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn exchange(&mut self) {
        let mut is_busy = true;
        while is_busy {
            is_busy = false;
            for from_client in [true, false] {
                let (from, to) = if from_client {
                    (&mut self.client, &mut self.server)
                } else {
                    (&mut self.server, &mut self.client)
                };
                while let Some(transmit) = from.poll_transmit() {
                    is_busy = true;
                    if network::first_chunk(&transmit.payload) == HEARTBEAT {
                        self.heartbeats.push(self.now);
                    }
                    to.handle_datagram(self.now, transmit.to, None, &transmit.payload);
                }
                while let Some(event) = from.poll_event() {
                    match event {
                        Event::Up { .. } => self.up += 1,
                        Event::Down { .. } => self.down += 1,
                        Event::Restarted { .. }
                        | Event::Message { .. }
                        | Event::ShutdownByPeer { .. }
                        | Event::Path { .. }
                        | Event::SendFailed { .. } => panic!("{event:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn heartbeats_of_associations_set_up_together_spread_over_time() {
    let mut pair = Pair::new(|config| with_timers(config, Timers::rfc()));
    pair.run_until(Timestamp(Duration::from_secs(150)));
    assert_eq!((pair.up, pair.down), (2 * usize::from(ASSOCIATIONS), 0));
    assert_eq!(pair.server.associations(), usize::from(ASSOCIATIONS));

    let interval = Timers::rfc().heartbeat_interval;
    let in_interval = |n: u32| {
        let begin = Timestamp(interval * n);
        let slot = millis(100);
        let mut slots = vec![0_u32; 300];
        for beat in pair.heartbeats.iter().filter(|beat| **beat >= begin) {
            let at = beat.saturating_duration_since(begin).as_millis() / slot.as_millis();
            if let Some(count) = slots.get_mut(usize::try_from(at).unwrap()) {
                *count += 1;
            }
        }
        slots
    };
    for n in 0..5 {
        let slots = in_interval(n);
        let busiest = *slots.iter().max().unwrap();
        let all: u32 = slots.iter().sum();
        println!("interval {n}: {all} heartbeats, {busiest} in the busiest 100 ms");
        // All at once would be 10,000 in one slot. The first turn is the densest: each end draws
        // from 75 slots, and the earlier of the two asks, which makes 267 in the first of them.
        assert!(busiest < 350, "interval {n}: {busiest}");
    }
    println!("{} heartbeats, {} wakes", pair.heartbeats.len(), pair.wakes);
}

#[test]
fn ten_thousand_silent_peers_are_all_lost_within_the_bound() {
    let mut pair = Pair::new(|config| config);
    pair.run_until(Timestamp(millis(500)));
    assert_eq!(pair.up, 2 * usize::from(ASSOCIATIONS));
    let begin = pair.now;
    let mut lost = 0;
    while let Some(next) = pair.client.poll_timeout() {
        assert!(next <= begin + Timers::lan().detection_bound());
        pair.client.handle_timeout(next);
        while pair.client.poll_transmit().is_some() {}
        while let Some(event) = pair.client.poll_event() {
            assert!(matches!(event, Event::Down { .. }));
            lost += 1;
        }
    }
    assert_eq!((lost, pair.client.associations()), (ASSOCIATIONS, 0));
}
