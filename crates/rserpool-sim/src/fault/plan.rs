//! The faults of one run: drawn before it starts, so that they do not depend on what happens.

use super::FaultKind;
use crate::Scenario;
use crate::node::{NodeId, Roster};
use crate::random::Random;
use rserpool_core::Timestamp;
use std::fmt;
use std::time::Duration;

/// One fault: what goes wrong with whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// With whom. A partition has its own choice of nodes, all of which are here.
    pub nodes: Vec<NodeId>,
    /// For how long: until the process is back, until the link is healed. `None`: for good, or at
    /// least until faults stop.
    pub lasts: Option<Duration>,
    /// How much: the jump of a clock, the delay of a slow link.
    pub amount: Duration,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        if let Some(lasts) = self.lasts {
            write!(f, " for {lasts:?}")?;
        }
        if !self.amount.is_zero() {
            write!(f, " by {:?}", self.amount)?;
        }
        Ok(())
    }
}

/// A fault and its time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Planned {
    pub(crate) at: Timestamp,
    pub(crate) fault: Fault,
}

/// Draws the faults of one run.
pub(crate) fn plan(scenario: &Scenario, roster: &Roster, random: &mut Random) -> Vec<Planned> {
    let mut planned = Vec::new();
    for kind in scenario.faults.iter() {
        let most = if matches!(kind, FaultKind::Policy | FaultKind::Leave) {
            12
        } else if matches!(kind, FaultKind::Clog | FaultKind::ClogOneWay) {
            16
        } else {
            4
        };
        let count = 1 + random.below(most);
        for _ in 0..count {
            let at = Timestamp(random.between(Duration::ZERO, scenario.duration));
            if let Some(fault) = draw(kind, scenario, roster, random) {
                planned.push(Planned { at, fault });
            }
        }
    }
    planned.sort_by_key(|planned| planned.at);
    planned
}

fn draw(
    kind: FaultKind,
    scenario: &Scenario,
    roster: &Roster,
    random: &mut Random,
) -> Option<Fault> {
    let timers = scenario.preset.timers();
    let longest = scenario.duration / 4;
    // Short ones meet what is under way, long ones what gives up.
    let lasts = match random.below(3) {
        0 => random.between(Duration::from_millis(10), timers.keep_alive_timeout * 2),
        1 => random.between(timers.keep_alive_timeout, timers.registration_life),
        _ => random.between(Duration::from_millis(10), longest),
    };
    let mut lasts = Some(lasts.min(longest));
    let mut amount = Duration::ZERO;
    let nodes = match kind {
        FaultKind::Crash | FaultKind::Vanish | FaultKind::Stop => {
            let node = draw_node(roster, random)?;
            if !roster.is_registrar(node) && random.percent(30) {
                lasts = None;
            }
            vec![node]
        }
        FaultKind::Restart => {
            lasts = Some(random.between(Duration::from_millis(1), Duration::from_millis(300)));
            vec![draw_node(roster, random)?]
        }
        FaultKind::Hang | FaultKind::Pause | FaultKind::ClockFreeze => {
            vec![draw_node(roster, random)?]
        }
        FaultKind::ClockJump => {
            lasts = None;
            let longest = [60, 86_400, 366 * 86_400][random.index(3)];
            amount = random.between(Duration::from_secs(1), Duration::from_secs(longest));
            vec![draw_node(roster, random)?]
        }
        FaultKind::Partition | FaultKind::OneWay => draw_side(roster, random),
        FaultKind::Clog | FaultKind::ClogOneWay | FaultKind::Corrupt => {
            draw_two_registrars(roster, random)?
        }
        FaultKind::SameIdentifier => {
            lasts = Some(random.between(timers.peer_heartbeat_cycle, longest));
            draw_two_registrars(roster, random)?
        }
        FaultKind::Cut => vec![draw_client(roster, random)?],
        FaultKind::Slow => {
            amount = random.between(Duration::ZERO, timers.keep_alive_timeout * 2);
            vec![draw_client(roster, random)?]
        }
        FaultKind::Announces => Vec::new(),
        FaultKind::Policy => {
            lasts = None;
            vec![*random.pick(&roster.elements)?]
        }
        FaultKind::Leave => vec![*random.pick(&roster.elements)?],
        FaultKind::Liar => vec![*random.pick(&roster.users)?],
        FaultKind::Garbage | FaultKind::WrongRole | FaultKind::Flood | FaultKind::FalsePeer => {
            vec![*random.pick(&roster.strangers)?]
        }
    };
    Some(Fault {
        kind,
        nodes,
        lasts,
        amount,
    })
}

/// Registrars are few and matter most.
fn draw_node(roster: &Roster, random: &mut Random) -> Option<NodeId> {
    match random.below(10) {
        0..4 => random.pick(&roster.registrars).copied(),
        _ => draw_client(roster, random),
    }
}

fn draw_client(roster: &Roster, random: &mut Random) -> Option<NodeId> {
    let users_too = random.percent(25) || roster.elements.is_empty();
    let clients = if users_too && !roster.users.is_empty() {
        &roster.users
    } else {
        &roster.elements
    };
    random.pick(clients).copied()
}

/// Two different registrars, in random order.
fn draw_two_registrars(roster: &Roster, random: &mut Random) -> Option<Vec<NodeId>> {
    let one = random.pick(&roster.registrars).copied()?;
    let mut others = roster.registrars.clone();
    others.retain(|other| *other != one);
    let other = random.pick(&others).copied()?;
    Some(vec![one, other])
}

/// One side of a partition: each node with equal chance, or one registrar alone.
fn draw_side(roster: &Roster, random: &mut Random) -> Vec<NodeId> {
    if random.percent(30) {
        return random
            .pick(&roster.registrars)
            .copied()
            .into_iter()
            .collect();
    }
    let all = [&roster.registrars, &roster.elements, &roster.users];
    let mut side: Vec<NodeId> = all.into_iter().flatten().copied().collect();
    side.retain(|_| random.percent(50));
    side
}
