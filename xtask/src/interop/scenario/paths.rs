//! Two paths between element and user; one is cut under load. How long no answer comes.

use super::{Run, Scenario};
use crate::interop::Failure;
use crate::interop::side::{Element, Part, Registrar, Side, User};
use std::time::{Duration, Instant};

pub(super) const SCENARIO: Scenario = Scenario {
    id: "7",
    name: "multi-homing: one of two paths is cut under load",
    roles: &["registrar", "element", "user"],
    casts: || {
        [Side::Ours, Side::Udp, Side::Rsplib]
            .map(|side| vec![side; 3])
            .to_vec()
    },
    judge: None,
    paths: 2,
    play,
};

const POOL: &str = "EchoPool";
const PATIENCE: Duration = Duration::from_secs(30);
/// What a session on two paths may lose at most.
const BOUND: Duration = Duration::from_secs(10);

fn play(run: &Run) -> Result<String, Failure> {
    let [registrar, element, user] = run.cast()?;
    let node = run.node("r", registrar)?;
    let registrar = Registrar::start(registrar, &node, &[], &[], &run.stage)?;
    registrar.ready()?;
    let presets: &[&str] = if element.is_ours() && user.is_ours() {
        &["fast", "default"]
    } else {
        &["its own"]
    };
    let mut said = Vec::new();
    for preset in presets {
        let gap = cut_one(run, element, user, preset, &registrar)?;
        said.push(format!("{preset}: {} ms", gap.as_millis()));
    }
    Ok(format!(
        "longest time without an answer, {}",
        said.join(", ")
    ))
}

fn cut_one(
    run: &Run,
    element: Side,
    user: Side,
    preset: &str,
    registrar: &Registrar,
) -> Result<Duration, Failure> {
    let word = preset.split(' ').next().unwrap_or_default();
    let pool = format!("{POOL}-{word}");
    let timers = ["--timers", preset];
    let more: &[&str] = if element.is_ours() { &timers } else { &[] };
    let at = run.node(&format!("e-{word}"), element)?;
    let mut part = Part::echo(&pool, 1);
    part.more = more;
    let element = Element::start(element, &at, &part, &[registrar], &run.stage)?;
    element.ready()?;
    let node = run.node(&format!("u-{word}"), user)?;
    let every = Duration::from_millis(20);
    let user = User::start(user, &node, &pool, every, &[registrar], more, &run.stage)?;
    let start = Instant::now();
    user.wait_for_answers(50, start, PATIENCE, |_| true)?;
    // The paths that are not in use are confirmed by then.
    std::thread::sleep(Duration::from_secs(2));
    at.cut(1)?;
    let cut = Instant::now();
    std::thread::sleep(BOUND);
    user.wait_for_answers(50, cut + Duration::from_secs(1), PATIENCE, |_| true)?;
    let answers = user.answers();
    let longest = answers
        .windows(2)
        .filter(|pair| pair[1].at >= cut)
        .map(|pair| pair[1].at - pair[0].at)
        .max()
        .unwrap_or(BOUND);
    if longest >= BOUND {
        return Err(Failure::Check(format!(
            "{preset}: no answer for {:.1} s",
            longest.as_secs_f64()
        )));
    }
    Ok(longest)
}
