//! Whatever is cut, as long as one path is up: every message arrives, once and in order.

mod multihomed;
mod network;

use std::time::Duration;

use multihomed::{CLIENT, Pair, SERVER, at};
use network::millis;
use proptest::prelude::*;
use rserpool_sctp::{PathState, Timers};

const NETWORKS: [u8; 3] = [1, 2, 3];

/// A time during which one network works, and what is wrong with the others.
#[derive(Clone, Debug)]
struct Phase {
    whole: usize,
    others: [Fault; 3],
    lasts: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    Cut,
    ToServer,
    ToClient,
}

fn phase() -> impl Strategy<Value = Phase> {
    let fault = || {
        prop_oneof![
            Just(Fault::None),
            Just(Fault::Cut),
            Just(Fault::ToServer),
            Just(Fault::ToClient),
        ]
    };
    let others = [fault(), fault(), fault()];
    (0..3_usize, others, 20..2500_u64).prop_map(|(whole, others, lasts)| Phase {
        whole,
        others,
        lasts: millis(lasts),
    })
}

fn begin(pair: &mut Pair, phase: &Phase) {
    for n in NETWORKS {
        pair.mend(n);
    }
    for (index, n) in NETWORKS.into_iter().enumerate() {
        if index == phase.whole {
            continue;
        }
        let (client, server) = (at(n, 1), at(n, 2));
        match phase.others[index] {
            Fault::None => {}
            Fault::Cut => pair.cut(n),
            Fault::ToServer => pair.network.cut_one_way.push((client, server)),
            Fault::ToClient => pair.network.cut_one_way.push((server, client)),
        }
    }
}

fn suffers(networks: &[u8], timers: Timers, phases: &[Phase], loss: u32, seed: u64) -> Pair {
    let mut pair = Pair::seeded(networks, timers, seed);
    pair.network.record = false;
    pair.network.run_for(timers.rto_initial * 8);
    pair.network.weather.loss = loss;
    pair.network.weather.jitter = millis(1);
    pair.network.weather.duplication = 10;
    for phase in phases {
        begin(&mut pair, phase);
        pair.echo_for(phase.lasts);
    }
    for n in NETWORKS {
        pair.mend(n);
    }
    pair.finish();
    pair
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_is_lost_or_doubled_while_one_path_is_up(
        phases in prop::collection::vec(phase(), 1..12),
        loss in prop_oneof![Just(0), Just(10)],
        is_fast in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let timers = if is_fast { Timers::fast() } else { Timers::lan() };
        let mut pair = suffers(&NETWORKS, timers, &phases, loss, seed);
        // And all paths are found again.
        pair.network.weather.loss = 0;
        pair.network.run_for(timers.heartbeat_interval * 3);
        for n in NETWORKS {
            prop_assert_eq!(pair.state(n), PathState::Active);
            prop_assert_eq!(pair.state_at_server(n), PathState::Active);
        }
        prop_assert_eq!(pair.network.down(CLIENT, pair.ours), None);
        prop_assert_eq!(pair.network.down(SERVER, pair.theirs), None);
    }
}
