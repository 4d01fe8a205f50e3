//! Every policy that both know: who is selected how often.

use super::{Run, Scenario, every};
use crate::interop::Failure;
use crate::interop::side::{Element, Part, Registrar, Side};
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub(super) const SCENARIO: Scenario = Scenario {
    id: "2",
    name: "policies: the shares of 3,000 selections",
    roles: &["registrar", "element"],
    casts: || every(2),
    judge: Some(0),
    paths: 1,
    play,
};

/// Selections per policy.
const SELECTIONS: u32 = 3000;
/// How far a share may be from the policy's: in parts of all selections. A lottery's share of
/// one in two strays by 0.009 (one standard deviation); what takes turns has no excuse.
const BOUND_LOTTERY: f64 = 0.04;
const BOUND_TURNS: f64 = 0.005;

/// A policy, as each side's elements are told of it, and the shares of its three elements.
struct Policy {
    pool: &'static str,
    ours: [&'static str; 3],
    theirs: [&'static str; 3],
    /// As that policy has it; none: all alike in the long run.
    shares: [f64; 3],
    bound: f64,
}

/// A registration that is renewed in the meantime forgets what its element was given (RFC 5356
/// §5.2.2): then it would not be its turn alone.
const LIFE: [&str; 4] = [
    "--t4-reregistration-ms",
    "3600000",
    "--registration-life-ms",
    "7200000",
];

const THIRD: [f64; 3] = [1.0 / 3.0; 3];
const WEIGHTS: [f64; 3] = [3.0 / 6.0, 1.0 / 6.0, 2.0 / 6.0];

const POLICIES: [Policy; 9] = [
    Policy {
        pool: "rr",
        ours: ["rr"; 3],
        theirs: ["RoundRobin"; 3],
        shares: THIRD,
        bound: BOUND_TURNS,
    },
    Policy {
        pool: "wrr",
        ours: ["wrr:3", "wrr:1", "wrr:2"],
        theirs: [
            "WeightedRoundRobin:3",
            "WeightedRoundRobin:1",
            "WeightedRoundRobin:2",
        ],
        shares: WEIGHTS,
        bound: BOUND_TURNS,
    },
    Policy {
        pool: "rand",
        ours: ["rand"; 3],
        theirs: ["Random"; 3],
        shares: THIRD,
        bound: BOUND_LOTTERY,
    },
    Policy {
        pool: "wrand",
        ours: ["wrand:3", "wrand:1", "wrand:2"],
        theirs: ["WeightedRandom:3", "WeightedRandom:1", "WeightedRandom:2"],
        shares: WEIGHTS,
        bound: BOUND_LOTTERY,
    },
    Policy {
        pool: "prio",
        ours: ["prio:3", "prio:1", "prio:2"],
        theirs: ["Priority:3", "Priority:1", "Priority:2"],
        shares: [1.0, 0.0, 0.0],
        bound: BOUND_TURNS,
    },
    Policy {
        pool: "lu",
        ours: ["lu:0"; 3],
        theirs: ["LeastUsed"; 3],
        shares: THIRD,
        bound: BOUND_TURNS,
    },
    Policy {
        pool: "rlu",
        ours: ["rlu:0"; 3],
        theirs: ["RandomizedLeastUsed"; 3],
        shares: THIRD,
        bound: BOUND_LOTTERY,
    },
    Policy {
        pool: "lud",
        ours: ["lud:0:0.1"; 3],
        theirs: ["LeastUsedDegradation:0.1"; 3],
        shares: THIRD,
        bound: BOUND_TURNS,
    },
    Policy {
        pool: "plu",
        ours: ["plu:0:0.3", "plu:0:0.1", "plu:0:0.2"],
        theirs: [
            "PriorityLeastUsed:0.3",
            "PriorityLeastUsed:0.1",
            "PriorityLeastUsed:0.2",
        ],
        shares: [0.0, 1.0, 0.0],
        bound: BOUND_TURNS,
    },
];

fn play(run: &Run) -> Result<String, Failure> {
    let [registrar, side] = run.cast()?;
    let asker = run.node("asker", run.stage.asker())?;
    let node = run.node("r", registrar)?;
    let registrar = Registrar::start(registrar, &node, &[], &[], &run.stage)?;
    registrar.ready()?;
    // All elements of a number share a node: a port each, of ours too.
    let mut elements = Vec::new();
    for (place, id) in [0x11_u32, 0x22, 0x33].into_iter().enumerate() {
        let node = run.node(&format!("e{id:x}"), side)?;
        for policy in &POLICIES {
            let words = if side.is_ours() {
                policy.ours
            } else {
                policy.theirs
            };
            let mut part = Part::echo(policy.pool, id);
            part.policy = words[place];
            let ours = [&LIFE[..], &["--udp-port", "0"]].concat();
            part.more = match side {
                Side::Ours => &LIFE,
                Side::Udp => &ours,
                Side::Rsplib => &["-rereginterval=3600000"],
            };
            elements.push(Element::start(
                side,
                &node,
                &part,
                &[&registrar],
                &run.stage,
            )?);
        }
    }
    elements.iter().try_for_each(Element::ready)?;
    let mut said = String::new();
    for policy in &POLICIES {
        let counts = registrar.select(&asker, policy.pool, SELECTIONS)?;
        let shares = policy.check(&counts)?;
        write!(said, "{} {shares}; ", policy.pool).expect("a string takes all");
    }
    Ok(said.trim_end_matches("; ").to_owned())
}

impl Policy {
    /// The shares as text, if they are as they should be.
    fn check(&self, counts: &BTreeMap<String, u32>) -> Result<String, Failure> {
        let mut shown = Vec::new();
        let mut right = true;
        for (share, id) in self.shares.into_iter().zip(["11", "22", "33"]) {
            let id = format!("0x000000{id}");
            let count = counts.get(&id).copied().unwrap_or_default();
            let got = f64::from(count) / f64::from(SELECTIONS);
            right &= (got - share).abs() <= self.bound;
            shown.push(format!("{got:.3}"));
        }
        let total: u32 = counts.values().sum();
        let shown = shown.join("/");
        if right && total == SELECTIONS {
            return Ok(shown);
        }
        Err(Failure::Check(format!(
            "{}: shares {shown} of {total} selections, not {:.3?}",
            self.pool, self.shares
        )))
    }
}
