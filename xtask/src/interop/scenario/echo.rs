//! Lines are answered; the element that answers is killed; the user goes on with another one.

use super::{Run, Scenario, every};
use crate::interop::Failure;
use crate::interop::side::{Element, Part, Registrar, Side, User};
use std::time::{Duration, Instant};

pub(super) const SCENARIO: Scenario = Scenario {
    id: "1",
    name: "echo: the element that serves is killed",
    roles: &["registrar", "element", "user"],
    casts: || every(3),
    judge: None,
    paths: 1,
    play,
};

/// The same, with SCTP in the kernel and in user space at once.
pub(super) const ENCAPSULATED: Scenario = Scenario {
    id: "6",
    name: "kernel and user space over UDP encapsulation",
    roles: SCENARIO.roles,
    casts: || {
        let [kernel, user_space] = [Side::Ours, Side::Udp];
        vec![
            vec![kernel, kernel, user_space],
            vec![kernel, user_space, kernel],
            vec![user_space, kernel, kernel],
            vec![user_space, kernel, user_space],
            vec![Side::Rsplib, kernel, user_space],
            vec![user_space, Side::Rsplib, user_space],
        ]
    },
    ..SCENARIO
};

const POOL: &str = "EchoPool";
/// How long a number of answers may take: rsplib's users wait 5 s in several places.
const PATIENCE: Duration = Duration::from_secs(20);

fn play(run: &Run) -> Result<String, Failure> {
    let [registrar, element, user] = run.cast()?;
    let at = run.node("r", registrar)?;
    let registrar = Registrar::start(registrar, &at, &[], &[], &run.stage)?;
    registrar.ready()?;
    let mut elements = Vec::new();
    for id in [1_u32, 2] {
        let node = run.node(&format!("e{id}"), element)?;
        let part = Part::echo(POOL, id);
        elements.push(Element::start(
            element,
            &node,
            &part,
            &[&registrar],
            &run.stage,
        )?);
    }
    elements.iter().try_for_each(Element::ready)?;
    let node = run.node("u", user)?;
    let every = Duration::from_millis(50);
    let user = User::start(user, &node, POOL, every, &[&registrar], &[], &run.stage)?;
    let start = Instant::now();
    let first = user.wait_for_answers(20, start, PATIENCE, |_| true)?;
    let serving = first.last().expect("there are 20").element.clone();
    let served = elements.iter_mut().find(|element| element.id == serving);
    let element = served.ok_or_else(|| Failure::Check(format!("{serving} is nobody's")))?;
    element.program.kill();
    let killed = Instant::now();
    let next = user.wait_for_answers(20, killed, PATIENCE, |answer| answer.element != serving)?;
    let gap = next[0].at.saturating_duration_since(killed);
    Ok(format!(
        "answered again {} ms after the kill",
        gap.as_millis()
    ))
}
